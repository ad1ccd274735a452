"""The files of a root module that this program did not write."""

import re
from collections.abc import Collection
from pathlib import Path

from buildkite_agents.output.owned_files import RECORD


def mentioned(addresses: Collection[str], folder: Path, *texts: str) -> set[str]:
    """Those *addresses* of resources that the user's own files in a folder, or *texts*, mention."""
    try:
        record = (folder / RECORD).read_text(errors="replace")
    except OSError:
        record = ""
    ours = {line.partition("  ")[2] for line in record.splitlines()}
    text = "\n".join(
        [
            *texts,
            *(
                path.read_text(encoding="utf-8", errors="replace")
                for pattern in ("*.tf", "*.tf.json")
                for path in sorted(folder.glob(pattern))
                if path.name not in ours and path.is_file()
            ),
        ]
    )
    return {address for address in addresses if _pattern(address).search(text)}


def _pattern(address: str) -> re.Pattern[str]:
    """A reference to a resource, its block in HCL, or its object in JSON."""
    kind, _, name = map(re.escape, address.partition("."))
    block = rf'"{kind}"\s*:?\s*(\{{(?:[^{{}}]|\{{[^{{}}]*\}})*)?"{name}"'
    return re.compile(rf"{kind}\.{name}(?![\w-])|{block}")
