"""The names that existing deployments have."""

import pytest

from buildkite_agents import AgentQueue
from buildkite_agents.names import (
    Names,
    former_address,
    stack_keys,
    stack_resource_name,
)


def test_names_are_the_documented_ones() -> None:
    names = Names("conbench", "prod")
    assert names.secrets_bucket == "conbench-prod-buildkite-secrets"
    assert names.agent_policy == "conbench-prod-buildkite-agent-policy"
    assert names.token_parameter == "/buildkite/agent-token"  # noqa: S105
    queue = AgentQueue("m5.large", name="q")
    assert names.stack(queue) == "conbench-prod-buildkite-q"
    assert names.instance_role(queue) == "conbench-prod-buildkite-q-role"
    assert stack_resource_name(queue) == "q"
    assert former_address(queue) == 'aws_cloudformation_stack.buildkite_agents["q"]'


def test_no_name_of_one_environment_is_anothers() -> None:
    prod, staging = Names("conbench", "prod"), Names("conbench", "staging")
    for name in ("prefix", "secrets_bucket", "agent_policy", "token_parameter"):
        assert getattr(prod, name) != getattr(staging, name)


@pytest.mark.parametrize(
    ("queue", "stack", "terraform"),
    [
        ("gpu_large", "conbench-prod-buildkite-gpu-large", "gpu_large"),
        ("linux.x86", "conbench-prod-buildkite-linux-x86", "linux-x86"),
        ("4xlarge", "conbench-prod-buildkite-4xlarge", "queue-4xlarge"),
    ],
)
def test_a_stack_and_its_address_follow_from_any_name(
    queue: str, stack: str, terraform: str
) -> None:
    named = AgentQueue("m5.large", name=queue)
    assert Names("conbench", "prod").stack(named) == stack
    assert stack_resource_name(named) == terraform


def test_names_from_outside_are_kept() -> None:
    queue = AgentQueue("m5.large", stack_name="ci", address="gpu", moved_from="x.y")
    names = Names("conbench", "prod")
    assert (names.stack(queue), stack_resource_name(queue), former_address(queue)) == (
        "ci",
        "gpu",
        "x.y",
    )
    assert names.instance_role(queue) == "ci-role"


def test_a_stack_is_found_by_its_queue_or_else_by_its_address() -> None:
    queues = [
        AgentQueue("m5.large", name="gpu", address="spot"),
        AgentQueue("m5.large", name="gpu", address="reserved"),
        AgentQueue("m5.large", name="cpu"),
    ]
    assert stack_keys(queues) == ["spot", "reserved", "cpu"]
