"""The tool that adds a published template to the history."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from support.checkout import copy_checkout
from support.documented import as_main_of
from support.tools import load_tool

from buildkite_agents import ConfigError, elastic_ci_stack
from buildkite_agents.elastic_ci_stack import StackVersion

ROOT = Path(__file__).parents[3]

TEMPLATE = """
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  BuildkiteQueue: { Type: String, Default: default, MinLength: 1, Description: left out }
  MaxSize: { Type: Number, Default: 10, MinValue: 0 }
  Secret: { Type: String, NoEcho: true, AllowedPattern: "^a$" }
Mappings:
  AWSRegion2AMI:
    us-east-1: { linuxamd64: ami-1 }
    eu-west-1: { linuxamd64: ami-2 }
Conditions:
  UsingArmInstances: !Or
    - !Equals [ !Select [ 0, !Split [ ".", !Ref InstanceTypes ] ], "a1" ]
    - !Or
      - !Equals [ !Select [ 0, !Split [ ".", !Ref InstanceTypes ] ], "t4g" ]
  IsBurstable: !Equals [ !Select [ 0, !Split [ ".", !Ref InstanceTypes ] ], "t3" ]
  Other: !Not [ !Equals [ !Ref MaxSize, "x" ] ]
Resources:
  Role: { Type: "AWS::IAM::Role", Name: !GetAtt A.B, Sub: !Sub "${A}" }
"""


tool = load_tool("catalogue")


def make(text: str) -> StackVersion:
    made: StackVersion = tool.stack_version("v7.0.0", tool.read_template(text))
    return made


def test_a_template_becomes_a_version() -> None:
    assert make(TEMPLATE) == StackVersion(
        version="v7.0.0",
        regions=frozenset({"us-east-1", "eu-west-1"}),
        arm64_instance_families=frozenset({"a1", "t4g"}),
        burstable_instance_families=frozenset({"t3"}),
        parameters={
            "BuildkiteQueue": {"Type": "String", "Default": "default", "MinLength": 1},
            "MaxSize": {"Type": "Number", "Default": 10, "MinValue": 0},
            "Secret": {"Type": "String", "AllowedPattern": "^a$", "NoEcho": True},
        },
    )


def test_the_history_is_as_the_tool_writes_it() -> None:
    assert tool.render(elastic_ci_stack.history()) == tool.HISTORY.read_text()


def test_a_release_is_appended_with_what_it_changes() -> None:
    newest = elastic_ci_stack.load(elastic_ci_stack.known_versions()[-1])
    parameters = {**newest.parameters, "GitMirrorSeedBucket": {"Type": "String", "Default": ""}}
    del parameters["KeyName"]
    release = replace(newest, version="v6.72.0", parameters=parameters)
    before = elastic_ci_stack.history()
    after = tool.append(before, release)
    assert after["versions"] == [*before["versions"], "v6.72.0"]
    assert after["regions"] == before["regions"]
    changed = {n for n, e in after["parameters"].items() if e != before["parameters"].get(n)}
    assert changed == {"GitMirrorSeedBucket", "KeyName"}
    assert after["parameters"]["KeyName"][-1] == ["v6.72.0", None]
    assert after["parameters"]["GitMirrorSeedBucket"] == [
        ["v6.72.0", {"Type": "String", "Default": ""}]
    ]


@pytest.mark.parametrize("version", ["v6.71.1", "v6.9.0", "v5.99.0"])
def test_a_release_that_is_not_newer_is_refused(version: str) -> None:
    release = replace(make(TEMPLATE), version=version)
    with pytest.raises(ConfigError, match=f"{version} must be newer than v6.71.1"):
        tool.append(elastic_ci_stack.history(), release)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a CloudFormation template"),
        ("[]", "not a CloudFormation template"),
        ("a: [", "not readable as YAML"),
        ("Resources: {}", "not a template of the Elastic CI Stack"),
        ("Resources: {}\nParameters: {Other: {}}", "not a template of the Elastic CI Stack"),
        (TEMPLATE.replace("UsingArmInstances", "Renamed"), "no condition of ARM"),
        (TEMPLATE.replace("AWSRegion2AMI", "Renamed"), "no mapping AWSRegion2AMI"),
        (TEMPLATE.replace("Type: Number", "Type: Integer"), "parameter MaxSize: its Type must be"),
        ("Resources: &a {x: *a}", "aliases"),
        ("x: !!python/object/apply:os.system [id]", "not readable as YAML"),
        ("Resources: {}\nx: '" + "a" * 1024 * 1024 + "'", "larger than"),
        ("[" * 5000, "not readable as YAML"),
    ],
)
def test_what_is_no_such_template_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(text)


@given(st.lists(st.sampled_from(TEMPLATE.splitlines()), max_size=25), st.text(max_size=40))
def test_a_broken_template_is_read_or_refused_and_nothing_else(lines: list[str], tail: str) -> None:
    try:
        made = make("\n".join(lines) + tail)
    except ConfigError:
        return
    json.dumps(dict(made.parameters))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["Parameters", "Conditions", "Type", "a"]), inner)
        ),
        max_leaves=10,
    )
)
def test_any_other_yaml_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError):
        make(yaml.safe_dump({"Resources": {}, "Parameters": value}))


def test_a_comparison_shows_what_is_added_removed_and_changed() -> None:
    old = make(TEMPLATE)
    parameters = {
        "BuildkiteQueue": {**old.parameters["BuildkiteQueue"], "MinLength": 2},
        "New": {"Type": "String"},
        "Secret": old.parameters["Secret"],
    }
    new = replace(
        old,
        version="v8.0.0",
        parameters=parameters,
        regions=frozenset({"us-east-1"}),
        arm64_instance_families=frozenset({"t4g", "m9g"}),
    )
    shown = tool.compare(old, new)
    for row in (
        r"^MaxSize +removed",
        r"^New +added",
        r"^BuildkiteQueue +changed +MinLength: 1 -> 2",
        r"^a1 +arm64 family removed",
        r"^eu-west-1 +region removed",
        r"^m9g +arm64 family added",
    ):
        assert re.search(row, shown, re.MULTILINE), row


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the documented queues in main.py."""
    copy = tmp_path_factory.mktemp("catalogue") / "checkout"
    copy_checkout(ROOT, copy)
    as_main_of(copy)
    return copy


