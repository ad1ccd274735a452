"""Replaces values of a program with constants: long ones, and those that several queues have."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from buildkite_agents.adopt.source import LONGEST, Code, constant, source
from buildkite_agents.queue import AgentQueue
from buildkite_agents.settings import Existing, StackSettings

_TOKEN = "BuildkiteAgentTokenParameterStorePath"  # noqa: S105 # nosec B105
_NAMES = {"ImageId": "IMAGE", _TOKEN: "TOKEN", "ManagedPolicyARNs": "POLICIES"}
# Shorter values are repeated where they are used.
_LEAST = 20


@dataclass
class _Constants:
    """The constants of a program, by name."""

    values: dict[str, Any] = field(default_factory=dict)

    def of(self, name: str, value: Any) -> Code:
        """The constant of a value, by this name or a numbered one."""
        for number in range(1, len(self.values) + 2):
            numbered = name if number == 1 else f"{name}_{number}"
            if self.values.setdefault(numbered, value) == value:
                break
        return Code(numbered)


def with_constants(
    settings: StackSettings, queues: Sequence[AgentQueue]
) -> tuple[StackSettings, Sequence[AgentQueue], list[str]]:
    """Replace values with constants; return their assignments too."""
    constants = _Constants()
    settings, queues = _tags(settings, queues, constants)
    settings = _settings(settings, constants)
    uses = Counter(
        (name, value)
        for queue in queues
        for name, value in queue.parameters.items()
        if isinstance(value, str)
    )

    def coded(given: Mapping[str, Any], architecture: str = "") -> dict[str, Any]:
        return {
            name: _code(name, value, uses[name, value], architecture, constants)
            if isinstance(value, str)
            else value
            for name, value in given.items()
        }

    settings = replace(settings, parameters=coded(settings.parameters))
    queues = [replace(q, parameters=coded(q.parameters, q.architecture)) for q in queues]
    return settings, queues, [constant(name, value) for name, value in constants.values.items()]


def _code(name: str, value: str, count: int, architecture: str, constants: _Constants) -> str:
    """A parameter's value, or its constant."""
    if value == '${""}':
        return constants.of("EMPTY", value)
    line = f"{'':16}{source(name)}: {source(value)},"
    is_repeated = count > 1 and len(value) >= _LEAST
    if not is_repeated and len(line) <= LONGEST and not (name == _TOKEN and count):
        return value
    constant_name = _NAMES.get(name) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()
    if name == "ImageId":
        constant_name = f"{architecture.upper()}_{constant_name}"
    # The key in a reference to one of several resources.
    key = re.search(r'\["([\w-]+)"\]', value)
    if key:
        constant_name += f"_{key[1].replace('-', '_').upper()}"
    return constants.of(constant_name, value)


def _tags(
    settings: StackSettings, queues: Sequence[AgentQueue], constants: _Constants
) -> tuple[StackSettings, Sequence[AgentQueue]]:
    """Name the tags of the AgentStack where queues have these and more, and long references."""
    queues = [
        replace(queue, tags=constants.of("TAGS", queue.tags))
        if isinstance(queue.tags, str) and len(source(queue.tags)) + 18 > LONGEST
        else queue
        for queue in queues
    ]
    tags = settings.tags or {}
    more = [
        dict(sorted(queue.tags.items() - tags.items()))
        if isinstance(queue.tags, Mapping) and tags.items() < queue.tags.items()
        else {}
        for queue in queues
    ]
    if not any(more) or len(tags) < 2:
        return settings, queues
    named = Code(f"**{constants.of('TAGS', tags)}")
    return replace(settings, tags={named: ""}), [
        replace(queue, tags={named: "", **its}) if its else queue
        for queue, its in zip(queues, more, strict=True)
    ]


def _settings(settings: StackSettings, constants: _Constants) -> StackSettings:
    """Name the arguments that are too long for a line."""
    for argument in ("token", "secrets_bucket", "access"):
        given = getattr(settings, argument)
        if isinstance(given, Existing) and len(given.name) > LONGEST - 20:
            named: dict[str, Any] = {argument: Existing(constants.of(argument.upper(), given.name))}
            settings = replace(settings, **named)
    network = settings.network
    if network and isinstance(network.subnet_ids, str) and len(network.subnet_ids) > LONGEST - 12:
        subnets = constants.of("SUBNETS", network.subnet_ids)
        settings = replace(settings, network=replace(network, subnet_ids=subnets))
    return settings
