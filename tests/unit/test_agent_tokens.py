"""What the precondition of the token refuses, by the expressions that Terraform evaluates."""

import json
import re
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "golden" / "terraform" / "buildkite.tf.json"
VARIABLE = "var.buildkite_agent_token"


def refusals(token: str) -> list[str]:
    """The errors for a token."""
    parameter = json.loads(GOLDEN.read_text())["resource"]["aws_ssm_parameter"]
    conditions = parameter["buildkite_agent_token"]["lifecycle"]["precondition"]
    return [each["error_message"] for each in conditions if not holds(each["condition"], token)]


def holds(condition: str, token: str) -> bool:
    """Evaluate a condition of these functions and operators only."""
    python = condition[2:-1].replace(VARIABLE, "token")
    python = python.replace("||", " or ").replace("&&", " and ")
    functions = {
        "token": token,
        "trimspace": str.strip,
        "length": len,
        "startswith": str.startswith,
        # In Terraform, $ is the end of the text only.
        "regex": lambda pattern, text: re.search(re.sub(r"\$(?!\])", r"\\Z", pattern), text),
        "can": bool,
    }
    return bool(eval(re.sub(r"!(?!=)", " not ", python), {}, functions))  # noqa: S307 # our own text


@pytest.mark.parametrize(
    "token",
    [
        *("changeme", "change-me", "CHANGE_ME", "...", "xxx", "YOUR_TOKEN", "YOUR-AGENT-TOKEN"),
        *("your-buildkite-agent-token-here", "replace-this-with-your-buildkite-agent-token"),
        "bkct_your_token",
    ],
)
def test_a_placeholder_is_refused_once(token: str) -> None:
    (error,) = refusals(token)
    assert "is still the placeholder of a token" in error


HEXADECIMAL = "0123456789abcdef" * 3
CLUSTER = f"bkct_MTA.{'Ab3De5Gh7Jk9' * 6}"


@pytest.mark.parametrize(
    "token",
    [
        *(f'"{CLUSTER}"', f"'{HEXADECIMAL}'", f"\u201c{CLUSTER}\u201d", f"{CLUSTER} ", "<token>"),
        *(
            f"{CLUSTER}\n",
            "$TOKEN",
            "${TOKEN}",
            "https://buildkite.com",
            "YOUR TOKEN",
            "t\u043eken",
        ),
        *("<your-token>", "s3://bucket/token"),
    ],
)
def test_what_has_characters_that_no_token_has_is_refused_once(token: str) -> None:
    (error,) = refusals(token)
    assert "must be only the token" in error


@pytest.mark.parametrize("token", ["", " ", "\n"])
def test_an_empty_token_is_refused_once(token: str) -> None:
    (error,) = refusals(token)
    assert "must not be empty" in error


def test_a_token_of_the_api_is_refused() -> None:
    (error,) = refusals("bkua_MTA.4f6ccde8c73e26244d73c5a77c91c242c0c818ce")
    assert "is an API access token" in error


@pytest.mark.parametrize(
    "token",
    [
        *(CLUSTER, HEXADECIMAL, HEXADECIMAL[:40], f"bkct_{HEXADECIMAL}", f"bkar_MQ.{HEXADECIMAL}"),
        # Without a digit, and with the characters of base64.
        f"bkct_MTA.{'AbcDefGhjKmn' * 6}",
        f"bkct_{'Abc-DefGhjKmnPqrStuVwx_Z' * 3}",
        "0196601b-5a74-4e95-bca8-06343a2b9079",
        "a-token-of-a-test",
    ],
)
def test_a_token_as_buildkite_issues_it_is_accepted(token: str) -> None:
    assert refusals(token) == []
