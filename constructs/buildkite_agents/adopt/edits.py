"""Lists what to edit in the files of a root module before the program defines its stacks."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from buildkite_agents.adopt.hcl import Block, named_in, places_of
from buildkite_agents.adopt.root import STACK, Root, bare_of, outer_of, prefix_of
from buildkite_agents.adopt.uses import Uses, name_of

_LAYOUT = "buildkite.tf"
# values() sorts the keys of instances as texts: 10 comes before 2.
_SORTED = 10
# The arguments whose references are not evaluated: of locals, they take only whole ones.
_STATIC = re.compile(r"\b(depends_on|replace_triggered_by)\s*=\s*\[[^\]]*$")


def edits(
    root: Root,
    addresses: Mapping[str, str],
    lost: Sequence[str] = (),
    program: str = "",
    *,
    layout: bool = False,
) -> Iterator[str]:
    """What to edit: the blocks that the program replaces, and what refers to them.

    Args:
        root: The root module.
        addresses: The new addresses of the adopted stacks, by the former ones.
        lost: The references that are values now.
        program: The program's text.
        layout: Whether it is the documented layout, of which one file has all of it.
    """
    yield from dict.fromkeys(_Edits(root, addresses, layout=layout).steps(lost, program))


@dataclass
class _Edits:
    """The stacks that are adopted, and what refers to them."""

    root: Root
    addresses: Mapping[str, str]
    layout: bool
    uses: Uses = field(init=False)
    formers: dict[str, list[str]] = field(default_factory=dict)
    """The former addresses, by those of their resources."""

    blocks: dict[str, list[Block]] = field(default_factory=dict)
    """The blocks of the resources, with those of override files, by their addresses."""

    kept: dict[str, list[str]] = field(default_factory=dict)
    """The stacks for which the block of a resource stays, by the resource's address."""

    found: dict[tuple[Path, Block, str], list[str]] = field(default_factory=dict)
    """The stacks that a block in or around a module uses, by its folder, itself and the step."""

    whole: dict[str, Path] = field(default_factory=dict)
    """The folders of modules that a step replaces whole, if nothing is left in them."""

    outputs: set[Block] = field(default_factory=set)
    """The outputs of modules that have nothing but stacks."""

    def __post_init__(self) -> None:
        self.uses = Uses(self.root)
        for former in self.addresses:
            self.formers.setdefault(bare_of(former), []).append(former)
        block_of = {one["address"]: self.root.block(one) for one in self.root.stacks}
        for resource in self.formers:
            # Calls of a module share its blocks.
            labels = (STACK, resource.rpartition(".")[2])
            own = self.root.blocks(prefix_of(resource), "resource")
            self.blocks[resource] = [block for block in own if block.labels == labels]
            self.kept[resource] = [
                one
                for one, block in block_of.items()
                if one not in self.addresses
                and (bare_of(one) == resource or block in self.blocks[resource])
            ]
            if not self.kept[resource]:
                self.uses.gone.update(self.blocks[resource])
        if self.layout:
            of_root = self.uses.parts(self.root.folder)
            self.uses.gone |= {part for part in of_root if part.path.name == _LAYOUT}
        for resource in self.formers:
            prefix, _, name = resource.rpartition(f"{STACK}.")
            if prefix in self.uses.folders and prefix and not self.kept[resource]:
                self._follow(resource, prefix, f"{STACK}.{name}")
        self.uses.gone |= self.outputs

    def steps(self, lost: Sequence[str], program: str) -> Iterator[str]:
        """All edits, first those of the blocks."""
        if self.layout:
            yield f"{self.root.folder / _LAYOUT}: remove this file"
            unused = {}
        else:
            unused = self.uses.remove_unused(lambda name: _has(name, program))
        for resource in self.formers:
            yield from self._steps_on_block(resource)
        for folder, parts in unused.items():
            yield from self._steps_on_unused(folder, parts)
        for resource in self.formers:
            yield from self._steps_on_references(resource)
        for (folder, part, step), now in self.found.items():
            is_needed = part.kind == "output" or part not in self.uses.gone
            is_whole = step not in self.whole or self.uses.is_empty(self.whole[step])
            if is_needed and is_whole and not self.uses.is_empty(folder):
                yield step + " or ".join(now)
        for name in lost:
            prefix = prefix_of(name)
            if prefix and name.removeprefix(prefix).startswith(("aws_", "data.")):
                yield (
                    f"to keep a reference to {name}, make it an output of its module and adopt "
                    "again"
                )

    def _follow(
        self, resource: str, prefix: str, name: str, output: str = "", attribute: str = ""
    ) -> None:
        """Find what uses a stack in a module, or an output that has it, around the module too."""
        folder, stack = self.uses.folders[prefix], f"{STACK}.{resource.rpartition('.')[2]}"
        values = self._values(resource, attribute, prefix or f"{name}.")
        was = f"{name}.{output}" if output else name
        if not prefix:
            for part, at, was, now in self._around(name, output, values):
                step = f"{part.path}:{part.line(at)}: replace {was}, which was of {stack}, by "
                if now not in self.found.setdefault((folder, part, step), []):
                    self.found[folder, part, step].append(now)
                if was == name:
                    self.whole[step] = self.uses.folders[f"{name}."]
            return
        for part, start, end in self.uses.of(name, folder):
            if output and not _is_of(part, end, output):
                continue
            place = f"{part.path}:{part.line(start)}"
            if part.kind != "output":
                step = f"{place}: replace {was} with a variable, and pass to the module "
                is_shared = [*self.uses.folders.values()].count(folder) > 1
                own, *_ = _indices(self.formers[resource][0], prefix)
                now = _every(values)
                now += ("[count.index]" if own[1:-1].isdigit() else "[each.key]") if own else ""
                now += f" for {prefix[:-1]}" if is_shared else ""
                self.found.setdefault((folder, part, step), []).append(now)
            else:
                step = f"{place}: remove {was} from the output {part.labels[0]}"
                if all(one.startswith(name) for one in named_in(part.text)):
                    self.outputs.add(part)
                    step = (
                        f"{part.place}: remove the output {part.labels[0]}, which has {was}"
                        f"{_keys([part])}"
                    )
                self.found.setdefault((folder, part, step), [])
                value = part.arguments.get("value", "")
                plain = re.fullmatch(rf"{re.escape(name)}(?:\[[^\]]*\])?(\.[^*\s]+)?", value)
                own = "" if output else (plain[1] if plain else None) or ""
                outer, call = outer_of(prefix)
                self._follow(resource, outer, f"module.{call}", part.labels[0], attribute or own)

    def _values(self, resource: str, attribute: str, prefix: str) -> dict[str, str]:
        """What takes the place of a stack in each instance of a module, or in it, by the index."""
        found: dict[str, list[str]] = {}
        for former in self.formers[resource]:
            now = f"{self.addresses[former]}{attribute}"
            found.setdefault(next(filter(None, _indices(former, prefix)), ""), []).append(now)
        return {index: " or ".join(now) for index, now in found.items()}

    def _around(
        self, name: str, output: str, values: Mapping[str, str]
    ) -> Iterator[tuple[Block, int, str, str]]:
        """What in the root module uses an output, where, its text and what takes its place."""
        every, key = _every(values), f"each.value.{output}"
        parts = [*self.uses.parts(self.root.folder)]
        for part, start, end in self.uses.of(name, self.root.folder):
            after = re.match(r"(\[[^\]]*\])?\.", part.text[end:])
            if not after and part.arguments.get("for_each") == name:
                yield part, start, name, every
                own = part.labels[:1] if part.kind == "module" else part.labels
                for one in parts:
                    if (one.kind, one.labels[: len(own)]) == (part.kind, own):
                        for at, _ in places_of(key, one.text):
                            yield one, at, key, f"{every}[each.key]"
            elif _is_of(part, end, output):
                index = (after[1] if after else None) or ""
                now = values.get(index, every + index.replace("[*]", ""))
                yield part, start, f"{name}{index}.{output}", now

    def _steps_on_block(self, resource: str) -> Iterator[str]:
        prefix, name = prefix_of(resource), resource.rpartition(".")[2]
        folder, only = self.uses.folders.get(prefix), ", ".join(self.kept[resource])
        where = str(folder or prefix.rstrip("."))
        places = {block.place: _keys([block]) for block in self.blocks[resource]} or {where: ""}
        for place, keys in places.items():
            if only:
                yield f'{place}: keep the block resource "{STACK}" "{name}" for {only} only'
            elif not self.layout and not (folder and self.uses.is_empty(folder)):
                yield f'{place}: remove the block resource "{STACK}" "{name}"{keys}'
        if prefix and not folder:
            yield f"{where}: remove what refers to {STACK}.{name} too, such as outputs"

    def _steps_on_unused(self, folder: Path, parts: Sequence[Block]) -> Iterator[str]:
        if self.uses.is_empty(folder):
            return
        named: dict[str, list[str]] = {}
        for part in sorted(parts, key=lambda part: (part.path, part.first)):
            place = f"{part.path.name}:{part.first}"
            if part.kind != "module":
                named.setdefault("", []).append(f"{name_of(part)} ({place})")
                continue
            call, argument = part.labels
            called = self.uses.calls(folder)[call]
            if not self.uses.is_empty(called):
                named.setdefault(f"module.{call}", []).append(f"{argument} ({place})")
            elif argument == "source":
                calls = (b for b in self.root.blocks_in(folder) if b.kind == "module")
                block = next(one for one in calls if one.labels == (call,))
                yield (
                    f"{block.place}: remove module.{call}, and the folder {called} if no other "
                    f"root module uses it: nothing else is in it{_keys([block])}"
                )
        for call, some in named.items():
            what = f"the arguments {', '.join(some)} of {call}" if call else ", ".join(some)
            keys = "" if call else _keys(part for part in parts if part.kind != "module")
            yield f"{folder}: remove {what}, which only the removed blocks used{keys}"

    def _steps_on_references(self, resource: str) -> Iterator[str]:
        """The references to a stack in its own module."""
        prefix, formers = prefix_of(resource), self.formers[resource]
        folder, stack = self.uses.folders.get(prefix), resource.removeprefix(prefix)
        for part in self.uses.parts(self.root.folder):
            target = part.arguments.get("to", "") if part.kind == "import" else ""
            if (
                bare_of(target) == resource != self.addresses.get(target)
                and not self.kept[resource]
            ):
                yield f"{part.place}: remove this import block: {target} is imported, and moves"
        if folder == self.root.folder and resource not in self.addresses:
            name = stack.rpartition(".")[2]
            for part in self.uses.parts(folder):
                if (part.kind, part.labels) != ("locals", (name,)) or part in self.uses.gone:
                    continue
                if part.arguments == {name: stack} and formers[0].endswith('"]'):
                    self.uses.gone.add(part)
                    yield f"{part.place}: remove local.{name}, which the program defines"
                else:
                    yield (
                        f"{part.place}: rename local.{name}, and what refers to it: the program "
                        f"defines local.{name} in place of {stack}"
                    )
            for part, start, end in self.uses.of(stack, folder):
                was, is_now = self._replaced(part.text, start, end, formers)
                if is_now:
                    yield f"{part.path}:{part.line(start)}: replace {was} with {is_now}"

    def _replaced(
        self, text: str, start: int, end: int, formers: Sequence[str]
    ) -> tuple[str, str | None]:
        """A reference to a resource with instances, and what takes its place if anything does."""
        stack, after = text[start:end], text[end:]
        splat, index = re.match(r"\[\*\]|\.\*", after), re.match(r"\[[^\[\]*]+\]", after)
        local, static = f"local.{stack.rpartition('.')[2]}", _STATIC.search(text[:start])
        was = stack + (splat or index or [""])[0]
        if index and f"{stack}{index[0]}" in self.kept[stack]:
            return was, None
        if static and (index or static[1] == "replace_triggered_by"):
            named = [self.addresses[former] for former in formers if former.startswith(was)]
            return was, ", ".join(named)
        if index or static:
            return was, local + (index or [""])[0]
        numbers = [former.removeprefix(stack)[1:-1] for former in formers]
        if not splat and not numbers[0].isdigit():
            return was, local
        every = f"values({local})"
        if len(numbers) > _SORTED:
            every = f"[for n in range({len(numbers)}) : {local}[n]]"
        return was, f"{every}[*]" if splat else every


