"""Errors that are the user's to mend, shown as text for people and not as a traceback."""

import sys
from collections.abc import Sequence
from types import TracebackType


class ConfigError(Exception):
    """What was given or installed cannot work; the message says what to do about it.

    Left uncaught, it ends the program with status 1 and its message alone on standard error.
    """

    def __init__(self, *problems: str) -> None:
        self.problems: Sequence[str] = problems
        """Each thing that is wrong, as one line: where, what was expected and what was got."""
        super().__init__(*problems)

    def __str__(self) -> str:
        return "\n".join(f"error: {problem}" for problem in self.problems)


def show_config_errors_plainly() -> None:
    """Have an uncaught :class:`ConfigError` shown without its traceback, from now on."""
    previous = sys.excepthook

    def hook(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, ConfigError):
            print(error, file=sys.stderr)
        else:
            previous(kind, error, traceback)

    sys.excepthook = hook
