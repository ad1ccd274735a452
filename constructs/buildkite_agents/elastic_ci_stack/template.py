"""Reading a published template of the stack. It needs PyYAML, which the library itself does not."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from buildkite_agents.elastic_ci_stack import StackVersion
from buildkite_agents.errors import ConfigError

LARGEST_TEMPLATE = 1024 * 1024
"""CloudFormation's limit for a template in S3, in bytes."""

ATTRIBUTES = (
    "Type",
    "Default",
    "AllowedValues",
    "AllowedPattern",
    "MinValue",
    "MaxValue",
    "MinLength",
    "MaxLength",
    "NoEcho",
)
"""The attributes of a parameter that are part of its declaration."""

_DEEPEST_TEMPLATE = 60
_TYPES = {"String", "Number", "CommaDelimitedList"}
_DESCRIPTION = re.compile(r"Buildkite stack (v[0-9]+\.[0-9]+\.[0-9]+)\s*")


def read_template(text: str) -> dict[str, Any]:
    """Parse a template.

    Raises:
        ConfigError: it is not a CloudFormation template, it is too large or too deep, or PyYAML is
            not installed.
    """
    if len(text.encode()) > LARGEST_TEMPLATE:
        raise ConfigError(f"the template is larger than {LARGEST_TEMPLATE} bytes")
    try:
        import yaml
    except ImportError:
        raise ConfigError("reading a template needs PyYAML: pip install pyyaml") from None
    try:
        content = yaml.load(text, Loader=_loader(yaml))  # noqa: S506  # nosec B506
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"the template is not readable as YAML: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("Resources"), dict):
        raise ConfigError("this is not a CloudFormation template: it has no Resources")
    return content


def _loader(yaml: Any) -> Any:
    """A loader of CloudFormation's YAML, which converts short tags to mappings with the long name.

    It creates only strings, numbers, lists and mappings. Aliases are refused, because a few lines
    of them can expand to gigabytes.
    """

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise ConfigError(
                    "the template has YAML aliases, which CloudFormation does not support"
                )
            return super().compose_node(parent, index)

    def short_tag(loader: Any, suffix: str, node: Any) -> dict[str, Any]:
        value: Any
        if isinstance(node, yaml.MappingNode):
            value = loader.construct_mapping(node, deep=True)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        else:
            value = loader.construct_scalar(node)
        name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
        return {name: value}

    Loader.add_multi_constructor("!", short_tag)
    # A date, such as that of AWSTemplateFormatVersion, is a string in CloudFormation.
    Loader.add_constructor("tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_yaml_str)
    return Loader


def version_of(template: Mapping[str, Any]) -> str | None:
    """The version in a template's description, ``Buildkite stack v7.13.0``, or None."""
    found = _DESCRIPTION.fullmatch(str(template.get("Description", "")))
    return found[1] if found else None


def stack_version(
    version: str, template: Mapping[str, Any], *, has_arm64: bool = True
) -> StackVersion:
    """Read the parameters of *version* from its template.

    Args:
        version: The version.
        template: The parsed template.
        has_arm64: Whether the version has arm64 images, as all but the first have. Without it, a
            template without a condition of ARM instance families would be a renamed condition.

    Raises:
        ConfigError: the template is not that of this version of the Elastic CI Stack.
    """
    parameters = template.get("Parameters")
    if not isinstance(parameters, dict) or "BuildkiteQueue" not in parameters:
        raise ConfigError(
            "this is not a template of the Elastic CI Stack: it has no parameter BuildkiteQueue"
        )
    described = version_of(template)
    if described not in {None, version}:
        raise ConfigError(f"this is the template of {described}, not of {version}")
    families = _families_by_condition(template.get("Conditions"))
    arm64 = {
        f
        for name, found in families.items()
        if re.search("arm", name, re.IGNORECASE)
        for f in found
    }
    burstable = {f for name, found in families.items() if "urst" in name for f in found}
    if has_arm64 and not arm64:
        raise ConfigError(
            "the template has no condition of ARM instance families, such as UsingArmInstances"
        )
    return StackVersion(
        version=version,
        arm64_instance_families=frozenset(arm64),
        burstable_instance_families=frozenset(burstable),
        regions=frozenset(_regions(template)),
        parameters={str(n): _parameter(str(n), parameters[n]) for n in sorted(parameters)},
    )


def _regions(template: Mapping[str, Any]) -> list[str]:
    """The regions in the template's mapping to images."""
    mappings = template.get("Mappings")
    images = mappings.get("AWSRegion2AMI") if isinstance(mappings, dict) else None
    if not isinstance(images, dict):
        raise ConfigError("the template has no mapping AWSRegion2AMI of regions to images")
    return sorted(str(region) for region in images if region != "cloudformation")


def _parameter(name: str, spec: Any) -> dict[str, Any]:
    if not isinstance(spec, dict) or spec.get("Type") not in _TYPES:
        raise ConfigError(
            f"parameter {name}: its Type must be one of {', '.join(sorted(_TYPES))}, got {spec!r}"
        )
    return {key: spec[key] for key in ATTRIBUTES if key in spec}


def _families_by_condition(conditions: Any) -> dict[str, set[str]]:
    if not isinstance(conditions, dict):
        return {}
    return {str(name): set(_families(condition, 0)) for name, condition in conditions.items()}


def _families(value: Any, depth: int) -> Iterator[str]:
    """The string with which a condition compares the family of the first instance type."""
    if depth > _DEEPEST_TEMPLATE:
        raise ConfigError("the template's conditions are nested too deeply")
    if isinstance(value, list):
        for item in value:
            yield from _families(item, depth + 1)
    elif isinstance(value, dict):
        compared = value.get("Fn::Equals")
        if isinstance(compared, list) and len(compared) == 2 and "InstanceType" in repr(compared):
            yield from (
                item
                for item in compared
                if isinstance(item, str) and item.replace("-", "").isalnum()
            )
        for item in value.values():
            yield from _families(item, depth + 1)
