"""Configuration errors, printed without a traceback."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


class Problem(str):
    """One thing that is wrong: as text it is a line of both, where and what."""

    __slots__ = ("what", "where")

    where: str
    """Where it is, such as ``queue 'nightly'``; empty where *what* names it."""

    what: str
    """What was expected, what was given, and what to do."""

    def __new__(cls, what: str, *, where: str = "") -> "Self":
        """Say *what* is wrong, and *where*; a further *where* comes before that of a problem."""
        if isinstance(what, Problem):
            where = ": ".join(filter(None, (where, what.where)))
            what = what.what
        problem = super().__new__(cls, f"{where}: {what}" if where else what)
        problem.where, problem.what = where, what
        return problem


class ConfigError(Exception, SystemExit):
    """An error of the user's configuration or installation, and what to do about it.

    It can be caught like any other exception. Uncaught, it ends the program with status 1 and its
    message alone on standard error, as each :class:`SystemExit` does.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems: Sequence[Problem] = tuple(map(Problem, problems))
        """Each thing that is wrong, with where and what as attributes; as text, one line."""
        self.code = str(self)

    def __str__(self) -> str:
        return "\n".join(f"error: {problem}" for problem in self.problems)
