"""The parameters that a queue's CloudFormation stack is given."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from buildkite_agents.elastic_ci_stack import StackVersion
from buildkite_agents.queue import AgentQueue, ParameterValue

FIELDS = {
    "AgentsPerInstance": "agents_per_instance",
    "InstanceTypes": "instance_type",
    "MaxSize": "max_size",
    "MinSize": "min_size",
    "OnDemandPercentage": "on_demand_percentage",
    "ScaleInIdlePeriod": "idle_minutes",
}
"""The parameters that have a field of their own. A queue sets one or the other."""

OF_THE_TEMPLATES_ROLE = (
    "ECRAccessPolicy",
    "InstanceRoleName",
    "InstanceRolePermissionsBoundaryARN",
    "ManagedPolicyARNs",
)
"""What the template ignores where it is given a role (``InstanceRoleARN``) and makes none."""

_BEYOND_THE_LAYOUT = (
    "IMDSv2Tokens",
    "InstanceCreationTimeout",
    "RootVolumeEncrypted",
    "SecretsBucketRegion",
)

_NAMES_BEFORE_V6 = {"InstanceTypes": "InstanceType", "ManagedPolicyARNs": "ManagedPolicyARN"}


@dataclass(frozen=True)
class Wiring:
    """What the stacks of a deployment have in common: values, and references to what is made.

    None is what a stack is not given.
    """

    vpc_id: str | None = None
    subnets: str | None = None
    amis: str | None = None
    bootstrap_script_url: str | None = None
    token_parameter: str | None = None
    managed_policy_arns: Sequence[str] = ()
    permissions_boundary: str | None = None
    secrets_bucket: str | None = None
    secrets_bucket_region: str | None = None
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    keep_documented_layout: bool = False
    """Whether the stacks are given only what the documented layout gives them."""
    ecr_access: str | None = None
    """How much of ECR the template's own policy permits; it logs in to ECR unless that is none."""
    permitted: Collection[str] | None = None
    """The actions that the agents' policy permits, or None where that is not known."""
    script_needs_dnf: bool = False
    versions_of_image: Mapping[str, Collection[str]] = field(default_factory=dict)
    """The versions of the stacks that each image is named for."""

    def image_id(self, architecture: str) -> str | None:
        """The machine image for an architecture; null for the stack's own."""
        if self.amis is None:
            return None
        return null_if_empty(f'{self.amis}["{architecture}-linux"]')


def null_if_empty(expression: str) -> str:
    """A reference to the value of a Terraform *expression*, or to null where that has none.

    A parameter that is null is not given. Given as ``""`` it would stay what it was, as the AWS
    provider ignores an empty value over an old one.
    """
    return f"${{try(coalesce({expression}), null)}}"


def stack_parameters(
    queue: AgentQueue, version: StackVersion, *, instance_role: str, wiring: Wiring
) -> dict[str, str]:
    """All parameters of a queue's stack, by the template's names, as CloudFormation takes them."""
    parameters = all_parameters(queue, version, instance_role=instance_role, wiring=wiring)
    return {name: _text(value) for name, value in parameters.items() if value not in {None, ""}}


def all_parameters(
    queue: AgentQueue, version: StackVersion, *, instance_role: str, wiring: Wiring
) -> dict[str, ParameterValue]:
    """The parameters as they were given, None and empty ones included.

    What the program sets by itself is a default, which the parameters of the deployment replace,
    and these those of the queue.
    """
    own = default_parameters(queue, instance_role=instance_role, wiring=wiring)
    if wiring.keep_documented_layout:
        own = {name: value for name, value in own.items() if name not in _BEYOND_THE_LAYOUT}
    given = {
        **{
            name: value
            for name, value in wiring.parameters.items()
            if name not in FIELDS or not sets_field(queue, name)
        },
        **queue.parameters,
    }
    if given.get("InstanceRoleARN"):
        own = {name: value for name, value in own.items() if name not in OF_THE_TEMPLATES_ROLE}
    return {**_as_named_by(version, own), **given}


def sets_field(queue: AgentQueue, parameter: str) -> bool:
    """Whether a queue has another value than the default in the field of a *parameter*."""
    if parameter == "InstanceTypes":
        return queue.instance_type is not None
    name = FIELDS[parameter]
    return bool(getattr(queue, name) != type(queue).__dataclass_fields__[name].default)


def _as_named_by(
    version: StackVersion, parameters: Mapping[str, ParameterValue]
) -> dict[str, ParameterValue]:
    """The parameters that a version has, by the names that it has for them."""
    named = {
        name if name in version.parameters else _NAMES_BEFORE_V6.get(name, name): value
        for name, value in parameters.items()
    }
    return {name: value for name, value in named.items() if name in version.parameters}


def default_parameters(
    queue: AgentQueue, *, instance_role: str, wiring: Wiring
) -> Mapping[str, ParameterValue]:
    """The parameters that the program sets by itself."""
    instance_types = queue.all_instance_types if queue.instance_type is not None else ()
    return {
        "ECRAccessPolicy": wiring.ecr_access,
        # The bootstrap script may take ten minutes, and the template's own limit is five.
        "InstanceCreationTimeout": "PT15M",
        "InstanceRolePermissionsBoundaryARN": wiring.permissions_boundary,
        # Without a session token, whatever a job runs can read the role's credentials.
        "IMDSv2Tokens": "required",
        # Jobs' secrets are on the volume while they run. EBS encrypts without a cost in time or
        # money, by the account's own key.
        "RootVolumeEncrypted": True,
        # The template finds it out by itself, which fails now and then.
        "SecretsBucketRegion": wiring.secrets_bucket_region,
        "AgentsPerInstance": queue.agents_per_instance,
        "BootstrapScriptUrl": wiring.bootstrap_script_url,
        "BuildkiteAgentTags": queue.agent_tags,
        "BuildkiteAgentTokenParameterStorePath": wiring.token_parameter,
        "BuildkiteQueue": queue.name,
        "ImageId": wiring.image_id(queue.architecture),
        "InstanceOperatingSystem": "linux",
        "InstanceRoleName": instance_role,
        "InstanceTypes": ",".join(map(str, instance_types)) or None,
        "ManagedPolicyARNs": ",".join(wiring.managed_policy_arns) or None,
        "MaxSize": queue.max_size,
        "MinSize": queue.min_size,
        "OnDemandPercentage": queue.on_demand_percentage,
        "ScaleInIdlePeriod": None if queue.idle_minutes is None else queue.idle_minutes * 60,
        "SecretsBucket": wiring.secrets_bucket,
        "Subnets": wiring.subnets,
        "VpcId": wiring.vpc_id,
    }


def _text(value: ParameterValue) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
