"""What each known version of the Elastic CI Stack's template takes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_DATA = Path(__file__).parent


@dataclass(frozen=True)
class StackVersion:
    """A published version of the Elastic CI Stack for AWS, by its CloudFormation template."""

    version: str
    """The version, such as ``v6.71.1``."""

    arm64_instance_families: frozenset[str]
    """The families that the template gives its arm64 image; all others get the amd64 one."""

    burstable_instance_families: frozenset[str]
    """The families that the template sets CPU credits for."""

    parameters: Mapping[str, Mapping[str, Any]]
    """The template's parameters, each as CloudFormation declares it."""

    @property
    def template_url(self) -> str:
        """Where Buildkite publishes the template."""
        return f"https://s3.amazonaws.com/buildkite-aws-stack/{self.version}/aws-stack.yml"


def known_versions() -> list[str]:
    """The versions there is a catalogue of, oldest first."""
    versions = (path.stem for path in _DATA.glob("v*.json"))
    return sorted(versions, key=lambda version: [int(n) for n in version[1:].split(".")])


@cache
def load(version: str) -> StackVersion:
    """The catalogue of a version.

    Raises:
        KeyError: there is none; :func:`known_versions` lists what there is.
    """
    if version not in known_versions():
        raise KeyError(version)
    data = json.loads((_DATA / f"{version}.json").read_text())
    return StackVersion(
        version=data["version"],
        arm64_instance_families=frozenset(data["arm64_instance_families"]),
        burstable_instance_families=frozenset(data["burstable_instance_families"]),
        parameters=data["parameters"],
    )
