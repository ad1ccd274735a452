"""Addresses in Terraform and names in AWS that only one resource can have."""

import json
from pathlib import Path
from typing import Any

import cdktf
import pytest
from constructs import Construct

from buildkite_agents import (
    AgentAccess,
    AgentApp,
    AgentQueue,
    AgentStack,
    AgentToken,
    Alarms,
    ConfigError,
    Deployment,
    Existing,
    SecretsBucket,
)

QUEUES = [AgentQueue("m5.4xlarge")]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def synth(bootstrap_script: Path | None, **props: Any) -> None:
    app = AgentApp()
    AgentStack(
        app,
        **{"project": "conbench", "queues": QUEUES, "bootstrap_script": bootstrap_script, **props},
    )
    app.synth()


def test_a_construct_of_the_stacks_name_is_reported_in_a_line() -> None:
    app = AgentApp()
    cdktf.TerraformStack(app, "conbench-prod")
    with pytest.raises(ConfigError, match="the app has a construct 'conbench-prod' already"):
        AgentStack(app, project="conbench", queues=QUEUES)


@pytest.mark.parametrize(
    "name",
    [
        # Ids with a meaning for CDKTF, and the attributes of all objects in JavaScript.
        *("Default", "Resource", "backend", "environment", "aws", "node", "terraform"),
        *("constructor", "toString", "valueOf", "hasOwnProperty", "isPrototypeOf"),
        *("toLocaleString", "propertyIsEnumerable", "prototype", "null", "undefined", "length"),
    ],
)
def test_a_queue_can_have_any_name(name: str) -> None:
    synth(None, queues=[AgentQueue("m5.4xlarge", name=name)])
    resources = json.loads(Path("terraform/buildkite.tf.json").read_text())["resource"]
    (address,) = resources["aws_cloudformation_stack"]
    assert address == name


@pytest.mark.parametrize("address", ["__defineGetter__", "__lookupSetter__", "constructor", "_"])
def test_a_queue_can_have_any_address(address: str) -> None:
    synth(None, queues=[AgentQueue("m5.4xlarge", address=address)])
    resources = json.loads(Path("terraform/buildkite.tf.json").read_text())["resource"]
    assert [*resources["aws_cloudformation_stack"]] == [address]


@pytest.mark.parametrize(
    ("type_", "name"),
    [
        ("aws_s3_bucket", "buildkite_secrets"),
        ("aws_s3_bucket_policy", "buildkite_secrets"),
        ("aws_ssm_parameter", "buildkite_agent_token"),
        ("aws_cloudformation_stack", "amd64-m5-4xlarge-linux"),
    ],
)
def test_another_resource_at_an_address_of_the_stack_is_refused(type_: str, name: str) -> None:
    app = AgentApp()
    stack = AgentStack(app, project="conbench", queues=QUEUES)
    theirs = Construct(stack, "theirs")
    resource = cdktf.TerraformResource(theirs, "own", terraform_resource_type=type_)
    resource.override_logical_id(name)
    with pytest.raises(ConfigError, match=rf"{type_}\.{name}: two resources have this address"):
        app.synth()
    assert not Path("terraform").exists()


def test_two_resources_of_a_user_at_one_address_are_refused_by_testing_too() -> None:
    stack = AgentStack(cdktf.Testing.app(), project="conbench", queues=QUEUES)
    for name in ("a", "b"):
        resource = cdktf.TerraformResource(stack, name, terraform_resource_type="aws_sqs_queue")
        resource.override_logical_id("results")
    with pytest.raises(RuntimeError, match=r"aws_sqs_queue\.results: two resources have this"):
        cdktf.Testing.synth(stack, True)


def test_a_resource_of_another_address_is_kept(bootstrap_script: Path) -> None:
    app = AgentApp()
    stack = AgentStack(app, project="conbench", queues=QUEUES, bootstrap_script=bootstrap_script)
    cdktf.TerraformResource(
        Construct(stack, "own"), "buildkite_secrets", terraform_resource_type="aws_s3_bucket"
    )
    app.synth()
    resources = json.loads(Path("terraform/buildkite.tf.json").read_text())["resource"]
    assert len(resources["aws_s3_bucket"]) == 2


@pytest.mark.parametrize(
    ("settings", "shared"),
    [
        ({"token": AgentToken(parameter="/same")}, "SSM parameter '/same'"),
        ({"secrets_bucket": SecretsBucket(name="same-bucket")}, "S3 bucket 'same-bucket'"),
        ({"access": AgentAccess(policy_name="same")}, "IAM policy 'same'"),
        (
            {"queues": [AgentQueue("m5.large", stack_name="same")]},
            "CloudFormation stack 'same'",
        ),
        (
            {"queues": [AgentQueue("m5.large", parameters={"InstanceRoleName": "Same"})]},
            "IAM role 'Same'",
        ),
    ],
)
def test_two_stacks_that_would_create_one_name_are_refused(
    settings: dict[str, Any], shared: str
) -> None:
    app = AgentApp()
    for project in ("a", "b"):
        deployment = Deployment(folder=project)
        arguments = {"queues": QUEUES, "deployment": deployment, **settings}
        AgentStack(app, project=project, **arguments)
    with pytest.raises(ConfigError, match=f"a-prod and b-prod both create the {shared}"):
        app.synth()


