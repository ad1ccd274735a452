"""The conditions that Terraform checks, and what it imports and ignores."""

from collections.abc import Callable
from typing import Any

import pytest

from buildkite_agents import AgentQueue, Deployment, Network

Synthesize = Callable[..., dict[str, Any]]
VPC = "try(coalesce(var.vpc_id), null)"
IMAGE = 'try(coalesce(var.buildkite_agent_amis["amd64-linux"]), null)'
VERSION = "v7.13.0"


def lifecycle_of(configuration: dict[str, Any]) -> dict[str, Any]:
    (stack,) = configuration["resource"]["aws_cloudformation_stack"].values()
    lifecycle: dict[str, Any] = stack["lifecycle"]
    return lifecycle


@pytest.mark.parametrize(
    ("parameters", "condition", "message"),
    [
        ({"SecurityGroupIds": "sg-01234567"}, f"{VPC} != null", "must belong to the VPC"),
        ({"AssociatePublicIpAddress": False}, f"{VPC} != null", "creates its own VPC"),
        ({"EnableVpcEndpoints": True}, f"{VPC} == null", "no effect in an existing VPC"),
        ({"ImageIdParameter": "/image"}, f"{IMAGE} == null", "leave out amd64-linux there"),
    ],
)
def test_a_parameter_that_terraforms_variables_contradict_has_a_precondition(
    synthesize: Synthesize, parameters: dict[str, Any], condition: str, message: str
) -> None:
    queue = AgentQueue(
        "m5.large",
        name="q",
        parameters=parameters,
        image_stack_version=VERSION if "ImageIdParameter" in parameters else None,
    )
    (precondition,) = lifecycle_of(synthesize(queues=[queue]))["precondition"]
    assert precondition["condition"] == f"${{{condition}}}"
    assert precondition["error_message"].startswith(f"queue q: {next(iter(parameters))} ")
    assert message in precondition["error_message"]


@pytest.mark.parametrize(
    ("parameters", "network"),
    [
        ({}, None),
        ({"AssociatePublicIpAddress": True, "EnableVpcEndpoints": False}, None),
        # What is known is checked at once.
        ({"SecurityGroupIds": "sg-01234567"}, Network("vpc-01234567", ["subnet-01234567"])),
        ({"ImageId": "ami-01234567"}, None),
    ],
)
def test_without_a_possible_contradiction_there_is_no_precondition(
    synthesize: Synthesize, parameters: dict[str, Any], network: Network | None
) -> None:
    image = VERSION if "ImageId" in parameters else None
    queue = AgentQueue("m5.large", parameters=parameters, image_stack_version=image)
    configuration = synthesize(queues=[queue], network=network)
    assert "precondition" not in lifecycle_of(configuration)


def test_a_stack_must_have_outputs_and_a_token_must_be_readable(synthesize: Synthesize) -> None:
    configuration = synthesize()
    (postcondition,) = lifecycle_of(configuration)["postcondition"]
    assert postcondition["condition"] == (
        '${length(self.outputs) > 0 || !strcontains(lookup(self, "template_body", ""), "Outputs")}'
    )
    token = configuration["resource"]["aws_ssm_parameter"]["buildkite_agent_token"]
    (postcondition,) = token["lifecycle"]["postcondition"]
    assert postcondition["condition"] == (
        '${coalesce(lookup(self, "has_value_wo", false), false) == false}'
    )


def test_an_import_names_every_resource_and_ignores_what_it_cannot_read(
    synthesize: Synthesize,
) -> None:
    queue = AgentQueue("m5.large", name="q", ignore_changes=["notification_arns"])
    configuration = synthesize(queues=[queue], deployment=Deployment(import_account="123456789012"))
    bucket = "conbench-prod-buildkite-secrets"
    parts = (
        *("public_access_block", "server_side_encryption_configuration", "ownership_controls"),
        *("versioning", "lifecycle_configuration", "policy"),
    )
    partition = (
        '${startswith(var.aws_region, "cn-") ? "aws-cn" : '
        'startswith(var.aws_region, "us-gov-") ? "aws-us-gov" : "aws"}'
    )
    policy = f"arn:{partition}:iam::123456789012:policy/conbench-prod-buildkite-agent-policy"
    assert {block["to"]: block["id"] for block in configuration["import"]} == {
        "aws_s3_bucket.buildkite_secrets": bucket,
        **{f"aws_s3_bucket_{part}.buildkite_secrets": bucket for part in parts},
        "aws_s3_object.bootstrap_script": f"{bucket}/bootstrap/setup_benchmark_machine.sh",
        "aws_ssm_parameter.buildkite_agent_token": "/buildkite/agent-token",
        "aws_iam_policy.buildkite_agent": policy,
        "aws_cloudformation_stack.q": "conbench-prod-buildkite-q",
    }
    ignored = {
        f"{kind}.{name}": resource.get("lifecycle", {}).get("ignore_changes")
        for kind, named in configuration["resource"].items()
        for name, resource in named.items()
    }
    assert {address: names for address, names in ignored.items() if names} == {
        "aws_s3_bucket.buildkite_secrets": ["force_destroy", "tags"],
        "aws_s3_object.bootstrap_script": ["force_destroy", "source"],
        "aws_ssm_parameter.buildkite_agent_token": ["tags"],
        "aws_iam_policy.buildkite_agent": ["tags"],
        "aws_cloudformation_stack.q": [
            *("notification_arns", "capabilities", "parameters", "tags", "template_url"),
        ],
    }


def test_without_an_import_a_stack_ignores_what_the_queue_says(synthesize: Synthesize) -> None:
    queue = AgentQueue("m5.large", ignore_changes=['tags["owner"]'])
    configuration = synthesize(queues=[queue])
    assert lifecycle_of(configuration)["ignore_changes"] == ['tags["owner"]']
    assert "import" not in configuration
