"""Lists what to edit in the files of a root module before the program defines its stacks."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from buildkite_agents.adopt.hcl import Block, blocks, files
from buildkite_agents.adopt.root import STACK, Root, prefix_of

_LAYOUT = "buildkite.tf"
# values() sorts the keys of instances as texts: 10 comes before 2.
_SORTED = 10


def edits(
    root: Root,
    addresses: Mapping[str, str],
    lost: Sequence[str] = (),
    program: str = "",
    *,
    layout: bool = False,
) -> Iterator[str]:
    """What to edit: the blocks that the program replaces, and references to them.

    Args:
        root: The root module.
        addresses: The new addresses of the adopted stacks, by the former ones.
        lost: The references that are values now.
        program: The program's text.
        layout: Whether it is the documented layout, of which one file has all of it.
    """
    stacks = {one["address"]: one for one in root.resources if one["type"] == STACK}
    block_of = {address: root.block(one) for address, one in stacks.items()}
    by_resource: defaultdict[str, list[str]] = defaultdict(list)
    for former in addresses:
        by_resource[_bare(former)].append(former)
    kept = {}
    for resource, formers in by_resource.items():
        # Calls of a module share its blocks.
        own = block_of[formers[0]]
        kept[resource] = [
            one
            for one, block in block_of.items()
            if one not in addresses and (_bare(one) == resource or (own and block == own))
        ]
    removed = [block for a in addresses if (block := block_of[a]) and not kept[_bare(a)]]
    if layout:
        yield f"{root.folder / _LAYOUT}: remove this file"
    else:
        yield from _references_to_review(root, lost, program, removed)
    for resource, formers in by_resource.items():
        prefix, name, block = prefix_of(resource), resource.rpartition(".")[2], block_of[formers[0]]
        where = block.place if block else str(root.folder_of(prefix) or prefix.rstrip("."))
        if kept[resource]:
            only = ", ".join(kept[resource])
            yield f'{where}: keep the block resource "{STACK}" "{name}" for {only} only'
        elif not layout:
            yield f'{where}: remove the block resource "{STACK}" "{name}"'
        if resource not in addresses and not prefix:
            yield from _local_edits(root, name, formers, removed)
        if prefix and not kept[resource]:
            yield from _edits_of_module(root, prefix, name, [addresses[one] for one in formers])


def _bare(address: str) -> str:
    return re.sub(r"\[[^\]]*\]", "", address)


def _local_edits(
    root: Root, name: str, formers: Sequence[str], removed: Sequence[Block]
) -> Iterator[str]:
    """Where to refer to the local that stands for a resource with instances."""
    for block in blocks(root.folder, "locals"):
        if name in block.arguments:
            yield (
                f"{block.place}: rename local.{name}, and what refers to it: the program defines "
                f"local.{name} in place of {STACK}.{name}"
            )
    every = f"values(local.{name})"
    if len(formers) > _SORTED:
        every = f"[for n in range({len(formers)}) : local.{name}[n]]"
    for line, text in _lines(root.folder, rf"\b{STACK}\.{re.escape(name)}(?![\w-])", removed):
        splat = re.search(rf"{STACK}\.{re.escape(name)}(\[\*\]|\.\*)", text)
        if splat:
            yield f"{line}: replace {splat[0]} with {every}[*]"
        else:
            yield f"{line}: replace {STACK}.{name} with local.{name}"


def _references_to_review(
    root: Root, lost: Sequence[str], program: str, removed: Sequence[Block]
) -> Iterator[str]:
    """What only the removed blocks referred to, and what a module would have to export."""
    names = [re.match(r"(?:local|var)\.[\w-]+", name) for name in lost]
    for name in dict.fromkeys(one[0] for one in names if one):
        pattern = rf"\b{re.escape(name)}(?![\w-])"
        if not re.search(pattern, program) and not [*_lines(root.folder, pattern, removed)]:
            yield f"{root.folder}: remove {name}, which only the removed blocks used"
    for name in lost:
        prefix = prefix_of(name)
        if prefix and name.removeprefix(prefix).startswith(("aws_", "data.")):
            yield f"to keep a reference to {name}, make it an output of its module and adopt again"


def _edits_of_module(root: Root, prefix: str, name: str, new: Sequence[str]) -> Iterator[str]:
    """What to edit where the stack of a module is removed from it."""
    module, inside = root.module(prefix), root.folder_of(prefix) or prefix.rstrip(".")
    outer = re.sub(r"module\.[\w-]+(\[[^\]]*\])?\.$", "", prefix)
    stack, around = f"{STACK}.{name}", root.folder_of(outer)
    call = _bare(prefix.removeprefix(outer))[:-1]
    if not module:
        yield f"{inside}: remove what refers to {stack} too, such as outputs"
        return
    for output, content in module.get("outputs", {}).items():
        named = content.get("expression", {}).get("references", ())
        of_stack = re.fullmatch(rf"{re.escape(stack)}(?:\[[^\]]*\])?(\..+)?", [*named, ""][0])
        if of_stack:
            yield f"{inside}: remove the output {output}, which refers to {stack}"
            instead = " or ".join(f"{one}{of_stack[1] or ''}" for one in new)
            # As an attribute of the module, or of each of its instances.
            pattern = rf"\b{re.escape(call)}((\[[^\]]*\])?\.{output}(?![\w-])|(?![\w.\[-]))"
            for line, _ in _lines(around, pattern) if around else ():
                if outer:
                    yield (
                        f"{line}: remove what uses {output} of {call}, and what uses that: in the "
                        f"root module it is {instead}"
                    )
                else:
                    yield f"{line}: replace {call}.{output}, which was of {stack}, by {instead}"
    others = [one for one in module.get("resources", ()) if one["address"] != stack]
    text = str(others) + str(module.get("module_calls")) + str(module.get("outputs"))
    unused = [v for v in module.get("variables", {}) if f"'var.{v}'" not in text]
    if unused:
        yield (
            f"{inside}: the variables {', '.join(unused)} are not used otherwise: remove them, and "
            f"their arguments where {call} is called"
        )


def _lines(folder: Path, pattern: str, removed: Sequence[Block] = ()) -> Iterator[tuple[str, str]]:
    """The places where a pattern is in a folder's files, as FILE:LINE, and the lines."""
    for path, text in files(folder):
        gone = {n for one in removed if one.path == path for n in range(one.first, one.last + 1)}
        for number, line in enumerate(text.splitlines(), 1):
            is_comment = re.match(r"\s*(#|//)", line)
            if re.search(pattern, line) and not is_comment and number not in gone:
                yield f"{path}:{number}", line
