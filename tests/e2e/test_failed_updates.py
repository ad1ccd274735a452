"""Failed updates of stacks, which the next plan must show."""

from collections.abc import Iterator

import pytest
from support.deployment import LiveDeployment
from support.loopback_aws import Fault, LoopbackAws, RolledBackUpdate
from support.provider import Provider
from support.terraform import Terraform

from buildkite_agents import AgentQueue

QUEUE = "amd64-m5-4xlarge-linux"
STACK = f"conbench-prod-buildkite-{QUEUE}"
ADDRESS = f"aws_cloudformation_stack.{QUEUE}"
# Without the bucket's lifecycle rule, for which the provider waits a minute.
ONLY_STACK = f"-target={ADDRESS}"
OLD = AgentQueue("m5.4xlarge", stack_version="v6.21.0", parameters={"RootVolumeSize": 500})


@pytest.fixture(scope="module")
def deployment(
    aws_server: LoopbackAws, aws_provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> LiveDeployment:
    aws_server.reset()
    return LiveDeployment(tmp_path_factory.mktemp("failed"), aws_server, aws_provider)


@pytest.fixture
def tf(deployment: LiveDeployment, aws_server: LoopbackAws) -> Iterator[Terraform]:
    """A deployed queue with an old stack version and a parameter."""
    terraform = deployment.synthesize(queues=[OLD])
    terraform.apply(ONLY_STACK)
    yield terraform
    aws_server.faults.clear()


def fail_apply(tf: Terraform) -> None:
    failed = tf.run("apply", "-no-color", "-auto-approve", ONLY_STACK, check=False)
    assert failed.returncode == 1
    assert ADDRESS in failed.stderr


def apply_clean(tf: Terraform) -> None:
    tf.apply(ONLY_STACK)
    assert tf.plan(ONLY_STACK).is_empty


@pytest.mark.parametrize("how", ["refused", "rolled back"])
@pytest.mark.parametrize(
    "new",
    [
        AgentQueue("m5.4xlarge", parameters={"RootVolumeSize": 500}),
        AgentQueue("m5.4xlarge", stack_version="v6.21.0"),
        AgentQueue("m5.4xlarge", stack_version="v6.21.0", parameters={"RootVolumeSize": 600}),
    ],
    ids=["another template", "a parameter left out", "another value"],
)
def test_a_failed_update_is_shown_by_the_next_plan_and_made_by_the_next_apply(
    tf: Terraform, deployment: LiveDeployment, aws_server: LoopbackAws, new: AgentQueue, how: str
) -> None:
    deployment.synthesize(queues=[new])
    fault = (
        RolledBackUpdate(aws_server, STACK)
        if how == "rolled back"
        else Fault("Action=UpdateStack", status="400 Bad Request", code="ValidationError", times=1)
    )
    aws_server.faults.append(fault)
    fail_apply(tf)
    assert fault.happened
    assert tf.plan(ONLY_STACK).updated == {ADDRESS}
    apply_clean(tf)
    described = aws_server.stack(STACK)
    assert f"Buildkite stack {new.stack_version}" in described.template
    size = new.parameters.get("RootVolumeSize", 250)
    assert str(described.stack_parameters["RootVolumeSize"]) == str(size)


def test_a_stack_whose_creation_failed_does_not_plan_as_unchanged(
    tf: Terraform, aws_server: LoopbackAws
) -> None:
    aws_server.fail_creation(STACK)
    plan = tf.run("plan", "-no-color", ONLY_STACK, check=False)
    assert plan.returncode == 1
    message = " ".join(plan.stderr.split())
    assert f"the stack {STACK} has none of its template's outputs" in message
    assert len(plan.stderr) < 2000
    tf.apply(ONLY_STACK, f"-replace={ADDRESS}")
    assert aws_server.stack(STACK).status == "CREATE_COMPLETE"
    assert tf.plan(ONLY_STACK).is_empty


@pytest.mark.usefixtures("only_since_provider_5")
def test_nor_does_it_after_an_import(tf: Terraform, aws_server: LoopbackAws) -> None:
    aws_server.fail_creation(STACK)
    tf.run("state", "rm", ADDRESS)
    tf.run("import", ADDRESS, STACK)
    applied = tf.run("apply", "-no-color", "-auto-approve", ONLY_STACK, check=False)
    assert applied.returncode == 1
    plan = tf.run("plan", "-no-color", ONLY_STACK, check=False)
    assert plan.returncode == 1
    tf.apply(ONLY_STACK, f"-replace={ADDRESS}")
    assert tf.plan(ONLY_STACK).is_empty


def test_a_stack_whose_rollback_failed_is_shown_until_it_is_continued(
    tf: Terraform, aws_server: LoopbackAws, deployment: LiveDeployment
) -> None:
    deployment.synthesize(queues=[AgentQueue("m5.4xlarge")])
    aws_server.stack(STACK).status = "UPDATE_ROLLBACK_FAILED"
    fail_apply(tf)
    assert tf.plan(ONLY_STACK).updated == {ADDRESS}
    aws_server.client("cloudformation").continue_update_rollback(StackName=STACK)
    apply_clean(tf)
