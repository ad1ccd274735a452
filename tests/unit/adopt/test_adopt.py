"""The program that adopt generates from the output of Terraform and CloudFormation."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from buildkite_agents import AgentQueue, ConfigError
from buildkite_agents.adopt import cloudformation, terraform
from buildkite_agents.adopt.__main__ import main
from buildkite_agents.adopt.program import Program, program_of

URL = "https://s3.amazonaws.com/buildkite-aws-stack/v6.30.0/aws-stack.yml"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


def stack(address: str = "aws_cloudformation_stack.ci", **values: Any) -> dict[str, Any]:
    name = address.rpartition(".")[2].partition("[")[0]
    parameters = {"BuildkiteQueue": "q", "BuildkiteAgentTokenParameterStorePath": "/token"}
    return {
        "address": address,
        "mode": "managed",
        "type": "aws_cloudformation_stack",
        "name": name,
        "values": {
            "id": f"arn:aws:cloudformation:us-east-1:123456789012:stack/{name}/1",
            "name": name,
            "template_url": URL,
            "capabilities": CAPABILITIES,
            "tags": {},
            **values,
            "parameters": {**parameters, **values.get("parameters", {})},
        },
    }


def state(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"format_version": "1.0", "values": {"root_module": {"resources": list(resources)}}}


def plan(variables: dict[str, Any], references: list[str], *resources: Any) -> dict[str, Any]:
    config = [
        {
            "type": resource["type"],
            "name": resource["name"],
            "provider_config_key": "aws.west",
            "expressions": {"parameters": {"references": references}},
        }
        for resource in resources
    ]
    return {
        "format_version": "1.2",
        "prior_state": state(*resources),
        "variables": {name: {"value": value} for name, value in variables.items()},
        "configuration": {"root_module": {"resources": config}},
    }


def written(content: dict[str, Any]) -> Program:
    fleet = terraform.fleet_of(content)
    return program_of(fleet, folder="terraform", output="main.py")


def said(program: Program) -> str:
    """Everything that is said about a program."""
    return "\n".join(
        [*program.fleet.notes, *program.fleet.steps, *map(str, program.fleet.left_out.items())]
    )


def test_a_stack_of_defaults_is_one_queue_at_its_address() -> None:
    program = written(state(stack(parameters={"InstanceTypes": "m5.large", "MaxSize": "4"})))
    assert 'AgentQueue(\n            "m5.large",\n            name="q",' in program.text
    assert 'address="ci"' in program.text
    assert "max_size=4" in program.text
    assert "min_size" not in program.text
    compile(program.text, "main.py", "exec")


def test_an_indexed_address_and_one_in_a_module_are_moved() -> None:
    text = written(
        state(
            stack('aws_cloudformation_stack.ci["a"]', name="one"),
            stack(
                "module.x.aws_cloudformation_stack.ci",
                name="two",
                parameters={"BuildkiteQueue": "other"},
            ),
        )
    ).text
    assert "moved_from='aws_cloudformation_stack.ci[\"a\"]'" in text
    assert 'moved_from="module.x.aws_cloudformation_stack.ci"' in text
    assert "address=" not in text


def test_a_token_is_not_copied() -> None:
    program = written(state(stack(parameters={"BuildkiteAgentToken": "bkct_secret"})))
    assert "bkct_secret" not in program.text + said(program)
    assert '"BuildkiteAgentToken": "${var.buildkite_agent_token}"' in program.text
    assert "declare a variable buildkite_agent_token" in said(program)


def test_a_value_that_is_marked_as_sensitive_is_not_copied() -> None:
    marked = stack(parameters={"AgentEnvFileUrl": "https://user:secret@host/env"})
    marked["sensitive_values"] = {"parameters": {"AgentEnvFileUrl": True}}
    program = written(state(marked))
    assert "secret@" not in program.text
    assert "${var.agent_env_file_url}" in program.text


def test_what_a_plan_refers_to_stays_a_reference() -> None:
    vpc = {
        "address": "aws_vpc.main",
        "type": "aws_vpc",
        "name": "main",
        "values": {"id": "vpc-12345678", "arn": "arn:aws:ec2:vpc"},
    }
    one = stack(
        parameters={
            "VpcId": "vpc-12345678",
            "Subnets": "subnet-12345678",
            "KeyName": "ours",
            "BuildkiteAgentToken": "bkct_secret",
        }
    )
    program = written(
        plan(
            {"key": "ours", "unused": "subnet-12345678", "tok": "bkct_secret"},
            ["aws_vpc.main.id", "aws_vpc.main", "var.key", "var.tok", "module.vpc.subnets"],
            one,
            vpc,
        )
    )
    assert '"${aws_vpc.main.id}"' in program.text
    assert '"KeyName": "${var.key}"' in program.text
    assert '"BuildkiteAgentToken": "${var.tok}"' in program.text
    assert 'provider="aws.west"' in program.text
    assert "references that are values now: module.vpc.subnets (parameters of" in said(program)


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


def test_common_values_are_written_once_and_exceptions_on_their_queue() -> None:
    addresses = [f"aws_cloudformation_stack.{name}" for name in ("a", "b", "c")]
    sizes = ("100", "100", None)
    text = written(
        state(
            *(
                stack(
                    address,
                    parameters={
                        "BuildkiteQueue": address[-1],
                        "KeyName": "ours",
                        **({"RootVolumeSize": size} if size else {}),
                    },
                )
                for address, size in zip(addresses, sizes, strict=True)
            )
        )
    ).text
    assert text.count('"KeyName": "ours"') == 1
    assert text.count('"RootVolumeSize": 100') == 1
    assert text.count('"RootVolumeSize": None') == 1
    assert text.count("v6.30.0") == 1


def test_an_empty_value_stays_a_given_one() -> None:
    text = written(state(stack(parameters={"KeyName": ""}))).text
    assert "EMPTY = '${\"\"}'" in text
    assert '"KeyName": EMPTY' in text


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


def test_without_any_stack_that_is_supported_no_program_is_written(tmp_path: Path) -> None:
    shown = tmp_path / "shown.json"
    shown.write_text(json.dumps(state(stack(parameters={"InstanceOperatingSystem": "windows"}))))
    with pytest.raises(ConfigError, match=r"aws_cloudformation_stack.ci cannot be adopted: .*Wind"):
        main([str(shown), "--output", str(tmp_path / "main.py")])
    assert not (tmp_path / "main.py").exists()


def test_another_cloudformation_stack_is_left_unchanged() -> None:
    other = stack("aws_cloudformation_stack.vpc", template_url="https://host/vpc.yml")
    other["values"]["parameters"] = {"Cidr": "10.0.0.0/8"}
    program = written(state(stack(), other))
    assert program.fleet.left_out == {
        "aws_cloudformation_stack.vpc": "it is not an Elastic CI Stack"
    }
    assert "10.0.0.0" not in program.text


def test_every_field_of_a_queue_that_is_written_is_one() -> None:
    one = stack(parameters={"InstanceTypes": "m5.large,m5a.large", "ScaleInIdlePeriod": "90"})
    source = written(state(one)).text
    queues: list[AgentQueue] = []

    class App:
        def synth(self) -> None:
            """Write nothing."""

    def agent_stack(_app: App, **arguments: Any) -> None:
        queues.extend(arguments["queues"])

    names = {"AgentApp": App, "AgentStack": agent_stack}
    body = source.partition("app = AgentApp()")
    exec(body[0], scope := {"__builtins__": __builtins__})  # noqa: S102
    exec(body[1] + body[2], {**scope, **names})  # noqa: S102
    (queue,) = queues
    assert queue.all_instance_types == ("m5.large", "m5a.large")
    assert queue.idle_minutes == 1.5


def described(**changes: Any) -> dict[str, Any]:
    return {
        "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/ci/1",
        "StackName": "ci",
        "Description": "Buildkite stack v6.30.0",
        "StackStatus": "CREATE_COMPLETE",
        "Parameters": [
            {"ParameterKey": "BuildkiteQueue", "ParameterValue": "default"},
            {"ParameterKey": "BuildkiteAgentToken", "ParameterValue": "****"},
            {"ParameterKey": "RootVolumeSize", "ParameterValue": "250"},
            {"ParameterKey": "MaxSize", "ParameterValue": "10"},
        ],
        "Tags": [{"Key": "team", "Value": "ci"}],
        **changes,
    }


def test_described_stacks_leave_out_the_templates_own_defaults() -> None:
    fleet = cloudformation.fleet_of({"Stacks": [described()]})
    (found,) = fleet.stacks
    assert found.parameters == {
        "BuildkiteQueue": "default",
        "BuildkiteAgentToken": "${var.buildkite_agent_token}",
        "MaxSize": "10",
    }
    assert (found.version, found.tags, fleet.account) == ("v6.30.0", {"team": "ci"}, "123456789012")
    text = program_of(fleet, folder="terraform", output="main.py").text
    assert 'import_account="123456789012"' in text
    assert '"variable.buildkite_agent_token"' in text
    assert "import cdktf" not in text


def test_described_stacks_in_two_regions_are_refused() -> None:
    other = described(StackId="arn:aws:cloudformation:us-east-1:123456789012:stack/ci/2")
    with pytest.raises(ConfigError, match="must be in one account and region"):
        cloudformation.fleet_of({"Stacks": [described(), other]})


def test_a_stuck_stack_is_reported() -> None:
    fleet = cloudformation.fleet_of({"Stacks": [described(StackStatus="ROLLBACK_COMPLETE")]})
    assert any("its status is ROLLBACK_COMPLETE" in step for step in fleet.steps)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("not json", "is not JSON"),
        ("[]", "a JSON object was expected, got list"),
        ("{}", "neither the output of `terraform show -json`"),
        ('{"format_version": "1.0"}', "there is no Elastic CI Stack among the 0 resources"),
        ('{"Stacks": []}', "there is no Elastic CI Stack among the 0 stacks"),
    ],
)
def test_what_shows_no_stacks_is_refused(tmp_path: Path, content: str, message: str) -> None:
    shown = tmp_path / "shown.json"
    shown.write_text(content)
    with pytest.raises(ConfigError, match=message):
        main([str(shown)])


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        main([str(tmp_path / "none.json")])


def test_a_program_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    shown, output = tmp_path / "shown.json", tmp_path / "main.py"
    shown.write_text(json.dumps(state(stack())))
    output.write_text("mine\n")
    with pytest.raises(ConfigError, match="exists; refusing to overwrite it"):
        main([str(shown), "--output", str(output)])
    assert output.read_text() == "mine\n"


def test_without_an_output_the_program_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = tmp_path / "shown.json"
    shown.write_text(json.dumps(state(stack())))
    main([str(shown)])
    printed = capsys.readouterr()
    assert "AgentStack(" in printed.out
    assert printed.err.startswith("found 1 stacks: 1 adopted\n")


def test_several_stacks_of_one_queue_get_addresses_of_their_own() -> None:
    program = written(
        state(
            stack('aws_cloudformation_stack.ci["spot"]', name="ci-spot"),
            stack('aws_cloudformation_stack.ci["reserved"]', name="ci-reserved"),
        )
    )
    assert 'address="ci-spot"' in program.text
    assert 'address="ci-reserved"' in program.text


def test_a_version_that_is_newer_than_the_history_is_allowed() -> None:
    url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.99.0/aws-stack.yml"
    program = written(state(stack(template_url=url, parameters={"GitMirrorSeedBucket": "seeds"})))
    assert "allow_unchecked_version=True" in program.text


def test_a_stack_without_a_queue_is_of_the_templates_default_queue() -> None:
    one = stack()
    del one["values"]["parameters"]["BuildkiteQueue"]
    program = written(state(one))
    assert 'name="default"' in program.text
    assert '"BuildkiteQueue": None' in program.text


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


@pytest.mark.parametrize("argument", ["us-west-2", "us-west-2=google.x", "=aws"])
def test_a_provider_that_is_no_region_and_provider_is_refused(argument: str) -> None:
    with pytest.raises(SystemExit):
        main(["-", "--provider", argument])


def test_each_masked_token_has_a_variable_of_its_own() -> None:
    one = described(StackName="one")
    two = described(StackName="two", StackId=one["StackId"])
    fleet = cloudformation.fleet_of({"Stacks": [one, two]})
    text = program_of(fleet, folder="terraform", output="main.py").text
    for name in ("one", "two"):
        assert f'"${{var.buildkite_agent_token_{name}}}"' in text
        assert f"variable.buildkite_agent_token_{name}" in text
        assert any(f"TF_VAR_buildkite_agent_token_{name}" in step for step in fleet.steps)
    assert text.count('moved_from=""') == 1


def test_one_page_of_several_is_refused() -> None:
    with pytest.raises(ConfigError, match="NextToken"):
        cloudformation.fleet_of({"Stacks": [described()], "NextToken": "x"})


def test_values_are_never_evaluated() -> None:
    evil = '${file("/home/x/.aws/credentials")}'
    one = stack(parameters={"BuildkiteAgentTags": "a=%{if true}"}, tags={"a": evil, "b": "c"})
    text = written(state(one)).text
    assert "'$${file(\"/home/x/.aws/credentials\")}'" in text
    assert "'${file" not in text
    assert "a=%%{if true}" in text


def role(address: str, **values: Any) -> dict[str, Any]:
    mode, kind, name = ["managed", *address.split(".")][-3:]
    return {"address": address, "mode": mode, "type": kind, "name": name, "values": values}


def test_the_name_of_what_a_stack_makes_never_becomes_a_reference() -> None:
    one = stack(parameters={"InstanceRoleName": "ci-agent", "ECRAccessPolicy": "poweruser"})
    reads = role("data.aws_iam_role.agents", id="ci-agent", name="ci-agent")
    repository = role("aws_ecr_repository.poweruser", id="poweruser", name="poweruser")
    one["depends_on"] = ["aws_ecr_repository.poweruser"]
    text = written(state(one, reads, repository)).text
    assert '"InstanceRoleName": "ci-agent"' in text
    assert '"ECRAccessPolicy": "poweruser"' in text


def test_a_state_has_only_references_to_what_a_stack_depends_on() -> None:
    one = stack(parameters={"SecretsBucket": "agents-secrets", "KeyName": "agents"})
    one["depends_on"] = ["aws_s3_bucket.secrets"]
    bucket = role("aws_s3_bucket.secrets", id="agents-secrets", bucket="agents-secrets")
    key = role("aws_key_pair.agents", id="agents", key_name="agents")
    program = written(state(one, bucket, key))
    assert 'Existing("${aws_s3_bucket.secrets.bucket}")' in program.text
    assert '"KeyName": "agents"' in program.text
    assert "found by their values: aws_s3_bucket.secrets.bucket (SecretsBucket)" in said(program)


def configured(one: dict[str, Any], expressions: dict[str, Any], *others: Any) -> dict[str, Any]:
    content = plan({}, [], one, *others)
    (config, *_) = content["configuration"]["root_module"]["resources"]
    config |= {"expressions": expressions, "provider_config_key": "aws"}
    return content


def test_a_value_that_two_parameters_have_is_of_neither_by_chance() -> None:
    one = stack(parameters={"MaxSize": "7", "ScaleOutFactor": "7"})
    content = configured(one, {"parameters": {"references": ["var.size"]}})
    content["variables"] = {"size": {"value": 7}}
    program = written(content)
    assert "var.size" not in program.text.split("app = ")[1]
    assert "var.size (parameters of aws_cloudformation_stack.ci)" in said(program)


def test_a_number_of_a_variable_stays_a_reference() -> None:
    content = configured(
        stack(parameters={"MaxSize": "7"}), {"parameters": {"references": ["var.size"]}}
    )
    content["variables"] = {"size": {"value": 7}}
    assert 'max_size="${var.size}"' in written(content).text


@pytest.mark.parametrize(
    ("tags", "written_as"),
    [
        ({"team": "ci"}, 'tags="${var.tags}"'),
        ({"team": "ci", "a b": "c"}, 'tags=\'${merge(var.tags, {"a b" = "c"})}\''),
    ],
)
def test_references_in_tags_are_kept(tags: dict[str, str], written_as: str) -> None:
    content = configured(stack(tags=tags), {"tags": {"references": ["var.tags"]}})
    content["variables"] = {"tags": {"value": {"team": "ci"}}}
    assert written_as in written(content).text


def test_references_that_cannot_be_kept_are_named_once() -> None:
    expressions = {
        "name": {"references": ["each.key"]},
        "parameters": {"references": ["each.value"]},
        "tags": {"references": ["local.tags"]},
    }
    one, two = (stack(f'aws_cloudformation_stack.ci["{n}"]', name=f"ci-{n}") for n in "ab")
    content = configured(one, expressions, two)
    config = content["configuration"]["root_module"]["resources"][0]
    config["for_each_expression"] = {"references": ["local.queues"]}
    (note,) = written(content).fleet.notes
    assert note == (
        "references that are values now: local.tags (tags of aws_cloudformation_stack.ci), "
        "local.queues (for_each of aws_cloudformation_stack.ci)"
    )


def test_all_subnets_of_several_resources_stay_all_of_them() -> None:
    one = stack(
        parameters={
            "VpcId": "vpc-12345678",
            "Subnets": ",".join(f"subnet-1234567{n}" for n in range(3)),
        }
    )
    subnets = [
        {**role(f"aws_subnet.{name}", id=f"subnet-1234567{n}"), "index": index}
        for n, name, index in ((0, "a", 0), (1, "a", 1), (2, "b", 0))
    ]
    for each in subnets:
        each["address"] += f"[{each['index']}]"
    content = configured(
        one, {"parameters": {"references": ["aws_subnet.a", "aws_subnet.b"]}}, *subnets
    )
    assert '${join(",", concat(aws_subnet.a[*].id, aws_subnet.b[*].id))}' in written(content).text


def test_a_token_of_a_data_source_is_kept() -> None:
    one = stack(parameters={"BuildkiteAgentToken": "bkct_secret"})
    data = role("data.aws_secretsmanager_secret_version.token", secret_string="bkct_secret")  # noqa: S106
    named = "data.aws_secretsmanager_secret_version.token"
    content = configured(
        one, {"parameters": {"references": [f"{named}.secret_string", named]}}, data
    )
    program = written(content)
    assert f"${{{named}.secret_string}}" in program.text
    assert "bkct_secret" not in program.text + said(program)
    assert "declare" not in said(program)


def test_the_dependencies_of_a_stack_are_kept() -> None:
    content = configured(stack(), {})
    content["configuration"]["root_module"]["resources"][0]["depends_on"] = ["aws_vpc.main"]
    line = 'stack.queue_stacks["q"].add_override("depends_on", ["aws_vpc.main"])'
    assert line in written(content).text


def test_a_user_of_buildkites_own_terraform_module_is_told_what_it_is() -> None:
    content = state()
    content["configuration"] = {
        "root_module": {
            "module_calls": {"ci": {"source": "buildkite/elastic-ci-stack-for-aws/buildkite"}}
        }
    }
    with pytest.raises(ConfigError, match=r"module.ci is Buildkite's own Terraform module"):
        terraform.fleet_of(content)


def test_a_stack_of_a_template_body_keeps_its_template() -> None:
    one = stack(template_url=None, template_body="Description: Buildkite stack v6.30.0")
    text = written(state(one)).text
    assert 'template_url=""' in text
    assert 'stack_version="v6.30.0"' in text


def test_a_value_without_effect_is_kept() -> None:
    one = stack(parameters={"CostAllocationTagName": "aws:createdBy"})
    assert '"CostAllocationTagName": "aws:createdBy"' in written(state(one)).text


def test_an_image_is_of_no_further_queue() -> None:
    stacks = [
        stack(
            f"aws_cloudformation_stack.{name}",
            parameters={"BuildkiteQueue": name, "ImageId": "ami-0123456789abcdef0"},
            tags={"team": "ci", "cost": "x", "queue": name},
        )
        for name in ("a", "b", "c")
    ]
    text = written(state(*stacks)).text
    assert text.count('parameters={"ImageId": AMD64_IMAGE}') == 3
    assert 'TAGS = {"cost": "x", "team": "ci"}' in text
    assert 'tags={**TAGS, "queue": "a"}' in text


def test_what_to_edit_is_named_file_by_file(tmp_path: Path) -> None:
    (tmp_path / "stacks.tf").write_text(
        'resource "aws_cloudformation_stack" "ci" {\n}\n\n# aws_cloudformation_stack.ci\n'
        'output "names" {\n  value = aws_cloudformation_stack.ci["a"].name\n}\n'
    )
    content = state(stack('aws_cloudformation_stack.ci["a"]', name="ci-a"))
    fleet = terraform.fleet_of(content, folder=tmp_path)
    named = [*fleet.edits({'aws_cloudformation_stack.ci["a"]': "aws_cloudformation_stack.q"})]
    assert named == [
        f'{tmp_path}/stacks.tf:1: remove the block resource "aws_cloudformation_stack" "ci"',
        f"{tmp_path}/stacks.tf:6: replace aws_cloudformation_stack.ci with local.ci",
    ]


@pytest.mark.parametrize(
    ("fleet", "width"),
    # Where a string is longer than 88 characters, the default width would move it.
    [("one", 88), ("one", 100), ("several", 100), ("described", 88), ("described", 100)],
)
def test_a_program_is_as_ruff_formats_it(fleet: str, width: int) -> None:
    long: dict[str, Any] = {
        "tags": {"team": "ci", "contact": "x" * 40},
        "parameters": {"KeyName": "k" * 70},
    }
    several = [
        stack(
            f'aws_cloudformation_stack.ci["{name}"]',
            name=f"bk-{name}",
            tags={"team": "ci", "queue": name},
            parameters={
                "BuildkiteQueue": name,
                "ManagedPolicyARNs": f"arn:aws:iam::123456789012:policy/{'p' * 60}",
                "SecretsBucket": "",
                "ImageId": "ami-0123456789abcdef0",
            },
        )
        for name in ("a", "b", "c")
    ]
    found = {
        "one": terraform.fleet_of(state(stack(**long))),
        "several": terraform.fleet_of(state(*several)),
        "described": cloudformation.fleet_of({"Stacks": [described()]}),
    }[fleet]
    text = program_of(found, folder="terraform", output="main.py").text
    ruff = [sys.executable, "-m", "ruff", "format", "--isolated", f"--line-length={width}", "-"]
    formatted = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True).stdout
    assert text == formatted
    assert max(map(len, text.splitlines())) <= 100


def test_a_value_that_an_argument_refuses_stays_on_its_queue() -> None:
    text = written(state(stack(tags={"contact": "a, b"}))).text
    assert 'tags={"contact": "a, b"}' in text


def test_a_note_on_several_stacks_is_one() -> None:
    stacks = [
        stack(
            f"aws_cloudformation_stack.{name}",
            on_failure="DELETE",
            parameters={"BuildkiteQueue": name},
        )
        for name in "abc"
    ]
    content = configured(stacks[0], {"tags": {"references": ["local.tags"]}}, *stacks[1:])
    for config in content["configuration"]["root_module"]["resources"]:
        config["expressions"] = {"tags": {"references": ["local.tags"]}}
    named = ", ".join(f"aws_cloudformation_stack.{name}" for name in "abc")
    assert written(content).fleet.notes == [
        f"{named}: ignore_changes keeps on_failure, which a queue has no field for",
        "references that are values now: local.tags (tags of 3 stacks)",
    ]


def test_two_tokens_are_two_variables_whatever_is_declared() -> None:
    def token(value: str) -> dict[str, Any]:
        return {"BuildkiteQueue": value, "BuildkiteAgentToken": f"planted-{value}"}

    one, two = (stack(f"aws_cloudformation_stack.{n}", parameters=token(n)) for n in ("one", "two"))
    program = written(plan({"buildkite_agent_token": "planted-one"}, [], one, two))
    assert '"${var.buildkite_agent_token}"' in program.text
    assert '"${var.buildkite_agent_token_two}"' in program.text
    assert "planted-" not in program.text + "".join(program.fleet.notes)
    assert any(
        "declare a variable buildkite_agent_token_two" in note for note in program.fleet.notes
    )
