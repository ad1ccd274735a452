"""Checks of the queues of a deployment, individually and together."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from buildkite_agents import elastic_ci_stack
from buildkite_agents.checks import parameters, risks
from buildkite_agents.checks.together import COMBINED_RULES
from buildkite_agents.checks.values import Values, is_reference, tag_problems
from buildkite_agents.elastic_ci_stack import StackVersion, instance_types
from buildkite_agents.errors import Problem
from buildkite_agents.names import Names, address, moved_from
from buildkite_agents.queue import AgentQueue, ParameterValue
from buildkite_agents.stack_parameters import FIELDS, Wiring, all_parameters, sets_field

# Buildkite's pattern for a queue's key.
# https://buildkite.com/docs/agent/queues
_QUEUE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
_STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
# https://developer.hashicorp.com/terraform/language/syntax/configuration#identifiers
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_PROVIDER = re.compile(rf"aws(\.{_IDENTIFIER.pattern})?")
_MOVED_FROM = re.compile(
    rf"(module\.{_IDENTIFIER.pattern}(\[[^\]]+\])?\.)*aws_cloudformation_stack\."
    rf'{_IDENTIFIER.pattern}(\[("[^"]+"|[0-9]+)\])?'
)
_NOWHERE = ("moved_from", "")
_ARGUMENT = re.compile(r'[a-z_]+(\["[^"]+"\]|\.[\w-]+)?')
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
_LONGEST_ROLE_NAME = 64
# The pattern of EC2 instance types other than Macs.
_NEW_TYPE = re.compile(
    r"(?!mac)[a-z]{1,5}[0-9]+[a-z0-9-]*\.([0-9]*(nano|micro|small|medium|x?large)|metal[a-z0-9-]*)"
)

# The minimum and maximum of each integer field.
_NUMBERS: dict[str, tuple[int, int | None]] = {
    "min_size": (0, None),
    "max_size": (0, None),
    "on_demand_percentage": (0, 100),
    "idle_minutes": (1, None),
    "agents_per_instance": (1, None),
    "timeout_minutes": (1, None),
}


def check_queues(queues: Any, names: Names, wiring: Wiring) -> list[str]:
    """Return the problems of a deployment's queues.

    *wiring* holds the values that their stacks share, with references to resources to be created.
    """
    if isinstance(queues, AgentQueue | str | Mapping) or not isinstance(queues, Sequence):
        return [f"queues must be a list of AgentQueue values, got {queues!r}"]
    if not queues:
        return ["queues must not be empty"]
    strangers = [queue for queue in queues if not isinstance(queue, AgentQueue)]
    if strangers:
        return [f"queues must be AgentQueue values, got {stranger!r}" for stranger in strangers]
    problems = _check_common(wiring.parameters, queues)
    problems += [problem for queue in queues for problem in check_queue(queue, names, wiring)]
    return problems or [*_check_duplicates(queues, names)]


def _check_common(common: Mapping[str, Any], queues: Sequence[AgentQueue]) -> list[str]:
    versions = dict.fromkeys(
        q.stack_version for q in queues if isinstance(q.stack_version, str) and _is_usable(q)
    )
    return list(
        dict.fromkeys(
            problem
            for version in versions
            for problem in parameters.check_own(common, elastic_ci_stack.load(version))
        )
    )


def _check_duplicates(queues: Sequence[AgentQueue], names: Names) -> Iterator[str]:
    # Stack names are compared case-insensitively, like the names of the roles derived from them.
    kinds: tuple[tuple[str, Callable[[AgentQueue], str], str], ...] = (
        ("name", lambda queue: queue.name.lower(), "name"),
        ("stack name", lambda queue: names.stack(queue).lower(), "stack_name"),
        ("Terraform address", address, "address"),
        ("address to move from", moved_from, "moved_from"),
    )
    for what, of, field in kinds:
        counts = Counter(
            # Stacks in different regions can have the same name.
            (of(queue), queue.provider if field == "stack_name" else None)
            for queue in queues
            # Several stacks can serve one queue, each with its own address.
            if field != "name" or queue.address is None
        )
        twice = [value for (value, _), count in counts.items() if count > 1]
        for value in twice:
            count = sum(1 for queue in queues if of(queue) == value)
            yield f"queue {value!r}: {count} queues have this {what}; set {field}, another for each"
        if twice:
            return


def check_queue(queue: AgentQueue, names: Names, wiring: Wiring) -> list[str]:
    """Return the problems of one queue."""
    problems = [*_check_types(queue)]
    if not problems:
        problems = [
            *_check_names(queue, names),
            *_check_numbers(queue),
            *_check_instance_types(queue),
            *_check_accepted_risks(queue),
        ]
        if _is_usable(queue):
            version = elastic_ci_stack.load(queue.stack_version)
            problems += _check_parameters(queue, version, names, wiring, sound=not problems)
        else:
            problems.append(_unknown_version(queue.stack_version))
    return [Problem(problem, where=f"queue {queue.name!r}") for problem in problems]


def _is_usable(queue: AgentQueue) -> bool:
    version = queue.stack_version
    return version in elastic_ci_stack.known_versions() or (
        queue.allow_unchecked_version and elastic_ci_stack.is_newer(version)
    )


def _unknown_version(version: str) -> str:
    known = elastic_ci_stack.known_versions()
    newer = elastic_ci_stack.is_newer(version)
    return (
        f"stack_version must be a published version from {known[0]} to {known[-1]}, got "
        f"{version!r}"
        + ("; to use it unchecked, set allow_unchecked_version=True" if newer else "")
    )


_LIST = ("a list", (list, tuple))
_TEXT = ("text", (str,))
_TEXT_OR_NONE = ("text, or None", (str, type(None)))
_TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "instance_type": ("text, such as 'm5.4xlarge', or None", (str, type(None))),
    "name": _TEXT,
    "architecture": _TEXT,
    "more_instance_types": _LIST,
    "stack_version": ("text, such as 'v6.71.1'", (str,)),
    "allow_unchecked_version": ("True or False", (bool,)),
    "stack_name": _TEXT_OR_NONE,
    "address": _TEXT_OR_NONE,
    "moved_from": _TEXT_OR_NONE,
    "provider": _TEXT_OR_NONE,
    "tags": ("a mapping of names to values, one reference, or None", (Mapping, str, type(None))),
    "ignore_changes": _LIST,
    "parameters": ("a mapping of names to values", (Mapping,)),
    "accepted_risks": ("a list", (list, tuple, set, frozenset)),
}


def _check_types(queue: AgentQueue) -> Iterator[str]:
    for field, (expected, types) in _TYPES.items():
        value = getattr(queue, field)
        if not isinstance(value, types):
            yield f"{field} must be {expected}, got {value!r}"


def _check_names(queue: AgentQueue, names: Names) -> Iterator[str]:
    if not queue.name:
        yield "name is required without an instance_type"
        return
    if not _QUEUE_NAME.fullmatch(queue.name):
        yield (
            "name must be letters, digits, hyphens, underscores and dots, starting with a letter "
            f"or digit, at most 255, got {queue.name!r}"
        )
        return
    stack = names.stack(queue)
    if not is_reference(stack) and not _STACK_NAME.fullmatch(stack):
        field = "name" if queue.stack_name is None else "stack_name"
        yield (
            f"{field}: the CloudFormation stack's name must be at most 128 letters, digits and "
            f"hyphens, starting with a letter, got {stack!r}"
            + ("" if field != "name" else ": set stack_name")
        )
    yield from _check_role_name(queue, names)
    for field, pattern, example in (
        ("address", _IDENTIFIER, "a Terraform identifier, such as gpu_queue"),
        ("moved_from", _MOVED_FROM, 'such as aws_cloudformation_stack.agents["gpu"]'),
        ("provider", _PROVIDER, "aws, or such as aws.us_east_1"),
    ):
        value = getattr(queue, field)
        if value is not None and not pattern.fullmatch(value) and (field, value) != _NOWHERE:
            yield f"{field} must be {example}, got {value!r}"
    for argument in queue.ignore_changes:
        if not isinstance(argument, str) or not _ARGUMENT.fullmatch(argument):
            yield f'ignore_changes must be arguments, such as tags["owner"], got {argument!r}'
    if isinstance(queue.tags, Mapping):
        yield from tag_problems("tags", queue.tags)
    if isinstance(queue.tags, str) and not is_reference(queue.tags):
        yield f"tags must be a mapping of names to values, or one reference, got {queue.tags!r}"


def _check_role_name(queue: AgentQueue, names: Names) -> Iterator[str]:
    given = "InstanceRoleName" in queue.parameters
    # The template's default name is STACK-Role.
    role = queue.parameters.get("InstanceRoleName") if given else names.instance_role(queue)
    role = role or f"{names.stack(queue)}-Role"
    if not is_reference(role) and len(str(role)) > _LONGEST_ROLE_NAME:
        yield (
            f"name is too long by {len(str(role)) - _LONGEST_ROLE_NAME}: its IAM role {role!r} "
            f"must be at most {_LONGEST_ROLE_NAME} characters, got {len(str(role))}: set "
            "parameters={'InstanceRoleName': ...}, or another name"
        )


def _check_accepted_risks(queue: AgentQueue) -> list[str]:
    known = [risk.name for risk in risks.RISKS]
    return [
        f"accepted_risks must be some of {', '.join(known)}, got {name!r}"
        for name in queue.accepted_risks
        if name not in known
    ]


def _check_parameters(
    queue: AgentQueue, version: StackVersion, names: Names, wiring: Wiring, *, sound: bool
) -> list[str]:
    problems = [*_check_said_once(queue)]
    problems += parameters.check_own(queue.parameters, version)
    if problems or not sound:
        return problems
    merged = _merged(queue, version, names, wiring)
    given = {**wiring.parameters, **queue.parameters}
    derived = {
        name: value
        for name, value in merged.items()
        if name not in given or value is not given[name]
    }
    values = values_of(queue, names, wiring)
    return [
        *parameters.check_derived(derived, version),
        *(problem for rule in COMBINED_RULES for problem in rule.problems(values)),
    ]


def _merged(
    queue: AgentQueue, version: StackVersion, names: Names, wiring: Wiring
) -> dict[str, ParameterValue]:
    return all_parameters(queue, version, instance_role=names.instance_role(queue), wiring=wiring)


def values_of(queue: AgentQueue, names: Names, wiring: Wiring) -> Values:
    """The parameter values of a queue's stack, as far as they are known."""
    version = elastic_ci_stack.load(queue.stack_version)
    given = {**wiring.parameters, **queue.parameters}
    # Other policies can permit more.
    is_known = not given.keys() & {"ManagedPolicyARNs", "ManagedPolicyARN", "InstanceRoleARN"}
    return Values(
        _merged(queue, version, names, wiring),
        version,
        own=given,
        accepted_risks=queue.accepted_risks,
        permitted=wiring.permitted if is_known else None,
        script_needs_dnf=wiring.script_needs_dnf and "BootstrapScriptUrl" not in given,
        versions_of_image=wiring.versions_of_image,
    )


