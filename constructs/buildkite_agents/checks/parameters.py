"""Checks of a stack's parameters against its version of the template.

The rules are those of the Elastic CI Stack's templates and of EC2. Values that contain a Terraform
reference are known only to Terraform, and are not checked.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from buildkite_agents.checks.rules import rules_of
from buildkite_agents.checks.values import is_reference, number
from buildkite_agents.elastic_ci_stack import StackVersion
from buildkite_agents.queue import ParameterValue
from buildkite_agents.stack_parameters import FIELDS

# The values are inserted in double quotes into a shell script, which each instance runs at boot.
_UNSAFE = re.compile(r'["$`\\\r\n]')


def check_own(parameters: Mapping[str, Any], version: StackVersion) -> list[str]:
    """Check that a user's mapping names only parameters that exist in a version of the template."""
    problems = []
    for name, value in parameters.items():
        where = f"parameters[{name!r}]"
        if name not in version.parameters:
            if not version.is_known:
                continue
            close = difflib.get_close_matches(str(name), version.parameters, n=3)
            problems.append(
                f"{where}: Elastic CI Stack {version.version} has no such parameter"
                + (f" (did you mean {' or '.join(close)}?)" if close else "")
            )
        elif name == "BuildkiteQueue" and value is not None:
            problems.append(f"{where} is set already, by name")
        elif name == "BuildkiteAgentToken" and value is not None and not is_reference(value):
            # The message does not contain the value.
            problems.append(
                f"{where} must not be an agent token, which does not belong in a program: set "
                "token of the AgentStack, or a Terraform reference"
            )
        elif value is not None:
            problems += _check_value(where, name, value, version)
    return problems


def check_derived(parameters: Mapping[str, ParameterValue], version: StackVersion) -> list[str]:
    """Check the values that this program derives from the queue's fields."""
    return [
        problem
        for name, value in parameters.items()
        if value is not None and name in version.parameters
        for problem in _check_value(FIELDS.get(name, name), name, value, version)
    ]


def _check_value(where: str, name: str, value: Any, version: StackVersion) -> list[str]:
    """Check a value against the template, and then against the rules of the services behind it."""
    problems = [*_check_declaration(where, value, version.parameters[name], version)]
    text = _text(value)
    if problems or not text or is_reference(value):
        return problems
    return [
        f"{where} must {rule.must}, got {value!r}"
        for rule in rules_of(name)
        if not rule.holds(text)
    ]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_declaration(
    where: str, value: Any, spec: Mapping[str, Any], version: StackVersion
) -> Iterator[str]:
    if is_reference(value):
        return
    if not isinstance(value, str | int | float):
        yield f"{where} must be a string, a number, or True or False, got {value!r}"
        return
    text = _text(value)
    template = f"in Elastic CI Stack {version.version}"
    if not text and str(spec.get("Default", "")):
        # The AWS provider ignores a change to an empty value.
        yield f"{where} must not be empty: leave it out, or give None, for {spec['Default']!r}"
        return
    if _UNSAFE.search(text):
        yield (
            f"{where} must not have quotes, $, backticks, backslashes or line breaks: its value "
            f"becomes part of a shell script {template}, got {value!r}"
        )
        return
    if spec["Type"] == "Number":
        yield from _check_number(where, value, spec, template)
    allowed = spec.get("AllowedValues")
    if allowed and text not in map(str, allowed):
        yield f"{where} must be one of {', '.join(map(repr, allowed))} {template}, got {value!r}"
    pattern = spec.get("AllowedPattern")
    if pattern and not _fullmatch(pattern, text):
        yield f"{where} must match {pattern} {template}, got {value!r}"
    if len(text) < spec.get("MinLength", 0):
        yield f"{where} must be at least {spec['MinLength']} characters {template}, got {value!r}"


def _check_number(where: str, value: Any, spec: Mapping[str, Any], template: str) -> Iterator[str]:
    parsed = number(value)
    if isinstance(value, bool) or parsed is None:
        yield f"{where} must be a number {template}, got {value!r}"
        return
    if "MinValue" in spec and parsed < spec["MinValue"]:
        yield f"{where} must be at least {spec['MinValue']} {template}, got {value!r}"
    if "MaxValue" in spec and parsed > spec["MaxValue"]:
        yield f"{where} must be at most {spec['MaxValue']} {template}, got {value!r}"


def _fullmatch(pattern: str, text: str) -> bool:
    # In Java's regular expressions, which CloudFormation uses, such a hyphen is a literal one.
    return re.fullmatch(pattern.replace(r"\w-", r"\w\-"), text, re.ASCII) is not None
