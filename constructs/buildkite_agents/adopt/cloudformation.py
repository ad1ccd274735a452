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
    grouped,
    literal,
    note_on,
    template_of,
    unmanaged,
    unsupported,
)
from buildkite_agents.adopt.references import HIDDEN
from buildkite_agents.errors import ConfigError
from buildkite_agents.queue import FIELDS

_ARGUMENTS = {
    "Capabilities": "capabilities",
    "NotificationARNs": "notification_arns",
    "RoleARN": "iam_role_arn",
    "TimeoutInMinutes": "timeout_in_minutes",
}
"""The arguments that the provider reads. It ignores DisableRollback, which has an effect only when
a stack is created."""

_ONLY_DELETED = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS"}
"""The statuses of a stack that was never created."""


def fleet_of(content: Mapping[str, Any]) -> Fleet:
    """Return the Elastic CI Stacks among the described stacks.

    Raises:
        ConfigError: there are none, they are in several accounts or regions, or the description
            is one page of several.
    """
    left_out: dict[str, str] = {}
    described = []
    for stack in _stacks(content):
        why = _not_a_queue(stack)
        if why is None:
            described.append(stack)
        else:
            left_out[stack["StackName"]] = why
    if not described:
        raise ConfigError(
            f"there is no Elastic CI Stack to adopt among the {len(content['Stacks'])} stacks",
            *grouped(f"{name}: {why}" for name, why in left_out.items()),
        )
    places = {tuple(stack["StackId"].split(":")[3:5]) for stack in described}
    if len(places) > 1:
        raise ConfigError(
            "the stacks must be in one account and region, got "
            + ", ".join(sorted(f"{region} of {account}" for region, account in places))
        )
    ((region, account),) = places
    found = []
    needs_token = [stack["StackName"] for stack in described if _has_hidden_token(stack)]
    for stack in described:
        variable = "buildkite_agent_token"
        if len(needs_token) > 1:
            variable += "_" + re.sub(r"\W", "_", stack["StackName"]).lower()
        one = _found(stack, variable)
        why = unsupported(one.version, one.parameters)
        if why is None:
            found.append(one)
        else:
            left_out[one.name] = why
    steps = [f"set aws_region = {region!r} in terraform.tfvars".replace("'", '"')]
    return Fleet(found, left_out=left_out, account=account, first_steps=steps)


def _stacks(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if content.get("NextToken"):
        raise ConfigError(
            "this is one page of the stacks: it has a NextToken. Run `aws cloudformation "
            "describe-stacks` without --no-paginate and --max-items"
        )
    if not isinstance(content["Stacks"], list):
        raise ConfigError("this is not the output of `aws cloudformation describe-stacks`")
    return [stack for stack in content["Stacks"] if {"StackId", "StackName"} <= stack.keys()]


def _not_a_queue(stack: Mapping[str, Any]) -> str | None:
    """Why a stack is not one of the template, or None if it is."""
    if stack.get("ParentId"):
        return f"it is a nested stack of {stack['ParentId'].split('/')[1]}"
    if "BuildkiteQueue" not in _values(stack):
        return "it is not an Elastic CI Stack"
    status = str(stack.get("StackStatus"))
    if status == "DELETE_COMPLETE":
        return "it was deleted"
    if status.startswith("DELETE_") or status in _ONLY_DELETED:
        return f"its status is {status}, in which CloudFormation can only delete a stack: delete it"
    return None


def _values(stack: Mapping[str, Any]) -> dict[str, str]:
    given = stack.get("Parameters", ())
    return {p["ParameterKey"]: str(p.get("ParameterValue", "")) for p in given}


def _has_hidden_token(stack: Mapping[str, Any]) -> bool:
    """Whether a stack uses a token that is not shown: one in Parameter Store has precedence."""
    values = _values(stack)
    is_hidden = values.get("BuildkiteAgentToken") == HIDDEN
    return is_hidden and not values.get("BuildkiteAgentTokenParameterStorePath")


def _found(stack: Mapping[str, Any], variable: str) -> FoundStack:
    values, name = _values(stack), stack["StackName"]
    version, is_assumed = template_of("", str(stack.get("Description", "")), values)
    is_known = version in elastic_ci_stack.known_versions()
    if elastic_ci_stack.is_usable(version) and not is_known:
        version, is_assumed = template_of("", "", values)
    specs = declarations(version)
    given = {
        parameter: literal(value)
        for parameter, value in values.items()
        # CloudFormation also lists parameters that were not set, with their defaults.
        if parameter in FIELDS or value != str(specs.get(parameter, {}).get("Default", ""))
    }
    notes, steps = [], []
    if is_assumed:
        notes.append(
            f"{name}: its description names no release: {version} is assumed, and the stack keeps "
            "the template that it has"
        )
    if _has_hidden_token(stack):
        given["BuildkiteAgentToken"] = f"${{var.{variable}}}"
        steps.append(
            f"{name}: set TF_VAR_{variable} to its agent token, which CloudFormation does not "
            "show: the first apply after the import writes it"
        )
    elif given.get("BuildkiteAgentToken") == HIDDEN:
        del given["BuildkiteAgentToken"]
    if values.get("BuildkiteQueue"):
        given["BuildkiteQueue"] = values["BuildkiteQueue"]
    unmanaged_ = unmanaged({_ARGUMENTS[k]: v for k, v in stack.items() if k in _ARGUMENTS})
    status = stack.get("StackStatus", "")
    if status and not status.endswith("_COMPLETE"):
        steps.append(
            f"{name}: its status is {status}, in which CloudFormation cannot update it: see "
            "docs/troubleshooting.md, A stack is stuck"
        )
    tags = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", ())}
    return FoundStack(
        name=name,
        version=version,
        parameters=given,
        template_url="" if is_assumed else None,
        tags={literal(key): literal(value) for key, value in tags.items()},
        ignore_changes=sorted(unmanaged_),
        values={
            "name": name,
            "parameters": {name: values[name] for name in given},
            "tags": tags,
            **unmanaged_,
        },
        notes=[*notes, *note_on(unmanaged_, name)],
        steps=steps,
    )
