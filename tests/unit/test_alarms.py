"""Which alarms a queue has, and when CloudWatch raises them."""

from dataclasses import replace
from typing import Any

import pytest
from support.metric_math import Series, evaluate, state
from support.resolving import problems_with, resolved

from buildkite_agents import AgentQueue, Alarms, Deployment, elastic_ci_stack
from buildkite_agents.alarms import Alarm, actions_enabled, alarms_of, has_scaler, summary_lines
from buildkite_agents.resolve import resolve
from buildkite_agents.settings import StackSettings

ALARMS = Alarms("arrow-dev", email="team@example.org")
HOUR = 12  # periods of five minutes


def queue_alarms(settings: Alarms = ALARMS, **fields: Any) -> dict[str, Alarm]:
    queue = resolved(AgentQueue("m5.large", name="q", **fields))
    return {alarm.kind: alarm for alarm in alarms_of(queue, settings)}


def raised(alarm: Alarm, before: str = "OK", **series: Series) -> str:
    """An alarm's state after *series* of its metrics, one value in each of its periods."""
    assert series.keys() == {metric.id for metric in alarm.metrics}
    values = evaluate(alarm.expression, series)
    return state(values, periods=alarm.periods, missing=alarm.missing, before=before)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # The examples of CloudWatch's documentation.
        ("m1 < m2", [0, 0, 1, 0]),
        ("m1 >= 30", [1, 0, 0, 0]),
        ("m1 > 15 AND m2 > 15", [1, 0, 0, 0]),
        ("IF(m2 > 15, 1, 0)", [1, None, 1, None]),
        ("FILL(m2, 0)", [20, 0, 20, 0]),
    ],
)
def test_the_evaluator_gives_the_documented_results(expression: str, expected: Series) -> None:
    series: dict[str, Series] = {"m1": [30, 20, 0, 0], "m2": [20, None, 20, None]}
    assert evaluate(expression, series) == expected


@pytest.mark.parametrize(
    ("points", "ignore", "breaching"),
    [
        # The table of CloudWatch's documentation for three of three data points.
        ("0-X-X", "OK", "OK"),
        ("0----", "OK", "OK"),
        ("-----", "before", "ALARM"),
        ("0XX-X", "ALARM", "ALARM"),
        ("----X", "before", "ALARM"),
        ("X----", "before", "ALARM"),
    ],
)
def test_the_evaluator_treats_missing_data_as_documented(
    points: str, ignore: str, breaching: str
) -> None:
    values = [{"0": 0.0, "X": 1.0, "-": None}[point] for point in points]
    for missing, expected in (("ignore", ignore), ("breaching", breaching)):
        assert state(values, periods=3, missing=missing, before="before") == expected


def test_a_queue_has_three_alarms_by_default() -> None:
    alarms = queue_alarms()
    assert [*alarms] == ["jobs-wait", "scaler-silent", "instances-without-jobs"]
    assert {kind: alarm.seconds * alarm.periods / 60 for kind, alarm in alarms.items()} == {
        "jobs-wait": 30,
        "scaler-silent": 15,
        # Two hours and the default idle time.
        "instances-without-jobs": 135,
    }


def test_metrics_of_jobs_have_the_scalers_dimensions() -> None:
    (scheduled, running) = queue_alarms()["jobs-wait"].metrics
    assert (scheduled.namespace, scheduled.name) == ("Buildkite", "ScheduledJobsCount")
    assert (running.namespace, running.name) == ("Buildkite", "RunningJobsCount")
    assert scheduled.dimensions == running.dimensions == {"Org": "arrow-dev", "Queue": "q"}


def test_metrics_of_instances_are_those_of_the_stacks_group() -> None:
    (instances, minimum, _) = queue_alarms()["instances-without-jobs"].metrics
    group = '${aws_cloudformation_stack.q.outputs["AutoScalingGroupName"]}'
    for metric, name in ((instances, "GroupInServiceInstances"), (minimum, "GroupMinSize")):
        assert (metric.namespace, metric.name) == ("AWS/AutoScaling", name)
        assert metric.dimensions == {"AutoScalingGroupName": group}


