"""The commands of docs/operations.md, run unchanged."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support import documented
from support.documents import DOCS, code_blocks
from support.loopback_aws import REGION, LoopbackAws
from support.provider import TERRAFORM_CLI, Provider
from support.terraform import TOKEN

# They share a deployment.
pytestmark = pytest.mark.xdist_group("runbook")

QUEUES = [queue.name for queue in documented.QUEUES]


def block(first_words: str) -> str:
    """The only code block that starts with a string."""
    (found,) = [b for b in code_blocks("operations.md", "bash") if b.startswith(first_words)]
    return found


class Operator:
    """A user's shell, with Terraform, the AWS CLI and a profile for the loopback AWS."""

    def __init__(self, folder: Path, aws: LoopbackAws, provider: Provider) -> None:
        self.folder = folder
        self._provider = provider
        tools = folder / "bin"
        tools.mkdir()
        python = shlex.quote(sys.executable)
        for name, command in {
            "terraform": f'{python} {shlex.quote(str(TERRAFORM_CLI))} "$@"',
            "aws": f'{python} -m awscli "$@"',
            # The set-up by `make synth` has its own tests.
            "make": f"{python} {shlex.quote(str(documented.GOLDEN_MAIN))}",
        }.items():
            (tools / name).write_text(f"#!/bin/sh\n{command}\n")
            (tools / name).chmod(0o755)
        config = folder / ".aws" / "config"
        config.parent.mkdir()
        config.write_text(
            f"[profile arrow-admin]\nregion = {REGION}\nendpoint_url = {aws.endpoint}\n"
            "aws_access_key_id = testing\naws_secret_access_key = testing\n"
        )
        self._environment = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "HOME": str(folder),
            "CHECKPOINT_DISABLE": "1",
            "TF_INPUT": "0",
            "TF_CLI_ARGS_apply": "-auto-approve",
            "TF_CLI_ARGS_destroy": "-auto-approve",
            "TF_VAR_buildkite_agent_token": TOKEN,
            "AWS_PAGER": "",
        }

    def run(self, script: str) -> str:
        """Run a script up to the first command that fails; return its output."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env={
                **self._environment,
                **self._provider.environment(self.folder / "terraform", kept=True),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def operator(
    aws_server: LoopbackAws,
    aws_provider: Provider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Operator:
    """A user who deployed as described in the document."""
    aws_server.reset()
    somebody = Operator(tmp_path_factory.mktemp("operator"), aws_server, aws_provider)
    synth, _, rest = block("make synth").partition("\n")
    somebody.run(synth)
    aws_provider.prepare(somebody.folder / "terraform", aws_server.endpoint)
    applied = somebody.run(rest)
    assert "Apply complete!" in applied
    return somebody


def test_every_command_of_the_document_is_run_here() -> None:
    calls = re.findall(r'block\("(.+?)"\)', Path(__file__).read_text())
    run = tuple(call.replace("\\n", "\n") for call in calls)
    missing = [b for b in code_blocks("operations.md", "bash") if not b.startswith(run)]
    assert missing == ['export TF_VAR_buildkite_agent_token="your-buildkite-agent-token"\n']


@pytest.mark.parametrize(
    "commands", [block("make setup-dev"), *code_blocks("contributing.md", "bash")]
)
def test_the_ways_to_run_tests_find_tests(root: Path, commands: str) -> None:
    # These commands run the tests themselves.
    environment = {**os.environ, "PYTEST_ADDOPTS": "--collect-only --quiet"}
    done = subprocess.run(
        ["bash", "-euc", commands],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    collected = re.findall(r"^tests/\S+::", done.stdout, re.MULTILINE)
    assert collected


def test_terraform_output(operator: Operator) -> None:
    output = operator.run(block("terraform -chdir=terraform output"))
    assert 'buildkite_secrets_bucket = "conbench-prod-buildkite-secrets"' in output
    for queue in QUEUES:
        assert f'"{queue}" = "conbench-prod-buildkite-{queue}"' in output


def test_list_stacks(operator: Operator) -> None:
    stacks = json.loads(operator.run(block("aws cloudformation list-stacks")))
    assert sorted(stacks) == sorted(f"conbench-prod-buildkite-{queue}" for queue in QUEUES)


def test_s3_ls(operator: Operator) -> None:
    assert "bootstrap/setup_benchmark_machine.sh" in operator.run(block("aws s3 ls"))


def test_an_env_file_is_uploaded_encrypted(operator: Operator, aws_server: LoopbackAws) -> None:
    operator.run(block("cat >env"))
    uploaded = aws_server.client("s3").get_object(
        Bucket="conbench-prod-buildkite-secrets", Key="queues/arm64-t4g-2xlarge-linux/env"
    )
    assert uploaded["ServerSideEncryption"] == "AES256"
    assert b"export CONBENCH_URL=" in uploaded["Body"].read()
    assert not (operator.folder / "env").exists()


def test_describe_stack_events(operator: Operator) -> None:
    events = json.loads(operator.run(block("aws cloudformation describe-stack-events")))
    statuses = {event["ResourceStatus"] for event in events["StackEvents"]}
    assert "CREATE_COMPLETE" in statuses


def test_describe_instances_by_queue(operator: Operator) -> None:
    answer = json.loads(operator.run(block("aws ec2 describe-instances")))
    instances = [i for r in answer["Reservations"] for i in r["Instances"]]
    assert [i["InstanceType"] for i in instances] == ["t4g.2xlarge"]


def test_the_tokens_checksum(operator: Operator) -> None:
    deployed = operator.run(block("aws ssm get-parameter"))
    own = re.search(
        r"printf '%s\\n' \"\$TF_VAR_buildkite_agent_token\" \| sha256sum",
        (DOCS / "operations.md").read_text(),
    )
    assert own is not None
    assert deployed == operator.run(own[0])


def test_the_policy(operator: Operator) -> None:
    policy = json.loads(operator.run(block("aws iam get-policy")))["Policy"]
    assert policy["PolicyName"] == "conbench-prod-buildkite-agent-policy"


def test_the_documents_pipelines_use_existing_queues_and_tags() -> None:
    tags = {
        queue.name: dict(tag.split("=") for tag in queue.agent_tags.split(","))
        for queue in documented.QUEUES
    }
    first, *others = [yaml.safe_load(b)["steps"] for b in code_blocks("operations.md", "yaml")]
    assert [step["agents"]["queue"] for step in first] == QUEUES
    for step in (s for steps in others for s in steps):
        agents = step["agents"]
        assert agents.items() <= {**tags[agents["queue"]], "queue": agents["queue"]}.items()


ARM = "arm64-t4g-2xlarge-linux"
ARM_STACK = f"conbench-prod-buildkite-{ARM}"


def no_changes(operator: Operator) -> bool:
    return "No changes." in operator.run("terraform -chdir=terraform plan -no-color")


def test_a_stacks_status(operator: Operator) -> None:
    assert operator.run(block("aws cloudformation describe-stacks")) == "CREATE_COMPLETE\n"


def test_a_rollback_that_failed_is_continued(operator: Operator, aws_server: LoopbackAws) -> None:
    aws_server.stack(ARM_STACK).status = "UPDATE_ROLLBACK_FAILED"
    operator.run(block("aws cloudformation continue-update-rollback"))
    status = operator.run(block("aws cloudformation describe-stacks"))
    assert status == "UPDATE_ROLLBACK_COMPLETE\n"
    assert no_changes(operator)


def test_a_stack_whose_creation_failed_is_replaced(
    operator: Operator, aws_server: LoopbackAws
) -> None:
    aws_server.fail_creation(ARM_STACK)
    operator.run(block("cd terraform\nterraform apply -replace"))
    assert operator.run(block("aws cloudformation describe-stacks")) == "CREATE_COMPLETE\n"
    assert no_changes(operator)


def test_a_failed_stack_that_is_not_in_the_state_is_deleted(
    operator: Operator, aws_server: LoopbackAws
) -> None:
    aws_server.fail_creation(ARM_STACK)
    operator.run(f"terraform -chdir=terraform state rm aws_cloudformation_stack.{ARM}")
    operator.run(block("aws cloudformation delete-stack"))
    operator.run("terraform -chdir=terraform apply")
    assert operator.run(block("aws cloudformation describe-stacks")) == "CREATE_COMPLETE\n"
    assert no_changes(operator)


def test_everything_is_taken_down(operator: Operator, aws_server: LoopbackAws) -> None:
    operator.run(block("cat >env"))
    unprotect(operator.folder / "terraform" / "buildkite.tf.json")
    operator.run(block("bucket="))
    operator.run(block("cd terraform\nterraform destroy"))
    assert operator.run("terraform -chdir=terraform state list") == ""
    buckets = aws_server.client("s3").list_buckets()["Buckets"]
    assert [bucket["Name"] for bucket in buckets] == ["buildkite-aws-stack"]


def unprotect(path: Path) -> None:
    """The effect of deletion_protection=False, without another synthesis."""
    content = json.loads(path.read_text())
    del content["resource"]["aws_s3_bucket"]["buildkite_secrets"]["lifecycle"]
    path.write_text(json.dumps(content))
