"""Lists what to edit in the files of a root module before the program defines its stacks."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from buildkite_agents.adopt.references import Root, prefix_of, without_index

_TYPE = "aws_cloudformation_stack"
_LAYOUT = "buildkite.tf"


def edits(
    root: Root, addresses: Mapping[str, str], folder: Path, *, layout: bool = False
) -> Iterator[str]:
    """What to edit: the blocks that the program replaces, and references to them.

    Args:
        root: The root module.
        addresses: The new addresses of the adopted stacks, by the former ones.
        folder: The root module's folder.
        layout: Whether it is the documented layout, of which one file has all of it.
    """
    if layout:
        yield f"{folder / _LAYOUT}: remove this file"
    for resource in dict.fromkeys(map(without_index, addresses)):
        prefix, name = prefix_of(resource), resource.rpartition(".")[2]
        inside = _folder_of(root, prefix, folder)
        block = rf'^\s*resource\s+"{_TYPE}"\s+"{re.escape(name)}"'
        where = ", ".join(_lines(inside, block)) or f"{inside}"
        if not layout:
            yield f'{where}: remove the block resource "{_TYPE}" "{name}"'
        if resource not in addresses and not prefix:
            for line in _lines(folder, rf"\b{_TYPE}\.{re.escape(name)}(?![\w-])"):
                yield f"{line}: replace {_TYPE}.{name} with local.{name}"
        if prefix:
            new = {a: to for a, to in addresses.items() if without_index(a) == resource}
            yield from _edits_of_module(root, prefix, name, " or ".join(new.values()), folder)


def _edits_of_module(root: Root, prefix: str, name: str, new: str, folder: Path) -> Iterator[str]:
    """What to edit where the stack of a module is removed from it."""
    module, inside = root.module(prefix), _folder_of(root, prefix, folder)
    stack = f"{_TYPE}.{name}"
    if not module:
        yield f"{inside}: remove what refers to {stack} too, such as outputs"
        return
    call = re.sub(r"\[[^\]]*\]", "", prefix)[:-1]
    for output, content in module.get("outputs", {}).items():
        named = content.get("expression", {}).get("references", ())
        if any(one.split("[")[0] == stack or one.startswith(f"{stack}.") for one in named):
            yield f"{inside}: remove the output {output}, which refers to {stack}"
            pattern = rf"\b{re.escape(call)}(\[[^\]]*\])?\.{output}(?![\w-])"
            for line in _lines(folder, pattern):
                yield f"{line}: replace {call}.{output}, which was of {stack}, by one of {new}"
    others = [one for one in module.get("resources", ()) if one["address"] != stack]
    text = str(others) + str(module.get("module_calls")) + str(module.get("outputs"))
    unused = [v for v in module.get("variables", {}) if f"'var.{v}'" not in text]
    if unused:
        yield (
            f"{inside}: the variables {', '.join(unused)} are not used otherwise: remove them, and "
            f"their arguments where {call} is called"
        )


def _folder_of(root: Root, prefix: str, folder: Path) -> Path:
    module, inside = root.module(""), folder
    for name in re.findall(r"module\.([\w-]+)", prefix):
        call = module.get("module_calls", {}).get(name, {})
        inside, module = (
            Path(os.path.normpath(inside / call.get("source", name))),
            call.get("module", {}),
        )
    return inside


def _lines(folder: Path, pattern: str) -> Iterator[str]:
    """The places in a folder's files where a pattern is, as FILE:LINE."""
    for path in sorted(folder.glob("*.tf")) if folder.is_dir() else ():
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if re.search(pattern, line) and not re.match(r"\s*(#|//)", line):
                yield f"{path}:{number}"
