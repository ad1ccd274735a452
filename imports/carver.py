"""Carve the few submodules in use out of a prebuilt CDKTF provider package.

The prebuilt package is a jsii assembly: a tarball with JavaScript and a description of its types
(``.jsii``), and Python modules that name these types. The carved package is an assembly of its own,
under a name of its own, so that both can be loaded in one process.
"""

import gzip
import hashlib
import importlib.metadata
import io
import json
import os
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from buildkite_agents.errors import ConfigError
from buildkite_agents.node import user_cache
from buildkite_agents.output.folder_lock import folder_lock

ASSEMBLY = "imports-aws"
"""The carved assembly's name. jsii takes what stands before a type's first dot for it: no dots."""

_STAMP = "carved-from.txt"
# In Python each argument is checked by typeguard first: mypy has done that for this program, and
# jsii does it again in Node.js. To do without takes a twentieth off a synthesis.
_TYPE_CHECK = re.compile(r"^( +)if __debug__:\n(?:\1    .*\n)+", re.MULTILINE)
_SOURCE_MAP = re.compile(rb"^//# sourceMappingURL=.*$", re.MULTILINE)


def writable_folder(own: Path) -> Path:
    """Choose where bindings can be made: the package's *own* folder, or one of the user's."""
    if (own / "aws").is_dir() or os.access(own, os.W_OK | os.X_OK):
        return own
    # By the package's place, so that two installations do not take turns at making them.
    place = hashlib.sha256(str(own).encode()).hexdigest()[:12]
    folder = user_cache() / "bindings" / place
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"neither {own} nor {folder} can be written to ({error.strerror}): set XDG_CACHE_HOME "
            "to a folder that can"
        ) from None
    return folder


def carve(*, distribution: str, submodules: Sequence[str], target: Path) -> None:
    """Make *target* a package with just *submodules* of *distribution*, unless it is that already.

    Safe to call from many processes at once: one makes the package, the others wait for it. The
    package appears by a rename, so it is never seen half made.

    Raises:
        ConfigError: *distribution* is not installed, is not built as expected, or the folder of
            *target* cannot be written.
    """
    try:
        installed = importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        raise ConfigError(
            f"{distribution} is not installed for {sys.executable}: run `make synth`, which "
            "installs it into .venv, or the program with .venv/bin/python"
        ) from None
    stamp = _stamp(installed, submodules)
    if _is_current(target, stamp):
        return
    try:
        with folder_lock(target.parent):
            if not _is_current(target, stamp):
                print(f"Making {target} from {distribution}, once ...", file=sys.stderr, flush=True)
                _make(installed, submodules, target, stamp)
                _have_uninstalled(target)
    except OSError as error:
        raise ConfigError(f"cannot make {target}: {error}") from error


def _stamp(installed: importlib.metadata.Distribution, submodules: Sequence[str]) -> str:
    carver = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    return "\n".join([installed.name, installed.version, carver, *sorted(submodules), ""])


def _is_current(target: Path, stamp: str) -> bool:
    try:
        return (target / _STAMP).read_text() == stamp
    except OSError:
        return False


def _make(
    installed: importlib.metadata.Distribution,
    submodules: Sequence[str],
    target: Path,
    stamp: str,
) -> None:
    source = Path(str(installed.locate_file(installed.name.replace("-", "_"))))
    workspace = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        package = workspace / "new"
        (package / "_jsii").mkdir(parents=True)
        tarball = f"{ASSEMBLY}@{installed.version}.jsii.tgz"
        original = _carve_assembly(source, submodules, package / "_jsii" / tarball)
        for submodule in submodules:
            (package / submodule).mkdir()
            _carve_module(
                source / submodule / "__init__.py", package / submodule / "__init__.py", original
            )
        (package / "__init__.py").write_text(
            f'"""Carved from {installed.name} {installed.version}."""\n'
        )
        (package / "_jsii" / "__init__.py").write_text(
            "import cdktf._jsii\n"
            "import constructs._jsii\n"
            "import jsii\n\n"
            f'jsii.JSIIAssembly.load("{ASSEMBLY}", "{installed.version}", '
            f'__name__[: -len("._jsii")], "{tarball}")\n'
        )
        (package / _STAMP).write_text(stamp)
        if target.exists():
            target.rename(workspace / "old")
        package.rename(target)
    finally:
        shutil.rmtree(workspace)


