"""Checks of values against the annotations of their fields."""

import math
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from buildkite_agents.checks.tokens import unknown_value
from buildkite_agents.errors import shown
from buildkite_agents.expressions import expression_problem, is_reference, is_whole_reference
from buildkite_agents.options import Option, options

# The variable of the agent token, and those of further regions' tokens.
_TOKEN_VARIABLE = re.compile(r"\bvar\.buildkite_agent_token\w*")
_COMMAS = ": join the list with commas"
# What to do with a list where a field or a parameter must be a string.
_INSTEAD_OF_LIST = {
    "instance_type": ": set more_instance_types to the further types",
    "name": ": define an AgentQueue for each",
    "alarms.email": ": give one, and subscribe the others to its topic",
    "network.vpc_id": ": give the VPC first, and then its subnets",
    "access.name": _COMMAS,
    **{
        f"parameters['{name}']": _COMMAS
        for name in (
            *("AvailabilityZones", "BuildkiteAdditionalSudoPermissions", "BuildkiteAgentTags"),
            *("BuildkiteAgentExperiments", "InstanceRoleTags", "ManagedPolicyARN", "Subnets"),
            *("ManagedPolicyARNs", "ScalerManagedPolicyARNs", "SecurityGroupId"),
            "SecurityGroupIds",
        )
    },
}
# What this program needs to know itself, or Terraform before everything else.
_NO_REFERENCES = re.compile(
    r"project|environment|name|architecture|address|moved_from|provider|(image_)?stack_version"
    r"|deployment\.(folder|import_account|backend\.\w+)|token\.organization"
)
_WORDS = {
    str: ("a string", "strings"),
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    bool: ("True or False", "True or False"),
    Path: ("a path", "paths"),
    NoneType: ("None", "None"),
    Any: ("a value", "values"),
}


def field_problems(settings: Any, where: str = "") -> Iterator[str]:
    """Return the problems of a dataclass's values with its fields' types and limits."""
    limits = options(type(settings))  # type: ignore[arg-type] # it is hashable
    for field in fields(settings):
        name, value = f"{where}{field.name}", getattr(settings, field.name)
        if value is field.default:
            continue
        annotation: Any = field.type
        if field.name in limits and unknown_value(value, _kinds(annotation)) is None:
            yield from _number_problems(name, value, annotation, limits[field.name])
        else:
            yield from type_problems(name, value, annotation)


def type_problems(where: str, value: Any, annotation: Any) -> Iterator[str]:
    """Return the problems of a value with its type; those of mappings and dataclasses by item."""
    kinds = () if _NO_REFERENCES.fullmatch(where) else _kinds(annotation)
    unknown = unknown_value(value, kinds)
    if unknown is not None:
        yield f"{where} must be {_words(annotation)}, got {unknown}"
    elif isinstance(value, Mapping):
        yield from _mapping_problems(where, value, annotation)
    elif not _matches(value, annotation) or _is_huge(value):
        advice = _INSTEAD_OF_LIST.get(where, "") if _is_list(value) else ""
        yield f"{where} must be {_words(annotation)}, got {shown(value, where)}{advice}"
    elif is_dataclass(value):
        yield from field_problems(value, f"{where}.")
    elif Path not in get_args(annotation) or "://" in str(value):
        for text in [value] if isinstance(value, str) else value if _is_list(value) else ():
            yield from text_problems(where, text)


def text_problems(where: str, text: Any) -> Iterator[str]:
    """Return the problems of a string that becomes part of Terraform's configuration."""
    if not isinstance(text, str):
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        yield f"{where} must be valid Unicode text, got {shown(text, where)}"
        return
    problem = expression_problem(text)
    if problem:
        yield f"{where} {problem}, got {shown(text, where)}"
    elif _TOKEN_VARIABLE.search(text) and "token" not in where.lower():
        yield (
            f"{where} must not contain the agent token, which Terraform, AWS or the agent then "
            "shows: remove the reference to var.buildkite_agent_token"
        )


