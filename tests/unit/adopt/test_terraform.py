"""Stacks in a plan or a state."""

from pathlib import Path
from typing import Any

import pytest
from support.shown import URL, configured, role, said, stack, state, written

from buildkite_agents import ConfigError
from buildkite_agents.adopt import terraform


def test_what_a_queue_has_no_field_for_is_kept_by_ignore_changes() -> None:
    program = written(
        state(
            stack(
                capabilities=["CAPABILITY_NAMED_IAM"],
                notification_arns=["arn:aws:sns:us-east-1:123456789012:t"],
                template_url="https://acme.s3.amazonaws.com/v6.30.0/stack.yml",
            )
        )
    )
    assert 'ignore_changes=["capabilities", "notification_arns"]' in program.text
    assert 'template_url="https://acme.s3.amazonaws.com/v6.30.0/stack.yml"' in program.text
    assert 'stack_version="v6.30.0"' in program.text


def test_for_a_template_without_a_version_the_newest_that_fits_is_assumed() -> None:
    program = written(
        state(
            stack(
                template_url="https://s3.amazonaws.com/buildkite-aws-stack/latest/aws-stack.yml",
                parameters={"BuildkiteAgentScalerVersion": "1.7.0"},
            )
        )
    )
    assert 'stack_version="v6.30.0"' not in program.text
    assert "names no version" in said(program)


@pytest.mark.parametrize(
    ("unsupported", "why"),
    [
        ({"parameters": {"InstanceOperatingSystem": "windows"}}, "its agents run on Windows"),
        ({"template_url": URL.replace("v6.30.0", "v4.4.0")}, "v4.4.0 is older than"),
        ({"parameters": {"BuildkiteAgentTags": 'a="b"'}}, "must not have quotes"),
        ({"parameters": {"BuildkiteQueue": "a queue"}}, "name must be letters"),
    ],
)
def test_a_stack_that_is_not_supported_is_left_out_with_its_reason(
    unsupported: dict[str, Any], why: str
) -> None:
    other = stack("aws_cloudformation_stack.other", **unsupported)
    program = written(state(stack(), other))
    assert why in program.fleet.left_out["aws_cloudformation_stack.other"]
    assert "other" not in program.text
    assert 'name="q"' in program.text


def test_another_cloudformation_stack_is_left_unchanged() -> None:
    other = stack("aws_cloudformation_stack.vpc", template_url="https://host/vpc.yml")
    other["values"]["parameters"] = {"Cidr": "10.0.0.0/8"}
    program = written(state(stack(), other))
    assert program.fleet.left_out == {
        "aws_cloudformation_stack.vpc": "it is not an Elastic CI Stack"
    }
    assert "10.0.0.0" not in program.text


def test_a_state_with_several_regions_needs_their_providers() -> None:
    here, there = stack("aws_cloudformation_stack.here"), stack("aws_cloudformation_stack.there")
    there["values"]["id"] = there["values"]["id"].replace("us-east-1", "us-west-2")
    there["values"]["parameters"]["BuildkiteQueue"] = "west"
    with pytest.raises(ConfigError, match=r"--provider us-east-1=aws.ALIAS --provider us-west-2="):
        written(state(here, there))
    fleet = terraform.fleet_of(
        state(here, there), providers={"us-east-1": "aws", "us-west-2": "aws.west"}
    )
    assert [found.provider for found in fleet.stacks] == [None, "aws.west"]


@pytest.mark.parametrize(
    "values", [{"arn": "arn:aws:sns:us-west-2:123456789012:t"}, {"region": "us-west-2"}]
)
def test_a_state_whose_other_resources_are_elsewhere_needs_the_stacks_provider(
    values: dict[str, str],
) -> None:
    with pytest.raises(ConfigError, match=r"--provider us-east-1=aws.ALIAS"):
        written(state(stack(), role("aws_sns_topic.t", **values)))


def test_a_state_of_a_root_module_with_aliases_needs_the_stacks_provider(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('provider "aws" {\n  alias  = "west"\n}\n')
    with pytest.raises(ConfigError, match=r"--provider us-east-1=aws.ALIAS"):
        terraform.fleet_of(state(stack()), folder=tmp_path)


def test_a_user_of_buildkites_own_terraform_module_is_told_what_it_is() -> None:
    content = state()
    content["configuration"] = {
        "root_module": {
            "module_calls": {"ci": {"source": "buildkite/elastic-ci-stack-for-aws/buildkite"}}
        }
    }
    with pytest.raises(ConfigError, match=r"module.ci is Buildkite's own Terraform module"):
        terraform.fleet_of(content)


def test_a_value_without_effect_is_kept() -> None:
    one = stack(parameters={"CostAllocationTagName": "aws:createdBy"})
    assert '"CostAllocationTagName": "aws:createdBy"' in written(state(one)).text


def test_a_reference_to_an_instance_type_has_its_architecture(tmp_path: Path) -> None:
    (tmp_path / "stacks.tf").write_text(
        'resource "aws_cloudformation_stack" "ci" {\n'
        "  parameters = { InstanceTypes = var.types }\n}\n"
    )
    content = configured(stack(parameters={"InstanceTypes": "c7g.large,c7g.xlarge"}), {})
    content["variables"] = {"types": {"value": "c7g.large,c7g.xlarge"}}
    assert 'architecture="arm64"' in written(content, tmp_path).text
