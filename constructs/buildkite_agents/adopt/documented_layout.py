"""The documented ``terraform/`` layout, recognized in what a root module has.

What is around its stacks, the secrets bucket, the bootstrap script, the token and the policy, is
taken over with them where all of it is as an AgentStack makes it with ``keep_documented_layout``.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

_KEY = "bootstrap/setup_benchmark_machine.sh"
_DESCRIPTION = re.compile(r"Buildkite Agent Token for (.+) organization")
_ADDRESSES = {
    "bucket": "aws_s3_bucket.buildkite_secrets",
    "access": "aws_s3_bucket_public_access_block.buildkite_secrets",
    "encryption": "aws_s3_bucket_server_side_encryption_configuration.buildkite_secrets",
    "script": "aws_s3_object.bootstrap_script",
    "token": "aws_ssm_parameter.buildkite_agent_token",  # nosec B105
    "policy": "aws_iam_policy.buildkite_agent",
}


@dataclass(frozen=True)
class DocumentedLayout:
    """What is around the stacks of the documented layout."""

    project: str
    environment: str
    organization: str | None
    """The Buildkite organization of the token's description."""

    token_parameter: str
    """The name of the SSM parameter with the token."""

    script: str
    """The bootstrap script's file, in the root module."""


def documented_layout(resources: Mapping[str, Mapping[str, Any]]) -> DocumentedLayout | None:
    """Recognize the layout among the values of all *resources*, by their addresses."""
    found = {part: resources.get(address) for part, address in _ADDRESSES.items()}
    if any(values is None for values in found.values()):
        return None
    bucket, script, token, policy = (
        found[part] or {} for part in ("bucket", "script", "token", "policy")
    )
    name = re.fullmatch(r"([a-z][a-z0-9-]*)-([a-z][a-z0-9]*)-buildkite-secrets", bucket["bucket"])
    described = _DESCRIPTION.fullmatch(token.get("description") or "")
    if name is None or described is None:
        return None
    project, environment = name.groups()
    tags = {"Project": project, "Environment": environment}
    expected = (
        (bucket["tags"], {**tags, "Name": bucket["bucket"]}),
        (token["tags"], {**tags, "Name": "buildkite-agent-token"}),
        (policy["tags"], tags),
        (policy["name"], f"{project}-{environment}-buildkite-agent-policy"),
        (json.loads(policy["policy"]), _policy(bucket["bucket"])),
        (script["key"], _KEY),
        (script["bucket"], bucket["bucket"]),
        (token["type"], "SecureString"),
    )
    if any(given != wanted for given, wanted in expected):
        return None
    return DocumentedLayout(
        project=project,
        environment=environment,
        organization=described[1],
        token_parameter=token["name"],
        script=PurePosixPath(script.get("source") or "buildkite-bootstrap.sh").name,
    )


def _policy(bucket: str) -> dict[str, Any]:
    arn = f"arn:aws:s3:::{bucket}"
    ecr = (
        "GetAuthorizationToken BatchCheckLayerAvailability GetDownloadUrlForLayer BatchGetImage "
        "PutImage InitiateLayerUpload UploadLayerPart CompleteLayerUpload"
    )
    logs = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
    statements: list[dict[str, Any]] = [
        {"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": [arn, f"{arn}/*"]},
        {"Action": [f"ecr:{action}" for action in ecr.split()], "Resource": "*"},
        {"Action": list(logs), "Resource": "arn:aws:logs:*:*:*"},
    ]
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", **statement} for statement in statements],
    }
