"""The folder of jsii's unpacked packages."""

import sys
from pathlib import Path

import pytest

from buildkite_agents import loading

ROOT, DISABLED = "JSII_RUNTIME_PACKAGE_CACHE_ROOT", "JSII_RUNTIME_PACKAGE_CACHE"


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (ROOT, DISABLED):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "base_prefix", str(tmp_path / "usr"))
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))


def chosen() -> dict[str, str]:
    return loading._package_cache()  # noqa: SLF001


def test_in_a_virtual_environment_it_is_there(tmp_path: Path) -> None:
    assert chosen() == {ROOT: str(tmp_path / "venv" / "jsii-cache")}


def test_elsewhere_it_is_in_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    assert chosen() == {ROOT: str(tmp_path / "cache" / "buildkite-agents" / "jsii")}


def test_where_nothing_can_be_written_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda _path, _mode: False)
    assert chosen() == {DISABLED: "disabled"}


def test_the_users_own_choice_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ROOT, "/theirs")
    assert chosen() == {}
