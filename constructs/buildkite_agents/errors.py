"""Configuration errors, printed without a traceback."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

_LONGEST_SHOWN = 100
# CDKTF's placeholders in strings, and the number that it gives for the first of them.
_PLACEHOLDER = re.compile(r"'[$#&]\{TfToken\[[^]]*\]\}'|-8\.1\d*e\+298")


class Problem(str):
    """A problem in the configuration; as a string, one line with its location and description."""

    __slots__ = ("what", "where")

    where: str
    """The location, such as ``queue 'nightly'``; empty where *what* includes it."""

    what: str
    """The description: what was expected, what was given, and what to do."""

    def __new__(cls, what: str, *, where: str = "") -> "Self":
        """Describe a problem; for an existing one, prepend *where* to its location."""
        if isinstance(what, Problem):
            where = ": ".join(filter(None, (where, what.where)))
            what = what.what
        problem = super().__new__(cls, f"{where}: {what}" if where else what)
        problem.where, problem.what = where, what
        return problem


class ConfigError(Exception, SystemExit):
    """An error in the user's configuration or installation.

    It can be caught like any other exception. Uncaught, it ends the program with status 1 and only
    its message on standard error, as :class:`SystemExit` does.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems: Sequence[Problem] = tuple(map(Problem, problems))
        """Each problem, with ``where`` and ``what`` as attributes."""
        self.code = str(self)

    def __str__(self) -> str:
        return "\n".join(f"error: {problem}" for problem in self.problems)


def shown(value: Any, where: str = "") -> str:
    """A value in a message: shortened, and without what can be an agent token.

    It is in ASCII, because letters of other alphabets can look like those of the Latin one.
    """
    hidden = "token" in where.lower() and "KMSKey" not in where
    if hidden or not _is_plain(value):
        return f"a value of type {type(value).__name__}"
    text = _PLACEHOLDER.sub("a reference", ascii(value))
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_is_plain(key) and _is_plain(item) for key, item in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float | bytes | PurePath)


def did_you_mean(word: str, known: Mapping[str, str] | Iterable[str]) -> str:
    """The known words that differ from *word* in case and separators only, or are similar to it.

    Returns the end of a message, `` (did you mean max_size?)``, or nothing if there are none. A
    mapping has what to call each word.
    """
    named = known if isinstance(known, Mapping) else {each: each for each in known}
    words = {_letters(each): name for each, name in named.items()}
    close = difflib.get_close_matches(_letters(word), words, n=3, cutoff=0.7)
    if _letters(word) in words:
        close = [_letters(word)]
    return f" (did you mean {' or '.join(words[each] for each in close)}?)" if close else ""


def _letters(word: str) -> str:
    return re.sub(r"[\s_-]", "", word).lower()
