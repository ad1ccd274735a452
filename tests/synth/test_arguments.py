"""Arbitrary values for each argument: one line for each problem, and never a traceback."""

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import cdktf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buildkite_agents import (
    AgentAccess,
    AgentApp,
    AgentQueue,
    AgentStack,
    AgentToken,
    ConfigError,
    Deployment,
    Existing,
    Network,
    S3Backend,
    SecretsBucket,
)

TEXT = st.text(max_size=12) | st.sampled_from(
    ["https://host/script.sh", "s3://bucket/key", "${var.x}", "a\0b", "../x", "vpc-12345678"]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.builds(object),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(TEXT | st.integers(), inner, max_size=2)
    ),
    max_leaves=4,
)


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """A settings value with arbitrary values in some of its fields."""
    names = [field.name for field in fields(kind)]
    required = {"name": "n", "vpc_id": "v", "subnet_ids": (), "bucket": "b", "region": "r"}
    return st.dictionaries(st.sampled_from(names), ANYTHING, max_size=2).map(
        lambda given: kind(**{**{n: v for n, v in required.items() if n in names}, **given})
    )


KINDS = (AgentAccess, AgentToken, Deployment, Existing, Network, S3Backend, SecretsBucket)
QUEUE_FIELDS = [field.name for field in fields(AgentQueue) if field.init]


def queue_of(given: dict[str, Any]) -> AgentQueue:
    return AgentQueue(**{"instance_type": "m5.large", **given})


QUEUES = st.dictionaries(st.sampled_from(QUEUE_FIELDS), ANYTHING, max_size=2).map(queue_of)
VALUES = ANYTHING | st.one_of(*map(values_of, KINDS)) | st.lists(QUEUES | ANYTHING, max_size=2)
ARGUMENTS = (
    "access",
    "bootstrap_script",
    "deployment",
    "environment",
    "keep_documented_layout",
    "network",
    "parameters",
    "project",
    "queues",
    "secrets_bucket",
    "tags",
    "token",
)


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
    for argument in ("outdir", "context"):
        assert "\n" not in (problem_with(**{argument: value}) or "")


def problem_with(**arguments: Any) -> str | None:
    try:
        AgentApp(**arguments)
    except ConfigError as error:
        return str(error)
    return None
