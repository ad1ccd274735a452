"""The files of a root module that this program did not write."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from buildkite_agents.output.owned_files import RECORD

_RESOURCE = re.compile(r'^\s*resource\s+"([\w-]+)"\s+"([\w-]+)"', re.MULTILINE)


def addresses_defined_in(folder: Path) -> set[str]:
    """The addresses of the resources that a user's own files in a root module define."""
    try:
        recorded = (folder / RECORD).read_text(errors="replace")
    except OSError:
        recorded = ""
    ours = {line.partition("  ")[2] for line in recorded.splitlines()}
    return {
        address
        for pattern in ("*.tf", "*.tf.json")
        for path in folder.glob(pattern)
        if path.name not in ours
        for address in _addresses(path)
    }


def _addresses(path: Path) -> Iterator[str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        if path.suffix != ".json":
            yield from (f"{kind}.{name}" for kind, name in _RESOURCE.findall(text))
            return
        for kind, resources in json.loads(text).get("resource", {}).items():
            yield from (f"{kind}.{name}" for name in resources)
    except (OSError, ValueError, AttributeError):
        return  # Terraform reports it
