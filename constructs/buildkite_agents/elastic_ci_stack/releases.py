"""The releases of a history: finding, inserting, and adding those of a user's own file."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from buildkite_agents.errors import ConfigError

if TYPE_CHECKING:
    from buildkite_agents.elastic_ci_stack import StackVersion

HISTORY_VARIABLE = "BUILDKITE_AGENTS_HISTORY"
"""The environment variable that names a JSON file of further releases, by version, as written by
``python -m buildkite_agents.elastic_ci_stack``. It does not change the installed package."""

_NUMBER = "(0|[1-9][0-9]{0,8})"
_VERSION = re.compile(rf"v{_NUMBER}\.{_NUMBER}\.{_NUMBER}")

LISTS = ("regions", "arm64_instance_families", "burstable_instance_families")
"""The names of a release's lists."""


def at(entries: Sequence[Sequence[Any]], version: str) -> Any:
    """The declaration in a version, or None, from ``[[version, declaration], ...]``."""
    place = numbers(version)
    current = None
    for since, declaration in entries:
        if numbers(since) > place:
            break
        current = declaration
    return current


@cache
def numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version, by which versions are compared, such as (6, 71, 1).

    Text that is not a version has none, and so is older than every version.
    """
    found = _VERSION.fullmatch(version)
    return tuple(map(int, found.groups())) if found else ()


def version_in(text: str) -> str | None:
    """The first version in a text, such as a template's URL or description."""
    found = _VERSION.search(text)
    return found[0] if found else None


def release(version: "StackVersion") -> dict[str, Any]:
    """A version as it is in a file of releases."""
    lists = {name: sorted(getattr(version, name)) for name in LISTS}
    return {**lists, "parameters": dict(version.parameters)}


def insert(history: Mapping[str, Any], version: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """The *history* with a release at its place; one that it has already is replaced.

    The release was read from its template, so it is no longer among the inferred ones.
    """
    versions = sorted({*history["versions"], version}, key=numbers)

    def inserted(entries: Sequence[Sequence[Any]], declaration: Any) -> list[list[Any]]:
        changes: list[list[Any]] = []
        last = None
        for one in versions:
            now = declaration if one == version else at(entries, one)
            if now != last:
                changes.append([one, now])
            last = now
        return changes

    names = sorted({*history["parameters"], *content["parameters"]})
    parameters = {
        name: inserted(history["parameters"].get(name, []), content["parameters"].get(name))
        for name in names
    }
    return {
        "versions": versions,
        "inferred": {v: what for v, what in history["inferred"].items() if v != version},
        **{name: inserted(history[name], sorted(content[name])) for name in LISTS},
        "parameters": {name: entries for name, entries in parameters.items() if entries},
    }


def render(history: Mapping[str, Any]) -> str:
    """Format a history as JSON, with a line for each parameter."""
    head = "".join(
        f"{json.dumps(key)}: {json.dumps(history[key])},\n"
        for key in history
        if key != "parameters"
    )
    lines = (
        f"{json.dumps(name)}: {json.dumps(entries)}"
        for name, entries in history["parameters"].items()
    )
    return f'{{\n{head}"parameters": {{\n' + ",\n".join(lines) + "\n}}\n"


def additional(path: Path) -> dict[str, Any]:
    """The releases of a file, by version.

    Raises:
        ConfigError: it is not such a file.
    """
    where = f"{path} ({HISTORY_VARIABLE})"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {where}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"cannot read {where}: it is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{where} must be releases by version, got {type(content).__name__}")
    for version, one in content.items():
        if not numbers(version) or not _is_release(one):
            raise ConfigError(
                f"{where}: {version!r} is not a release as written by "
                "`python -m buildkite_agents.elastic_ci_stack`: add it again"
            )
    return content


def _is_release(one: Any) -> bool:
    return (
        isinstance(one, dict)
        and all(
            isinstance(one.get(name), list) and all(isinstance(item, str) for item in one[name])
            for name in LISTS
        )
        and isinstance(one.get("parameters"), dict)
        and all(isinstance(spec, dict) and "Type" in spec for spec in one["parameters"].values())
    )


def with_additional(history: dict[str, Any]) -> dict[str, Any]:
    """The *history* with the releases of the file that ``HISTORY_VARIABLE`` names, if it is set."""
    path = os.environ.get(HISTORY_VARIABLE)
    for version, content in (additional(Path(path)) if path else {}).items():
        history = insert(history, version, content)
    return history
