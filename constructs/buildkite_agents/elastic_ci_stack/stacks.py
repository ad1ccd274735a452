"""Facts about versions of the stack that are not in their templates' parameters."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from buildkite_agents.elastic_ci_stack import is_at_least, numbers, releases

_DATA = Path(__file__).with_name("stacks.json")


@dataclass(frozen=True)
class Fault:
    """A fault of old versions of the stack."""

    name: str
    """A short name, such as ``token-in-logs``."""

    until: str
    """The first version without the fault."""

    what: str
    """What these versions do."""

    source: str
    """The URL of the text that shows it."""


@cache
def faults(version: str) -> Sequence[Fault]:
    """The faults of a version, worst first."""
    known = (Fault(**fault) for fault in _data()["faults"])
    return tuple(fault for fault in known if not is_at_least(version, fault.until))


def linux(version: str) -> str | None:
    """The default Linux of a version's images, such as ``Amazon Linux 2023``, if it is known."""
    name: str | None = releases.at(_data()["linux"], version)
    return name


def needs_new_image(built_from: str, version: str) -> bool:
    """Whether an image built from a version's image cannot boot in another version.

    https://buildkite.com/docs/agent/self-hosted/aws/elastic-ci-stack/ec2-linux-and-windows/v6-v7-upgrade-guide
    """
    older, newer = sorted((built_from, version), key=numbers)
    return any(
        is_at_least(newer, change) and not is_at_least(older, change)
        for change in _data()["new_image"]
    )


def role_actions(version: str) -> Mapping[str, str]:
    """The IAM actions that an existing role (``InstanceRoleARN``) needs since some version.

    Each action is with the resource, in words.
    """
    return {
        action: where
        for since, action, where in _data()["role_actions"]
        if is_at_least(version, since)
    }


@cache
def _data() -> Mapping[str, Any]:
    content: dict[str, Any] = json.loads(_DATA.read_text(encoding="utf-8"))
    return content
