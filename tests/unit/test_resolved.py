"""The parameters of a queue's CloudFormation stack."""

from typing import Any

import pytest
from support.resolving import resolved

from buildkite_agents import AgentQueue, Existing, Network, elastic_ci_stack
from buildkite_agents.elastic_ci_stack import StackVersion
from buildkite_agents.queue import FIELDS
from buildkite_agents.resolve import resolve
from buildkite_agents.resolved import PARAMETERS_OF_TEMPLATE_ROLE
from buildkite_agents.settings import StackSettings

STACK: dict[str, Any] = {
    "network": Network("${VPC}", "${SUBNETS}"),
    "bootstrap_script": "https://URL",
    "token": Existing("${PATH}"),
    "access": Existing("${POLICIES}"),
    "secrets_bucket": Existing("BUCKET"),
}


def parameters_of(queue: AgentQueue, **settings: Any) -> dict[str, str]:
    return dict(resolved(queue, **{**STACK, **settings}).parameters)


def test_a_queue_of_defaults_has_the_documented_parameters() -> None:
    assert parameters_of(AgentQueue("t4g.2xlarge")) == {
        "AgentsPerInstance": "1",
        "BootstrapScriptUrl": "https://URL",
        "BuildkiteAgentTags": "arch=arm64,os=linux,instance=t4g-2xlarge",
        "BuildkiteAgentTokenParameterStorePath": "${PATH}",
        "BuildkiteQueue": "arm64-t4g-2xlarge-linux",
        "IMDSv2Tokens": "required",
        "ImageId": '${try(coalesce(var.buildkite_agent_amis["arm64-linux"]), null)}',
        "InstanceCreationTimeout": "PT15M",
        "InstanceOperatingSystem": "linux",
        "InstanceRoleName": "conbench-prod-buildkite-arm64-t4g-2xlarge-linux-role",
        "InstanceTypes": "t4g.2xlarge",
        "ManagedPolicyARNs": "${POLICIES}",
        "MaxSize": "4",
        "MinSize": "0",
        "OnDemandPercentage": "100",
        "RootVolumeEncrypted": "true",
        "ScaleInIdlePeriod": "900",
        "SecretsBucket": "BUCKET",
        "Subnets": "${SUBNETS}",
        "VpcId": "${VPC}",
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
    }
    parameters = parameters_of(AgentQueue("m5.large", parameters=given))
    assert {name: parameters.get(name) for name in given} == given


def test_a_queues_parameters_override_those_of_all_queues() -> None:
    common = {"RootVolumeSize": 100, "KeyName": "k"}
    queue = AgentQueue("m5.large", parameters={"RootVolumeSize": 200})
    parameters = parameters_of(queue, parameters=common)
    assert (parameters["RootVolumeSize"], parameters["KeyName"]) == ("200", "k")


def test_with_an_existing_role_the_templates_role_has_no_parameters() -> None:
    role = "arn:aws:iam::123456789012:role/agent"
    parameters = parameters_of(AgentQueue("m5.large", parameters={"InstanceRoleARN": role}))
    assert parameters.keys().isdisjoint(PARAMETERS_OF_TEMPLATE_ROLE)


def test_a_version_is_given_only_what_it_has_by_the_names_that_it_has() -> None:
    parameters = parameters_of(AgentQueue("m5.large", stack_version="v5.0.0"))
    assert parameters["InstanceType"] == "m5.large"
    assert parameters["ManagedPolicyARN"] == "${POLICIES}"
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
    assert parameters_of(queue).keys().isdisjoint(FIELDS.keys() - {"BuildkiteQueue"})


def test_minutes_become_seconds_whatever_they_are() -> None:
    def seconds(minutes: Any) -> str:
        return parameters_of(AgentQueue("m5.large", idle_minutes=minutes))["ScaleInIdlePeriod"]

    assert [seconds(m) for m in (1.5, 0, 100 / 60)] == ["90", "0", "100"]
    assert seconds("${var.minutes}") == "${(var.minutes) * 60}"


def test_the_parameters_that_are_reported_are_those_that_the_stack_gets() -> None:
    queue = resolved(AgentQueue("m5.large", max_size="${var.size}", min_size=None))
    assert queue.shown("MaxSize") == queue.parameters["MaxSize"] == "${var.size}"
    assert queue.shown("MinSize") == "0"
    assert "MinSize" not in queue.parameters


def test_the_versions_of_an_image_are_those_of_all_queues_with_it() -> None:
    def queue(name: str, version: str, **parameters: str) -> tuple[AgentQueue, StackVersion]:
        one = AgentQueue("m5.large", name=name, stack_version=version, parameters=parameters)
        return one, elastic_ci_stack.load(version)

    queues = [
        queue("a", "v6.71.1", ImageId="ami-1"),
        queue("b", "v6.70.0", ImageId="ami-1"),
        queue("c", "v6.71.1", ImageId="ami-2"),
        queue("d", "v6.71.1"),
        queue("e", "v6.71.1", ImageId="${var.ami}"),
    ]
    stack = resolve(StackSettings("conbench"), queues)
    assert stack.versions_of_images == {"ami-1": {"v6.71.1", "v6.70.0"}, "ami-2": {"v6.71.1"}}


def test_with_the_templates_defaults_a_stack_has_only_what_was_set() -> None:
    queue = AgentQueue("t4g.2xlarge", name="q", max_size=4)
    given = {"secrets_bucket": None, "access": None, "template_defaults": True}
    stack = resolved(queue, **given, token=Existing("/token"), tags={"team": "ci"})
    assert stack.parameters == {
        "BuildkiteAgentTokenParameterStorePath": "/token",
        "BuildkiteQueue": "q",
        "InstanceTypes": "t4g.2xlarge",
        "MaxSize": "4",
    }
    assert stack.tags == {"team": "ci"}


def test_with_the_templates_defaults_a_stack_moves_only_from_an_address_that_is_set() -> None:
    assert resolved(AgentQueue("m5.large")).former_address.endswith('["amd64-m5-large-linux"]')
    stays = resolved(AgentQueue("m5.large"), template_defaults=True)
    assert stays.former_address == stays.address
    moved = AgentQueue("m5.large", moved_from="aws_cloudformation_stack.ci")
    assert resolved(moved, template_defaults=True).former_address == "aws_cloudformation_stack.ci"


@pytest.mark.parametrize("tags", [None, {}])
def test_with_the_templates_defaults_and_no_tags_a_stack_has_none(
    tags: dict[str, str] | None,
) -> None:
    assert resolved(AgentQueue("m5.large"), template_defaults=True, tags=tags).tags == {}


@pytest.mark.parametrize(
    ("template_url", "url"),
    [
        (None, elastic_ci_stack.template_url("v6.30.0")),
        ("https://acme.s3.amazonaws.com/elastic.yml", "https://acme.s3.amazonaws.com/elastic.yml"),
        ("", None),
    ],
)
def test_a_template_of_ones_own_is_used(template_url: str | None, url: str | None) -> None:
    queue = AgentQueue("m5.large", stack_version="v6.30.0", template_url=template_url)
    assert resolved(queue).template_url == url
    assert resolved(queue).is_of_its_version == (template_url is None)
