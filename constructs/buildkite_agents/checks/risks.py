"""Settings that work, and that the people who run benchmarks should mean."""

from collections.abc import Callable
from dataclasses import dataclass

from buildkite_agents.elastic_ci_stack import StackVersion, instance_types
from buildkite_agents.queue import AgentQueue


@dataclass(frozen=True)
class Risk:
    """A legal setting that is often a mistake."""

    name: str
    """What a queue's ``accepted_risks`` calls it."""

    applies: Callable[[AgentQueue, StackVersion], bool]
    """Whether a queue has it."""

    reason: str
    """What comes of it, and what to do."""


def _is_burstable(queue: AgentQueue, version: StackVersion) -> bool:
    burstable = version.burstable_instance_families or {"t2", "t3", "t3a", "t4g"}
    families = {instance_types.family(t) for t in queue.all_instance_types}
    return bool(families & burstable) and "CpuCredits" not in queue.parameters


RISKS = (
    Risk(
        "always-on",
        lambda queue, _: queue.min_size > 0,
        "min_size above 0 keeps instances running, and costing, day and night",
    ),
    Risk(
        "shared-instance",
        lambda queue, _: queue.agents_per_instance > 1,
        "agents_per_instance above 1 lets jobs disturb each other's measurements, and an instance "
        "that stops takes all of its agents along",
    ),
    Risk(
        "spot",
        lambda queue, _: queue.on_demand_percentage < 100,
        "on_demand_percentage below 100 uses spot instances, which are taken away in mid-job",
    ),
    Risk(
        "burstable",
        _is_burstable,
        "a burstable instance type is slowed down when its CPU credits are used up: say what is "
        "right by parameters={'CpuCredits': ...}, 'unlimited' for benchmarks",
    ),
    Risk(
        "gp3-iops",
        lambda queue, version: (
            version.parameters["RootVolumeIops"].get("Default", 0) < 3000
            and not {"RootVolumeIops", "RootVolumeType"} & queue.parameters.keys()
        ),
        "this stack version's own RootVolumeIops is under EC2's minimum of 3000 for a gp3 volume: "
        "set parameters={'RootVolumeIops': 3000}",
    ),
)


def warnings(queue: AgentQueue, version: StackVersion) -> list[str]:
    """The risks that a queue has and does not accept, a line each."""
    return [
        f"queue {queue.name!r}: {risk.reason} (accepted_risks={[risk.name]!r} accepts it)"
        for risk in RISKS
        if risk.name not in queue.accepted_risks and risk.applies(queue, version)
    ]