def _mapping_problems(where: str, value: Mapping[Any, Any], annotation: Any) -> Iterator[str]:
    kinds = [kind for kind in _kinds(annotation) if get_origin(kind) is Mapping]
    if annotation is Any:
        kinds = [Mapping[str, Any]]
    if not kinds:
        yield f"{where} must be {_words(annotation)}, got {shown(value, where)}"
        return
    _, item = get_args(kinds[0])
    for key, inner in value.items():
        if not isinstance(key, str):
            yield f"{where}: keys must be strings, got {shown(key, where)}"
            continue
        if key == "__proto__":
            # CDKTF cannot transfer it to JavaScript.
            yield f"{where}: the key '__proto__' is not supported"
        yield from text_problems(f"{where}: the key {shown(key)}", key)
        yield from type_problems(f"{where}[{shown(key)}]", inner, item)


def _number_problems(where: str, value: Any, annotation: Any, option: Option) -> Iterator[str]:
    kinds = _kinds(annotation)
    number = int | float if float in kinds else int
    steps = f", and a multiple of {option.step}" if option.step > 1 else ""
    if value is None and NoneType in kinds:
        return
    if is_reference(value) and not isinstance(value, str) and option.unit != 1:
        yield f"{where} must be a number, or a reference as a string such as '${{var.minutes}}'"
    elif is_reference(value) and str in kinds:
        if not is_whole_reference(value):
            yield f"{where} must be a number or one reference, got {shown(value, where)}"
        yield from text_problems(where, value)
    elif isinstance(value, bool) or not isinstance(value, number) or _is_huge(value):
        words = _WORDS[float if float in kinds else int][0]
        yield f"{where} must be {words}, got {shown(value, where)}"
    elif not _is_whole(value * option.unit):
        yield f"{where} must be a whole number of seconds, got {value!a}"
    elif value < option.least:
        yield f"{where} must be at least {option.least:g}{steps}, got {value!a}"
    elif option.greatest is not None and value > option.greatest:
        yield f"{where} must be at most {option.greatest:g}{steps}, got {value!a}"
    elif option.step > 1 and value % option.step:
        yield f"{where} must be a multiple of {option.step}, got {value!a}"


def _is_huge(value: Any) -> bool:
    # Larger than what Terraform and CloudFormation accept anywhere.
    return isinstance(value, int) and value.bit_length() > 64


def _is_whole(number: float) -> bool:
    if isinstance(number, int):
        return True
    # With the error of a division, such as 100 / 60 minutes.
    return math.isfinite(number) and abs(number - round(number)) < 1e-6


def _matches(value: Any, annotation: Any) -> bool:
    return any(_matches_kind(value, kind) for kind in _kinds(annotation))


def _matches_kind(value: Any, kind: Any) -> bool:
    if kind is Any:
        return True
    origin = get_origin(kind)
    if origin in {Sequence, Collection}:
        listed = _is_list(value) or (origin is Collection and isinstance(value, set | frozenset))
        return listed and all(_matches(item, get_args(kind)[0]) for item in value)
    if origin is Mapping:
        return isinstance(value, Mapping)
    if kind is Path:
        return isinstance(value, os.PathLike)
    if kind in {int, float}:
        return isinstance(value, kind) and not isinstance(value, bool)
    return isinstance(value, kind)


@cache
def _kinds(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in {Union, UnionType} else (annotation,)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _words(annotation: Any) -> str:
    words = [_kind_words(kind)[0] for kind in _kinds(annotation)]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _kind_words(kind: Any) -> tuple[str, str]:
    if kind in _WORDS:
        return _WORDS[kind]
    if get_origin(kind) is Mapping:
        return "a mapping", "mappings"
    if get_origin(kind) in {Sequence, Collection}:
        items = " or ".join(_kind_words(item)[1] for item in _kinds(get_args(kind)[0]))
        return f"a list of {items}", "lists"
    name = kind.__name__
    article = "an" if name.startswith((*"AEIOU", "S3")) else "a"
    return f"{article} {name}", f"{name} values"
