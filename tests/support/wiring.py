"""What the stacks of a deployment have in common, without making any."""

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
"""That of an AgentStack without settings of its own."""
