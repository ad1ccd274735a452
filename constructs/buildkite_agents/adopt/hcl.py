"""Reads blocks of Terraform's files; a block of JSON is read as the HCL that it stands for."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GENERATED = "buildkite.tf.json"
_INNER = r'[^{}"]|"[^"\n]*"'
_STRING = rf'"(?:[^"\\\n$]|\\.|(?>\$\{{(?:{_INNER}|\{{(?:{_INNER})*\}})*\}}|\$))*"'
_TOKEN = re.compile(
    rf"(?P<text>{_STRING}|<<-?(?P<end>\w+)\n.*?\n[ \t]*(?P=end)\b)"
    r"|(?P<comment>/\*.*?\*/|(?:#|//)[^\n]*)|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<stop>[,\n])",
    re.DOTALL,
)
_STATEMENT = re.compile(
    r'(?:"([^"]+)"|([\w.-]+))\s*(?:=(?![=>])|:)\s*(.+)|(\w+)(?:\s+"[^"]*")*\s*(\{.*\})', re.DOTALL
)
_NAMED = re.compile(
    r'\b(?:data\.)?(?:var|local|module|aws_\w+)\.[\w-]+(?:\[(?:\d+|"[^"]*")\]|\.[\w-]+)*'
)


@dataclass(frozen=True)
class Block:
    """A block, and where it is."""

    path: Path
    first: int
    """The number of its first line."""

    last: int
    text: str
    """What is between its braces, without comments."""

    @property
    def place(self) -> str:
        """The file and line."""
        return f"{self.path}:{self.first}"

    @property
    def arguments(self) -> dict[str, str]:
        """The expressions of its arguments, and its nested blocks, each on one line, by name."""
        return arguments(self.text)


def find(folder: Path, *labels: str) -> Block | None:
    """The block with these labels, such as ``resource``, its type and its name, in a folder."""
    return next(blocks(folder, *labels), None)


def blocks(folder: Path, *labels: str) -> Iterator[Block]:
    """The blocks with these labels, such as ``locals``, in a folder."""
    kind, *names = labels
    header = re.compile(rf"{kind}\s*" + r"\s+".join(f'"{re.escape(n)}"' for n in names) + r"\s*\{")
    for path, text in files(folder):
        if path.suffix == ".json":
            block = _json_block(path, text, labels)
            if block:
                yield block
            continue
        for start, end, clean in _statements(text):
            if header.match(clean):
                body = clean[clean.index("{") + 1 : -1]
                yield Block(path, _line(text, start), _line(text, end), body)


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


def assigned_in(expression: str) -> dict[str, str]:
    """What the objects of an expression assign, by name."""
    found: dict[str, str] = {}
    start, depth = 0, 0
    for token in _TOKEN.finditer(expression):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if token[0] == "{" and depth == 1:
            start = token.end()
        elif token[0] == "}" and depth == 0:
            own = arguments(expression[start : token.start()])
            for value in own.values():
                found |= assigned_in(value)
            found |= own
    return found


def is_whole(text: str) -> bool:
    """Whether no bracket of an expression is left open."""
    return all(text.count(a) == text.count(b) for a, b in ("()", "[]", "{}"))


def named_in(text: str) -> list[str]:
    """The references in Terraform's source."""
    return _NAMED.findall(text)


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


def _json_block(path: Path, text: str, labels: tuple[str, ...]) -> Block | None:
    try:
        bodies: list[Any] = [json.loads(text)]
    except ValueError:
        return None
    position = 0
    for label in labels:
        bodies = [b[label] for b in bodies if isinstance(b, Mapping) and label in b]
        # A block, or a list of blocks.
        bodies = [b for body in bodies for b in (body if isinstance(body, list) else [body])]
        found = re.compile(rf'"{re.escape(label)}"\s*:').search(text, position)
        position = found.end() if found else position
    if not bodies:
        return None
    depth, end = 0, position
    for token in _TOKEN.finditer(text, position):
        depth += 1 if token["open"] else -1 if token["close"] else 0
        end = token.end()
        if depth == 0:
            break
    statements = "\n".join(f"{key_of(k)} = {_expression(_block(v))}" for k, v in bodies[0].items())
    return Block(path, _line(text, position), _line(text, end), statements)


def _block(value: Any) -> Any:
    """A nested block, which can be a list with it."""
    is_listed = isinstance(value, list) and len(value) == 1 and isinstance(value[0], Mapping)
    return value[0] if is_listed else value


def _expression(value: Any) -> str:
    """The HCL of a value of JSON."""
    if isinstance(value, Mapping):
        items = (f"{key_of(k)} = {_expression(item)}" for k, item in value.items())
        return "{ " + ", ".join(items) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_expression, value))}]"
    whole = (
        re.fullmatch(r"\$\{((?:[^{}]|\{[^{}]*\})*)\}", value) if isinstance(value, str) else None
    )
    if whole or not isinstance(value, str):
        return whole[1] if whole else json.dumps(value)
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
