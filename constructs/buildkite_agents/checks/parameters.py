"""Whether a stack's parameters are what its version of the template takes.

The rules are those of the Elastic CI Stack's templates v6.21.0 and v6.71.1, and EC2's own.
Values that hold a Terraform reference are resolved later, and never looked at here.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from buildkite_agents.elastic_ci_stack import StackVersion
from buildkite_agents.queue import ParameterValue

# The values land in double quotes in a shell script, which each instance runs at its start.
_UNSAFE = re.compile(r'["$`\\\r\n]')
_GP3_IOPS = (3000, 16000)
_GP3_THROUGHPUT = (125, 1000)
_KEY_ID = re.compile(r"(mrk-)?[0-9a-f-]{32,36}")
# CDKTF's tokens for numbers are below this.
_LEAST_NUMBER = -1e290


def is_reference(value: Any) -> bool:
    """Whether a value is known to Terraform only: a reference, or a token of CDKTF's."""
    if isinstance(value, str):
        return "${" in value
    return isinstance(value, float) and value < _LEAST_NUMBER


def check_own(parameters: Any, owners: Mapping[str, str], version: StackVersion) -> list[str]:
    """Whether a queue's own mapping has only parameters that are there and free to be set.

    *owners* says, for each parameter that the program sets by itself, what decides it.
    """
    if not isinstance(parameters, Mapping):
        return [f"parameters must be a mapping of names to values, got {parameters!r}"]
    problems = []
    for name, value in parameters.items():
        where = f"parameters[{name!r}]"
        if name in owners:
            problems.append(f"{where} is set already, by {owners[name]}")
        elif name not in version.parameters:
            close = difflib.get_close_matches(str(name), version.parameters, n=3)
            problems.append(
                f"{where}: Elastic CI Stack {version.version} has no such parameter"
                + (f" (is it {' or '.join(close)}?)" if close else "")
            )
        elif value is not None:
            problems += _check_value(where, value, version.parameters[name], version)
    return problems


def check_derived(parameters: Mapping[str, ParameterValue], version: StackVersion) -> list[str]:
    """Whether the values that the program sets by itself are what the template takes."""
    return [
        problem
        for name, value in parameters.items()
        if value is not None
        for problem in _check_value(name, value, version.parameters[name], version)
    ]


def _check_value(
    where: str, value: Any, spec: Mapping[str, Any], version: StackVersion
) -> Iterator[str]:
    if is_reference(value):
        return
    if not isinstance(value, str | int | float):
        yield f"{where} must be text, a number, or True or False, got {value!r}"
        return
    text = str(value).lower() if isinstance(value, bool) else str(value)
    template = f"in Elastic CI Stack {version.version}"
    if not text and str(spec.get("Default", "")):
        # The AWS provider ignores an empty value over an old one.
        yield f"{where} must not be empty: leave it out, or give None, for {spec['Default']!r}"
        return
    if _UNSAFE.search(text):
        yield (
            f"{where} must not have quotes, $, backticks, backslashes or line breaks: its value "
            f"becomes part of a shell script {template}, got {value!r}"
        )
        return
    if spec["Type"] == "Number":
        yield from _check_number(where, value, spec, template)
    allowed = spec.get("AllowedValues")
    if allowed and text not in map(str, allowed):
        yield f"{where} must be one of {', '.join(map(repr, allowed))} {template}, got {value!r}"
    pattern = spec.get("AllowedPattern")
    if pattern and not _fullmatch(pattern, text):
        yield f"{where} must match {pattern} {template}, got {value!r}"
    if len(text) < spec.get("MinLength", 0):
        yield f"{where} must be at least {spec['MinLength']} characters {template}, got {value!r}"


def _check_number(where: str, value: Any, spec: Mapping[str, Any], template: str) -> Iterator[str]:
    number = _number(value)
    if isinstance(value, bool) or number is None:
        yield f"{where} must be a number {template}, got {value!r}"
        return
    if "MinValue" in spec and number < spec["MinValue"]:
        yield f"{where} must be at least {spec['MinValue']} {template}, got {value!r}"
    if "MaxValue" in spec and number > spec["MaxValue"]:
        yield f"{where} must be at most {spec['MaxValue']} {template}, got {value!r}"


def _number(value: Any) -> float | None:
    """A value as CloudFormation reads a number: digits, with a sign and a point at most."""
    if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", str(value)):
        return float(value)
    return None


