"""Failures and interruptions of Terraform and of a synthesis, and the recovery from them."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.deployment import AMD, ARM, BUCKET, SCRIPT_KEY, LiveDeployment, everything_once
from support.loopback_aws import ACCOUNT, Fault, LoopbackAws
from support.terraform import Terraform

from buildkite_agents.output.owned_files import INTERRUPTED


class KillAt(Fault):
    """Kill a process at a request, after AWS has executed it."""

    def __init__(self, action: str, times: int) -> None:
        super().__init__(action, status="", code="", times=times)
        self.process: subprocess.Popen[str] | None = None

    def answer(self, request: bytes) -> tuple[str, bytes] | None:
        if super().answer(request) is not None and self.happened and self.process is not None:
            process, self.process = self.process, None
            # The response does not arrive.
            os.killpg(process.pid, signal.SIGKILL)
        return None


def import_what_the_state_misses(tf: Terraform, refused: str) -> None:
    """Import what AWS has and the state does not, as described in docs/operations.md.

    Importing a resource that is in the state, or does not exist, fails, so this terminates.
    """
    ids = {
        "aws_s3_bucket.buildkite_secrets": BUCKET,
        "aws_s3_object.bootstrap_script": f"{BUCKET}/{SCRIPT_KEY}",
        "aws_ssm_parameter.buildkite_agent_token": "/buildkite/agent-token",
        "aws_iam_policy.buildkite_agent": (
            f"arn:aws:iam::{ACCOUNT}:policy/conbench-prod-buildkite-agent-policy"
        ),
        **{
            f"aws_cloudformation_stack.{queue}": f"conbench-prod-buildkite-{queue}"
            for queue in (ARM, AMD)
        },
    }
    missing = [address for address in ids if f"with {address}," in refused]
    assert missing, refused
    for address in missing:
        tf.run("import", address, ids[address])


@pytest.mark.parametrize(
    ("action", "times"),
    [
        ("PutParameter", 1),
        ("Action=CreatePolicy", 1),
        ("Action=CreateStack", 1),
        ("DescribeStacks", 3),
    ],
)
def test_killed_in_mid_apply_the_next_apply_converges(
    deployment: LiveDeployment, aws: LoopbackAws, action: str, times: int
) -> None:
    tf = deployment.synthesize()
    kill = KillAt(action, times)
    aws.faults.append(kill)
    process = subprocess.Popen(
        tf.command("apply", "-auto-approve", "-no-color"),
        cwd=tf.folder,
        env=tf.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    kill.process = process
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    aws.faults.clear()

    again = tf.run("apply", "-auto-approve", "-no-color", check=False)
    # The next apply can fail at a resource that depends on the imported one.
    while again.returncode != 0:
        import_what_the_state_misses(tf, again.stderr)
        again = tf.run("apply", "-auto-approve", "-no-color", check=False)
    assert tf.would_change_nothing()
    everything_once(aws)


def test_two_applies_at_once_are_refused(deployment: LiveDeployment) -> None:
    tf = deployment.synthesize()
    with subprocess.Popen(
        tf.command("apply", "-auto-approve"),
        cwd=tf.folder,
        env=tf.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as first:
        while not (tf.folder / ".terraform.tfstate.lock.info").exists():
            assert first.poll() is None
            time.sleep(0.05)
        second = tf.run("apply", "-no-color", "-auto-approve", check=False)
        first.communicate()
    assert "Error acquiring the state lock" in second.stderr
    assert (second.returncode, first.returncode) == (1, 0)
    assert tf.would_change_nothing()


def test_temporary_errors_and_throttling_are_retried(
    deployment: LiveDeployment, aws: LoopbackAws
) -> None:
    tf = deployment.synthesize()
    faults = [
        Fault("PutParameter", status="500 Internal Server Error", code="InternalError", times=2),
        Fault("Action=CreatePolicy", status="400 Bad Request", code="Throttling", times=2),
        Fault("Action=CreateStack", status="400 Bad Request", code="Throttling", times=3),
        Fault(f"'PUT', '/{BUCKET}", status="503 Slow Down", code="SlowDown", times=2),
    ]
    aws.faults.extend(faults)
    tf.apply()
    assert all(fault.happened for fault in faults)
    aws.faults.clear()
    assert tf.would_change_nothing()
    everything_once(aws)


SYNTH = """
import sys
from pathlib import Path
from support.deployment import synthesize
from buildkite_agents import AgentQueue

folder, size = Path(sys.argv[1]), int(sys.argv[2])
synthesize(
    folder,
    environment="staging" if size % 2 else "prod",
    queues=[AgentQueue("m5.4xlarge", max_size=size), AgentQueue("t4g.2xlarge", max_size=size)],
)
"""


def folder_content(folder: Path) -> dict[str, bytes]:
    if not folder.exists():
        return {}
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.startswith(".build")}


def test_a_synthesis_killed_while_writing_leaves_no_mixture(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}

    def synth(folder: Path, size: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", SYNTH, str(folder), str(size)]
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)

    whole = []
    for size in (4, 5):
        assert synth(tmp_path / str(size), size).wait() == 0
        whole.append(folder_content(tmp_path / str(size)))

    moments = random.Random(8)  # noqa: S311
    folder = tmp_path / "terraform"
    for turn in range(6):
        process = synth(folder, 4 + turn % 2)
        while process.poll() is None and not list(folder.glob(".buildkite-agents-staging-*")):
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.02))
        process.kill()
        process.wait()
        content = folder_content(folder)
        assert content in [{}, *whole] or INTERRUPTED in content
