"""The package as somebody else's library."""

import subprocess
import sys
from pathlib import Path


def run_python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_importing_it_changes_nothing_of_the_process(tmp_path: Path) -> None:
    code = """
import gc, os, sys
def process():
    collector = gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()
    return sys.excepthook, collector, dict(os.environ)
before = process()
from buildkite_agents import AgentApp, AgentStack
assert process() == before
"""
    done = run_python(code, tmp_path)
    assert done.returncode == 0, done.stderr


def test_an_error_can_be_caught_like_any_other_exception(tmp_path: Path) -> None:
    code = """
from buildkite_agents import ConfigError
try:
    raise ConfigError("first", "second")
except Exception as error:
    assert error.problems == ("first", "second")
    print(error)
"""
    assert run_python(code, tmp_path).stdout == "error: first\nerror: second\n"


def test_uncaught_it_is_its_message_alone_and_a_status(tmp_path: Path) -> None:
    code = "from buildkite_agents import ConfigError\nraise ConfigError('first', 'second')\n"
    done = run_python(code, tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: first\nerror: second\n"
