"""The files that CDKTF copies beside a configuration: a user's assets and local modules."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from buildkite_agents.errors import ConfigError
from buildkite_agents.output.owned_files import Executable

FOLDER = "assets"
"""CDKTF's folder of these files, beside the configuration."""

_LOCAL = ("./", "../")


def assets(folder: Path) -> dict[str, bytes]:
    """The assets beside the configuration in *folder*, by path.

    Raises:
        ConfigError: the name of a file cannot be recorded.
    """
    return {
        _recordable(path.relative_to(folder).as_posix()): (
            Executable(path.read_bytes()) if _is_executable(path) else path.read_bytes()
        )
        for path in _files(folder / FOLDER)
    }


def pack(folder: Path, archive: str) -> None:
    """Replace the files in *folder* by a zip *archive* of them.

    Its bytes are the same on each machine: they do not depend on the times of the files, or on a
    compression library.
    """
    content = {path.relative_to(folder): path for path in _files(folder)}
    packed = folder.with_name(f"{folder.name}.zip")
    with zipfile.ZipFile(packed, "w") as target:
        for name, path in content.items():
            entry = zipfile.ZipInfo(name.as_posix())
            entry.create_system = 3  # Unix, whose modes follow
            entry.external_attr = (0o100755 if _is_executable(path) else 0o100644) << 16
            target.writestr(entry, path.read_bytes())
    shutil.rmtree(folder)
    folder.mkdir()
    packed.rename(folder / archive)


def listed_modules(configuration: Path) -> list[str]:
    """The local modules that a ``cdktf.json`` lists, which the cdktf CLI gives to CDKTF too."""
    try:
        listed = json.loads(configuration.read_text()).get("terraformModules", [])
    except (OSError, ValueError, AttributeError):
        return []  # as for the CLI
    sources = [each.get("source") if isinstance(each, Mapping) else each for each in listed]
    return [str(source) for source in sources if str(source).startswith(_LOCAL)]


def context_of_modules(modules: Iterable[str], folder: Path) -> dict[str, Any]:
    """The context that CDKTF needs for local *modules*, whose paths are relative to a folder.

    CDKTF's own hash is that of the folder that they have in common, with all else in it.
    """
    # In this order, none is the beginning of all others, which CDKTF takes for their common folder.
    modules = sorted(set(modules), reverse=True)
    if not modules:
        return {}
    digest = hashlib.sha256()
    for module in modules:
        for path in _files(folder / module):
            digest.update(f"{path.relative_to(folder / module)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return {
        "cdktfRelativeModules": modules,
        "cdktfStaticModuleAssetHash": digest.hexdigest()[:32].upper(),
    }


def missing_modules(configuration: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """The problems of local modules that CDKTF did not copy to *folder*."""
    for name, module in configuration.get("module", {}).items():
        source = str(module.get("source", ""))
        if source.startswith(f"./{FOLDER}/") and not (folder / source).is_dir():
            yield (
                f'module {name}: its source is not among the "terraformModules" of cdktf.json: add '
                "it there"
            )


def _files(folder: Path) -> Sequence[Path]:
    """The files below a folder, without those of ``terraform init``, in a fixed order."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and ".terraform" not in path.relative_to(folder).parts
    )


def _is_executable(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o100)


def _recordable(name: str) -> str:
    if not name.isprintable():
        raise ConfigError(f"{name!a}: an asset's name must consist of printable characters")
    return name
