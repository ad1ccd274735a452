"""The parameters of each published version of the Elastic CI Stack's template."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from buildkite_agents.elastic_ci_stack import releases

HISTORY = Path(__file__).with_name("history.json")
"""For each parameter, and for the lists of families and regions, its declarations and the versions
that introduced them: ``[[version, declaration], ...]``. None marks its removal. ``inferred`` has
the versions whose templates were not read, and what is assumed of them."""


@dataclass(frozen=True, eq=False)  # hashable, although it has mappings
class StackVersion:
    """A published version of the Elastic CI Stack for AWS, by its CloudFormation template."""

    version: str
    """The version, such as ``v6.71.1``."""

    arm64_instance_families: frozenset[str]
    """The instance families with the template's arm64 image; all others have the amd64 one."""

    burstable_instance_families: frozenset[str]
    """The instance families for which the template sets CPU credits."""

    regions: frozenset[str]
    """The regions that the stack's own images are copied to."""

    parameters: Mapping[str, Mapping[str, Any]]
    """The template's parameters and their declarations, the uncertain ones included."""

    is_known: bool = True
    """Whether the version is in the history; if not, the values are those on which its
    :func:`neighbors` agree."""

    uncertain: frozenset[str] = frozenset()
    """The names of those ``parameters`` that the template may lack: for an unknown version, those
    that only one of its neighbors has; for an inferred version, those that are inferred."""

    inferred: str = ""
    """What is assumed of a version in the history whose template was not read; else empty."""

    def has(self, parameter: str) -> bool | None:
        """Whether the template has a parameter, or None where that is unknown.

        A version that is newer than the history may have any parameter.
        """
        if parameter in self.parameters:
            return None if parameter in self.uncertain else True
        return None if not self.is_known and is_newer(self.version) else False

    def is_at_least(self, version: str) -> bool:
        """Whether the version is *version* or a newer one."""
        return is_at_least(self.version, version)

    @property
    def template_url(self) -> str:
        """The URL of the template, as published by Buildkite."""
        return template_url(self.version)


numbers = releases.numbers
version_in = releases.version_in


def template_url(version: str) -> str:
    """The URL of a version's template, as published by Buildkite."""
    return f"https://s3.amazonaws.com/buildkite-aws-stack/{version}/aws-stack.yml"


@cache
def history() -> Mapping[str, Any]:
    """The history of all versions, with the releases of the file that ``HISTORY_VARIABLE`` names.

    Raises:
        ConfigError: that file cannot be read.
    """
    content: dict[str, Any] = json.loads(HISTORY.read_text(encoding="utf-8"))
    return releases.with_additional(content)


def forget() -> None:
    """Read the history again at its next use, because a file of it has changed."""
    for cached in (history, load):
        cached.cache_clear()


def known_versions() -> Sequence[str]:
    """The versions in the history, oldest first."""
    versions: list[str] = history()["versions"]
    return versions


def is_at_least(version: str, least: str) -> bool:
    """Whether a version is *least* or newer."""
    return numbers(version) >= numbers(least)


def is_newer(version: str) -> bool:
    """Whether a version is newer than all versions in the history."""
    return numbers(version) > numbers(known_versions()[-1])


def neighbors(version: str) -> tuple[str | None, str | None]:
    """The newest known version before *version*, and the oldest known one after it."""
    place = numbers(version)
    before = [known for known in known_versions() if numbers(known) < place]
    after = [known for known in known_versions() if numbers(known) > place]
    return before[-1] if before else None, after[0] if after else None


def is_usable(version: str) -> bool:
    """Whether :func:`load` can load a version: it is known, or newer than the oldest known one."""
    return bool(numbers(version)) and is_at_least(version, known_versions()[0])


@cache
def load(version: str) -> StackVersion:
    """Load a version. For one that the history lacks, load what its neighbors agree on.

    Raises:
        KeyError: the version is older than all known ones, or is not a version.
    """
    if version in known_versions():
        return _known(version)
    if not is_usable(version):
        raise KeyError(version)
    before, after = neighbors(version)
    known = [_known(neighbor) for neighbor in (before, after) if neighbor is not None]
    old, new = known[0], known[-1]
    declared = {
        name: _agreed(old.parameters.get(name, {}), new.parameters.get(name, {}))
        for name in old.parameters.keys() | new.parameters.keys()
    }
    return StackVersion(
        version=version,
        arm64_instance_families=old.arm64_instance_families & new.arm64_instance_families,
        burstable_instance_families=(
            old.burstable_instance_families & new.burstable_instance_families
        ),
        regions=old.regions & new.regions,
        parameters=declared,
        is_known=False,
        uncertain=frozenset(old.parameters.keys() ^ new.parameters.keys())
        | old.uncertain
        | new.uncertain,
    )


def _agreed(old: Mapping[str, Any], new: Mapping[str, Any]) -> Mapping[str, Any]:
    """What two declarations have in common, or the only declaration of a parameter."""
    if not old or not new:
        return old or new
    # The type is part of every declaration; no parameter has ever changed its type.
    return {key: old[key] for key in old if key in new and old[key] == new[key]}


def _known(version: str) -> StackVersion:
    content = history()
    inferred: Mapping[str, str] = content["inferred"]
    parameters = _parameters(version)
    read = [v for v in known_versions() if v not in inferred and is_at_least(version, v)]
    certain = _parameters(read[-1]) if version in inferred and read else parameters
    return StackVersion(
        version=version,
        arm64_instance_families=frozenset(releases.at(content["arm64_instance_families"], version)),
        burstable_instance_families=frozenset(
            releases.at(content["burstable_instance_families"], version)
        ),
        regions=frozenset(releases.at(content["regions"], version)),
        parameters=parameters,
        uncertain=frozenset(name for name in parameters if name not in certain),
        inferred=inferred.get(version, ""),
    )


def _parameters(version: str) -> dict[str, Mapping[str, Any]]:
    declared = {
        name: releases.at(entries, version) for name, entries in history()["parameters"].items()
    }
    return {name: spec for name, spec in declared.items() if spec is not None}
