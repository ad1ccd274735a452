"""Which CloudWatch alarms a queue has, as data.

A stack's scaler publishes the numbers of its queue's jobs at each poll, about every ten seconds,
in the namespace ``Buildkite`` with the dimensions ``Org`` and ``Queue``:
https://github.com/buildkite/buildkite-agent-scaler/blob/v1.12.0/scaler/cloudwatch.go
It publishes nothing while it cannot read them from Buildkite, for example with a revoked token
(``Run`` in ``scaler/scaler.go``). The Auto Scaling group publishes the numbers of its instances
once a minute (``MetricsCollection`` in every version's template):
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-metrics.html
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from buildkite_agents.expressions import Reference
from buildkite_agents.resolved import ResolvedQueue, ResolvedStack
from buildkite_agents.settings import Alarms

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_PERIOD = 5 * _MINUTE
_LONGEST_WINDOW = 7 * _DAY
_SECONDS = {"minute": _MINUTE, "hour": _HOUR, "day": _DAY}


@dataclass(frozen=True)
class Metric:
    """A metric of an alarm's expression."""

    id: str
    """Its name in the expression."""

    name: str
    statistic: str
    namespace: str
    dimensions: Mapping[str, str]


@dataclass(frozen=True)
class Alarm:
    """A CloudWatch alarm, which is raised where its expression is 1 in all of its periods."""

    kind: str
    """The kind, such as ``jobs-wait``: the end of its name and address."""

    description: str
    """What is wrong, and where its treatment is described."""

    expression: str
    """The metric math expression, whose values are 1 (breaching) and 0."""

    metrics: Sequence[Metric]
    seconds: int
    """The length of a period."""

    periods: int
    """The number of periods."""

    missing: str
    """CloudWatch's treatment of missing data: ``ignore`` keeps the alarm's state."""

    @property
    def follows_group(self) -> bool:
        """Whether its metrics have the name of the Auto Scaling group, an output of the stack."""
        return any("AutoScalingGroupName" in metric.dimensions for metric in self.metrics)


def has_scaler(queue: ResolvedQueue) -> bool | None:
    """Whether a queue's stack has a scaler; None if only Terraform knows.

    It has one unless its sizes are equal: condition ``HasVariableSize`` of every version's
    template. So a paused queue has none.
    """
    least, most = queue.number("MinSize"), queue.number("MaxSize")
    return None if least is None or most is None else least != most


def alarms_of(queue: ResolvedQueue, settings: Alarms) -> list[Alarm]:
    """The alarms of a queue."""
    if has_scaler(queue) is False:
        fixed = queue.number("MaxSize") != 0
        return [_instances_missing(queue, settings)] if fixed else []
    alarms = [_jobs_wait(queue, settings), _scaler_silent(queue, settings)]
    idle = _without_jobs(queue, settings)
    if idle is not None:
        alarms.append(idle)
    if settings.at_maximum_hours is not None:
        alarms.append(_at_maximum(queue, settings, settings.at_maximum_hours))
    return alarms


def actions_enabled(queue: ResolvedQueue) -> str | None:
    """Whether a queue's alarms notify, as an expression, where only Terraform knows its sizes.

    A queue that Terraform's variables pause has no scaler, and so no metrics.
    """
    if has_scaler(queue) is not None:
        return None
    least, most = (
        f'lookup({queue.address}.parameters, "{name}", '
        f'"{queue.version.parameters[name].get("Default", "")}")'
        for name in ("MinSize", "MaxSize")
    )
    return Reference(f"{least} != {most}")


def summary_lines(stack: ResolvedStack) -> Iterator[str]:
    """Lines for the summary: which queues have which alarms."""
    settings = stack.settings.alarms
    if settings is None:
        return
    queues: dict[str, list[str]] = {}
    for queue in stack.queues:
        kinds = ", ".join(alarm.kind for alarm in alarms_of(queue, settings))
        queues.setdefault(kinds or "none", []).append(queue.key)
    for kinds, keys in queues.items():
        yield f"alarms: {kinds} ({', '.join(keys)})"


def _jobs_wait(queue: ResolvedQueue, settings: Alarms) -> Alarm:
    return _alarm(
        queue,
        "jobs-wait",
        f"Jobs of the queue {queue.name} have waited for {settings.jobs_wait_minutes} minutes "
        "while none ran",
        expression="IF(scheduled > 0 AND running < 1, 1, 0)",
        metrics=[_jobs(queue, settings, "Scheduled", "Minimum"), _jobs(queue, settings, "Running")],
        minutes=settings.jobs_wait_minutes,
    )


