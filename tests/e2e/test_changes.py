"""Changes after the first apply; each plan shows only the change, and each apply converges."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.deployment import AMD, ARM, QUEUES, LiveDeployment
from support.loopback_aws import ACCOUNT, LoopbackAws
from support.provider import Provider
from support.terraform import TOKEN, Plan, Terraform

from buildkite_agents import AgentQueue, Deployment, SecretsBucket

AMI = "ami-0123456789abcdef0"


@pytest.fixture(scope="module")
def deployment(
    aws_server: LoopbackAws, aws_provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> LiveDeployment:
    aws_server.reset()
    return LiveDeployment(tmp_path_factory.mktemp("changes"), aws_server, aws_provider)


@pytest.fixture
def tf(deployment: LiveDeployment) -> Iterator[Terraform]:
    """Two deployed queues."""
    terraform = deployment.synthesize()
    terraform.apply()
    yield terraform
    (terraform.folder / "terraform.tfvars.json").unlink(missing_ok=True)
    terraform.variables["buildkite_agent_token"] = TOKEN


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
    assert changed_parameters(plan, stack(ARM)) == {"ImageId": (None, AMI)}
    applies_clean(tf)
    assert deployed_parameters(aws_server, ARM)["ImageId"] == AMI


def test_variables_that_are_no_longer_set_return_to_the_default_in_one_apply(
    tf: Terraform, aws_server: LoopbackAws
) -> None:
    variables = {
        "buildkite_agent_amis": {"arm64-linux": AMI, "amd64-linux": AMI},
        "vpc_id": "vpc-12345678",
        "subnet_ids": ["subnet-12345678", "subnet-87654321"],
    }
    path = tf.folder / "terraform.tfvars.json"
    path.write_text(json.dumps(variables))
    tf.apply()
    path.write_text(json.dumps({"buildkite_agent_amis": {"amd64-linux": ""}}))
    applies_clean(tf)
    for queue in (ARM, AMD):
        parameters = deployed_parameters(aws_server, queue)
        assert {parameters[name] for name in ("ImageId", "VpcId", "Subnets")} == {""}


def test_what_a_queue_no_longer_sets_returns_to_the_default_in_one_apply(
    tf: Terraform, deployment: LiveDeployment, aws_server: LoopbackAws
) -> None:
    parameters_set: dict[str, str | int] = {
        "KeyName": "ours",
        "RootVolumeSize": 500,
        "CpuCredits": "standard",
    }
    deployment.synthesize(queues=[AgentQueue("t4g.2xlarge", parameters=parameters_set), QUEUES[1]])
    tf.apply()
    assert parameters_set["KeyName"] == deployed_parameters(aws_server, ARM)["KeyName"]
    parameters_unset: dict[str, str | None] = {"KeyName": "", "RootVolumeSize": None}
    deployment.synthesize(
        queues=[AgentQueue("t4g.2xlarge", parameters=parameters_unset), QUEUES[1]]
    )
    applies_clean(tf)
    parameters = deployed_parameters(aws_server, ARM)
    assert parameters["KeyName"] == ""
    assert parameters["RootVolumeSize"] == "250"
    assert parameters["CpuCredits"] == "unlimited"


@pytest.mark.usefixtures("only_since_provider_5")
def test_a_state_that_holds_empty_values_settles_in_one_apply(
    tf: Terraform, deployment: LiveDeployment
) -> None:
    path = tf.folder / "buildkite.tf.json"
    content = json.loads(path.read_text())
    for resource in content["resource"]["aws_cloudformation_stack"].values():
        resource["parameters"].update({"ImageId": "", "VpcId": "", "Subnets": ""})
    path.write_text(json.dumps(content))
    tf.apply()
    deployment.synthesize()
    plan = tf.plan()
    assert (plan.created, plan.deleted) == (set(), set())
    assert changed_parameters(plan, stack(ARM)) == dict.fromkeys(
        ("ImageId", "VpcId", "Subnets"), ("", None)
    )
    applies_clean(tf)


def test_a_queue_added_and_removed_leaves_the_others_alone(
    tf: Terraform, deployment: LiveDeployment
) -> None:
    deployment.synthesize(queues=[AgentQueue("c6a.4xlarge"), *QUEUES])
    plan = tf.plan()
    added = {stack("amd64-c6a-4xlarge-linux")}
    # It denies each queue's instances the files of the other queues.
    policy = {"aws_s3_bucket_policy.buildkite_secrets"}
    assert (plan.created, plan.updated, plan.deleted) == (added, policy, set())
    applies_clean(tf)
    deployment.synthesize()
    plan = tf.plan()
    assert (plan.created, plan.updated, plan.deleted) == (set(), policy, added)
    applies_clean(tf)


def test_a_queue_resized_is_changed_in_place(
    tf: Terraform, deployment: LiveDeployment, aws_server: LoopbackAws
) -> None:
    deployment.synthesize(queues=[QUEUES[0], AgentQueue("m5.4xlarge", max_size=8)])
    plan = tf.plan()
    assert (plan.created, plan.updated, plan.deleted) == (set(), {stack(AMD)}, set())
    assert changed_parameters(plan, stack(AMD)) == {"MaxSize": ("4", "8")}
    applies_clean(tf)
    assert deployed_parameters(aws_server, AMD)["MaxSize"] == "8"


def test_a_rotated_token_changes_only_its_parameter(tf: Terraform, aws_server: LoopbackAws) -> None:
    tf.variables["buildkite_agent_token"] = f"{TOKEN}-rotated"
    plan = tf.plan()
    assert plan.updated == {"aws_ssm_parameter.buildkite_agent_token"}
    assert (plan.created, plan.deleted) == (set(), set())
    applies_clean(tf)
    parameter = aws_server.client("ssm").get_parameter(
        Name="/buildkite/agent-token", WithDecryption=True
    )
    assert parameter["Parameter"]["Value"] == f"{TOKEN}-rotated"


def test_a_stack_version_upgrade_is_in_place(
    tf: Terraform, deployment: LiveDeployment, aws_server: LoopbackAws
) -> None:
    old = [AgentQueue("t4g.2xlarge", stack_version="v6.21.0"), QUEUES[1]]
    deployment.synthesize(queues=old)
    tf.apply()
    deployment.synthesize()
    plan = tf.plan()
    assert (plan.created, plan.updated, plan.deleted) == (set(), {stack(ARM)}, set())
    changed = plan.changed_attributes(stack(ARM)) - {"outputs", "tags_all"}
    assert changed == {"tags", "template_url"}
    applies_clean(tf)
    assert "AgentEndpoint" in deployed_parameters(aws_server, ARM)


@pytest.mark.usefixtures("tf", "only_since_provider_5")
def test_a_lost_state_is_imported_without_a_change_and_then_clean(
    aws_server: LoopbackAws, aws_provider: Provider, tmp_path: Path
) -> None:
    again = LiveDeployment(tmp_path, aws_server, aws_provider)
    tf = again.synthesize(deployment=Deployment(import_account=ACCOUNT))
    plan = tf.plan()
    assert (plan.created, plan.updated, plan.deleted) == (set(), set(), set())
    tf.apply()
    assert plan.imported == tf.state_addresses()
    assert len(plan.imported) == 12
    again.synthesize()
    tf.apply()
    assert tf.would_change_nothing()


@pytest.mark.usefixtures("only_since_provider_5")
def test_more_default_tags_than_s3_accepts_are_refused_by_plan_or_omitted(
    aws_server: LoopbackAws, aws_provider: Provider, tmp_path: Path
) -> None:
    deployment = LiveDeployment(tmp_path, aws_server, aws_provider)
    names = {"project": "tagged", "queues": [AgentQueue("m5.4xlarge")]}
    tf = deployment.synthesize(**names)
    path = tf.folder / "main.tf.json"
    content = json.loads(path.read_text())
    tags = {f"tag-{number}": "x" for number in range(11)}
    content["provider"]["aws"][0]["default_tags"] = [{"tags": tags}]
    (tf.folder / "tags_override.tf.json").write_text(json.dumps({"provider": content["provider"]}))
    only_script = "-target=aws_s3_object.bootstrap_script"
    plan = tf.run("plan", "-no-color", only_script, check=False)
    assert "S3 accepts at most ten tags for an object" in " ".join(plan.stderr.split())
    deployment.synthesize(**names, secrets_bucket=SecretsBucket(default_tags_on_script=False))
    tf.apply(only_script)
    assert tf.plan(only_script).is_empty
