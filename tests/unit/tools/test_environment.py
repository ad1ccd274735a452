"""The set-up tool's errors and its reading of the lock file."""

import importlib.util
import json
import os
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.tools import load_tool


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The tool in a separate folder, without running any program."""
    module = load_tool("environment")

    def run(command: list[str], _settings: Any = None) -> None:
        raise AssertionError(command)

    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "_run", run)
    (tmp_path / "Pipfile.lock").write_text(json.dumps({"default": {}}))
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "uv.txt").write_text("uv==0.1")
    return module


def test_an_old_python_is_reported_in_one_line(tool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(
        SystemExit, match=r"^error: Python 3\.10 to 3\.14 is supported, and .* is Python 3\.9:"
    ):
        tool.main(["synth"])


def test_a_python_without_pip_says_what_to_install(
    tool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(sysconfig, "get_config_var", lambda _name: None)
    version = f"{sys.version_info[0]}\\.{sys.version_info[1]}"
    with pytest.raises(SystemExit, match=f"apt install python{version}-venv"):
        tool.main(["synth"])


def test_the_target_of_a_link_is_not_cleared(tool: Any, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "file").touch()
    (tmp_path / ".venv").symlink_to(theirs)
    with pytest.raises(SystemExit, match="is a symbolic link"):
        tool.main(["synth"])
    assert (theirs / "file").exists()


def test_a_read_only_folder_is_reported_in_one_line(tool: Any, tmp_path: Path) -> None:
    (tmp_path / ".set-up.lock").mkdir()
    with pytest.raises(SystemExit, match=r"^error: cannot set up "):
        tool.main(["synth"])


def test_locked_packages_have_their_extras_markers_and_hashes(tool: Any, tmp_path: Path) -> None:
    package = {
        "version": "==1.2",
        "extras": ["server"],
        "markers": "python_version >= '3.10'",
        "hashes": ["sha256:aa", "sha256:bb"],
    }
    lock = {"default": {"moto": package, "ours": {"editable": True, "path": "."}}}
    (tmp_path / "Pipfile.lock").write_text(json.dumps(lock))
    assert tool.locked_packages("default") == (
        "moto[server]==1.2 ; python_version >= '3.10' --hash=sha256:aa --hash=sha256:bb\n"
    )


@pytest.fixture
def settings(tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """A function that returns uv's settings for a configuration file of pip."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("ALL_PROXY", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setattr(tool, "_run", load_tool("environment")._run)  # noqa: SLF001

    def settings_for(configuration: str) -> Any:
        (tmp_path / "pip.conf").write_text(configuration)
        return tool._settings_for_uv()  # noqa: SLF001

    return settings_for


def test_pips_settings_of_the_index_and_the_network_are_those_of_uv(
    settings: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("UV_INSECURE_HOST", "theirs.example")
    for_uv = settings(
        "[global]\nindex-url = https://global.example/simple\n"
        "extra-index-url =\n  https://a.example/simple\n  https://b.example/simple\n"
        "find-links = /wheels /more-wheels\nno-cache-dir = true\n"
        "[install]\nindex-url = https://install.example/simple\ntrusted-host = a.example\n"
    )
    assert for_uv["UV_DEFAULT_INDEX"] == "https://install.example/simple"
    assert for_uv["UV_INDEX"] == "https://a.example/simple https://b.example/simple"
    assert for_uv["UV_FIND_LINKS"] == "/wheels,/more-wheels"
    assert for_uv["ALL_PROXY"] == "http://proxy.example:3128"
    assert "UV_INSECURE_HOST" not in for_uv


def test_without_an_index_only_the_links_are_used(settings: Callable[[str], Any]) -> None:
    for_uv = settings(
        "[global]\nno-index = true\nindex-url = https://a.example\nfind-links = /wheels\n"
        "extra-index-url = https://b.example\n"
    )
    assert for_uv["UV_DEFAULT_INDEX"] == "file:///no-index"
    assert for_uv["UV_FIND_LINKS"] == "/wheels"
    assert "UV_INDEX" not in for_uv
