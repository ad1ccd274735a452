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

from buildkite_agents import bootstrap_script, names, permissions

_DESCRIPTION = re.compile(r"Buildkite Agent Token for (.+) organization")
_ADDRESSES = {
    "bucket": names.SECRETS_BUCKET,
    "access": "aws_s3_bucket_public_access_block.buildkite_secrets",
    "encryption": "aws_s3_bucket_server_side_encryption_configuration.buildkite_secrets",
    "script": names.BOOTSTRAP_OBJECT,
    "token": names.TOKEN_PARAMETER,
    "policy": names.AGENT_POLICY,
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

    script_url: str
    """The URL of the bootstrap script in the secrets bucket."""


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
    documented_policy = permissions.policy_document(
        permissions.documented_statements(f"arn:aws:s3:::{bucket['bucket']}")
    )
    expected = (
        (bucket["tags"], {**tags, "Name": bucket["bucket"]}),
        (token["tags"], {**tags, "Name": "buildkite-agent-token"}),
        (policy["tags"], tags),
        (policy["name"], f"{project}-{environment}-buildkite-agent-policy"),
        (json.loads(policy["policy"]), documented_policy),
        (script["key"], bootstrap_script.KEY),
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
        script_url=f"s3://{bucket['bucket']}/{script['key']}",
    )
