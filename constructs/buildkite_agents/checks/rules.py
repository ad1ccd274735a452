"""Rules for the value of a parameter, beyond those that the template declares.

CloudFormation accepts a value that breaks one of these rules, and a service behind it then fails
or interprets it differently. docs/configuration.md lists the rules.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from buildkite_agents import patterns
from buildkite_agents.resolved import number

_TEMPLATES = "https://github.com/buildkite/elastic-ci-stack-for-aws/blob/main/templates"
_PACKER = "https://github.com/buildkite/elastic-ci-stack-for-aws/tree/main/packer/linux"
_SCALER = "https://github.com/buildkite/buildkite-agent-scaler"
_EC2 = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference"
_AUTO_SCALING = "https://docs.aws.amazon.com/autoscaling/ec2/userguide"


@dataclass(frozen=True)
class Rule:
    """A rule for the value of one or more parameters."""

    parameters: Sequence[str]
    """The parameters."""

    must: str
    """The requirement, in words that follow "must"."""

    holds: Callable[[str], bool]
    """Whether a value meets the requirement."""

    source: str
    """The source of the rule."""


def _matches(pattern: str) -> Callable[[str], bool]:
    # Compiled on first use, because most parameters are not set.
    return lambda text: re.fullmatch(pattern, text, re.ASCII) is not None


def _list_of(pattern: str) -> Callable[[str], bool]:
    return _matches(rf"{pattern}(,{pattern})*")


def _unique_list_of(pattern: str) -> Callable[[str], bool]:
    matches = _list_of(pattern)
    return lambda text: matches(text) and len(set(text.split(","))) == text.count(",") + 1


def _whole_from(least: int) -> Callable[[str], bool]:
    return lambda text: re.fullmatch(r"[0-9]+(\.0+)?", text) is not None and float(text) >= least


def _network_larger_than(piece: int) -> Callable[[str], bool]:
    def holds(text: str) -> bool:
        import ipaddress

        try:
            return ipaddress.ip_network(text, strict=False).prefixlen < piece
        except ValueError:
            return False

    return holds


def duration_seconds(text: str) -> int | None:
    """The seconds of an ISO 8601 duration of hours, minutes and seconds; None if it is not one."""
    parts = re.fullmatch(r"PT(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)S)?", text, re.ASCII)
    if parts is None or text == "PT":
        return None
    hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return hours * 3600 + minutes * 60 + seconds


def _iso_duration_of_at_most_12_hours(text: str) -> bool:
    seconds = duration_seconds(text)
    return seconds is not None and 0 < seconds <= 12 * 3600


def _cron(text: str) -> bool:
    fields = text.split(" ")
    return len(fields) == len(_CRON) and all(
        re.fullmatch(pattern, field.upper()) and _ranges_ascend(field)
        for pattern, field in zip(_CRON, fields, strict=True)
    )


def _ranges_ascend(field: str) -> bool:
    ranges = re.findall(r"([0-9]+)-([0-9]+)", field)
    return all(int(first) <= int(last) for first, last in ranges)


def _cron_field(value: str) -> str:
    item = rf"(\*|({value})(-({value}))?)(/[1-9][0-9]?)?"
    return rf"{item}(,{item})*"


_CRON = (
    _cron_field("[0-5]?[0-9]"),
    _cron_field("[01]?[0-9]|2[0-3]"),
    _cron_field("0?[1-9]|[12][0-9]|3[01]"),
    _cron_field("0?[1-9]|1[0-2]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC"),
    _cron_field("[0-7]|SUN|MON|TUE|WED|THU|FRI|SAT"),
)


@cache
def _time_zones() -> frozenset[str]:
    # Not those of the system, which differ between machines.
    return frozenset(files("tzdata").joinpath("zones").read_text().split())


def _has_unique_tags(text: str) -> bool:
    keys = [pair.partition("=")[0].strip().lower() for pair in text.split(",")]
    return len(set(keys)) == len(keys) and not any(key.startswith("aws:") for key in keys)


_URL_CHARACTERS = r"[A-Za-z0-9._~:/?#@!%+=\[\]-]"
_GO_DURATION = r"(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|ms|s|m|h))+)"
# The tags that the template itself sets on instances, volumes and roles.
_TEMPLATES_TAGS = ("Name", "Role", "BuildkiteAgentRelease", "BuildkiteQueue")

RULES: Sequence[Rule] = (
    Rule(
        ("AgentEnvFileUrl",),
        "be an s3:// or https:// URL or ssm: and a path, without spaces, quotes and the characters "
        "& ; ( ) < > | * $ , as the instance's shell reads it unquoted",
        _matches(rf"(s3://|https?://|file://|ssm:){_URL_CHARACTERS}+"),
        f"{_TEMPLATES}/aws-stack.yml",
    ),
    Rule(
        ("BootstrapScriptUrl", "AuthorizedUsersUrl"),
        "be an s3://, https:// or file:// URL without spaces and quotes",
        _matches(r"(s3://|https?://|file://)[^\s\"'$`\\]+"),
        f"{_TEMPLATES}/aws-stack.yml",
    ),
    Rule(
        ("AgentEndpoint",),
        "be an https:// URL",
        _matches(rf"https?://{_URL_CHARACTERS}+"),
        "https://buildkite.com/docs/agent/v3/configuration#endpoint",
    ),
    Rule(
        ("SecurityGroupIds", "SecurityGroupId"),
        "be different ids such as sg-0123456789abcdef0, joined by commas without spaces",
        _unique_list_of(patterns.SECURITY_GROUP_ID),
        f"{_EC2}/API_LaunchTemplateInstanceNetworkInterfaceSpecificationRequest.html",
    ),
    Rule(
        ("Subnets",),
        "be different ids such as subnet-0123456789abcdef0, joined by commas without spaces",
        _unique_list_of(patterns.SUBNET_ID),
        "https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html",
    ),
    Rule(
        ("VpcId",),
        "be an id such as vpc-0123456789abcdef0",
        _matches(patterns.VPC_ID),
        f"{_EC2}/API_Vpc.html",
    ),
    Rule(
        ("AvailabilityZones",),
        "be two or more different zones such as us-east-1a, joined by commas without spaces",
        lambda text: _unique_list_of(patterns.AVAILABILITY_ZONE)(text) and text.count(",") > 0,
        f"{_TEMPLATES}/aws-stack.yml",
    ),
    Rule(
        ("ImageId",),
        "be an id such as ami-0123456789abcdef0",
        _matches(patterns.IMAGE_ID),
        f"{_EC2}/API_Image.html",
    ),
    Rule(
        ("ManagedPolicyARNs", "ManagedPolicyARN", "ScalerManagedPolicyARNs"),
        "be different ARNs of IAM policies, joined by commas without spaces",
        _unique_list_of(patterns.arn("iam", r"policy/[^\s,\"]+")),
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html",
    ),
    Rule(
        ("InstanceRolePermissionsBoundaryARN",),
        "be the ARN of an IAM policy",
        _matches(patterns.arn("iam", r"policy/[^\s,\"]+")),
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html",
    ),
    Rule(
        ("InstanceRoleTags",),
        "have different keys, compared without regard to case, that do not start with aws:",
        _has_unique_tags,
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html",
    ),
    Rule(
        ("CostAllocationTagName",),
        f"be a tag key that is not reserved (aws:) and not one of {', '.join(_TEMPLATES_TAGS)}, "
        "which the template sets itself",
        lambda text: (
            re.fullmatch(r"[\w .:/=+@-]{1,128}", text) is not None
            and not text.lower().startswith("aws:")
            and text not in _TEMPLATES_TAGS
        ),
        f"{_EC2}/API_Tag.html",
    ),
    Rule(
        ("ScalerMinPollInterval", "ScalerEventScheduleJitter"),
        "be a duration with its unit, such as 10s or 1m30s",
        _matches(_GO_DURATION),
        _SCALER,
    ),
    Rule(
        ("ScalerEventSchedulePeriod",),
        "be minutes, hours or days, such as '1 minute' or '5 minutes'",
        _matches(r"1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days)"),
        "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rate-expressions.html",
    ),
    Rule(("InstanceBuffer",), "be a whole number, 0 or greater", _whole_from(0), _SCALER),
    Rule(
        ("ScaleInIdlePeriod", "ScaleInCooldownPeriod", "ScaleOutCooldownPeriod"),
        "be a whole number of seconds, 0 or greater",
        _whole_from(0),
        _SCALER,
    ),
    Rule(
        ("ScaleOutFactor",),
        "be greater than 0",
        lambda text: (number(text) or 0) > 0,
        _SCALER,
    ),
    Rule(
        ("ScaleUpSchedule", "ScaleDownSchedule"),
        "be a cron expression of five fields with values in their ranges, such as "
        "'0 8 * * MON-FRI'",
        _cron,
        f"{_AUTO_SCALING}/ec2-auto-scaling-scheduled-scaling.html",
    ),
    Rule(
        ("ScheduleTimezone",),
        "be the name of an IANA time zone, such as Europe/Berlin or UTC",
        lambda text: text in _time_zones(),
        f"{_AUTO_SCALING}/ec2-auto-scaling-scheduled-scaling.html",
    ),
    Rule(
        ("InstanceCreationTimeout",),
        "be an ISO 8601 duration of at most twelve hours, such as PT15M",
        _iso_duration_of_at_most_12_hours,
        "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/"
        "aws-attribute-creationpolicy.html",
    ),
    Rule(
        ("RootVolumeType",),
        "be gp2, gp3, io1, io2 or standard: instances cannot boot from others",
        _matches("gp2|gp3|io1|io2|standard"),
        "https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html",
    ),
    Rule(
        ("RootVolumeName",),
        "be the name of a device, such as /dev/xvda",
        _matches(r"/dev/(sd[a-z][0-9]*|xvd[a-z]+)"),
        "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/device_naming.html",
    ),
    Rule(
        ("DockerIPv4AddressPool1",),
        "be a network larger than /20, as the image cuts it into networks of that size",
        _network_larger_than(20),
        _PACKER,
    ),
    Rule(
        ("DockerIPv4AddressPool2",),
        "be a network larger than /24, as the image cuts it into networks of that size",
        _network_larger_than(24),
        _PACKER,
    ),
    Rule(
        ("DockerIPv6AddressPool",),
        "be a network larger than /112, as the image cuts it into networks of that size",
        _network_larger_than(112),
        _PACKER,
    ),
    Rule(
        ("BuildkiteAgentTokenParameterStoreKMSKey",),
        "be the id of a KMS key, not its ARN or an alias",
        _matches(patterns.KMS_KEY_ID),
        f"{_TEMPLATES}/aws-stack.yml",
    ),
    Rule(
        ("PipelineSigningKMSKeyId",),
        "be the id or the ARN of a KMS key, not an alias",
        _matches(rf"{patterns.KMS_KEY_ID}|{patterns.arn('kms', 'key/[a-z0-9-]+')}"),
        f"{_TEMPLATES}/aws-stack.yml",
    ),
    Rule(
        ("SecretsBucket", "ArtifactsBucket"),
        "be the name of an S3 bucket, without s3://",
        _matches(r"[A-Za-z0-9._-]{3,255}"),
        "https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html",
    ),
    Rule(
        ("SecretsBucketRegion", "ArtifactsBucketRegion"),
        "be a region such as us-east-1",
        _matches(patterns.REGION),
        "https://docs.aws.amazon.com/general/latest/gr/s3.html",
    ),
    Rule(
        ("InstanceRoleName",),
        "be letters, digits and + = , . @ _ -",
        _matches(patterns.ROLE_NAME),
        "https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html",
    ),
)
"""All rules for single values."""


@cache
def rules_of(parameter: str) -> Sequence[Rule]:
    """The rules for a parameter."""
    return tuple(rule for rule in RULES if parameter in rule.parameters)
