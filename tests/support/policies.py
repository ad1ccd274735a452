"""The policies of the documented queues, as IAM and S3 evaluate them."""

import json
from pathlib import Path

GOLDEN = Path(__file__).parents[1] / "golden" / "terraform"


def resolved_policy(kind: str, name: str) -> str:
    """The policy of a resource, with its references resolved."""
    content = json.loads((GOLDEN / "buildkite.tf.json").read_text())
    policy: str = content["resource"][kind][name]["policy"]
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
