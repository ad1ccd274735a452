"""Fields of settings that are numbers, with their limits and the template's parameter."""

from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

_OPTION = "option"


class Unset(int):
    """The default value of an option, which can be told from the same number set by a user."""

    __slots__ = ()


@dataclass(frozen=True)
class Option:
    """What a field sets, and the values that it accepts."""

    parameter: str | None
    """The template's parameter that the field alone sets, if there is one."""

    least: float
    """The smallest value."""

    greatest: float | None
    """The greatest value, or None for no limit."""

    unit: int
    """The parameter's value for a field of 1, such as 60 for minutes in seconds."""

    step: int
    """What the values must be multiples of."""


def option(
    parameter: str | None = None,
    *,
    default: Any,
    least: float = 0,
    greatest: float | None = None,
    unit: int = 1,
    step: int = 1,
) -> Any:
    """Define a dataclass field that is an option."""
    default = Unset(default) if isinstance(default, int) else default
    described = Option(parameter, least, greatest, unit, step)
    return field(default=default, metadata={_OPTION: described})


@cache
def options(cls: type) -> dict[str, Option]:
    """The options of a dataclass, by field."""
    return {f.name: f.metadata[_OPTION] for f in fields(cls) if _OPTION in f.metadata}
