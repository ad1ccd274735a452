"""The checks of a stack's parameters against its version of the template."""

from typing import Any

import pytest
from support.resolving import problems_of, problems_of_value

from buildkite_agents import (
    AgentAccess,
    AgentQueue,
    Existing,
    Network,
    elastic_ci_stack,
)
from buildkite_agents.queue import FIELDS


def problems_with(parameters: Any, *, network: Network | None = None, **settings: Any) -> list[str]:
    settings = {"stack_version": "v6.71.1", **settings}
    queue = AgentQueue("m5.large", name="q", parameters=parameters, **settings)
    return [p.removeprefix("queue 'q': ") for p in problems_of(queue, network=network)]


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
            {"SecurityGroupIds": ["a"]},
            "parameters['SecurityGroupIds'] must be a string, a whole number, a number, True or "
            "False or None, got ['a']: join the list with commas",
        ),
        (
            {"InstanceTypes": "m5.large"},
            "parameters['InstanceTypes'] is set by instance_type of the AgentQueue: set that "
            "field instead",
        ),
        (
            {"BuildkiteQueue": "q"},
            "parameters['BuildkiteQueue'] is set by name of the AgentQueue: set that field instead",
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
    network = Network("${aws_vpc.main.id}", ["${aws_subnet.a.id}"])
    assert problems_with({"EnableVpcEndpoints": True}) == []
    (problem,) = problems_with({"EnableVpcEndpoints": True}, network=network)
    assert problem.startswith("parameters['EnableVpcEndpoints'] has no effect in an existing VPC")


def test_a_parameter_is_checked_against_the_queues_own_version() -> None:
    assert problems_with({"CpuCredits": "unlimited"}) == []
    (problem,) = problems_with({"CpuCredits": "unlimited"}, stack_version="v6.21.0")
    assert "Elastic CI Stack v6.21.0 has no such parameter" in problem
    assert problems_with({"BuildkiteAgentScalerVersion": "1.7.0"}, stack_version="v6.21.0") == []
    (problem,) = problems_with({"BuildkiteAgentScalerVersion": "1.7.0"})
    assert problem == (
        "parameters['BuildkiteAgentScalerVersion']: removed in Elastic CI Stack v6.52.0: leave it "
        "out: each version of the stack has its own scaler"
    )


@pytest.mark.parametrize("value", [3, None, "${var.x}"])
@pytest.mark.parametrize(("parameter", "field"), FIELDS.items())
def test_a_parameter_with_a_field_is_set_by_the_field_alone(
    parameter: str, field: str, value: Any
) -> None:
    if (parameter, value) == ("BuildkiteQueue", None):
        assert problems_with({parameter: value}) == []
        return
    problem = (
        f"parameters[{parameter!r}] is set by {field} of the AgentQueue: set that field instead"
    )
    assert problems_with({parameter: value}) == [problem]
    assert problems_of(AgentQueue("m5.large"), parameters={parameter: value}) == [problem]


ARNS = [f"arn:aws:iam::123456789012:policy/p{number}" for number in range(30)]


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"access": AgentAccess(managed_policies=ARNS[:14])}, "access.managed_policies"),
        ({"access": Existing(",".join(ARNS))}, "access"),
        ({"access": AgentAccess(managed_policies=ARNS[:1] * 2)}, "access.managed_policies"),
        ({"network": Network("vpc-01234567", ["subnet-01234567"] * 2)}, "network.subnet_ids"),
    ],
)
def test_what_an_argument_sets_is_checked_like_the_parameter(
    settings: dict[str, Any], field: str
) -> None:
    (problem,) = problems_of(AgentQueue("m5.large", name="q"), **settings)
    assert problem.removeprefix("queue 'q': ").startswith(f"{field} must be ")


def test_the_arn_of_a_token_is_refused_in_a_version_that_does_not_accept_one() -> None:
    token = Existing("arn:aws:ssm:us-east-1:123456789012:parameter/buildkite/token")
    assert problems_of(AgentQueue("m5.large"), token=token) == []
    old = [AgentQueue("m5.large", name=n, stack_version="v6.21.0") for n in "ab"]
    (problem,) = problems_of(*old, token=token)
    assert problem == (
        "token must be a name in Elastic CI Stack v6.21.0, which does not accept an ARN"
    )


