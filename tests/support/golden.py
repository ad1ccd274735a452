"""The golden folder, and comparisons of folders that show what differs."""

import difflib
from collections.abc import Iterator
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "golden" / "terraform"
"""The ``terraform/`` folder of the documented queues."""


def assert_golden(folder: Path) -> None:
    """Fail with a unified diff unless the files in *folder* are those of the golden folder."""
    assert_same_files(
        folder,
        GOLDEN,
        "If the change is meant, show it: rm -r tests/golden/terraform && "
        "(cd tests/golden && ../../.venv/bin/python main.py && rm -r cdktf.out)",
    )


def assert_same_files(folder: Path, expected: Path, advice: str = "") -> None:
    """Fail with a unified diff and *advice* unless both folders have the same files."""
    difference = "".join(_difference(folder, expected))
    if difference:
        pytest.fail(f"{difference}{advice}", pytrace=False)


def _difference(folder: Path, expected: Path) -> Iterator[str]:
    got, wanted = _files(folder), _files(expected)
    for name in sorted(got.keys() | wanted.keys()):
        if got.get(name) != wanted.get(name):
            before, after = (_lines(files.get(name)) for files in (wanted, got))
            yield from difflib.unified_diff(before, after, f"{expected}/{name}", f"{folder}/{name}")


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _lines(content: bytes | None) -> list[str]:
    if content is None:
        return ["(there is no such file)\n"]
    return [f"{line}\n" for line in content.decode(errors="backslashreplace").split("\n")]
