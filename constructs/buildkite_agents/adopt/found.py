"""The existing stacks, independent of where they were read from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from buildkite_agents import elastic_ci_stack
from buildkite_agents.adopt.documented_layout import DocumentedLayout
from buildkite_agents.checks.parameters import value_problems
from buildkite_agents.elastic_ci_stack import version_in

EMPTY = '${""}'
"""An empty value: to the provider, it differs from an omitted one."""


@dataclass(frozen=True)
class FoundStack:
    """An existing Elastic CI Stack. Texts are as in a program: what is no reference is escaped."""

    name: str
    """The CloudFormation stack's name."""

    version: str
    """The template's version."""

    parameters: Mapping[str, str]
    """The stack's parameters: values, or Terraform references."""

    tags: Mapping[str, str] | str = field(default_factory=dict)
    """The stack's tags, or a reference to them."""

    template_url: str | None = None
    """The template's URL if it is not Buildkite's own; empty if the stack was given no URL."""

    address: str | None = None
    """The stack's address in a Terraform state, if it is in one."""

    provider: str | None = None
    """The stack's provider configuration, if it is not the default one."""

    ignore_changes: Sequence[str] = ()
    """The arguments to ignore because a queue has no field for them."""

    depends_on: Sequence[str] = ()
    """The stack's own ``depends_on``."""

    timeout_minutes: int | None = None
    """The longest of the stack's timeouts."""

    values: Mapping[str, Any] = field(default_factory=dict)
    """The arguments as they are, for the comparison with what is synthesized."""

    def parameter(self, name: str) -> str | None:
        """A parameter, by its name in the newest version."""
        return self.parameters.get(name, self.parameters.get(name.removesuffix("s")))


@dataclass(frozen=True)
class Fleet:
    """The stacks of a root module, or of an account and region."""

    stacks: Sequence[FoundStack]
    """The stacks to adopt."""

    left_out: Mapping[str, str] = field(default_factory=dict)
    """The stacks that are not adopted, and why."""

    layout: DocumentedLayout | None = None
    """The other resources of the documented layout, if it was recognized."""

    account: str | None = None
    """The account from which to import the stacks, if there is no state."""

    notes: Sequence[str] = ()
    """What was assumed, and what became of references, for the program's readers."""

    steps: Sequence[str] = ()
    """What to do, and what to check, before the first plan."""

    edits: Callable[[Mapping[str, str]], Iterable[str]] = lambda _: ()
    """What to edit in the root module's files, for the new addresses of the stacks."""

    known: Mapping[str, Any] = field(default_factory=dict)
    """The values of the references in the stacks, by reference, for the comparison."""


def literal(text: str) -> str:
    """A text for Terraform's configuration that is never evaluated."""
    return text.replace("${", "$${").replace("%{", "%%{")


def template_of(url: str, text: str, parameters: Mapping[str, str]) -> tuple[str, bool]:
    """The version of a template by its *url* or *text*, and whether it had to be assumed.

    The assumed version is the newest that has all of the *parameters* and accepts their values, or
    else the newest.
    """
    version = version_in(url) or version_in(text)
    if version is not None:
        return version, False
    known = elastic_ci_stack.known_versions()
    for candidate in map(elastic_ci_stack.load, reversed(known)):
        if parameters.keys() <= candidate.parameters.keys() and not any(
            problem
            for name, value in parameters.items()
            for problem in value_problems("", name, literal(value), candidate)
        ):
            return candidate.version, True
    return known[-1], True


def declarations(version: str) -> Mapping[str, Mapping[str, Any]]:
    """The parameters of a template, or of the newest one for a version that is not usable."""
    is_usable = elastic_ci_stack.is_usable(version)
    return elastic_ci_stack.load(
        version if is_usable else elastic_ci_stack.known_versions()[-1]
    ).parameters


def unsupported(version: str, parameters: Mapping[str, str]) -> str | None:
    """Why this program does not support a stack, or None if it does."""
    if parameters.get("InstanceOperatingSystem") == "windows":
        return "its agents run on Windows"
    if not elastic_ci_stack.is_usable(version):
        oldest = elastic_ci_stack.known_versions()[0]
        return f"its version {version} is older than {oldest}: update it first"
    return None
