"""Rules for combinations of parameters, beyond those that the template declares.

Where one of these rules is broken, EC2 refuses the combination, the template ignores one of the
values, or the instances never become agents.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from buildkite_agents.checks.values import Values
from buildkite_agents.elastic_ci_stack import instance_types
from buildkite_agents.stack_parameters import FIELDS, OF_THE_TEMPLATES_ROLE

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

    problems: Callable[[Values], Iterator[str]]
    """Return a line for each problem."""

    source: str
    """The source of the rule."""


def named(parameter: str) -> str:
    """The name of a parameter in a problem: its field, if it has one."""
    return FIELDS.get(parameter, f"parameters[{parameter!r}]")


def _token(values: Values) -> Iterator[str]:
    if not any(
        values.is_given(name)
        for name in ("BuildkiteAgentToken", "BuildkiteAgentTokenParameterStorePath")
    ):
        yield (
            "an agent token is required, and token is None: set "
            "parameters={'BuildkiteAgentTokenParameterStorePath': ...}"
        )


def _operating_system(values: Values) -> Iterator[str]:
    if values.text("InstanceOperatingSystem") == "windows":
        yield (
            "parameters['InstanceOperatingSystem']: Windows is not supported by this program, "
            "whose bootstrap script, images and checks are for Linux"
        )


def _sizes(values: Values) -> Iterator[str]:
    largest = values.number("MaxSize")
    at_most = ["MinSize", "OnDemandBaseCapacity"]
    if values.text("EnableScheduledScaling") == "true":
        at_most += ["ScaleUpMinSize", "ScaleDownMinSize"]
    for name in at_most:
        size = values.number(name)
        if size is not None and largest is not None and size > largest:
            yield f"{named(name)} must be at most max_size, got {size:g} and {largest:g}"


def _grace_periods(values: Values) -> Iterator[str]:
    # In some versions the defaults are equal.
    periods = ("BuildkiteAgentCancelGracePeriod", "BuildkiteAgentSignalGracePeriod")
    if not any(map(values.is_given, periods)):
        return
    cancel, signal = map(values.number, periods)
    if cancel is not None and signal not in {-1, None} and cancel <= signal:
        yield (
            f"{named(periods[0])} must be greater than {periods[1]}, got {cancel:g} and {signal:g}"
        )


def _iops(values: Values) -> Iterator[str]:
    kind, size = values.text("RootVolumeType"), values.number("RootVolumeSize")
    iops = values.number("RootVolumeIops")
    given = values.is_given("RootVolumeIops") or values.is_given("RootVolumeType")
    if kind not in _IOPS or iops is None or not given:
        return
    least, most, by_gib = _IOPS[kind]
    if size is not None:
        most = max(least, min(most, int(size * by_gib)))
    if not least <= iops <= most:
        yield (
            f"{named('RootVolumeIops')} must be from {least} to {most} for a {kind} volume"
            + (f" of {size:g} GiB" if size is not None else "")
            + f", got {iops:g}"
        )


def _throughput(values: Values) -> Iterator[str]:
    throughput, iops = values.number("RootVolumeThroughput"), values.number("RootVolumeIops")
    given = values.is_given("RootVolumeThroughput")
    if values.text("RootVolumeType") != "gp3" or throughput is None or not given:
        return
    least, most = _THROUGHPUT
    if iops is not None:
        most = max(least, min(most, int(iops * _THROUGHPUT_OF_IOPS)))
    if not least <= throughput <= most:
        yield (
            f"{named('RootVolumeThroughput')} must be from {least} to {most} MiB/s for a gp3 volume"
            + (f" of {iops:g} IOPS" if iops is not None else "")
            + f", got {throughput:g}"
        )


def _device(values: Values) -> Iterator[str]:
    name = values.text("RootVolumeName")
    own_image = values.is_certain("ImageId") or values.is_certain("ImageIdParameter")
    if not name or own_image or values.text("LinuxDistribution") == "ubuntu2404":
        return
    if name != "/dev/xvda":
        yield (
            f"{named('RootVolumeName')} must be '/dev/xvda', the root device of the stack's own "
            f"image: another name adds a second disk, got {name!r}"
        )


def _role(values: Values) -> Iterator[str]:
    for name in OF_THE_TEMPLATES_ROLE if values.is_given("InstanceRoleARN") else ():
        if values.is_given(name):
            yield f"{named(name)} has no effect with InstanceRoleARN: set one of them"


def _policies(values: Values) -> Iterator[str]:
    count = policies(values)
    if count > POLICIES_AT_MOST:
        yield (
            f"{named('ManagedPolicyARNs')} must be at most {POLICIES_AT_MOST} policies, "
            f"including those that the template and this program attach, got {count}"
        )
    elif count > POLICIES_BY_DEFAULT and not values.accepts("policy-quota"):
        yield (
            f"{named('ManagedPolicyARNs')} must be at most {POLICIES_BY_DEFAULT} policies, IAM's "
            "default quota, including those that the template and this program attach, got "
            f"{count}: where the account's quota is higher, set accepted_risks=['policy-quota']"
        )


def policies(values: Values) -> int:
    """The number of managed policies of the instances' role, the template's own included."""
    given = values.raw("ManagedPolicyARNs") or values.raw("ManagedPolicyARN") or ""
    own = 0 if values.text("ECRAccessPolicy") in {"none", None} else 1
    return own + sum(1 for arn in str(given).split(",") if arn)


def _signing_key(values: Values) -> Iterator[str]:
    spec = values.text("PipelineSigningKMSKeySpec")
    if values.text("PipelineSigningKMSKeyId") and spec not in {None, "none"}:
        yield (
            f"{named('PipelineSigningKMSKeySpec')} must be 'none' where PipelineSigningKMSKeyId "
            f"is given, got {spec!r}"
        )


def _network(values: Values) -> Iterator[str]:
    for given, missing in (("VpcId", "Subnets"), ("Subnets", "VpcId")):
        if values.is_given(given) and not values.is_given(missing):
            yield (
                f"{named(missing)} is required where {given} is given: set network, or both "
                "parameters"
            )
    if values.is_certain("VpcId") and values.text("EnableVpcEndpoints") == "true":
        yield (
            f"{named('EnableVpcEndpoints')} has no effect in an existing VPC: leave out VpcId, "
            "or EnableVpcEndpoints"
        )
    if values.is_given("VpcId"):
        return
    groups = "SecurityGroupIds"
    if values.is_given(groups):
        yield f"{named(groups)} must be of the VPC that is given, and none is: set network"
    if values.text("AssociatePublicIpAddress") == "false":
        yield (
            f"{named('AssociatePublicIpAddress')} must be true where the stack makes its own VPC, "
            "which has no NAT: without public addresses, instances cannot reach the internet"
        )


def _images(values: Values) -> Iterator[str]:
    if values.is_certain("ImageId") and values.is_given("ImageIdParameter"):
        yield f"{named('ImageIdParameter')} has no effect with ImageId: set one of them"


def _families(values: Values) -> Iterator[str]:
    given = values.text("InstanceTypes") or values.text("InstanceType")
    types = [name for name in (given or "").split(",") if name]
    own_image = values.is_certain("ImageId") or values.is_certain("ImageIdParameter")
    for name in types:
        family = instance_types.family(name)
        if family == "a1" and not own_image and values.version >= "v6":
            yield f"{named('InstanceTypes')}: {name!r} cannot run Amazon Linux 2023"
        nested = values.text("NestedVirtualizationEnabled") == "true"
        if nested and family not in _NESTED_VIRTUALIZATION:
            yield (
                f"{named('NestedVirtualizationEnabled')} needs instance types of the families "
                f"{', '.join(_NESTED_VIRTUALIZATION)}, got {name!r}"
            )


def _docker(values: Values) -> Iterator[str]:
    pool, bridge = values.text("DockerIPv4AddressPool1"), values.text("DockerFixedCidrV4")
    if not pool or not bridge:
        return
    import ipaddress

    outer = ipaddress.IPv4Network(pool, strict=False)
    if not ipaddress.IPv4Network(bridge, strict=False).subnet_of(outer):
        yield (
            f"{named('DockerFixedCidrV4')} must be within DockerIPv4AddressPool1, {pool}, "
            f"got {bridge!r}"
        )


def _env_file(values: Values) -> Iterator[str]:
    if (values.text("AgentEnvFileUrl") or "").startswith("ssm:") and values.may(
        "ssm:GetParametersByPath"
    ) is False:
        yield (
            f"{named('AgentEnvFileUrl')}: the instances' role cannot read parameters: permit "
            "ssm:GetParametersByPath by AgentAccess(statements=[...])"
        )


def _distribution(values: Values) -> Iterator[str]:
    if values.text("LinuxDistribution") == "ubuntu2404" and values.script_needs_dnf:
        yield (
            f"{named('LinuxDistribution')} must be 'amazonlinux2023' with this bootstrap script, "
            "which runs dnf: set another bootstrap_script, or None"
        )


COMBINED_RULES: Sequence[CombinedRule] = (
    CombinedRule(
        ("BuildkiteAgentToken", "BuildkiteAgentTokenParameterStorePath"),
        "A token, or the parameter that has it, is required.",
        _token,
        _TEMPLATE,
    ),
    CombinedRule(
        ("InstanceOperatingSystem",), "Windows is not supported.", _operating_system, _TEMPLATE
    ),
    CombinedRule(
        ("MinSize", "OnDemandBaseCapacity", "ScaleUpMinSize", "ScaleDownMinSize", "MaxSize"),
        "At most `MaxSize`; those of schedules where `EnableScheduledScaling` is true.",
        _sizes,
        "https://docs.aws.amazon.com/autoscaling/ec2/userguide/asg-capacity-limits.html",
    ),
    CombinedRule(
        ("BuildkiteAgentCancelGracePeriod", "BuildkiteAgentSignalGracePeriod"),
        "The first is greater than the second, unless that is -1.",
        _grace_periods,
        "https://buildkite.com/docs/agent/v3/configuration#signal-grace-period-seconds",
    ),
    CombinedRule(
        ("RootVolumeIops", "RootVolumeType", "RootVolumeSize"),
        "gp3: 3,000 to 80,000 IOPS, at most 500 a GiB. io1: 100 to 64,000, at most 50 a GiB. "
        "io2: 100 to 256,000, at most 1,000 a GiB.",
        _iops,
        _EBS,
    ),
    CombinedRule(
        ("RootVolumeThroughput", "RootVolumeIops"),
        "gp3: 125 to 2,000 MiB/s, at most a quarter of the IOPS.",
        _throughput,
        _EBS,
    ),
    CombinedRule(
        ("RootVolumeName",),
        "`/dev/xvda`, unless there is an image of your own or the distribution is Ubuntu.",
        _device,
        "https://docs.aws.amazon.com/linux/al2023/ug/ec2.html",
    ),
    CombinedRule(
        ("InstanceRoleARN", *OF_THE_TEMPLATES_ROLE),
        "The others have no effect with the first.",
        _role,
        _TEMPLATE,
    ),
    CombinedRule(
        ("ManagedPolicyARNs", "ECRAccessPolicy"),
        f"At most {POLICIES_BY_DEFAULT} policies in all, which is IAM's default quota; at most "
        f"{POLICIES_AT_MOST} where `policy-quota` is accepted.",
        _policies,
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
    ),
    CombinedRule(
        ("PipelineSigningKMSKeyId", "PipelineSigningKMSKeySpec"),
        "With a key, the specification is `none`.",
        _signing_key,
        _TEMPLATE,
    ),
    CombinedRule(
        (
            "VpcId",
            "Subnets",
            "SecurityGroupIds",
            "AssociatePublicIpAddress",
            "EnableVpcEndpoints",
        ),
        "A VPC needs subnets, and subnets and security groups need a VPC. In the stack's own VPC "
        "instances need public addresses; VPC endpoints are made only there.",
        _network,
        _TEMPLATE,
    ),
    CombinedRule(("ImageId", "ImageIdParameter"), "One of them.", _images, _TEMPLATE),
    CombinedRule(
        ("InstanceTypes", "NestedVirtualizationEnabled"),
        "No a1 since v6.0.0 without an image of your own. Nested virtualization needs "
        f"{', '.join(_NESTED_VIRTUALIZATION)}.",
        _families,
        "https://docs.aws.amazon.com/linux/al2023/ug/system-requirements.html",
    ),
    CombinedRule(
        ("DockerFixedCidrV4", "DockerIPv4AddressPool1"),
        "The first is within the second.",
        _docker,
        "https://docs.docker.com/engine/network/drivers/bridge/",
    ),
    CombinedRule(
        ("AgentEnvFileUrl",),
        "`ssm:` requires a role that can read parameters by path.",
        _env_file,
        "https://docs.aws.amazon.com/systems-manager/latest/APIReference/"
        "API_GetParametersByPath.html",
    ),
    CombinedRule(
        ("LinuxDistribution",),
        "`ubuntu2404` requires a bootstrap script without dnf.",
        _distribution,
        _TEMPLATE,
    ),
)
"""All rules for combinations of parameters."""
