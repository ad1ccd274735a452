"""The warnings."""

from pathlib import Path
from typing import Any

import pytest
from support import documented

from buildkite_agents import AgentAccess, AgentQueue, Existing, elastic_ci_stack
from buildkite_agents.checks import warnings
from buildkite_agents.checks.warnings import WARNINGS, QueueWarning
from buildkite_agents.resolve import resolve
from buildkite_agents.settings import Network, StackSettings

WARNED: dict[str, tuple[str, dict[str, Any]]] = {
    "always-on": ("m5.large", {"min_size": 1}),
    "never-terminates": ("m5.large", {"idle_minutes": 0}),
    "fixed-size": ("m5.large", {"min_size": 2, "max_size": 2, "accepted_warnings": ["always-on"]}),
    "own-role": ("m5.large", {"parameters": {"InstanceRoleARN": "arn:aws:iam::1:role/agent"}}),
    "shared-instance": ("m5.large", {"agents_per_instance": 2}),
    "spot": ("m5.large", {"on_demand_percentage": 99}),
    "burstable": ("t3.large", {"parameters": {"CpuCredits": "standard"}}),
    "gp3-iops": (
        "m5.large",
        {"stack_version": "v6.21.0", "parameters": {"RootVolumeType": "gp3"}},
    ),
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
    "warm-pool": ("m5.large", {"parameters": {"WarmPoolEnabled": True}}),
    "unsupported-agent": ("m5.large", {"stack_version": "v6.53.0"}),
    "vulnerable-agent": ("m5.large", {"stack_version": "v6.71.4"}),
    "retired-runtimes": ("m5.large", {"stack_version": "v6.58.1"}),
    "token-in-logs": ("m5.large", {"stack_version": "v5.9.0"}),
    "no-imdsv2": ("m5.large", {"stack_version": "v5.1.0"}),
    "no-root-volume-encryption": ("m5.large", {"stack_version": "v5.13.0"}),
    "image-versions": (
        "m5.large",
        {"parameters": {"ImageId": "ami-01234567"}, "image_stack_version": "v7.0.0"},
    ),
    "shared-queue": ("m5.large", {"name": "other"}),
    "agent-tags": ("m5.large", {"parameters": {"BuildkiteAgentTags": "gpu=true"}}),
    "own-policies": ("m5.large", {"parameters": {"ManagedPolicyARNs": "arn:aws:iam::1:policy/p"}}),
    "unreadable-script": ("m5.large", {}),
    "plain-token": ("m5.large", {"parameters": {"BuildkiteAgentToken": "${var.token}"}}),
    "boot-timeout": ("m5.large", {"parameters": {"InstanceCreationTimeout": "PT10M"}}),
    "sudo": ("m5.large", {"parameters": {"BuildkiteAdditionalSudoPermissions": "ALL"}}),
    "imdsv1": ("m5.large", {"parameters": {"IMDSv2Tokens": "optional"}}),
    "experimental-scaler": (
        "m5.large",
        {"parameters": {"ScalerEnableExperimentalElasticCIMode": True}},
    ),
    "unread-parameter": ("m5.large", {"parameters": {"WarmPoolMinSize": 1}}),
    "unchecked-version": (
        "m5.large",
        {"stack_version": "v6.99.0", "allow_unchecked_version": True},
    ),
}


OTHER = AgentQueue(
    "m5.large", name="other", stack_version="v6.70.0", parameters={"ImageId": "ami-01234567"}
)


def warnings_of(queue: AgentQueue, **settings: Any) -> list[str]:
    both = [(each, elastic_ci_stack.load(each.stack_version)) for each in (queue, OTHER)]
    stack = resolve(StackSettings("conbench", **settings), both)
    return warnings.warnings_of(stack.queues[0], stack)


