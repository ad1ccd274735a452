"""The values that derive from a queue's one line."""

from dataclasses import replace

import pytest

from buildkite_agents import AgentQueue


@pytest.mark.parametrize(
    ("instance_type", "name", "agent_tags"),
    [
        ("t4g.2xlarge", "arm64-t4g-2xlarge-linux", "arch=arm64,os=linux,instance=t4g-2xlarge"),
        ("m5.4xlarge", "amd64-m5-4xlarge-linux", "arch=amd64,os=linux,instance=m5-4xlarge"),
        ("c6a.4xlarge", "amd64-c6a-4xlarge-linux", "arch=amd64,os=linux,instance=c6a-4xlarge"),
    ],
)
def test_name_and_tags_follow_from_the_instance_type(
    instance_type: str, name: str, agent_tags: str
) -> None:
    queue = AgentQueue(instance_type)
    assert (queue.name, queue.agent_tags) == (name, agent_tags)


def test_an_explicit_name_does_not_change_the_agent_tags() -> None:
    queue = AgentQueue("m5.4xlarge", name="nightly")
    assert queue.name == "nightly"
    assert queue.agent_tags == "arch=amd64,os=linux,instance=m5-4xlarge"


def test_an_explicit_architecture_is_in_name_and_tags() -> None:
    queue = AgentQueue("z9.large", architecture="arm64")
    assert queue.name == "arm64-z9-large-linux"
    assert queue.agent_tags == "arch=arm64,os=linux,instance=z9-large"


def test_a_mixed_fleet_prefers_the_first_type() -> None:
    queue = AgentQueue("m5.4xlarge", more_instance_types=["m5a.4xlarge"])
    assert queue.all_instance_types == ("m5.4xlarge", "m5a.4xlarge")


def test_a_replaced_instance_type_has_its_own_name_and_architecture() -> None:
    queue = replace(AgentQueue("m5.4xlarge", max_size=7), instance_type="t4g.2xlarge")
    assert (queue.name, queue.architecture) == ("arm64-t4g-2xlarge-linux", "arm64")
    assert not queue.architecture_is_given
    assert queue.max_size == 7


def test_a_name_and_an_architecture_that_were_set_are_kept() -> None:
    queue = AgentQueue("z9.large", name="nightly", architecture="arm64")
    queue = replace(queue, instance_type="z9.xlarge")
    assert (queue.name, queue.architecture) == ("nightly", "arm64")
    assert queue.architecture_is_given


def test_a_name_can_be_derived_again() -> None:
    queue = replace(AgentQueue("m5.large", name="q"), name="")
    assert queue.name == "amd64-m5-large-linux"
    assert not queue.name_is_given
    assert not queue.architecture_is_given


def test_the_name_of_another_queue_can_be_given() -> None:
    first = AgentQueue("m5.large")
    second = AgentQueue("m5.xlarge", name=first.name)
    assert second.name == "amd64-m5-large-linux"
    assert replace(second, instance_type="c5.large").name == "amd64-m5-large-linux"
    kept = replace(first, instance_type="m5.xlarge", name=str(first.name))
    assert kept.name == "amd64-m5-large-linux"
