"""Rules for combinations of parameters, beyond those that the template declares.

Where one of these rules is broken, EC2 refuses the combination, the template ignores one of the
values, or the instances never become agents.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeAlias

from buildkite_agents.elastic_ci_stack import instance_types
from buildkite_agents.resolved import PARAMETERS_OF_TEMPLATE_ROLE, ResolvedQueue, ResolvedStack

_TEMPLATE = (
    "https://github.com/buildkite/elastic-ci-stack-for-aws/blob/main/templates/aws-stack.yml"
)
_EBS = "https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html"
# For each volume type: the minimum and maximum IOPS, and the maximum for each GiB.
_IOPS = {"gp3": (3000, 80000, 500), "io1": (100, 64000, 50), "io2": (100, 256000, 1000)}
_THROUGHPUT = (125, 2000)
_THROUGHPUT_OF_IOPS = 0.25
_NESTED_VIRTUALIZATION = ("c8i", "c8i-flex", "m8i", "m8i-flex", "r8i", "r8i-flex")
POLICIES_BY_DEFAULT, POLICIES_AT_MOST = 10, 25
"""The number of managed policies that a role can have: IAM's default quota, and its maximum."""


@dataclass(frozen=True)
class CombinedRule:
    """A rule for the values of several parameters."""

    parameters: Sequence[str]
    """The parameters."""

    rule: str
    """The rule, as a sentence."""

    problems: Callable[[ResolvedQueue, ResolvedStack], Iterator[str]]
    """Return a line for each problem."""

    source: str
    """The source of the rule."""


_Problems: TypeAlias = Callable[[ResolvedQueue, ResolvedStack], Iterator[str]]
COMBINED_RULES: list[CombinedRule] = []
"""All rules for combinations of parameters."""


def rule(parameters: Sequence[str], words: str, source: str) -> Callable[[_Problems], _Problems]:
    """Add a rule, whose problems the decorated function finds."""

    def add(problems: _Problems) -> _Problems:
        COMBINED_RULES.append(CombinedRule(parameters, words, problems, source))
        return problems

    return add


@rule(
    ("BuildkiteAgentToken", "BuildkiteAgentTokenParameterStorePath"),
    "One of these parameters is required.",
    _TEMPLATE,
)
def _token(queue: ResolvedQueue, stack: ResolvedStack) -> Iterator[str]:
    names = ("BuildkiteAgentTokenParameterStorePath", "BuildkiteAgentToken")
    if any(map(queue.is_given, names)):
        return
    # As the other queues do.
    of_others = [name for name in names if any(q.is_given(name) for q in stack.queues)]
    yield (
        "an agent token is required, and token is None: set "
        f"parameters={{{(of_others or names)[0]!r}: ...}}"
    )


@rule(("InstanceOperatingSystem",), "Windows is not supported.", _TEMPLATE)
def _operating_system(queue: ResolvedQueue, _stack: ResolvedStack) -> Iterator[str]:
    if queue.text("InstanceOperatingSystem") == "windows":
        yield (
            "parameters['InstanceOperatingSystem']: Windows is not supported by this program, "
            "whose bootstrap script, images and checks are for Linux"
        )


@rule(
    ("MinSize", "OnDemandBaseCapacity", "ScaleUpMinSize", "ScaleDownMinSize", "MaxSize"),
    "`MinSize` and `OnDemandBaseCapacity` must be at most `MaxSize`, and where "
    "`EnableScheduledScaling` is true, `ScaleUpMinSize` and `ScaleDownMinSize` too.",
    "https://docs.aws.amazon.com/autoscaling/ec2/userguide/asg-capacity-limits.html",
)
def _sizes(queue: ResolvedQueue, _stack: ResolvedStack) -> Iterator[str]:
    largest = queue.number("MaxSize")
    at_most = ["MinSize", "OnDemandBaseCapacity"]
    if queue.text("EnableScheduledScaling") == "true":
        at_most += ["ScaleUpMinSize", "ScaleDownMinSize"]
    for name in at_most:
        size = queue.number(name)
        if size is not None and largest is not None and size > largest:
            yield f"{queue.field(name)} must be at most max_size, got {size:g} and {largest:g}"


