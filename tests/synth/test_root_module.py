"""The root module: versions, state, provider, variables, outputs and checks."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from buildkite_agents import (
    AgentApp,
    AgentQueue,
    AgentStack,
    Deployment,
    Network,
    S3Backend,
)

Synthesize = Callable[..., dict[str, Any]]


TAGS = {"Project": "conbench", "Environment": "prod"}


@pytest.mark.parametrize(
    ("settings", "is_there"),
    [
        ({}, True),
        ({"stack_version": "v6.71.4"}, False),
        ({"parameters": {"ImageId": None}}, False),
        ({"parameters": {"ImageId": "ami-01234567"}, "image_stack_version": "v7.13.0"}, False),
    ],
)
def test_terraform_warns_of_images_in_its_variable_since_v7(
    synthesize: Synthesize, settings: dict[str, Any], is_there: bool
) -> None:
    configuration = synthesize(queues=[AgentQueue("m5.large", **settings)])
    assert ("check" in configuration) is is_there


def test_the_outputs(synthesize: Synthesize) -> None:
    queues = [AgentQueue("m5.large", name="b"), AgentQueue("m5.large", name="a")]
    outputs = synthesize(queues=queues)["output"]
    assert {name: output["value"] for name, output in outputs.items()} == {
        "buildkite_secrets_bucket": "${aws_s3_bucket.buildkite_secrets.bucket}",
        "buildkite_agent_queues": ["a", "b"],
        "buildkite_stack_names": {
            "a": "${aws_cloudformation_stack.a.name}",
            "b": "${aws_cloudformation_stack.b.name}",
        },
    }


def test_the_provider(synthesize: Synthesize) -> None:
    assert synthesize()["provider"] == {
        "aws": [
            {
                "region": "${var.aws_region}",
                "profile": '${var.aws_profile == "" ? null : var.aws_profile}',
                "default_tags": [{"tags": {**TAGS, "ManagedBy": "terraform"}}],
            }
        ]
    }


def test_versions_are_ranges(synthesize: Synthesize) -> None:
    terraform = synthesize()["terraform"]
    assert terraform["required_version"] == ">= 1.9"
    aws = terraform["required_providers"]["aws"]
    assert aws["source"] == "hashicorp/aws"
    assert aws["version"].startswith(">= 5.0, < 7.0, ")


def test_provider_versions_that_cannot_work_are_excluded(synthesize: Synthesize) -> None:
    version = synthesize()["terraform"]["required_providers"]["aws"]["version"]
    excluded = {v.removeprefix("!= ") for v in version.split(", ") if v.startswith("!= ")}
    assert {"5.86.0", "6.1.0", "6.22.0", "6.22.1", "6.39.0"} <= excluded
    assert not {"5.86.1", "5.100.0", "6.21.0", "6.40.0"} & excluded


def test_state_is_beside_the_configuration_by_default(
    bootstrap_script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = AgentApp()
    queues = [AgentQueue("m5.4xlarge")]
    AgentStack(app, project="conbench", queues=queues, bootstrap_script=bootstrap_script)
    app.synth()
    terraform = json.loads(Path("terraform/main.tf.json").read_text())["terraform"]
    assert terraform["backend"] == {"local": {"path": "terraform.tfstate"}}


def test_state_in_s3_is_encrypted_and_locked(synthesize: Synthesize) -> None:
    backend = S3Backend(bucket="states", region="eu-west-1")
    assert synthesize(deployment=Deployment(backend=backend))["terraform"]["backend"] == {
        "s3": {
            "bucket": "states",
            "key": "conbench-prod/terraform.tfstate",
            "region": "eu-west-1",
            "encrypt": True,
            "use_lockfile": True,
        }
    }


def test_a_state_in_s3_has_its_own_profile_role_and_key(synthesize: Synthesize) -> None:
    role, key = "arn:aws:iam::123456789012:role/states", "arn:aws:kms:us-east-1:123456789012:key/k"
    backend = S3Backend(
        bucket="states", region="eu-west-1", profile="ops", role_arn=role, kms_key_arn=key
    )
    terraform = synthesize(deployment=Deployment(backend=backend))["terraform"]
    s3 = terraform["backend"]["s3"]
    assert (s3["profile"], s3["assume_role"], s3["kms_key_id"]) == ("ops", {"role_arn": role}, key)
    # Older versions have no lock files in S3.
    assert terraform["required_version"] == ">= 1.10"


def test_the_key_of_a_state_in_s3_can_be_set(synthesize: Synthesize) -> None:
    backend = S3Backend(bucket="states", region="eu-west-1", key="arrow.tfstate")
    assert (
        synthesize(deployment=Deployment(backend=backend))["terraform"]["backend"]["s3"]["key"]
        == "arrow.tfstate"
    )


def test_the_variables(synthesize: Synthesize) -> None:
    variables = synthesize()["variable"]
    assert {name: variable.get("default") for name, variable in variables.items()} == {
        "aws_profile": "",
        "aws_region": "us-east-1",
        "buildkite_agent_amis": {},
        "buildkite_agent_token": None,
        "environment": "prod",
        "subnet_ids": [],
        "vpc_id": "",
    }
    assert [name for name, variable in variables.items() if variable["nullable"]] == []


def test_the_token_variable_is_sensitive_and_required(synthesize: Synthesize) -> None:
    token = synthesize()["variable"]["buildkite_agent_token"]
    assert token["sensitive"] is True
    assert "default" not in token


def test_a_network_of_references_takes_the_place_of_the_variables(synthesize: Synthesize) -> None:
    subnets = ["${aws_subnet.public[0].id}", "${aws_subnet.public[1].id}"]
    configuration = synthesize(network=Network("${aws_vpc.main.id}", subnets))
    (stack,) = configuration["resource"]["aws_cloudformation_stack"].values()
    assert stack["parameters"]["VpcId"] == "${aws_vpc.main.id}"
    assert stack["parameters"]["Subnets"] == ",".join(subnets)
    assert not {"vpc_id", "subnet_ids"} & configuration["variable"].keys()
