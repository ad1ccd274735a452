"""The demonstration, from start to stop."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.checkout import copy_checkout
from support.documented import as_main_of
from support.loopback_aws import TEMPLATES_BUCKET, Fault, LoopbackAws

import main


@contextmanager
def demo(root: Path, tmp_path: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The demonstration of a checkout, with what it printed until it waited or ended."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with subprocess.Popen(
        [sys.executable, root / "tools" / "demo.py"],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        printed = ""
        for line in process.stdout:
            printed += line
            if line.startswith("Press Ctrl-C"):
                break
        try:
            yield printed, process
        finally:
            process.send_signal(signal.SIGINT)
    assert "Traceback" not in printed
    assert list(temporary.iterdir()) == []


def test_it_deploys_prints_instructions_and_cleans_up(root: Path, tmp_path: Path) -> None:
    with demo(root, tmp_path) as (printed, process):
        output = run_commands_of(printed)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    readme = (root / "README.md").read_text()
    says = [line for line in printed.splitlines() if line.endswith("...")]
    assert says == re.findall(r"^\w.* \.\.\.$", readme, re.MULTILINE)
    bucket = re.search(r'buildkite_secrets_bucket = "(\S+)-buildkite-secrets"', printed)
    assert bucket is not None
    for seen in (
        f"{bucket[1]}-buildkite-{main.QUEUES[0].name}\tCREATE_COMPLETE",
        "bootstrap/setup_benchmark_machine.sh",
        "agent-token",
        f'"{bucket[1]}-buildkite-agent-policy"',
        "No changes.",
    ):
        assert seen in output


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Path:
    """A copy of the project, to edit its main.py."""
    copy = tmp_path / "copy"
    copy_checkout(root, copy)
    as_main_of(copy)
    shutil.copytree(root / "constructs", copy / "constructs", dirs_exist_ok=True)  # the bindings
    (root / ".demo-cache").mkdir(exist_ok=True)
    (copy / ".demo-cache").symlink_to(root / ".demo-cache")
    return copy


def edit(checkout: Path, old: str, new: str) -> None:
    text = (checkout / "main.py").read_text()
    assert old in text
    (checkout / "main.py").write_text(text.replace(old, new))


ENVIRONMENTS = """\
    AgentStack(
        app,
        project="acme",
        environment="staging",
        queues=[AgentQueue("m5.4xlarge", max_size=1)],
        keep_documented_layout=True,
        bootstrap_script=ROOT / "bootstrap" / "buildkite-bootstrap.sh",
    )
    app.synth()
"""
# Without the bucket's lifecycle, for which the provider waits a minute.
BACKEND = """\
        keep_documented_layout=True,
        deployment=Deployment(
            folder="infra/agents", backend=S3Backend("acme-terraform-states", "us-east-1")
        ),
"""


def test_it_deploys_each_environment_of_another_project_with_its_state_in_s3(
    checkout: Path, tmp_path: Path
) -> None:
    edit(checkout, "import AgentApp", "import Deployment, S3Backend, AgentApp")
    edit(checkout, 'project="conbench",\n', f'project="acme",\n{BACKEND}')
    edit(checkout, "    app.synth()\n", ENVIRONMENTS)
    with demo(checkout, tmp_path) as (printed, _):
        output = run_commands_of(printed)
    assert "The state of acme-prod is in a file here, and not in its backend, s3." in printed
    for environment in ("prod", "staging"):
        assert f"s3://acme-{environment}-buildkite-secrets/ --recursive" in printed
        assert f"acme-{environment}-buildkite-amd64-m5-4xlarge-linux\tCREATE_COMPLETE" in output
    listed = re.findall(r"\d bootstrap/setup_benchmark_machine.sh$", output, re.MULTILINE)
    assert len(listed) == 2
    assert output.count("No changes.") == 2


def test_a_mistake_in_main_is_the_only_error(checkout: Path, tmp_path: Path) -> None:
    edit(checkout, '"m5.4xlarge"', '"m5.4xlarg"')
    with demo(checkout, tmp_path) as (printed, process):
        assert process.wait(timeout=30) == 1
    first, *error = printed.splitlines()
    assert first == "Synthesizing main.py ..."
    assert "m5.4xlarg" in "".join(error)
    alone = subprocess.run(
        [sys.executable, checkout / "main.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert error == alone.stderr.splitlines()


def test_an_error_of_terraform_is_printed_as_it_is(checkout: Path, tmp_path: Path) -> None:
    edit(checkout, "AgentToken(", 'AgentToken(value="${var.missing}", ')
    with demo(checkout, tmp_path) as (printed, process):
        assert process.wait(timeout=60) == 1
    assert 'An input variable with the name "missing" has not been declared' in printed


class _Uploads(Fault):
    """Counts the uploads of templates, and forwards them."""

    count = 0

    def __init__(self) -> None:
        super().__init__("", status="", code="", times=0)

    def answer(self, request: bytes) -> None:
        self.count += request.startswith(f"('PUT', '/{TEMPLATES_BUCKET}/".encode())


def test_concurrent_stacks_share_one_upload_of_their_template(aws: LoopbackAws) -> None:
    # Another upload would close the file that requests for other stacks are reading.
    uploads = _Uploads()
    aws.faults.append(uploads)
    url = f"https://s3.amazonaws.com/{TEMPLATES_BUCKET}/v7.13.0/aws-stack.yml"
    with ThreadPoolExecutor() as threads:
        for number in range(3):
            client = aws.client("cloudformation")
            threads.submit(client.create_stack, StackName=f"stack-{number}", TemplateURL=url)
    assert uploads.count == 1


def run_commands_of(printed: str) -> str:
    commands = re.findall(r"^  ((?:export|aws|cd) .*)$", printed, re.MULTILINE)
    return subprocess.run(
        ["bash", "-ec", "\n".join(commands)],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_PAGER": ""},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    ).stdout