@rule(
    ("BuildkiteAgentCancelGracePeriod", "BuildkiteAgentSignalGracePeriod"),
    "`BuildkiteAgentCancelGracePeriod` must be greater than `BuildkiteAgentSignalGracePeriod`, "
    "unless that is -1.",
    "https://buildkite.com/docs/agent/v3/configuration#signal-grace-period-seconds",
)
def _grace_periods(queue: ResolvedQueue, _stack: ResolvedStack) -> Iterator[str]:
    # In some versions the defaults are equal.
    periods = ("BuildkiteAgentCancelGracePeriod", "BuildkiteAgentSignalGracePeriod")
    if not any(map(queue.is_given, periods)):
        return
    cancel, signal = map(queue.number, periods)
    if cancel is not None and signal not in {-1, None} and cancel <= signal:
        yield (
            f"{queue.field(periods[0])} must be greater than {periods[1]}, got {cancel:g} "
            f"and {signal:g}"
        )


@rule(
    ("RootVolumeIops", "RootVolumeType", "RootVolumeSize"),
    "`RootVolumeIops` must be 3,000 to 80,000 and at most 500 for each GiB for gp3, 100 to 64,000 "
    "and at most 50 for each GiB for io1, 100 to 256,000 and at most 1,000 for each GiB for io2.",
    _EBS,
)
def _iops(queue: ResolvedQueue, _stack: ResolvedStack) -> Iterator[str]:
    kind, size = queue.text("RootVolumeType"), queue.number("RootVolumeSize")
    iops = queue.number("RootVolumeIops")
    # The warning gp3-iops is about the default, with which stacks run.
    given = queue.is_given("RootVolumeIops") or (kind != "gp3" and queue.is_given("RootVolumeType"))
    if kind not in _IOPS or iops is None or not given:
        return
    least, most, by_gib = _IOPS[kind]
    if size is not None:
        most = max(least, min(most, int(size * by_gib)))
    if not least <= iops <= most:
        yield (
            f"{queue.field('RootVolumeIops')} must be from {least} to {most} for a {kind} volume"
            + (f" of {size:g} GiB" if size is not None else "")
            + f", got {iops:g}"
        )


@rule(
    ("RootVolumeThroughput", "RootVolumeIops"),
    "`RootVolumeThroughput` must be 125 to 2,000 MiB/s for gp3, and at most a quarter of the IOPS.",
    _EBS,
)
def _throughput(queue: ResolvedQueue, _stack: ResolvedStack) -> Iterator[str]:
    throughput, iops = queue.number("RootVolumeThroughput"), queue.number("RootVolumeIops")
    given = queue.is_given("RootVolumeThroughput")
    if queue.text("RootVolumeType") != "gp3" or throughput is None or not given:
        return
    least, most = _THROUGHPUT
    if iops is not None:
        most = max(least, min(most, int(iops * _THROUGHPUT_OF_IOPS)))
    if not least <= throughput <= most:
        yield (
            f"{queue.field('RootVolumeThroughput')} must be from {least} to {most} MiB/s "
            "for a gp3 volume"
            + (f" of {iops:g} IOPS" if iops is not None else "")
            + f", got {throughput:g}"
        )


@rule(
    ("RootVolumeName",),
    "`RootVolumeName` must be `/dev/xvda`, unless the queue has an image of your own or "
    "`LinuxDistribution` is `ubuntu2404`.",
    "https://docs.aws.amazon.com/linux/al2023/ug/ec2.html",
)
def _device(queue: ResolvedQueue, _stack: ResolvedStack) -> Iterator[str]:
    name = queue.text("RootVolumeName")
    if not name or queue.has_own_image or queue.text("LinuxDistribution") == "ubuntu2404":
        return
    if name != "/dev/xvda":
        yield (
            f"{queue.field('RootVolumeName')} must be '/dev/xvda', the root device of the stack's "
            f"own image: another name adds a second disk, got {name!a}"
        )