JOBS: dict[str, tuple[Series, Series, str]] = {
    "idle": ([0] * HOUR, [0] * HOUR, "OK"),
    "busy": ([3] * HOUR, [4] * HOUR, "OK"),
    "stuck": ([3] * HOUR, [0] * HOUR, "ALARM"),
    "stuck for 25 minutes": ([0] * 7 + [3] * 5, [0] * HOUR, "OK"),
    "between two jobs": ([3] * HOUR, [1, 0] * 6, "OK"),
    "silent": ([None] * HOUR, [None] * HOUR, "before"),
    "stuck, then silent": ([3] * 7 + [None] * 5, [0] * 7 + [None] * 5, "before"),
    "stuck, with a gap": ([3] * 8 + [None] + [3] * 3, [0] * 8 + [None] + [0] * 3, "ALARM"),
}


@pytest.mark.parametrize("case", JOBS)
def test_waiting_jobs_raise_an_alarm_if_none_runs(case: str) -> None:
    scheduled, running, expected = JOBS[case]
    alarm = queue_alarms()["jobs-wait"]
    assert raised(alarm, before="before", scheduled=scheduled, running=running) == expected


# The number of values in each period: a value every ten seconds.
SILENCE: dict[str, tuple[Series, str]] = {
    "idle or busy": ([30] * HOUR, "OK"),
    "silent": ([30] * 9 + [None] * 3, "ALARM"),
    "silent for ten minutes": ([30] * 10 + [None] * 2, "OK"),
    "delayed": ([30] * 11 + [None], "OK"),
    "never published": ([None] * HOUR, "ALARM"),
    "since the first publication": ([None] * 11 + [6], "OK"),
}


@pytest.mark.parametrize("case", SILENCE)
def test_a_silent_scaler_raises_an_alarm(case: str) -> None:
    running, expected = SILENCE[case]
    assert raised(queue_alarms()["scaler-silent"], running=running) == expected


IDLE: dict[str, tuple[Series, Series, Series, str]] = {
    "idle": ([0] * 30, [0] * 30, [0] * 30, "OK"),
    "busy": ([2] * 30, [0] * 30, [1] * 30, "OK"),
    "never terminates": ([1] * 30, [0] * 30, [0] * 30, "ALARM"),
    "idle time and two hours are not over": ([1] * 30, [0] * 30, [1] * 4 + [0] * 26, "OK"),
    "at its minimum": ([1] * 30, [1] * 30, [0] * 30, "OK"),
    "above its minimum": ([2] * 30, [1] * 30, [0] * 30, "ALARM"),
    "silent": ([1] * 30, [0] * 30, [None] * 30, "OK"),
}


@pytest.mark.parametrize("case", IDLE)
def test_instances_without_jobs_raise_an_alarm(case: str) -> None:
    instances, minimum, running, expected = IDLE[case]
    alarm = queue_alarms()["instances-without-jobs"]
    assert raised(alarm, instances=instances, minimum=minimum, running=running) == expected


def test_the_maximum_raises_an_alarm_only_where_it_is_wanted_and_jobs_wait() -> None:
    alarm = queue_alarms(replace(ALARMS, at_maximum_hours=1))["at-maximum"]
    most: Series = [4] * HOUR
    assert raised(alarm, desired=most, maximum=most, scheduled=[1] * HOUR) == "ALARM"
    assert raised(alarm, desired=most, maximum=most, scheduled=[0] * HOUR) == "OK"
    assert raised(alarm, desired=[3] * HOUR, maximum=most, scheduled=[1] * HOUR) == "OK"


