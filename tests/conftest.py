"""Fixtures and the order of all tests."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import settings
from support import provider_3, provider_source
from xdist.scheduler import LoadScopeScheduling

from buildkite_agents.loading import node_environment

ROOT = Path(__file__).resolve().parents[1]

# Before any test imports CDKTF, which otherwise uses the first Node.js on PATH.
os.environ.update(node_environment())

# Messages name the command that sets the environment up, which within pipenv is another one.
os.environ.pop("PIPENV_ACTIVE", None)

# No version checks by Terraform or the cdktf CLI.
os.environ["CHECKPOINT_DISABLE"] = "1"

settings.register_profile("default", max_examples=200, deadline=None)
settings.register_profile("nightly", max_examples=10_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


_IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ


def _visible() -> set[str]:
    """The files and folders of the checkout, without those of tools, such as .mypy_cache."""
    names = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    return names - {"__pycache__"}


_BEFORE = _visible()


def pytest_configure() -> None:
    """Have Node.js and Terraform create temporary files in one folder, which the run removes."""
    if not _IS_WORKER:
        tempfile.gettempdir()  # pytest's own folders, with those of failed tests, are elsewhere
        os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="tests-")
        # After jsii has stopped Node.js, for which it registers later.
        atexit.register(shutil.rmtree, os.environ["TMPDIR"], ignore_errors=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let a run fail that leaves something in the checkout."""
    left = sorted(_visible() - _BEFORE)
    if left and not _IS_WORKER:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        assert reporter is not None
        reporter.ensure_newline()
        reporter.section("left in the checkout by the tests", red=True)
        reporter.line(", ".join(map(repr, left)))


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def bootstrap_script() -> Path:
    """The project's own bootstrap script."""
    return ROOT / "bootstrap" / "buildkite-bootstrap.sh"


# The AWS provider polls slowly. The longest first.
_MOSTLY_WAITING = tuple(
    f"tests/e2e/test_{name}.py"
    for name in (
        *("runbook", "changes", "drift", "adoption", "adopt", "examples"),
        *("failed_updates", "faults", "deployment", "token", "demo"),
    )
)
_LONG = ("tests/e2e/", "tests/synth/test_b", "tests/synth/test_main", "tests/security/")

_SHARED = {
    "changes": 3,
    "failed_updates": 3,
    **dict.fromkeys(("adoption", "package", "runbook", "set_up", "variables", "ways_to_run"), 1),
}
"""The files of end-to-end tests that share something, and the processes to divide each among."""


def pytest_xdist_auto_num_workers() -> int:
    """Run more tests at a time than there are cores, as far as there is memory for providers."""
    gibibytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return max(2, min(12, int(gibibytes / 1.5)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the long tests first, alternating those that wait for AWS and those that compute."""
    waiting = [item for file in _MOSTLY_WAITING for item in items if item.nodeid.startswith(file)]
    others = [item for item in items if not item.nodeid.startswith(_MOSTLY_WAITING)]
    long = [item for item in others if item.nodeid.startswith(_LONG)]
    short = [item for item in others if not item.nodeid.startswith(_LONG)]
    nothing: list[pytest.Item] = []
    computing = sorted(_scopes(long), key=len, reverse=True)
    mixed = zip_longest(_scopes(waiting), computing, fillvalue=nothing)
    items[:] = [item for pair in mixed for scope in pair for item in scope] + short


def _scopes(items: Iterable[pytest.Item]) -> list[list[pytest.Item]]:
    """The tests that one process runs in order."""
    scopes: dict[str, list[pytest.Item]] = {}
    for item in items:
        scopes.setdefault(_scope(item.nodeid), []).append(item)
    return list(scopes.values())


def _scope(nodeid: str) -> str:
    name = nodeid.partition("::")[0].removeprefix("tests/e2e/test_").removesuffix(".py")
    if name not in _SHARED:
        return nodeid
    # These share a checkout of the project.
    group = "checkout" if name in {"set_up", "ways_to_run"} else name
    return f"{group} {crc32(nodeid.encode()) % _SHARED[name]}"


class _Scheduler(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Distributes tests to free processes, and keeps those that share something together.

    ``--dist loadgroup`` silently groups nothing with pytest 9.2:
    https://github.com/pytest-dev/pytest-xdist/issues/1386
    """

    def _split_scope(self, nodeid: str) -> str:
        return _scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Keep the order of the tests."""
    return _Scheduler(config, log)


def pytest_report_header() -> str:
    """Name the AWS provider of the end-to-end tests."""
    return f"AWS provider: {provider_source.source()}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report what a run on the old provider did not test."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind]
    end_to_end = any(getattr(r, "nodeid", "").startswith("tests/e2e/") for r in reports)
    if end_to_end and provider_source.source().kind == "wheel":
        terminalreporter.section(f"not tested, on AWS provider {provider_source.WHEEL_VERSION}")
        for what in provider_3.NOT_TESTED:
            terminalreporter.line(f"* {what}")
