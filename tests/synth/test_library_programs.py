"""Programs that use the package as a library, each in a process of its own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.documents import code_blocks

CLI = Path(__file__).parents[1] / "support" / "terraform_cli.py"


def run_python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_importing_it_changes_nothing_of_the_process(tmp_path: Path) -> None:
    code = """
import gc, os, sys
def process():
    collector = gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()
    return sys.excepthook, collector, dict(os.environ)
before = process()
from buildkite_agents import AgentApp, AgentStack
assert process() == before
"""
    done = run_python(code, tmp_path)
    assert done.returncode == 0, done.stderr


def test_an_error_can_be_caught_like_any_other_exception(tmp_path: Path) -> None:
    code = """
from buildkite_agents import ConfigError
try:
    raise ConfigError("first", "second")
except Exception as error:
    assert error.problems == ("first", "second")
    print(error)
"""
    assert run_python(code, tmp_path).stdout == "error: first\nerror: second\n"


def test_an_uncaught_error_is_its_message_and_a_status(tmp_path: Path) -> None:
    code = "from buildkite_agents import ConfigError\nraise ConfigError('first', 'second')\n"
    done = run_python(code, tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: first\nerror: second\n"


def test_so_is_a_missing_node_if_the_bindings_are_imported_first(tmp_path: Path) -> None:
    code = "from buildkite_agents.aws.s3_bucket import S3Bucket"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "JSII_NODE": "/missing/node"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.startswith("error: JSII_NODE is '/missing/node', which is not an executable")
    assert done.stderr.count("\n") == 1


CLOUD = """
import sys
import cdktf
from buildkite_agents import AgentApp, AgentQueue, AgentStack
app = AgentApp()
stack = AgentStack(
    app, project="acme", queues=[AgentQueue("m5.large")], bootstrap_script=sys.argv[1]
)
cdktf.CloudBackend(
    stack, organization="acme", workspaces=cdktf.NamedCloudWorkspace("agents")
)
app.synth()
"""


def synthesize_for_the_cloud(
    folder: Path, script: Path, path: Path
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CLOUD, script],
        cwd=folder,
        env={**os.environ, "PATH": f"{path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_so_does_the_cloud_block_with_terraform_installed(
    bootstrap_script: Path, tmp_path: Path
) -> None:
    # CDKTF runs it to read its version.
    terraform = tmp_path / "terraform-of-this-machine"
    terraform.mkdir()
    (terraform / "terraform").write_text(f'#!/bin/sh\nexec {sys.executable} {CLI} "$@"\n')
    (terraform / "terraform").chmod(0o755)
    done = synthesize_for_the_cloud(tmp_path, bootstrap_script, terraform)
    assert done.returncode == 0, done.stderr
    block = json.loads((tmp_path / "terraform" / "main.tf.json").read_text())["terraform"]
    assert block["cloud"] == {"organization": "acme", "workspaces": {"name": "agents"}}
    assert "backend" not in block


def test_without_terraform_a_cloud_block_is_refused_in_one_line(
    bootstrap_script: Path, tmp_path: Path
) -> None:
    done = synthesize_for_the_cloud(tmp_path, bootstrap_script, tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: acme-prod/backend: CDKTF runs `terraform version` for a")
    assert done.stderr.count("\n") == 1


ERRORS_OF_CDKTF = """
import sys
import cdktf, jsii
from constructs import IConstruct
from buildkite_agents.aws.s3_bucket import S3Bucket

@jsii.implements(cdktf.IAspect)
class Rename:
    def visit(self, node: IConstruct) -> None:
        if isinstance(node, QueueStack):
            node.override_logical_id("x")

