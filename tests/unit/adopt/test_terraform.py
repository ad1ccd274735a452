"""Stacks in a plan or a state."""

from pathlib import Path
from typing import Any

import pytest
from support.shown import URL, configured, role, said, several, stack, state, written

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


@pytest.mark.parametrize(
    "url", ["https://user:{}@host/boot.sh", "https://host/boot.sh?X-Amz-Signature={}"]
)
def test_a_literal_secret_becomes_a_variable(url: str) -> None:
    program = written(state(stack(parameters={"BootstrapScriptUrl": url.format("planted")})))
    assert 'bootstrap_script="${var.bootstrap_script_url}"' in program.text
    assert "planted" not in program.text + said(program)
    assert "declare a variable bootstrap_script_url, and set it to that value" in said(program)


def test_what_was_chosen_for_a_stack_is_said() -> None:
    url = URL.replace("v6.30.0", "v7.0.0")
    image = {"ImageId": "ami-0123456789abcdef0"}
    one = stack(template_url=url, parameters=image, timeouts={"create": "30m", "update": "60m"})
    notes = said(written(state(one)))
    assert "image_stack_version='v7.0.0' is that of the stack" in notes
    assert "timeout_minutes=60 is the longest of its timeouts" in notes
    every = dict.fromkeys(("create", "update", "delete"), "60m")
    notes = said(written(state(stack(timeouts=every))))
    assert "image_stack_version" not in notes
    assert "timeout_minutes" not in notes


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
    assert "names no release" in said(program)


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
        state(here, there),
        folder="none",
        providers={"us-east-1": "aws", "us-west-2": "aws.west"},
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


EU = """
provider "aws" {
  region = "us-east-1"
}
provider "aws" {
  alias  = "eu"
  region = "%s"
}
"""


def in_eu(folder: Path, region: str = "eu-west-1", call: str = "") -> dict[str, Any]:
    """A state of a stack in eu-west-1, whose block or module's call names its provider."""
    prefix, head = ("module.x.", "") if call else ("", "  provider = aws.eu\n")
    of_stack = folder / "x" if call else folder
    of_stack.mkdir(exist_ok=True)
    (folder / "main.tf").write_text(EU % region + call)
    block = f'resource "aws_cloudformation_stack" "ci" {{\n{head}}}\n'
    (of_stack / "stacks.tf").write_text(block)
    one = stack(f"{prefix}aws_cloudformation_stack.ci")
    one["values"]["id"] = one["values"]["id"].replace("us-east-1", "eu-west-1")
    return state(one)


@pytest.mark.parametrize(
    "call", ["", 'module "x" {\n  source = "./x"\n  providers = { aws = aws.eu }\n}\n']
)
def test_the_block_of_a_states_stack_names_its_provider(call: str, tmp_path: Path) -> None:
    fleet = terraform.fleet_of(in_eu(tmp_path, call=call), folder=tmp_path)
    assert [found.provider for found in fleet.stacks] == ["aws.eu"]
    assert not any("check that" in step for step in fleet.steps)


@pytest.mark.parametrize(
    ("region", "option", "message"),
    [
        ("eu-west-1", "aws", "--provider eu-west-1=aws: the block of .*ci has the provider aws.eu"),
        ("eu-west-1", "aws.europe", "aws.europe: the root module declares only aws, aws.eu"),
        ("eu-west-2", "aws.eu", "ci is in eu-west-1, but aws.eu is of eu-west-2"),
    ],
)
def test_a_provider_that_contradicts_the_files_is_refused(
    region: str, option: str, message: str, tmp_path: Path
) -> None:
    content = in_eu(tmp_path, region)
    with pytest.raises(ConfigError, match=message):
        terraform.fleet_of(content, folder=tmp_path, providers={"eu-west-1": option})


def test_a_states_stack_with_a_region_of_its_own_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "stacks.tf").write_text(
        EU % "eu-west-1" + 'resource "aws_cloudformation_stack" "eu" {\n  region = var.eu\n}\n'
        'resource "aws_cloudformation_stack" "ci" {\n}\n'
    )
    one = stack("aws_cloudformation_stack.eu")
    one["values"]["id"] = one["values"]["id"].replace("us-east-1", "eu-west-1")
    program = written(state(stack(), one), tmp_path)
    assert "it has the argument region" in said(program)


def test_a_stack_is_not_in_the_region_of_its_provider(tmp_path: Path) -> None:
    content = in_eu(tmp_path, "${var.region}")
    fleet = terraform.fleet_of(content, folder=tmp_path)
    assert "check that the provider aws.eu is of eu-west-1, as its stacks are" in fleet.steps


@pytest.mark.parametrize(
    "actions", [["delete"], ["delete", "create"], ["create", "delete"], ["forget"]]
)
def test_a_plan_that_destroys_a_stack_is_refused(actions: list[str]) -> None:
    content = configured(stack(), {})
    content["resource_changes"] = [{**stack(), "change": {"actions": actions}}]
    with pytest.raises(ConfigError, match=r"removes or replaces .*ci: do not apply it"):
        written(content)


def test_a_stack_that_a_plan_creates_is_left_out_and_its_block_stays(tmp_path: Path) -> None:
    (tmp_path / "stacks.tf").write_text('resource "aws_cloudformation_stack" "ci" {\n}\n')
    one, new = (stack(f'aws_cloudformation_stack.ci["{name}"]') for name in ("old", "new"))
    content = configured(one, {})
    change = {"actions": ["create"], "after": new.pop("values")}
    content["resource_changes"] = [{**new, "change": change}]
    program = written(content, tmp_path)
    assert "ci[\"new\"]', 'the plan creates it: apply the plan" in said(program)
    (step, *_) = program.fleet.edits(program.addresses)
    assert step.endswith(
        'keep the block resource "aws_cloudformation_stack" "ci" for '
        'aws_cloudformation_stack.ci["new"] only'
    )


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


def test_of_a_states_stacks_that_cannot_be_in_one_program_one_is_left_out() -> None:
    one, two, three = several("a", "b", "c")
    one["values"]["name"], three["values"]["name"] = "Buildkite-Prod", "buildkite-prod"
    program = written(state(one, two, three))
    assert [stack.name for stack in program.fleet.stacks] == ["Buildkite-Prod", "b"]
    assert "as case is ignored" in program.fleet.left_out["aws_cloudformation_stack.c"]
