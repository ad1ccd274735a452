"""The Buildkite agent of each version of the stack: its age, its support, its security fixes."""

import json
from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from buildkite_agents.elastic_ci_stack import is_at_least, known_versions, numbers

_DATA = Path(__file__).with_name("agents.json")


@dataclass(frozen=True)
class SecurityFix:
    """A security fix of the agent."""

    name: str
    """Its CVE, or a short name."""

    what: str
    """What an agent without the fix does."""

    fixed_in: Sequence[str]
    """The first agent version with the fix, for each major version that is known to have it."""

    published: date | None
    """The date of the first release with the fix, or None if unknown."""

    source: str
    """The URL of the release notes."""


@dataclass(frozen=True)
class Agent:
    """The agent of a version of the stack."""

    version: str
    """The agent's version; without the patch number where that is unknown, such as ``4.0``."""

    supported_until: date | None
    """The date from which Buildkite does not support the line, or None if unknown."""

    lacks: Sequence[SecurityFix]
    """The security fixes that the agent is known to lack, oldest first."""


@cache
def agent_of(stack_version: str) -> Agent | None:
    """The stable agent of a version of the stack, or None if unknown."""
    data = _data()
    version: str | None = data["stacks"].get(stack_version)
    if version is None:
        return None
    line = ".".join(version.split(".")[:2])
    first = _date(data["lines"].get(line))
    # The policy also applies to the lines that were released before it takes effect.
    policy = data["support"]
    start = date.fromisoformat(policy["from"])
    end = first and _months_later(first, policy["months"])
    return Agent(
        version=version,
        supported_until=end and max(end, start),
        lacks=tuple(fix for fix in fixes() if _lacks(version, fix)),
    )


def fixes() -> Sequence[SecurityFix]:
    """The security fixes of the agent, oldest first."""
    return tuple(
        SecurityFix(
            name=fix["name"],
            what=fix["what"],
            fixed_in=tuple(fix["fixed_in"]),
            published=_date(fix["published"]),
            source=fix["source"],
        )
        for fix in _data()["fixes"]
    )


def first_stack_with(fix: SecurityFix, *, like: str) -> str | None:
    """The oldest version of the stack whose agent is known to have a fix, or None.

    Args:
        fix: The fix.
        like: A stack version: only newer ones are considered.
    """
    having = [
        stack
        for stack, version in _data()["stacks"].items()
        if is_at_least(stack, like)
        and stack in known_versions()
        and any(_major(version) == _major(one) for one in fix.fixed_in)
        and not _lacks(version, fix)
        and stack not in _data()["inferred"]
    ]
    return min(having, key=numbers, default=None)


def _lacks(version: str, fix: SecurityFix) -> bool:
    """Whether an agent is older than the release of its major version that has a fix."""
    return any(
        _major(version) == _major(fixed) and _numbers(version) < _numbers(fixed)
        for fixed in fix.fixed_in
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _major(version: str) -> int:
    return _numbers(version)[0]


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _months_later(day: date, months: int) -> date:
    """The same day of another month, or the last day of that month."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


@cache
def _data() -> Mapping[str, Any]:
    content: dict[str, Any] = json.loads(_DATA.read_text(encoding="utf-8"))
    return content
