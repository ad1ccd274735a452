"""The parameters that a queue's CloudFormation stack is given."""

from collections.abc import Mapping
from dataclasses import dataclass

from buildkite_agents.queue import AgentQueue, ParameterValue

SSM_AGENT_POLICY = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
"""AWS's policy for reaching an instance by Session Manager."""


OWNERS = {
    "AgentsPerInstance": "agents_per_instance",
    "BootstrapScriptUrl": "bootstrap_script of the AgentStack",
    "BuildkiteAgentTags": "the instance type",
    "BuildkiteAgentToken": "the variable buildkite_agent_token, and must be in no program",
    "BuildkiteAgentTokenParameterStorePath": "token_parameter of the AgentStack",
    "BuildkiteQueue": "name",
    "ImageId": "the variable buildkite_agent_amis",
    "InstanceOperatingSystem": "the program: it is linux",
    "InstanceRoleName": "the queue's name",
    "InstanceTypes": "instance_type and more_instance_types",
    "ManagedPolicyARNs": "access of the AgentStack",
    "MaxSize": "max_size",
    "MinSize": "min_size",
    "OnDemandPercentage": "on_demand_percentage",
    "ScaleInIdlePeriod": "idle_minutes",
    "SecretsBucket": "the program: it is the environment's bucket",
    "Subnets": "network of the AgentStack, or the variable subnet_ids",
    "VpcId": "network of the AgentStack, or the variable vpc_id",
}
"""What decides each parameter that a queue's own mapping cannot set."""


@dataclass(frozen=True)
class Wiring:
    """What a queue's stack refers to: Terraform references, resolved when it is applied."""

    vpc_id: str
    subnets: str
    amis: str
    bootstrap_script_url: str
    token_parameter: str
    managed_policy_arns: str
    permissions_boundary: str | None
    secrets_bucket: str
    region: str

    def image_id(self, architecture: str) -> str:
        """The machine image for an architecture; null for the stack's own."""
        return null_if_empty(f'{self.amis}["{architecture}-linux"]')


def null_if_empty(expression: str) -> str:
    """A reference to the value of a Terraform *expression*, or to null where that has none.

    A parameter that is null is not given. Given as ``""`` it would stay what it was, as the AWS
    provider ignores an empty value over an old one.
    """
    return f"${{try(coalesce({expression}), null)}}"


def stack_parameters(queue: AgentQueue, *, instance_role: str, wiring: Wiring) -> dict[str, str]:
    """All parameters of a queue's stack, by the template's names, as CloudFormation takes them."""
    parameters = {
        **default_parameters(wiring),
        **queue.parameters,
        **own_parameters(queue, instance_role=instance_role, wiring=wiring),
    }
    return {name: _text(value) for name, value in parameters.items() if value not in {None, ""}}


def own_parameters(
    queue: AgentQueue, *, instance_role: str, wiring: Wiring
) -> Mapping[str, ParameterValue]:
    """The parameters that a queue's fields, and what it is wired to, decide."""
    return {
        "AgentsPerInstance": queue.agents_per_instance,
        "BootstrapScriptUrl": wiring.bootstrap_script_url,
        "BuildkiteAgentTags": queue.agent_tags,
        "BuildkiteAgentTokenParameterStorePath": wiring.token_parameter,
        "BuildkiteQueue": queue.name,
        "ImageId": wiring.image_id(queue.architecture),
        "InstanceOperatingSystem": "linux",
        "InstanceRoleName": instance_role,
        "InstanceTypes": ",".join(queue.all_instance_types),
        "ManagedPolicyARNs": wiring.managed_policy_arns,
        "MaxSize": queue.max_size,
        "MinSize": queue.min_size,
        "OnDemandPercentage": queue.on_demand_percentage,
        "ScaleInIdlePeriod": None if queue.idle_minutes is None else queue.idle_minutes * 60,
        "SecretsBucket": wiring.secrets_bucket,
        "Subnets": wiring.subnets,
        "VpcId": wiring.vpc_id,
    }


def default_parameters(wiring: Wiring) -> Mapping[str, ParameterValue]:
    """The parameters with a better default here than in the template; a queue can set them."""
    return {
        # Benchmarks push and pull images of their own.
        "ECRAccessPolicy": "full",
        # The bootstrap script may take ten minutes, and the template's own limit is five.
        "InstanceCreationTimeout": "PT15M",
        "InstanceRolePermissionsBoundaryARN": wiring.permissions_boundary,
        # Without a session token, whatever a job runs can read the role's credentials.
        "IMDSv2Tokens": "required",
        # The template finds it out by itself, which fails now and then.
        "SecretsBucketRegion": wiring.region,
    }


def _text(value: ParameterValue) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
