"""Computes what each stack and queue gets from its settings."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from buildkite_agents import bootstrap_script, names, permissions
from buildkite_agents.elastic_ci_stack import StackVersion
from buildkite_agents.expressions import NullIfEmpty, Reference
from buildkite_agents.names import Names
from buildkite_agents.options import Unset, options
from buildkite_agents.queue import AgentQueue, ParameterValue
from buildkite_agents.resolved import (
    PARAMETERS_OF_TEMPLATE_ROLE,
    REGION,
    Parameter,
    ResolvedQueue,
    ResolvedStack,
    field_of,
)
from buildkite_agents.settings import (
    AgentAccess,
    AgentToken,
    Existing,
    SecretsBucket,
    StackSettings,
)

_NOT_IN_DOCUMENTED_LAYOUT = (
    "IMDSv2Tokens",
    "InstanceCreationTimeout",
    "RootVolumeEncrypted",
    "SecretsBucketRegion",
)
_DEFAULTS = (
    *_NOT_IN_DOCUMENTED_LAYOUT,
    "BuildkiteAgentTags",
    "ECRAccessPolicy",
    "ImageId",
    "InstanceOperatingSystem",
    "InstanceRoleName",
)
"""The parameters that this program sets where no field or argument does."""

_NAMES_BEFORE_V6 = {"InstanceTypes": "InstanceType", "ManagedPolicyARNs": "ManagedPolicyARN"}


def resolve(
    settings: StackSettings, queues: Sequence[tuple[AgentQueue, StackVersion]]
) -> ResolvedStack:
    """Compute what the stacks of *queues* get. The types of all settings have been checked."""
    shared = _shared_parameters(settings)
    keys = names.stack_keys([queue for queue, _ in queues])
    actions = permissions.permitted_actions(settings.access)
    needs_dnf = bootstrap_script.needs_dnf(settings.bootstrap_script)
    resolved = []
    for key, (given, version) in zip(keys, queues, strict=True):
        queue = given
        if settings.template_defaults:
            tags = (settings.tags or {}) if given.tags is None else given.tags
            queue = replace(given, tags=tags, moved_from=given.moved_from or "")
        parameters = _parameters(queue, version, settings, shared)
        others = ("ManagedPolicyARNs", "ManagedPolicyARN", "InstanceRoleARN")
        has_other_policies = any(
            name in parameters and parameters[name].is_explicit for name in others
        )
        script = parameters.get("BootstrapScriptUrl")
        resolved.append(
            ResolvedQueue(
                queue=queue,
                version=version,
                key=str(key),
                stack_name=Names(settings.project, settings.environment).stack(queue),
                settings=parameters,
                common_tags=settings.common_tags,
                has_version_tag=not settings.keep_documented_layout,
                role_actions=None if has_other_policies else actions,
                script_needs_dnf=needs_dnf and script is not None and not script.is_explicit,
            )
        )
    return ResolvedStack(settings, resolved)


def _parameters(
    queue: AgentQueue,
    version: StackVersion,
    settings: StackSettings,
    shared: Mapping[str, Parameter],
) -> dict[str, Parameter]:
    """The parameters of a queue's stack: the explicit ones override this program's."""
    explicit = {
        **{n: Parameter(v, field_of(n), True, True) for n, v in settings.parameters.items()},
        **{n: Parameter(v, field_of(n), False, True) for n, v in queue.parameters.items()},
    }
    ours = {**_queue_parameters(queue, settings), **shared}
    left_out: Collection[str] = _NOT_IN_DOCUMENTED_LAYOUT if settings.keep_documented_layout else ()
    if settings.template_defaults:
        left_out = [name for name in ours if not _is_given(name, queue, settings)]
    role = explicit.get("InstanceRoleARN")
    if role is not None and role.value:
        left_out = (*left_out, *PARAMETERS_OF_TEMPLATE_ROLE)
    named = {
        name if name in version.parameters else _NAMES_BEFORE_V6.get(name, name): parameter
        for name, parameter in ours.items()
        if name not in left_out
    }
    chosen = _chosen(queue, settings)
    return {
        **{n: p for n, p in named.items() if n in version.parameters or n in chosen},
        **explicit,
    }


def _chosen(queue: AgentQueue, settings: StackSettings) -> Collection[str]:
    """The parameters that fields and arguments set to other values than this program's defaults."""
    default = AgentQueue()
    chosen = [
        option.parameter
        for name, option in options(AgentQueue).items()
        if option.parameter is not None
        and getattr(queue, name) not in {None, getattr(default, name)}
    ]
    if isinstance(settings.access, AgentAccess) and settings.access.permissions_boundary:
        chosen.append("InstanceRolePermissionsBoundaryARN")
    return chosen


