"""The queues of a program, checked with another version of the stack. Nothing is written."""

import contextlib
import copy
import io
import os
import runpy
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from buildkite_agents.errors import ConfigError


def check(program: Path, version: str | None = None) -> list[str]:
    """Run a program up to its synthesis, and return the problems that its own checks report.

    Args:
        program: The program, such as ``main.py``. It runs in the current folder, as a main program.
        version: The stack version for all of its queues: by default each queue's own.

    Raises:
        ConfigError: the program fails, or it defines no queues.
    """
    if not program.is_file():
        raise ConfigError(f"{program} does not exist: name the program with --program")
    problems: list[str] = []
    queues: list[Any] = []
    with _observed(version, problems, queues), contextlib.redirect_stdout(io.StringIO()):
        try:
            _run(program)
        except ConfigError as error:
            problems += [str(problem) for problem in error.problems]
        except (Exception, SystemExit) as error:
            if not isinstance(error, SystemExit) or error.code not in {None, 0}:
                raise ConfigError(
                    f"cannot run {program}: {type(error).__name__}: {error}"
                ) from None
    if not queues and not problems:
        raise ConfigError(f"{program} defines no queues: it creates no AgentStack")
    return list(dict.fromkeys(problems))


def _run(program: Path) -> None:
    arguments, path, modules, current = sys.argv, [*sys.path], {*sys.modules}, Path.cwd()
    folder = program.resolve().parent
    sys.argv = [str(program)]
    sys.path.insert(0, str(folder))
    try:
        runpy.run_path(str(program), run_name="__main__")
    finally:
        os.chdir(current)
        sys.argv, sys.path[:] = arguments, path
        # The next run must run the program's own modules again.
        for name in {*sys.modules} - modules:
            if _is_of(folder, sys.modules[name]) and name.partition(".")[0] not in modules:
                del sys.modules[name]


def _is_of(folder: Path, module: Any) -> bool:
    file = Path(getattr(module, "__file__", None) or "/")
    return file.is_relative_to(folder) and "site-packages" not in file.parts


@contextlib.contextmanager
def _observed(version: str | None, problems: list[str], queues: list[Any]) -> Iterator[None]:
    """Replace the stack version of all queues, record problems, and prevent a synthesis."""
    import cdktf

    from buildkite_agents import AgentApp, AgentQueue, AgentStack

    define, refuse = AgentStack.__init__, AgentApp.refuse

    def defined(stack: Any, *arguments: Any, **settings: Any) -> None:
        given = settings.get("queues")
        if isinstance(given, list | tuple):
            queues.extend(given)
            settings["queues"] = [
                _with_version(queue, version) if isinstance(queue, AgentQueue) else queue
                for queue in given
            ]
        define(stack, *arguments, **settings)

    def refused(app: Any, stack: str, found: Any) -> str:
        problems.extend(map(str, found))
        return refuse(app, stack, found)

    def not_synthesized(app: Any) -> None:
        del app

    with (
        tempfile.TemporaryDirectory() as folder,
        patch.dict(os.environ, {"CDKTF_OUTDIR": folder}),
        patch.object(AgentStack, "__init__", defined),
        patch.object(AgentApp, "refuse", refused),
        patch.object(AgentApp, "synth", not_synthesized),
        patch.object(cdktf.App, "synth", not_synthesized),
    ):
        yield


def _with_version(queue: Any, version: str | None) -> Any:
    """A copy of a queue with another version; unlike dataclasses.replace, it derives nothing."""
    if version is None:
        return queue
    changed = copy.copy(queue)
    object.__setattr__(changed, "stack_version", version)
    return changed
