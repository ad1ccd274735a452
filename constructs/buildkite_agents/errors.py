"""Configuration errors, printed without a traceback."""

from collections.abc import Sequence


class ConfigError(Exception, SystemExit):
    """An error of the user's configuration or installation, and what to do about it.

    It can be caught like any other exception. Uncaught, it ends the program with status 1 and its
    message alone on standard error, as each :class:`SystemExit` does.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems: Sequence[str] = problems
        """Each thing that is wrong, as one line: where, what was expected and what was given."""
        self.code = str(self)

    def __str__(self) -> str:
        return "\n".join(f"error: {problem}" for problem in self.problems)
