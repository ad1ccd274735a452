"""The throw-away instances themselves."""

from pathlib import Path

import pytest

from bootstrap import instance


def test_refused_namespaces_are_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = tmp_path / "unshare"
    refusing.write_text("#!/bin/sh\necho unshare failed: Operation not permitted >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(instance.NamespacesRefusedError, match="Operation not permitted") as refused:
        instance.Instance(tmp_path)
    assert "newuidmap" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_programs_for_administrators_are_found_without_their_folders_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert instance._which("useradd") in {"/usr/sbin/useradd", "/sbin/useradd"}  # noqa: SLF001
