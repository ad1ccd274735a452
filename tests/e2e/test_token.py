"""The token: where it is, and where it never is."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.deployment import synthesize
from support.terraform import TOKEN, Terraform

from buildkite_agents import AgentQueue


def files_with_token(folder: Path) -> set[str]:
    found = (p for p in folder.rglob("*") if p.is_file() and ".terraform" not in p.parts)
    return {str(p.relative_to(folder)) for p in found if TOKEN.encode() in p.read_bytes()}


def test_it_is_in_the_state_and_in_nothing_that_is_written_or_printed(
    terraform: Callable[[Path], Terraform], tmp_path: Path
) -> None:
    synthesize(tmp_path / "prod", queues=[AgentQueue("m5.4xlarge")])
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
    # After the destroy it is in the backup alone, as anybody's state is.
    assert files_with_token(tf.folder) == {"terraform.tfstate.backup"}


def test_an_apply_that_fails_does_not_tell_it(
    terraform: Callable[[Path], Terraform], tmp_path: Path
) -> None:
    synthesize(tmp_path / "prod", queues=[AgentQueue("m5.4xlarge")])
    tf = terraform(tmp_path / "prod")
    tf.environment["TF_VAR_buildkite_agent_token"] = f"{TOKEN} with a space"
    done = tf.run("apply", "-no-color", "-auto-approve", check=False)
    assert done.returncode == 1
    assert TOKEN not in done.stdout + done.stderr


@pytest.fixture
def write_only(tmp_path: Path) -> Path:
    """The variables of a stack with a write-only token, without resources of the AWS provider.

    Provider 3.39 has no write-only arguments: what it would make of the parameter cannot be run
    here. What Terraform makes of the ephemeral variable can, with the resource that is built in.
    """
    synthesize(tmp_path / "prod", queues=[AgentQueue("m5.4xlarge")], token_version=1)
    folder = tmp_path / "variables"
    folder.mkdir()
    (folder / "variables.tf.json").write_bytes(
        (tmp_path / "prod" / "variables.tf.json").read_bytes()
    )
    return folder


def test_terraform_keeps_an_ephemeral_token_out_of_plan_and_state(write_only: Path) -> None:
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
    tf = Terraform(write_only, {})
    tf.init()
    tf.run("plan", "-out=tfplan")
    tf.run("apply", "-auto-approve")
    assert tf.state_addresses() == {"terraform_data.user"}
    assert files_with_token(write_only) == set()
    assert TOKEN not in tf.run("show", "-json", "tfplan").stdout


def test_terraform_refuses_an_ephemeral_token_where_the_state_would_keep_it(
    write_only: Path,
) -> None:
    main = {"resource": {"terraform_data": {"leak": {"input": "${var.buildkite_agent_token}"}}}}
    (write_only / "main.tf.json").write_text(json.dumps(main))
    tf = Terraform(write_only, {})
    tf.init()
    plan = tf.run("plan", "-no-color", check=False)
    assert plan.returncode == 1
    assert "ephemeral" in plan.stderr


def test_an_ephemeral_token_is_validated_too(write_only: Path) -> None:
    (write_only / "main.tf.json").write_text("{}")
    tf = Terraform(write_only, {"TF_VAR_buildkite_agent_token": ""})
    tf.init()
    plan = tf.run("plan", "-no-color", check=False)
    assert plan.returncode == 1
    assert "buildkite_agent_token must not be empty" in plan.stderr.replace("\n", " ")
