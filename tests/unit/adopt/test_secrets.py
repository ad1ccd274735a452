"""Secrets, which no program contains, wherever their values are."""

from pathlib import Path
from typing import Any

import pytest
from support.shown import configured, role, said, several, stack, state, written

from buildkite_agents import ConfigError

_TOKEN = "planted-token-1234"  # noqa: S105


def test_a_token_is_copied_from_no_other_parameter_or_tag_of_any_stack() -> None:
    one, two = several("one", "two", tags={"exact": _TOKEN, "part": f"see {_TOKEN}", "team": "ci"})
    one["values"]["parameters"]["BuildkiteAgentToken"] = _TOKEN
    two["values"]["parameters"] |= {
        "AgentEnvFileUrl": f"s3://b/{_TOKEN}/env",
        "BuildkiteAgentTags": f"os=linux,tok={_TOKEN}",
        "InstanceName": _TOKEN,
    }
    program = written(state(one, two))
    assert "planted" not in program.text + said(program)
    assert program.text.count('"team": "ci"') == 1
    for variable in ("agent_env_file_url", "buildkite_agent_tags", "instance_name", "tag_part"):
        assert f"declare a variable {variable}, and set it to that value" in said(program)


def test_a_token_after_a_reference_is_not_copied() -> None:
    arn = "arn:aws:iam::123456789012:policy/p"
    policy, arns = role("aws_iam_policy.p", arn=arn), f"{arn},{arn}-{_TOKEN}"
    one = stack(parameters={"BuildkiteAgentToken": _TOKEN, "ManagedPolicyARNs": arns})
    content = configured(one, {"parameters": {"references": ["aws_iam_policy.p.arn"]}}, policy)
    program = written(content)
    assert "planted" not in program.text + said(program)
    assert "${var.managed_policy_arns}" in program.text


def test_what_is_marked_as_sensitive_is_not_copied_from_elsewhere(tmp_path: Path) -> None:
    one, two = several("one", "two")
    one["values"]["tags"] = {"pw": "planted-tag", "is": "short"}
    one["sensitive_values"] = {"tags": {"pw": True, "is": True}}
    two["values"]["tags"] = {"a": "x-planted-tag", "b": "shorter", "c": "planted-variable"}
    (tmp_path / "variables.tf").write_text(
        'variable "x" {\n  sensitive = true\n  default = "planted-variable"\n}\n'
    )
    program = written(state(one, two), tmp_path)
    assert "planted" not in program.text + said(program)
    assert '"b": "shorter"' in program.text


def test_what_is_marked_as_a_whole_is_no_secret_elsewhere() -> None:
    one, two = several("one", "two", tags={"product": "buildkite"})
    one["sensitive_values"] = {"tags": True}
    text = written(state(one, two)).text
    assert '"product": "${var.tag_product}"' in text
    assert '"product": "buildkite"' in text


@pytest.mark.parametrize("values", [{"name": f"ci-{_TOKEN}"}, {"tags": {_TOKEN: "yes"}}])
def test_a_program_with_a_secret_is_refused(values: dict[str, Any]) -> None:
    one = stack(**values, parameters={"BuildkiteAgentToken": _TOKEN})
    with pytest.raises(ConfigError) as raised:
        written(state(one))
    assert "aws_cloudformation_stack.ci: parameters['BuildkiteAgentToken']" in str(raised.value)
    assert "planted" not in str(raised.value)


@pytest.mark.parametrize("source", ["block", "plan"])
def test_a_token_that_the_state_hides_is_not_copied(source: str, tmp_path: Path) -> None:
    one = stack(parameters={"BuildkiteAgentToken": "****"}, tags={"note": f"see {_TOKEN}"})
    content = configured(one, {"parameters": {"references": ["var.token"]}})
    text = f'"{_TOKEN}"' if source == "block" else '"${var.token}"'
    if source == "plan":
        change = {"actions": ["update"], "after": {"parameters": {"BuildkiteAgentToken": _TOKEN}}}
        content["resource_changes"] = [
            {**{key: one[key] for key in ("address", "type")}, "change": change}
        ]
    (tmp_path / "main.tf").write_text(
        'resource "aws_cloudformation_stack" "ci" {\n'
        f"  parameters = {{ BuildkiteAgentToken = {text} }}\n}}\n"
    )
    program = written(content, tmp_path)
    assert "planted" not in program.text + said(program)
    assert '"note": "${var.tag_note}"' in program.text
