"""Values that only Terraform knows, and that a plan refuses."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.deployment import synthesize
from support.loopback_aws import LoopbackAws
from support.provider import Provider
from support.terraform import Terraform, terraform_in

from buildkite_agents import AgentQueue
from buildkite_agents.queue import DEFAULT_STACK_VERSION

AMI = "ami-0123456789abcdef0"
SUBNETS = ["subnet-12345678", "subnet-87654321"]


@pytest.fixture(scope="module")
def initialized(
    synthesized: Path,
    aws_server: LoopbackAws,
    aws_provider: Provider,
    tmp_path_factory: pytest.TempPathFactory,
) -> Terraform:
    folder = tmp_path_factory.mktemp("variables")
    return terraform_in(folder, synthesized, aws_server, aws_provider)


@pytest.fixture
def tfvars(initialized: Terraform) -> Iterator[Path]:
    path = initialized.folder / "terraform.tfvars.json"
    yield path
    path.unlink(missing_ok=True)


def messages(text: str) -> str:
    """Terraform's messages without their frame and line breaks."""
    return " ".join(text.replace("│", " ").split())


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"buildkite_agent_token": ""}, "buildkite_agent_token must not be empty"),
        ({"buildkite_agent_token": " "}, "buildkite_agent_token must not be empty"),
        ({"buildkite_agent_token": "a\n"}, "without quotes, brackets, spaces or line breaks"),
        ({"buildkite_agent_token": "your-buildkite-agent-token-here"}, "is still the placeholder"),
        ({"buildkite_agent_amis": {"x86_64": "ami-12345678"}}, "must be amd64-linux or"),
        ({"buildkite_agent_amis": {"amd64-linux": "al2023"}}, "must be AMI ids"),
        ({"aws_region": "Virginia"}, "must be the name of an AWS region"),
        ({"environment": "staging"}, "is for the environment prod"),
        ({"vpc_id": "vpc-12345678"}, "go together: set both, or neither"),
        ({"subnet_ids": ["subnet-12345678", "subnet-87654321"]}, "go together"),
        ({"aws_region": "me-south-1"}, "has no image of the Elastic CI Stack"),
        (
            {"aws_region": "me-south-1", "buildkite_agent_amis": {"amd64-linux": AMI}},
            "has no image of the Elastic CI Stack",
        ),
        ({"vpc_id": "vpc-12345678", "subnet_ids": ["a", "b"]}, "must be ids of subnets"),
        ({"vpc_id": "main"}, "must be the id of a VPC"),
    ],
)
def test_a_bad_variable_is_refused_by_plan(
    initialized: Terraform, tfvars: Path, variables: dict[str, Any], message: str
) -> None:
    tfvars.write_text(json.dumps(variables))
    plan = initialized.run("plan", "-no-color", check=False, unset=variables.keys())
    assert plan.returncode == 1
    assert message in messages(plan.stderr)


@pytest.mark.parametrize(
    "variables",
    [
        *({"aws_region": region} for region in ("us-east1", "", "Virginia")),
        *({"buildkite_agent_token": token} for token in (" ", '"abc"', "YOUR_TOKEN", "<token>")),
        {"buildkite_agent_amis": {"x86_64-linux": "ami-12345678"}},
    ],
    ids=str,
)
def test_one_cause_is_one_error(
    initialized: Terraform, tfvars: Path, variables: dict[str, Any]
) -> None:
    tfvars.write_text(json.dumps(variables))
    plan = initialized.run("plan", "-no-color", check=False, unset=variables.keys())
    assert plan.returncode == 1
    assert plan.stderr.count("Error: ") == 1


def test_without_a_token_a_plan_is_refused(initialized: Terraform) -> None:
    plan = initialized.run("plan", "-no-color", check=False, unset=["buildkite_agent_token"])
    assert plan.returncode == 1
    assert 'variable "buildkite_agent_token" is not set' in messages(plan.stderr)