def _indices(address: str, prefix: str) -> list[str]:
    """The indices in a stack's address, or empty texts, from that of the module *prefix* on."""
    found: list[str] = re.findall(rf"(?:module|{STACK})\.[\w-]+(\[[^\]]*\])?", address)
    return found[prefix.count(".") // 2 - 1 :]


def _every(values: Mapping[str, str]) -> str:
    """The values of all instances, as one expression."""
    if "" in values:
        return values[""]
    keyed = {index[1:-1]: value for index, value in values.items()}
    if all(key.isdigit() for key in keyed):
        return f"[{', '.join(keyed[key] for key in sorted(keyed, key=int))}]"
    return f"{{ {', '.join(f'{key} = {value}' for key, value in keyed.items())} }}"


def _keys(parts: Iterable[Block]) -> str:
    """What else to remove with parts: Terraform takes no empty keys of JSON, except for locals."""
    is_json = any(part.path.suffix == ".json" and part.kind != "locals" for part in parts)
    return ", and any key that becomes empty" if is_json else ""


def _is_of(part: Block, end: int, output: str) -> bool:
    """Whether a reference to a module is to an output of it, or can be."""
    after = re.match(r"(?:\[[^\]]*\])?\.([\w-]+)", part.text[end:])
    return after[1] == output if after else re.search(rf"\.{output}\b", part.text) is not None


def _has(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text) is not None
