"""The token, the policy, and the stacks of queues, argument by argument."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cdktf
import pytest

from buildkite_agents import (
    AgentAccess,
    AgentQueue,
    AgentStack,
    AgentToken,
    ConfigError,
)

Synthesize = Callable[..., dict[str, Any]]


TAGS = {"Project": "conbench", "Environment": "prod"}


def policy_statements(resources: dict[str, Any]) -> dict[str, Any]:
    document = json.loads(resources["aws_iam_policy"]["buildkite_agent"]["policy"])
    return {
        statement.get("Sid", str(i)): statement for i, statement in enumerate(document["Statement"])
    }


@pytest.mark.parametrize(
    "name",
    [
        *("aws", "agent-policy", "agent-token", "backend", "buildkite-agent", "environment"),
        *("agent_token", "buildkite_agent_queues", "secrets_bucket", "vpc_id"),
    ],
)
def test_a_queue_can_have_the_name_of_another_construct(synthesize: Synthesize, name: str) -> None:
    resources = synthesize(queues=[AgentQueue("m5.4xlarge", name=name)])["resource"]
    assert list(resources["aws_cloudformation_stack"]) == [name]


def test_the_token(synthesize: Synthesize) -> None:
    configuration = synthesize(token=AgentToken(organization="arrow-dev.org"))
    token = configuration["resource"]["aws_ssm_parameter"]["buildkite_agent_token"]
    del token["lifecycle"]
    assert token == {
        "name": "/buildkite/agent-token",
        "description": "Buildkite Agent Token for arrow-dev.org organization",
        "type": "SecureString",
        "value": "${var.buildkite_agent_token}",
        "tags": {**TAGS, "Name": "buildkite-agent-token"},
    }


def test_the_policy(synthesize: Synthesize) -> None:
    policy = synthesize()["resource"]["aws_iam_policy"]["buildkite_agent"]
    del policy["policy"]
    assert policy == {
        "name": "conbench-prod-buildkite-agent-policy",
        "description": "IAM policy for Buildkite agents",
        "tags": TAGS,
        "lifecycle": {"create_before_destroy": True},
    }


def test_the_documented_policy(synthesize: Synthesize) -> None:
    resources = synthesize(keep_documented_layout=True)["resource"]
    document = json.loads(resources["aws_iam_policy"]["buildkite_agent"]["policy"])
    bucket = "${aws_s3_bucket.buildkite_secrets.arn}"
    assert document == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:ListBucket"],
                "Resource": [bucket, f"{bucket}/*"],
            },
            {
                "Effect": "Allow",
                "Action": [
                    "ecr:GetAuthorizationToken",
                    "ecr:BatchCheckLayerAvailability",
                    "ecr:GetDownloadUrlForLayer",
                    "ecr:BatchGetImage",
                    "ecr:PutImage",
                    "ecr:InitiateLayerUpload",
                    "ecr:UploadLayerPart",
                    "ecr:CompleteLayerUpload",
                ],
                "Resource": "*",
            },
            {
                "Effect": "Allow",
                "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": "arn:aws:logs:*:*:*",
            },
        ],
    }


def test_the_documented_layout_has_no_further_resources(
    synthesize: Synthesize,
) -> None:
    assert synthesize(keep_documented_layout=True)["resource"].keys() == {
        "aws_cloudformation_stack",
        "aws_iam_policy",
        "aws_s3_bucket",
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_server_side_encryption_configuration",
        "aws_s3_object",
        "aws_ssm_parameter",
    }


def test_additional_access_is_added(synthesize: Synthesize) -> None:
    statement = {"Sid": "Own", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
    access = AgentAccess(
        push_to_ecr_repositories=["arrow/*"],
        statements=[statement],
        managed_policies=["arn:aws:iam::aws:policy/ReadOnlyAccess"],
        permissions_boundary="arn:aws:iam::123456789012:policy/boundary",
    )
    resources = synthesize(access=access)["resource"]
    statements = policy_statements(resources)
    assert statements["Own"] == statement
    (images,) = statements["PushImages"]["Resource"]
    assert images.endswith(":repository/arrow/*")
    (stack,) = resources["aws_cloudformation_stack"].values()
    parameters = stack["parameters"]
    assert parameters["ManagedPolicyARNs"].endswith(",arn:aws:iam::aws:policy/ReadOnlyAccess")
    boundary = "arn:aws:iam::123456789012:policy/boundary"
    assert parameters["InstanceRolePermissionsBoundaryARN"] == boundary


def test_pushing_to_ecr_is_asked_for(synthesize: Synthesize) -> None:
    resources = synthesize()["resource"]
    assert "ecr:" not in resources["aws_iam_policy"]["buildkite_agent"]["policy"]
    (stack,) = resources["aws_cloudformation_stack"].values()
    assert stack["parameters"]["ECRAccessPolicy"] == "readonly"
    (stack,) = synthesize(access=AgentAccess(pull_from_ecr=False))["resource"][
        "aws_cloudformation_stack"
    ].values()
    assert stack["parameters"]["ECRAccessPolicy"] == "none"


def test_the_quotes_of_a_reference_in_a_policy_are_terraforms(synthesize: Synthesize) -> None:
    resource = '${aws_sqs_queue.all["results"].arn}'
    statement = {"Sid": "Own", "Effect": "Allow", "Action": "sqs:*", "Resource": resource}
    resources = synthesize(access=AgentAccess(statements=[statement]))["resource"]
    assert f'"Resource":"{resource}"' in resources["aws_iam_policy"]["buildkite_agent"]["policy"]


def test_the_token_is_checked_where_no_error_contains_it(synthesize: Synthesize) -> None:
    for settings in ({}, {"token": AgentToken(write_only_version=1)}):
        configuration = synthesize(**settings)
        assert "validation" not in configuration["variable"]["buildkite_agent_token"]
        parameter = configuration["resource"]["aws_ssm_parameter"]["buildkite_agent_token"]
        assert len(parameter["lifecycle"]["precondition"]) == 4


def test_a_write_only_token_is_in_no_argument_that_the_state_keeps(synthesize: Synthesize) -> None:
    configuration = synthesize(token=AgentToken(write_only_version=3))
    parameter = configuration["resource"]["aws_ssm_parameter"]["buildkite_agent_token"]
    assert parameter["value_wo"] == "${var.buildkite_agent_token}"
    assert parameter["value_wo_version"] == 3
    assert "value" not in parameter
    variable = configuration["variable"]["buildkite_agent_token"]
    assert (variable["ephemeral"], variable["sensitive"]) == (True, True)
    terraform = configuration["terraform"]
    assert terraform["required_version"] == ">= 1.11"
    assert terraform["required_providers"]["aws"]["version"].startswith(">= 5.87, < 7.0, ")


def test_a_queues_stack(synthesize: Synthesize) -> None:
    queue = "amd64-m5-4xlarge-linux"
    name = f"conbench-prod-buildkite-{queue}"
    stacks = synthesize()["resource"]["aws_cloudformation_stack"]
    del stacks[queue]["lifecycle"]
    stacks[queue]["tags"].pop("ElasticCIStack")
    assert stacks == {
        queue: {
            "timeouts": dict.fromkeys(("create", "update", "delete"), "90m"),
            "name": name,
            "template_url": "https://s3.amazonaws.com/buildkite-aws-stack/v7.13.0/aws-stack.yml",
            "capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            "tags": {**TAGS, "Name": name, "Queue": queue},
            "depends_on": [
                "aws_s3_object.bootstrap_script",
                "aws_ssm_parameter.buildkite_agent_token",
                "aws_iam_policy.buildkite_agent",
            ],
            "parameters": {
                "AgentsPerInstance": "1",
                "BootstrapScriptUrl": (
                    "s3://${aws_s3_bucket.buildkite_secrets.bucket}/"
                    "${aws_s3_object.bootstrap_script.key}"
                ),
                "BuildkiteAgentTags": "arch=amd64,os=linux,instance=m5-4xlarge",
                "BuildkiteAgentTokenParameterStorePath": (
                    "${aws_ssm_parameter.buildkite_agent_token.name}"
                ),
                "BuildkiteQueue": queue,
                "ECRAccessPolicy": "readonly",
                "IMDSv2Tokens": "required",
                "ImageId": ('${try(coalesce(var.buildkite_agent_amis["amd64-linux"]), null)}'),
                "InstanceCreationTimeout": "PT15M",
                "InstanceOperatingSystem": "linux",
                "InstanceRoleName": f"{name}-role",
                "InstanceTypes": "m5.4xlarge",
                "ManagedPolicyARNs": "${aws_iam_policy.buildkite_agent.arn}",
                "MaxSize": "4",
                "MinSize": "0",
                "OnDemandPercentage": "100",
                "RootVolumeEncrypted": "true",
                "ScaleInIdlePeriod": "900",
                "SecretsBucket": "${aws_s3_bucket.buildkite_secrets.bucket}",
                "SecretsBucketRegion": "${var.aws_region}",
                "Subnets": '${try(coalesce(join(",", var.subnet_ids)), null)}',
                "VpcId": "${try(coalesce(var.vpc_id), null)}",
            },
        }
    }


def test_an_arm64_queue_takes_the_arm64_image(synthesize: Synthesize) -> None:
    configuration = synthesize(queues=[AgentQueue("t4g.2xlarge", name="arm")])
    parameters = configuration["resource"]["aws_cloudformation_stack"]["arm"]["parameters"]
    assert parameters["ImageId"] == (
        '${try(coalesce(var.buildkite_agent_amis["arm64-linux"]), null)}'
    )


def test_a_queues_own_stack_version_is_its_template(synthesize: Synthesize) -> None:
    configuration = synthesize(queues=[AgentQueue("m5.large", name="old", stack_version="v6.21.0")])
    assert configuration["resource"]["aws_cloudformation_stack"]["old"]["template_url"] == (
        "https://s3.amazonaws.com/buildkite-aws-stack/v6.21.0/aws-stack.yml"
    )


def test_each_queue_is_moved_from_its_address_in_the_documented_layout(
    synthesize: Synthesize,
) -> None:
    queues = [AgentQueue("m5.large", name="b"), AgentQueue("m5.large", name="a")]
    assert synthesize(queues=queues)["moved"] == [
        {
            "from": f'aws_cloudformation_stack.buildkite_agents["{name}"]',
            "to": f"aws_cloudformation_stack.{name}",
        }
        for name in ("a", "b")
    ]


def test_the_order_of_the_queues_does_not_matter(synthesize: Synthesize) -> None:
    queues = [AgentQueue("m5.large"), AgentQueue("c6a.large"), AgentQueue("t4g.large")]
    assert synthesize(queues=queues) == synthesize(queues=queues[::-1])


def test_a_queue_changes_nothing_of_another(synthesize: Synthesize) -> None:
    one, two = AgentQueue("m5.large", name="one"), AgentQueue("c6a.large", name="two")
    alone = synthesize(queues=[one])["resource"]
    beside = synthesize(queues=[two, one])["resource"]
    del beside["aws_cloudformation_stack"]["two"]
    # The bucket's policy keeps queues apart.
    del alone["aws_s3_bucket_policy"], beside["aws_s3_bucket_policy"]
    assert alone == beside


def test_a_stacks_tag_contains_its_version_and_a_checksum_of_its_parameter_names(
    synthesize: Synthesize,
) -> None:
    def tag(**fields: Any) -> str:
        queue = AgentQueue("m5.4xlarge", name="q", **fields)
        stacks = synthesize(queues=[queue])["resource"]["aws_cloudformation_stack"]
        return str(stacks["q"]["tags"]["ElasticCIStack"])

    plain = tag()
    assert plain.startswith("v7.13.0 ")
    assert tag(parameters={"RootVolumeSize": 500}) != plain
    assert tag(parameters={"RootVolumeSize": 500}) == tag(parameters={"RootVolumeSize": 600})
    assert tag(stack_version="v6.21.0") == plain.replace("v7.13.0", "v6.21.0")


def test_the_documented_layout_has_no_further_tags(synthesize: Synthesize) -> None:
    (stack,) = synthesize(keep_documented_layout=True)["resource"][
        "aws_cloudformation_stack"
    ].values()
    assert stack["tags"].keys() == {*TAGS, "Name", "Queue"}


def test_a_second_project_has_its_own_token_parameter(synthesize: Synthesize) -> None:
    def parameter(**settings: Any) -> str:
        resources = synthesize(**settings)["resource"]
        return str(resources["aws_ssm_parameter"]["buildkite_agent_token"]["name"])

    assert parameter(project="conbench") == "/buildkite/agent-token"
    assert parameter(project="conbench", environment="dev") == "/buildkite/dev/agent-token"
    assert parameter(project="acme") == "/buildkite/acme/prod/agent-token"
    assert parameter(project="acme", environment="dev") == "/buildkite/acme/dev/agent-token"


def test_another_environment_has_no_name_of_prod(synthesize: Synthesize) -> None:
    staging = synthesize(environment="staging")
    assert "conbench-prod" not in json.dumps(staging)
    name = staging["resource"]["aws_ssm_parameter"]["buildkite_agent_token"]["name"]
    assert name == "/buildkite/staging/agent-token"


def test_another_project_and_organization(synthesize: Synthesize) -> None:
    configuration = synthesize(project="acme", token=AgentToken(organization="acme-inc"))
    bucket = configuration["resource"]["aws_s3_bucket"]["buildkite_secrets"]["bucket"]
    assert bucket == "acme-prod-buildkite-secrets"
    description = configuration["resource"]["aws_ssm_parameter"]["buildkite_agent_token"][
        "description"
    ]
    assert description == "Buildkite Agent Token for acme-inc organization"


def test_a_mistake_leaves_no_partial_stack(bootstrap_script: Path) -> None:
    app = cdktf.Testing.app()
    with pytest.raises(ConfigError, match="max_size must be at least 0, got -1"):
        AgentStack(
            app,
            project="conbench",
            queues=[AgentQueue("m5.large", max_size=-1)],
            bootstrap_script=bootstrap_script,
        )
    assert list(app.node.children) == []


def test_the_output_names_nothing_of_the_machine(synthesize: Synthesize, root: Path) -> None:
    text = json.dumps(synthesize())
    assert str(root) not in text
    assert str(Path.home()) not in text
