"""The parameters of a queue's CloudFormation stack."""

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
"""The parameters with a field of AgentQueue. A queue sets the field or the parameter."""

OF_THE_TEMPLATES_ROLE = (
    "ECRAccessPolicy",
    "InstanceRoleName",
    "InstanceRolePermissionsBoundaryARN",
    "ManagedPolicyARNs",
)
"""The parameters that the template ignores with an existing role (``InstanceRoleARN``)."""

_BEYOND_THE_LAYOUT = (
    "IMDSv2Tokens",
    "InstanceCreationTimeout",
    "RootVolumeEncrypted",
    "SecretsBucketRegion",
)

_NAMES_BEFORE_V6 = {"InstanceTypes": "InstanceType", "ManagedPolicyARNs": "ManagedPolicyARN"}


@dataclass(frozen=True)
class Wiring:
    """The values that the stacks of a deployment share, and references to created resources.

    A value of None is omitted from the parameters.
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
    """Whether the stacks have only the parameters of the documented layout."""
    ecr_access: str | None = None
    """The template's ECRAccessPolicy. Unless it is none, the stack logs in to ECR."""
    permitted: Collection[str] | None = None
    """The actions that the agents' policy permits, or None if unknown."""
    script_needs_dnf: bool = False
    versions_of_image: Mapping[str, Collection[str]] = field(default_factory=dict)
    """The stack versions that use each image."""

    def image_id(self, architecture: str) -> str | None:
        """The image for an architecture; null for the stack's own image."""
        if self.amis is None:
            return None
        return null_if_empty(f'{self.amis}["{architecture}-linux"]')


def null_if_empty(expression: str) -> str:
    """A Terraform reference that is null where *expression* is null or empty.

    A null parameter is omitted. An empty one would keep its previous value, because the AWS
    provider ignores a change to an empty value.
    """
    return f"${{try(coalesce({expression}), null)}}"


def stack_parameters(
    queue: AgentQueue, version: StackVersion, *, instance_role: str, wiring: Wiring
) -> dict[str, str]:
    """All parameters of a queue's stack, as strings in CloudFormation's form."""
    parameters = all_parameters(queue, version, instance_role=instance_role, wiring=wiring)
    return {name: _text(value) for name, value in parameters.items() if value not in {None, ""}}


def all_parameters(
    queue: AgentQueue, version: StackVersion, *, instance_role: str, wiring: Wiring
) -> dict[str, ParameterValue]:
    """The merged parameters, None and empty values included.

    The deployment's parameters override this program's defaults, and the queue's override both.
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
    """Whether a queue sets the field of a *parameter* to a value other than the default."""
    if parameter == "InstanceTypes":
        return queue.instance_type is not None
    name = FIELDS[parameter]
    return bool(getattr(queue, name) != type(queue).__dataclass_fields__[name].default)


def _as_named_by(
    version: StackVersion, parameters: Mapping[str, ParameterValue]
) -> dict[str, ParameterValue]:
    """The parameters that exist in a version, under their names in that version."""
    named = {
        name if name in version.parameters else _NAMES_BEFORE_V6.get(name, name): value
        for name, value in parameters.items()
    }
    return {name: value for name, value in named.items() if name in version.parameters}


def default_parameters(
    queue: AgentQueue, *, instance_role: str, wiring: Wiring
) -> Mapping[str, ParameterValue]:
    """The parameters that this program sets by default."""
    instance_types = queue.all_instance_types if queue.instance_type is not None else ()
    return {
        "ECRAccessPolicy": wiring.ecr_access,
        # The bootstrap script can take ten minutes; the template's default limit is five.
        "InstanceCreationTimeout": "PT15M",
        "InstanceRolePermissionsBoundaryARN": wiring.permissions_boundary,
        # Without a session token, a request forged by a job's program reads the role's credentials.
        "IMDSv2Tokens": "required",
        # Jobs' secrets are on the volume while they run. EBS encryption with the account's default
        # key has no cost and no measurable effect on performance.
        "RootVolumeEncrypted": True,
        # Otherwise the template looks the region up, which fails occasionally.
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
