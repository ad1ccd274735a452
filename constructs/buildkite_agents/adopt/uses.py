"""Says what in the files of a root module and its modules uses what."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from buildkite_agents.adopt.hcl import Block, places_of
from buildkite_agents.adopt.root import Root, outer_of

_NO_CONTENT = {"locals", "provider", "terraform", "variable"}
"""What can be in a module without a use of its own."""


@dataclass
class Uses:
    """The blocks of a root module and of its modules with a local source."""

    root: Root
    gone: set[Block] = field(default_factory=set)
    """The blocks, locals and arguments that are to be removed."""

    folders: dict[str, Path] = field(default_factory=dict)
    """The folder of each module, by its path without indices, such as ``module.vpc.``."""

    def __post_init__(self) -> None:
        self._read("")

    def _read(self, prefix: str) -> None:
        folder = self.root.folder_of(prefix)
        if folder:
            self.folders[prefix] = folder
            for call in self.root.blocks(prefix, "module"):
                self._read(f"{prefix}module.{call.labels[0]}.")

    def parts(self, folder: Path) -> Iterator[Block]:
        """The blocks of a folder; of locals and calls of modules, each argument."""
        for block in self.root.blocks_in(folder):
            yield from block.parts() if block.kind in {"locals", "module"} else [block]

    def of(self, name: str, folder: Path) -> Iterator[tuple[Block, int, int]]:
        """What uses a name, and where in its text; not what is gone or only names addresses."""
        for part in self.parts(folder):
            if part not in self.gone and part.kind not in {"import", "moved", "removed"}:
                for start, end in places_of(name, part.text):
                    yield part, start, end

    def calls(self, folder: Path) -> dict[str, Path]:
        """The folders of the modules that a folder calls, by the names of the calls."""
        found = {}
        for prefix, called in self.folders.items():
            outer, name = outer_of(prefix)
            if prefix and self.folders[outer] == folder:
                found[name] = called
        return found

    def is_empty(self, folder: Path) -> bool:
        """Whether what is gone was all that a module had."""
        parts = [*self.parts(folder)]
        has_content = any(p.kind not in _NO_CONTENT and p not in self.gone for p in parts)
        return folder != self.root.folder and not has_content and any(p in self.gone for p in parts)

    def remove_unused(self, is_kept: Callable[[str], bool]) -> dict[Path, list[Block]]:
        """Remove what only removed blocks used; return it by folder.

        Args:
            is_kept: Whether something else uses a variable or local of the root module.
        """
        unused: dict[Path, list[Block]] = {}
        while True:
            found = [
                (folder, part)
                for folder in dict.fromkeys(self.folders.values())
                for part in self.parts(folder)
                if part not in self.gone and self._is_unused(part, folder, is_kept)
            ]
            if not found:
                return unused
            for folder, part in found:
                self.gone.add(part)
                unused.setdefault(folder, []).append(part)

    def _is_unused(self, part: Block, folder: Path, is_kept: Callable[[str], bool]) -> bool:
        if part.kind == "module":
            call, argument = part.labels
            called = self.calls(folder).get(call)
            return called is not None and (
                self.is_empty(called)
                or any((p.kind, p.labels) == ("variable", (argument,)) for p in self._gone(called))
            )
        name = name_of(part)
        if name is None or (folder == self.root.folder and is_kept(name)):
            return False
        is_used = any(one != part for one, *_ in self.of(name, folder))
        return not is_used and any(places_of(name, part.text) for part in self._gone(folder))

    def _gone(self, folder: Path) -> Iterator[Block]:
        return (part for part in self.parts(folder) if part in self.gone)


def name_of(part: Block) -> str | None:
    """The name by which others in its module refer to a local or variable."""
    kinds: Mapping[str, str] = {"locals": "local", "variable": "var"}
    return f"{kinds[part.kind]}.{part.labels[0]}" if part.kind in kinds else None
