"""What takes the place of removed parameters, values and experiments."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildkite_agents import elastic_ci_stack
from buildkite_agents.elastic_ci_stack.replaced import replacements

V7 = "v7.13.0"
GRACE, SIGNAL = "BuildkiteAgentCancelGracePeriod", "BuildkiteAgentSignalGracePeriod"
NEW_SIGNAL = "BuildkiteAgentCancelSignalTimeout"
NEW_CLEANUP = "BuildkiteAgentCancelCleanupTimeout"


def message(parameters: dict[str, Any], version: str = V7) -> str:
    (replacement,) = replacements(parameters, version)
    assert set(replacement.parameters) <= parameters.keys()
    return replacement.message


def is_replaced(parameter: str, version: str) -> bool:
    return bool(replacements({parameter: "1"}, version))


@pytest.mark.parametrize("parameter", sorted(elastic_ci_stack.load("v6.71.4").parameters))
def test_each_parameter_of_version_6_exists_in_version_7_or_is_replaced(parameter: str) -> None:
    exists = elastic_ci_stack.load(V7).has(parameter)
    assert exists is not is_replaced(parameter, V7)


def test_each_parameter_that_any_version_removed_is_replaced() -> None:
    for parameter, entries in elastic_ci_stack.history()["parameters"].items():
        for since, declaration in entries:
            if declaration is None:
                before, _ = elastic_ci_stack.neighbors(since)
                assert is_replaced(parameter, since), parameter
                assert not is_replaced(parameter, str(before)), parameter


@pytest.mark.parametrize("version", elastic_ci_stack.known_versions())
def test_every_parameter_that_is_named_instead_exists(version: str) -> None:
    names = elastic_ci_stack.history()["parameters"]
    given_values: dict[str, Any] = dict.fromkeys(names, "1")
    for replacement in replacements(given_values, version):
        for named in re.findall(r"\b[A-Z][A-Za-z0-9]+(?==)", replacement.message):
            newest = elastic_ci_stack.load(version)
            assert named in newest.parameters, replacement


@pytest.mark.parametrize(
    ("given_values", "signal", "cleanup"),
    [
        ({GRACE: 120, SIGNAL: 30}, 30, 90),
        ({GRACE: "120", SIGNAL: "30"}, 30, 90),
        ({GRACE: 120, SIGNAL: -1}, 119, 1),
        ({GRACE: 120}, 119, 1),
        ({GRACE: 120, SIGNAL: None}, 119, 1),
        ({SIGNAL: 30}, 30, 30),
        ({SIGNAL: -1}, 59, 1),
        ({GRACE: 1, SIGNAL: -1}, 0, 1),
        ({GRACE: 30, SIGNAL: 30}, 30, 0),
        ({GRACE: 120.0, SIGNAL: 30.0}, 30, 90),
    ],
)
def test_the_grace_periods_are_converted(
    given_values: dict[str, Any], signal: int, cleanup: int
) -> None:
    assert message(given_values) == (
        f"removed in Elastic CI Stack v7.0.0: set {NEW_SIGNAL}='{signal}s' and "
        f"{NEW_CLEANUP}='{cleanup}s' instead"
    )


@given(st.integers(1, 10**6), st.integers(-1, 10**6))
def test_converted_grace_periods_are_valid_and_last_as_long(grace: int, signal: int) -> None:
    text = message({GRACE: grace, SIGNAL: signal})
    found = re.findall(r"='([0-9]+)s'", text)
    if signal > grace:
        assert found == []
        assert f"{SIGNAL}={signal} is greater than {GRACE}={grace}" in text
        return
    assert sum(map(int, found)) == grace
    pattern = elastic_ci_stack.load(V7).parameters[NEW_SIGNAL]["AllowedPattern"]
    assert all(re.fullmatch(pattern, f"{seconds}s") for seconds in found)


@pytest.mark.parametrize(
    "value", ["${var.grace}", "abc", "", True, 0, 1.5, -1.7976931348623157e308]
)
def test_a_grace_period_without_a_valid_value_is_described(value: Any) -> None:
    text = message({GRACE: value})
    assert f"set {NEW_SIGNAL} and {NEW_CLEANUP} instead, as durations" in text


def test_a_removed_parameter_without_a_value_is_left_out() -> None:
    assert "leave out" in message({GRACE: None})
    assert "leave it out" in message({"BuildkiteAgentTracingBackend": None})


def test_a_removed_parameter_whose_replacement_is_set_is_left_out() -> None:
    text = message({GRACE: 60, NEW_SIGNAL: "59s", NEW_CLEANUP: "1s"})
    assert f"leave out {GRACE}, because {NEW_SIGNAL} and {NEW_CLEANUP} are set" in text


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [
        ("BuildkiteAgentTracingBackend", "", "leave it out"),
        (
            "BuildkiteAgentTracingBackend",
            "opentelemetry",
            "set BuildkiteAgentOpenTelemetryTracing=True instead",
        ),
        ("BuildkiteAgentTracingBackend", "datadog", "OTEL_EXPORTER_OTLP_ENDPOINT in the agent's"),
        ("BuildkiteAgentTracingBackend", "${var.x}", "where the value is opentelemetry"),
        ("BuildkiteAgentTracingBackend", "jaeger", "got 'jaeger'"),
        ("BuildkiteAgentTimestampLines", False, "leave it out"),
        ("BuildkiteAgentTimestampLines", True, "agent 4 always writes the timestamps"),
        ("BuildkiteAgentTimestampLines", "${var.x}", "leave it out"),
        ("BuildkiteAgentRelease", "oldstable", "set 'stable', 'beta' or 'edge'"),
        ("InstanceType", "m5.large", "set InstanceTypes='m5.large' instead"),
        ("InstanceType", "${var.type}", "set InstanceTypes='${var.type}' instead"),
        ("ScalerEventScheduleRate", 5, "set ScalerEventSchedulePeriod='5 minutes' instead"),
        ("ScalerEventScheduleRate", "1", "set ScalerEventSchedulePeriod='1 minute' instead"),
        ("SpotPrice", 0, "leave it out"),
        ("SpotPrice", "0.2", "set OnDemandPercentage=0 instead"),
    ],
)
def test_the_message_has_what_to_write_instead(parameter: str, value: Any, expected: str) -> None:
    assert expected in message({parameter: value})


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("BuildkiteAgentRelease", "beta"),
        ("BuildkiteAgentRelease", "${var.release}"),
        ("BuildkiteAgentRelease", None),
        ("BuildkiteAgentExperiments", "agent-api,pty-raw"),
        ("BuildkiteAgentExperiments", None),
        ("MaxSize", 4),
    ],
)
def test_what_the_version_accepts_has_no_replacement(parameter: str, value: Any) -> None:
    assert replacements({parameter: value}, V7) == []


@pytest.mark.parametrize(
    "experiment",
    [
        "allow-artifact-path-traversal",
        "descending-spawn-priority",
        "normalised-upload-paths",
        "override-zero-exit-on-cancel",
        "propagate-agent-config-vars",
        "resolve-commit-after-checkout",
    ],
)
def test_each_removed_experiment_is_reported(experiment: str) -> None:
    given_values = {"BuildkiteAgentExperiments": f"agent-api, {experiment}"}
    assert f"the experiment '{experiment}' was removed" in message(given_values)
    assert replacements(given_values, "v6.71.5") == []


def test_version_6_accepts_what_version_7_removed() -> None:
    given_values = {GRACE: 60, "BuildkiteAgentRelease": "oldstable"}
    assert replacements(given_values, "v6.71.4") == []
    assert len(replacements(given_values, "v7.5.0")) == 2
    assert len(replacements(given_values, "v99.0.0")) == 2
