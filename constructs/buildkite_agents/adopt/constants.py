"""Replaces values of a program with constants: long ones, and those that several queues have."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from buildkite_agents.adopt.found import EMPTY
from buildkite_agents.adopt.source import WIDTH, Code, constant, source
from buildkite_agents.queue import AgentQueue
from buildkite_agents.settings import Existing, StackSettings

SHARED = {
    "bootstrap_script": "BootstrapScriptUrl",
    "token": "BuildkiteAgentTokenParameterStorePath",  # nosec B105
    "secrets_bucket": "SecretsBucket",
    "access": "ManagedPolicyARNs",
}
"""The arguments of an AgentStack, and the parameter that each of them sets."""

_NAMES = {
    "BuildkiteAgentToken": "TOKEN",
    "ImageId": "IMAGE",
    "ManagedPolicyARNs": "POLICIES",
    SHARED["token"]: "TOKEN",
}
# Shorter values are repeated where they are used.
_LEAST = 20


@dataclass
class _Constants:
    """The constants of a program."""

    uses: Mapping[tuple[str, Any], int]
    """How many queues have each value of each parameter."""

    values: dict[str, Any] = field(default_factory=dict)

    def named(self, name: str, value: Any) -> Code:
        """The constant of a value, by this name or a numbered one."""
        numbers = (name if n == 1 else f"{name}_{n}" for n in range(1, len(self.values) + 2))
        return Code(next(n for n in numbers if self.values.setdefault(n, value) == value))

    def of(self, name: str, value: Any, queue: AgentQueue | None = None) -> Any:
        """A parameter's value, or its constant; of all queues, or of one."""
        if not isinstance(value, str):
            return value
        if value == EMPTY:
            return self.named("EMPTY", value)
        is_repeated = self.uses.get((name, value), 0) > 1 and len(value) >= _LEAST
        line = f"{'':16}{source(name)}: {source(value)}," if queue else f"{'':26}{source(value)},"
        if not is_repeated and len(line) <= WIDTH:
            return value
        constant_name = _NAMES.get(name) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()
        if queue is not None and name == "ImageId":
            constant_name = f"{queue.architecture.upper()}_{constant_name}"
        if queue is not None and queue.provider is not None:
            constant_name += f"_{queue.provider.partition('.')[2].replace('-', '_').upper()}"
        # The key in a reference to one of several resources.
        key = re.search(r'\w\["([\w-]+)"\]', value)
        if key:
            constant_name += f"_{key[1].replace('-', '_').upper()}"
        return self.named(constant_name, value)

    def of_queue(self, queue: AgentQueue, common: Mapping[str, str]) -> AgentQueue:
        """A queue, with the tags that it has in *common* with others by name."""
        tags = queue.tags
        if isinstance(tags, str) and queue.name not in tags:
            tags = self.of("tags", tags, queue)
        if isinstance(tags, Mapping) and len(common) > 1 and common.items() < tags.items():
            more = dict(sorted(tags.items() - common.items()))
            tags = {Code(f"**{self.named('TAGS', common)}"): "", **more}
        parameters = {n: self.of(n, v, queue) for n, v in queue.parameters.items()}
        return replace(queue, tags=tags, parameters=parameters)


def with_constants(
    settings: StackSettings, queues: Sequence[AgentQueue]
) -> tuple[StackSettings, Sequence[AgentQueue], list[str]]:
    """Replace values with constants; return their assignments too."""
    uses = Counter(item for queue in queues for item in queue.parameters.items())
    constants = _Constants(uses)
    queues = [constants.of_queue(queue, settings.tags or {}) for queue in queues]
    changed: dict[str, Any] = {
        "parameters": {name: constants.of(name, v) for name, v in settings.parameters.items()}
    }
    for argument, name in SHARED.items():
        given = getattr(settings, argument)
        if isinstance(given, Existing):
            changed[argument] = Existing(constants.of(name, given.name))
    if settings.tags and constants.values.get("TAGS") == settings.tags:
        changed["tags"] = {Code("**TAGS"): ""}
    if settings.network is not None:
        subnets = constants.of("Subnets", settings.network.subnet_ids)
        changed["network"] = replace(settings.network, subnet_ids=subnets)
    settings = replace(settings, **changed)
    return settings, queues, [constant(name, v) for name, v in constants.values.items()]
