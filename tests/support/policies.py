"""The policies of the documented queues, as IAM and S3 evaluate them."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from support.documented import QUEUES

from buildkite_agents import AgentStack

ROOT = Path(__file__).parents[2]


@cache
def resources() -> dict[str, Any]:
    """The resources of a stack of the documented queues."""
    import cdktf

    stack = AgentStack(
        cdktf.Testing.app(),
        project="conbench",
        queues=QUEUES,
        bootstrap_script=ROOT / "bootstrap" / "buildkite-bootstrap.sh",
    )
    synthesized: dict[str, Any] = json.loads(cdktf.Testing.synth(stack))["resource"]
    return synthesized


def resolved_policy(kind: str, name: str) -> str:
    """The policy of a resource, with its references resolved."""
    policy: str = resources()[kind][name]["policy"]
    for reference, value in {
        "${aws_s3_bucket.buildkite_secrets.arn}": "arn:aws:s3:::conbench-prod-buildkite-secrets",
        "${aws_ssm_parameter.buildkite_agent_token.arn}": (
            "arn:aws:ssm:us-east-1:123456789012:parameter/buildkite/agent-token"
        ),
        "${local.buildkite_partition}": "aws",
        "${local.buildkite_account}": "123456789012",
        "${var.aws_region}": "us-east-1",
    }.items():
        policy = policy.replace(reference, value)
    assert "${" not in policy
    return policy
