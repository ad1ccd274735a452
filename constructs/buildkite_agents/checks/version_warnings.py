"""Warnings about a queue's version of the Elastic CI Stack, its agent and its image."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from buildkite_agents import elastic_ci_stack
from buildkite_agents.checks.warnings import warning
from buildkite_agents.elastic_ci_stack import agents, stacks
from buildkite_agents.resolved import ResolvedQueue, ResolvedStack

_NOTICE = timedelta(days=90)
"""The time before the end of an agent's support in which the warning is given."""


@warning(
    "unsupported-agent",
    "Buildkite supports each minor version of the agent for a year from its first release, "
    "and warns of it in the last three months, from 2027-01-01 "
    "([policy](https://buildkite.com/docs/agent/version-support-policy)). A version of the stack "
    "contains one version of the agent: move to a newer `stack_version`.",
)
def _unsupported_agent(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    agent = agents.agent_of(queue.version.version)
    end = agent.supported_until if agent is not None else None
    today = datetime.now(UTC).date()
    if agent is None or end is None or today < end - _NOTICE:
        return None
    state = "is supported until" if today < end else "has not been supported since"
    return (
        f"the agent {agent.version} of Elastic CI Stack {queue.version.version} {state} "
        f"{end}: move to a newer stack_version"
    )


@warning(
    "vulnerable-agent",
    "The stack's agent lacks security fixes. Move to a `stack_version` whose agent has them; see "
    "[upgrading](upgrading.md).",
)
def _vulnerable_agent(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    version = queue.version.version
    agent = agents.agent_of(version)
    if agent is None or not agent.lacks:
        return None
    fixes = ", ".join(
        fix.name + (f" ({fix.published})" if fix.published else "") for fix in agent.lacks
    )
    newer = agents.first_stack_with(agent.lacks[-1], like=version)
    newer = newer or elastic_ci_stack.known_versions()[-1]
    return (
        f"the agent {agent.version} of Elastic CI Stack {version} lacks the security fixes "
        f"{fixes}: move to stack_version {newer} or newer"
    )


def _fault_of(name: str) -> Callable[[ResolvedQueue, ResolvedStack], str | None]:
    def found(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
        for fault in stacks.faults(queue.version.version):
            if fault.name == name:
                return (
                    f"Elastic CI Stack {queue.version.version}: {fault.what}. Move to "
                    f"stack_version {fault.until} or newer"
                )
        return None

    return found


for _fault in stacks.faults(elastic_ci_stack.known_versions()[0]):
    warning(
        _fault.name,
        f"In versions before {_fault.until}, {_fault.what} ([source]({_fault.source})).",
    )(_fault_of(_fault.name))


@warning(
    "image-versions",
    "A custom image is built from the image of one version and contains that version's scripts, "
    "which may not work with another version's template. Build an image for each version, and set "
    "`image_stack_version`.",
)
def _image_versions(queue: ResolvedQueue, stack: ResolvedStack) -> str | None:
    version, built_from = queue.version.version, queue.queue.image_stack_version
    if built_from is not None and _minor(built_from) != _minor(version):
        return (
            f"the image was built from the image of {built_from}, and stack_version is {version}: "
            "build one from the image of that version"
        )
    versions = stack.versions_of_images.get(queue.text("ImageId") or "", ())
    if len(versions) < 2:
        return None
    return (
        f"the same ImageId is used with {', '.join(sorted(versions))}, but an image is built from "
        "the image of one version: build one for each version"
    )


def _minor(version: str) -> tuple[int, ...]:
    return elastic_ci_stack.numbers(version)[:2]


@warning(
    "unchecked-version",
    "`allow_unchecked_version` permits a stack version that this program does not know. It is "
    "checked against what the known versions before and after it agree on. To have it checked "
    "completely, add it: see [upgrading](upgrading.md).",
)
def _unchecked_version(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    version = queue.version
    if version.is_known:
        return None
    neighbors = " and ".join(filter(None, elastic_ci_stack.neighbors(version.version)))
    unknown = [n for n in sorted(queue.settings) if queue.is_explicit(n) and not version.has(n)]
    return (
        f"{version.version} is unknown to this program: its parameters are checked against those "
        f"of {neighbors}" + (f", and {', '.join(unknown)} not at all" if unknown else "")
    )


@warning(
    "unread-parameter",
    "This program assumes the parameter from the release notes of the version, whose template was "
    "not read when it was added. If the template lacks it, CloudFormation refuses the stack. "
    "`python tools/catalogue.py --verify` reads the published templates.",
)
def _unread_parameter(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    version = queue.version
    assumed = [n for n in sorted(queue.settings) if queue.is_given(n) and n in version.uncertain]
    if not assumed or not version.is_known:
        return None
    return (
        f"{', '.join(assumed)}: the template of {version.version} was not read ({version.inferred})"
    )
