"""Add a release of the Elastic CI Stack to the history, from its published template.

    python tools/catalogue.py v6.72.0                 # download, add to the history, print changes
    python tools/catalogue.py --template FILE v6.72.0 # from a file instead
    python tools/catalogue.py --compare v6.21.0 v6.71.1

It prints what the version adds, removes and changes, and the problems of main.py's queues with it.
"""

import argparse
import dataclasses
import json
import re
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "constructs")]

import main as main_py  # noqa: E402
from buildkite_agents import ConfigError, elastic_ci_stack  # noqa: E402
from buildkite_agents.checks import checked  # noqa: E402
from buildkite_agents.elastic_ci_stack import HISTORY, StackVersion  # noqa: E402
from buildkite_agents.settings import StackSettings  # noqa: E402

TEMPLATE_URL = "https://s3.amazonaws.com/buildkite-aws-stack/{version}/aws-stack.yml"
# CloudFormation's limit for a template in S3.
LARGEST_TEMPLATE = 1024 * 1024
DEEPEST_TEMPLATE = 60
_ATTRIBUTES = (
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
_TYPES = {"String", "Number", "CommaDelimitedList"}


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """A loader of CloudFormation's YAML, which converts short tags to mappings with the long name.

    It creates only strings, numbers, lists and mappings. Aliases are refused, because a few lines
    of them can expand to gigabytes.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise ConfigError(
                "the template has YAML aliases, which CloudFormation does not support"
            )
        return super().compose_node(parent, index)


def _short_tag(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_scalar(node)
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    return {name: value}


_Loader.add_multi_constructor("!", _short_tag)
# A date, such as that of AWSTemplateFormatVersion, is a string in CloudFormation.
_Loader.add_constructor("tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_yaml_str)


def read_template(text: str) -> dict[str, Any]:
    """Parse a template.

    Raises:
        ConfigError: it is not a CloudFormation template, or it is too large or too deep.
    """
    if len(text.encode()) > LARGEST_TEMPLATE:
        raise ConfigError(f"the template is larger than {LARGEST_TEMPLATE} bytes")
    try:
        content = yaml.load(text, Loader=_Loader)  # noqa: S506  # nosec B506
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"the template is not readable as YAML: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("Resources"), dict):
        raise ConfigError("this is not a CloudFormation template: it has no Resources")
    return content


def stack_version(version: str, template: Mapping[str, Any]) -> StackVersion:
    """Read the parameters of *version* from its template.

    Raises:
        ConfigError: the template is not that of the Elastic CI Stack.
    """
    parameters = template.get("Parameters")
    if not isinstance(parameters, dict) or "BuildkiteQueue" not in parameters:
        raise ConfigError(
            "this is not a template of the Elastic CI Stack: it has no parameter BuildkiteQueue"
        )
    families = _families_by_condition(template.get("Conditions"))
    arm64 = {
        f
        for name, found in families.items()
        if re.search("arm", name, re.IGNORECASE)
        for f in found
    }
    burstable = {f for name, found in families.items() if "urst" in name for f in found}
    if not arm64:
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
    return {key: spec[key] for key in _ATTRIBUTES if key in spec}


def _families_by_condition(conditions: Any) -> dict[str, set[str]]:
    if not isinstance(conditions, dict):
        return {}
    return {str(name): set(_families(condition, 0)) for name, condition in conditions.items()}


def _families(value: Any, depth: int) -> Iterator[str]:
    """The string with which a condition compares the family of the first instance type."""
    if depth > DEEPEST_TEMPLATE:
        raise ConfigError("the template's conditions are nested too deeply")
    if isinstance(value, list):
        for item in value:
            yield from _families(item, depth + 1)
    elif isinstance(value, dict):
        compared = value.get("Fn::Equals")
        if isinstance(compared, list) and len(compared) == 2 and "InstanceTypes" in repr(compared):
            yield from (
                item
                for item in compared
                if isinstance(item, str) and item.replace("-", "").isalnum()
            )
        for item in value.values():
            yield from _families(item, depth + 1)


def append(history: Mapping[str, Any], new: StackVersion) -> dict[str, Any]:
    """Append a version to the *history*.

    Raises:
        ConfigError: the version is not newer than all others.
    """
    versions = [*history["versions"]]
    if _number(new.version) <= _number(versions[-1]):
        raise ConfigError(
            f"{new.version} must be newer than {versions[-1]}, the newest in the history; "
            "use --compare for versions in the history"
        )
    old = elastic_ci_stack.load(versions[-1])

    def appended(entries: Sequence[Any], before: Any, now: Any) -> list[Any]:
        return [*entries, *([[new.version, now]] if now != before else [])]

    names = sorted({*history["parameters"], *new.parameters})
    return {
        "versions": [*versions, new.version],
        **{
            key: appended(history[key], sorted(getattr(old, key)), sorted(getattr(new, key)))
            for key in ("regions", "arm64_instance_families", "burstable_instance_families")
        },
        "parameters": {
            name: appended(
                history["parameters"].get(name, []),
                old.parameters.get(name),
                new.parameters.get(name),
            )
            for name in names
        },
    }


def _number(version: str) -> list[int]:
    return [int(part) for part in version.removeprefix("v").split(".")]


def render(history: Mapping[str, Any]) -> str:
    """Format a history as JSON, with a line for each parameter."""
    head = "".join(
        f"{json.dumps(key)}: {json.dumps(history[key])},\n"
        for key in history
        if key != "parameters"
    )
    lines = (
        f"{json.dumps(name)}: {json.dumps(entries)}"
        for name, entries in history["parameters"].items()
    )
    return f'{{\n{head}"parameters": {{\n' + ",\n".join(lines) + "\n}}\n"


def compare(old: StackVersion, new: StackVersion) -> str:
    """Format the differences between two versions as a table."""
    before, after = old.parameters, new.parameters
    rows = [(name, "added", _short(after[name])) for name in after.keys() - before.keys()]
    rows += [(name, "removed", "") for name in before.keys() - after.keys()]
    for name in before.keys() & after.keys():
        rows += [
            (
                name,
                "changed",
                f"{key}: {_short(before[name].get(key))} -> {_short(after[name].get(key))}",
            )
            for key in _ATTRIBUTES
            if before[name].get(key) != after[name].get(key)
        ]
    for what, attribute in (
        ("arm64 family", "arm64_instance_families"),
        ("burstable family", "burstable_instance_families"),
        ("region", "regions"),
    ):
        had, has = getattr(old, attribute), getattr(new, attribute)
        rows += [(name, f"{what} removed", "") for name in had - has]
        rows += [(name, f"{what} added", "") for name in has - had]
    width = max((len(row[0]) for row in rows), default=0)
    title = f"{old.version} -> {new.version}: {len(rows)} differences"
    return "\n".join([title, *(f"{n:{width}}  {what:23}  {how}" for n, what, how in sorted(rows))])


def problems_of_main(version: StackVersion) -> str:
    """Report the problems of main.py's queues with *version*."""
    queues = [dataclasses.replace(q, stack_version=version.version) for q in main_py.QUEUES]
    try:
        checked(StackSettings("conbench"), queues)
    except ConfigError as error:
        return "\n".join(error.problems)
    return f"main.py's queues are valid with {version.version}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 100 else text[:97] + "..."


def _fetch(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310  # nosec B310
            return str(answer.read(LARGEST_TEMPLATE + 1).decode())
    except (urllib.error.URLError, UnicodeDecodeError, TimeoutError) as error:
        raise ConfigError(f"cannot fetch {url}: {error}") from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from None


def _write(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def _known(version: str) -> StackVersion:
    try:
        return elastic_ci_stack.load(version)
    except KeyError:
        known = elastic_ci_stack.known_versions()
        raise ConfigError(
            f"{version!r} is not in the history, which has {len(known)} versions from {known[0]} "
            f"to {known[-1]}"
        ) from None


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("version", help="the version, such as v6.72.0")
    parser.add_argument("--template", type=Path, help="a template file, instead of downloading it")
    parser.add_argument("--compare", metavar="OLD", help="only print the differences from OLD")
    arguments = parser.parse_args()
    if not re.fullmatch(r"v\d+\.\d+\.\d+", arguments.version):
        raise ConfigError(f"version must have the form v6.72.0, got {arguments.version!r}")
    if arguments.compare:
        old, new = _known(arguments.compare), _known(arguments.version)
    else:
        old = _known(elastic_ci_stack.known_versions()[-1])
        url = TEMPLATE_URL.format(version=arguments.version)
        text = _read(arguments.template) if arguments.template else _fetch(url)
        new = stack_version(arguments.version, read_template(text))
        _write(HISTORY, render(append(elastic_ci_stack.history(), new)))
        for cached in (elastic_ci_stack.history, elastic_ci_stack.load):
            cached.cache_clear()
    print(compare(old, new))
    print(problems_of_main(new))


if __name__ == "__main__":
    main()
