"""Instance types and their architectures."""

import pytest
from support.tools import load_tool

from buildkite_agents import elastic_ci_stack
from buildkite_agents.elastic_ci_stack import instance_types


@pytest.mark.parametrize(
    "instance_type",
    ["a1.large", "t4g.nano", "c7gn.large", "im4gn.large", "x2gd.large", "g5g.xlarge"],
)
def test_graviton_is_arm64(instance_type: str) -> None:
    assert instance_types.architecture(instance_type) == "arm64"


@pytest.mark.parametrize(
    "instance_type", ["m5.large", "g4dn.xlarge", "g5.xlarge", "c7i-flex.large", "u-6tb1.metal"]
)
def test_everything_else_is_amd64(instance_type: str) -> None:
    assert instance_types.architecture(instance_type) == "amd64"


def test_every_family_that_the_newest_template_calls_arm64_is_so_here() -> None:
    newest = elastic_ci_stack.load(elastic_ci_stack.known_versions()[-1])
    assert {instance_types.architecture(f"{f}.large") for f in newest.arm64_instance_families} == {
        "arm64"
    }


def test_a_mistyped_instance_type_is_reported_with_suggestions() -> None:
    assert instance_types.problem("t4g.2xlrge") == (
        "unknown EC2 instance type 't4g.2xlrge' "
        "(did you mean t4g.2xlarge or t4g.xlarge or i4g.2xlarge?)"
    )


def test_a_mac_is_refused() -> None:
    assert "which the Elastic CI Stack does not support" in str(
        instance_types.problem("mac2.metal")
    )


def test_the_known_types_are_those_of_the_installed_botocore() -> None:
    tool = load_tool("instance_types")
    assert tool.DATA.read_text() == tool.render(), "run: python tools/instance_types.py"
