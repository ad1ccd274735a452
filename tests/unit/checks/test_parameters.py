"""The checks of a stack's parameters against its version of the template."""

from dataclasses import replace
from typing import Any

import pytest
from support.wiring import PROD, WIRING

from buildkite_agents import AgentQueue, elastic_ci_stack
from buildkite_agents.checks.parameters import check_own
from buildkite_agents.checks.queue import check_queue
from buildkite_agents.stack_parameters import FIELDS, Wiring

IN_A_NETWORK = replace(WIRING, vpc_id="${aws_vpc.main.id}", subnets="${aws_subnet.a.id}")


def problems_with(parameters: Any, *, wiring: Wiring = WIRING, **settings: Any) -> list[str]:
    queue = AgentQueue("m5.large", name="q", parameters=parameters, **settings)
    return [problem.removeprefix("queue 'q': ") for problem in check_queue(queue, PROD, wiring)]


@pytest.mark.parametrize(
    "parameters",
    [
        {"RootVolumeSize": 500, "RootVolumeEncrypted": True},
        {"RootVolumeSize": "500", "RootVolumeEncrypted": "true"},
        {"ScaleOutFactor": 0.5},
        {"ScheduleTimezone": "Europe/Berlin", "ScaleUpSchedule": "0 8 * * MON-FRI"},
        {"IMDSv2Tokens": None},
        {"KeyName": "${var.key_name}"},
        {"RootVolumeSize": -8.1e298},
        {"BuildkiteAgentTokenParameterStoreKMSKey": "mrk-0123456789abcdef0123456789abcdef"},
        {"BuildkiteAgentTokenParameterStoreKMSKey": "01234567-89ab-cdef-0123-456789abcdef"},
        {"AvailabilityZones": "us-east-1a,us-east-1b"},
        {"RootVolumeType": "gp2", "RootVolumeIops": 100},
        {"RootVolumeIops": 80000, "RootVolumeThroughput": 2000},
        {"ScaleUpMinSize": 5},
        {"InstanceRoleARN": "arn:aws:iam::123456789012:role/agent"},
        {"OnDemandBaseCapacity": 4},
        {"BuildkiteAgentCancelGracePeriod": 90, "BuildkiteAgentSignalGracePeriod": 60},
    ],
)
def test_what_the_template_accepts_is_accepted(parameters: Any) -> None:
    assert problems_with(parameters) == []


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        (
            {"RootVolumeSzie": 1},
            "parameters['RootVolumeSzie']: Elastic CI Stack v6.71.1 has no such parameter "
            "(did you mean RootVolumeSize or RootVolumeType or RootVolumeName?)",
        ),
        (
            {"BuildkiteAgentRelease": ""},
            "parameters['BuildkiteAgentRelease'] must not be empty: leave it out, or give None, "
            "for 'stable'",
        ),
        (
            {"RootVolumeSize": "big"},
            "parameters['RootVolumeSize'] must be a number in Elastic CI Stack v6.71.1, got 'big'",
        ),
        (
            {"RootVolumeSize": True},
            "parameters['RootVolumeSize'] must be a number in Elastic CI Stack v6.71.1, got True",
        ),
        (
            {"RootVolumeSize": 9},
            "parameters['RootVolumeSize'] must be at least 10 in Elastic CI Stack v6.71.1, got 9",
        ),
        (
            {"ResourceLimitsIOWeight": 10001},
            "parameters['ResourceLimitsIOWeight'] must be at most 10000 in Elastic CI Stack "
            "v6.71.1, got 10001",
        ),
        (
            {"CpuCredits": "lots"},
            "parameters['CpuCredits'] must be one of 'standard', 'unlimited' in Elastic CI Stack "
            "v6.71.1, got 'lots'",
        ),
        (
            {"LogRetentionDays": 2},
            "parameters['LogRetentionDays'] must be one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, "
            "180, 365, 400, 545, 731, 1827, 3653 in Elastic CI Stack v6.71.1, got 2",
        ),
        (
            {"DockerPruneUntil": "soon"},
            "parameters['DockerPruneUntil'] must match ^(\\d+[smhd])+$ in Elastic CI Stack "
            "v6.71.1, got 'soon'",
        ),
        (
            {"KeyName": ["a"]},
            "parameters['KeyName'] must be a string, a number, or True or False, got ['a']",
        ),
        (
            {"InstanceTypes": "m5.large"},
            "parameters['InstanceTypes'] is set already, by instance_type: set one of them",
        ),
        (
            {"BuildkiteQueue": "q"},
            "parameters['BuildkiteQueue'] is set already, by name",
        ),
        (
            {"BuildkiteAgentToken": "secret"},
            "parameters['BuildkiteAgentToken'] must not be an agent token, which does not belong "
            "in a program: set token of the AgentStack, or a Terraform reference",
        ),
        (
            {"OnDemandBaseCapacity": 5},
            "parameters['OnDemandBaseCapacity'] must be at most max_size, got 5 and 4",
        ),
        (
            {"ScaleUpMinSize": 5, "EnableScheduledScaling": True},
            "parameters['ScaleUpMinSize'] must be at most max_size, got 5 and 4",
        ),
        (
            {"BuildkiteAgentCancelGracePeriod": 60, "BuildkiteAgentSignalGracePeriod": 60},
            "parameters['BuildkiteAgentCancelGracePeriod'] must be greater than "
            "BuildkiteAgentSignalGracePeriod, got 60 and 60",
        ),
        (
            {"RootVolumeIops": 1000},
            "parameters['RootVolumeIops'] must be from 3000 to 80000 for a gp3 volume of 250 "
            "GiB, got 1000",
        ),
        (
            {"RootVolumeThroughput": 2001},
            "parameters['RootVolumeThroughput'] must be from 125 to 750 MiB/s for a gp3 volume of "
            "3000 IOPS, got 2001",
        ),
        (
            {"PipelineSigningKMSKeyId": "0" * 32, "PipelineSigningKMSKeySpec": "ECC_NIST_P256"},
            "parameters['PipelineSigningKMSKeySpec'] must be 'none' where PipelineSigningKMSKeyId "
            "is given, got 'ECC_NIST_P256'",
        ),
        (
            {"InstanceRoleARN": "arn:aws:iam::1:role/r", "InstanceRoleName": "name"},
            "parameters['InstanceRoleName'] has no effect with InstanceRoleARN: set one of them",
        ),
        (
            {"BuildkiteAgentTokenParameterStoreKMSKey": "alias/token"},
            "parameters['BuildkiteAgentTokenParameterStoreKMSKey'] must be the id of a KMS "
            "key, not its ARN or an alias, got 'alias/token'",
        ),
    ],
)
def test_what_the_template_does_not_accept_is_refused(parameters: Any, problem: str) -> None:
    assert problems_with(parameters) == [problem]


