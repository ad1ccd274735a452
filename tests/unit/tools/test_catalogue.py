"""The tool that makes a catalogue from a published template."""

import json
import re
import subprocess
import sys
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

ROOT = Path(__file__).parents[3]

TEMPLATE = """
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  BuildkiteQueue: { Type: String, Default: default, MinLength: 1, Description: left out }
  MaxSize: { Type: Number, Default: 10, MinValue: 0 }
  Secret: { Type: String, NoEcho: true, AllowedPattern: "^a$" }
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


def make(text: str) -> Any:
    return tool.make_catalogue("v7.0.0", tool.read_template(text))


def test_a_template_becomes_its_catalogue() -> None:
    assert make(TEMPLATE) == {
        "version": "v7.0.0",
        "arm64_instance_families": ["a1", "t4g"],
        "burstable_instance_families": ["t3"],
        "parameters": {
            "BuildkiteQueue": {"Type": "String", "Default": "default", "MinLength": 1},
            "MaxSize": {"Type": "Number", "Default": 10, "MinValue": 0},
            "Secret": {"Type": "String", "AllowedPattern": "^a$", "NoEcho": True},
        },
    }


@pytest.mark.parametrize("version", elastic_ci_stack.known_versions())
def test_the_catalogues_here_are_as_the_tool_writes_them(version: str) -> None:
    path = tool.DATA / f"{version}.json"
    assert tool.render(json.loads(path.read_text())) == path.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no CloudFormation template"),
        ("[]", "no CloudFormation template"),
        ("a: [", "not readable as YAML"),
        ("Resources: {}", "no template of the Elastic CI Stack"),
        ("Resources: {}\nParameters: {Other: {}}", "no template of the Elastic CI Stack"),
        (TEMPLATE.replace("UsingArmInstances", "Renamed"), "no condition of ARM"),
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
    json.dumps(made)


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


def test_a_comparison_tells_what_is_added_removed_changed_and_broken() -> None:
    old = make(TEMPLATE)
    new = json.loads(json.dumps(old))
    new["version"] = "v8.0.0"
    del new["parameters"]["MaxSize"]
    new["parameters"]["New"] = {"Type": "String"}
    new["parameters"]["BuildkiteQueue"]["MinLength"] = 2
    new["arm64_instance_families"] = ["t4g", "m9g"]
    shown = tool.compare(old, new)
    for row in (
        r"^MaxSize +BREAKS",
        r"^MaxSize +removed",
        r"^New +added",
        r"^BuildkiteQueue +changed +MinLength: 1 -> 2",
        r"^a1 +arm64 family gone",
        r"^m9g +arm64 family added",
    ):
        assert re.search(row, shown, re.MULTILINE), row


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the documented queues in its main.py."""
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
    assert done.stdout.endswith("main.py's queues are fine with v6.71.1\n")


def test_a_move_back_tells_what_of_main_it_breaks(checkout: Path) -> None:
    done = run_tool(checkout, "--compare", "v6.71.1", "v6.21.0")
    assert "parameters['CpuCredits']: Elastic CI Stack v6.21.0 has no such" in done.stdout


def test_a_template_that_is_refused_writes_nothing(checkout: Path, tmp_path: Path) -> None:
    template = tmp_path / "template.yml"
    template.write_text("Resources: {}")
    before = sorted(path.name for path in tool.DATA.iterdir())
    done = run_tool(checkout, "--template", str(template), "v9.9.9")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: this is no template of the Elastic CI Stack")
    assert sorted(path.name for path in tool.DATA.iterdir()) == before
