"""Copies of the project's files, as in a clone."""

import shutil
import subprocess
from pathlib import Path

_GENERATED = shutil.ignore_patterns(
    *(".uv", ".venv", ".pipenv", ".checkov", ".demo-cache", ".set-up.lock", ".hypothesis"),
    *(".*_cache", "__pycache__", "*.egg-info", "cdktf.out", ".git"),
    *(".terraform", "*.tfstate*", "*.tfvars"),
)


def copy_checkout(root: Path, copy: Path, *, terraform: bool = False) -> None:
    """Copy the files of *root* that git tracks or would track to *copy*.

    Copy ``terraform/``, whose content is that of the user's main.py, only with *terraform*.
    Without git, as in a ZIP file of the project, copy all files except generated ones.
    """
    if (root / ".git").exists():
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for name in listed.rstrip("\0").split("\0"):
            if (root / name).is_symlink() or (root / name).is_file():
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, copy / name, follow_symlinks=False)
    else:
        shutil.copytree(root, copy, ignore=_GENERATED, symlinks=True)
    if not terraform:
        shutil.rmtree(copy / "terraform", ignore_errors=True)