@pytest.mark.parametrize("warned", WARNINGS, ids=lambda warned: warned.name)
def test_a_warning_is_given_with_its_reason_until_it_is_accepted(
    warned: QueueWarning, bootstrap_script: Path
) -> None:
    instance_type, settings = WARNED[warned.name]
    settings = {"name": "q", **settings}
    stack: dict[str, Any] = {}
    if warned.name == "unreadable-script":
        stack = {"bootstrap_script": "s3://elsewhere/script.sh", "access": None}
    elif warned.name == "boot-timeout":
        stack = {"bootstrap_script": bootstrap_script}
    accepts = f" (accepted_warnings=['{warned.name}'] accepts it; "
    given = warnings_of(AgentQueue(instance_type, **settings), **stack)
    (warning,) = (line for line in given if accepts in line)
    assert warning.startswith(f"queue {settings['name']!r}: ")
    assert warning.endswith(f"see docs/configuration.md#{warned.name})")
    settings = {
        **settings,
        "accepted_warnings": [warned.name, *settings.get("accepted_warnings", ())],
    }
    given.remove(warning)
    assert warnings_of(AgentQueue(instance_type, **settings), **stack) == given


@pytest.mark.parametrize(
    ("timeout", "is_warned"), [(None, True), ("PT15M", False), ("${var.timeout}", False)]
)
def test_the_templates_own_timeout_is_too_short_for_the_script(
    timeout: str | None, *, is_warned: bool, bootstrap_script: Path
) -> None:
    queue = AgentQueue("m5.large", name="q", parameters={"InstanceCreationTimeout": timeout})
    given = warnings_of(queue, bootstrap_script=bootstrap_script)
    assert any("InstanceCreationTimeout is 300 seconds" in line for line in given) is is_warned


@pytest.mark.parametrize("warned", WARNINGS, ids=lambda warned: warned.name)
def test_accepting_a_warning_that_does_not_apply_is_reported(warned: QueueWarning) -> None:
    assert warnings_of(AgentQueue("m5.large", name="q", accepted_warnings=[warned.name])) == [
        f"queue 'q': accepted_warnings has {warned.name!r}, which does not apply: remove it"
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
def test_burstable_types_are_warned_of_with_limited_credits_only(
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
def test_instances_that_run_without_jobs_are_warned_of_for_any_cause(
    parameters: dict[str, Any],
) -> None:
    (warning,) = warnings_of(AgentQueue("m5.large", parameters=parameters))
    assert "accepted_warnings=['always-on']" in warning


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
def test_a_parameter_without_the_one_that_makes_it_count_is_warned_of(
    parameters: dict[str, Any],
) -> None:
    (warning,) = warnings_of(AgentQueue("m5.large", parameters=parameters))
    assert " has no effect " in warning


def test_the_documented_queues_give_no_warning() -> None:
    assert [warning for queue in documented.QUEUES for warning in warnings_of(queue)] == []


def test_a_network_of_one_subnet_is_warned_of_like_the_parameter() -> None:
    (warning,) = warnings_of(
        AgentQueue("m5.large"), network=Network("vpc-01234567", ["subnet-01234567"])
    )
    assert "accepted_warnings=['one-subnet']" in warning


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ("arch=amd64,queue=other", "has the tag queue"),
        ("gpu=true", "replaces the tags arch="),
        ("arch=amd64,myqueue=1", None),
    ],
)
def test_agent_tags_that_jobs_are_not_sent_to_are_warned_of(tags: str, words: str | None) -> None:
    found = warnings_of(AgentQueue("m5.large", parameters={"BuildkiteAgentTags": tags}))
    assert len(found) == (words is not None)
    assert all(str(words) in warning for warning in found)


@pytest.mark.parametrize(
    ("parameters", "settings", "is_warned"),
    [
        ({}, {}, True),
        ({}, {"access": None}, True),
        ({"SecretsBucket": "scripts"}, {"secrets_bucket": None}, False),
        ({"ManagedPolicyARNs": "arn:aws:iam::123456789012:policy/own"}, {"access": None}, False),
        ({}, {"access": Existing("arn:aws:iam::123456789012:policy/own")}, False),
        ({}, {"access": AgentAccess(managed_policies=["${aws_iam_policy.own.arn}"])}, False),
    ],
)
def test_a_script_of_the_parameters_has_to_be_readable(
    parameters: dict[str, str], settings: dict[str, Any], is_warned: bool
) -> None:
    url = {"BootstrapScriptUrl": "s3://scripts/boot.sh"}
    queue = AgentQueue("m5.large", name="q", parameters={**url, **parameters})
    warnings = warnings_of(queue, **settings)
    assert any("no policy permits the instances to read" in each for each in warnings) is is_warned