app = AgentApp()
stack = AgentStack(app, **fleet)
bucket = S3Bucket(stack, "own", bucket="own")
{code}
app.synth()
"""


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("bucket.import_from('x')", "acme-prod/own: CDKTF runs `terraform version`"),
        ("bucket.move_from_id('aws_s3_bucket.x')", "acme-prod: CDKTF runs `terraform version`"),
        ("S3Bucket(cdktf.TerraformStack(app, 'o'), 'b')", "o: Found resources without a matching"),
        (
            "other = AgentStack(app, **{**fleet, 'project': 'other', 'deployment': "
            "Deployment(folder='other')})\n"
            "cdktf.TerraformOutput(stack, 'a', value=other.policy.arn)\n"
            "cdktf.TerraformOutput(other, 'a', value=stack.policy.arn)",
            "acme-prod and other-prod refer to each other, and one must be applied first",
        ),
        ("cdktf.Annotations.of(stack).add_error('not today')", "acme-prod: not today"),
        ("cdktf.Aspects.of(stack).add(Rename())", "aws_cloudformation_stack.amd64-m5-4xlarge-"),
    ],
)
def test_an_error_of_cdktf_is_a_line(code: str, error: str, tmp_path: Path) -> None:
    done = run_program(tmp_path, ERRORS_OF_CDKTF.format(code=code), PATH="")
    assert done.stderr.startswith(f"error: {error}")
    assert done.stderr.count("\n") == 1


def run_program(folder: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    program = (
        "import cdktf\nfrom buildkite_agents import *\n"
        'fleet = {"project": "acme", "queues": [AgentQueue("m5.4xlarge")]}\n' + code
    )
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("arguments", [">&-", ">&- 2>&-", "| cat"])
def test_any_output_is_enough(arguments: str, tmp_path: Path) -> None:
    code = (
        "from buildkite_agents import *\n"
        "app = AgentApp()\n"
        "AgentStack(app, project='acme', queues=[AgentQueue('m5.large', max_size=0, name='q')],\n"
        "    deployment=Deployment(folder='\u00fc'))\n"
        "app.synth()\n"
    )
    (tmp_path / "main.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        ["bash", "-c", f'set -o pipefail; "{sys.executable}" main.py {arguments}'],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert (r"/\xfc/" in done.stdout) is (arguments == "| cat")


FORGOTTEN = "AgentStack(AgentApp(), **fleet)"
OTHER = "{**fleet, 'project': 'other'}"


@pytest.mark.parametrize(
    ("code", "names"),
    [
        (FORGOTTEN, "acme-prod"),
        ("AgentStack(AgentApp(), **{**fleet, 'project': ''})", "-prod"),
        ("app = cdktf.App(); AgentStack(app, **fleet)", "acme-prod"),
        (
            f"app = AgentApp(); AgentStack(app, **fleet); AgentStack(app, **{OTHER})",
            "acme-prod, other-prod",
        ),
        (f"app = AgentApp(); AgentStack(app, **{OTHER}); app.synth(); {FORGOTTEN}", "acme-prod"),
        (f"import sys\ntry: sys.exit(1)\nexcept SystemExit: pass\n{FORGOTTEN}", "acme-prod"),
        (f"def main(): {FORGOTTEN}\nmain()", "acme-prod"),
    ],
)
def test_a_program_that_does_not_synthesize_says_so(code: str, names: str, tmp_path: Path) -> None:
    done = run_program(tmp_path, code)
    assert done.stderr == (
        f"warning: {names}: nothing was written, because the program ended without app.synth()\n"
    )


@pytest.mark.parametrize(
    "code",
    [
        "AgentApp()",
        "app = AgentApp(); AgentStack(app, **fleet); app.synth()",
        "cdktf.Testing.synth(AgentStack(AgentApp(), **fleet), True)",
        "cdktf.Testing.synth(AgentStack(cdktf.Testing.app(), **fleet), True)",
        "AgentStack(cdktf.Testing.app(), **fleet)",
        f"import argparse; {FORGOTTEN}; argparse.ArgumentParser().parse_args(['--help'])",
        f"import sys; {FORGOTTEN}; sys.exit(2)",
        f"{FORGOTTEN}; raise SystemExit",
        "app = AgentApp(); AgentStack(app, **{**fleet, 'project': ''})\n"
        "try: app.synth()\nexcept ConfigError: pass",
    ],
)
def test_others_say_nothing(code: str, tmp_path: Path) -> None:
    assert run_program(tmp_path, code).stderr == ""


@pytest.mark.parametrize("error", ["1 / 0", "raise ConfigError('the error')"])
def test_nor_is_it_said_after_an_exception(error: str, tmp_path: Path) -> None:
    done = run_program(tmp_path, f"{FORGOTTEN}\n{error}")
    assert done.stderr.splitlines()[-1] in {
        "ZeroDivisionError: division by zero",
        "error: the error",
    }


TESTS = """
import unittest
import cdktf
from buildkite_agents import *
fleet = {"project": "acme", "queues": [AgentQueue("m5.4xlarge")]}
class Fleet(unittest.TestCase):
    def test_app(self):
        AgentStack(AgentApp(), **fleet)
    def test_plain_app(self):
        app = cdktf.App()
        AgentStack(app, **fleet)
        app.synth()
if __name__ == "__main__":
    unittest.main(exit=False)
"""


@pytest.mark.parametrize(
    "command", [["test_fleet.py"], ["-m", "unittest", "test_fleet"], ["-m", "pytest", "-q"]]
)
def test_nor_in_a_test(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "test_fleet.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert not {"warning", "note"} & {*re.findall(r"\w+", done.stdout + done.stderr)}


IN_A_PLAIN_APP = "app = cdktf.App(); AgentStack(app, **fleet); app.synth()"


def test_a_plain_app_says_what_it_does_not_write(tmp_path: Path) -> None:
    assert run_program(tmp_path, IN_A_PLAIN_APP).stderr == (
        "note: acme-prod is in a cdktf.App, which writes cdktf.out/ alone: an AgentApp also writes "
        "terraform/\n"
    )
    assert not (tmp_path / "terraform").exists()


def test_it_says_nothing_to_the_cdktf_cli(tmp_path: Path) -> None:
    done = run_program(tmp_path, IN_A_PLAIN_APP, CDKTF_OUTDIR=str(tmp_path / "out"))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("state", "by_cli", "command"),
    [
        ("terraform", True, "cdktf deploy"),
        ("cdktf.out/stacks/acme-prod", False, "terraform apply"),
        ("terraform", False, None),
        ("cdktf.out/stacks/acme-prod", True, None),
    ],
)
def test_the_state_of_the_other_way_to_deploy_is_noticed(
    state: str, by_cli: bool, command: str | None, tmp_path: Path
) -> None:
    (tmp_path / state).mkdir(parents=True)
    (tmp_path / state / "terraform.tfstate").write_text("{}")
    environment = {"CDKTF_OUTDIR": str(tmp_path / "cdktf.out")} if by_cli else {}
    code = "app = AgentApp(); AgentStack(app, **fleet); app.synth()"
    done = run_program(tmp_path, code, **environment)
    assert done.returncode == 0, done.stderr
    assert done.stderr == (
        f"warning: acme-prod: `{command}` does not read {tmp_path / state}/terraform.tfstate, the "
        "state of this deployment, and would create it again\n"
        if command
        else ""
    )


def test_the_documented_programs_have_the_right_types(root: Path, tmp_path: Path) -> None:
    for number, block in enumerate(code_blocks("library.md", "python")):
        (tmp_path / f"block{number}.py").write_text(block)
    mypy = [sys.executable, "-m", "mypy", "--config-file", os.devnull, "--strict"]
    done = subprocess.run(
        [*mypy, "--namespace-packages", *map(str, tmp_path.iterdir())],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(root / "constructs")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