def _check_said_once(queue: AgentQueue) -> Iterator[str]:
    for parameter, field in FIELDS.items():
        if parameter in queue.parameters and sets_field(queue, parameter):
            yield f"parameters[{parameter!r}] is set already, by {field}: set one of them"


def _check_numbers(queue: AgentQueue) -> list[str]:
    problems = []
    for field, (least, greatest) in _NUMBERS.items():
        value = getattr(queue, field)
        if value is None and field != "timeout_minutes":
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            problems.append(f"{field} must be a whole number, got {value!r}")
        elif value < least:
            problems.append(f"{field} must be at least {least}, got {value}")
        elif greatest is not None and value > greatest:
            problems.append(f"{field} must be at most {greatest}, got {value}")
    return problems


def _check_instance_types(queue: AgentQueue) -> list[str]:
    architectures = (instance_types.AMD64, instance_types.ARM64)
    if queue.architecture not in architectures:
        return [
            f"architecture must be {' or '.join(map(repr, architectures))}, "
            f"got {queue.architecture!r}"
        ]
    if queue.instance_type is None:
        if queue.more_instance_types:
            return ["more_instance_types requires instance_type"]
        field = "parameters['InstanceTypes']"
    else:
        field = "instance_type"
    problems = []
    for position, instance_type in enumerate(queue.all_instance_types):
        where = "more_instance_types" if position and queue.instance_type else field
        problem = _check_instance_type(instance_type, queue, is_first=position == 0)
        if problem:
            problems.append(f"{where}: {problem}")
    return problems


def _check_instance_type(instance_type: Any, queue: AgentQueue, *, is_first: bool) -> str | None:
    if not isinstance(instance_type, str):
        return f"must be text, such as 'm5.4xlarge', got {instance_type!r}"
    unknown = instance_types.problem(instance_type)
    if unknown and not (queue.architecture_is_given and _NEW_TYPE.fullmatch(instance_type)):
        return f"{unknown}; for a newer one, set architecture"
    architecture = instance_types.architecture(instance_type)
    if architecture != queue.architecture:
        return (
            f"{instance_type!r} is {architecture}, and the queue is {queue.architecture}: "
            "all instance types of a queue share one machine image"
        )
    own_image = any(queue.parameters.get(name) for name in ("ImageId", "ImageIdParameter"))
    if is_first and not own_image and architecture == instance_types.ARM64 and _is_usable(queue):
        # The template derives the architecture from the first instance type only.
        version = elastic_ci_stack.load(queue.stack_version)
        if instance_types.family(instance_type) not in version.arm64_instance_families:
            return (
                f"Elastic CI Stack {version.version} does not recognize "
                f"{instance_types.family(instance_type)!r} as arm64 and would boot an amd64 image "
                "on it: choose another instance type or stack version, or set ImageId"
            )
    return None