def test_a_fixed_queue_has_an_alarm_for_missing_instances_alone() -> None:
    alarms = queue_alarms(replace(ALARMS, at_maximum_hours=1), min_size=2, max_size=2)
    assert [*alarms] == ["instances-missing"]
    missing = alarms["instances-missing"]
    desired: Series = [2] * HOUR
    assert raised(missing, instances=desired, desired=desired) == "OK"
    assert raised(missing, instances=[1] * HOUR, desired=desired) == "ALARM"
    # An idle instance of a fixed queue is replaced.
    assert raised(missing, instances=[2, 2, 1] * 4, desired=desired) == "OK"


def test_a_paused_queue_has_no_scaler_and_no_alarm() -> None:
    assert queue_alarms(max_size=0) == {}


def test_a_queue_whose_instances_never_terminate_has_no_alarm_for_them() -> None:
    assert "instances-without-jobs" not in queue_alarms(idle_minutes=0)
    assert "instances-without-jobs" not in queue_alarms(idle_minutes="${var.idle}")


def test_the_templates_default_idle_time_counts() -> None:
    alarm = queue_alarms(idle_minutes=None)["instances-without-jobs"]
    assert alarm.seconds * alarm.periods == 130 * 60


def test_sizes_that_only_terraform_knows_decide_whether_alarms_notify() -> None:
    queue = resolved(AgentQueue("m5.large", name="q", min_size=None, max_size="${var.maximum}"))
    assert has_scaler(queue) is None
    assert len(alarms_of(queue, ALARMS)) == 3
    parameters = "aws_cloudformation_stack.q.parameters"
    assert actions_enabled(queue) == (
        f'${{lookup({parameters}, "MinSize", "0") != lookup({parameters}, "MaxSize", "10")}}'
    )
    assert actions_enabled(resolved(AgentQueue("m5.large", name="q"))) is None


@pytest.mark.parametrize(
    ("schedule", "seconds", "periods"),
    [("1 minute", 300, 3), ("10 minutes", 600, 2), ("1 hour", 3600, 2)],
)
def test_a_period_is_not_shorter_than_the_scalers_schedule(
    schedule: str, seconds: int, periods: int
) -> None:
    silent = queue_alarms(parameters={"ScalerEventSchedulePeriod": schedule})["scaler-silent"]
    assert (silent.seconds, silent.periods) == (seconds, periods)


def test_an_alarm_over_more_than_a_day_has_periods_of_an_hour() -> None:
    alarms = queue_alarms(replace(ALARMS, at_maximum_hours=48), idle_minutes=24 * 60)
    assert (alarms["at-maximum"].seconds, alarms["at-maximum"].periods) == (3600, 48)
    without = alarms["instances-without-jobs"]
    assert (without.seconds, without.periods) == (3600, 26)
    assert "instances-without-jobs" not in queue_alarms(idle_minutes=8 * 24 * 60)


def test_the_summary_names_the_alarms_of_each_queue() -> None:
    queues = [
        AgentQueue("m5.large"),
        AgentQueue("m5.xlarge"),
        AgentQueue("m5.2xlarge", max_size=0),
    ]
    loaded = [(queue, elastic_ci_stack.load(queue.stack_version)) for queue in queues]
    assert [*summary_lines(resolve(StackSettings("conbench", alarms=ALARMS), loaded))] == [
        "alarms: jobs-wait, scaler-silent, instances-without-jobs "
        "(amd64-m5-large-linux, amd64-m5-xlarge-linux)",
        "alarms: none (amd64-m5-2xlarge-linux)",
    ]
    assert [*summary_lines(resolve(StackSettings("conbench"), loaded))] == []


TOPIC = "arn:aws:sns:us-east-1:123456789012:ours"


