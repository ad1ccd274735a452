"""Output of Terraform and CloudFormation with existing stacks, and what adopt makes of it."""

import json
from pathlib import Path
from typing import Any

from support.adopter import formatted

from buildkite_agents.adopt import terraform
from buildkite_agents.adopt.program import Program, program_of

URL = "https://s3.amazonaws.com/buildkite-aws-stack/v6.30.0/aws-stack.yml"
CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]


def stack(address: str = "aws_cloudformation_stack.ci", **values: Any) -> dict[str, Any]:
    """A stack, as Terraform shows it."""
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


def several(*queues: str, **values: Any) -> list[dict[str, Any]]:
    """A stack for each queue, with values in which ~ is the queue's name."""
    given = [json.loads(json.dumps(values).replace("~", queue)) for queue in queues]
    return [
        stack(
            f"aws_cloudformation_stack.{queue}",
            **{**more, "parameters": {"BuildkiteQueue": queue, **more.get("parameters", {})}},
        )
        for queue, more in zip(queues, given, strict=True)
    ]


def state(*resources: dict[str, Any]) -> dict[str, Any]:
    """The state of resources."""
    return {"format_version": "1.0", "values": {"root_module": {"resources": list(resources)}}}


def plan(variables: dict[str, Any], references: list[str], *resources: Any) -> dict[str, Any]:
    """A plan whose stacks refer to something in their parameters."""
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


def configured(one: dict[str, Any], expressions: dict[str, Any], *others: Any) -> dict[str, Any]:
    """A plan in which a stack has expressions."""
    content = plan({}, [], one, *others)
    (config, *_) = content["configuration"]["root_module"]["resources"]
    config |= {"expressions": expressions, "provider_config_key": "aws"}
    return content


def role(address: str, **values: Any) -> dict[str, Any]:
    """A resource or data source."""
    mode, kind, name = ["managed", *address.split(".")][-3:]
    return {"address": address, "mode": mode, "type": kind, "name": name, "values": values}


def described(**changes: Any) -> dict[str, Any]:
    """A stack, as CloudFormation describes it."""
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


def written(content: dict[str, Any], folder: Path | str = "none") -> Program:
    """The program of a plan or a state; *folder* is that of the root module."""
    fleet = terraform.fleet_of(content, folder=folder)
    program = program_of(fleet, folder="terraform", output="main.py")
    assert program.text == formatted(program.text)
    return program


def said(program: Program) -> str:
    """Everything that is said about a program."""
    return "\n".join(
        [*program.fleet.notes, *program.fleet.steps, *map(str, program.fleet.left_out.items())]
    )