@pytest.mark.parametrize(
    "value", ["team=${var.environment},x=$(touch /tmp/p)", "a=$${HOME}$(id)", '${var.a}"']
)
def test_the_text_around_a_reference_is_checked(value: str) -> None:
    (problem,) = problems_with({"BuildkiteAgentTags": value})
    assert problem.startswith("parameters['BuildkiteAgentTags'] must not have quotes, $, ")


def test_the_quotes_within_a_reference_are_terraforms() -> None:
    assert problems_with({"KeyName": '${var.keys["a"]}-${lower("${var.b}")}'}) == []


@pytest.mark.parametrize("value", ["${var.x", "%{if true}a%{endif}"])
def test_what_terraform_cannot_read_is_refused(value: str) -> None:
    (problem,) = problems_with({"KeyName": value})
    assert problem.startswith("parameters['KeyName'] has a ")


def test_a_token_in_a_list_is_not_repeated() -> None:
    (problem,) = problems_with({"BuildkiteAgentToken": ["bkua_secret"]})
    assert "bkua_secret" not in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AgentEnvFileUrl", "https://user:" + "planted@host/env"),
        ("BuildkiteAgentTags", "token=bkct_planted"),
        ("BuildkiteAgentTags", "os=linux,api_key=planted"),
        ("BuildkiteAgentTags", "x=glpat-planted"),
        ("AgentEnvFileUrl", "https://host/env?token=planted"),
        ("BootstrapScriptUrl", "https://host/boot.sh?X-Amz-Signature=planted"),
        ("BootstrapScriptUrl", "https://host/boot.sh?a=b&x-amz-security-token=planted"),
        ("BootstrapScriptUrl", "https://host/boot.sh?Expires=1&Signature=planted"),
        ("BootstrapScriptUrl", "https://host/boot.sh?sv=1&sig=planted"),
        ("BootstrapScriptUrl", "https://host/boot.sh?access_token=planted"),
        ("BootstrapScriptUrl", "https://${var.user}:planted@host/boot.sh"),
        ("AgentEnvFileUrl", "https://" + "planted" * 4 + "@host/env"),
        ("BuildkiteAgentTags", "os=linux,pat=ghp_planted"),
        ("KeyName", "AKIAPLANTED"),
        ("BuildkiteAgentTags", "${var.a},x=github_pat_planted"),
    ],
)
def test_a_secret_in_a_parameter_is_refused_and_not_repeated(name: str, value: str) -> None:
    (problem,) = problems_with({name: value})
    assert problem.startswith(f"parameters[{name!r}] must not contain a secret")
    assert "planted" not in problem.lower()


@pytest.mark.parametrize(
    "value",
    [
        "https://user:${var.secret}@host/boot.sh",
        "https://${var.user}:${var.secret}@host/boot.sh",
        "https://host/boot.sh?X-Amz-Signature=${var.signature}",
        "https://host/design?design=planted&versionId=3",
    ],
)
def test_a_reference_is_no_secret(value: str) -> None:
    assert problems_with({"BootstrapScriptUrl": value}) == []


def test_a_line_break_at_the_end_is_harmless() -> None:
    assert problems_with({"BuildkiteAdditionalSudoPermissions": "/usr/bin/dnf\n"}) == []


def test_the_default_iops_of_a_given_gp3_volume_are_no_problem() -> None:
    queue = AgentQueue("m5.large", stack_version="v6.21.0", parameters={"RootVolumeType": "gp3"})
    assert problems_of(queue) == []


def test_a_queue_without_a_token_is_told_the_parameter_of_its_siblings() -> None:
    sibling = AgentQueue("m5.large", parameters={"BuildkiteAgentToken": "${var.token}"})
    (problem,) = problems_of(sibling, AgentQueue("t4g.large"), token=None)
    assert "set parameters={'BuildkiteAgentToken': ...}" in problem


def test_an_unknown_parameter_is_not_meant_to_be_parameters() -> None:
    (problem,) = problems_with({"OurOwnParameter": "x"})
    assert problem.endswith("has no such parameter")


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
    problems = [p for n, value in defaults.items() for p in problems_of_value(n, value, loaded)]
    assert problems == []


def test_a_value_without_effect_is_checked_only_against_the_template() -> None:
    reserved = {"CostAllocationTagName": "aws:createdBy"}
    assert problems_with(reserved) == []
    (problem,) = problems_with({**reserved, "EnableCostAllocationTags": True})
    assert "CostAllocationTagName" in problem