def _fullmatch(pattern: str, text: str) -> bool:
    # Java's expressions, which CloudFormation's are, take a hyphen after a class for itself.
    return re.fullmatch(pattern.replace(r"\w-", r"\w\-"), text, re.ASCII) is not None


def check_together(
    own: Mapping[str, ParameterValue],
    merged: Mapping[str, ParameterValue],
    version: StackVersion,
    *,
    in_given_vpc: bool,
) -> list[str]:
    """The rules across parameters that the template does not say.

    Args:
        own: What the queue's mapping sets.
        merged: All that the stack is given.
        version: The template.
        in_given_vpc: Whether the stack does not make a VPC of its own.
    """
    values = _Values(merged, version)
    return [
        *_check_fleet(values),
        *_check_volume(own, values),
        *_check_access(values),
        *_check_network(values, in_given_vpc=in_given_vpc),
    ]


class _Values:
    """A stack's values, with the template's defaults, as far as they are known now."""

    def __init__(self, merged: Mapping[str, ParameterValue], version: StackVersion) -> None:
        self._merged = merged
        self._specs = version.parameters

    def text(self, name: str) -> str | None:
        """The value, or None where the version has no such parameter or only Terraform knows."""
        value = self._merged.get(name)
        if value is None:
            value = self._specs.get(name, {}).get("Default")
        if value is None or is_reference(value):
            return None
        return str(value).lower() if isinstance(value, bool) else str(value)

    def number(self, name: str) -> float | None:
        """The value as a number, or None where it is none yet."""
        text = self.text(name)
        return None if text is None else _number(text)


def _check_fleet(values: _Values) -> Iterator[str]:
    largest = values.number("MaxSize")
    for name in ("OnDemandBaseCapacity", "ScaleUpMinSize", "ScaleDownMinSize"):
        number = values.number(name)
        if number is not None and largest is not None and number > largest:
            yield f"parameters[{name!r}] must be at most max_size, got {number:g} and {largest:g}"
    cancel = values.number("BuildkiteAgentCancelGracePeriod")
    signal = values.number("BuildkiteAgentSignalGracePeriod")
    if cancel is not None and signal is not None and signal not in (-1, None) and cancel <= signal:
        yield (
            "parameters['BuildkiteAgentCancelGracePeriod'] must be more than "
            f"BuildkiteAgentSignalGracePeriod, got {cancel:g} and {signal:g}"
        )


def _check_volume(own: Mapping[str, ParameterValue], values: _Values) -> Iterator[str]:
    if values.text("RootVolumeType") != "gp3":
        return
    for name, (least, greatest) in {
        "RootVolumeIops": _GP3_IOPS,
        "RootVolumeThroughput": _GP3_THROUGHPUT,
    }.items():
        number = values.number(name)
        if name in own and number is not None and not least <= number <= greatest:
            yield (
                f"parameters[{name!r}] must be from {least} to {greatest}, which EC2 wants of a "
                f"gp3 volume, got {number:g}"
            )


def _check_access(values: _Values) -> Iterator[str]:
    if values.text("InstanceRoleARN"):
        yield (
            "parameters['InstanceRoleARN'] must be left out: with it the stack ignores "
            "InstanceRoleName, ManagedPolicyARNs and ECRAccessPolicy, and agents cannot read the "
            "secrets bucket"
        )
    if values.text("PipelineSigningKMSKeyId") and values.text("PipelineSigningKMSKeySpec") not in (
        None,
        "none",
    ):
        yield (
            "parameters['PipelineSigningKMSKeySpec'] must be 'none' where PipelineSigningKMSKeyId "
            f"is given, got {values.text('PipelineSigningKMSKeySpec')!r}"
        )
    key = values.text("BuildkiteAgentTokenParameterStoreKMSKey")
    if key and not _KEY_ID.fullmatch(key):
        yield (
            "parameters['BuildkiteAgentTokenParameterStoreKMSKey'] must be the bare id of a KMS "
            f"key, and no ARN or alias, got {key!r}"
        )


def _check_network(values: _Values, *, in_given_vpc: bool) -> Iterator[str]:
    zones = values.text("AvailabilityZones")
    if zones and len(zones.split(",")) < 2:
        yield f"parameters['AvailabilityZones'] must be two or more, got {zones!r}"
    if in_given_vpc and values.text("EnableVpcEndpoints") == "true":
        yield (
            "parameters['EnableVpcEndpoints'] does nothing in a VPC that is given: the endpoints "
            "are that VPC's own business"
        )
