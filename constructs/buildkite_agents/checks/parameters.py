"""Checks of the parameters of a queue's stack against its version of the template.

The rules are those of the Elastic CI Stack's templates and of the services behind it. Values that
contain a Terraform reference are known only to Terraform, and only their other text is checked.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Any

from buildkite_agents import elastic_ci_stack, patterns
from buildkite_agents.checks.combinations import COMBINED_RULES
from buildkite_agents.checks.names import role_name_problems, stack_name_problems
from buildkite_agents.checks.rules import rules_of
from buildkite_agents.checks.warnings import without_effect
from buildkite_agents.elastic_ci_stack import StackVersion
from buildkite_agents.elastic_ci_stack.replaced import replacements
from buildkite_agents.errors import Problem, did_you_mean, shown
from buildkite_agents.expressions import is_reference, literal_text
from buildkite_agents.queue import FIELDS, AgentQueue
from buildkite_agents.resolved import Parameter, ResolvedQueue, ResolvedStack, number, text_of

# The values are inserted in double quotes into a shell script, which each instance runs at boot.
_UNSAFE = re.compile(r'["$`\\\r\n]')


def parameter_problems(
    queue: ResolvedQueue, stack: ResolvedStack, *, only_explicit: bool
) -> list[Problem]:
    """Return the problems of what a queue's stack gets; shared ones do not name the queue.

    Args:
        queue: The queue.
        stack: The AgentStack of the queue.
        only_explicit: Whether to check only the ``parameters`` of the queue and of the AgentStack,
            because other values follow from settings that have problems.
    """
    where = f"queue {queue.name!a}"
    replaced = _replaced(queue)
    problems = [
        Problem(each, where="" if queue.settings[names[0]].is_shared else where)
        for names, each in replaced
    ]
    settled = {name for names, _ in replaced for name in names}
    idle = without_effect(queue)
    problems += [
        Problem(each, where="" if parameter.is_shared else where)
        for name, parameter in queue.settings.items()
        if name not in settled and (parameter.is_explicit or not only_explicit)
        for each in _problems(name, parameter, queue.version, has_effect=name not in idle)
    ]
    if problems or only_explicit:
        return problems
    return [
        Problem(each, where=where)
        for found in (
            stack_name_problems(queue),
            role_name_problems(queue),
            *(rule.problems(queue, stack) for rule in COMBINED_RULES),
        )
        for each in found
    ]


def _replaced(queue: ResolvedQueue) -> list[tuple[tuple[str, ...], str]]:
    """What to write instead of parameters and values that the version removed, by parameters."""
    explicit = {
        name: parameter.value
        for name, parameter in queue.settings.items()
        if parameter.is_explicit and parameter.value is not None
    }
    return [
        (names, f"{' and '.join(f'parameters[{name!a}]' for name in names)}: {message}")
        for names, message in replacements(explicit, queue.version.version)
        if not any(name in FIELDS for name in names)
    ]


def _problems(
    name: str, parameter: Parameter, version: StackVersion, *, has_effect: bool
) -> Iterator[str]:
    where, value = parameter.field, parameter.value
    if parameter.is_explicit:
        where = f"parameters[{name!a}]"
        if name in FIELDS and not (name == "BuildkiteQueue" and value is None):
            yield f"{where} is set by {FIELDS[name]} of the AgentQueue: set that field instead"
            return
        if name not in version.parameters:
            # A version that is newer than the history can have it. A queue can leave out a
            # parameter of all queues that its version does not have.
            is_left_out = value is None and name in elastic_ci_stack.history()["parameters"]
            if version.has(name) is False and not is_left_out:
                yield _unknown_parameter(where, name, version)
            return
        if name == "BuildkiteAgentToken" and value is not None and not is_reference(value):
            # The message does not contain the value.
            yield (
                f"{where} must not be an agent token, which does not belong in a program: set "
                "token of the AgentStack, or a Terraform reference"
            )
            return
    elif value is not None and version.has(name) is False:
        yield f"{where}: Elastic CI Stack {version.version} has no parameter {name}"
        return
    elif value is not None and not version.is_known and version.has(name) is None:
        yield (
            f"stack_version: this program sets {name}, and it is unknown whether "
            f"{version.version} has it: choose a known version"
        )
        return
    if value is not None:
        yield from value_problems(where, name, value, version, has_effect=has_effect)


def _unknown_parameter(where: str, name: str, version: StackVersion) -> str:
    of_fields = {**FIELDS, **{field.name: field.name for field in fields(AgentQueue)}}
    del of_fields["parameters"]
    known = {
        **{parameter: parameter for parameter in version.parameters},
        **{word: f"the field {field} of the AgentQueue" for word, field in of_fields.items()},
    }
    return (
        f"{where}: Elastic CI Stack {version.version} has no such parameter"
        f"{did_you_mean(name, known)}"
    )


# Queues have most of their values in common.
@lru_cache(maxsize=1024, typed=True)
def value_problems(
    where: str, name: str, value: Any, version: StackVersion, *, has_effect: bool = True
) -> Sequence[str]:
    """Check a value against the template, and then against the rules of the services behind it.

    The field *where* begins each problem. A value that has no effect reaches no service.
    """
    return [*_value_problems(where, name, value, version, has_effect=has_effect)]


def _value_problems(
    where: str, name: str, value: Any, version: StackVersion, *, has_effect: bool
) -> Iterator[str]:
    template = f"in Elastic CI Stack {version.version}"
    if isinstance(value, str) and patterns.SECRET.search(value):
        # The message does not contain the value.
        yield (
            f"{where} must not contain a secret: parameters are readable in CloudFormation and on "
            "the instances. Refer to a Terraform variable; jobs get secrets from the secrets bucket"
        )
        return
    if isinstance(value, str) and not rules_of(name):
        # The script has a line break at the end, as of a heredoc, within quotes: it is harmless.
        value = value.removesuffix("\n")
    if is_reference(value):
        if isinstance(value, str) and _UNSAFE.search(literal_text(value)):
            yield _unsafe(where, value, template)
        return
    text = text_of(value)
    broken = [rule.must for rule in rules_of(name) if text and has_effect and not rule.holds(text)]
    # The words of a rule say more than a pattern of the template.
    spec = version.parameters[name]
    spec = {key: spec[key] for key in spec if key != "AllowedPattern" or not broken}
    problems = [*_declaration_problems(where, value, spec, template)]
    yield from problems or (f"{where} must {must}, got {shown(value, where)}" for must in broken)


def _unsafe(where: str, value: Any, template: str) -> str:
    return (
        f"{where} must not have quotes, $, backticks, backslashes or line breaks: its value "
        f"becomes part of a shell script {template}, got {shown(value, where)}"
    )


def _declaration_problems(
    where: str, value: Any, spec: Mapping[str, Any], template: str
) -> Iterator[str]:
    text = text_of(value)
    if not text and str(spec.get("Default", "")):
        # The AWS provider ignores a change to an empty value.
        yield f"{where} must not be empty: leave it out, or give None, for {spec['Default']!a}"
        return
    if _UNSAFE.search(text):
        yield _unsafe(where, value, template)
        return
    if spec["Type"] == "Number":
        yield from _number_problems(where, value, spec, template)
    allowed = spec.get("AllowedValues")
    if allowed and text not in map(str, allowed):
        yield (
            f"{where} must be one of {', '.join(map(repr, allowed))} {template}, got "
            f"{shown(value, where)}"
        )
    pattern = spec.get("AllowedPattern")
    if pattern and text.startswith("arn:") and "arn:" not in pattern:
        yield f"{where} must be a name {template}, which does not accept an ARN"
    elif pattern and not _fullmatch(pattern, text):
        yield f"{where} must match {pattern} {template}, got {shown(value, where)}"
    if len(text) < spec.get("MinLength", 0):
        yield (
            f"{where} must be at least {spec['MinLength']} characters {template}, got "
            f"{shown(value, where)}"
        )


def _number_problems(
    where: str, value: Any, spec: Mapping[str, Any], template: str
) -> Iterator[str]:
    parsed = number(value)
    if isinstance(value, bool) or parsed is None:
        yield f"{where} must be a number {template}, got {shown(value, where)}"
        return
    if "MinValue" in spec and parsed < spec["MinValue"]:
        yield f"{where} must be at least {spec['MinValue']} {template}, got {shown(value, where)}"
    if "MaxValue" in spec and parsed > spec["MaxValue"]:
        yield f"{where} must be at most {spec['MaxValue']} {template}, got {shown(value, where)}"


def _fullmatch(pattern: str, text: str) -> bool:
    # In Java's regular expressions, which CloudFormation uses, such a hyphen is a literal one.
    return re.fullmatch(pattern.replace(r"\w-", r"\w\-"), text, re.ASCII) is not None
