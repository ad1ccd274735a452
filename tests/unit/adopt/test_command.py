"""The command: its input, output and errors."""

import json
from pathlib import Path

import pytest
from support.shown import (
    stack,
    state,
)

from buildkite_agents import ConfigError
from buildkite_agents.adopt.__main__ import main


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", "is not JSON"),
        ("Stacks:\n- StackName: ci\n", "describe-stacks --output json"),
        ("[]", "a JSON object was expected, got list"),
        ("{}", "neither the output of `terraform show -json`"),
        ('{"format_version": "1.0"}', "there is no Elastic CI Stack among the 0 resources"),
        ('{"Stacks": []}', "there is no Elastic CI Stack to adopt among the 0 stacks"),
    ],
)
def test_what_shows_no_stacks_is_refused(tmp_path: Path, content: str, message: str) -> None:
    shown = tmp_path / "shown.json"
    shown.write_text(content)
    with pytest.raises(ConfigError, match=message):
        main([str(shown)])


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        main([str(tmp_path / "none.json")])


def test_a_program_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    shown, output = tmp_path / "shown.json", tmp_path / "main.py"
    shown.write_text(json.dumps(state(stack())))
    output.write_text("mine\n")
    with pytest.raises(ConfigError, match="exists, and is not overwritten"):
        main([str(shown), "--output", str(output)])
    assert output.read_text() == "mine\n"


def test_without_an_output_the_program_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = tmp_path / "shown.json"
    shown.write_text(json.dumps(state(stack())))
    main([str(shown)])
    printed = capsys.readouterr()
    assert "AgentStack(" in printed.out
    assert printed.err.startswith("found 1 stack: 1 adopted\n")


def test_stacks_that_are_left_out_for_one_reason_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown, odd = tmp_path / "shown.json", {"BuildkiteAgentTags": "a=${HOME}"}
    ours = [stack(f"aws_cloudformation_stack.{name}", name=name) for name in ("a", "b", "c")]
    for one in ours[:2]:
        one["values"]["parameters"] |= {"BuildkiteQueue": one["name"], **odd}
    shown.write_text(json.dumps(state(*ours)))
    main([str(shown)])
    (line,) = (one for one in capsys.readouterr().err.splitlines() if "left out:" in one)
    assert "aws_cloudformation_stack.a, aws_cloudformation_stack.b: parameters" in line
    assert "got 'a=${HOME}'. Change this in the stack, and adopt again" in line


def test_without_any_stack_that_is_supported_no_program_is_written(tmp_path: Path) -> None:
    shown = tmp_path / "shown.json"
    shown.write_text(json.dumps(state(stack(parameters={"InstanceOperatingSystem": "windows"}))))
    with pytest.raises(ConfigError, match=r"aws_cloudformation_stack.ci: cannot be adopted: .*W"):
        main([str(shown), "--output", str(tmp_path / "main.py")])
    assert not (tmp_path / "main.py").exists()


@pytest.mark.parametrize("argument", ["us-west-2", "us-west-2=google.x", "=aws"])
def test_a_provider_that_is_no_region_and_provider_is_refused(argument: str) -> None:
    with pytest.raises(SystemExit):
        main(["-", "--provider", argument])
