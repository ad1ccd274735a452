"""The replacement of owned files, which never overwrites an edit."""

import hashlib
import multiprocessing
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from buildkite_agents import ConfigError
from buildkite_agents.output.owned_files import INTERRUPTED, RECORD, OwnedFiles

FIRST = {"main.tf.json": b"{}\n", "run.sh": b"true\n"}
SECOND = {"main.tf.json": b'{"a": 1}\n', "run.sh": b"false\n"}


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.iterdir() if path.is_file() and path.name != RECORD)
    return {path.name: path.read_bytes() for path in files}


def test_a_new_folder_is_made(tmp_path: Path) -> None:
    OwnedFiles(tmp_path / "a" / "b", FIRST).write()
    assert contents(tmp_path / "a" / "b") == FIRST


def test_the_record_is_one_that_sha256sum_can_check(tmp_path: Path) -> None:
    OwnedFiles(tmp_path, FIRST).write()
    digest = hashlib.sha256(b"{}\n").hexdigest()
    assert f"{digest}  main.tf.json\n" in (tmp_path / RECORD).read_text()


def test_what_was_written_before_is_replaced(tmp_path: Path) -> None:
    OwnedFiles(tmp_path, FIRST).write()
    OwnedFiles(tmp_path, SECOND).write()
    assert contents(tmp_path) == SECOND


def test_a_file_that_is_no_longer_wanted_is_removed(tmp_path: Path) -> None:
    OwnedFiles(tmp_path, FIRST).write()
    OwnedFiles(tmp_path, {"run.sh": b"true\n"}).write()
    assert contents(tmp_path) == {"run.sh": b"true\n"}


def test_the_users_files_are_not_touched(tmp_path: Path) -> None:
    theirs = {"terraform.tfvars": b"x = 1\n", "vpc.tf": b"# ours\n", "terraform.tfstate": b"{}"}
    for name, content in theirs.items():
        (tmp_path / name).write_bytes(content)
    OwnedFiles(tmp_path, FIRST).write()
    OwnedFiles(tmp_path, SECOND).write()
    assert contents(tmp_path) == {**theirs, **SECOND}


def test_an_unchanged_file_keeps_its_time(tmp_path: Path) -> None:
    OwnedFiles(tmp_path, FIRST).write()
    before = (tmp_path / "run.sh").stat().st_mtime_ns
    OwnedFiles(tmp_path, {**SECOND, "run.sh": FIRST["run.sh"]}).write()
    assert (tmp_path / "run.sh").stat().st_mtime_ns == before


def test_an_edited_file_is_not_overwritten(tmp_path: Path) -> None:
    OwnedFiles(tmp_path, FIRST).write()
    (tmp_path / "run.sh").write_text("edited\n")
    with pytest.raises(ConfigError, match=r"run\.sh was changed outside this program.*copy it to"):
        OwnedFiles(tmp_path, SECOND).write()
    assert contents(tmp_path) == {**FIRST, "run.sh": b"edited\n"}


def test_an_edit_that_equals_the_new_content_is_accepted(tmp_path: Path) -> None:
    OwnedFiles(tmp_path, FIRST).write()
    (tmp_path / "run.sh").write_bytes(SECOND["run.sh"])
    OwnedFiles(tmp_path, SECOND).write()
    assert contents(tmp_path) == SECOND


def test_a_users_file_of_the_same_name_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "main.tf.json").write_text("theirs")
    with pytest.raises(ConfigError, match=r"main\.tf\.json was changed outside this program"):
        OwnedFiles(tmp_path, FIRST).write()
    assert contents(tmp_path) == {"main.tf.json": b"theirs"}


def test_an_edited_file_that_is_no_longer_wanted_is_not_removed(tmp_path: Path) -> None:
    OwnedFiles(tmp_path, FIRST).write()
    (tmp_path / "main.tf.json").write_text("edited")
    with pytest.raises(ConfigError, match=r"main\.tf\.json"):
        OwnedFiles(tmp_path, {"run.sh": b"true\n"}).write()


def test_a_removed_file_is_written_again(tmp_path: Path) -> None:
    OwnedFiles(tmp_path, FIRST).write()
    (tmp_path / "run.sh").unlink()
    OwnedFiles(tmp_path, FIRST).write()
    assert contents(tmp_path) == FIRST


def test_a_file_in_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "terraform").write_text("")
    assert OwnedFiles(tmp_path / "terraform", FIRST).conflicts() == [
        f"{tmp_path / 'terraform'} is not a folder: set another folder"
    ]


def test_a_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write to"):
        OwnedFiles(tmp_path / "file" / "terraform", FIRST).write()


