"""Errors of CDKTF, whose traceback says nothing to a user, in plain words."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from buildkite_agents.errors import ConfigError

# An error of Node.js, such as "EACCES: permission denied, open '/x'".
_FILE_ERROR = re.compile(r"\bE[A-Z]{3,}: [a-z ]+, \w+ '[^']*'")
_LISTS = ("Error: Validation failed with", "Error: Encountered Annotations")
# A line of one of these lists.
_OF_A_CONSTRUCT = re.compile(r"^ *\[(?P<path>[^\]]+)\] (?P<what>.+)$", re.MULTILINE)
_CIRCULAR = re.compile(r"Cannot add dependency (\S+) to (\S+), because it would cause a circular")
_NO_TERRAFORM = "Could not determine version of terraform"
_TERRAFORM_IS_REQUIRED = (
    "CDKTF runs `terraform version` for a cloud backend, import_from() and the moves of a "
    "resource, and that failed: put `terraform` on PATH, or instead of these methods write "
    "`import` and `moved` blocks in a .tf file of your own beside the configuration"
)


@contextlib.contextmanager
def in_plain_words(folder: Path) -> Iterator[None]:
    """Convert CDKTF's errors while it writes to *folder* into a ConfigError."""
    try:
        yield
    except RuntimeError as error:
        problems = [*_problems(str(error), folder)]
        if not problems:
            raise
        raise ConfigError(*problems) from None


def _problems(text: str, folder: Path) -> Iterator[str]:
    if text.startswith("error: "):
        # A ConfigError of Python code that Node.js called, such as an aspect.
        yield from text.removeprefix("error: ").split("\nerror: ")
        return
    for found in _OF_A_CONSTRUCT.finditer(text) if text.startswith(_LISTS) else ():
        what = _TERRAFORM_IS_REQUIRED if _NO_TERRAFORM in found["what"] else found["what"]
        yield f"{found['path']}: {what}"
    circular = _CIRCULAR.search(text)
    if circular is not None:
        one, other = circular.groups()
        yield (
            f"{one} and {other} refer to each other, and one must be applied first: remove the "
            "references of one to the other"
        )
    failed = _FILE_ERROR.search(text)
    if failed is not None:
        yield f"cannot write to {folder}: {failed[0]}"
