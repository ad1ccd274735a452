"""The files of a root module that this program did not write."""

import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from buildkite_agents.output.owned_files import RECORD


def mentioned(addresses: Collection[str], folder: Path, *texts: str) -> set[str]:
    """Those *addresses* of resources that the user's own files in a folder, or *texts*, mention."""
    text = "\n".join([*texts, *_users_files(folder)])
    return {
        address
        for address in addresses
        if address.partition(".")[0] in text and _pattern(address).search(text)
    }


def _users_files(folder: Path) -> Iterator[str]:
    try:
        record = (folder / RECORD).read_text(errors="replace")
    except OSError:
        record = ""
    ours = {line.partition("  ")[2] for line in record.splitlines()}
    for path in sorted([*folder.glob("*.tf"), *folder.glob("*.tf.json")]):
        if path.name in ours or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        yield text
        if path.suffix == ".json":
            yield from _blocks(text)


def _blocks(text: str) -> Iterator[str]:
    """The resources of a file in Terraform's JSON, as in HCL."""
    try:
        # Terraform reads a list of bodies as their union.
        for body in _each(json.loads(text)):
            for kinds in _each(body.get("resource", ())):
                for kind, resources in kinds.items():
                    for names in _each(resources):
                        yield from (f'"{kind}" "{name}" ' for name in names)
    except (ValueError, TypeError, LookupError, AttributeError):
        return  # Terraform reports it


def _each(value: Any) -> Iterator[Any]:
    yield from value if isinstance(value, list | tuple) else [value]


def _pattern(address: str) -> re.Pattern[str]:
    """A reference to a resource, or its block in HCL, whose labels can be without quotes."""
    kind, _, name = map(re.escape, address.partition("."))
    return re.compile(
        rf'(?<![\w.-]){kind}\.{name}(?![\w-])|["\s]{kind}["\s](?:\s|/\*.*?\*/)*"?{name}["\s{{]'
    )
