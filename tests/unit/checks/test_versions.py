"""What the checks and the warnings say of versions, their agents and their images."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from support.resolving import problems_of

from buildkite_agents import AgentAccess, AgentQueue, elastic_ci_stack
from buildkite_agents.checks import version_warnings
from buildkite_agents.checks.warnings import warnings_of
from buildkite_agents.resolve import resolve
from buildkite_agents.settings import StackSettings

V6, V7 = "v6.71.4", "v7.13.0"
IMAGE = {"ImageId": "ami-01234567"}


def queue(version: str, **settings: Any) -> AgentQueue:
    return AgentQueue("m5.large", name="q", stack_version=version, **settings)


def problems(version: str, **settings: Any) -> list[str]:
    return [p.removeprefix("queue 'q': ") for p in problems_of(queue(version, **settings))]


def warnings(given: AgentQueue, name: str) -> list[str]:
    version = elastic_ci_stack.load(given.stack_version)
    stack = resolve(StackSettings("conbench"), [(given, version)])
    return [line for line in warnings_of(stack.queues[0], stack) if f"#{name})" in line]


def test_removed_grace_periods_are_refused_with_the_values_to_set() -> None:
    grace = {"BuildkiteAgentCancelGracePeriod": 120, "BuildkiteAgentSignalGracePeriod": 30}
    assert problems(V6, parameters=grace) == []
    (problem,) = problems(V7, parameters=grace)
    assert "BuildkiteAgentCancelSignalTimeout='30s'" in problem
    assert "BuildkiteAgentCancelCleanupTimeout='90s'" in problem


@pytest.mark.parametrize(
    ("parameters", "advice"),
    [
        ({"BuildkiteAgentTracingBackend": "datadog"}, "OTLP"),
        ({"BuildkiteAgentRelease": "oldstable"}, "stay on a version before v7.0.0"),
        ({"BuildkiteAgentTimestampLines": True}, "leave it out"),
        ({"BuildkiteAgentExperiments": "normalised-upload-paths"}, "leave it out"),
    ],
)
def test_what_v7_removed_is_refused_with_what_to_do(
    parameters: dict[str, Any], advice: str
) -> None:
    assert problems(V6, parameters=parameters) == []
    (problem,) = problems(V7, parameters=parameters)
    assert advice in problem


def test_removed_experiments_are_refused_one_by_one() -> None:
    names = "normalised-upload-paths,polyglot-hooks,descending-spawn-priority"
    first, second = problems(V7, parameters={"BuildkiteAgentExperiments": names})
    assert "normalised-upload-paths" in first
    assert "descending-spawn-priority" in second


def test_removed_parameters_of_all_queues_are_refused_once() -> None:
    both = [AgentQueue("m5.large", name=name, stack_version=V7) for name in "ab"]
    (problem,) = problems_of(*both, parameters={"BuildkiteAgentTimestampLines": True})
    assert problem.startswith("parameters['BuildkiteAgentTimestampLines']: removed in")


def test_an_image_of_v6_is_refused_with_v7() -> None:
    built = {"parameters": IMAGE, "image_stack_version": "v6.22.3"}
    assert problems("v6.22.3", **built) == []
    (problem,) = problems(V7, **built)
    assert "an image that was built from the image of v6.22.3 cannot boot with v7.13.0" in problem


def test_an_image_needs_its_version_with_v7() -> None:
    assert problems(V6, parameters=IMAGE) == []
    (problem,) = problems(V7, parameters=IMAGE)
    assert "image_stack_version is required with v7.13.0" in problem
    assert problems(V7, parameters=IMAGE, image_stack_version=V7) == []


def test_an_image_of_all_queues_needs_its_version_too() -> None:
    (problem,) = problems_of(queue(V7), parameters=IMAGE)
    assert "image_stack_version is required with v7.13.0" in problem


def test_a_version_of_no_image_is_refused() -> None:
    assert problems(V7, image_stack_version=V7) == [
        "image_stack_version requires an image: set ImageId or ImageIdParameter"
    ]
    (problem,) = problems(V7, parameters=IMAGE, image_stack_version="7.13")
    assert problem.startswith("image_stack_version must be a version such as ")


def test_an_image_of_another_minor_version_is_warned_of() -> None:
    built = queue(V7, parameters=IMAGE, image_stack_version="v7.0.0")
    (warning,) = warnings(built, "image-versions")
    assert "built from the image of v7.0.0, and stack_version is v7.13.0" in warning
    same = queue(V7, parameters=IMAGE, image_stack_version="v7.13.0")
    assert warnings(same, "image-versions") == []


def test_a_role_of_ones_own_is_told_what_v7_needs() -> None:
    role = {"InstanceRoleARN": "arn:aws:iam::123456789012:role/agent"}
    (warning,) = warnings(queue(V7, parameters=role), "own-role")
    assert "autoscaling:CompleteLifecycleAction" in warning
    (warning,) = warnings(queue(V6, parameters=role), "own-role")
    assert "autoscaling:CompleteLifecycleAction" not in warning


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"on_demand_percentage": 99}, "on_demand_percentage must be 100 with WarmPoolEnabled"),
        (
            {"parameters": {"WarmPoolMinSize": 5}},
            "parameters['WarmPoolMinSize'] must be at most WarmPoolMaxGroupPreparedCapacity",
        ),
        (
            {"parameters": {"WarmPoolMinSize": 3, "WarmPoolMaxGroupPreparedCapacity": 2}},
            "parameters['WarmPoolMinSize'] must be at most WarmPoolMaxGroupPreparedCapacity",
        ),
    ],
)
def test_a_warm_pool_that_the_group_cannot_have_is_refused(
    settings: dict[str, Any], problem: str
) -> None:
    given = {**settings, "parameters": {"WarmPoolEnabled": True, **settings.get("parameters", {})}}
    (found,) = problems(V7, **given)
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "up to 4 stopped instances without jobs, at the cost of their volumes"),
        ({"WarmPoolState": "Running"}, "up to 4 running instances without jobs, at their full"),
        ({"WarmPoolMaxGroupPreparedCapacity": 2}, "up to 2 stopped instances"),
    ],
)
def test_the_cost_of_a_warm_pool_is_warned_of(parameters: dict[str, Any], words: str) -> None:
    given = queue(V7, parameters={"WarmPoolEnabled": True, **parameters})
    (warning,) = warnings(given, "warm-pool")
    assert words in warning


def test_a_release_between_known_ones_is_checked_against_both() -> None:
    (problem,) = problems("v7.5.0")
    assert problem.endswith("to use it unchecked, set allow_unchecked_version=True")
    assert problems("v7.5.0", allow_unchecked_version=True) == []
    removed = {"BuildkiteAgentCancelGracePeriod": 60}
    (problem,) = problems("v7.5.0", allow_unchecked_version=True, parameters=removed)
    assert "removed in Elastic CI Stack v7.0.0" in problem
    (problem,) = problems("v7.5.0", allow_unchecked_version=True, parameters={"KeyNam": "x"})
    assert "has no such parameter (did you mean KeyName?)" in problem
    given = queue("v7.5.0", allow_unchecked_version=True)
    (warning,) = warnings(given, "unchecked-version")
    assert "checked against those of v7.0.0 and v7.13.0" in warning


def test_a_parameter_that_an_unknown_release_may_have_is_named() -> None:
    parameters = {"WarmPoolEnabled": True, "NewParameter": 1}
    for version, names in (
        ("v7.5.0", "WarmPoolEnabled"),
        ("v99.0.0", "NewParameter, WarmPoolEnabled"),
    ):
        given = {n: v for n, v in parameters.items() if version != "v7.5.0" or n != "NewParameter"}
        unknown = queue(version, allow_unchecked_version=True, parameters=given)
        assert problems_of(unknown) == []
        (warning,) = warnings(unknown, "unchecked-version")
        assert f"and {names} not at all" in warning


def test_an_unknown_release_for_which_a_default_of_ours_is_uncertain_is_refused() -> None:
    found = problems("v5.99.0", allow_unchecked_version=True)
    assert found
    assert all(problem.startswith("stack_version: this program sets ") for problem in found)


def test_a_script_with_dnf_is_refused_on_amazon_linux_2(tmp_path: Any) -> None:
    script = tmp_path / "script.sh"
    script.write_text("dnf install gcc\n")
    (problem,) = problems_of(queue("v5.22.5"), bootstrap_script=script)
    assert "the images of v5.22.5 are Amazon Linux 2" in problem
    assert problems_of(queue("v6.0.0"), bootstrap_script=script) == []


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2026-09-01", None),
        ("2026-11-25", "is supported until 2027-01-01"),
        ("2027-01-01", "has not been supported since 2027-01-01"),
    ],
)
def test_an_agent_is_warned_of_before_its_support_ends(
    day: str, words: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock:
        @staticmethod
        def now(zone: Any) -> datetime:
            return datetime.fromisoformat(day).replace(tzinfo=zone)

    monkeypatch.setattr(version_warnings, "datetime", Clock)
    found = warnings(queue("v6.21.0"), "unsupported-agent")
    assert len(found) == (words is not None)
    assert all(str(words) in warning for warning in found)


def test_the_default_version_has_no_warning() -> None:
    version = elastic_ci_stack.load(AgentQueue("m5.large").stack_version)
    stack = resolve(StackSettings("conbench"), [(AgentQueue("m5.large"), version)])
    assert warnings_of(stack.queues[0], stack) == []


def test_what_a_version_has_no_parameter_for_is_refused_if_it_was_chosen() -> None:
    boundary = AgentAccess(permissions_boundary="arn:aws:iam::123456789012:policy/b")
    (problem,) = problems_of(queue("v5.2.0"), access=boundary)
    assert "v5.2.0 has no parameter InstanceRolePermissionsBoundaryARN" in problem
    (problem,) = problems("v5.0.0", on_demand_percentage=50)
    assert problem.startswith("on_demand_percentage: Elastic CI Stack v5.0.0 has no parameter")
    assert problems("v5.0.0") == []


def test_a_queue_can_leave_out_what_its_version_lacks_of_all_queues() -> None:
    removed = {"BuildkiteAgentTimestampLines": True}
    old = AgentQueue("m5.large", name="old", stack_version=V6)
    new = queue(V7, parameters={"BuildkiteAgentTimestampLines": None})
    assert problems_of(old, new, parameters=removed) == []
    added = {"BuildkiteAgentOpenTelemetryTracing": True}
    assert problems_of(queue(V7), old, parameters=added) != []
    old = replace(old, parameters={"BuildkiteAgentOpenTelemetryTracing": None})
    assert problems_of(queue(V7), old, parameters=added) == []
    (problem,) = problems(V7, parameters={"KeyNam": None})
    assert "has no such parameter" in problem


@pytest.mark.parametrize(
    ("text", "is_refused"),
    [
        ("dnf -y install gcc\n", True),
        ("# install with dnf later\nmake\n", False),
        ("if command -v dnf; then dnf install -y git; else yum install -y git; fi\n", False),
    ],
)
def test_a_script_that_only_mentions_dnf_is_accepted(
    tmp_path: Any, text: str, is_refused: bool
) -> None:
    script = tmp_path / "script.sh"
    script.write_text(text)
    assert bool(problems_of(queue("v5.22.5"), bootstrap_script=script)) is is_refused


def test_the_boot_of_a_warm_pool_has_the_time_of_the_script(bootstrap_script: Any) -> None:
    pool = {"WarmPoolEnabled": True, "WarmPoolBootstrapTimeout": 60}
    version = elastic_ci_stack.load(V7)
    settings = StackSettings("conbench", bootstrap_script=bootstrap_script)
    for parameters, warned in ((pool, True), ({**pool, "WarmPoolBootstrapTimeout": 900}, False)):
        stack = resolve(settings, [(queue(V7, parameters=parameters), version)])
        found = [line for line in warnings_of(stack.queues[0], stack) if "#boot-timeout" in line]
        assert bool(found) is warned


@pytest.mark.parametrize("version", ["v5.22.5", "v6.30.0", "v6.71.4"])
def test_the_version_to_move_to_is_one_that_is_accepted(version: str) -> None:
    (warning,) = warnings(queue(version), "vulnerable-agent")
    advised = warning.partition("move to stack_version ")[2].partition(" ")[0]
    assert problems(advised) == []
