"""The rules for values: each accepts its valid examples and reports its invalid ones."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.resolving import problems_of, problems_of_value
from support.rule_examples import EXAMPLES

from buildkite_agents import AgentAccess, AgentQueue, elastic_ci_stack
from buildkite_agents.checks.combinations import COMBINED_RULES
from buildkite_agents.checks.rules import RULES, rules_of

WITH_RULES = sorted({name for rule in RULES for name in rule.parameters})
TEMPLATES_OWN = {  # by their names, the newest version that has each
    name: next(
        elastic_ci_stack.load(version)
        for version in reversed(elastic_ci_stack.known_versions())
        if name in elastic_ci_stack.load(version).parameters
    )
    for name in WITH_RULES
}
CASES = [
    (name, value, kept)
    for name, (good, bad) in EXAMPLES.items()
    for kept, values in ((True, good), (False, bad))
    for value in values
]


def test_each_parameter_with_a_rule_has_examples_that_keep_and_break_it() -> None:
    assert sorted(EXAMPLES) == WITH_RULES
    assert all(good and bad for good, bad in EXAMPLES.values())


@pytest.mark.parametrize(("name", "value", "kept"), CASES)
def test_a_value_is_accepted_or_refused_by_the_name_of_its_parameter(
    name: str, value: str, kept: bool
) -> None:
    problems = problems_of_value(name, value, TEMPLATES_OWN[name])
    assert (problems == []) is kept
    assert all(problem.startswith(f"parameters[{name!r}] must ") for problem in problems)


@given(st.sampled_from(WITH_RULES), st.text(max_size=30))
def test_whatever_breaks_a_rule_is_refused_by_the_name_of_its_parameter(
    name: str, value: str
) -> None:
    if not value or "${" in value or all(rule.holds(value) for rule in rules_of(name)):
        return
    (problem, *_) = problems_of_value(name, value, TEMPLATES_OWN[name])
    assert problem.startswith(f"parameters[{name!r}] must ")


@given(st.data())
def test_a_pattern_must_match_the_whole_value(
    data: st.DataObject,
) -> None:
    name = data.draw(st.sampled_from(sorted(EXAMPLES)))
    value = data.draw(st.sampled_from(EXAMPLES[name][0]))
    problems = problems_of_value(name, f"{value}\n", TEMPLATES_OWN[name])
    assert problems


@pytest.mark.parametrize("rule", [*RULES, *COMBINED_RULES], ids=lambda rule: rule.parameters[0])
def test_a_rule_names_parameters_that_some_version_has_and_its_source(rule: Any) -> None:
    parameters = elastic_ci_stack.history()["parameters"]
    assert set(rule.parameters) <= parameters.keys()
    assert rule.source.startswith("https://")


NETWORK = {"VpcId": "vpc-01234567", "Subnets": "subnet-01234567,subnet-01234568"}


def problems_with(
    parameters: dict[str, Any], *, instance_type: str | None = "m5.large", **settings: Any
) -> list[str]:
    queue = AgentQueue(
        instance_type, name="q", stack_version="v6.71.1", parameters=parameters, **settings
    )
    return [p.removeprefix("queue 'q': ") for p in problems_of(queue)]


@pytest.mark.parametrize(
    ("parameters", "instance_type", "problem"),
    [
        (
            {"RootVolumeType": "gp3", "RootVolumeIops": 6000, "RootVolumeSize": 10},
            "m5.large",
            "parameters['RootVolumeIops'] must be from 3000 to 5000 for a gp3 volume of 10 GiB",
        ),
        (
            {"RootVolumeType": "io1", "RootVolumeIops": 3000, "RootVolumeSize": 20},
            "m5.large",
            "parameters['RootVolumeIops'] must be from 100 to 1000 for a io1 volume of 20 GiB",
        ),
        (
            {"RootVolumeThroughput": 1000},
            "m5.large",
            "parameters['RootVolumeThroughput'] must be from 125 to 750 MiB/s",
        ),
        (
            {"RootVolumeName": "/dev/sdb"},
            "m5.large",
            "parameters['RootVolumeName'] must be '/dev/xvda'",
        ),
        (
            {"SecurityGroupIds": "sg-01234567", "VpcId": None, "Subnets": None},
            "m5.large",
            "parameters['SecurityGroupIds'] must belong to the VPC",
        ),
        (
            {"AssociatePublicIpAddress": False, "VpcId": None, "Subnets": None},
            "m5.large",
            "parameters['AssociatePublicIpAddress'] must be true",
        ),
        ({"VpcId": "vpc-01234567", "Subnets": None}, "m5.large", "parameters['Subnets'] is requ"),
        (
            {"NestedVirtualizationEnabled": True},
            "m5.large",
            "parameters['NestedVirtualizationEnabled'] requires instance types of the families c8i",
        ),
        ({}, "a1.large", "instance_type: 'a1.large' cannot run Amazon Linux 2023"),
        (
            {"DockerFixedCidrV4": "10.0.0.0/16"},
            "m5.large",
            "parameters['DockerFixedCidrV4'] must be within DockerIPv4AddressPool1, 172.17.0.0/12",
        ),
        (
            {"ImageId": "ami-01234567", "ImageIdParameter": "/image"},
            "m5.large",
            "parameters['ImageIdParameter'] has no effect with ImageId",
        ),
        (
            {"BuildkiteAgentTokenParameterStorePath": None},
            "m5.large",
            "an agent token is required",
        ),
    ],
)
def test_invalid_combinations_of_values_are_refused(
    parameters: dict[str, Any], instance_type: str, problem: str
) -> None:
    (found,) = problems_with(parameters, instance_type=instance_type)
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("parameters", "instance_type"),
    [
        ({"RootVolumeIops": 80000, "RootVolumeThroughput": 2000}, "m5.large"),
        ({"RootVolumeType": "io2", "RootVolumeIops": 50000}, "m5.large"),
        ({"RootVolumeName": "/dev/sda1", "ImageId": "ami-01234567"}, "m5.large"),
        ({"SecurityGroupIds": "sg-01234567", **NETWORK}, "m5.large"),
        ({"AssociatePublicIpAddress": False, **NETWORK}, "m5.large"),
        ({"NestedVirtualizationEnabled": True}, "m8i.large"),
        ({"ImageId": "ami-01234567"}, "a1.large"),
        ({"DockerFixedCidrV4": "172.18.0.0/16"}, "m5.large"),
        ({"ScaleUpMinSize": 50}, "m5.large"),
    ],
)
def test_valid_combinations_of_values_are_accepted(
    parameters: dict[str, Any], instance_type: str
) -> None:
    assert problems_with(parameters, instance_type=instance_type) == []


def policies(count: int) -> str:
    return ",".join(f"arn:aws:iam::123456789012:policy/p{number}" for number in range(count))


def test_more_policies_than_the_quota_of_iam_must_be_accepted() -> None:
    own = {"ManagedPolicyARNs": policies(9), "ECRAccessPolicy": "readonly"}
    assert problems_with(own) == []
    own["ManagedPolicyARNs"] = policies(10)
    (problem,) = problems_with(own)
    assert "must be at most 10 policies" in problem
    assert problems_with(own, accepted_warnings=["policy-quota"]) == []
    own["ManagedPolicyARNs"] = policies(25)
    (problem,) = problems_with(own, accepted_warnings=["policy-quota"])
    assert "must be at most 25 policies" in problem


def test_the_policies_of_v5_are_named_as_there() -> None:
    queue = AgentQueue(
        "m5.large",
        name="q",
        stack_version="v5.22.5",
        parameters={"ManagedPolicyARN": policies(11)},
    )
    (problem,) = problems_of(queue)
    assert problem.startswith("queue 'q': parameters['ManagedPolicyARN'] must be at most 10")


@pytest.mark.parametrize(
    ("permitted", "count"), [([], 1), (["ssm:Get*"], 0), (["s3:*"], 1), (None, 0)]
)
def test_an_env_file_in_ssm_needs_a_role_that_reads_it(
    permitted: list[str] | None, count: int
) -> None:
    queue = AgentQueue("m5.large", parameters={"AgentEnvFileUrl": "ssm:/env"})
    access = None
    if permitted is not None:
        statement = {"Effect": "Allow", "Action": permitted, "Resource": "*"}
        access = AgentAccess(statements=[statement])
    assert len(problems_of(queue, access=access)) == count


def test_ubuntu_needs_a_script_without_dnf(tmp_path: Path) -> None:
    queue = AgentQueue("m5.large", parameters={"LinuxDistribution": "ubuntu2404"})
    script = tmp_path / "script.sh"
    for text in ("apt-get install gcc\n", "dnf --version || apt-get install gcc\n"):
        script.write_text(text)
        assert problems_of(queue, bootstrap_script=script) == []
    script.write_text("dnf install gcc\n")
    (problem,) = problems_of(queue, bootstrap_script=script)
    assert "must be 'amazonlinux2023' with this bootstrap script" in problem
