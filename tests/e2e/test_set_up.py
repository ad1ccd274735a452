"""The set-up of a checkout: created once, then unchanged, and repaired."""

import os
import shutil
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

from support.golden import assert_golden


def make(folder: Path, target: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", target],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def synthesize(folder: Path, **environment: str) -> str:
    """Run make synth; return its standard error."""
    shutil.rmtree(folder / "terraform", ignore_errors=True)
    done = make(folder, "synth", **environment)
    assert done.returncode == 0, done.stderr
    assert_golden(folder / "terraform")
    return done.stderr


def site_packages(folder: Path) -> Path:
    (found,) = (folder / ".venv" / "lib").glob("python3.*/site-packages")
    return found


def test_a_complete_set_up_is_unchanged(checkout: Path) -> None:
    assert synthesize(checkout) == ""


def test_it_needs_nothing_outside_the_folder(checkout: Path) -> None:
    assert synthesize(checkout, HOME="/proc/nothing") == ""


def test_a_half_deleted_set_up_is_recreated_by_one_of_two_processes(checkout: Path) -> None:
    shutil.rmtree(site_packages(checkout) / "jsii")
    both = [
        subprocess.Popen(["make", "setup"], cwd=checkout, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    errors = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("Waiting for another set-up" in text for text in errors) == 1
    assert sum("Installing the packages for a synthesis" in text for text in errors) == 1
    assert synthesize(checkout) == ""


def test_damaged_files_are_repaired(checkout: Path) -> None:
    damaged = site_packages(checkout) / "jsii" / "__init__.py"
    assert damaged.stat().st_nlink == 1  # or the damage would be in uv's cache too
    damaged.write_text("")
    (checkout / ".venv" / "pyvenv.cfg").unlink()
    (checkout / ".uv" / "bin" / "uv").unlink()
    errors = synthesize(checkout)
    assert "Installing uv" in errors
    assert "Installing the packages for a synthesis" in errors
    assert synthesize(checkout) == ""


def test_a_folder_of_the_users_is_kept(checkout: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(checkout, copy, symlinks=True, ignore=shutil.ignore_patterns(".venv"))
    (copy / ".venv").mkdir()
    (copy / ".venv" / "theirs").touch()
    done = make(copy, "setup")
    assert "If .venv is a folder of yours, rename it\n" in done.stderr
    assert [path.name for path in (copy / ".venv").iterdir()] == ["theirs"]


class Index(BaseHTTPRequestHandler):
    """A package index without packages, which records what it is asked for, and by whom."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        """Answer that there is no such package."""
        self.asked.append(f"{self.path} {self.headers['User-Agent'].partition('/')[0]}")
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Print nothing."""


def test_the_index_in_pips_configuration_is_used(checkout: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(checkout, copy, symlinks=True, ignore=shutil.ignore_patterns(".venv"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        settings = f"[global]\nindex-url = http://127.0.0.1:{server.server_port}/mirror\n"
        (tmp_path / "pip.conf").write_text(settings)
        done = make(
            copy,
            "setup",
            PIP_CONFIG_FILE=str(tmp_path / "pip.conf"),
            UV_CACHE_DIR=str(tmp_path / "cache"),
            NO_PROXY="127.0.0.1",
        )
        server.shutdown()
    assert "/mirror/jsii/ uv" in Index.asked
    assert done.returncode != 0
    assert "make clean" in done.stderr


def test_a_moved_set_up_is_recreated_in_any_environment(checkout: Path) -> None:
    moved = checkout.with_name("moved")
    shutil.copytree(checkout, moved, symlinks=True)
    shutil.rmtree(moved / ".uv")
    other = checkout.with_name("other")
    (other / "jsii").mkdir(parents=True)
    (other / "jsii" / "__init__.py").write_text("raise RuntimeError('of another project')\n")
    (other / "Pipfile").touch()
    errors = synthesize(
        moved,
        PIP_USER="1",
        PIP_REQUIRE_VIRTUALENV="1",
        PIP_PREFIX=str(other / "prefix"),
        PIP_PLATFORM="win32",
        PIP_TARGET=str(other / "target"),
        PIP_NO_DEPS="0",
        UV_SYSTEM_PYTHON="1",
        UV_CONSTRAINT=str(other / "none.txt"),
        HOME="/proc/nothing",
        PIPENV_PIPFILE=str(other / "Pipfile"),
        PYTHONPATH=str(other),
        CDKTF_OUTDIR="",
    )
    assert "Installing the packages for a synthesis" in errors
    assert sorted(path.name for path in other.iterdir()) == ["Pipfile", "jsii"]