@rule(
    ("InstanceRoleARN", *PARAMETERS_OF_TEMPLATE_ROLE),
    "With `InstanceRoleARN`, the other parameters have no effect.",
    _TEMPLATE,
)
def _role(queue: ResolvedQueue, _stack: ResolvedStack) -> Iterator[str]:
    for name in PARAMETERS_OF_TEMPLATE_ROLE if queue.is_given("InstanceRoleARN") else ():
        if queue.is_given(name):
            yield f"{queue.field(name)} has no effect with InstanceRoleARN: set one of them"


@rule(
    ("ManagedPolicyARNs", "ECRAccessPolicy"),
    f"The instance role must have at most {POLICIES_BY_DEFAULT} managed policies, IAM's default "
    f"quota; at most {POLICIES_AT_MOST} where the warning `policy-quota` is accepted. Those that "
    "the template and this program attach are included.",
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
)
def _policies(queue: ResolvedQueue, _stack: ResolvedStack) -> Iterator[str]:
    count = policies(queue)
    name = "ManagedPolicyARN" if queue.is_given("ManagedPolicyARN") else "ManagedPolicyARNs"
    if count > POLICIES_AT_MOST:
        yield (
            f"{queue.field(name)} must be at most {POLICIES_AT_MOST} policies, "
            f"including those that the template and this program attach, got {count}"
        )
    elif count > POLICIES_BY_DEFAULT and not queue.accepts("policy-quota"):
        yield (
            f"{queue.field(name)} must be at most {POLICIES_BY_DEFAULT} policies, IAM's default "
            "quota, including those that the template and this program attach, got "
            f"{count}: where the account's quota is higher, set accepted_warnings=['policy-quota']"
        )


def policies(queue: ResolvedQueue) -> int:
    """The number of managed policies of the instances' role, the template's own included."""
    given = queue.value("ManagedPolicyARNs") or queue.value("ManagedPolicyARN") or ""
    own = 0 if queue.text("ECRAccessPolicy") in {"none", None} else 1
    return own + sum(1 for arn in str(given).split(",") if arn)


@rule(
    ("PipelineSigningKMSKeyId", "PipelineSigningKMSKeySpec"),
    "With `PipelineSigningKMSKeyId`, `PipelineSigningKMSKeySpec` must be `none`.",
    _TEMPLATE,
)
def _signing_key(queue: ResolvedQueue, _stack: ResolvedStack) -> Iterator[str]:
    spec = queue.text("PipelineSigningKMSKeySpec")
    if queue.text("PipelineSigningKMSKeyId") and spec not in {None, "none"}:
        yield (
            f"{queue.field('PipelineSigningKMSKeySpec')} must be 'none' where "
            f"PipelineSigningKMSKeyId is given, got {spec!a}"
        )


@rule(
    (
        "VpcId",
        "Subnets",
        "SecurityGroupIds",
        "AssociatePublicIpAddress",
        "EnableVpcEndpoints",
    ),
    "`VpcId` and `Subnets` must be set together, and `SecurityGroupIds` requires both. Without "
    "them the stack creates a VPC, in which `AssociatePublicIpAddress` must be true; "
    "`EnableVpcEndpoints` has an effect only there.",
    _TEMPLATE,
)
def _network(queue: ResolvedQueue, _stack: ResolvedStack) -> Iterator[str]:
    for given, missing in (("VpcId", "Subnets"), ("Subnets", "VpcId")):
        if queue.is_given(given) and not queue.is_given(missing):
            yield (
                f"{queue.field(missing)} is required where {given} is given: set network, or both "
                "parameters"
            )
    if queue.is_certain("VpcId") and queue.text("EnableVpcEndpoints") == "true":
        yield (
            f"{queue.field('EnableVpcEndpoints')} has no effect in an existing VPC: leave out "
            "VpcId, or EnableVpcEndpoints"
        )
    if queue.is_given("VpcId"):
        return
    groups = "SecurityGroupIds"
    if queue.is_given(groups):
        yield f"{queue.field(groups)} must belong to the VPC, and none is set: set network"
    if queue.text("AssociatePublicIpAddress") == "false":
        yield (
            f"{queue.field('AssociatePublicIpAddress')} must be true where the stack creates its "
            "own VPC, which has no NAT: without public addresses, instances cannot reach the "
            "internet"
        )