def test_variables_reach_the_stacks_that_they_are_for(
    terraform: Callable[[Path], Terraform], synthesized: Path
) -> None:
    tf = terraform(synthesized)
    # The resources to which the stacks refer, so that a plan knows all of their parameters.
    tf.apply("-target=aws_s3_bucket.buildkite_secrets", "-target=aws_iam_policy.buildkite_agent")
    variables = {
        "aws_region": "us-east-1",
        "buildkite_agent_amis": {"arm64-linux": AMI},
        "vpc_id": "vpc-12345678",
        "subnet_ids": SUBNETS,
    }
    (tf.folder / "terraform.tfvars.json").write_text(json.dumps(variables))
    plan = tf.plan()
    images = {}
    for address in plan.created:
        if address.startswith("aws_cloudformation_stack."):
            parameters = plan.after(address)["parameters"]
            images[parameters["BuildkiteQueue"]] = parameters.get("ImageId")
            assert parameters["SecretsBucketRegion"] == "us-east-1"
            assert parameters["VpcId"] == "vpc-12345678"
            assert parameters["Subnets"] == ",".join(SUBNETS)
    assert images == {
        "arm64-t4g-2xlarge-linux": AMI,
        "amd64-m5-4xlarge-linux": None,
        "amd64-c6a-4xlarge-linux": None,
    }


def test_an_ami_for_an_architecture_that_no_queue_has_is_refused(
    terraform: Callable[[Path], Terraform], tmp_path: Path
) -> None:
    synthesize(tmp_path / "amd64", queues=[AgentQueue("m5.4xlarge")])
    tf = terraform(tmp_path / "amd64")
    (tf.folder / "terraform.tfvars.json").write_text(
        json.dumps({"buildkite_agent_amis": {"arm64-linux": AMI}})
    )
    plan = tf.run("plan", "-no-color", check=False)
    assert "there are queues for amd64-linux only" in messages(plan.stderr)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"SecurityGroupIds": "sg-12345678"},
            "SecurityGroupIds must belong to the VPC that is given, and none is",
        ),
        (
            {"AssociatePublicIpAddress": False},
            "AssociatePublicIpAddress must be true where the stack creates its own VPC",
        ),
    ],
)
def test_what_needs_a_vpc_is_refused_by_plan_without_one(
    terraform: Callable[[Path], Terraform],
    tmp_path: Path,
    parameters: dict[str, Any],
    message: str,
) -> None:
    synthesize(tmp_path / "vpc", queues=[AgentQueue("m5.4xlarge", parameters=parameters)])
    tf = terraform(tmp_path / "vpc")
    plan = tf.run("plan", "-no-color", check=False)
    assert plan.returncode == 1
    assert message in messages(plan.stderr)
    (tf.folder / "terraform.tfvars.json").write_text(
        json.dumps({"vpc_id": "vpc-12345678", "subnet_ids": SUBNETS})
    )
    assert tf.run("plan").returncode == 0


@pytest.mark.parametrize(
    ("settings", "variables", "message"),
    [
        (
            {"parameters": {"EnableVpcEndpoints": True}},
            {"vpc_id": "vpc-12345678", "subnet_ids": SUBNETS},
            "EnableVpcEndpoints has no effect in an existing VPC",
        ),
        (
            {
                "parameters": {"ImageIdParameter": "/ami"},
                "image_stack_version": DEFAULT_STACK_VERSION,
            },
            {"buildkite_agent_amis": {"amd64-linux": AMI}},
            "ImageIdParameter has no effect with an image in buildkite_agent_amis",
        ),
    ],
)
def test_what_the_stack_would_ignore_is_refused_by_plan(
    terraform: Callable[[Path], Terraform],
    tmp_path: Path,
    settings: dict[str, Any],
    variables: dict[str, Any],
    message: str,
) -> None:
    synthesize(tmp_path / "ignored", queues=[AgentQueue("m5.4xlarge", **settings)])
    tf = terraform(tmp_path / "ignored")
    assert tf.run("plan").returncode == 0
    (tf.folder / "terraform.tfvars.json").write_text(json.dumps(variables))
    plan = tf.run("plan", "-no-color", check=False)
    assert plan.returncode == 1
    assert message in messages(plan.stderr)
