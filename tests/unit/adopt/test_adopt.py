"""The program that adopt generates from the output of Terraform and CloudFormation."""

import json
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
    return program_of(fleet, project=None, environment=None, folder="terraform")


def test_a_stack_of_defaults_is_one_queue_at_its_address() -> None:
    program = written(state(stack(parameters={"InstanceTypes": "m5.large", "MaxSize": "4"})))
    assert 'AgentQueue(\n            "m5.large",\n            name="q",' in program.text
    assert 'address="ci"' in program.text
    assert "max_size" not in program.text
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
    assert "bkct_secret" not in program.text + "".join(program.notes)
    assert '"BuildkiteAgentToken": "${var.buildkite_agent_token}"' in program.text
    assert any("declare a variable buildkite_agent_token" in note for note in program.notes)


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
    assert "references to module.vpc.subnets are replaced with values" in program.notes[0]


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
    assert 'ignore_changes=["capabilities", "notification_arns", "template_url"]' in program.text
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
    assert "names no version" in program.notes[0]


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
    assert '"KeyName": \'${""}\'' in written(state(stack(parameters={"KeyName": ""}))).text


def test_what_a_synthesis_would_refuse_is_reported() -> None:
    program = written(state(stack(parameters={"InstanceOperatingSystem": "windows"})))
    assert any("a synthesis refuses this: queue 'q'" in note for note in program.notes)


def test_another_cloudformation_stack_is_left_unchanged() -> None:
    other = stack("aws_cloudformation_stack.vpc", template_url="https://host/vpc.yml")
    other["values"]["parameters"] = {"Cidr": "10.0.0.0/8"}
    program = written(state(stack(), other))
    assert any(
        "aws_cloudformation_stack.vpc is not an Elastic CI Stack" in n for n in program.notes
    )
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
    text = program_of(fleet, project="acme", environment="prod", folder="terraform").text
    assert 'import_account="123456789012"' in text
    assert 'cdktf.TerraformVariable(stack, "buildkite_agent_token"' in text


def test_described_stacks_in_two_regions_are_refused() -> None:
    other = described(StackId="arn:aws:cloudformation:us-east-1:123456789012:stack/ci/2")
    with pytest.raises(ConfigError, match="must be in one account and region"):
        cloudformation.fleet_of({"Stacks": [described(), other]})


def test_a_stuck_stack_is_reported() -> None:
    fleet = cloudformation.fleet_of({"Stacks": [described(StackStatus="ROLLBACK_COMPLETE")]})
    assert any("its status is ROLLBACK_COMPLETE" in note for note in fleet.notes)


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
    main([str(shown), "--project", "acme"])
    printed = capsys.readouterr()
    assert 'project="acme"' in printed.out
    assert printed.err.startswith("note: ")


def test_several_stacks_of_one_queue_get_addresses_of_their_own() -> None:
    program = written(
        state(
            stack('aws_cloudformation_stack.ci["spot"]', name="ci-spot"),
            stack('aws_cloudformation_stack.ci["reserved"]', name="ci-reserved"),
        )
    )
    assert 'address="ci-spot"' in program.text
    assert 'address="ci-reserved"' in program.text
    assert not any("refuses" in note for note in program.notes)


def test_a_version_that_is_newer_than_the_history_is_allowed() -> None:
    url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.99.0/aws-stack.yml"
    program = written(state(stack(template_url=url, parameters={"GitMirrorSeedBucket": "seeds"})))
    assert "allow_unchecked_version=True" in program.text
    assert not any("refuses" in note for note in program.notes)


def test_a_stack_without_a_queue_is_of_the_templates_default_queue() -> None:
    one = stack()
    del one["values"]["parameters"]["BuildkiteQueue"]
    program = written(state(one))
    assert 'name="default"' in program.text
    assert '"BuildkiteQueue": None' in program.text
    assert not any("refuses" in note for note in program.notes)