@rule(("ImageId", "ImageIdParameter"), "Only one of these parameters can be set.", _TEMPLATE)
def _images(queue: ResolvedQueue, _stack: ResolvedStack) -> Iterator[str]:
    if queue.is_certain("ImageId") and queue.is_given("ImageIdParameter"):
        yield f"{queue.field('ImageIdParameter')} has no effect with ImageId: set one of them"


@rule(
    ("InstanceTypes", "NestedVirtualizationEnabled"),
    "The family a1 requires an image of your own from v6.0.0 on. `NestedVirtualizationEnabled` "
    f"requires one of the families {', '.join(_NESTED_VIRTUALIZATION)}.",
    "https://docs.aws.amazon.com/linux/al2023/ug/system-requirements.html",
)
def _families(queue: ResolvedQueue, _stack: ResolvedStack) -> Iterator[str]:
    for name in queue.instance_types:
        family = instance_types.family(name)
        if family == "a1" and not queue.has_own_image and queue.version.is_at_least("v6.0.0"):
            yield (
                f"{queue.field('InstanceTypes')}: {name!a} cannot run Amazon Linux 2023: choose "
                "another family, or set an image of your own"
            )
        nested = queue.text("NestedVirtualizationEnabled") == "true"
        if nested and family not in _NESTED_VIRTUALIZATION:
            yield (
                f"{queue.field('NestedVirtualizationEnabled')} requires instance types of the "
                f"families {', '.join(_NESTED_VIRTUALIZATION)}, got {name!a}"
            )


@rule(
    ("DockerFixedCidrV4", "DockerIPv4AddressPool1"),
    "`DockerFixedCidrV4` must be within `DockerIPv4AddressPool1`.",
    "https://docs.docker.com/engine/network/drivers/bridge/",
)
def _docker(queue: ResolvedQueue, _stack: ResolvedStack) -> Iterator[str]:
    pool, bridge = queue.text("DockerIPv4AddressPool1"), queue.text("DockerFixedCidrV4")
    if not pool or not bridge:
        return
    import ipaddress

    outer = ipaddress.IPv4Network(pool, strict=False)
    if not ipaddress.IPv4Network(bridge, strict=False).subnet_of(outer):
        yield (
            f"{queue.field('DockerFixedCidrV4')} must be within DockerIPv4AddressPool1, {pool}, "
            f"got {bridge!a}"
        )


@rule(
    ("AgentEnvFileUrl",),
    "A URL that starts with `ssm:` requires a role with `ssm:GetParametersByPath`.",
    "https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html",
)
def _env_file(queue: ResolvedQueue, _stack: ResolvedStack) -> Iterator[str]:
    actions, needed = queue.role_actions, "ssm:getparametersbypath"
    if (
        (queue.text("AgentEnvFileUrl") or "").startswith("ssm:")
        and actions is not None
        and not any(fnmatchcase(needed, pattern.lower()) for pattern in actions)
    ):
        yield (
            f"{queue.field('AgentEnvFileUrl')}: the instances' role cannot read parameters: permit "
            "ssm:GetParametersByPath by AgentAccess(statements=[...])"
        )
