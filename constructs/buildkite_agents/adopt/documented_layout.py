"""Recognizes the documented ``terraform/`` layout in a root module.

Its secrets bucket, bootstrap script, token and policy are adopted with the stacks if all of them
are as an AgentStack defines them with ``keep_documented_layout``.
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
    """The resources of the documented layout other than its stacks."""

    project: str
    environment: str
    organization: str | None
    """The Buildkite organization in the token's description."""

    token_parameter: str
    """The name of the SSM parameter with the token."""

    script: str
    """The file name of the bootstrap script in the root module."""


def documented_layout(resources: Mapping[str, Mapping[str, Any]]) -> DocumentedLayout | None:
    """Return the layout, if *resources* (values by address) contain it."""
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