@pytest.mark.parametrize("value", ['"', "$HOME", "`id`", "a\\b", "a\nb", "a\rb"])
def test_what_a_shell_would_interpret_is_refused(value: str) -> None:
    (problem,) = problems_with({"BuildkiteAdditionalSudoPermissions": value})
    assert "its value becomes part of a shell script in Elastic CI Stack v6.71.1" in problem


def test_vpc_endpoints_in_a_given_network_are_refused() -> None:
    assert problems_with({"EnableVpcEndpoints": True}) == []
    (problem,) = problems_with({"EnableVpcEndpoints": True}, wiring=IN_A_NETWORK)
    assert problem.startswith("parameters['EnableVpcEndpoints'] has no effect in an existing VPC")


def test_a_parameter_is_checked_against_the_queues_own_version() -> None:
    assert problems_with({"CpuCredits": "unlimited"}) == []
    (problem,) = problems_with({"CpuCredits": "unlimited"}, stack_version="v6.21.0")
    assert "Elastic CI Stack v6.21.0 has no such parameter" in problem
    assert problems_with({"BuildkiteAgentScalerVersion": "1.7.0"}, stack_version="v6.21.0") == []
    (problem,) = problems_with({"BuildkiteAgentScalerVersion": "1.7.0"})
    assert "Elastic CI Stack v6.71.1 has no such parameter" in problem


@pytest.mark.parametrize(("parameter", "field"), FIELDS.items())
def test_a_parameter_with_a_field_takes_its_place_unless_that_is_set(
    parameter: str, field: str
) -> None:
    value = "m5a.large" if field == "instance_type" else 3
    settings: dict[str, Any] = {} if field == "instance_type" else {field: 2}
    (problem,) = problems_with({parameter: value}, **settings)
    assert problem == f"parameters[{parameter!r}] is set already, by {field}: set one of them"
    if field != "instance_type":
        assert problems_with({parameter: value}) == []


def test_all_problems_of_a_mapping_are_reported() -> None:
    assert len(problems_with({"RootVolumeSize": 1, "CpuCredits": "no", "Nonsense": 1})) == 3


@pytest.mark.parametrize(("version", "count"), [("v6.21.0", 68), ("v6.71.1", 125)])
def test_the_catalogues_are_complete(version: str, count: int) -> None:
    assert len(elastic_ci_stack.load(version).parameters) == count


@pytest.mark.parametrize("version", elastic_ci_stack.known_versions())
def test_every_default_of_a_template_is_valid(version: str) -> None:
    loaded = elastic_ci_stack.load(version)
    defaults = {n: s["Default"] for n, s in loaded.parameters.items() if s.get("Default")}
    assert defaults.pop("BuildkiteQueue") == "default"
    # Reserved by AWS; the template was corrected in v5.4.0.
    if defaults["CostAllocationTagName"] == "aws:createdBy":
        del defaults["CostAllocationTagName"]
    assert check_own(defaults, loaded) == []


def test_only_the_version_in_use_is_loaded() -> None:
    elastic_ci_stack.load.cache_clear()
    problems_with({})
    assert elastic_ci_stack.load.cache_info().currsize == 1
