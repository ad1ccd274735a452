"""What was found of the stacks that exist, whichever way they were made."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from buildkite_agents import elastic_ci_stack
from buildkite_agents.adopt.documented_layout import DocumentedLayout

_VERSION = re.compile(r"v[0-9]+\.[0-9]+\.[0-9]+")
_FORMER_NAMES = {"InstanceType": "InstanceTypes", "ManagedPolicyARN": "ManagedPolicyARNs"}


@dataclass(frozen=True)
class FoundStack:
    """An Elastic CI Stack that exists."""

    name: str
    """The CloudFormation stack's name."""

    version: str
    """The template's version."""

    parameters: Mapping[str, str]
    """The parameters that it is given: values, or Terraform references to them."""

    tags: Mapping[str, str] = field(default_factory=dict)
    """Its tags."""

    address: str | None = None
    """Its address in a Terraform state, or None where it has none."""

    provider: str | None = None
    """Its provider configuration, where that is not the default one."""

    ignore_changes: Sequence[str] = ()
    """The arguments that this program would set otherwise, or not at all."""


@dataclass(frozen=True)
class Fleet:
    """The stacks of a root module, or of an account and region."""

    stacks: Sequence[FoundStack]
    """The stacks."""

    layout: DocumentedLayout | None = None
    """What is around the stacks, where that is the documented layout."""

    account: str | None = None
    """The account to import them from, where there is no state."""

    notes: Sequence[str] = ()
    """What a reader of the program must know: what was not taken over, and what was assumed."""


def version_in(text: str) -> str | None:
    """The first version in a text, such as a template's address or description."""
    found = _VERSION.search(text)
    return found[0] if found else None


def newest_version_with(parameters: Mapping[str, str]) -> str:
    """The newest version that has all of these parameters, or the newest of all."""
    known = elastic_ci_stack.known_versions()
    for version in reversed(known):
        if parameters.keys() <= elastic_ci_stack.load(version).parameters.keys():
            return version
    return known[-1]


def parameter(stack: FoundStack, name: str) -> str | None:
    """A parameter of a stack by its newest name."""
    for former, newest in _FORMER_NAMES.items():
        if name == newest and name not in stack.parameters:
            return stack.parameters.get(former)
    return stack.parameters.get(name)
