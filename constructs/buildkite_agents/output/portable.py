"""What makes a configuration the same on each machine: its paths."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_REFERENCE = "cross-stack-reference-input-"


def locate_states(
    configuration: Mapping[str, Any], folder: Path, moved: Mapping[Path, Path] = {}
) -> bool:
    """Have a configuration in CDKTF's *folder* refer to other stacks' local states by its place.

    CDKTF gives their paths as those stacks have them: relative to their own folders, or absolute.
    Stacks' folders that are *moved*, among them *folder*, are there where it is used.

    Returns whether a path was changed.
    """
    changed = False
    for name, source in configuration.get("data", {}).get("terraform_remote_state", {}).items():
        path = source["config"].get("path")
        if not (name.startswith(_REFERENCE) and source["backend"] == "local") or "${" in path:
            continue
        origin = folder.parent / name.removeprefix(_REFERENCE).rpartition("--")[2]
        given = folder if path.startswith(f"../{origin.name}/") else origin
        target = Path(os.path.normpath(given / path))
        if Path(path).is_absolute() and not target.is_relative_to(Path.cwd()):
            continue
        if origin in moved and target.is_relative_to(origin):
            target = moved[origin] / target.relative_to(origin)
        new = Path(os.path.relpath(target, moved.get(folder, folder))).as_posix()
        changed |= new != path
        source["config"]["path"] = new
    return changed


def machine_paths(files: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """The paths of this machine in Terraform's files, each with the name of its file.

    They are those in the working directory, and existing ones in its Git repository and in the
    user's home folder.
    """
    here, home = Path.cwd(), Path.home()
    repository = next((each for each in (here, *here.parents) if (each / ".git").exists()), here)
    roots = [re.escape(str(root)) for root in {here, home, repository} if root != Path("/")]
    if not roots:
        return
    pattern = re.compile(rf"(?<![\w.}}/-])(?:{'|'.join(roots)})(?![\w.-])(?:/[^\s\"'\\$,]*)?")
    for name, content in files.items():
        if name.endswith(".tf.json"):
            for path in sorted({*pattern.findall(content.decode())}):
                if Path(path).is_relative_to(here) or (path != str(home) and Path(path).exists()):
                    yield name, path
