"""What each stack and queue gets, computed from the settings before any construct exists.

The checks, the warnings, the constructs, the summary and ``adopt`` read these values.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from buildkite_agents import bootstrap_script, names, permissions
from buildkite_agents.elastic_ci_stack import StackVersion
from buildkite_agents.expressions import NullIfEmpty, Reference, is_reference
from buildkite_agents.names import Names
from buildkite_agents.options import options
from buildkite_agents.queue import FIELDS, AgentQueue, ParameterValue
from buildkite_agents.settings import (
    AgentAccess,
    AgentToken,
    Existing,
    SecretsBucket,
    StackSettings,
)

REGION = Reference("var.aws_region")

PARAMETERS_OF_TEMPLATE_ROLE = (
    "ECRAccessPolicy",
    "InstanceRoleName",
    "InstanceRolePermissionsBoundaryARN",
    "ManagedPolicyARNs",
)
"""The parameters that the template ignores with an existing role (``InstanceRoleARN``)."""

_NOT_IN_DOCUMENTED_LAYOUT = (
    "IMDSv2Tokens",
    "InstanceCreationTimeout",
    "RootVolumeEncrypted",
    "SecretsBucketRegion",
)
_NAMES_BEFORE_V6 = {"InstanceTypes": "InstanceType", "ManagedPolicyARNs": "ManagedPolicyARN"}


@dataclass(frozen=True)
class Parameter:
    """The value of a template parameter, and where it comes from."""

    value: ParameterValue
    """The value; None leaves the parameter out."""

    field: str
    """The field or argument that sets it, for messages."""

    is_shared: bool = False
    """Whether an argument of the AgentStack sets it, for all queues."""

    is_explicit: bool = False
    """Whether it is in the ``parameters`` of the queue or of the AgentStack."""


@dataclass(frozen=True)
class ResolvedQueue:
    """A queue, and what its stack gets."""

    queue: AgentQueue
    version: StackVersion
    key: str
    """The key in ``queue_stacks``."""

    stack_name: str
    """The name of the CloudFormation stack."""

    settings: Mapping[str, Parameter]
    """The parameters, with those that are left out."""

    common_tags: Mapping[str, str]
    """The tags of all resources."""

    has_version_tag: bool
    """Whether the stack has a tag with its version and its parameters."""

    role_actions: Collection[str] | None
    """The actions that the instance role permits beyond the template's; None if unknown."""

    script_needs_dnf: bool
    """Whether the bootstrap script runs on Amazon Linux 2023 only."""

    @property
    def name(self) -> str:
        """The queue's name."""
        return str(self.queue.name)

    @property
    def resource_name(self) -> str:
        """The resource name of the stack in Terraform."""
        return names.stack_resource_name(self.queue)

    @property
    def address(self) -> str:
        """The address of the stack in Terraform."""
        return names.stack_address(self.queue)

    @property
    def former_address(self) -> str:
        """The address of the stack in an existing state."""
        return names.former_address(self.queue)

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        """The parameters of the CloudFormation stack, in its form."""
        return {
            name: text_of(parameter.value)
            for name, parameter in self.settings.items()
            if parameter.value is not None and parameter.value != ""
        }

    @cached_property
    def tags(self) -> Mapping[str, str] | str:
        """The tags of the CloudFormation stack, or a reference to them."""
        if self.queue.tags is not None:
            return self.queue.tags
        tags = {**self.common_tags, "Name": self.stack_name, "Queue": self.name}
        return {**tags, "ElasticCIStack": self._version_tag()} if self.has_version_tag else tags

    def _version_tag(self) -> str:
        """A tag for the arguments of a stack that the AWS provider does not read.

        After a failed update, the state contains the requested values. The provider reads
        parameters and tags from CloudFormation, so that the next plan shows them. It does not read
        the template's URL, or a parameter that was removed and so keeps its old value.
        """
        given = [name for name in self.parameters if self.is_certain(name)]
        digest = hashlib.sha256(",".join(sorted(given)).encode()).hexdigest()[:8]
        optional = "".join(
            f'${{{self.parameters[name][2:-1]} == null ? "" : " {name}"}}'
            for name in sorted(self.parameters.keys() - given)
        )
        return f"{self.version.version} {digest}{optional}"

    def field(self, name: str) -> str:
        """The field or argument that sets a parameter, for messages."""
        setting = self.settings.get(name)
        return _field(name) if setting is None else setting.field

    def value(self, name: str) -> ParameterValue:
        """The value of a parameter, which can be a reference; None if it is left out."""
        setting = self.settings.get(name)
        return None if setting is None else setting.value

    def is_given(self, name: str) -> bool:
        """Whether the stack has the parameter, or could have it, depending on a reference."""
        return name in self.parameters

    def is_certain(self, name: str) -> bool:
        """Whether the stack has the parameter regardless of Terraform's variables."""
        return name in self.parameters and not isinstance(self.value(name), NullIfEmpty)

    def is_explicit(self, name: str) -> bool:
        """Whether the ``parameters`` of the queue or of the AgentStack give it a value."""
        return name in self.parameters and self.settings[name].is_explicit

    def text(self, name: str) -> str | None:
        """The value that the stack has, by default the template's.

        None if only Terraform knows it, or if the version has no such parameter.
        """
        value = self.value(name)
        if value is None:
            value = self.version.parameters.get(name, {}).get("Default")
        return None if value is None or is_reference(value) else text_of(value)

    def number(self, name: str) -> float | None:
        """The value as a number, or None if it is unknown."""
        text = self.text(name)
        return None if text is None else number(text)

    def shown(self, name: str) -> str:
        """The value for people, which can be a reference."""
        value = self.value(name)
        return self.text(name) or ("-" if value is None else text_of(value))

    @property
    def instance_types(self) -> Sequence[str]:
        """The instance types, the template's default included; empty if unknown."""
        text = self.text("InstanceTypes") or self.text("InstanceType") or ""
        return text.split(",") if text else ()

    @property
    def has_own_image(self) -> bool:
        """Whether the stack has an image of its user's for certain."""
        return any(map(self.is_certain, ("ImageId", "ImageIdParameter")))

    def accepts(self, warning: str) -> bool:
        """Whether the queue accepts a warning."""
        return warning in self.queue.accepted_warnings


