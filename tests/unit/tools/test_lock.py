"""The tool that locks packages."""

import json
from pathlib import Path

import pytest

from tools import lock

FOUND = """six==1.17.0 \\
    --hash=sha256:bb \\
    --hash=sha256:aa
moto[server]==5.2.5 ; sys_platform == 'linux' \\
    --hash=sha256:cc
"""


def test_a_lock_has_pipenvs_form(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[str, str]] = []

    def compiled(requirements: str, *, keep: str = "", constraints: str = "") -> str:
        assert keep == ""
        given.append((requirements, constraints))
        return FOUND

    monkeypatch.setattr(lock, "compiled", compiled)
    text = lock.locked(
        '[packages]\nours = {path = ".", editable = true}\nsix = ">=1"\nany = "*"\n[dev-packages]\n'
        'moto = {version = ">=5", extras = ["server"], markers = "sys_platform == \'linux\'"}\n',
        upgrade=True,
    )
    assert given == [("six>=1\nany\n", ""), ("moto[server]>=5 ; sys_platform == 'linux'\n", FOUND)]
    written = json.loads(text)
    assert written["_meta"]["sources"] == []
    assert written["default"] == {
        "six": {"hashes": ["sha256:aa", "sha256:bb"], "version": "==1.17.0"},
        "moto": {
            "extras": ["server"],
            "hashes": ["sha256:cc"],
            "markers": "sys_platform == 'linux'",
            "version": "==5.2.5",
        },
        "ours": {"editable": True, "path": "."},
    }


def test_what_cannot_be_read_is_not_left_out() -> None:
    with pytest.raises(SystemExit, match="cannot read what uv found: six @ https://example"):
        lock._parsed("six @ https://example.com/six.zip\n")  # noqa: SLF001


@pytest.mark.parametrize("text", ["[packages\n", "# \udce9\n"])
def test_a_pipfile_that_cannot_be_parsed_is_reported_in_one_line(text: str) -> None:
    with pytest.raises(SystemExit, match=r"^error: Pipfile: .*: correct it"):
        lock.parsed_pipfile(text)


def test_a_package_of_a_repository_is_reported_in_one_line() -> None:
    with pytest.raises(SystemExit, match=r"^error: Pipfile: x has no version"):
        lock.locked('[packages]\nx = {git = "https://example.com/x"}\n', upgrade=True)


def test_all_files_are_written_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "ROOT", tmp_path)
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("before")
    one.chmod(0o755)
    with pytest.raises(OSError, match="cannot be written to"):
        lock.write_all({one: "after", tmp_path / "missing" / "two": ""})
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    assert one.read_text() == "before"
    lock.write_all({one: "after", two: "\udcff\r\n"})
    assert one.read_text() == "after"
    assert one.stat().st_mode & 0o777 == 0o755
    assert two.read_bytes() == b"\xff\r\n"
