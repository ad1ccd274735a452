"""Formats values as Python source."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

WIDTH = 88


def source(value: Any, indent: int = 0) -> str:
    """Format a value; a dataclass is a call with the fields that differ from their defaults.

    Lines after the first are indented by *indent* spaces.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return call(type(value).__name__, arguments(value, indent + 4), indent)
    if isinstance(value, str):
        quoted = json.dumps(value, ensure_ascii=False)
        # str() of a subclass, whose repr() can differ.
        plain = repr(str(value))
        return plain if "\\" in quoted and "\\" not in plain else quoted
    if isinstance(value, Mapping):
        items = [f"{source(k)}: {source(v, indent + 4)}" for k, v in value.items()]
        line = f"{{{', '.join(items)}}}"
        fits = "\n" not in line and indent + len(line) <= WIDTH - 20
        return line if fits else lines("{", items, "}", indent)
    if isinstance(value, list | tuple):
        items = [source(item, indent + 4) for item in value]
        line = f"[{', '.join(items)}]"
        fits = "\n" not in line and indent + len(line) <= WIDTH - 20
        return line if fits else lines("[", items, "]", indent)
    return repr(value)


def arguments(
    settings: Any, indent: int, *, without: Sequence[str] = (), always: Sequence[str] = ()
) -> list[str]:
    """Format the fields of a dataclass that differ from their defaults, as arguments."""
    has_keywords = any(field.kw_only for field in fields(settings))
    result = []
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name in without or not (field.name in always or _is_set(field, value)):
            continue
        is_positional = field.default is MISSING and field.default_factory is MISSING
        if not field.kw_only and (is_positional or has_keywords) and field.name not in always:
            result.append(source(value, indent))
        else:
            result.append(f"{field.name}={source(value, indent)}")
    return result


def call(name: str, formatted: Sequence[str], indent: int) -> str:
    """Format a call, on one line if it fits."""
    line = f"{name}({', '.join(formatted)})"
    if "\n" not in line and indent + len(line) <= WIDTH:
        return line
    return lines(f"{name}(", formatted, ")", indent)


def lines(start: str, items: Sequence[str], end: str, indent: int) -> str:
    """Format items on a line each."""
    inner = " " * (indent + 4)
    return "\n".join([start, *(f"{inner}{item}," for item in items), " " * indent + end])


def comment(text: str) -> list[str]:
    """Format a comment."""
    result, line = [], "#"
    for word in text.split():
        if len(line) + len(word) >= WIDTH and line != "#":
            result.append(line)
            line = "#  "
        line += f" {word}"
    return [*result, line]


def _is_set(field: Any, value: Any) -> bool:
    if field.default is not MISSING:
        return bool(value != field.default)
    return field.default_factory is MISSING or value != field.default_factory()