def _is_given(name: str, queue: AgentQueue, settings: StackSettings) -> bool:
    """Whether a field or an argument sets a parameter, which is not a default of this program."""
    for field, option in options(AgentQueue).items():
        if option.parameter == name:
            return not isinstance(getattr(queue, field), Unset)
    if name in {"Subnets", "VpcId"}:
        return settings.network is not None
    return name not in _DEFAULTS


def _queue_parameters(queue: AgentQueue, settings: StackSettings) -> dict[str, Parameter]:
    """The parameters that a queue's fields set, and this program's defaults."""
    types = queue.all_instance_types if queue.instance_type is not None else ()
    values: dict[str, ParameterValue] = {
        # The bootstrap script can take ten minutes; the template's default limit is five.
        "InstanceCreationTimeout": "PT15M",
        # Without a session token, a request forged by a job's program reads the role's credentials.
        "IMDSv2Tokens": "required",
        # Jobs' secrets are on the volume while they run. EBS encryption with the account's default
        # key has no cost and no measurable effect on performance.
        "RootVolumeEncrypted": True,
        "BuildkiteAgentTags": queue.agent_tags,
        "BuildkiteQueue": queue.name,
        "ImageId": NullIfEmpty(f'var.buildkite_agent_amis["{queue.architecture}-linux"]'),
        "InstanceOperatingSystem": "linux",
        "InstanceRoleName": Names(settings.project, settings.environment).instance_role(queue),
        "InstanceTypes": ",".join(types) or None,
    }
    for name, option in options(AgentQueue).items():
        if option.parameter is not None:
            values[option.parameter] = _in_unit(getattr(queue, name), option.unit)
    return {name: Parameter(value, field_of(name)) for name, value in values.items()}


def _in_unit(value: float | str | None, unit: int) -> ParameterValue:
    if value is None or unit == 1:
        return value
    if isinstance(value, str):
        return Reference(f"({value.removeprefix('${').removesuffix('}')}) * {unit}")
    return round(value * unit)


def _shared_parameters(settings: StackSettings) -> dict[str, Parameter]:
    """The parameters that arguments of the AgentStack set, for all queues."""
    access, bucket, network = settings.access, settings.secrets_bucket, settings.network
    agent_policy = Reference(f"{names.AGENT_POLICY}.arn")
    policies = permissions.managed_policies(settings, agent_policy=agent_policy)
    own_access = access if isinstance(access, AgentAccess) else None
    values: dict[str, tuple[ParameterValue, str]] = {
        "ECRAccessPolicy": (permissions.ecr_access_policy(settings), "access.pull_from_ecr"),
        "InstanceRolePermissionsBoundaryARN": (
            own_access.permissions_boundary if own_access else None,
            "access.permissions_boundary",
        ),
        # Otherwise the template looks the region up, which fails occasionally. That of an existing
        # bucket is unknown.
        "SecretsBucketRegion": (
            REGION if isinstance(bucket, SecretsBucket) else None,
            "secrets_bucket",
        ),
        "BootstrapScriptUrl": (_script_url(settings), "bootstrap_script"),
        "BuildkiteAgentTokenParameterStorePath": (
            _reference_or_name(settings.token, f"{names.TOKEN_PARAMETER}.name"),
            "token.parameter" if isinstance(settings.token, AgentToken) else "token",
        ),
        "ManagedPolicyARNs": (
            ",".join(policies) or None,
            "access.managed_policies" if own_access else "access",
        ),
        "SecretsBucket": (
            _reference_or_name(bucket, f"{names.SECRETS_BUCKET}.bucket"),
            "secrets_bucket",
        ),
        "Subnets": (
            NullIfEmpty('join(",", var.subnet_ids)')
            if network is None
            else _joined(network.subnet_ids),
            "network.subnet_ids",
        ),
        "VpcId": (
            NullIfEmpty("var.vpc_id") if network is None else network.vpc_id,
            "network.vpc_id",
        ),
    }
    return {name: Parameter(value, field, True) for name, (value, field) in values.items()}


def _script_url(settings: StackSettings) -> str | None:
    script = settings.bootstrap_script
    if bootstrap_script.local_path(script) is None:
        return None if script is None else str(script)
    bucket = _reference_or_name(settings.secrets_bucket, f"{names.SECRETS_BUCKET}.bucket")
    return f"s3://{bucket}/{Reference(f'{names.BOOTSTRAP_OBJECT}.key')}"


def _reference_or_name(
    setting: AgentToken | SecretsBucket | Existing | None, expression: str
) -> str | None:
    if isinstance(setting, Existing):
        return setting.name
    return None if setting is None else Reference(expression)


def _joined(subnet_ids: Sequence[str] | str) -> str:
    return subnet_ids if isinstance(subnet_ids, str) else ",".join(subnet_ids)
