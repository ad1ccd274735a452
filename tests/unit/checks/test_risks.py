"""The warnings."""

from dataclasses import replace
from typing import Any

import pytest
from support import documented
from support.wiring import PROD, WIRING

from buildkite_agents import AgentQueue
from buildkite_agents.checks.queue import values_of
from buildkite_agents.checks.risks import RISKS, Risk, warnings

RISKY: dict[str, tuple[str, dict[str, Any]]] = {
    "always-on": ("m5.large", {"min_size": 1}),
    "fixed-size": ("m5.large", {"min_size": 2, "max_size": 2, "accepted_risks": ["always-on"]}),
    "own-role": ("m5.large", {"parameters": {"InstanceRoleARN": "arn:aws:iam::1:role/agent"}}),
    "shared-instance": ("m5.large", {"agents_per_instance": 2}),
    "spot": ("m5.large", {"on_demand_percentage": 99}),
    "burstable": ("t3.large", {"parameters": {"CpuCredits": "standard"}}),
    "gp3-iops": ("m5.large", {"stack_version": "v6.21.0", "accepted_risks": ["retired-runtimes"]}),
    "no-effect": ("m5.large", {"parameters": {"ScaleUpMinSize": 1}}),
    "cpu-quota": ("m5.large", {"parameters": {"ExperimentalEnableResourceLimits": True}}),
    "open-ssh": ("m5.large", {"parameters": {"KeyName": "ours"}}),
    "one-subnet": (
        "m5.large",
        {"parameters": {"VpcId": "vpc-01234567", "Subnets": "subnet-01234567"}},
    ),
    "policy-quota": (
        "m5.large",
        {
            "parameters": {
                "ManagedPolicyARNs": ",".join(f"arn:aws:iam::1:policy/{n}" for n in range(11))
            }
        },
    ),
    "retired-runtimes": (
        "m5.large",
        {"stack_version": "v6.58.1", "accepted_risks": ["gp3-iops"]},
    ),
    "image-versions": ("m5.large", {"parameters": {"ImageId": "ami-01234567"}}),
    "unchecked-version": (
        "m5.large",
        {"stack_version": "v6.99.0", "allow_unchecked_version": True},
    ),
}


def warnings_of(queue: AgentQueue) -> list[str]:
    versions = {"ami-01234567": {"v6.70.0", "v6.71.1"}}
    return warnings(queue, values_of(queue, PROD, replace(WIRING, versions_of_image=versions)))


@pytest.mark.parametrize("risk", RISKS, ids=lambda risk: risk.name)
def test_a_risk_is_reported_with_its_reason_until_it_is_accepted(risk: Risk) -> None:
    instance_type, settings = RISKY[risk.name]
    (warning,) = warnings_of(AgentQueue(instance_type, name="q", **settings))
    assert warning.startswith("queue 'q': ")
    assert warning.endswith(
        f" (accepted_risks=['{risk.name}'] accepts it; see docs/configuration.md#{risk.name})"
    )
    settings = {**settings, "accepted_risks": [risk.name, *settings.get("accepted_risks", ())]}
    assert warnings_of(AgentQueue(instance_type, name="q", **settings)) == []


@pytest.mark.parametrize("risk", RISKS, ids=lambda risk: risk.name)
def test_accepting_a_risk_that_does_not_apply_is_reported(risk: Risk) -> None:
    assert warnings_of(AgentQueue("m5.large", name="q", accepted_risks=[risk.name])) == [
        f"queue 'q': accepted_risks has {risk.name!r}, which does not apply: remove it"
    ]


@pytest.mark.parametrize(
    ("instance_type", "settings", "warned"),
    [
        # The template's own default is unlimited since v6.41.2, and EC2's is for t3 and t4g.
        ("t4g.large", {}, False),
        ("t3.large", {"stack_version": "v6.30.0"}, False),
        ("t2.large", {"stack_version": "v6.30.0"}, True),
        ("t4g.large", {"parameters": {"CpuCredits": "standard"}}, True),
        ("m5.large", {"parameters": {"CpuCredits": "standard"}}, False),
    ],
)
def test_burstable_types_are_a_risk_with_limited_credits_only(
    instance_type: str, settings: dict[str, Any], warned: bool
) -> None:
    found = warnings_of(AgentQueue(instance_type, **settings))
    assert any("CPU credits" in warning for warning in found) is warned
    assert not any("'CpuCredits'" in w for w in found if settings.get("stack_version"))


@pytest.mark.parametrize(
    "parameters",
    [
        {"InstanceBuffer": 1},
        {"EnableScheduledScaling": True, "ScaleUpMinSize": 1},
    ],
)
def test_instances_that_run_without_jobs_are_a_risk_for_any_cause(
    parameters: dict[str, Any],
) -> None:
    (warning,) = warnings_of(AgentQueue("m5.large", parameters=parameters))
    assert "accepted_risks=['always-on']" in warning


@pytest.mark.parametrize(
    "parameters",
    [
        {"EC2LogRetentionDays": 30},
        {"ResourceLimitsCPUWeight": 10},
        {"CostAllocationTagValue": "x"},
        {"DockerFixedCidrV6": "2001:db8:1::/64"},
        {"ArtifactsBucketRegion": "us-east-1"},
        {"InstanceName": "agent"},
        {"SecretsBucketEncryption": True},
        {"RootVolumeType": "gp2", "RootVolumeThroughput": 200},
    ],
)
def test_a_parameter_without_the_one_that_makes_it_count_is_a_risk(
    parameters: dict[str, Any],
) -> None:
    (warning,) = warnings_of(AgentQueue("m5.large", parameters=parameters))
    assert "no effect: " in warning


def test_the_documented_queues_give_no_warning() -> None:
    assert [warning for queue in documented.QUEUES for warning in warnings_of(queue)] == []