@dataclass(frozen=True)
class ResolvedStack:
    """The settings of an AgentStack, and what its resources get."""

    settings: StackSettings
    queues: Sequence[ResolvedQueue]

    @property
    def names(self) -> Names:
        """The names of the resources."""
        return Names(self.settings.project, self.settings.environment)

    @property
    def secrets_bucket_name(self) -> str:
        """The name of the secrets bucket that this program creates."""
        bucket = self.settings.secrets_bucket
        return (bucket.name if bucket is not None else None) or self.names.secrets_bucket

    @property
    def token_parameter_name(self) -> str:
        """The name of the token's SSM parameter that this program creates."""
        token = self.settings.token
        own = token.parameter if isinstance(token, AgentToken) else None
        return own or self.names.token_parameter

    @property
    def agent_policy_name(self) -> str:
        """The name of the IAM policy that this program creates."""
        access = self.settings.access
        own = access.policy_name if isinstance(access, AgentAccess) else None
        return own or self.names.agent_policy

    @property
    def local_script(self) -> Path | None:
        """The local bootstrap script, or None where it is elsewhere or there is none."""
        return bootstrap_script.local_path(self.settings.bootstrap_script)

    @property
    def architectures(self) -> Collection[str]:
        """The architectures of the queues."""
        return {queue.queue.architecture for queue in self.queues}

    @property
    def queues_with_stack_image(self) -> Sequence[ResolvedQueue]:
        """The queues in the stack's own region whose image Terraform's variables determine."""
        return [
            queue
            for queue in self.queues
            if queue.queue.provider is None and not queue.has_own_image
        ]

    @cached_property
    def versions_of_images(self) -> Mapping[str, Collection[str]]:
        """The stack versions that use each image."""
        versions: dict[str, set[str]] = defaultdict(set)
        for queue in self.queues:
            image = queue.text("ImageId")
            if image:
                versions[image].add(queue.version.version)
        return versions


def resolve(
    settings: StackSettings, queues: Sequence[tuple[AgentQueue, StackVersion]]
) -> ResolvedStack:
    """Compute what the stacks of *queues* get. The types of all settings have been checked."""
    shared = _shared_parameters(settings)
    keys = names.stack_keys([queue for queue, _ in queues])
    actions = permissions.permitted_actions(settings.access)
    needs_dnf = bootstrap_script.needs_dnf(settings.bootstrap_script)
    resolved = []
    for key, (queue, version) in zip(keys, queues, strict=True):
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


def number(value: Any) -> float | None:
    """Parse a number as CloudFormation does: digits, optionally with a sign and a decimal point."""
    if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", str(value)):
        return float(value)
    return None


def _parameters(
    queue: AgentQueue,
    version: StackVersion,
    settings: StackSettings,
    shared: Mapping[str, Parameter],
) -> dict[str, Parameter]:
    """The parameters of a queue's stack: the explicit ones override this program's."""
    explicit = {
        **{n: Parameter(v, _field(n), True, True) for n, v in settings.parameters.items()},
        **{n: Parameter(v, _field(n), False, True) for n, v in queue.parameters.items()},
    }
    ours = {**_queue_parameters(queue, settings), **shared}
    left_out: Collection[str] = _NOT_IN_DOCUMENTED_LAYOUT if settings.keep_documented_layout else ()
    role = explicit.get("InstanceRoleARN")
    if role is not None and role.value:
        left_out = (*left_out, *PARAMETERS_OF_TEMPLATE_ROLE)
    named = {
        name if name in version.parameters else _NAMES_BEFORE_V6.get(name, name): parameter
        for name, parameter in ours.items()
        if name not in left_out
    }
    return {**{n: p for n, p in named.items() if n in version.parameters}, **explicit}


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
    return {name: Parameter(value, _field(name)) for name, value in values.items()}


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
        "ECRAccessPolicy": (permissions.ecr_access_policy(settings), "access.ecr_repositories"),
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
    bucket = Reference(f"{names.SECRETS_BUCKET}.bucket")
    return f"s3://{bucket}/{Reference(f'{names.BOOTSTRAP_OBJECT}.key')}"


def _reference_or_name(
    setting: AgentToken | SecretsBucket | Existing | None, expression: str
) -> str | None:
    if isinstance(setting, Existing):
        return setting.name
    return None if setting is None else Reference(expression)


def _joined(subnet_ids: Sequence[str] | str) -> str:
    return subnet_ids if isinstance(subnet_ids, str) else ",".join(subnet_ids)


def _field(parameter: str) -> str:
    return FIELDS.get(parameter, f"parameters[{parameter!r}]")


def text_of(value: ParameterValue) -> str:
    """A value in the form of CloudFormation and Terraform."""
    return str(value).lower() if isinstance(value, bool) else str(value)
