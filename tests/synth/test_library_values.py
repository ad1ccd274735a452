"""CDKTF's values in the settings of a library's user."""

import json
import re
from collections.abc import Callable
from typing import Any

import cdktf
import pytest

from buildkite_agents import (
    AgentAccess,
    AgentQueue,
    AgentStack,
    ConfigError,
    Deployment,
    Network,
)
from buildkite_agents.aws.provider import AwsProvider

QUEUES = [AgentQueue("m5.4xlarge", name="q")]


def test_references_to_lists_numbers_variables_and_providers() -> None:
    app = cdktf.Testing.app()
    other = cdktf.TerraformStack(app, "other")
    subnets = cdktf.TerraformVariable(other, "subnets", type="list(string)")
    size = cdktf.TerraformVariable(other, "size", type="number")
    stack = AgentStack(
        app,
        project="acme",
        queues=[
            AgentQueue("m5.large", name="q", max_size=size.number_value),  # type: ignore[arg-type]
            AgentQueue(
                "m5.large",
                name="west",
                provider="aws.west",
                parameters={
                    "VpcId": "vpc-12345678",
                    "Subnets": "subnet-12345678,subnet-87654321",
                    "BuildkiteAgentTokenParameterStorePath": "/west",
                },
            ),
        ],
        network=Network("vpc-12345678", cdktf.Fn.join(",", subnets.list_value)),
        tags={"Team": "${var.team}"},
    )
    cdktf.TerraformVariable(stack, "team", type="string")
    west = AwsProvider(stack, "aws_west", region="us-west-2", alias="west")
    stack.prepare_stack()
    stacks = json.loads(cdktf.Testing.synth(stack, True))["resource"]["aws_cloudformation_stack"]
    parameters = stacks["q"]["parameters"]
    assert parameters["MaxSize"].startswith("${data.terraform_remote_state.")
    assert parameters["Subnets"].startswith('${join(",", data.terraform_remote_state.')
    assert stacks["q"]["tags"]["Team"] == "${var.team}"
    assert stacks["west"]["provider"] == west.fqn == "aws.west"


ALLOW = {"Effect": "Allow", "Action": "s3:GetObject"}
LIST, MAPPING = "a list that only Terraform knows: ", "a mapping that only Terraform knows: "


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (lambda v: {"network": Network("vpc-12345678", v.list_value)}, f"{LIST}join it, as in"),
        (lambda v: {"parameters": {"SecurityGroupIds": v.list_value}}, f"{LIST}join it, as in"),
        (
            lambda v: {"access": AgentAccess(managed_policies=v.list_value)},
            f"{LIST}give each item as a string",
        ),
        (lambda v: {"tags": cdktf.Token.as_string_map(v.string_value)}, f"{MAPPING}write the"),
        (lambda v: {"network": Network(v.number_value, "${x.y}")}, "give a variable's `string_v"),
        (lambda v: {"network": Network(v, "${x.y}")}, "a TerraformVariable that only Terraform"),
        (lambda v: {"parameters": {"EnableEC2LogRetention": v.boolean_value}}, "Token.as_string"),
        (
            lambda v: {"queues": [AgentQueue("m5.large", max_size=v.list_value)]},
            "max_size must be a whole number, a string or None, got a list that",
        ),
        (
            lambda v: {"queues": [AgentQueue("m5.large", timeout_minutes=v.number_value)]},
            "a number that only Terraform knows: write the value itself",
        ),
        (lambda v: {"parameters": {"KeyName": v.list_value[0]}}, "Fn.element(..., 0))`"),
        (lambda v: {"network": Network("${x.y}", [v.number_value])}, "give a variable's `string_v"),
        (lambda v: {"network": Network("${x.y}", [v, v])}, "give its `string_value`"),
        (
            lambda v: {"access": AgentAccess(statements=[{**ALLOW, "Resource": v.list_value}])},
            "access.statements must be a string, got a list's item",
        ),
        (lambda v: {"tags": v.list_value}, f"{LIST}write the value itself"),
        (lambda v: {"tags": v.string_value}, "tags must be a mapping or None, got a reference"),
        (lambda v: {"deployment": Deployment(folder=v.string_value)}, "no reference is possible"),
        (lambda v: {"queues": [AgentQueue(name=v.number_value)]}, "queue a reference: name must"),
    ],
)
def test_a_value_of_cdktf_that_does_not_fit_says_what_to_write(
    settings: Callable[[cdktf.TerraformVariable], dict[str, Any]], problem: str
) -> None:
    app = cdktf.Testing.app()
    variable = cdktf.TerraformVariable(cdktf.TerraformStack(app, "o"), "v", type="any")
    with pytest.raises(ConfigError, match=re.escape(problem)):
        AgentStack(app, **{"project": "acme", "queues": QUEUES, **settings(variable)})


def test_the_output_of_a_module_can_be_given_as_its_error_says() -> None:
    app = cdktf.Testing.app()
    module = cdktf.TerraformHclModule(cdktf.TerraformStack(app, "o"), "vpc", source="acme/vpc/aws")
    for value in (module.get("subnets"), module.get_list("subnets")):
        with pytest.raises(ConfigError, match=r'`cdktf\.Fn\.join\(",", ...\)`'):
            AgentStack(app, project="acme", queues=QUEUES, network=Network("${x.y}", value))
    subnets = cdktf.Fn.join(",", cdktf.Token.as_list(module.get("subnets")))
    stack = AgentStack(
        app,
        project="acme",
        queues=QUEUES,
        network=Network(cdktf.Token.as_string(module.get("vpc")), subnets),
    )
    stack.prepare_stack()
    stacks = json.loads(cdktf.Testing.synth(stack))["resource"]["aws_cloudformation_stack"]
    assert stacks["q"]["parameters"]["Subnets"].startswith('${join(",", data.terraform_remote_')
