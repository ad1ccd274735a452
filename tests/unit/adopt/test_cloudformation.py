"""Stacks that CloudFormation describes."""

import pytest
from support.shown import described

from buildkite_agents import ConfigError
from buildkite_agents.adopt import cloudformation
from buildkite_agents.adopt.program import _addresses, program_of


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


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_FAILED", "UPDATE_IN_PROGRESS"])
def test_a_stuck_stack_is_reported(status: str) -> None:
    fleet = cloudformation.fleet_of({"Stacks": [described(StackStatus=status)]})
    assert any(f"its status is {status}, in which" in step for step in fleet.steps)
    fleet = cloudformation.fleet_of({"Stacks": [described(StackStatus="IMPORT_COMPLETE")]})
    assert not any("its status" in step for step in fleet.steps)


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "DELETE_FAILED", "REVIEW_IN_PROGRESS"])
def test_a_stack_that_can_only_be_deleted_is_left_out(status: str) -> None:
    failed = described(StackName="failed", StackStatus=status)
    fleet = cloudformation.fleet_of({"Stacks": [described(), failed]})
    assert [stack.name for stack in fleet.stacks] == ["ci"]
    assert f"its status is {status}, in which" in fleet.left_out["failed"]
    with pytest.raises(ConfigError, match=f"failed: its status is {status}"):
        cloudformation.fleet_of({"Stacks": [failed]})


@pytest.mark.parametrize(
    ("description", "version"),
    [
        ("Buildkite stack v6.30.0-12-gdeadbee", "v6.30.0"),
        ("Buildkite stack v6.30.999", "v7.13.0"),
        ("our agents", "v7.13.0"),
    ],
)
def test_a_stack_of_an_assumed_version_keeps_its_template(description: str, version: str) -> None:
    fleet = cloudformation.fleet_of({"Stacks": [described(Description=description)]})
    assert fleet.stacks[0].version == version
    assert fleet.notes == [
        f"ci: its description names no release: {version} is assumed, and the stack keeps the "
        "template that it has"
    ]
    text = program_of(fleet, folder="terraform", output="main.py").text
    assert 'template_url=""' in text


def test_each_masked_token_has_a_variable_of_its_own() -> None:
    one = described(StackName="one")
    two = described(StackName="two", StackId=one["StackId"])
    fleet = cloudformation.fleet_of({"Stacks": [one, two]})
    text = program_of(fleet, folder="terraform", output="main.py").text
    for name in ("one", "two"):
        assert f'"${{var.buildkite_agent_token_{name}}}"' in text
        assert any(f"TF_VAR_buildkite_agent_token_{name}" in step for step in fleet.steps)
    assert "moved_from" not in text
    assert 'for name in ["buildkite_agent_token_one", "buildkite_agent_token_two"]:' in text
    assert 'stack.add_override(f"variable.{name}", {"type": "string", "sensitive": True})' in text


def test_one_page_of_several_is_refused() -> None:
    with pytest.raises(ConfigError, match="NextToken"):
        cloudformation.fleet_of({"Stacks": [described()], "NextToken": "x"})


def test_what_a_queue_has_no_field_for_is_kept_as_from_a_plan() -> None:
    one = described(
        TimeoutInMinutes=20,
        NotificationARNs=["arn:aws:sns:eu-west-1:123456789012:t"],
        RoleARN="arn:aws:iam::123456789012:role/cloudformation",
        DisableRollback=True,
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    fleet = cloudformation.fleet_of({"Stacks": [one]})
    ignored = ["capabilities", "iam_role_arn", "notification_arns", "timeout_in_minutes"]
    assert fleet.stacks[0].ignore_changes == ignored
    assert fleet.stacks[0].values["timeout_in_minutes"] == 20
    assert fleet.notes == [
        f"ci: ignore_changes keeps {', '.join(ignored)}, which a queue has no field for"
    ]


def test_no_token_is_asked_for_where_it_is_in_parameter_store() -> None:
    one = described()
    path = {"ParameterKey": "BuildkiteAgentTokenParameterStorePath", "ParameterValue": "/token"}
    one["Parameters"].append(path)
    fleet = cloudformation.fleet_of({"Stacks": [one]})
    assert "BuildkiteAgentToken" not in fleet.stacks[0].parameters
    assert not any("TF_VAR" in step for step in fleet.steps)


def test_a_stack_with_the_name_of_a_queue_of_two_stacks_keeps_it() -> None:
    one = described(StackName="default")
    two = described(StackName="default-2", StackId=one["StackId"])
    three = described(StackName="default-3", StackId=one["StackId"])
    fleet = cloudformation.fleet_of({"Stacks": [two, one, three]})
    assert _addresses(fleet) == ["default-2", "default", "default-3"]


def test_each_stack_that_is_not_adopted_is_listed() -> None:
    others = [
        described(StackName="deleted", StackStatus="DELETE_COMPLETE"),
        described(
            StackName="nested", ParentId="arn:aws:cloudformation:eu-west-1:123456789012:stack/vpc/1"
        ),
        described(StackName="vpc", Parameters=[]),
    ]
    fleet = cloudformation.fleet_of({"Stacks": [described(), *others]})
    assert [stack.name for stack in fleet.stacks] == ["ci"]
    assert fleet.left_out == {
        "deleted": "it was deleted",
        "nested": "it is a nested stack of vpc",
        "vpc": "it is not an Elastic CI Stack",
    }


def test_nothing_is_said_about_a_stack_that_is_left_out() -> None:
    windows = described(StackName="win", TimeoutInMinutes=20, StackStatus="UPDATE_IN_PROGRESS")
    windows["Parameters"] = [
        *windows["Parameters"],
        {"ParameterKey": "InstanceOperatingSystem", "ParameterValue": "windows"},
    ]
    fleet = cloudformation.fleet_of({"Stacks": [described(), windows]})
    assert fleet.left_out == {"win": "its agents run on Windows"}
    assert not any("win" in said for said in [*fleet.notes, *fleet.steps])


def test_an_import_adds_no_tags_where_all_have_their_stacks_name() -> None:
    one = described(Tags=[{"Key": "Name", "Value": "ci"}])
    text = program_of(
        cloudformation.fleet_of({"Stacks": [one]}), folder="terraform", output="main.py"
    ).text
    assert '    tags={"Name": "ci"},\n' in text
    assert "    tags={},\n" in text


def test_of_stacks_that_cannot_be_in_one_program_one_is_left_out() -> None:
    names = ("Buildkite-Prod", "other", "buildkite-prod")
    fleet = cloudformation.fleet_of({"Stacks": [described(StackName=name) for name in names]})
    program = program_of(fleet, folder="terraform", output="main.py")
    assert [stack.name for stack in program.fleet.stacks] == ["Buildkite-Prod", "other"]
    assert [*program.fleet.left_out] == ["buildkite-prod"]
    why = "duplicate stack name 'Buildkite-Prod', as case is ignored"
    assert why in program.fleet.left_out["buildkite-prod"]
