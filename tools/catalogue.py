"""Make a catalogue of an Elastic CI Stack version from its published template.

The way to take up a new release:

    python tools/catalogue.py v6.72.0                 # fetch, write the catalogue, show what is new
    python tools/catalogue.py --template FILE v6.72.0 # from a file instead
    python tools/catalogue.py --compare v6.21.0 v6.71.1

It shows what a move from the version before adds, removes and changes, and what of this program's
own parameters that breaks.
"""

import argparse
import dataclasses
import json
import re
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT), str(ROOT / "constructs")]

import main as main_py  # noqa: E402
from buildkite_agents import ConfigError, elastic_ci_stack  # noqa: E402
from buildkite_agents.checks import settings as checks  # noqa: E402
from buildkite_agents.names import Names  # noqa: E402
from buildkite_agents.stack_parameters import OWNERS  # noqa: E402

DATA = ROOT / "constructs" / "buildkite_agents" / "elastic_ci_stack"
TEMPLATE_URL = "https://s3.amazonaws.com/buildkite-aws-stack/{version}/aws-stack.yml"
# CloudFormation's own limit for a template in S3.
LARGEST_TEMPLATE = 1024 * 1024
DEEPEST_TEMPLATE = 60
OWN_DEFAULTS = (
    "ECRAccessPolicy",
    "IMDSv2Tokens",
    "InstanceCreationTimeout",
    "SecretsBucketRegion",
)

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
    """YAML as CloudFormation writes it: each short tag as a mapping of the long name to its value.

    Nothing is ever made but text, numbers, lists and mappings. Aliases are refused, as a few lines
    of them can stand for gigabytes.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise ConfigError("the template has YAML aliases, which CloudFormation's have not")
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
# A date such as the 2010-09-09 of AWSTemplateFormatVersion is text to CloudFormation.
_Loader.add_constructor("tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_yaml_str)


def read_template(text: str) -> dict[str, Any]:
    """A template's content.

    Raises:
        ConfigError: it is no CloudFormation template, or too large or deep to be one.
    """
    if len(text.encode()) > LARGEST_TEMPLATE:
        raise ConfigError(f"the template is larger than {LARGEST_TEMPLATE} bytes")
    try:
        content = yaml.load(text, Loader=_Loader)  # noqa: S506  # nosec B506
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise ConfigError(f"the template is not readable as YAML: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("Resources"), dict):
        raise ConfigError("this is no CloudFormation template: it has no Resources")
    return content


def make_catalogue(version: str, template: Mapping[str, Any]) -> dict[str, Any]:
    """The catalogue of *version* from its template.

    Raises:
        ConfigError: the template is not one of the Elastic CI Stack.
    """
    parameters = template.get("Parameters")
    if not isinstance(parameters, dict) or "BuildkiteQueue" not in parameters:
        raise ConfigError(
            "this is no template of the Elastic CI Stack: it has no parameter BuildkiteQueue"
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
    return {
        "version": version,
        "arm64_instance_families": sorted(arm64),
        "burstable_instance_families": sorted(burstable),
        "parameters": {str(n): _parameter(str(n), parameters[n]) for n in sorted(parameters)},
    }


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
    """The text that a condition compares the family of the first instance type with."""
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


def render(content: Mapping[str, Any]) -> str:
    """A catalogue as JSON, with a line for each parameter."""
    head = "".join(
        f"  {json.dumps(key)}: {json.dumps(content[key])},\n"
        for key in content
        if key != "parameters"
    )
    lines = (
        f"    {json.dumps(name)}: {json.dumps(spec, sort_keys=True)}"
        for name, spec in content["parameters"].items()
    )
    return f'{{\n{head}  "parameters": {{\n' + ",\n".join(lines) + "\n  }\n}\n"


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What a move from one catalogue to another adds, removes, changes and breaks, as a table."""
    before, after = old["parameters"], new["parameters"]
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
    own = (OWNERS.keys() - {"BuildkiteAgentToken"}) | set(OWN_DEFAULTS)
    rows += [
        (name, "BREAKS", "this program sets it, and the new version has it not")
        for name in own - after.keys()
    ]
    gone = set(old["arm64_instance_families"]) - set(new["arm64_instance_families"])
    rows += [(family, "arm64 family gone", "") for family in gone]
    come = set(new["arm64_instance_families"]) - set(old["arm64_instance_families"])
    rows += [(family, "arm64 family added", "") for family in come]
    width = max((len(row[0]) for row in rows), default=0)
    title = f"{old['version']} -> {new['version']}: {len(rows)} differences"
    return "\n".join([title, *(f"{n:{width}}  {what:18}  {how}" for n, what, how in sorted(rows))])


def breaks(version: str) -> str:
    """What of main.py's queues would be refused with *version*."""
    problems = checks.check_queues(
        [dataclasses.replace(queue, stack_version=version) for queue in main_py.QUEUES],
        Names("conbench", "prod"),
    )
    return "\n".join(problems) or f"main.py's queues are fine with {version}"


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


def _load(version: str) -> dict[str, Any]:
    path = DATA / f"{version}.json"
    if not path.is_file():
        known = ", ".join(elastic_ci_stack.known_versions())
        raise ConfigError(f"there is no catalogue of {version!r}; there is one of {known}")
    return dict(json.loads(path.read_text()))


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("version", help="the version, such as v6.72.0")
    parser.add_argument("--template", type=Path, help="the template's file, instead of Buildkite's")
    parser.add_argument("--compare", metavar="OLD", help="only show what a move from OLD does")
    arguments = parser.parse_args()
    if not re.fullmatch(r"v\d+\.\d+\.\d+", arguments.version):
        raise ConfigError(f"version must be such as v6.72.0, got {arguments.version!r}")
    if arguments.compare:
        print(compare(_load(arguments.compare), _load(arguments.version)))
        print(breaks(arguments.version))
        return
    newest = _load(elastic_ci_stack.known_versions()[-1])
    url = TEMPLATE_URL.format(version=arguments.version)
    text = _read(arguments.template) if arguments.template else _fetch(url)
    made = make_catalogue(arguments.version, read_template(text))
    _write(DATA / f"{arguments.version}.json", render(made))
    print(compare(newest, made))
    print(breaks(arguments.version))


if __name__ == "__main__":
    main()
