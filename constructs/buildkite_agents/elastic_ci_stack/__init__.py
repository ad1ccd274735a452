"""The parameters of each published version of the Elastic CI Stack's template."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

HISTORY = Path(__file__).with_name("history.json")
"""For each parameter, and for the lists of families and regions, its declarations and the versions
that introduced them: ``[[version, declaration], ...]``. None marks its removal."""


@dataclass(frozen=True)
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
    """The template's parameters and their declarations."""

    is_known: bool = True
    """Whether the version is in the history; if not, the values are those of the newest one."""

    def is_at_least(self, version: str) -> bool:
        """Whether the version is *version* or a newer one."""
        return _numbers(self.version) >= _numbers(version)

    @property
    def template_url(self) -> str:
        """The URL of the template, as published by Buildkite."""
        return template_url(self.version)


def template_url(version: str) -> str:
    """The URL of a version's template, as published by Buildkite."""
    return f"https://s3.amazonaws.com/buildkite-aws-stack/{version}/aws-stack.yml"


@cache
def history() -> Mapping[str, Any]:
    """The history of all versions."""
    content: dict[str, Any] = json.loads(HISTORY.read_text())
    return content


def known_versions() -> Sequence[str]:
    """The versions in the history, oldest first."""
    versions: list[str] = history()["versions"]
    return versions


def is_newer(version: str) -> bool:
    """Whether a version is newer than all versions in the history."""
    return _numbers(version) > _numbers(known_versions()[-1])


def _numbers(version: str) -> list[int]:
    found = re.fullmatch(r"v([0-9]+)\.([0-9]+)\.([0-9]+)", version)
    return [int(number) for number in found.groups()] if found else []


@cache
def load(version: str) -> StackVersion:
    """Load a version. For one that is newer than the history, load the newest.

    Raises:
        KeyError: the version does not exist; see :func:`known_versions`.
    """
    positions = {known: position for position, known in enumerate(known_versions())}
    if version not in positions:
        if not is_newer(version):
            raise KeyError(version)
        return replace(load(known_versions()[-1]), version=version, is_known=False)
    content = history()

    def at(entries: Sequence[tuple[str, Any]]) -> Any:
        current = None
        for since, declaration in entries:
            if positions[since] > positions[version]:
                break
            current = declaration
        return current

    declared = {name: at(entries) for name, entries in content["parameters"].items()}
    return StackVersion(
        version=version,
        arm64_instance_families=frozenset(at(content["arm64_instance_families"])),
        burstable_instance_families=frozenset(at(content["burstable_instance_families"])),
        regions=frozenset(at(content["regions"])),
        parameters={name: spec for name, spec in declared.items() if spec is not None},
    )
