"""Reads blocks of Terraform's files; a block of JSON is read as the HCL that it stands for."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

GENERATED = "buildkite.tf.json"
_INNER = r'[^{}"]|"[^"\n]*"'
_BRACED = rf"(?:{_INNER}|\{{(?:{_INNER}|\{{(?:{_INNER})*\}})*\}})*"
_STRING = rf'"(?:[^"\\\n$]|\\.|(?>\$\{{{_BRACED}\}}|\$))*"'
_TOKEN = re.compile(
    rf"(?P<text>{_STRING}|<<-?(?P<end>\w+)\n.*?\n[ \t]*(?P=end)\b)"
    r"|(?P<comment>/\*.*?\*/|(?:#|//)[^\n]*)|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<stop>[,\n])",
    re.DOTALL,
)
_STATEMENT = re.compile(
    r'(?:"([^"]+)"|([\w.-]+))\s*(?:=(?![=>])|:)\s*(.+)|(\w+)(?:\s+"[^"]*")*\s*(\{.*\})', re.DOTALL
)
_HEADER = re.compile(r'(\w+)((?:\s+(?:"[^"]*"|[\w-]+))*)\s*\{')
_INTERPOLATION = re.compile(rf"[$%]([$%]\{{)|([$%]\{{)({_BRACED})\}}")
_NAMED = re.compile(
    r"(?<![\w.-])(?:data\.\w+|var|local|module|terraform|aws_\w+)\.[\w-]+"
    r'(?:\[(?:\d+|" *")\]|\.[\w-]+)*'
)
_LABELS = {"resource": 2, "data": 2, **dict.fromkeys(("variable", "output", "module"), 1)}
_LABELS |= dict.fromkeys(("provider", "check", "ephemeral"), 1)

_decode = json.JSONDecoder().raw_decode

# The arguments whose texts are references.
_BARE = {"depends_on", "from", "ignore_changes", "provider", "providers", "to"}
_BARE |= {"replace_triggered_by"}


@dataclass(frozen=True)
class Block:
    """A block or, as a part of one, an argument; and where it is."""

    path: Path
    first: int
    """The number of its first line."""

    kind: str
    """Its type, such as ``resource``."""

    labels: tuple[str, ...]
    text: str
    """What is between its braces or, for an argument, its expression."""

    places: Mapping[str, int] = field(default_factory=dict, compare=False)
    """The lines of its arguments in JSON."""

    @property
    def place(self) -> str:
        """The file and line."""
        return f"{self.path}:{self.first}"

    @cached_property
    def arguments(self) -> dict[str, str]:
        """The expressions of its arguments, and its nested blocks, each on one line, by name."""
        return arguments(self.text)

    def parts(self) -> Iterator["Block"]:
        """Its arguments, each with its name as a further label."""
        for start, end, statement in _statements(self.text):
            assigned = _STATEMENT.fullmatch(statement)
            if assigned:
                name, expression = assigned[1] or assigned[2] or assigned[4], self.text[start:end]
                labels = (*self.labels, name)
                first = self.places.get(name) or self.line(start)
                yield Block(self.path, first, self.kind, labels, expression)

    def line(self, position: int) -> int:
        """The number of the line of a position in its text; of JSON, that of the block."""
        is_json = self.path.suffix == ".json"
        return self.first if is_json else self.first + self.text.count("\n", 0, position)


def blocks(folder: Path) -> Iterator[Block]:
    """The blocks in a folder."""
    for path, text in files(folder):
        if path.suffix == ".json":
            yield from _json_blocks(path, text)
            continue
        masked = _masked(text)
        for start, end, clean in _statements(text):
            header = _HEADER.match(clean)
            if header and clean.endswith("}"):
                # The first line is that of the brace, which starts the text.
                inside = masked.index("{", start) + 1
                body = text[inside : masked.rindex("}", start, end)]
                labels = tuple(re.findall(r"[^\s\"]+", header[2]))
                yield Block(path, _line(text, start), header[1], labels, body)


def files(folder: Path) -> Iterator[tuple[Path, str]]:
    """The files of a module, and their texts, without what this program generates."""
    for path in sorted([*folder.glob("*.tf"), *folder.glob("*.tf.json")]):
        if path.name != GENERATED:
            yield path, path.read_text(errors="replace")


def arguments(text: str) -> dict[str, str]:
    """What a text assigns, by name."""
    found = {}
    for _, _, statement in _statements(text):
        assigned = _STATEMENT.fullmatch(statement)
        if assigned:
            name = assigned[1] or assigned[2] or assigned[4]
            found[name] = _on_one_line(assigned[3] or assigned[5])
    return found


def assigned_in(expression: str, others: Mapping[str, str] = {}) -> dict[str, str]:
    """What the objects of an expression assign in any case, by name.

    Args:
        expression: The expression.
        others: The expressions of locals, which can be objects too.
    """
    found: dict[str, str] = {}
    for text, is_certain in _objects(expression):
        if text.startswith("local."):
            rest = {name: other for name, other in others.items() if f"local.{name}" != text}
            own = assigned_in(others.get(text[6:], ""), rest)
        else:
            own = arguments(text)
            inner = [assigned_in(value) for value in own.values()]
            own = {name: value for each in (*inner, own) for name, value in each.items()}
        for name, value in own.items():
            found.pop(name, None)
            found.update({name: value} if is_certain else {})
    return found


def _objects(expression: str) -> Iterator[tuple[str, bool]]:
    """The objects and the locals in an expression, and whether each is there in any case."""
    start, end, depth, brackets, condition = 0, 0, 0, 0, -1
    for token in [*_TOKEN.finditer(expression), None]:
        outside = expression[end : token.start() if token else None] if depth == 0 else ""
        if "?" in outside:
            condition = brackets
        for name in re.findall(r"(?<![\w.-])local\.[\w-]+(?![\w.\[-])", outside):
            yield name, condition < 0
        if token is None:
            return
        end = token.end()
        brackets += 1 if token["open"] else -1 if token["close"] else 0
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if token[0] == "{" and depth == 1:
            start = end
        elif token[0] == "}" and depth == 0:
            yield expression[start : token.start()], condition < 0
        elif brackets < condition or (token[0] == "," and brackets == condition):
            condition = -1


def constant(expression: str) -> Any:
    """The value of an expression of literals, or None."""
    if expression.startswith("{"):
        items = {name: constant(text) for name, text in arguments(expression[1:-1]).items()}
        return None if None in items.values() else items
    try:
        return json.loads(expression)
    except ValueError:
        return None


def is_whole(text: str) -> bool:
    """Whether no bracket of an expression is left open."""
    return all(text.count(a) == text.count(b) for a, b in ("()", "[]", "{}"))


def named_in(text: str) -> list[str]:
    """The references in Terraform's source."""
    return [text[slice(*found.span())] for found in _NAMED.finditer(_masked(text))]


