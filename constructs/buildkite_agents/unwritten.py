"""Stacks that a program defines and does not synthesize."""

import atexit
import inspect
import opcode
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

_TEST_RUNNERS = {"_pytest", "unittest"}
# The app is kept, so that no other object gets its id.
_expected: dict[int, tuple[Any, list[str]]] = {}


def expect_synthesis(app: Any, stack: str) -> None:
    """Have the program warn, where it ends without a synthesis of an app, of a stack's name."""
    if is_in_a_test(app):
        return
    if not _expected:
        *_, outermost = _frames()
        atexit.register(_warn, outermost)
    _expected.setdefault(id(app), (app, []))[1].append(stack)


def synthesized(app: Any) -> None:
    """Expect no further synthesis of an app."""
    _expected.pop(id(app), None)


def is_in_a_test(app: Any) -> bool:
    """Whether a test runner is calling, or the app is that of ``cdktf.Testing``."""
    modules = {frame.f_globals.get("__name__", "").partition(".")[0] for frame in _frames()}
    return not modules.isdisjoint(_TEST_RUNNERS) or "cdktf.outdir." in getattr(app, "outdir", "")


def _warn(outermost: FrameType) -> None:
    names = ", ".join(name for _, names in _expected.values() for name in names)
    _expected.clear()
    if names and _has_returned(outermost):
        print(
            f"warning: {names}: nothing was written, because the program ended without app.synth()",
            file=sys.stderr,
        )


def _has_returned(frame: FrameType) -> bool:
    """Whether a finished frame, such as that of a program, returned and raised nothing.

    Python does not tell otherwise that a program ended by an exception such as SystemExit.
    """
    last = frame.f_code.co_code[frame.f_lasti]
    return opcode.opname[last].startswith("RETURN_")


def _frames() -> Iterator[FrameType]:
    frame = inspect.currentframe()
    while frame is not None:
        yield frame
        frame = frame.f_back
