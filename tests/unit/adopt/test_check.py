"""The offline comparison of a program with the stacks that it adopts."""

import json
from pathlib import Path

import pytest

from buildkite_agents import ConfigError
from buildkite_agents.adopt import cloudformation
from buildkite_agents.adopt.__main__ import main
from buildkite_agents.adopt.check import check

STACKS = {
    "Stacks": [
        {
            "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/ci/1",
            "StackName": "ci",
            "Description": "Buildkite stack v6.30.0",
            "StackStatus": "CREATE_COMPLETE",
            "Parameters": [
                {"ParameterKey": "BuildkiteQueue", "ParameterValue": "default"},
                {"ParameterKey": "BuildkiteAgentToken", "ParameterValue": "****"},
                {"ParameterKey": "KeyName", "ParameterValue": "ours"},
                {"ParameterKey": "MaxSize", "ParameterValue": "7"},
            ],
            "Tags": [{"Key": "team", "Value": "ci"}, {"Key": "note", "Value": "${x}"}],
        }
    ]
}


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("stacks.json").write_text(json.dumps(STACKS))
    main(["stacks.json", "--output", "main.py"])
    return Path("main.py")


def test_a_program_as_it_is_written_has_every_argument(program: Path) -> None:
    # The stack's name, two tags, and the parameters other than the token.
    assert check(program, cloudformation.fleet_of(STACKS)) == 6


def test_it_writes_nothing(program: Path) -> None:
    check(program, cloudformation.fleet_of(STACKS))
    assert sorted(path.name for path in Path().iterdir()) == ["main.py", "stacks.json"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("max_size=7", "max_size=8", "parameters['MaxSize'] is not as it was"),
        ('"KeyName": "ours"', '"KeyName": None', "parameters['KeyName'] is not as it was"),
        ('"team": "ci"', '"team": "ops"', "tags['team'] is not as it was"),
        ('stack_name="ci"', 'stack_name="other"', "ci is not in the program"),
    ],
)
def test_each_difference_is_named_without_values(
    program: Path, old: str, new: str, problem: str
) -> None:
    text = program.read_text()
    assert text.count(old) == 1
    program.write_text(text.replace(old, new))
    with pytest.raises(ConfigError) as refused:
        check(program, cloudformation.fleet_of(STACKS))
    assert problem in str(refused.value)
    assert "ours" not in str(refused.value)
