"""The files that this program owns in a user's folder. Edited files are never overwritten."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from buildkite_agents.errors import ConfigError
from buildkite_agents.output.folder_lock import folder_lock

RECORD = ".buildkite-agents.sha256"
"""The checksums of the files written last, in the format of ``sha256sum``, to detect edits."""

INTERRUPTED = "synth-interrupted.tf"
"""Exists while files are replaced, or after an interruption, and makes Terraform fail."""

_INTERRUPTED_TEXT = b"""\
# Some files here are of the last synthesis and others of the one before.
# Synthesize again: that finishes it and removes this file.
synthesis_was_interrupted_synthesize_again {}
"""

_STAGING = ".buildkite-agents-staging-"


class Executable(bytes):
    """The content of a file that can be executed."""


class OwnedFiles:
    """All files that the program owns in one folder; other files are never touched."""

    def __init__(
        self, folder: Path, files: Mapping[str, bytes], *, given_away: Collection[str] = ()
    ) -> None:
        """Set the contents of the program's files, by their path in *folder*.

        The files *given_away* belong to the user, even if the record lists them.
        """
        self._folder = folder
        self._files = files
        self._given_away = given_away

    def conflicts(self) -> list[str]:
        """Return an error for each file that this program did not write, or that was edited."""
        if not os.path.lexists(self._folder):
            return []
        if not self._folder.is_dir():
            return [f"{self._folder} is not a folder: set another folder"]
        record = self._read_record()
        # Git merges two syntheses into files that are of neither.
        merged = set(record) if _is_unmerged(_content(self._folder / RECORD)) else set()
        return [
            f"{self._folder / name} was changed outside this program; refusing to overwrite it: "
            f"{_advice(name)}"
            for name in self._names(record)
            if name not in merged and not self._is_ours(name, record)
        ]

    def _is_ours(self, name: str, record: Mapping[str, set[str]]) -> bool:
        """Whether a file can be replaced: this program wrote it, or it does not exist."""
        path = self._folder / name
        for parent in path.relative_to(self._folder).parents:
            if (self._folder / parent).exists() and not (self._folder / parent).is_dir():
                return False
        if not path.exists():
            return True
        content = path.read_bytes()
        if content == self._files.get(name):
            return True
        return name in record and (_digest(content) in record[name] or _is_unmerged(content))

    def outdated(self) -> list[str]:
        """Return an error for each file that differs from what :meth:`write` would write."""
        return [
            f"{self._folder / name} is out of date: run `make synth` or the program, and commit "
            "the result"
            for name in self._names(self._read_record())
            if not self._is_written(name)
        ]

    def write(self) -> None:
        """Write all files and remove those that are no longer needed, or change nothing.

        If the process is killed meanwhile, a marker file makes Terraform fail until the next call
        has completed the work.

        Raises:
            ConfigError: a file is in conflict, or the folder is not writable.
        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with folder_lock(self._folder):
                conflicts = self.conflicts()
                if conflicts:
                    raise ConfigError(*conflicts)
                self._replace()
        except OSError as error:
            raise ConfigError(f"cannot write to {self._folder}: {error}") from error

    def _names(self, record: Mapping[str, set[str]]) -> list[str]:
        return sorted({*self._files, *record})

    def _is_written(self, name: str) -> bool:
        path, content = self._folder / name, self._files.get(name)
        if _content(path) != content:
            return False
        # Others are not executed; their modes are the user's.
        is_asset = "/" in name and content is not None
        return not is_asset or _is_executable(path) == isinstance(content, Executable)

    def _replace(self) -> None:
        for leftover in self._folder.glob(f"{_STAGING}*"):
            shutil.rmtree(leftover)
        record = self._read_record()
        changed = [name for name in sorted(self._files) if not self._is_written(name)]
        stale = [name for name in self._names(record) if name not in self._files]
        wanted_record = _record({name: {_digest(text)} for name, text in self._files.items()})
        interrupted = self._folder / INTERRUPTED
        if not changed and _content(self._folder / RECORD) == wanted_record:
            interrupted.unlink(missing_ok=True)
            return

        staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=self._folder))
        try:
            for name in changed:
                (staging / name).parent.mkdir(parents=True, exist_ok=True)
                (staging / name).write_bytes(self._files[name])
                if isinstance(self._files[name], Executable):
                    (staging / name).chmod(0o755)
            for name in self._files:
                record[name].add(_digest(self._files[name]))
            # Written first, so that after an interruption both contents count as the program's.
            self._put(staging, RECORD, _record(record))
            if len(changed) + len(stale) > 1:
                self._put(staging, INTERRUPTED, _INTERRUPTED_TEXT)
            for name in changed:
                (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
                (staging / name).replace(self._folder / name)
            for name in stale:
                (self._folder / name).unlink(missing_ok=True)
                self._remove_empty_folders(name)
            self._put(staging, RECORD, wanted_record)
            interrupted.unlink(missing_ok=True)
        finally:
            shutil.rmtree(staging)

    def _remove_empty_folders(self, name: str) -> None:
        for parent in list(PurePosixPath(name).parents)[:-1]:
            with contextlib.suppress(OSError):
                (self._folder / parent).rmdir()

    def _put(self, staging: Path, name: str, content: bytes) -> None:
        (staging / name).write_bytes(content)
        (staging / name).replace(self._folder / name)

    def _read_record(self) -> defaultdict[str, set[str]]:
        record: defaultdict[str, set[str]] = defaultdict(set)
        recorded = (_content(self._folder / RECORD) or b"").decode(errors="replace")
        for line in recorded.splitlines():
            digest, _, name = line.partition("  ")
            # A damaged line matches no file, so that the file counts as the user's.
            if _is_within(name) and name not in self._given_away:
                record[name].add(digest)
        return record


def _is_within(name: str) -> bool:
    """Whether *name* is the path of a file within a folder."""
    path = PurePosixPath(name)
    return path.as_posix() == name != "." and not path.is_absolute() and ".." not in path.parts


def _advice(name: str) -> str:
    path = PurePosixPath(name)
    if len(path.parts) > 1:
        return "make the change in the asset or module that it is a copy of, and remove the file"
    if path.suffix == ".sh":
        return "copy it to the file that bootstrap_script names to keep it, or remove it"
    if path.suffix == ".example":
        return f"move your values to {path.stem}, which synthesis never changes, and remove it"
    return "make the change in main.py and remove the file, or set another folder"


def _is_executable(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o100)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _is_unmerged(content: bytes | None) -> bool:
    """Whether a file has the marks of a conflict that git leaves."""
    lines = (content or b"").splitlines()
    return all(
        any(line.startswith(mark) for line in lines)
        for mark in (b"<<<<<<< ", b"=======", b">>>>>>> ")
    )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _record(digests: Mapping[str, set[str]]) -> bytes:
    lines = [f"{digest}  {name}\n" for name in sorted(digests) for digest in sorted(digests[name])]
    return "".join(lines).encode()
