"""The stack's parameters, against what its version of the template takes."""

from typing import Any

import pytest

from buildkite_agents import AgentQueue, Network, elastic_ci_stack
from buildkite_agents.checks import settings as checks
from buildkite_agents.names import Names
from buildkite_agents.stack_parameters import OWNERS

NETWORK = Network("${aws_vpc.main.id}", ["${aws_subnet.a.id}", "${aws_subnet.b.id}"])


def problems_with(parameters: Any, *, network: Network | None = None, **settings: Any) -> list[str]:
    queue = AgentQueue("m5.large", name="q", parameters=parameters, **settings)
    return [
        problem.removeprefix("queue 'q': ")
        for problem in checks.check_queue(queue, Names("conbench", "prod"), network=network)
    ]


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
        {"RootVolumeIops": 16000, "RootVolumeThroughput": 1000},
        {"OnDemandBaseCapacity": 4},
        {"BuildkiteAgentCancelGracePeriod": 90, "BuildkiteAgentSignalGracePeriod": 60},
    ],
)
def test_what_the_template_takes_is_fine(parameters: Any) -> None:
    assert problems_with(parameters) == []


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        (
            {"RootVolumeSzie": 1},
            "parameters['RootVolumeSzie']: Elastic CI Stack v6.71.1 has no such parameter "
            "(is it RootVolumeSize or RootVolumeType or RootVolumeName?)",
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
            "parameters['KeyName'] must be text, a number, or True or False, got ['a']",
        ),
        (
            {"MinSize": 1},
            "parameters['MinSize'] is set already, by min_size",
        ),
        (
            {"BuildkiteAgentToken": "secret"},
            "parameters['BuildkiteAgentToken'] is set already, by the variable "
            "buildkite_agent_token, and must be in no program",
        ),
        (
            {"OnDemandBaseCapacity": 5},
            "parameters['OnDemandBaseCapacity'] must be at most max_size, got 5 and 4",
        ),
        (
            {"ScaleUpMinSize": 5},
            "parameters['ScaleUpMinSize'] must be at most max_size, got 5 and 4",
        ),
        (
            {"BuildkiteAgentCancelGracePeriod": 60, "BuildkiteAgentSignalGracePeriod": 60},
            "parameters['BuildkiteAgentCancelGracePeriod'] must be more than "
            "BuildkiteAgentSignalGracePeriod, got 60 and 60",
        ),
        (
            {"RootVolumeIops": 1000},
            "parameters['RootVolumeIops'] must be from 3000 to 16000, which EC2 wants of a gp3 "
            "volume, got 1000",
        ),
        (
            {"RootVolumeThroughput": 1001},
            "parameters['RootVolumeThroughput'] must be from 125 to 1000, which EC2 wants of a gp3 "
            "volume, got 1001",
        ),
        (
            {"InstanceRoleARN": "arn:aws:iam::123456789012:role/agent"},
            "parameters['InstanceRoleARN'] must be left out: with it the stack ignores "
            "InstanceRoleName, ManagedPolicyARNs and ECRAccessPolicy, and agents cannot read the "
            "secrets bucket",
        ),
        (
            {"PipelineSigningKMSKeyId": "k", "PipelineSigningKMSKeySpec": "ECC_NIST_P256"},
            "parameters['PipelineSigningKMSKeySpec'] must be 'none' where PipelineSigningKMSKeyId "
            "is given, got 'ECC_NIST_P256'",
        ),
        (
            {"BuildkiteAgentTokenParameterStoreKMSKey": "alias/token"},
            "parameters['BuildkiteAgentTokenParameterStoreKMSKey'] must be the bare id of a KMS "
            "key, and no ARN or alias, got 'alias/token'",
        ),
        (
            {"AvailabilityZones": "us-east-1a"},
            "parameters['AvailabilityZones'] must be two or more, got 'us-east-1a'",
        ),
    ],
)
def test_what_it_does_not_take_is_refused(parameters: Any, problem: str) -> None:
    assert problems_with(parameters) == [problem]


@pytest.mark.parametrize("value", ['"', "$HOME", "`id`", "a\\b", "a\nb", "a\rb"])
def test_what_a_shell_would_take_apart_is_refused(value: str) -> None:
    (problem,) = problems_with({"BuildkiteAdditionalSudoPermissions": value})
    assert "its value becomes part of a shell script in Elastic CI Stack v6.71.1" in problem


def test_vpc_endpoints_in_a_given_network_are_refused() -> None:
    assert problems_with({"EnableVpcEndpoints": True}) == []
    (problem,) = problems_with({"EnableVpcEndpoints": True}, network=NETWORK)
    assert problem.startswith("parameters['EnableVpcEndpoints'] does nothing in a VPC")


def test_a_parameter_is_checked_against_the_queues_own_version() -> None:
    assert problems_with({"CpuCredits": "unlimited"}) == []
    (problem,) = problems_with({"CpuCredits": "unlimited"}, stack_version="v6.21.0")
    assert "Elastic CI Stack v6.21.0 has no such parameter" in problem
    assert problems_with({"BuildkiteAgentScalerVersion": "1.7.0"}, stack_version="v6.21.0") == []
    (problem,) = problems_with({"BuildkiteAgentScalerVersion": "1.7.0"})
    assert "Elastic CI Stack v6.71.1 has no such parameter" in problem


@pytest.mark.parametrize("name", sorted(OWNERS))
def test_every_parameter_that_the_program_sets_is_refused_in_the_mapping(name: str) -> None:
    (problem,) = problems_with({name: "1"})
    assert problem == f"parameters[{name!r}] is set already, by {OWNERS[name]}"


def test_all_problems_of_a_mapping_are_reported() -> None:
    assert len(problems_with({"RootVolumeSize": 1, "CpuCredits": "no", "Nonsense": 1})) == 3


@pytest.mark.parametrize(("version", "count"), [("v6.21.0", 68), ("v6.71.1", 125)])
def test_the_catalogues_are_complete(version: str, count: int) -> None:
    assert len(elastic_ci_stack.load(version).parameters) == count


@pytest.mark.parametrize("version", elastic_ci_stack.known_versions())
def test_every_default_of_a_template_is_one_that_it_takes(version: str) -> None:
    loaded = elastic_ci_stack.load(version)
    free = {n: s["Default"] for n, s in loaded.parameters.items() if n not in OWNERS}
    # These two are under or beside what EC2 takes; the program warns of the first.
    if version == "v6.21.0":
        del free["RootVolumeIops"]
    assert problems_with(free, stack_version=version) == []


def test_only_the_version_in_use_is_loaded() -> None:
    elastic_ci_stack.load.cache_clear()
    problems_with({})
    assert elastic_ci_stack.load.cache_info().currsize == 1
