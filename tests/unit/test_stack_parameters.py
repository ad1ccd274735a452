"""The parameters of a queue's CloudFormation stack."""

from dataclasses import replace

import pytest

from buildkite_agents import AgentQueue, elastic_ci_stack
from buildkite_agents.stack_parameters import (
    FIELDS,
    OF_THE_TEMPLATES_ROLE,
    Wiring,
    stack_parameters,
)

WIRING = Wiring(
    vpc_id="VPC",
    subnets="SUBNETS",
    amis="AMIS",
    bootstrap_script_url="URL",
    token_parameter="PATH",  # noqa: S106
    managed_policy_arns=["POLICY", "ANOTHER"],
    secrets_bucket="BUCKET",
    secrets_bucket_region="REGION",
)


def parameters_of(queue: AgentQueue, wiring: Wiring = WIRING) -> dict[str, str]:
    version = elastic_ci_stack.load(queue.stack_version)
    return stack_parameters(queue, version, instance_role="ROLE", wiring=wiring)


def test_a_queue_of_defaults_has_the_documented_parameters() -> None:
    assert parameters_of(AgentQueue("t4g.2xlarge")) == {
        "AgentsPerInstance": "1",
        "BootstrapScriptUrl": "URL",
        "BuildkiteAgentTags": "arch=arm64,os=linux,instance=t4g-2xlarge",
        "BuildkiteAgentTokenParameterStorePath": "PATH",
        "BuildkiteQueue": "arm64-t4g-2xlarge-linux",
        "IMDSv2Tokens": "required",
        "ImageId": '${try(coalesce(AMIS["arm64-linux"]), null)}',
        "InstanceCreationTimeout": "PT15M",
        "InstanceOperatingSystem": "linux",
        "InstanceRoleName": "ROLE",
        "InstanceTypes": "t4g.2xlarge",
        "ManagedPolicyARNs": "POLICY,ANOTHER",
        "MaxSize": "4",
        "MinSize": "0",
        "OnDemandPercentage": "100",
        "RootVolumeEncrypted": "true",
        "ScaleInIdlePeriod": "900",
        "SecretsBucket": "BUCKET",
        "SecretsBucketRegion": "REGION",
        "Subnets": "SUBNETS",
        "VpcId": "VPC",
    }


def test_a_mixed_spot_fleet() -> None:
    queue = AgentQueue("m5.4xlarge", more_instance_types=["m5a.4xlarge"], on_demand_percentage=20)
    parameters = parameters_of(queue)
    assert parameters["InstanceTypes"] == "m5.4xlarge,m5a.4xlarge"
    assert parameters["OnDemandPercentage"] == "20"


def test_idle_minutes_are_seconds_in_the_stack() -> None:
    assert parameters_of(AgentQueue("m5.large", idle_minutes=5))["ScaleInIdlePeriod"] == "300"


def test_no_idle_minutes_leave_the_stacks_own_default() -> None:
    assert "ScaleInIdlePeriod" not in parameters_of(AgentQueue("m5.large", idle_minutes=None))


@pytest.mark.parametrize(
    ("value", "text"), [("standard", "standard"), (True, "true"), (False, "false"), (80, "80")]
)
def test_any_other_parameter_is_passed_on_as_text(value: str | bool | int, text: str) -> None:
    parameters = parameters_of(AgentQueue("m5.large", parameters={"RootVolumeName": value}))
    assert parameters["RootVolumeName"] == text


def test_a_default_of_ours_can_be_set() -> None:
    queue = AgentQueue("m5.large", parameters={"ECRAccessPolicy": "readonly"})
    assert parameters_of(queue)["ECRAccessPolicy"] == "readonly"


def test_a_default_of_ours_can_be_left_to_the_stack() -> None:
    queue = AgentQueue("m5.large", parameters={"IMDSv2Tokens": None})
    assert "IMDSv2Tokens" not in parameters_of(queue)


def test_any_default_of_ours_can_be_replaced_by_a_queue() -> None:
    given = {
        "ImageId": "ami-1",
        "InstanceRoleName": "theirs",
        "ManagedPolicyARNs": None,
        "BootstrapScriptUrl": None,
        "BuildkiteAgentTags": "gpu=true",
        "MinSize": 3,
    }
    parameters = parameters_of(AgentQueue("m5.large", parameters=given))
    assert {name: parameters.get(name) for name in given} == {**given, "MinSize": "3"}


def test_a_queues_parameters_and_fields_override_those_of_all_queues() -> None:
    wiring = replace(WIRING, parameters={"RootVolumeSize": 100, "KeyName": "k", "MaxSize": 7})
    queue = AgentQueue("m5.large", parameters={"RootVolumeSize": 200})
    parameters = parameters_of(queue, wiring)
    assert (parameters["RootVolumeSize"], parameters["KeyName"]) == ("200", "k")
    assert parameters["MaxSize"] == "7"
    assert parameters_of(AgentQueue("m5.large", max_size=2), wiring)["MaxSize"] == "2"


def test_with_an_existing_role_the_templates_role_has_no_parameters() -> None:
    role = "arn:aws:iam::123456789012:role/agent"
    parameters = parameters_of(AgentQueue("m5.large", parameters={"InstanceRoleARN": role}))
    assert parameters.keys().isdisjoint(OF_THE_TEMPLATES_ROLE)


def test_a_version_is_given_only_what_it_has_by_the_names_that_it_has() -> None:
    parameters = parameters_of(AgentQueue("m5.large", stack_version="v5.0.0"))
    assert parameters["InstanceType"] == "m5.large"
    assert parameters["ManagedPolicyARN"] == "POLICY,ANOTHER"
    assert parameters.keys() <= elastic_ci_stack.load("v5.0.0").parameters.keys()


def test_without_an_instance_type_and_sizes_the_template_decides() -> None:
    queue = AgentQueue(
        name="q",
        min_size=None,
        max_size=None,
        on_demand_percentage=None,
        idle_minutes=None,
        agents_per_instance=None,
    )
    assert parameters_of(queue).keys().isdisjoint(FIELDS)
