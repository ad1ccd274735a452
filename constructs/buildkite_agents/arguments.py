"""Mistaken arguments of the public classes, which Python reports as a TypeError."""

import functools
import inspect
from typing import Any, TypeVar

from buildkite_agents.errors import ConfigError, did_you_mean, shown

_Class = TypeVar("_Class", bound=type)


def reports_mistaken_arguments(cls: _Class) -> _Class:
    """Have a class raise a ConfigError for unknown, missing and surplus arguments."""
    define: Any = cls.__init__  # type: ignore[misc] # it is the class's own

    @functools.wraps(define)
    def checked(self: Any, *arguments: Any, **named: Any) -> None:
        try:
            define(self, *arguments, **named)
        except TypeError:
            signature = inspect.signature(define)
            try:
                signature.bind(self, *arguments, **named)
            except TypeError:
                problems = _problems(signature, arguments, named)
                raise ConfigError(*(f"{cls.__name__} {each}" for each in problems)) from None
            raise

    cls.__init__ = checked  # type: ignore[misc]
    return cls


def _problems(
    signature: inspect.Signature, arguments: tuple[Any, ...], named: dict[str, Any]
) -> list[str]:
    _, *accepted = signature.parameters.values()
    names = [each.name for each in accepted]
    places = [each.name for each in accepted if each.kind is not each.KEYWORD_ONLY]
    unknown = [name for name in named if name not in names]
    if unknown:
        return [f"has no argument {shown(name)}{_advice(name, names)}" for name in unknown]
    if len(arguments) > len(places):
        by_name = [f": name the others, such as {name}=..." for name in names if name not in places]
        without = f"only {' and '.join(places)}" if places else "no argument"
        return [f"accepts {without} without a name{''.join(by_name[:1])}"]
    positional = places[: len(arguments)]
    twice = [f"gets {name} twice" for name in positional if name in named]
    given = {*positional, *named}
    missing = [
        each.name for each in accepted if each.default is each.empty and each.name not in given
    ]
    return twice or [f"requires {' and '.join(missing)}"]


def _advice(name: str, known: list[str]) -> str:
    close = did_you_mean(name, known)
    if not close and name[:1].isupper() and "parameters" in known:
        return f": set parameters of the template by parameters={{{shown(name)}: ...}}"
    return close or f": its arguments are {', '.join(known)}"
