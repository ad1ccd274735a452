"""The parameters of a queue's CloudFormation stack."""

import pytest

from buildkite_agents import AgentQueue
from buildkite_agents.stack_parameters import Wiring, stack_parameters

WIRING = Wiring(
    vpc_id="VPC",
    subnets="SUBNETS",
    amis="AMIS",
    bootstrap_script_url="URL",
    token_parameter="PATH",  # noqa: S106
    managed_policy_arns="POLICIES",
    permissions_boundary=None,
    secrets_bucket="BUCKET",
    region="REGION",
)


def parameters_of(queue: AgentQueue) -> dict[str, str]:
    return stack_parameters(queue, instance_role="ROLE", wiring=WIRING)


def test_a_queue_of_defaults_has_the_documented_parameters() -> None:
    assert parameters_of(AgentQueue("t4g.2xlarge")) == {
        "AgentsPerInstance": "1",
        "BootstrapScriptUrl": "URL",
        "BuildkiteAgentTags": "arch=arm64,os=linux,instance=t4g-2xlarge",
        "BuildkiteAgentTokenParameterStorePath": "PATH",
        "BuildkiteQueue": "arm64-t4g-2xlarge-linux",
        "ECRAccessPolicy": "full",
        "IMDSv2Tokens": "required",
        "ImageId": '${try(coalesce(AMIS["arm64-linux"]), null)}',
        "InstanceCreationTimeout": "PT15M",
        "InstanceOperatingSystem": "linux",
        "InstanceRoleName": "ROLE",
        "InstanceTypes": "t4g.2xlarge",
        "ManagedPolicyARNs": "POLICIES",
        "MaxSize": "4",
        "MinSize": "0",
        "OnDemandPercentage": "100",
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
