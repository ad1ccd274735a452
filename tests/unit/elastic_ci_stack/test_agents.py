"""The agent of each version of the stack: its support and its security fixes."""

from datetime import date

import pytest

from buildkite_agents import elastic_ci_stack
from buildkite_agents.elastic_ci_stack.agents import Agent, agent_of, first_stack_with, fixes

START = date(2027, 1, 1)
OCTOBER = {"CVE-2026-111943", "artifact-symlinks"}


def agent(stack_version: str) -> Agent:
    found = agent_of(stack_version)
    assert found is not None
    return found


def test_the_agent_of_each_version_up_to_v6_71_4_is_known() -> None:
    versions = elastic_ci_stack.known_versions()
    read = versions[: versions.index("v6.71.4") + 1]
    assert [version for version in read if agent_of(version) is None] == []


@pytest.mark.parametrize("version", ["v6.71.5", "v99.0.0", "latest"])
def test_an_unknown_agent_is_none(version: str) -> None:
    assert agent_of(version) is None


@pytest.mark.parametrize(
    ("stack", "version"), [("v6.21.0", "3.73.1"), ("v6.71.1", "3.137.0"), ("v7.13.0", "4.12.0")]
)
def test_the_agent_is_the_bundled_one(stack: str, version: str) -> None:
    assert agent(stack).version == version


@pytest.mark.parametrize(
    ("stack", "end"),
    [
        ("v5.0.0", START),  # nothing is unsupported before the policy takes effect
        ("v6.53.0", START),
        ("v6.71.1", date(2027, 8, 11)),  # a year after the first release of its agent's line
        ("v7.12.0", None),  # that release is unknown
    ],
)
def test_a_line_is_supported_for_a_year(stack: str, end: date | None) -> None:
    assert agent(stack).supported_until == end


@pytest.mark.parametrize("stack", ["v5.0.0", "v6.71.1", "v6.71.4", "v7.0.0"])
def test_agents_before_october_2026_lack_its_fixes(stack: str) -> None:
    lacking = agent(stack).lacks
    assert {fix.name for fix in lacking} >= OCTOBER
    for fix in lacking:
        having = first_stack_with(fix, like=stack)
        assert having is not None
        assert elastic_ci_stack.is_at_least(having, "v7.1.0")
        assert fix not in agent(having).lacks


def test_an_agent_has_the_fixes_of_its_time() -> None:
    assert {fix.name for fix in agent("v7.13.0").lacks}.isdisjoint(
        {*OCTOBER, "hook-wrappers", "allowed-repositories", "unsigned-artifact-paths"}
    )


def test_an_agent_lacks_only_what_its_own_major_version_fixed() -> None:
    assert "hook-wrappers" not in {fix.name for fix in agent("v6.71.1").lacks}
    assert "hook-wrappers" in {fix.name for fix in agent("v7.0.0").lacks}


def test_each_fix_names_its_source_and_a_version() -> None:
    for fix in fixes():
        assert fix.source.startswith("https://")
        assert fix.fixed_in
        assert fix.what