def run_tool(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, checkout / "tools" / "catalogue.py", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_move_between_the_versions_here_is_shown(checkout: Path) -> None:
    done = run_tool(checkout, "--compare", "v6.21.0", "v6.71.1")
    assert done.returncode == 0
    assert "BuildkiteAgentScalerVersion" in done.stdout
    assert done.stdout.count(" added  ") - done.stdout.count("family added") == 58
    assert done.stdout.endswith("main.py's queues are valid with v6.71.1\n")


def test_a_release_is_added_and_then_shown_against_the_version_before(
    checkout: Path, tmp_path: Path
) -> None:
    text = TEMPLATE.replace(
        "Parameters:", "Parameters:\n  GitMirrorSeedBucket: { Type: String, Default: '' }"
    )
    template = tmp_path / "template.yml"
    template.write_text(text)
    done = run_tool(checkout, "--template", str(template), "v6.72.0")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("v6.71.1 -> v6.72.0: ")
    assert re.search(r"^GitMirrorSeedBucket +added", done.stdout, re.MULTILINE)
    # Parameters of main.py's queues that this small template does not have.
    assert "does not know that 't4g'" not in done.stdout
    again = run_tool(checkout, "--template", str(template), "v6.72.0")
    assert (again.returncode, again.stdout) == (1, "")
    assert "v6.72.0 must be newer than v6.72.0" in again.stderr
    shown = run_tool(checkout, "--compare", "v6.71.1", "v6.72.0")
    assert shown.stdout == done.stdout


def test_a_template_that_is_refused_writes_nothing(checkout: Path, tmp_path: Path) -> None:
    template = tmp_path / "template.yml"
    template.write_text("Resources: {}")
    history = checkout / tool.HISTORY.relative_to(ROOT)
    before = history.read_bytes()
    done = run_tool(checkout, "--template", str(template), "v9.9.9")
    assert (done.returncode, done.stdout) == (1, "")
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: this is not a template of the Elastic CI Stack")
    assert history.read_bytes() == before
