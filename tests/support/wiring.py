"""The values that the stacks of a deployment share, without a deployment."""

from buildkite_agents.names import Names
from buildkite_agents.stack_parameters import Wiring, null_if_empty

PROD = Names("conbench", "prod")

WIRING = Wiring(
    vpc_id=null_if_empty("VPC"),
    subnets=null_if_empty("SUBNETS"),
    amis="AMIS",
    bootstrap_script_url="${URL}",
    token_parameter="${PATH}",  # noqa: S106
    managed_policy_arns=("${POLICY}",),
    secrets_bucket="${BUCKET}",
    secrets_bucket_region="${REGION}",
)
"""The values of an AgentStack with default settings."""