def places_of(name: str, text: str) -> list[tuple[int, int]]:
    """Where a reference, such as ``local.x``, is in Terraform's source."""
    pattern = rf"(?<![\w.-]){re.escape(name)}(?![\w-])"
    return [one.span() for one in re.finditer(pattern, _masked(text))] if name in text else []


def _masked(text: str) -> str:
    """A text with blanks in place of comments, and of what is in quotes and no interpolation."""
    masked, end = "", 0
    for token in _TOKEN.finditer(text):
        if token["text"] or token["comment"]:
            masked += text[end : token.start()]
            masked += _blank(token[0]) if token["comment"] else _masked_text(token[0])
            end = token.end()
    return masked + text[end:]


def _masked_text(text: str) -> str:
    masked, end = "", 0
    for found in _INTERPOLATION.finditer(text):
        if found[2]:
            masked += f"{_blank(text[end : found.start()])}  {_masked(found[3])} "
            end = found.end()
    return masked + _blank(text[end:])


def _blank(text: str) -> str:
    return re.sub(r'[^\n"]', " ", text)


def _statements(text: str) -> Iterator[tuple[int, int, str]]:
    """Where each statement starts and ends, and its text without comments."""
    clean, start, end, depth = "", 0, 0, 0
    for token in [*_TOKEN.finditer(text), None]:
        at = token.start() if token else len(text)
        between = text[end:at]
        if not clean.strip():
            start = end + len(between) - len(between.lstrip()) if between.strip() else at
        clean += between
        end = token.end() if token else at
        depth += (1 if token["open"] else -1 if token["close"] else 0) if token else 0
        if token is None or (token["stop"] and depth == 0):
            if clean.strip():
                yield start, at, clean.strip()
            clean = ""
        elif not token["comment"]:
            clean += token[0]