def _have_uninstalled(target: Path) -> None:
    """Have pip remove the bindings together with the package that they are made in."""
    try:
        ours = importlib.metadata.distribution("buildkite-agents")
    except importlib.metadata.PackageNotFoundError:
        return
    site_packages = Path(str(ours.locate_file("")))
    records = list(site_packages.glob("buildkite_agents-*.dist-info/RECORD"))
    if len(records) != 1 or not target.is_relative_to(site_packages / "buildkite_agents"):
        return
    recorded = records[0].read_text()
    made = sorted(path for path in target.rglob("*") if path.is_file())
    names = (path.relative_to(site_packages).as_posix() for path in made)
    with records[0].open("a") as file:
        file.writelines(f"{name},,\n" for name in names if f"{name}," not in recorded)


def _carve_assembly(source: Path, submodules: Sequence[str], carved: Path) -> str:
    """Write the assembly's tarball with only *submodules* in it; return the original's name."""
    tarballs = list((source / "_jsii").glob("*.jsii.tgz"))
    if len(tarballs) != 1:
        raise ConfigError(f"expected one jsii tarball in {source / '_jsii'}, got {len(tarballs)}")
    folders = {submodule.replace("_", "-") for submodule in submodules}
    contents: dict[str, bytes] = {}
    with tarfile.open(tarballs[0]) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            wanted = path.parent.name in folders and path.name == "index.js"
            if wanted or member.name in {"package/.jsii", "package/package.json"}:
                file = tar.extractfile(member)
                if file is None:
                    raise ConfigError(f"{member.name} in {tarballs[0]} is not a regular file")
                contents[member.name] = file.read()

    description = json.loads(contents.pop("package/.jsii"))
    original = str(description["name"])
    package = json.loads(contents.pop("package/package.json"))
    missing = sorted(folders - {PurePosixPath(name).parent.name for name in contents})
    if missing:
        raise ConfigError(f"{original} {description['version']} has no {', '.join(missing)}")

    scripts = {
        name: _SOURCE_MAP.sub(b"", text).replace(original.encode(), ASSEMBLY.encode())
        for name, text in contents.items()
    }
    scripts["package/lib/index.js"] = "".join(
        f'Object.defineProperty(exports, "{_camel_case(folder)}", '
        f'{{ enumerable: true, get: () => require("./{folder}") }});\n'
        for folder in sorted(folders)
    ).encode()
    scripts["package/.jsii"] = _carve_description(description, folders)
    scripts["package/package.json"] = json.dumps(
        {
            "name": ASSEMBLY,
            "version": package["version"],
            "license": package["license"],
            "main": package["main"],
            "jsii": package["jsii"],
            "peerDependencies": package["peerDependencies"],
        }
    ).encode()
    _write_tarball(carved, scripts)
    return original


def _carve_description(description: dict[str, Any], folders: set[str]) -> bytes:
    original = description["name"]
    modules = {f"{original}.{_camel_case(folder)}" for folder in folders}
    description["types"] = {
        fqn: spec for fqn, spec in description["types"].items() if fqn.rsplit(".", 1)[0] in modules
    }
    description["submodules"] = {
        fqn: spec for fqn, spec in description["submodules"].items() if fqn in modules
    }
    del description["readme"]
    text = json.dumps(description)
    kept = description["types"].keys() | modules
    dangling = set(re.findall(rf'"({re.escape(original)}\.[^"]+)"', text)) - kept
    if dangling:
        raise ConfigError(f"the wanted submodules need others too: {', '.join(sorted(dangling))}")
    return text.replace(original, ASSEMBLY).encode()


def _camel_case(folder: str) -> str:
    first, *rest = folder.split("-")
    return first + "".join(word.capitalize() for word in rest)


def _write_tarball(path: Path, contents: dict[str, bytes]) -> None:
    # Times are zero so that the same input gives the same bytes: jsii's cache is keyed by them.
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for name in sorted(contents):
            member = tarfile.TarInfo(name)
            member.size = len(contents[name])
            tar.addfile(member, io.BytesIO(contents[name]))


def _carve_module(source: Path, target: Path, original: str) -> None:
    text = source.read_text().replace(f'"{original}.', f'"{ASSEMBLY}.')
    text = _TYPE_CHECK.sub("", text)
    # Nothing else evaluates the annotations, of which there are thousands.
    text = text.replace("from pkgutil", "from __future__ import annotations\nfrom pkgutil", 1)
    target.write_text(text)