def test_two_stacks_that_would_upload_to_one_bucket_are_refused(bootstrap_script: Path) -> None:
    app = AgentApp()
    for project, bucket in (("a", SecretsBucket()), ("b", Existing("a-prod-buildkite-secrets"))):
        AgentStack(
            app,
            project=project,
            queues=QUEUES,
            bootstrap_script=bootstrap_script,
            secrets_bucket=bucket,
            deployment=Deployment(folder=project),
        )
    with pytest.raises(ConfigError, match="both create the bootstrap script 's3://a-prod-build"):
        app.synth()


def test_an_unused_resource_that_the_root_module_defines_is_left_alone() -> None:
    Path("terraform").mkdir()
    Path("terraform/own.tf").write_text('resource "aws_iam_policy" "buildkite_agent" {}\n')
    app = AgentApp()
    AgentStack(
        app,
        project="conbench",
        queues=QUEUES,
        access=None,
        secrets_bucket=Existing("${aws_s3_bucket.buildkite_secrets.id}"),
        token=Existing("/buildkite/token"),
        deployment=Deployment(inside_root_module=True),
    )
    app.synth()
    removed = json.loads(Path("terraform/buildkite.tf.json").read_text())["removed"]
    addresses = {block["from"] for block in removed}
    assert "aws_ssm_parameter.buildkite_agent_token" in addresses
    assert not {"aws_iam_policy.buildkite_agent", "aws_s3_bucket.buildkite_secrets"} & addresses


def every_resource(stack: AgentStack) -> list[cdktf.TerraformResource]:
    resources = [e for e in stack.node.find_all() if isinstance(e, cdktf.TerraformResource)]
    assert len(resources) > 10
    return resources


@pytest.fixture
def stack_of_everything(bootstrap_script: Path) -> AgentStack:
    return AgentStack(
        AgentApp(),
        project="acme",
        queues=[AgentQueue("m5.4xlarge", name="q")],
        bootstrap_script=bootstrap_script,
        alarms=Alarms(organization="acme", email="a@example.com", monthly_budget=100),
    )


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("override_logical_id", ["x"]),
        ("reset_override_logical_id", []),
        ("move_to", ["x"]),
        ("move_to_id", ["aws_x.y"]),
        ("import_from", ["x"]),
    ],
)
def test_no_resource_of_this_program_can_get_another_address(
    method: str, arguments: list[str], stack_of_everything: AgentStack
) -> None:
    for resource in every_resource(stack_of_everything):
        with pytest.raises(ConfigError, match=rf"{method}\(\) is not supported: "):
            getattr(resource, method)(*arguments)


def test_a_queue_says_which_field_to_use(stack_of_everything: AgentStack) -> None:
    queue = stack_of_everything.queue_stacks["q"]
    with pytest.raises(ConfigError, match=r"^error: aws_cloudformation_stack\.q: .* set `address`"):
        queue.override_logical_id("x")
    for move in (queue.move_from_id, queue.add_move_target):
        with pytest.raises(ConfigError, match="set `moved_from` of its AgentQueue"):
            move("aws_cloudformation_stack.old")


@pytest.mark.parametrize("override", [True, False])
@pytest.mark.parametrize(("argument", "value"), [("count", 2), ("for_each", "${toset([1])}")])
def test_a_resource_of_this_program_is_not_repeated(
    argument: str, value: Any, override: bool, stack_of_everything: AgentStack
) -> None:
    for resource in (stack_of_everything.queue_stacks["q"], stack_of_everything.policy):
        if override or argument == "for_each":
            resource.add_override(argument, value)
        else:
            resource.count = value
    with pytest.raises(ConfigError) as refused:
        stack_of_everything.node.root.synth()  # type: ignore[attr-defined]
    first, second = refused.value.problems
    assert first.startswith(f"aws_cloudformation_stack.q: {argument} is not supported: ")
    assert second.startswith(f"aws_iam_policy.buildkite_agent: {argument} is not supported: ")


def test_another_resource_can_be_moved_from_a_former_address(
    stack_of_everything: AgentStack,
) -> None:
    stack_of_everything.token.move_from_id("aws_ssm_parameter.old")
    moved = json.loads(cdktf.Testing.synth(stack_of_everything))["moved"]
    to_token = {"from": "aws_ssm_parameter.old", "to": "aws_ssm_parameter.buildkite_agent_token"}
    assert to_token in moved
    assert len(moved) == 2