def _scaler_silent(queue: ResolvedQueue, settings: Alarms) -> Alarm:
    # Filled, because CloudWatch otherwise evaluates older values in place of missing ones. Where
    # there are none at all, for example for a token that was never valid, it is raised too.
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
    return _alarm(
        queue,
        "scaler-silent",
        f"The scaler of the queue {queue.name} has published no metrics for "
        f"{settings.scaler_silent_minutes} minutes, and so starts no instances",
        expression="IF(FILL(running, 0) < 1, 1, 0)",
        metrics=[_jobs(queue, settings, "Running", "SampleCount")],
        minutes=settings.scaler_silent_minutes,
        missing="breaching",
    )


def _without_jobs(queue: ResolvedQueue, settings: Alarms) -> Alarm | None:
    idle = queue.number("ScaleInIdlePeriod")
    minutes = settings.instances_without_jobs_minutes + math.ceil((idle or 0) / _MINUTE)
    # Where instances never terminate, or only after more than a week, or nobody knows when.
    if not idle or minutes * _MINUTE > _LONGEST_WINDOW:
        return None
    return _alarm(
        queue,
        "instances-without-jobs",
        f"The queue {queue.name} has had more instances than its minimum for {minutes} minutes, "
        "its idle time included, while no job ran",
        expression="IF(instances > minimum AND running < 1, 1, 0)",
        metrics=[
            _group(queue, "instances", "GroupInServiceInstances", "Minimum"),
            _group(queue, "minimum", "GroupMinSize", "Maximum"),
            _jobs(queue, settings, "Running"),
        ],
        minutes=minutes,
    )


def _at_maximum(queue: ResolvedQueue, settings: Alarms, hours: int) -> Alarm:
    return _alarm(
        queue,
        "at-maximum",
        f"The queue {queue.name} has had its maximum number of instances for {hours} hours, and "
        "jobs wait",
        expression="IF(desired >= maximum AND scheduled > 0, 1, 0)",
        metrics=[
            _group(queue, "desired", "GroupDesiredCapacity", "Minimum"),
            _group(queue, "maximum", "GroupMaxSize", "Maximum"),
            _jobs(queue, settings, "Scheduled", "Minimum"),
        ],
        minutes=hours * 60,
    )


def _instances_missing(queue: ResolvedQueue, settings: Alarms) -> Alarm:
    return _alarm(
        queue,
        "instances-missing",
        f"The queue {queue.name} of a fixed size has had too few instances for "
        f"{settings.jobs_wait_minutes} minutes",
        expression="IF(instances < desired, 1, 0)",
        metrics=[
            _group(queue, "instances", "GroupInServiceInstances", "Maximum"),
            _group(queue, "desired", "GroupDesiredCapacity", "Minimum"),
        ],
        minutes=settings.jobs_wait_minutes,
    )


def _alarm(
    queue: ResolvedQueue,
    kind: str,
    what: str,
    *,
    expression: str,
    metrics: Sequence[Metric],
    minutes: int,
    missing: str = "ignore",
) -> Alarm:
    # A scaler that runs less often than once in a period has no values in some periods.
    seconds = max(_PERIOD, _scaler_interval(queue))
    if minutes * _MINUTE > _DAY:
        # CloudWatch's limit for shorter periods.
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
        seconds = max(seconds, _HOUR)
    return Alarm(
        kind=kind,
        description=f"{what}. See docs/alarms.md, {kind}.",
        expression=expression,
        metrics=metrics,
        seconds=seconds,
        # At least two, because the scaler's runs do not start at the same second.
        periods=max(2, math.ceil(minutes * _MINUTE / seconds)),
        missing=missing,
    )


def _scaler_interval(queue: ResolvedQueue) -> int:
    """The seconds between two runs of a queue's scaler, by default 60."""
    number, _, unit = (queue.text("ScalerEventSchedulePeriod") or "1 minute").partition(" ")
    return int(number) * _SECONDS[unit.removesuffix("s")]


def _jobs(queue: ResolvedQueue, settings: Alarms, state: str, statistic: str = "Maximum") -> Metric:
    dimensions = {"Org": settings.organization, "Queue": queue.name}
    return Metric(state.lower(), f"{state}JobsCount", statistic, "Buildkite", dimensions)


def _group(queue: ResolvedQueue, metric_id: str, name: str, statistic: str) -> Metric:
    # The name ends with random characters, and a replaced group has another one.
    group = Reference(f'{queue.address}.outputs["AutoScalingGroupName"]')
    dimensions = {"AutoScalingGroupName": group}
    return Metric(metric_id, name, statistic, "AWS/AutoScaling", dimensions)
