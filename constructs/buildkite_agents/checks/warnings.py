"""Warnings: valid settings that are often a mistake."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from buildkite_agents.checks.combinations import POLICIES_BY_DEFAULT, policies
from buildkite_agents.elastic_ci_stack import instance_types
from buildkite_agents.elastic_ci_stack.stacks import role_actions
from buildkite_agents.resolved import ResolvedQueue, ResolvedStack

GUIDE = "docs/configuration.md"
"""The document that explains each warning, under its name."""

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-performance-instances.html
_STANDARD_BY_DEFAULT = {"t2"}
_BURSTABLE = {"t2", "t3", "t3a", "t4g"}
_GP3_LEAST_IOPS = 3000

_SWITCHES: dict[tuple[str, str], tuple[str, ...]] = {
    ("EnableScheduledScaling", "true"): (
        "ScaleDownMinSize",
        "ScaleDownSchedule",
        "ScaleUpMinSize",
        "ScaleUpSchedule",
        "ScheduleTimezone",
    ),
    ("EnableEC2LogRetentionPolicy", "true"): ("EC2LogRetentionDays",),
    ("ExperimentalEnableResourceLimits", "true"): (
        "ResourceLimitsCPUQuota",
        "ResourceLimitsCPUWeight",
        "ResourceLimitsIOWeight",
        "ResourceLimitsMemoryHigh",
        "ResourceLimitsMemoryMax",
        "ResourceLimitsMemorySwapMax",
    ),
    ("EnableCostAllocationTags", "true"): ("CostAllocationTagName", "CostAllocationTagValue"),
    ("DockerNetworkingProtocol", "dualstack"): ("DockerFixedCidrV6", "DockerIPv6AddressPool"),
    ("BuildkiteAgentEnableGitMirrors", "true"): ("GitMirrorSeedBucket",),
    ("RootVolumeType", "gp3"): ("RootVolumeThroughput",),
    ("WarmPoolEnabled", "true"): (
        "WarmPoolBootstrapTimeout",
        "WarmPoolMaxGroupPreparedCapacity",
        "WarmPoolMinSize",
        "WarmPoolState",
    ),
}
"""The parameters that have no effect unless another parameter has a certain value."""

_NEEDS = {"ArtifactsBucketRegion": "ArtifactsBucket", "ArtifactsS3ACL": "ArtifactsBucket"}
"""The parameters that have no effect without another parameter."""


@dataclass(frozen=True)
class QueueWarning:
    """A valid setting that is often a mistake."""

    name: str
    """The name, for a queue's ``accepted_warnings``."""

    found: Callable[[ResolvedQueue, ResolvedStack], str | None]
    """Return the warning for a queue, or None where it does not apply."""

    explanation: str
    """The consequences, and what to do."""


_Found: TypeAlias = Callable[[ResolvedQueue, ResolvedStack], str | None]
WARNINGS: list[QueueWarning] = []
"""All warnings."""


def warning(name: str, explanation: str) -> Callable[[_Found], _Found]:
    """Add a warning, which the decorated function finds."""

    def add(found: _Found) -> _Found:
        WARNINGS.append(QueueWarning(name, found, explanation))
        return found

    return add


