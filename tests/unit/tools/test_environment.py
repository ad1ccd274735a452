"""The set-up tool's errors and its reading of the lock file."""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from support.tools import load_tool


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The tool in a separate folder, without running any program."""
    module = load_tool("environment")

    def run(command: list[str]) -> None:
        raise AssertionError(command)

    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "_run", run)
    (tmp_path / "Pipfile.lock").write_text(json.dumps({"default": {}}))
    return module


def test_an_old_python_is_reported_in_one_line(tool: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(
        SystemExit, match=r"^error: Python 3\.10 to 3\.14 is supported, and .* is Python 3\.9:"
    ):
        tool.main(["synth"])


def test_a_python_without_ensurepip_says_what_to_install(
    tool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
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
