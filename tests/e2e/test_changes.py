"""What comes after the first apply, each as a plan and an apply that ends clean."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.deployment import AMD, ARM, QUEUES, Deployment
from support.loopback_aws import LoopbackAws
from support.provider import Provider
from support.terraform import TOKEN, Plan, Terraform

from buildkite_agents import AgentQueue

AMI = "ami-0123456789abcdef0"


@pytest.fixture(scope="module")
def deployment(
    aws_server: LoopbackAws, aws_provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Deployment:
    aws_server.reset()
    return Deployment(tmp_path_factory.mktemp("changes"), aws_server, aws_provider)


@pytest.fixture
def tf(deployment: Deployment) -> Iterator[Terraform]:
    """Two queues, deployed as main.py would."""
    terraform = deployment.synthesize()
    terraform.apply()
    yield terraform
    (terraform.folder / "terraform.tfvars.json").unlink(missing_ok=True)
    terraform.environment["TF_VAR_buildkite_agent_token"] = TOKEN


def stack(queue: str) -> str:
    return f"aws_cloudformation_stack.{queue}"


def changed_parameters(plan: Plan, address: str) -> dict[str, tuple[str | None, str | None]]:
    before = plan.before(address)["parameters"]
    after = plan.after(address)["parameters"]
    return {
        name: (before.get(name), after.get(name))
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name)
    }


def applies_clean(tf: Terraform) -> None:
    tf.apply()
    assert tf.would_change_nothing()


def deployed_parameters(aws: LoopbackAws, queue: str) -> dict[str, str]:
    name = f"conbench-prod-buildkite-{queue}"
    (described,) = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return {p["ParameterKey"]: p["ParameterValue"] for p in described["Parameters"]}


def test_an_edit_of_the_script_changes_only_its_object(
    tf: Terraform, aws_server: LoopbackAws
) -> None:
    script = tf.folder / "buildkite-bootstrap.sh"
    script.write_text("echo edited\n")
    plan = tf.plan()
    (address,) = plan.updated
    assert address.endswith("object.bootstrap_script")
    assert (plan.created, plan.deleted) == (set(), set())
    applies_clean(tf)
    uploaded = aws_server.client("s3").get_object(
        Bucket="conbench-prod-buildkite-secrets", Key="bootstrap/setup_benchmark_machine.sh"
    )
    assert uploaded["Body"].read() == b"echo edited\n"


def test_an_ami_for_one_architecture_changes_only_its_stacks(
    tf: Terraform, aws_server: LoopbackAws
) -> None:
    variables = {"buildkite_agent_amis": {"arm64-linux": AMI}}
    (tf.folder / "terraform.tfvars.json").write_text(json.dumps(variables))
    plan = tf.plan()
    assert (plan.created, plan.updated, plan.deleted) == (set(), {stack(ARM)}, set())
    assert changed_parameters(plan, stack(ARM)) == {"ImageId": ("", AMI)}
    applies_clean(tf)
    assert deployed_parameters(aws_server, ARM)["ImageId"] == AMI


def test_a_queue_added_and_removed_leaves_the_others_alone(
    tf: Terraform, deployment: Deployment
) -> None:
    deployment.synthesize(queues=[AgentQueue("c6a.4xlarge"), *QUEUES])
    plan = tf.plan()
    added = {stack("amd64-c6a-4xlarge-linux")}
    assert (plan.created, plan.updated, plan.deleted) == (added, set(), set())
    applies_clean(tf)
    deployment.synthesize()
    plan = tf.plan()
    assert (plan.created, plan.updated, plan.deleted) == (set(), set(), added)
    applies_clean(tf)


def test_a_queue_resized_is_changed_in_place(
    tf: Terraform, deployment: Deployment, aws_server: LoopbackAws
) -> None:
    deployment.synthesize(queues=[QUEUES[0], AgentQueue("m5.4xlarge", max_size=8)])
    plan = tf.plan()
    assert (plan.created, plan.updated, plan.deleted) == (set(), {stack(AMD)}, set())
    assert changed_parameters(plan, stack(AMD)) == {"MaxSize": ("4", "8")}
    applies_clean(tf)
    assert deployed_parameters(aws_server, AMD)["MaxSize"] == "8"


def test_a_rotated_token_changes_only_its_parameter(tf: Terraform, aws_server: LoopbackAws) -> None:
    tf.environment["TF_VAR_buildkite_agent_token"] = f"{TOKEN}-rotated"
    plan = tf.plan()
    assert plan.updated == {"aws_ssm_parameter.buildkite_agent_token"}
    assert (plan.created, plan.deleted) == (set(), set())
    applies_clean(tf)
    parameter = aws_server.client("ssm").get_parameter(
        Name="/buildkite/agent-token", WithDecryption=True
    )
    assert parameter["Parameter"]["Value"] == f"{TOKEN}-rotated"


def test_a_stack_version_upgrade_is_in_place(
    tf: Terraform, deployment: Deployment, aws_server: LoopbackAws
) -> None:
    old = [AgentQueue("t4g.2xlarge", stack_version="v6.21.0"), QUEUES[1]]
    deployment.synthesize(queues=old)
    tf.apply()
    deployment.synthesize()
    plan = tf.plan()
    assert (plan.created, plan.updated, plan.deleted) == (set(), {stack(ARM)}, set())
    assert plan.changed_attributes(stack(ARM)) == {"template_url"}
    applies_clean(tf)
    assert "AgentEndpoint" in deployed_parameters(aws_server, ARM)


@pytest.mark.usefixtures("tf")
def test_a_second_environment_beside_the_first_clashes_with_nothing(
    aws_server: LoopbackAws, aws_provider: Provider, tmp_path: Path
) -> None:
    staging = Deployment(tmp_path, aws_server, aws_provider)
    tf = staging.synthesize(environment="staging", queues=[AgentQueue("m5.4xlarge")])
    applies_clean(tf)
    ssm = aws_server.client("ssm")
    assert {p["Name"] for p in ssm.describe_parameters()["Parameters"]} == {
        "/buildkite/agent-token",
        "/buildkite/staging/agent-token",
    }
    tf.run("destroy", "-auto-approve")
    assert [p["Name"] for p in ssm.describe_parameters()["Parameters"]] == [
        "/buildkite/agent-token"
    ]