@pytest.mark.parametrize(
    ("alarms", "problem"),
    [
        (
            Alarms("Arrow Dev", email="team@example.org"),
            "alarms.organization must be the organization's slug, as in its URL "
            "https://buildkite.com/SLUG, got 'Arrow Dev'",
        ),
        (Alarms("a"), "alarms: set either email or topic, to say whom the alarms notify"),
        (
            Alarms("a", email="team@example.org", topic=TOPIC),
            "alarms: set either email or topic, to say whom the alarms notify",
        ),
        (
            Alarms("bkct_0123456789abcdef0123456789abcdef01234567", email="team@example.org"),
            "alarms.organization must be the organization's slug, and not a token",
        ),
        (Alarms("a", email="team"), "alarms.email must be one e-mail address, got 'team'"),
        (
            Alarms("a", email="a@example.org;b@example.org"),
            "alarms.email must be one e-mail address, got 'a@example.org;b@example.org'",
        ),
        (
            Alarms("a", topic=f"{TOPIC}:subscription"),
            f"alarms.topic must be an ARN such as arn:aws:sns:..., got '{TOPIC}:subscription'",
        ),
        (
            Alarms("a", topic={"aws": TOPIC, "aws.west": TOPIC}),
            "alarms.topic has one for 'aws.west', which is not the provider of any queue (aws): "
            "remove or correct it",
        ),
        (
            Alarms("a", topic="ours"),
            "alarms.topic must be an ARN such as arn:aws:sns:..., got 'ours'",
        ),
        (
            replace(ALARMS, jobs_wait_minutes=5),
            "alarms.jobs_wait_minutes must be at least 10, and a multiple of 5, got 5",
        ),
        (
            replace(ALARMS, jobs_wait_minutes=31),
            "alarms.jobs_wait_minutes must be a multiple of 5, got 31",
        ),
        (
            replace(ALARMS, monthly_budget=500, budget_tag="Team"),
            "alarms.budget_tag must be the key of one of the stack's tags "
            "(Project, Environment), got 'Team'",
        ),
    ],
)
def test_invalid_settings_are_refused(alarms: Alarms, problem: str) -> None:
    assert problems_with(alarms=alarms) == [problem]


@pytest.mark.parametrize(
    "alarms",
    [
        ALARMS,
        Alarms("${var.organization}", email="${var.email}"),
        Alarms("a", topic="${aws_sns_topic.ours.arn}"),
        Alarms("a", topic={"aws": TOPIC}),
        replace(ALARMS, monthly_budget=99, budget_tag="Environment"),
    ],
)
def test_valid_settings_are_accepted(alarms: Alarms) -> None:
    assert problems_with(alarms=alarms) == []


def test_a_queue_in_another_region_needs_a_topic_there() -> None:
    own = {"VpcId": None, "Subnets": None, "BuildkiteAgentTokenParameterStorePath": "/token"}
    queues = [
        AgentQueue("m5.large", name="q"),
        AgentQueue("m5.xlarge", provider="aws.west", parameters=own),
    ]
    (problem,) = problems_with(queues, alarms=Alarms("a", topic=TOPIC))
    assert problem == (
        "alarms.topic has none for the provider 'aws.west' of a queue: an alarm and its topic must "
        'be in one region; set topic={"aws.west": ...} with the topic of each provider'
    )
    both = Alarms("a", topic={"aws": TOPIC, "aws.west": "${aws_sns_topic.west.arn}"})
    assert problems_with(queues, alarms=both) == []


def test_a_budget_counts_each_queue() -> None:
    budget = replace(ALARMS, monthly_budget=500)
    tagged = AgentQueue("m5.large", name="q", tags={"Project": "conbench"})
    untagged = replace(tagged, tags={})
    other = replace(tagged, tags={"Project": "other"})
    inside = Deployment(inside_root_module=True)

    assert problems_with([tagged], alarms=budget, deployment=inside) == []
    # The provider's default tags have it.
    assert problems_with([untagged], alarms=budget) == []
    reference = replace(tagged, tags="${var.tags}")
    assert problems_with([reference], alarms=budget, deployment=inside) == []
    for queue, deployment in ((untagged, inside), (other, Deployment())):
        (problem,) = problems_with([queue], alarms=budget, deployment=deployment)
        assert problem == (
            "alarms.monthly_budget counts what has the tag Project = 'conbench', and the stack of "
            "queue 'q' does not have it: add it to the queue's tags, or set budget_tag to another "
            "tag"
        )
