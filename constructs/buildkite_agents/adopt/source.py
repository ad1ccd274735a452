"""Formats values as Python source, as ruff formats it."""

import json
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from buildkite_agents.options import Unset

WIDTH = 88
LONGEST = 100
"""No line is longer, unless it is that of a string which fits on a line of its own."""

# Where to split a string, in order of preference: after a comma, a space, a slash, a character. A
# placeholder is one character.
_PIECES = [*map(re.compile, (r"[^,]*, ?|[^,]+", "[^ ]* |[^ ]+", "[^/]*/|[^/]+", r"\0\w+\0|(?s:.)"))]

NAME, KEY, SNAKE, STACK_NAME = "\0name\0", "\0key\0", "\0snake\0", "\0stack_name\0"
"""In place of the queue's name in a text, that with hyphens, with underscores, and its stack's."""


class Code(str):
    """Source itself, such as a constant's name."""

    __slots__ = ()


def source(value: Any, indent: int = 0, *, used: int = 0) -> str:
    """Format a value; a dataclass is a call with the fields that differ from their defaults.

    Lines after the first are indented by *indent* spaces, and *used* is what is before and after
    the value on its first line.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return call(type(value).__name__, arguments(value, indent + 4), indent, used=used)
    if isinstance(value, str):
        line = str(value) if isinstance(value, Code) else _string(value)
        is_short = isinstance(value, Code) or indent + used + len(line) <= LONGEST
        return line if is_short else _parts(value, indent)
    if isinstance(value, Mapping):
        return _mapping(value, indent, used)
    if isinstance(value, list | tuple):
        return _bracketed(
            "[", [source(one, indent + 4, used=1) for one in value], "]", indent, used
        )
    return repr(value)


def _string(value: str) -> str:
    if value in {NAME, KEY, SNAKE, STACK_NAME}:
        return value.strip("\0")
    if "\0" in value:
        braces = value.replace("{", "{{").replace("}", "}}")
        return "f" + _string(re.sub("\0(.*?)\0", r"{\1}", braces))
    quoted = json.dumps(str(value), ensure_ascii=False)
    if value.count('"') <= value.count("'"):
        return quoted
    return "'" + quoted[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"


def _parts(value: str, indent: int) -> str:
    """Format a long string, of which each part is on a line of its own."""
    inner, parts = " " * (indent + 4), [""]
    for piece in _pieces(value, LONGEST - len(inner)):
        if parts[-1] and len(inner + _string(parts[-1] + piece)) > WIDTH:
            parts.append("")
        parts[-1] += piece
    if len(parts) == 1:
        return _string(value)
    return "\n".join(["(", *(inner + _string(part) for part in parts), " " * indent + ")"])


def _pieces(value: str, width: int, level: int = 0) -> Iterator[str]:
    """The smallest number of splits with which each piece of a string fits on a line."""
    for piece in _PIECES[level].findall(value):
        if len(_string(piece)) <= width or level + 1 == len(_PIECES):
            yield piece
        else:
            yield from _pieces(piece, width, level + 1)


def _mapping(value: Mapping[str, Any], indent: int, used: int) -> str:
    if [*map(type, value)] == [Code]:
        return str(next(iter(value))).removeprefix("**")
    items = [
        str(k)
        if isinstance(k, Code)
        else f"{source(k)}: {source(v, indent + 4, used=len(source(k)) + 3)}"
        for k, v in value.items()
    ]
    return _bracketed("{", items, "}", indent, used)


def _bracketed(start: str, items: Sequence[str], end: str, indent: int, used: int) -> str:
    line = f"{start}{', '.join(items)}{end}"
    fits = "\n" not in line and indent + used + len(line) <= WIDTH
    return line if fits else lines(start, items, end, indent)


def arguments(settings: Any, indent: int, *, without: Sequence[str] = ()) -> list[str]:
    """Format the fields of a dataclass that differ from their defaults, as arguments."""
    result = []
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name in without or not is_set(field, value):
            continue
        is_required = field.default is MISSING and field.default_factory is MISSING
        name = "" if is_required else f"{field.name}="
        result.append(name + source(value, indent, used=len(name) + 1))
    return result


def call(name: str, formatted: Sequence[str], indent: int, *, used: int = 0) -> str:
    """Format a call."""
    return _bracketed(f"{name}(", formatted, ")", indent, used)


def lines(start: str, items: Sequence[str], end: str, indent: int) -> str:
    """Format items on a line each."""
    inner = " " * (indent + 4)
    return "\n".join([start, *(f"{inner}{item}," for item in items), " " * indent + end])


def definition(name: str, parameters: Sequence[str], end: str) -> str:
    """Format the first line of a function: on one line, or else as few as fit."""
    inner = ", ".join(parameters)
    if len(f"{name}({inner}){end}") <= WIDTH:
        return f"{name}({inner}){end}"
    if len(inner) + 4 <= WIDTH:
        return f"{name}(\n    {inner}\n){end}"
    return "\n".join([f"{name}(", *(f"    {one}," for one in parameters), f"){end}"])


def paragraphs(texts: Sequence[str], indent: int) -> str:
    """Wrap the texts of a docstring, each of which begins a line."""
    wrapper = textwrap.TextWrapper(WIDTH, break_long_words=False, break_on_hyphens=False)
    wrapper.initial_indent = wrapper.subsequent_indent = " " * indent
    return "\n".join(map(wrapper.fill, texts))


def constant(name: str, value: Any) -> str:
    """Format an assignment."""
    line = f"{name} = {source(value, used=len(name) + 3)}"
    is_moved = "\n" not in line and len(line) > WIDTH >= len(source(value)) + 4
    return f"{name} = (\n    {source(value)}\n)" if is_moved else line


def is_set(field: Any, value: Any) -> bool:
    """Whether a dataclass's field differs from its default."""
    if isinstance(field.default, Unset):
        return not isinstance(value, Unset)
    if field.default is not MISSING:
        return bool(value != field.default)
    return field.default_factory is MISSING or bool(value != field.default_factory())
