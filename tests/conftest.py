"""Fixtures and the order of all tests."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterable
from itertools import chain, zip_longest
from pathlib import Path

import pytest
from hypothesis import settings
from support import provider_3, provider_source

from buildkite_agents.loading import node_environment

ROOT = Path(__file__).resolve().parents[1]

# Before any test imports CDKTF, which otherwise uses the first Node.js on PATH.
os.environ.update(node_environment())

# No version checks by Terraform or the cdktf CLI.
os.environ["CHECKPOINT_DISABLE"] = "1"

settings.register_profile("default", max_examples=200, deadline=None)
settings.register_profile("nightly", max_examples=10_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


_IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ


def _visible() -> set[str]:
    """The files and folders of the checkout, without those of tools, such as .mypy_cache."""
    return {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}


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


_WAITING = (
    *("runbook", "changes", "drift", "adoption", "adopt", "examples"),
    *("failed_updates", "faults", "deployment", "token", "demo"),
)
"""The end-to-end tests that mostly wait, because the AWS provider polls slowly: longest first."""

_COMPUTING = ("tests/e2e/", "tests/synth/test_b", "tests/synth/test_main", "tests/security/")
"""The other tests that take long."""


def pytest_xdist_auto_num_workers() -> int:
    """Run more tests at a time than there are cores, as far as there is memory for providers."""
    gibibytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return max(2, min(12, int(gibibytes / 1.5)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the long tests first, alternating those that wait for AWS and those that compute."""
    waiting: dict[str, list[pytest.Item]] = {name: [] for name in _WAITING}
    computing, short = [], []
    for item in items:
        name = item.path.stem.removeprefix("test_")
        if item.path.parent.name == "e2e" and name in waiting:
            waiting[name].append(item)
        elif item.nodeid.startswith(_COMPUTING):
            computing.append(item)
        else:
            short.append(item)
    mixed = zip_longest(
        _groups(chain.from_iterable(waiting.values())), _groups(computing), fillvalue=()
    )
    items[:] = [*chain.from_iterable(chain.from_iterable(mixed)), *short]


def _groups(items: Iterable[pytest.Item]) -> Iterable[list[pytest.Item]]:
    """The tests that one process runs, in order."""
    groups: dict[str, list[pytest.Item]] = {}
    for item in items:
        marker = item.get_closest_marker("xdist_group")
        groups.setdefault(marker.args[0] if marker else item.nodeid, []).append(item)
    return groups.values()


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
