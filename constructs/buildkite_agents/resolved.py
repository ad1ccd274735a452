"""What each stack and queue gets, computed from the settings before any construct exists.

The checks, the warnings, the constructs, the summary and ``adopt`` read these values.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from buildkite_agents import bootstrap_script, elastic_ci_stack, names
from buildkite_agents.elastic_ci_stack import StackVersion
from buildkite_agents.expressions import NullIfEmpty, Reference, is_reference
from buildkite_agents.names import Names
from buildkite_agents.queue import FIELDS, AgentQueue, ParameterValue
from buildkite_agents.settings import (
    AgentAccess,
    AgentToken,
    SecretsBucket,
    StackSettings,
)

REGION = Reference("var.aws_region")

PARAMETERS_OF_TEMPLATE_ROLE = (
    "ECRAccessPolicy",
    "InstanceRoleName",
    "InstanceRolePermissionsBoundaryARN",
    "ManagedPolicyARN",
    "ManagedPolicyARNs",
)
"""The parameters that the template ignores with an existing role (``InstanceRoleARN``)."""


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

    @property
    def template_url(self) -> str | None:
        """The URL of the stack's template; None if it keeps the template that it has."""
        own = self.queue.template_url
        return self.version.template_url if own is None else own or None

    @property
    def is_of_its_version(self) -> bool:
        """Whether the template's URL names the stack's version, so that both change together."""
        return elastic_ci_stack.version_in(self.template_url or "") == self.version.version

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
        return field_of(name) if setting is None else setting.field

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
        if is_reference(value) and (isinstance(value, float) or "TfToken[" in str(value)):
            return "?"  # a value that only CDKTF and Terraform know
        return self.text(name) or ("-" if value is None else text_of(value))

    @property
    def instance_types(self) -> Sequence[str]:
        """The instance types, the template's default included; empty if unknown."""
        text = self.text("InstanceTypes") or self.text("InstanceType") or ""
        return text.split(",") if text else ()

    @property
    def uses_stacks_script(self) -> bool:
        """Whether the bootstrap script is that of the AgentStack."""
        script = self.settings.get("BootstrapScriptUrl")
        return script is not None and not script.is_explicit

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
    def created_names(self) -> Iterator[tuple[str, str]]:
        """The kinds and names of what this program creates in AWS, the state included."""
        settings = self.settings
        if isinstance(settings.secrets_bucket, SecretsBucket):
            yield "S3 bucket", self.secrets_bucket_name
        if settings.secrets_bucket is not None and self.local_script is not None:
            own = isinstance(settings.secrets_bucket, SecretsBucket)
            bucket = self.secrets_bucket_name if own else settings.secrets_bucket.name
            yield "bootstrap script", f"s3://{bucket}/{bootstrap_script.KEY}"
        if isinstance(settings.token, AgentToken):
            yield "SSM parameter", self.token_parameter_name
        if isinstance(settings.access, AgentAccess):
            yield "IAM policy", self.agent_policy_name
        backend = settings.deployment.backend
        if backend is not None:
            key = backend.key or f"{self.names.prefix}/terraform.tfstate"
            yield "state", f"s3://{backend.bucket}/{key}"
        for queue in self.queues:
            yield "CloudFormation stack", queue.stack_name
            if not queue.is_given("InstanceRoleARN"):
                role = queue.parameters.get("InstanceRoleName", f"{queue.stack_name}-Role")
                yield "IAM role", role

    @cached_property
    def script_deadline(self) -> int | None:
        """The seconds that the local bootstrap script allows itself."""
        return bootstrap_script.deadline(self.settings.bootstrap_script)

    @property
    def isolated_roles(self) -> Mapping[str, Collection[str]]:
        """The ARNs, as patterns, of each queue's instance roles; empty if nothing isolates them."""
        bucket = self.settings.secrets_bucket
        is_wanted = isinstance(bucket, SecretsBucket) and bucket.isolate_queues
        roles: dict[str, set[str]] = defaultdict(set)
        for queue in self.queues:
            name = queue.parameters.get("InstanceRoleName", f"{queue.stack_name}-Role")
            own = queue.value("InstanceRoleARN")
            roles[queue.name] |= {str(own)} if own else {f"arn:*:iam::*:role/{name}"}
        return roles if is_wanted and len(roles) > 1 else {}

    @property
    def local_script(self) -> Path | None:
        """The local bootstrap script, or None where it is elsewhere or there is none."""
        return bootstrap_script.local_path(self.settings.bootstrap_script)

    @property
    def script_url_to_permit(self) -> str | None:
        """The S3 URL of a bootstrap script that the template's own role cannot read."""
        url, bucket = self.settings.bootstrap_script, self.settings.secrets_bucket
        if not isinstance(url, str) or not url.startswith("s3://"):
            return None
        name = self.secrets_bucket_name if bucket is not None else None
        return None if name is not None and url.startswith(f"s3://{name}/") else url

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
    def stacks_of_queues(self) -> Mapping[str, int]:
        """The number of stacks that serve each queue."""
        return Counter(queue.name for queue in self.queues)

    @cached_property
    def versions_of_images(self) -> Mapping[str, Collection[str]]:
        """The stack versions that use each image."""
        versions: dict[str, set[str]] = defaultdict(set)
        for queue in self.queues:
            image = queue.text("ImageId")
            if image:
                versions[image].add(queue.version.version)
        return versions


def number(value: Any) -> float | None:
    """Parse a number as CloudFormation does: digits, optionally with a sign and a decimal point."""
    if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", str(value)):
        return float(str(value))
    return None


def text_of(value: ParameterValue) -> str:
    """A value in the form of CloudFormation and Terraform."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def field_of(parameter: str) -> str:
    """The field that sets a parameter, or its place in ``parameters``."""
    return FIELDS.get(parameter, f"parameters[{parameter!a}]")