def _on_one_line(text: str) -> str:
    if "<<" in text:
        return text
    line = ""
    for part in filter(None, map(str.strip, text.splitlines())):
        is_joined = not line or line[-1] in "([{," or part[0] in ")]}?:&|+-*/,"
        line += ("" if not line else " " if is_joined else ", ") + part
    return re.sub(rf"({_STRING})|[ \t]+", lambda found: found[1] or " ", line)


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _json_blocks(path: Path, text: str) -> Iterator[Block]:
    try:
        json.loads(text)
    except ValueError:
        return
    for start in _objects_at(text, _after(text, 0)):
        for kind, key, value in _members(text, start):
            for labels, first, at in _bodies(text, key, value, _LABELS.get(kind, 0)):
                body = _decode(text, at)[0]
                lines = (f"{key_of(k)} = {_expression(_block(v), k)}" for k, v in body.items())
                places = {name: _line(text, own) for name, own, _ in _members(text, at)}
                content = "\n".join(lines)
                yield Block(path, _line(text, first), kind, labels, content, places)


def _bodies(
    text: str, key: int, value: int, depth: int
) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """The labels of the blocks of a member of JSON, and where each one's key and body start."""
    for start in _objects_at(text, value):
        if depth == 0:
            yield (), key, start
            continue
        for name, own, inner in _members(text, start):
            for labels, first, at in _bodies(text, own, inner, depth - 1):
                yield (name, *labels), first, at


def _objects_at(text: str, at: int) -> Iterator[int]:
    """Where the object, or each one of the list, at a place in JSON starts."""
    if text[at] == "{":
        yield at
    elif text[at] == "[":
        at = _after(text, at + 1)
        while text[at] != "]":
            yield from _objects_at(text, at)
            at = _after(text, _decode(text, at)[1])


def _members(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """The names in an object of JSON, and where each name and its value start."""
    at = _after(text, at + 1)
    while text[at] != "}":
        name, end = _decode(text, at)
        value = _after(text, end)
        yield name, at, value
        at = _after(text, _decode(text, value)[1])


def _after(text: str, at: int) -> int:
    """Where the next name, value or bracket of JSON starts."""
    return len(text) - len(text[at:].lstrip(" \t\r\n,:"))


def _block(value: Any) -> Any:
    """A nested block, which can be a list with it."""
    is_listed = isinstance(value, list) and len(value) == 1 and isinstance(value[0], Mapping)
    return value[0] if is_listed else value


def _expression(value: Any, name: str = "") -> str:
    """The HCL of the value of JSON that an argument has."""
    if isinstance(value, Mapping):
        inner = ((k, _expression(item, name if name in _BARE else k)) for k, item in value.items())
        return "{ " + ", ".join(f"{key_of(k)} = {item}" for k, item in inner) + " }"
    if isinstance(value, list):
        return f"[{', '.join(_expression(item, name) for item in value)}]"
    whole = (
        re.fullmatch(r"\$\{((?:[^{}]|\{[^{}]*\})*)\}", value) if isinstance(value, str) else None
    )
    if whole or not isinstance(value, str):
        return whole[1] if whole else json.dumps(value)
    if name in _BARE:
        return value
    # Inside an interpolation, quotes are not escaped.
    return (
        '"'
        + "".join(
            part if part.startswith("${") else json.dumps(part, ensure_ascii=False)[1:-1]
            for part in re.split(r"(\$\{[^{}]*\})", value)
        )
        + '"'
    )


def key_of(name: str) -> str:
    """A key of an object in Terraform's source."""
    return name if re.fullmatch(r"[\w-]+", name) else json.dumps(name)
