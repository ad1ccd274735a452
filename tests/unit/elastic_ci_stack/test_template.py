"""Reading a published template."""

import json
import sys
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from buildkite_agents import ConfigError
from buildkite_agents.elastic_ci_stack import StackVersion
from buildkite_agents.elastic_ci_stack.template import read_template, stack_version

TEMPLATE = """
AWSTemplateFormatVersion: 2010-09-09
Description: "Buildkite stack v7.0.0"
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


def make(text: str) -> StackVersion:
    return stack_version("v7.0.0", read_template(text))


def test_a_template_becomes_a_version() -> None:
    assert vars(make(TEMPLATE)) == vars(
        StackVersion(
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
    )


def test_a_template_before_version_6_is_read_by_its_parameter_of_one_instance_type() -> None:
    families = make(TEMPLATE.replace("InstanceTypes", "InstanceType")).arm64_instance_families
    assert families == {"a1", "t4g"}


def test_the_first_templates_without_arm64_images_are_readable() -> None:
    text = TEMPLATE.replace("UsingArmInstances", "Renamed")
    read = stack_version("v7.0.0", read_template(text), has_arm64=False)
    assert read.arm64_instance_families == frozenset()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a CloudFormation template"),
        ("[]", "not a CloudFormation template"),
        ("a: [", "not readable as YAML"),
        ("Resources: {}", "not a template of the Elastic CI Stack"),
        ("Resources: {}\nParameters: {Other: {}}", "not a template of the Elastic CI Stack"),
        (TEMPLATE.replace("stack v7.0.0", "stack v7.0.1"), "this is the template of v7.0.1, not"),
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


def test_without_pyyaml_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ConfigError, match="needs PyYAML: pip install pyyaml"):
        make(TEMPLATE)