def test_a_file_that_was_given_away_is_never_removed(tmp_path: Path) -> None:
    OwnedFiles(tmp_path, FIRST).write()
    rest = {"main.tf.json": FIRST["main.tf.json"]}
    OwnedFiles(tmp_path, rest, given_away=["run.sh"]).write()
    assert contents(tmp_path) == FIRST
    with pytest.raises(ConfigError, match=r"run\.sh"):
        OwnedFiles(tmp_path, SECOND).write()


KILLED_AT = """
    import os, signal, sys
    from pathlib import Path
    from buildkite_agents.output.owned_files import OwnedFiles

    left = int(sys.argv[2])

    def count(event, arguments):
        global left
        if event in {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"}:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    OwnedFiles(Path(sys.argv[1]), {"main.tf.json": b'{"a": 1}\\n', "run.sh": b"false\\n"}).write()
"""


def killed_at(step: int, folder: Path) -> bool:
    """Replace FIRST by SECOND, killed at its *step*-th call of the file system, if there is one."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED_AT), str(folder), str(step)],
        env={"PYTHONPATH": ":".join(sys.path)},
        check=False,
    )
    return done.returncode != 0


def test_killed_at_any_step_it_leaves_all_files_or_none_or_a_marker(tmp_path: Path) -> None:
    outcomes = set()
    step = 1
    while True:
        folder = tmp_path / str(step)
        OwnedFiles(folder, FIRST).write()
        if not killed_at(step, folder):
            break
        left = {name: content for name, content in contents(folder).items() if name in FIRST}
        refused = (folder / INTERRUPTED).exists()
        assert refused or left in (FIRST, SECOND), f"killed at step {step}"
        outcomes.add("refused" if refused else "first" if left == FIRST else "second")
        OwnedFiles(folder, SECOND).write()
        assert contents(folder) == SECOND, f"not mended after step {step}"
        step += 1
    assert outcomes == {"first", "refused", "second"}


def write_often(folder: Path, files: dict[str, bytes]) -> None:
    for _ in range(20):
        OwnedFiles(folder, files).write()


def test_writers_beside_each_other_leave_one_whole_set(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=write_often, args=(tmp_path, files)) for files in (FIRST, SECOND)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert contents(tmp_path) in (FIRST, SECOND)


def unmerged(one: bytes, other: bytes) -> bytes:
    return b"<<<<<<< HEAD\n" + one + b"=======\n" + other + b">>>>>>> queue-b\n"


def test_a_file_in_which_git_left_a_conflict_is_written_anew(tmp_path: Path) -> None:
    OwnedFiles(tmp_path, FIRST).write()
    path = tmp_path / "main.tf.json"
    path.write_bytes(unmerged(b"{}\n", b'{"b": 1}\n'))
    OwnedFiles(tmp_path, SECOND).write()
    assert contents(tmp_path) == SECOND


def test_a_file_that_git_merged_is_written_anew_while_the_record_is_in_conflict(
    tmp_path: Path,
) -> None:
    OwnedFiles(tmp_path, FIRST).write()
    record = tmp_path / RECORD
    record.write_bytes(unmerged(record.read_bytes(), record.read_bytes()))
    (tmp_path / "main.tf.json").write_bytes(b'{"merged": 1}\n')
    OwnedFiles(tmp_path, SECOND).write()
    assert contents(tmp_path) == SECOND
    assert b"<<<" not in record.read_bytes()


def test_the_users_own_file_is_refused_even_with_a_conflict_in_the_record(tmp_path: Path) -> None:
    OwnedFiles(tmp_path, {"run.sh": b"true\n"}).write()
    record = tmp_path / RECORD
    record.write_bytes(unmerged(record.read_bytes(), record.read_bytes()))
    (tmp_path / "main.tf.json").write_bytes(b'{"mine": 1}\n')
    with pytest.raises(ConfigError, match=r"main\.tf\.json was changed outside"):
        OwnedFiles(tmp_path, FIRST).write()


def test_an_edited_example_of_variables_is_to_become_the_users_own_file(tmp_path: Path) -> None:
    example = tmp_path / "terraform.tfvars.example"
    OwnedFiles(tmp_path, {example.name: b"a = 1\n"}).write()
    example.write_bytes(b"a = 2\n")
    with pytest.raises(ConfigError, match=r"move your values to terraform\.tfvars, which"):
        OwnedFiles(tmp_path, {example.name: b"a = 1\n"}).write()


def test_files_that_are_not_up_to_date_are_named(tmp_path: Path) -> None:
    OwnedFiles(tmp_path, FIRST).write()
    assert OwnedFiles(tmp_path, FIRST).outdated() == []
    (outdated,) = OwnedFiles(tmp_path, {**FIRST, "run.sh": b"false\n"}).outdated()
    assert outdated.startswith(f"{tmp_path / 'run.sh'} is out of date: run `make synth`")
    assert contents(tmp_path) == FIRST
