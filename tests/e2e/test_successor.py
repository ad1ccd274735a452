"""`make successor`: the program on CDK Terrain gives the same configuration."""

import os
import subprocess
from pathlib import Path

import pytest
from support.checkout import copy_checkout
from support.documented import as_main_of
from support.golden import assert_golden

# A program of two files, which imports CDKTF in several ways.
PROGRAM = """
import sys, cdktf
from buildkite_agents import AgentApp, AgentQueue, AgentStack, AgentToken
from reports import Reports
app = AgentApp()
token = AgentToken(write_only_version=1)
Reports(app, AgentStack(app, project="acme", queues=[AgentQueue("m5.4xlarge")], token=token))
app.synth()
print(cdktf.__name__, Reports.__mro__[1].__module__)
"""
REPORTS = """
import cdktf as tf
from cdktf import (
    LocalBackend,
    TerraformStack,
)
class Reports(TerraformStack):
    def __init__(self, app, agents):
        import cdktf
        super().__init__(app, "reports")
        LocalBackend(self, path="reports.tfstate")
        tf.TerraformOutput(self, "policy", value=cdktf.Fn.lower(agents.policy.arn))
"""


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=Somebody", "-c", "user.email=somebody@example.com"]
    return subprocess.run(
        [*command, *arguments], cwd=folder, stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def make_successor(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        # Below another make, such as that of the tests, make would print the folder too.
        ["make", "--no-print-directory", "successor"],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def clone(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of this project, with a program of its user's."""
    folder = tmp_path_factory.mktemp("successor") / "clone"
    copy_checkout(root, folder)
    as_main_of(folder)
    (folder / "program.py").write_text(PROGRAM)
    (folder / "reports.py").write_text(REPORTS)
    # What is no UTF-8 text, or no file.
    (folder / "latin.py").write_bytes(b"# \xe9\r\nimport cdktf\r\n")
    (folder / "binary.py").write_bytes(b"\0import cdktf\xff")
    (folder / "broken.py").symlink_to("missing.py")
    (folder / "folder.py").mkdir()
    (folder / "folder.py" / "requirements.txt").write_text('cdktf>=0.21; sys_platform=="linux"\n')
    (folder / "cli.py").write_text("run('cdktf')\n")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "CDKTF")
    return folder


@pytest.fixture(scope="module")
def moved(clone: Path) -> Path:
    """It, moved to the successor."""
    done = make_successor(clone)
    assert done.returncode == 0, done.stderr
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--message", "CDK Terrain")
    return clone


def test_it_does_not_mix_with_changes_that_are_not_committed(clone: Path) -> None:
    (clone / "reports.py").write_text(REPORTS + "# changed\n")
    done = make_successor(clone)
    assert "would change the same files: reports.py: commit or stash first" in done.stderr
    assert done.returncode != 0
    assert git(clone, "status", "--porcelain") == " M reports.py\n"
    git(clone, "checkout", "--quiet", "reports.py")


def test_outside_of_git_it_changes_nothing(root: Path, tmp_path: Path) -> None:
    copy_checkout(root, tmp_path / "copy")
    (tmp_path / "copy" / "reports.py").write_text(REPORTS)
    done = make_successor(tmp_path / "copy")
    assert "error: this changes many files, and is only for a git checkout:" in done.stderr
    assert (tmp_path / "copy" / "reports.py").read_text() == REPORTS


def test_without_the_index_it_changes_nothing(clone: Path) -> None:
    nothing = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/", "UV_CACHE_DIR": str(clone / ".uv/cache")}
    run = subprocess.run(["make", "setup"], cwd=clone, capture_output=True, check=False)
    assert run.returncode == 0
    done = make_successor(clone, **nothing)
    assert "failed: the lines above show why. Nothing was changed\n" in done.stderr
    assert done.returncode != 0
    assert git(clone, "status", "--porcelain") == ""


def test_files_that_are_not_utf_8_keep_their_bytes(moved: Path) -> None:
    assert (moved / "latin.py").read_bytes() == b"# \xe9\r\nimport cdktn as cdktf\r\n"
    assert (moved / "binary.py").read_bytes() == b"\0import cdktf\xff"
    requirements = (moved / "folder.py" / "requirements.txt").read_text()
    assert requirements == 'cdktn>=0.24,<0.25; sys_platform=="linux"\n'


def test_the_configuration_is_the_same(moved: Path) -> None:
    subprocess.run(["make", "synth"], cwd=moved, check=True)
    assert_golden(moved / "terraform")
    (site_packages,) = (moved / ".venv" / "lib").glob("python3.*/site-packages")
    assert (site_packages / "cdktn").is_dir()
    assert not (site_packages / "cdktf").exists()


def test_a_program_of_several_files_runs_on_it(moved: Path) -> None:
    subprocess.run(["make", "setup"], cwd=moved, check=True)
    done = subprocess.run(
        [moved / ".venv" / "bin" / "python", "program.py"],
        cwd=moved,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("cdktn cdktn\n")


def test_a_second_time_it_changes_nothing(moved: Path) -> None:
    assert make_successor(moved).stdout == (
        "This checkout uses CDK Terrain already.\n"
        "Look at these yourself, as they may name CDKTF's packages:\ncli.py:1: run('cdktf')\n"
    )
    assert git(moved, "diff", "HEAD", "--stat") == ""


def test_it_completes_a_move_that_was_interrupted(moved: Path) -> None:
    git(moved, "tag", "moved")
    git(moved, "reset", "--quiet", "HEAD~")  # as before the move is committed
    lists = ("Pipfile", "Pipfile.lock", "pyproject.toml")
    for left in (("reports.py", *lists), lists, ("Pipfile.lock",), ("pyproject.toml",)):
        git(moved, "restore", *left)
        done = make_successor(moved)
        assert done.returncode == 0, done.stderr
        assert git(moved, "diff", "moved", "--stat") == ""
