"""Comparisons of folders."""

from pathlib import Path

import pytest
from support.golden import assert_same_files


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    got, expected = tmp_path / "got", tmp_path / "expected"
    for folder in (got, expected):
        (folder / "inner").mkdir(parents=True)
        (folder / "inner" / "main.tf.json").write_text('{\n  "a": 1,\n  "b": 2\n}\n')
    return got, expected


def test_the_same_files_are_the_same(folders: tuple[Path, Path]) -> None:
    assert_same_files(*folders)


def test_a_difference_is_shown_as_a_unified_diff(folders: tuple[Path, Path]) -> None:
    got, expected = folders
    (got / "inner" / "main.tf.json").write_text('{\n  "a": 1,\n  "b": 3\n}\n')
    with pytest.raises(pytest.fail.Exception, match="what to do") as failed:
        assert_same_files(got, expected, "what to do")
    shown = str(failed.value)
    assert f"--- {expected}/inner/main.tf.json\n+++ {got}/inner/main.tf.json\n" in shown
    assert '   "a": 1,\n-  "b": 2\n+  "b": 3\n }\n' in shown


@pytest.mark.parametrize(("index", "sign"), [(0, "+"), (1, "-")])
def test_a_file_in_only_one_of_them_is_shown(
    folders: tuple[Path, Path], index: int, sign: str
) -> None:
    (folders[index] / "more").write_bytes(b"")
    with pytest.raises(pytest.fail.Exception) as failed:
        assert_same_files(*folders)
    assert f"{'-' if sign == '+' else '+'}(there is no such file)" in str(failed.value)
