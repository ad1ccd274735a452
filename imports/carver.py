"""Carve the few submodules in use out of a prebuilt CDKTF provider package.

The prebuilt package is a jsii assembly: a tarball with JavaScript and a description of its types
(``.jsii``), and Python modules that name these types. The carved package is an assembly with
another name, so that one process can load both.
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
"""The carved assembly's name, without dots: jsii splits a type's name at the first dot."""

_STAMP = "carved-from.txt"
# typeguard's checks of each argument, which mypy and jsii (in Node.js) repeat. Removing them makes
# a synthesis 5 % faster.
_TYPE_CHECK = re.compile(r"^( +)if __debug__:\n(?:\1    .*\n)+", re.MULTILINE)
_SOURCE_MAP = re.compile(rb"^//# sourceMappingURL=.*$", re.MULTILINE)


def writable_folder(own: Path) -> Path:
    """Choose a writable folder for the bindings: the package's *own* one, or one of the user."""
    if (own / "aws").is_dir() or os.access(own, os.W_OK | os.X_OK):
        return own
    # Named after the package's path, so that two installations do not overwrite each other's.
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
    """Create the package *target* with only *submodules* of *distribution*, unless it is current.

    Safe to call from several processes: one creates the package and the others wait. The package is
    renamed into place when it is complete.

    Raises:
        ConfigError: *distribution* is not installed, has an unexpected structure, or the folder of
            *target* is not writable.
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
                print(
                    f"Creating {target} from {distribution}, once ...", file=sys.stderr, flush=True
                )
                _make(installed, submodules, target, stamp)
                _have_uninstalled(target)
    except OSError as error:
        raise ConfigError(f"cannot create {target}: {error}") from error


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
    """Have pip remove the bindings together with the package that contains them."""
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
    """Write an assembly tarball that contains only *submodules*; return the original's name."""
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
        raise ConfigError(
            f"the submodules depend on others that are not listed: {', '.join(sorted(dangling))}"
        )
    return text.replace(original, ASSEMBLY).encode()


def _camel_case(folder: str) -> str:
    first, *rest = folder.split("-")
    return first + "".join(word.capitalize() for word in rest)


def _write_tarball(path: Path, contents: dict[str, bytes]) -> None:
    # Times are zero for identical bytes, by which jsii's cache is keyed.
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
    # Avoids evaluating thousands of annotations, which nothing else uses.
    text = text.replace("from pkgutil", "from __future__ import annotations\nfrom pkgutil", 1)
    target.write_text(text)
