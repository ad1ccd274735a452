"""The bootstrap script, which each new instance runs as root."""

import re
from pathlib import Path

from buildkite_agents.expressions import is_reference

FILE_NAME = "buildkite-bootstrap.sh"
"""The name of the script's file beside the configuration."""

KEY = "bootstrap/setup_benchmark_machine.sh"
"""The script's key in the secrets bucket."""


def local_path(script: Path | str | None) -> Path | None:
    """The path of a script that is a local file; None for a URL, a reference or no script."""
    if script is None or (isinstance(script, str) and ("://" in script or is_reference(script))):
        return None
    return Path(script)


def needs_dnf(script: Path | str | None) -> bool:
    """Whether a script is a local file that runs dnf, the package manager of Amazon Linux 2023."""
    text = _text(script)
    runs_dnf = re.search(r"^[^#\n]*\bdnf +-*[a-z]", text, re.MULTILINE) is not None
    return runs_dnf and not re.search(r"\b(apt-get|yum|command -v dnf|which dnf)\b", text)


def deadline(script: Path | str | None) -> int | None:
    """The seconds that a local script allows itself, by its line ``DEADLINE=SECONDS``."""
    found = re.search(r"^DEADLINE=([0-9]+)$", _text(script), re.MULTILINE)
    return int(found[1]) if found else None


def _text(script: Path | str | None) -> str:
    path = local_path(script)
    try:
        return "" if path is None else path.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""  # the checks report it
