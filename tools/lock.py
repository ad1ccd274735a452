"""Lock the packages of the Pipfile, and those of tools/*.in, with their hashes: ``make lock``.

uv finds one version of each for all supported versions of Python and all platforms, in the default
index: a further one can have only some of a version's files. The lists name no index, so that each
machine's own is used.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.environment import ROOT, exclusive, locked_packages, run_uv

Packages = Mapping[str, Any]
OLDEST_PYTHON = "3.11"
_SEPARATE = ("uv", "pipenv", "checkov")


def main() -> None:
    """Update all lists to the newest versions that the Pipfile permits."""
    pipfile = (ROOT / "Pipfile").read_bytes().decode("utf-8", "surrogateescape")
    new = {ROOT / "Pipfile.lock": locked(pipfile, upgrade=True)}
    for name in _SEPARATE:
        new[ROOT / "tools" / f"{name}.txt"] = compiled((ROOT / "tools" / f"{name}.in").read_text())
    write_all(new)


def locked(text: str, *, upgrade: bool) -> str:
    """The Pipfile.lock of a Pipfile: with the newest versions, or the present ones that fit."""
    pipfile = parsed_pipfile(text)
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
    return json.dumps(lock, indent=4, sort_keys=True) + "\n"


def parsed_pipfile(text: str) -> Packages:
    """The content of a Pipfile."""
    try:
        text.encode()  # fails if it was not UTF-8
        return {"packages": {}, "dev-packages": {}, **tomllib.loads(text)}
    except ValueError as error:
        sys.exit(f"error: Pipfile: {error}: correct it, or run `git restore Pipfile`")


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
        options += ["--python-version", OLDEST_PYTHON, "--no-header"]
        options += ["--no-annotate", "--constraints", str(limits), "--output-file", str(result)]
        try:
            run_uv("pip", "compile", *options, str(given), UV_INDEX="", UV_FIND_LINKS="")
        except SystemExit as error:
            sys.exit(f"{error}. Nothing was changed")
        return result.read_text()


def _requirements(packages: Packages) -> str:
    lines = []
    for name, wanted in packages.items():
        each = {"version": wanted} if isinstance(wanted, str) else wanted
        if "path" not in each:
            if "version" not in each:
                sys.exit(f"error: Pipfile: {name} has no version, and only versions can be locked")
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


def write_all(contents: Mapping[Path, str]) -> None:
    """Write all files or, if that fails or is interrupted, none."""
    with tempfile.TemporaryDirectory(dir=ROOT, prefix=".new-") as folder:
        written = {path: Path(folder, str(number)) for number, path in enumerate(contents)}
        for path, new in written.items():
            new.write_bytes(contents[path].encode("utf-8", "surrogateescape"))
            if path.exists():
                shutil.copymode(path, new)
            if not os.access(path.parent, os.W_OK):
                raise OSError(f"{path.parent} cannot be written to")
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        for path, new in written.items():
            new.replace(path)
        signal.signal(signal.SIGINT, before)


if __name__ == "__main__":
    with exclusive():
        main()
