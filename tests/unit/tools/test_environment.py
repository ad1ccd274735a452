"""The set-up tool's errors and its reading of the lock file."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from support.tools import load_tool

from tools.index_settings import index_settings


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The tool in a separate folder, without running any program."""
    module = load_tool("environment")

    def run(command: list[str], _settings: Any = None) -> None:
        raise AssertionError(command)

    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "_run", run)
    (tmp_path / "Pipfile.lock").write_text(json.dumps({"default": {}, "develop": {}}))
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "uv.txt").write_text("uv==0.1")
    return module


def test_a_python_without_venv_shows_what_it_says_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'apt install python3.13-venv'\nexit 1\n")
    python.chmod(0o755)
    tool = load_tool("environment")
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "executable", str(python))
    (tmp_path / "Pipfile.lock").write_text(json.dumps({"default": {}, "develop": {}}))
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "uv.txt").write_text("uv==0.1")
    with pytest.raises(SystemExit, match=r"`.* -m venv .*` failed: the lines above show why$"):
        tool.main(["synth"])
    assert "apt install python3.13-venv" in capsys.readouterr().err


@pytest.mark.parametrize("name", [".uv", ".venv"])
def test_the_target_of_a_link_is_not_cleared(name: str, tool: Any, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "file").touch()
    (tmp_path / name).symlink_to(theirs)
    with pytest.raises(SystemExit, match="a symbolic link: remove it"):
        tool.main(["synth"])
    assert (theirs / "file").exists()


@pytest.mark.parametrize("name", [".uv", ".venv"])
def test_a_file_in_place_of_a_folder_is_not_cleared(name: str, tool: Any, tmp_path: Path) -> None:
    (tmp_path / name).write_text("theirs")
    with pytest.raises(SystemExit, match="is no folder of this set-up"):
        tool.main(["synth"])
    assert (tmp_path / name).read_text() == "theirs"


@pytest.mark.parametrize("is_offline", [True, False])
def test_uvs_cache_is_named_where_it_can_help(
    *, is_offline: bool, tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = tmp_path / "uv"
    uv.write_text('#!/bin/sh\n[ "$1" = pip ] && exit 1\nexit 0\n')
    uv.chmod(0o755)

    def run_uv(*arguments: str, hint: str = "") -> None:
        load_tool("environment")._run([str(uv), *arguments], hint=hint)  # noqa: SLF001

    monkeypatch.setattr(tool, "run_uv", run_uv)
    monkeypatch.setenv("UV_OFFLINE", "1" if is_offline else "")
    with pytest.raises(SystemExit, match=r"failed: .* `make clean` removes") as raised:
        tool.main(["synth"])
    assert ("UV_OFFLINE=1" in str(raised.value)) != is_offline


@pytest.mark.parametrize("text", [None, "<<<<<<<", "[]", "{}"])
def test_a_lock_file_that_cannot_be_read_is_reported(
    text: str | None, tool: Any, tmp_path: Path
) -> None:
    (tmp_path / "Pipfile.lock").unlink()
    if text is not None:
        (tmp_path / "Pipfile.lock").write_text(text)
    with pytest.raises(SystemExit, match=r"`git restore Pipfile.lock` or `make lock`"):
        tool.main(["synth"])


def test_locked_packages_have_their_extras_markers_and_hashes(tool: Any, tmp_path: Path) -> None:
    package = {
        "version": "==1.2",
        "extras": ["server"],
        "markers": "python_version >= '3.12'",
        "hashes": ["sha256:aa", "sha256:bb"],
    }
    lock = {"default": {"moto": package, "ours": {"editable": True, "path": "."}}}
    (tmp_path / "Pipfile.lock").write_text(json.dumps(lock))
    assert tool.locked_packages("default") == (
        "moto[server]==1.2 ; python_version >= '3.12' --hash=sha256:aa --hash=sha256:bb\n"
    )


def test_pips_settings_of_the_index_and_the_network_are_those_of_uv() -> None:
    for_uv = index_settings(
        "global.index-url='https://global.example/simple'\n"
        "global.extra-index-url='\\nhttps://a.example/simple\\nhttps://b.example/simple'\n"
        "global.find-links='/wheels /more-wheels'\nglobal.no-cache-dir='true'\n"
        ":env:.proxy='http://proxy.example:3128'\nglobal.proxy='http://other.example'\n"
        "install.index-url='https://install.example/simple'\ninstall.trusted-host='a.example'\n"
        "install.user='true'\nglobal.target='/target'\n",
        {"PIP_PREFIX": "/prefix", "UV_SYSTEM_PYTHON": "1", "UV_CACHE_DIR": "/cache"},
    )
    assert for_uv["UV_DEFAULT_INDEX"] == "https://install.example/simple"
    assert for_uv["UV_INDEX"] == "https://a.example/simple https://b.example/simple"
    assert for_uv["UV_FIND_LINKS"] == "/wheels,/more-wheels"
    assert for_uv["ALL_PROXY"] == "http://proxy.example:3128"
    assert for_uv["UV_INSECURE_HOST"] == "a.example"
    assert for_uv["PIP_INDEX_URL"] == "https://install.example/simple"
    assert for_uv["UV_CACHE_DIR"] == "/cache"
    assert not {"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "UV_SYSTEM_PYTHON"} & set(for_uv)


@pytest.mark.parametrize("name", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_uvs_own_index_is_that_of_both(name: str) -> None:
    settings = index_settings(
        "global.index-url='https://pip.example'\n", {name: "https://uv.example"}
    )
    assert settings["UV_DEFAULT_INDEX"] == settings["PIP_INDEX_URL"] == "https://uv.example"


def test_without_an_index_only_the_links_are_used() -> None:
    for_uv = index_settings(
        "global.no-index='true'\nglobal.index-url='https://a.example'\n"
        "global.find-links='/wheels'\nglobal.extra-index-url='https://b.example'\n",
        {},
    )
    assert for_uv["UV_DEFAULT_INDEX"] == "file:///no-index"
    assert for_uv["UV_FIND_LINKS"] == "/wheels"
    assert "UV_INDEX" not in for_uv


def test_packages_that_are_no_longer_locked_do_not_remain(
    tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run: list[str] = []

    def run_uv(*arguments: str, hint: str) -> None:  # noqa: ARG001
        run.append(arguments[0])
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        (tmp_path / ".venv" / "lib" / version / "site-packages").mkdir(parents=True, exist_ok=True)
        (tmp_path / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
        (tmp_path / ".venv" / "bin" / "python").touch()

    monkeypatch.setattr(tool, "run_uv", run_uv)
    monkeypatch.setattr(tool, "_run", lambda _command, **_: "")
    (tmp_path / "constructs").mkdir()
    (tmp_path / "constructs" / "buildkite_agents_node.pth").touch()
    for version in ("1", "1", "2"):
        package = {"version": f"=={version}", "hashes": ["sha256:aa"]}
        lock = {"default": {}, "develop": {"pytest": package}}
        (tmp_path / "Pipfile.lock").write_text(json.dumps(lock))
        tool.main(["develop"])
    # An environment, and each of the three lists.
    created = ["venv", "pip", "pip", "pip"]
    assert run == created * 2
    (tmp_path / ".venv" / "bin" / "python").write_text("damaged")
    tool.main(["develop"])
    assert run == created * 3
    (tmp_path / ".venv" / "set-up.json").write_text("[]")
    tool.main(["develop"])
    assert run == created * 4
    (tmp_path / ".venv" / "bin" / "python").chmod(0o744)
    tool.main(["develop"])
    assert run == created * 5
