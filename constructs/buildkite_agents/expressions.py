"""Terraform expressions in strings: references, and the text around them.

https://developer.hashicorp.com/terraform/language/syntax/json#expressions
"""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

# CDKTF encodes references to numbers as numbers below this one.
_LEAST_NUMBER = -1e290
_CLOSING = {"{": "}", "(": ")", "[": "]"}


class Reference(str):
    """A reference that this program writes: ``${EXPRESSION}``."""

    __slots__ = ()

    def __new__(cls, expression: str) -> "Self":
        """Refer to the value of an *expression*."""
        return super().__new__(cls, f"${{{expression}}}")

    @property
    def expression(self) -> str:
        """The expression itself."""
        return self[2:-1]


class NullIfEmpty(Reference):
    """A reference that is null where its expression is null or empty.

    Terraform omits an argument that is null. The AWS provider ignores a change to an empty one, so
    that the stack's parameter would keep its previous value.
    """

    __slots__ = ()

    def __new__(cls, expression: str) -> "Self":
        """Refer to the value of an *expression*, or to null."""
        return super().__new__(cls, f"try(coalesce({expression}), null)")


def is_reference(value: Any) -> bool:
    """Whether only Terraform knows a value: it contains a reference, or is a CDKTF token."""
    if isinstance(value, str):
        return "${" in value and any(is_code for is_code, _ in _parts(value))
    return isinstance(value, float) and value < _LEAST_NUMBER


def is_whole_reference(value: Any) -> bool:
    """Whether a value is one reference, without text around it."""
    if isinstance(value, str):
        return [is_code for is_code, _ in _parts(value)] == [True]
    return is_reference(value)


def literal_text(value: str) -> str:
    """The text of a string outside its references, as Terraform reads it."""
    return "".join(text for is_code, text in _parts(value) if not is_code)


def expression_problem(value: str) -> str | None:
    """Return why Terraform cannot read a string, or None if it can."""
    for is_code, text in _parts(value):
        if is_code and not text.endswith("}"):
            return "has a `${` without its `}`; for the characters themselves, write `$${`"
        if is_code and not text[2:-1].strip():
            return "has an empty reference `${}`"
        if not is_code and text == "%{":
            return "has a template directive `%{`; for the characters themselves, write `%%{`"
    return None


def json_template(document: Any) -> str:
    """JSON with references, in the format of Terraform's ``jsonencode``, as in existing states.

    Terraform reads an expression before JSON: the quotes within one are not escaped.
    """
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    references = {
        part
        for value in _strings(document)
        for is_code, part in _parts(value)
        if is_code and ('"' in part or "\\" in part)
    }
    for reference in sorted(references, key=len, reverse=True):
        text = text.replace(json.dumps(reference)[1:-1], reference)
    return text


def _strings(document: Any) -> Iterator[str]:
    if isinstance(document, str):
        yield document
    elif isinstance(document, Mapping):
        yield from (text for item in document.values() for text in _strings(item))
    elif isinstance(document, list | tuple):
        yield from (text for item in document for text in _strings(item))


# Queues have most of their values in common.
@lru_cache(maxsize=1024)
def _parts(value: str) -> tuple[tuple[bool, str], ...]:
    """The references and the texts of a string, in order; a directive is a text of its own."""
    if "${" not in value and "%{" not in value:
        return ((False, value),) if value else ()
    return tuple(_parsed(value))


def _parsed(value: str) -> Iterator[tuple[bool, str]]:
    position, text = 0, ""
    while position < len(value):
        two, three = value[position : position + 2], value[position : position + 3]
        if three in {"$${", "%%{"}:
            text += three[1:]
            position += 3
        elif two in {"${", "%{"}:
            if text:
                yield False, text
            text = ""
            end = _end(value, position + 2) if two == "${" else position + 2
            yield two == "${", value[position:end]
            position = end
        else:
            text += value[position]
            position += 1
    if text:
        yield False, text


def _end(value: str, position: int) -> int:
    """The end of the expression whose first character is at *position*."""
    closing = ["}"]
    while position < len(value) and closing:
        character = value[position]
        if closing[-1] == '"':
            if character == "\\":
                position += 1
            elif value.startswith("${", position) and value[position - 1] != "$":
                closing.append("}")
                position += 1
            elif character == '"':
                closing.pop()
        elif character == '"':
            closing.append('"')
        elif character in _CLOSING:
            closing.append(_CLOSING[character])
        elif character == closing[-1]:
            closing.pop()
        position += 1
    return position
