"""Reads stacks from the output of ``aws cloudformation describe-stacks``.

Format: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
"""

import re
from collections.abc import Mapping
from typing import Any

from buildkite_agents import elastic_ci_stack
from buildkite_agents.adopt.found import (
    Fleet,
    FoundStack,
    declarations,
    literal,
    template_of,
    unsupported,
)
from buildkite_agents.errors import ConfigError
from buildkite_agents.queue import FIELDS

_HIDDEN = "****"


def _is_a_queue(stack: Mapping[str, Any]) -> bool:
    """Whether a stack is one of the template; a nested stack belongs to its parent."""
    named = {"StackId", "StackName"} <= stack.keys()
    given = {parameter["ParameterKey"] for parameter in stack.get("Parameters", ())}
    return named and "BuildkiteQueue" in given and not stack.get("ParentId")


def _queues(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if content.get("NextToken"):
        raise ConfigError(
            "this is one page of the stacks: it has a NextToken. Run `aws cloudformation "
            "describe-stacks` without --no-paginate and --max-items"
        )
    if not isinstance(content["Stacks"], list):
        raise ConfigError("this is not the output of `aws cloudformation describe-stacks`")
    return [*filter(_is_a_queue, content["Stacks"])]


def fleet_of(content: Mapping[str, Any]) -> Fleet:
    """Return the Elastic CI Stacks among the described stacks.

    Raises:
        ConfigError: there are none, they are in several accounts or regions, or the description
            is one page of several.
    """
    described = _queues(content)
    if not described:
        raise ConfigError(
            f"there is no Elastic CI Stack among the {len(content['Stacks'])} stacks that this has"
        )
    places = {tuple(stack["StackId"].split(":")[3:5]) for stack in described}
    if len(places) > 1:
        raise ConfigError(
            "the stacks must be in one account and region, got "
            + ", ".join(sorted(f"{region} of {account}" for region, account in places))
        )
    ((region, account),) = places
    found, left_out, notes = [], {}, []
    steps = [f"set aws_region = {region!r} in terraform.tfvars".replace("'", '"')]
    tokens = [s["StackName"] for s in described if _values(s).get("BuildkiteAgentToken") == _HIDDEN]
    for stack in described:
        variable = "buildkite_agent_token"
        if len(tokens) > 1:
            variable += "_" + re.sub(r"\W", "_", stack["StackName"]).lower()
        one, assumed = _found(stack, variable)
        if assumed:
            notes.append(
                f"{one.name}: its description names no known version: {one.version} is assumed, "
                "the newest that has its parameters"
            )
        why = unsupported(one.version, one.parameters)
        if why:
            left_out[one.name] = why
            continue
        found.append(one)
        if stack["StackName"] in tokens:
            steps.append(
                f"set TF_VAR_{variable} to the agent token of the stack {one.name}, which "
                "CloudFormation does not show: the first apply after the import writes it"
            )
        status = stack.get("StackStatus", "")
        if status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}:
            steps.append(
                f"{one.name}: its status is {status}: see docs/troubleshooting.md, A stack is stuck"
            )
    return Fleet(found, left_out=left_out, account=account, notes=notes, steps=steps)


def _values(stack: Mapping[str, Any]) -> dict[str, str]:
    return {p["ParameterKey"]: str(p.get("ParameterValue", "")) for p in stack["Parameters"]}


def _found(stack: Mapping[str, Any], variable: str) -> tuple[FoundStack, bool]:
    """A stack, and whether its version was assumed."""
    values = _values(stack)
    version, assumed = template_of("", str(stack.get("Description", "")), values)
    is_known = version in elastic_ci_stack.known_versions()
    if elastic_ci_stack.is_usable(version) and not is_known:
        version, assumed = template_of("", "", values)
    specs = declarations(version)
    given = {
        parameter: literal(value)
        for parameter, value in values.items()
        # CloudFormation also lists parameters that were not set, with their defaults.
        if parameter in FIELDS or value != str(specs.get(parameter, {}).get("Default", ""))
    }
    if given.get("BuildkiteAgentToken") == _HIDDEN:
        given["BuildkiteAgentToken"] = f"${{var.{variable}}}"
    if values.get("BuildkiteQueue"):
        given["BuildkiteQueue"] = values["BuildkiteQueue"]
    tags = {literal(tag["Key"]): literal(tag["Value"]) for tag in stack.get("Tags", ())}
    found = FoundStack(
        name=stack["StackName"],
        version=version,
        parameters=given,
        tags=tags,
        values={
            "name": stack["StackName"],
            "parameters": {name: values[name] for name in given},
            "tags": {tag["Key"]: tag["Value"] for tag in stack.get("Tags", ())},
        },
    )
    return found, assumed
