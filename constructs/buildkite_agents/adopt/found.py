"""The existing stacks, independent of where they were read from."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from buildkite_agents import elastic_ci_stack
from buildkite_agents.adopt.documented_layout import DocumentedLayout
from buildkite_agents.checks.parameters import value_problems
from buildkite_agents.elastic_ci_stack import version_in

CAPABILITIES = {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"}
UNMANAGED = (
    "disable_rollback",
    "iam_role_arn",
    "notification_arns",
    "on_failure",
    "policy_body",
    "policy_url",
    "timeout_in_minutes",
)
"""The arguments of a stack that a queue has no field for. Empty ones are of the provider."""

_MOST_NAMED = 2
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

    overrides: Mapping[str, Any] = field(default_factory=dict)
    """The meta-arguments of the stack's block, such as ``depends_on``, by path."""

    timeout_minutes: int | None = None
    """The longest of the stack's timeouts."""

    values: Mapping[str, Any] = field(default_factory=dict)
    """The arguments as they are, for the comparison with what is synthesized."""

    found: Mapping[str, str] = field(default_factory=dict)
    """The references that were found by their values, and the parameter of each."""

    lost: Sequence[tuple[str, str]] = ()
    """The references that are values now, and where each was."""

    notes: Sequence[str] = ()
    """What was assumed or is not kept, each after its address and a colon."""

    steps: Sequence[str] = ()
    """What to do for it before the first plan, in the same form."""

    def parameter(self, name: str) -> str | None:
        """A parameter, by its name in the newest version."""
        return self.parameters.get(name, self.parameters.get(name.removesuffix("s")))

    @property
    def image_version(self) -> str | None:
        """The version of the stack's own image, which from v7.0.0 on boots no older one."""
        has_image = {"ImageId", "ImageIdParameter"} & self.parameters.keys()
        is_needed = elastic_ci_stack.is_at_least(self.version, "v7.0.0")
        return self.version if has_image and is_needed else None

    def is_named_in(self, values: Mapping[str, Any]) -> bool:
        """Whether one of the values contains the name of the stack or its queue."""
        own = (self.name, self.parameters.get("BuildkiteQueue") or self.name)
        return any(re.search(rf"(?<!\w){re.escape(n)}(?!\w)", str(values)) for n in own)


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

    first_steps: Sequence[str] = ()
    """What to do, and what to check, before the first plan, whatever is adopted."""

    edits: Callable[..., Iterable[str]] = lambda *_: ()
    """What to edit in the root module's files, for the new addresses of the stacks, the references
    that are values now, and the program."""

    known: Mapping[str, Any] = field(default_factory=dict)
    """The values of the references in the stacks, by reference, for the comparison."""

    secrets: Mapping[str, str] = field(default_factory=dict)
    """The values that no program may contain, and where each is."""

    @property
    def lost(self) -> Mapping[str, Sequence[str]]:
        """The references that are values now, and where they were."""
        places: dict[str, list[str]] = {}
        for stack in self.stacks if self.layout is None else ():
            for reference, place in stack.lost:
                places.setdefault(reference, []).append(place)
        return places

    @property
    def notes(self) -> Sequence[str]:
        """What was assumed, and what became of references, of all stacks."""
        notes = grouped(note for stack in self.stacks for note in stack.notes)
        notes += grouped(
            f"{stack.address or stack.name}: image_stack_version={stack.image_version!r} is that "
            "of the stack: set the version from whose image its own one was built, if it is another"
            for stack in self.stacks
            if stack.image_version
        )
        found = {e: name for stack in self.stacks for e, name in stack.found.items()}
        # The program itself refers to what the documented layout has.
        if found and self.layout is None:
            named = (f"{expression} ({name})" for expression, name in found.items())
            notes.append(f"found by their values: {', '.join(named)}")
        if self.lost:
            named = (f"{one} ({_places(where)})" for one, where in self.lost.items())
            notes.append(f"references that are values now: {', '.join(named)}")
        return notes

    @property
    def steps(self) -> Sequence[str]:
        """What to do, and what to check, before the first plan."""
        return [
            *dict.fromkeys(self.first_steps),
            *grouped(step for stack in self.stacks for step in stack.steps),
        ]


def unmanaged(values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments among *values* that only ``ignore_changes`` keeps as they are."""
    kept = {name: values[name] for name in UNMANAGED if values.get(name)}
    given = values.get("capabilities", CAPABILITIES)
    return kept if set(given or ()) == CAPABILITIES else {**kept, "capabilities": given}


def note_on(unmanaged: Iterable[str], where: str) -> list[str]:
    """The note on arguments that only ``ignore_changes`` keeps, if there are any."""
    named = ", ".join(sorted(unmanaged))
    note = f"{where}: ignore_changes keeps {named}, which a queue has no field for"
    return [note] if named else []


def _places(where: Sequence[str]) -> str:
    """Where references were, such as the tags of two stacks."""
    places = [*dict.fromkeys(where)]
    if len(places) <= _MOST_NAMED:
        return ", ".join(places)
    counts = Counter(place.rpartition(" of ")[0] for place in places)
    return ", ".join(f"{one} of {n} stack{'s'[: n - 1]}" for one, n in counts.items())


def grouped(notes: Iterable[str]) -> list[str]:
    """The notes, each once with all that it is about."""
    about: dict[str, list[str]] = {}
    for note in dict.fromkeys(notes):
        where, _, what = note.partition(": ")
        about.setdefault(what, []).append(where)
    return [f"{', '.join(where)}: {what}" for what, where in about.items()]


def literal(text: str) -> str:
    """A text for Terraform's configuration that is never evaluated."""
    return text.replace("${", "$${").replace("%{", "%%{")


def template_of(url: str, text: str, parameters: Mapping[str, str]) -> tuple[str, bool]:
    """The version of a template by its *url* or *text*, and whether it had to be assumed.

    The assumed version is the newest that has all of the *parameters* and accepts their values, or
    else the newest.
    """
    for place in (url, text):
        version = version_in(place)
        if version is not None:
            # v6.30.0-12-gdeadbee is of a build after that release.
            return version, re.search(rf"{re.escape(version)}[\w+-]", place) is not None
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
