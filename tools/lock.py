"""Lock the packages of the Pipfile, and those of tools/*.in, with their hashes: ``make lock``.

uv finds one version of each for all supported versions of Python and all platforms, in the default
index: a further one can have only some of a version's files. The lists name no index, so that each
machine's own is used.
"""

import hashlib
import json
import re
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.environment import OLDEST_PYTHON, ROOT, exclusive, locked_packages, run_uv

Packages = Mapping[str, Any]
_SEPARATE = ("uv", "pipenv", "checkov")


def main() -> None:
    """Update all lists to the newest versions that the Pipfile permits."""
    lock_pipfile(upgrade=True)
    for name in _SEPARATE:
        source, target = ROOT / "tools" / f"{name}.in", ROOT / "tools" / f"{name}.txt"
        replace(target, compiled(source.read_text()))


def lock_pipfile(*, upgrade: bool) -> None:
    """Write Pipfile.lock: with the newest versions, or with the present ones where they fit."""
    pipfile = tomllib.loads((ROOT / "Pipfile").read_text())
    before = {name: "" if upgrade else locked_packages(name) for name in ("default", "develop")}
    default = compiled(_requirements(pipfile["packages"]), keep=before["default"])
    develop = compiled(
        _requirements(pipfile["dev-packages"]), keep=before["develop"], constraints=default
    )
    ours = {name: each for name, each in pipfile["packages"].items() if "path" in each}
    lock = {
        "_meta": {
            "hash": {"sha256": pipfile_hash(pipfile)},
            "pipfile-spec": 6,
            "requires": {},
            "sources": [],
        },
        "default": {**_parsed(default), **ours},
        "develop": _parsed(develop),
    }
    replace(ROOT / "Pipfile.lock", json.dumps(lock, indent=4, sort_keys=True) + "\n")


def pipfile_hash(pipfile: Packages) -> str:
    """The hash that `pipenv verify` expects, on a machine whose pip has no configuration."""
    pypi = {"name": "pypi", "url": "https://pypi.org/simple", "verify_ssl": True}
    content = {
        "_meta": {"requires": {}, "sources": [pypi]},
        "default": pipfile["packages"],
        "develop": pipfile["dev-packages"],
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def compiled(requirements: str, *, keep: str = "", constraints: str = "") -> str:
    """All packages that *requirements* need, as requirements with hashes."""
    with tempfile.TemporaryDirectory() as folder:
        given, limits, result = (Path(folder, name) for name in ("in", "limits", "result.txt"))
        given.write_text(requirements)
        limits.write_text(constraints)
        result.write_text(keep)
        options = ["--quiet", "--universal", "--fork-strategy", "fewest", "--generate-hashes"]
        options += ["--python-version", ".".join(map(str, OLDEST_PYTHON)), "--no-header"]
        options += ["--no-annotate", "--constraints", str(limits), "--output-file", str(result)]
        run_uv("pip", "compile", *options, str(given), UV_INDEX="", UV_FIND_LINKS="")
        return result.read_text()


def _requirements(packages: Packages) -> str:
    lines = []
    for name, wanted in packages.items():
        each = {"version": wanted} if isinstance(wanted, str) else wanted
        if "path" not in each:
            extras = f"[{','.join(each['extras'])}]" if "extras" in each else ""
            markers = f" ; {each['markers']}" if "markers" in each else ""
            version = each["version"].removeprefix("*")  # of the Pipfile only: any version
            lines.append(f"{name}{extras}{version}{markers}\n")
    return "".join(lines)


def _parsed(requirements: str) -> dict[str, Any]:
    """The packages of a list, in pipenv's form."""
    packages: dict[str, Any] = {}
    for line in requirements.replace("\\\n", "").splitlines():
        found = re.match(r"([\w.-]+)(?:\[(.+)\])?(==\S+)(?: ; (.+?))?\s+--hash", line)
        if found is None:
            sys.exit(f"error: cannot read what uv found: {line}")
        name, extras, version, markers = found.groups()
        packages[name] = {"hashes": sorted(re.findall(r"--hash=(\S+)", line)), "version": version}
        packages[name] |= {"extras": extras.split(",")} if extras else {}
        packages[name] |= {"markers": markers} if markers else {}
    return packages


def replace(path: Path, text: str) -> None:
    """Write the file at once."""
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.chmod(path.stat().st_mode)
    new.replace(path)


if __name__ == "__main__":
    with exclusive():
        main()
