"""Addresses that a user's own files mention."""

import json
from pathlib import Path

import pytest

from buildkite_agents.output.owned_files import RECORD
from buildkite_agents.output.root_module import mentioned

ADDRESS = "aws_iam_policy.buildkite_agent"


@pytest.mark.parametrize(
    ("name", "text", "is_mentioned"),
    [
        ("a.tf", 'resource "aws_iam_policy" "buildkite_agent" {}', True),
        ("a.tf", "arn = aws_iam_policy.buildkite_agent[0].arn", True),
        ("a.tf", "removed {\n  from = aws_iam_policy.buildkite_agent\n}", True),
        ("a.tf", "arn = aws_iam_policy.buildkite_agents.arn", False),
        ("a.tf", "arn = data.aws_iam_policy.buildkite_agent.arn", False),
        ("a.tf.json", json.dumps({"resource": {"aws_iam_policy": {"buildkite_agent": {}}}}), True),
        ("a.tf.json", json.dumps({"resource": {"aws_iam_role": {"buildkite_agent": {}}}}), False),
        ("a.tf", "resource aws_iam_policy buildkite_agent {}", True),
        ("a.tf", 'resource "aws_iam_policy" /* agents */ "buildkite_agent" {}', True),
        ("a.tf", 'resource aws_iam_policy "buildkite_agents" {}', False),
        (
            "a.tf.json",
            json.dumps([{"resource": [{"aws_iam_policy": [{"buildkite_agent": {}}]}]}]),
            True,
        ),
        ("a.tf.json", "not JSON", False),
        ("a.tf.json", "[]", False),
        ("ours.tf.json", '{"x": "${aws_iam_policy.buildkite_agent.arn}"}', False),
    ],
)
def test_an_address_is_mentioned_by_a_reference_or_a_block(
    tmp_path: Path, name: str, text: str, is_mentioned: bool
) -> None:
    (tmp_path / name).write_text(text)
    (tmp_path / RECORD).write_text("0  ours.tf.json\n")
    assert mentioned([ADDRESS], tmp_path) == ({ADDRESS} if is_mentioned else set())


def test_settings_mention_addresses_too(tmp_path: Path) -> None:
    missing = tmp_path / "none"
    assert mentioned([ADDRESS], missing, "Existing('${aws_iam_policy.buildkite_agent.arn}')")
