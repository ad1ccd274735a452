"""Arbitrary values for all arguments of all public classes: a line for each problem."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.arbitrary import ARGUMENTS, QUEUES, VALUES
from support.resolving import problems_with


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(ARGUMENTS), VALUES, min_size=1, max_size=3))
def test_arguments_are_accepted_or_refused_in_lines(arguments: dict[str, Any]) -> None:
    problems = problems_with(**arguments)
    assert all(problem and "\n" not in problem for problem in problems)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(QUEUES, min_size=1, max_size=3))
def test_queues_are_accepted_or_refused_in_lines(queues: list[Any]) -> None:
    problems = problems_with(queues)
    assert all(problem and "\n" not in problem for problem in problems)
    "".join(problems).encode()
