"""Stacks that CloudFormation describes."""

import pytest
from support.shown import described

from buildkite_agents import ConfigError
from buildkite_agents.adopt import cloudformation
from buildkite_agents.adopt.program import program_of


def test_described_stacks_leave_out_the_templates_own_defaults() -> None:
    fleet = cloudformation.fleet_of({"Stacks": [described()]})
    (found,) = fleet.stacks
    assert found.parameters == {
        "BuildkiteQueue": "default",
        "BuildkiteAgentToken": "${var.buildkite_agent_token}",
        "MaxSize": "10",
    }
    assert (found.version, found.tags, fleet.account) == ("v6.30.0", {"team": "ci"}, "123456789012")
    text = program_of(fleet, folder="terraform", output="main.py").text
    assert 'import_account="123456789012"' in text
    assert '"variable.buildkite_agent_token"' in text
    assert "import cdktf" not in text


def test_described_stacks_in_two_regions_are_refused() -> None:
    other = described(StackId="arn:aws:cloudformation:us-east-1:123456789012:stack/ci/2")
    with pytest.raises(ConfigError, match="must be in one account and region"):
        cloudformation.fleet_of({"Stacks": [described(), other]})


def test_a_stuck_stack_is_reported() -> None:
    fleet = cloudformation.fleet_of({"Stacks": [described(StackStatus="ROLLBACK_COMPLETE")]})
    assert any("its status is ROLLBACK_COMPLETE" in step for step in fleet.steps)


def test_each_masked_token_has_a_variable_of_its_own() -> None:
    one = described(StackName="one")
    two = described(StackName="two", StackId=one["StackId"])
    fleet = cloudformation.fleet_of({"Stacks": [one, two]})
    text = program_of(fleet, folder="terraform", output="main.py").text
    for name in ("one", "two"):
        assert f'"${{var.buildkite_agent_token_{name}}}"' in text
        assert f"variable.buildkite_agent_token_{name}" in text
        assert any(f"TF_VAR_buildkite_agent_token_{name}" in step for step in fleet.steps)
    assert text.count('moved_from=""') == 1


def test_one_page_of_several_is_refused() -> None:
    with pytest.raises(ConfigError, match="NextToken"):
        cloudformation.fleet_of({"Stacks": [described()], "NextToken": "x"})
