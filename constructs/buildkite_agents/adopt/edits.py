"""Lists what to edit in the files of a root module before the program defines its stacks."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from buildkite_agents.adopt.root import STACK, Root, prefix_of

_LAYOUT = "buildkite.tf"


def edits(root: Root, addresses: Mapping[str, str], *, layout: bool = False) -> Iterator[str]:
    """What to edit: the blocks that the program replaces, and references to them.

    Args:
        root: The root module.
        addresses: The new addresses of the adopted stacks, by the former ones.
        layout: Whether it is the documented layout, of which one file has all of it.
    """
    if layout:
        yield f"{root.folder / _LAYOUT}: remove this file"
    else:
        yield from _references_to_review(root)
    by_resource: defaultdict[str, list[str]] = defaultdict(list)
    for former, new in addresses.items():
        by_resource[re.sub(r"\[[^\]]*\]", "", former)].append(new)
    for resource, stacks in by_resource.items():
        prefix, name = prefix_of(resource), resource.rpartition(".")[2]
        kept = [
            one["address"]
            for one in root.resources
            if re.sub(r"\[[^\]]*\]", "", one["address"]) == resource
            and one["address"] not in addresses
        ]
        inside = root.folder_of(prefix)
        block = rf'^\s*resource\s+"{STACK}"\s+"{re.escape(name)}"'
        where = ", ".join(_lines(inside, block)) or f"{inside}"
        if kept:
            only = ", ".join(kept)
            yield f'{where}: keep the block resource "{STACK}" "{name}" for {only} only'
        elif not layout:
            yield f'{where}: remove the block resource "{STACK}" "{name}"'
        if resource not in addresses and not prefix:
            for line in _lines(root.folder, rf"\b{STACK}\.{re.escape(name)}(?![\w-])"):
                yield f"{line}: replace {STACK}.{name} with local.{name}"
        if prefix and not kept:
            yield from _edits_of_module(root, prefix, name, stacks)


def _references_to_review(root: Root) -> Iterator[str]:
    """What only the removed blocks referred to, and what a module would have to export."""
    dead = [name for name in root.lost if name.startswith(("local.", "var."))]
    if dead:
        yield f"{root.folder}: remove what only the removed blocks used, of: {', '.join(dead)}"
    for name in root.lost:
        prefix = prefix_of(name)
        if prefix and name.removeprefix(prefix).count(".") > 1:
            yield f"to keep a reference to {name}, make it an output of its module and adopt again"


def _edits_of_module(root: Root, prefix: str, name: str, new: Sequence[str]) -> Iterator[str]:
    """What to edit where the stack of a module is removed from it."""
    module, inside = root.module(prefix), root.folder_of(prefix)
    stack = f"{STACK}.{name}"
    if not module:
        yield f"{inside}: remove what refers to {stack} too, such as outputs"
        return
    call = re.sub(r"\[[^\]]*\]", "", prefix)[:-1]
    for output, content in module.get("outputs", {}).items():
        named = content.get("expression", {}).get("references", ())
        of_stack = re.fullmatch(rf"{re.escape(stack)}(?:\[[^\]]*\])?(\..+)?", [*named, ""][0])
        if of_stack:
            yield f"{inside}: remove the output {output}, which refers to {stack}"
            instead = " or ".join(f"{one}{of_stack[1] or ''}" for one in new)
            # As an attribute of the module, or of each of its instances.
            pattern = rf"\b{re.escape(call)}((\[[^\]]*\])?\.{output}(?![\w-])|(?![\w.\[-]))"
            for line in _lines(root.folder, pattern):
                yield f"{line}: replace {call}.{output}, which was of {stack}, by {instead}"
    others = [one for one in module.get("resources", ()) if one["address"] != stack]
    text = str(others) + str(module.get("module_calls")) + str(module.get("outputs"))
    unused = [v for v in module.get("variables", {}) if f"'var.{v}'" not in text]
    if unused:
        yield (
            f"{inside}: the variables {', '.join(unused)} are not used otherwise: remove them, and "
            f"their arguments where {call} is called"
        )


def _lines(folder: Path, pattern: str) -> Iterator[str]:
    """The places in a folder's files where a pattern is, as FILE:LINE."""
    for path in sorted(folder.glob("*.tf")) if folder.is_dir() else ():
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if re.search(pattern, line) and not re.match(r"\s*(#|//)", line):
                yield f"{path}:{number}"
