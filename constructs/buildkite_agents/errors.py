"""Configuration errors, printed without a traceback."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self


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
