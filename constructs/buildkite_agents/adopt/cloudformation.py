"""Reads stacks from the output of ``aws cloudformation describe-stacks``.

Format: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
"""

from collections.abc import Mapping
from typing import Any

from buildkite_agents import elastic_ci_stack
from buildkite_agents.adopt.found import Fleet, FoundStack, newest_version_with, version_in
from buildkite_agents.errors import ConfigError
from buildkite_agents.queue import FIELDS

_HIDDEN = "****"


def fleet_of(content: Mapping[str, Any]) -> Fleet:
    """Return the Elastic CI Stacks among the described stacks.

    Raises:
        ConfigError: there are none, or they are in several accounts or regions.
    """
    described = [
        stack
        for stack in content["Stacks"]
        if any(p["ParameterKey"] == "BuildkiteQueue" for p in stack.get("Parameters", ()))
        # A nested stack belongs to its parent.
        and not stack.get("ParentId")
    ]
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
    found, notes = [], []
    for stack in described:
        one, about = _found(stack)
        found.append(one)
        notes += about
    notes.append(f"the stacks are in {region}: set aws_region in terraform.tfvars")
    return Fleet(found, account=account, notes=notes)


def _found(stack: Mapping[str, Any]) -> tuple[FoundStack, list[str]]:
    values = {p["ParameterKey"]: str(p.get("ParameterValue", "")) for p in stack["Parameters"]}
    name, notes = stack["StackName"], []
    version = version_in(str(stack.get("Description", "")))
    if version is None or version not in elastic_ci_stack.known_versions():
        version = newest_version_with(values)
        notes.append(
            f"{name}: its description names no known version: {version} is assumed, the newest "
            "that has its parameters"
        )
    specs = elastic_ci_stack.load(version).parameters
    given = {
        parameter: value
        for parameter, value in values.items()
        # CloudFormation also lists parameters that were not set, with their defaults.
        if parameter in FIELDS or value != str(specs.get(parameter, {}).get("Default", ""))
    }
    if given.get("BuildkiteAgentToken") == _HIDDEN:
        given["BuildkiteAgentToken"] = "${var.buildkite_agent_token}"
        notes.append(f"{name}: its agent token becomes the variable buildkite_agent_token")
    if values.get("BuildkiteQueue"):
        given["BuildkiteQueue"] = values["BuildkiteQueue"]
    status = stack.get("StackStatus", "")
    if status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}:
        notes.append(f"{name}: its status is {status}: see docs/operations.md, A stack is stuck")
    return (
        FoundStack(
            name=name,
            version=version,
            parameters=given,
            tags={tag["Key"]: tag["Value"] for tag in stack.get("Tags", ())},
        ),
        notes,
    )
