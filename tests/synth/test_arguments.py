"""Arbitrary values for each argument: one line for each problem, and never a traceback."""

import contextlib
import json
import tempfile
from collections.abc import Sequence
from typing import Any

import cdktf
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from support.arbitrary import ANYTHING, ARGUMENTS, VALUES

from buildkite_agents import AgentAccess, AgentApp, AgentQueue, AgentStack, ConfigError

# Fewer examples, because each creates a stack in Node.js.
EXAMPLES = settings().max_examples // 4


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=EXAMPLES)
@given(st.dictionaries(st.sampled_from(ARGUMENTS), VALUES, min_size=1, max_size=2))
def test_an_argument_is_accepted_or_refused_in_lines(arguments: dict[str, Any]) -> None:
    problems = problems_with(arguments)
    assert all(problem and "\n" not in problem for problem in problems)


def problems_with(arguments: dict[str, Any]) -> Sequence[str]:
    """The problems; none where the stack can be synthesized."""
    required = {"project": "acme", "queues": [AgentQueue("m5.large")]}
    try:
        stack = AgentStack(cdktf.Testing.app(), **{**required, **arguments})
    except ConfigError as error:
        return error.problems or [""]
    json.loads(cdktf.Testing.synth(stack))
    return []


@pytest.mark.parametrize(
    "statements",
    [
        *(None, 5, "text", [5], [{"Effect": "Allow", "Action": 5, "Resource": "*"}]),
        [{"Effect": "Allow", "Action": ["s3:GetObject", None], "Resource": "*"}],
    ],
)
def test_invalid_statements_are_refused_in_lines(statements: Any) -> None:
    (problem,) = problems_with({"access": AgentAccess(statements=statements)})
    assert problem.startswith("access.statements must ")


@given(ANYTHING)
def test_so_are_the_folder_and_the_context_of_an_app(value: Any) -> None:
    assume(not str(value).startswith("/"))  # an app creates its folder
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for argument in ("outdir", "context"):
            assert "\n" not in (problem_with(**{argument: value}) or "")


def problem_with(**arguments: Any) -> str | None:
    try:
        AgentApp(**arguments)
    except ConfigError as error:
        return str(error)
    return None
