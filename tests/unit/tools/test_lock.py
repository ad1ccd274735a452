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


def test_a_lock_has_pipenvs_form(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given: list[tuple[str, str]] = []

    def compiled(requirements: str, *, keep: str = "", constraints: str = "") -> str:
        assert keep == ""
        given.append((requirements, constraints))
        return FOUND

    monkeypatch.setattr(lock, "compiled", compiled)
    monkeypatch.setattr(lock, "ROOT", tmp_path)
    (tmp_path / "Pipfile").write_text(
        '[packages]\nours = {path = ".", editable = true}\nsix = ">=1"\nany = "*"\n[dev-packages]\n'
        'moto = {version = ">=5", extras = ["server"], markers = "sys_platform == \'linux\'"}\n'
    )
    (tmp_path / "Pipfile.lock").touch()
    lock.lock_pipfile(upgrade=True)
    assert given == [("six>=1\nany\n", ""), ("moto[server]>=5 ; sys_platform == 'linux'\n", FOUND)]
    written = json.loads((tmp_path / "Pipfile.lock").read_text())
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
