"""The agent token: where it is stored, and where it must not be."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.deployment import LiveDeployment, synthesize
from support.loopback_aws import LoopbackAws
from support.provider import TERRAFORM_CLI, Provider
from support.terraform import TOKEN, Terraform

from buildkite_agents import AgentQueue, AgentToken, SecretsBucket


def files_with_token(folder: Path) -> set[str]:
    found = (p for p in folder.rglob("*") if p.is_file() and ".terraform" not in p.parts)
    return {str(p.relative_to(folder)) for p in found if TOKEN.encode() in p.read_bytes()}


def test_it_is_in_the_state_and_in_nothing_that_is_written_or_printed(
    terraform: Callable[[Path], Terraform], tmp_path: Path
) -> None:
    queues = [AgentQueue("m5.4xlarge")]
    synthesize(
        tmp_path / "prod", queues=queues, secrets_bucket=SecretsBucket(deletion_protection=False)
    )
    tf = terraform(tmp_path / "prod")
    printed = ""
    for command in (
        ("validate",),
        ("plan", "-no-color"),
        ("apply", "-no-color", "-auto-approve"),
        ("output",),
        ("show", "-no-color"),
        ("plan", "-no-color", "-destroy"),
        ("destroy", "-no-color", "-auto-approve"),
    ):
        done = tf.run(*command)
        printed += done.stdout + done.stderr
    assert "Apply complete!" in printed
    assert TOKEN not in printed
    assert files_with_token(tmp_path / "prod") == set()
    # After the destroy, only the state's backup contains it.
    assert files_with_token(tf.folder) == {"terraform.tfstate.backup"}


def test_a_failed_apply_does_not_print_the_token(
    terraform: Callable[[Path], Terraform], tmp_path: Path
) -> None:
    synthesize(tmp_path / "prod", queues=[AgentQueue("m5.4xlarge")])
    tf = terraform(tmp_path / "prod")
    tf.variables["buildkite_agent_token"] = f"{TOKEN} with a space"
    done = tf.run("apply", "-no-color", "-auto-approve", check=False)
    assert done.returncode == 1
    assert TOKEN not in done.stdout + done.stderr


@pytest.mark.parametrize("write_only", [False, True], ids=["in the state", "write-only"])
@pytest.mark.parametrize(
    "token",
    [f"{TOKEN} ", f" {TOKEN}", f"{TOKEN}\n", f"{TOKEN} x", f'"{TOKEN}"', f"bkua_{TOKEN}", ""],
)
def test_no_terraform_prints_a_token_that_it_refuses(
    tmp_path: Path, aws_provider: Provider, token: str, write_only: bool
) -> None:
    programs = [[sys.executable, str(TERRAFORM_CLI)]]
    on_path = shutil.which("terraform")
    # Before 1.15, Terraform prints the value of a variable whose validation fails.
    programs += [[on_path]] if on_path else []
    settings = AgentToken(write_only_version=1 if write_only else None)
    synthesize(tmp_path / "prod", queues=[AgentQueue("m5.4xlarge")], token=settings)
    resources = json.loads((tmp_path / "prod" / "buildkite.tf.json").read_text())["resource"]
    lifecycle = resources["aws_ssm_parameter"]["buildkite_agent_token"]["lifecycle"]
    folder = tmp_path / "checked"
    folder.mkdir()
    variables = json.loads((tmp_path / "prod" / "variables.tf.json").read_text())["variable"]
    only = {"buildkite_agent_token": variables["buildkite_agent_token"]}
    # The parameter's own conditions, on a resource that needs no AWS.
    user = {"user": {"lifecycle": {"precondition": lifecycle["precondition"]}}}
    main = {"variable": only, "resource": {"terraform_data": user}}
    (folder / "main.tf.json").write_text(json.dumps(main))
    tf = Terraform(folder, aws_provider)
    tf.variables["buildkite_agent_token"] = token
    for program in programs:
        for command in (["init"], ["plan", "-no-color"], ["apply", "-no-color", "-auto-approve"]):
            done = subprocess.run(
                [*program, *command],
                cwd=folder,
                env=tf.environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert TOKEN not in done.stdout + done.stderr
            assert (done.returncode == 0) is (command == ["init"])
        assert "buildkite_agent_token must" in done.stdout + done.stderr


@pytest.fixture
def write_only(tmp_path: Path) -> Path:
    """The variables of a stack with a write-only token, without AWS resources.

    Provider 3.39 has no write-only arguments: what it would make of the parameter cannot be run
    here. What Terraform makes of the ephemeral variable can, with the resource that is built in.
    """
    synthesize(
        tmp_path / "prod", queues=[AgentQueue("m5.4xlarge")], token=AgentToken(write_only_version=1)
    )
    folder = tmp_path / "variables"
    folder.mkdir()
    (folder / "variables.tf.json").write_bytes(
        (tmp_path / "prod" / "variables.tf.json").read_bytes()
    )
    return folder


def test_terraform_keeps_an_ephemeral_token_out_of_plan_and_state(
    write_only: Path, aws_provider: Provider
) -> None:
    main = {
        "resource": {
            "terraform_data": {
                "user": {
                    "input": "something",
                    "lifecycle": {
                        "precondition": [
                            {
                                "condition": "${length(var.buildkite_agent_token) > 0}",
                                "error_message": "no token",
                            }
                        ]
                    },
                }
            }
        }
    }
    (write_only / "main.tf.json").write_text(json.dumps(main))
    tf = Terraform(write_only, aws_provider)
    tf.init()
    tf.run("plan", "-out=tfplan")
    tf.run("apply", "-auto-approve")
    assert tf.state_addresses() == {"terraform_data.user"}
    assert files_with_token(write_only) == set()
    assert TOKEN not in tf.run("show", "-json", "tfplan").stdout


def test_terraform_refuses_an_ephemeral_token_where_the_state_would_keep_it(
    write_only: Path, aws_provider: Provider
) -> None:
    main = {"resource": {"terraform_data": {"leak": {"input": "${var.buildkite_agent_token}"}}}}
    (write_only / "main.tf.json").write_text(json.dumps(main))
    tf = Terraform(write_only, aws_provider)
    tf.init()
    plan = tf.run("plan", "-no-color", check=False)
    assert plan.returncode == 1
    assert "ephemeral" in plan.stderr


PARAMETER = "aws_ssm_parameter.buildkite_agent_token"
ONLY_TOKEN = f"-target={PARAMETER}"


@pytest.mark.usefixtures("only_since_provider_5")
def test_a_write_only_token_is_in_aws_alone(deployment: LiveDeployment, aws: LoopbackAws) -> None:
    tf = deployment.synthesize(
        queues=[AgentQueue("m5.4xlarge")], token=AgentToken(write_only_version=1)
    )
    tf.apply(ONLY_TOKEN)
    assert tf.plan(ONLY_TOKEN).is_empty
    assert files_with_token(tf.folder) == set()
    assert token_in(aws) == TOKEN
    tf.variables["buildkite_agent_token"] = f"{TOKEN}-rotated"
    assert tf.plan(ONLY_TOKEN).is_empty
    deployment.synthesize(queues=[AgentQueue("m5.4xlarge")], token=AgentToken(write_only_version=2))
    assert tf.plan(ONLY_TOKEN).updated == {PARAMETER}
    tf.apply(ONLY_TOKEN)
    assert token_in(aws) == f"{TOKEN}-rotated"
    assert tf.plan(ONLY_TOKEN).is_empty


def token_in(aws: LoopbackAws) -> str:
    parameter = aws.client("ssm").get_parameter(Name="/buildkite/agent-token", WithDecryption=True)
    return str(parameter["Parameter"]["Value"])


@pytest.mark.usefixtures("only_since_provider_5")
def test_a_token_becomes_write_only_in_one_apply(
    deployment: LiveDeployment, aws: LoopbackAws
) -> None:
    tf = deployment.synthesize(queues=[AgentQueue("m5.4xlarge")])
    tf.apply(ONLY_TOKEN)
    deployment.synthesize(queues=[AgentQueue("m5.4xlarge")], token=AgentToken(write_only_version=1))
    tf.apply(ONLY_TOKEN)
    assert tf.plan(ONLY_TOKEN).is_empty
    assert token_in(aws) == TOKEN
    (tf.folder / "terraform.tfstate.backup").unlink()
    assert files_with_token(tf.folder) == set()


@pytest.mark.usefixtures("only_since_provider_5")
def test_a_write_only_token_is_read_again_by_the_commands_that_the_plan_says(
    deployment: LiveDeployment, aws: LoopbackAws
) -> None:
    tf = deployment.synthesize(
        queues=[AgentQueue("m5.4xlarge")], token=AgentToken(write_only_version=1)
    )
    tf.apply(ONLY_TOKEN)
    deployment.synthesize(queues=[AgentQueue("m5.4xlarge")])
    tf.run("apply", "-no-color", "-auto-approve", ONLY_TOKEN, check=False)
    refused = tf.run("plan", "-no-color", ONLY_TOKEN, check=False)
    assert refused.returncode == 1
    commands = re.findall(
        r"terraform (state rm|import) (aws_ssm\S+)(?: (/\S+))?", flat(refused.stderr)
    )
    assert [command for command, *_ in commands] == ["state rm", "import"]
    for command, *arguments in commands:
        tf.run(*command.split(), *filter(None, arguments))
    tf.apply(ONLY_TOKEN)
    assert tf.plan(ONLY_TOKEN).is_empty
    assert token_in(aws) == TOKEN


def flat(text: str) -> str:
    return " ".join(text.split())