@warning(
    "always-on",
    "Instances run and incur costs without jobs, because of `min_size`, `InstanceBuffer` or a "
    "schedule. An instance that was idle for `idle_minutes` terminates all the same, and its group "
    "starts another one.",
)
def _always_on(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    if (queue.number("MinSize") or 0) > 0:
        return (
            "min_size above 0 keeps instances running at all times, at their full cost, and the "
            "stack replaces an idle one after each idle_minutes"
        )
    if (queue.number("InstanceBuffer") or 0) > 0:
        return "InstanceBuffer above 0 keeps idle instances running"
    scheduled = queue.text("EnableScheduledScaling") == "true"
    if scheduled and any(
        (queue.number(name) or 0) > 0 for name in ("ScaleUpMinSize", "ScaleDownMinSize")
    ):
        return "EnableScheduledScaling keeps instances running without jobs, at their full cost"
    return None


@warning(
    "never-terminates",
    "With `idle_minutes=0` (`ScaleInIdlePeriod`), an instance that has started never "
    "terminates: the number of instances only grows, up to `max_size`.",
)
def _never_terminates(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    if queue.number("ScaleInIdlePeriod") != 0 or queue.number("MaxSize") == 0:
        return None
    return "idle_minutes=0: instances never terminate, and incur their full cost until replaced"


@warning(
    "warm-pool",
    "Instances in a warm pool incur costs without jobs: stopped ones for their volumes, "
    "running ones "
    "in full. `WarmPoolMaxGroupPreparedCapacity` of -1 is as many as `max_size`. The bootstrap "
    "script runs when an instance enters the pool: the agent token and other files that it fetches "
    "are as old as that.",
)
def _warm_pool(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    if queue.text("WarmPoolEnabled") != "true":
        return None
    prepared = queue.number("WarmPoolMaxGroupPreparedCapacity")
    unlimited = prepared is None or prepared < 0
    count = queue.shown("MaxSize") if unlimited else f"{prepared:g}"
    state = (queue.text("WarmPoolState") or "Stopped").lower()
    cost = "at their full cost" if state == "running" else "at the cost of their volumes"
    return (
        f"the warm pool keeps up to {count} {state} instances without jobs, {cost}; the "
        "agent token "
        "and what the bootstrap script fetches date from the time when an instance enters the pool"
    )


@warning(
    "fixed-size",
    "With `min_size` equal to `max_size` the size is fixed: the stack has no scaler.",
)
def _fixed_size(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    least, most = queue.number("MinSize"), queue.number("MaxSize")
    if least is None or least != most or most == 0:
        return None
    return "min_size equal to max_size makes the size fixed: the stack has no scaler"


@warning(
    "own-role",
    "With `InstanceRoleARN` the stack creates no role, and the agents' policy is not attached. "
    "The existing role must permit what agents need: the token, the secrets bucket, logs.",
)
def _own_role(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    if not queue.is_given("InstanceRoleARN"):
        return None
    also = "".join(
        f", and {action} {where}" for action, where in role_actions(queue.version.version).items()
    )
    return (
        "InstanceRoleARN replaces the stack's role and the agents' policy: that role must permit "
        f"what agents need, such as access to the token and the secrets bucket{also}"
    )


@warning(
    "shared-instance",
    "Jobs on one instance disturb each other's measurements, and all agents of an instance "
    "stop with it.",
)
def _shared_instance(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    if (queue.number("AgentsPerInstance") or 1) <= 1:
        return None
    return (
        "agents_per_instance above 1: jobs disturb each other's measurements, and all agents of an "
        "instance stop with it"
    )


@warning(
    "spot",
    "EC2 interrupts Spot Instances with two minutes' notice, and running benchmarks are lost.",
)
def _spot(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    percentage = queue.number("OnDemandPercentage")
    if percentage is None or percentage >= 100:
        return None
    return (
        "on_demand_percentage below 100 uses Spot Instances, which EC2 can interrupt during a job"
    )


@warning(
    "burstable",
    "Without unlimited credits, a t2, t3, t3a or t4g instance is throttled to a share of its "
    "CPU once its credits are used up. The template sets unlimited credits since v6.41.2; "
    "before, EC2's default applies, which is limited credits for t2 only.",
)
def _burstable(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    families = {instance_types.family(one) for one in queue.instance_types}
    mode = queue.text("CpuCredits")
    if mode is None and not queue.is_given("CpuCredits"):
        # The template sets no credit specification, so EC2's default applies.
        limited = families & _STANDARD_BY_DEFAULT
        advice = f"choose another instance type than {queue.shown('InstanceTypes')}"
    else:
        limited = families & _BURSTABLE if mode == "standard" else set()
        advice = "set parameters={'CpuCredits': 'unlimited'}"
    if not limited:
        return None
    return f"a burstable instance type is throttled once its CPU credits are used up: {advice}"


@warning(
    "gp3-iops",
    "Some versions request fewer IOPS by default than the 3,000 that each gp3 volume has.",
)
def _gp3_iops(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    iops = queue.number("RootVolumeIops")
    is_default = queue.text("RootVolumeType") == "gp3" and not queue.is_given("RootVolumeIops")
    if not is_default or iops is None or iops >= _GP3_LEAST_IOPS:
        return None
    return (
        f"RootVolumeIops defaults to {iops:g} in {queue.version.version}, below EC2's minimum of "
        f"{_GP3_LEAST_IOPS} for a gp3 volume: set parameters={{'RootVolumeIops': 3000}}"
    )


def without_effect(queue: ResolvedQueue) -> dict[str, str]:
    """The explicit parameters of a queue that have no effect, and why."""
    idle: dict[str, str] = {}
    for (switch, on), names in _SWITCHES.items():
        if queue.text(switch) not in {on, None}:
            idle |= dict.fromkeys(names, f"unless {switch} is {on!a}")
    idle |= {
        name: f"without {needed}" for name, needed in _NEEDS.items() if not queue.is_given(needed)
    }
    idle["InstanceName"] = "beside the stack's own tag Name"
    if queue.is_certain("VpcId"):
        idle["AvailabilityZones"] = "in an existing VPC"
    return {name: why for name, why in idle.items() if queue.is_explicit(name)}


@warning(
    "no-effect",
    "A parameter is set without another parameter that it requires.",
)
def _no_effect(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    names: dict[str, list[str]] = {}
    for name, why in without_effect(queue).items():
        names.setdefault(why, []).append(name)
    if queue.text("SecretsBucketEncryption") == "true" and queue.is_given("SecretsBucket"):
        names["on a SecretsBucket that the stack does not create"] = ["SecretsBucketEncryption"]
    lines = [
        f"{' and '.join(idle)} {'have' if len(idle) > 1 else 'has'} no effect {why}"
        for why, idle in names.items()
    ]
    return "; ".join(lines) or None


def _cpu_quota(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    quota = (queue.text("ResourceLimitsCPUQuota") or "").removesuffix("%")
    limited = queue.text("ExperimentalEnableResourceLimits") == "true"
    if not limited or not quota.isdigit() or int(quota) >= 100:
        return None
    return (
        f"ResourceLimitsCPUQuota {quota}% is less than one CPU: systemd counts 100% for each CPU "
        "of the instance"
    )


@warning(
    "open-ssh",
    "With `KeyName` or `AuthorizedUsersUrl`, and no security group of your own, the template "
    "opens port 22 to 0.0.0.0/0. Session Manager needs no open port.",
)
def _open_ssh(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    opened = [name for name in ("KeyName", "AuthorizedUsersUrl") if queue.is_given(name)]
    if not opened or queue.is_given("SecurityGroupIds") or queue.is_given("SecurityGroupId"):
        return None
    return (
        f"{' and '.join(opened)} opens port 22 to the internet: set "
        "SecurityGroupIds, or use Session Manager"
    )


@warning(
    "one-subnet",
    "All instances are in one Availability Zone. The template's description requires two "
    "subnets, but nothing enforces it.",
)
def _one_subnet(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    subnets = queue.text("Subnets")
    if not subnets or "," in subnets:
        return None
    return "only one subnet: if its Availability Zone lacks capacity, no instance starts"


@warning(
    "policy-quota",
    "IAM's default quota is ten managed policies for a role; a higher one must be requested.",
)
def _policy_quota(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    if policies(queue) <= POLICIES_BY_DEFAULT:
        return None
    return (
        f"more than {POLICIES_BY_DEFAULT} managed policies require a higher quota for the account"
    )


def warnings_of(queue: ResolvedQueue, stack: ResolvedStack) -> list[str]:
    """The warnings for a queue that are not accepted, and the accepted ones that do not apply."""
    return [f"queue {queue.name!a}: {line}" for line in _lines(queue, stack)]


def _lines(queue: ResolvedQueue, stack: ResolvedStack) -> Iterator[str]:
    for each in WARNINGS:
        found = each.found(queue, stack)
        accepted = queue.accepts(each.name)
        if found and not accepted:
            yield (
                f"{found} (accepted_warnings=[{each.name!a}] accepts it; see {GUIDE}#{each.name})"
            )
        elif accepted and not found:
            yield f"accepted_warnings has {each.name!a}, which does not apply: remove it"
