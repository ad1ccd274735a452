"""The existing stacks, independent of where they were read from."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from buildkite_agents import elastic_ci_stack
from buildkite_agents.adopt.documented_layout import DocumentedLayout

_VERSION = re.compile(r"v[0-9]+\.[0-9]+\.[0-9]+")
_FORMER_NAMES = {"InstanceType": "InstanceTypes", "ManagedPolicyARN": "ManagedPolicyARNs"}


@dataclass(frozen=True)
class FoundStack:
    """An existing Elastic CI Stack."""

    name: str
    """The CloudFormation stack's name."""

    version: str
    """The template's version."""

    parameters: Mapping[str, str]
    """The stack's parameters: values, or Terraform references."""

    tags: Mapping[str, str] = field(default_factory=dict)
    """The stack's tags."""

    address: str | None = None
    """The stack's address in a Terraform state, if it is in one."""

    provider: str | None = None
    """The stack's provider configuration, if it is not the default one."""

    ignore_changes: Sequence[str] = ()
    """The arguments to ignore because a queue has no field for them."""


@dataclass(frozen=True)
class Fleet:
    """The stacks of a root module, or of an account and region."""

    stacks: Sequence[FoundStack]
    """The stacks."""

    layout: DocumentedLayout | None = None
    """The other resources of the documented layout, if it was recognized."""

    account: str | None = None
    """The account from which to import the stacks, if there is no state."""

    notes: Sequence[str] = ()
    """Notes for the user: what was not adopted, and what was assumed."""


def version_in(text: str) -> str | None:
    """The first version in a string, such as a template's URL or description."""
    found = _VERSION.search(text)
    return found[0] if found else None


def newest_version_with(parameters: Mapping[str, str]) -> str:
    """The newest version that has all of these parameters, or else the newest version."""
    known = elastic_ci_stack.known_versions()
    for version in reversed(known):
        if parameters.keys() <= elastic_ci_stack.load(version).parameters.keys():
            return version
    return known[-1]


def parameter(stack: FoundStack, name: str) -> str | None:
    """A parameter of a stack, by its name in the newest version."""
    for former, newest in _FORMER_NAMES.items():
        if name == newest and name not in stack.parameters:
            return stack.parameters.get(former)
    return stack.parameters.get(name)
