"""Writes the program of a fleet."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any

from buildkite_agents import names
from buildkite_agents.adopt.found import Fleet
from buildkite_agents.adopt.source import (
    LONGEST,
    WIDTH,
    Code,
    arguments,
    call,
    comment,
    constant,
    is_set,
    lines,
    source,
)
from buildkite_agents.queue import AgentQueue
from buildkite_agents.settings import Existing, StackSettings

_NAMES = ("AgentQueue", "AgentToken", "Deployment", "Existing", "Network")
_OWN = {"instance_type", "more_instance_types", "name", "architecture", "parameters"}
_PATTERNS = ("stack_name", "address", "moved_from")
_MERGED = re.compile(r"\$\{merge\(([\w.\[\]\"-]+), \{.*\}\)\}")
_HYPHENS = 'key = name.replace("_", "-")'
_TOKEN = "BuildkiteAgentTokenParameterStorePath"  # noqa: S105 # nosec B105
_CONSTANTS = {"ImageId": "IMAGE", _TOKEN: "TOKEN", "ManagedPolicyARNs": "POLICIES"}
# Shorter values are repeated where they are used.
_LEAST_CONSTANT = 20


@dataclass
class _Shared:
    """What most queues share, which the program's function sets."""

    values: dict[str, Any] = field(default_factory=dict)
    """The values of fields."""

    patterns: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """The fields that contain the queue's name: what is before, its expression, and after."""

    def of(self, name: str, queue: AgentQueue) -> Any:
        """The value that the function sets for a field of a queue."""
        if name in self.patterns:
            before, key, after = self.patterns[name]
            return before + _keys(queue)[key] + after
        return self.values.get(name)

    def sets(self, name: str) -> bool:
        """Whether the function sets a field."""
        return name in self.values or name in self.patterns


def render(
    fleet: Fleet, settings: StackSettings, queues: Sequence[AgentQueue], *, output: str
) -> str:
    """Write the program of *queues* to a text; *output* is its file's name."""
    settings, queues, constants = _with_constants(settings, queues)
    by_type = all(not queue.name_is_given for queue in queues)
    shared = _shared(queues, by_type=by_type)
    formatted = [_queue(queue, shared, by_type=by_type) for queue in queues]
    stack = [
        "app",
        f"project={source(settings.project)}",
        f"environment={source(settings.environment)}",
        f"queues={lines('[', formatted, ']', 4)}",
        *arguments(settings, 4, without=("project", "environment")),
    ]
    function = [*_function(shared, by_type=by_type)]
    after = [*_after(fleet, queues)]
    folder = settings.deployment.folder
    text = [
        '"""Buildkite agents on AWS: existing stacks, adopted without a change.',
        "",
        f"Run `python {output}`, then `terraform -chdir={folder} plan`.",
        '"""',
        "",
    ]
    if function:
        text += ["from dataclasses import replace", "from typing import Any", ""]
    body = "\n".join([*stack, *function])
    used = {"AgentApp", "AgentStack", *(name for name in _NAMES if re.search(rf"\b{name}\b", body))}
    text += [_import(sorted(used)), ""]
    text += [line for note in fleet.notes for line in comment(note)]
    text += [""] if fleet.notes and constants else []
    text += [*constants, "", ""] if constants and function else [*constants]
    text += [""] if bool(fleet.notes) + bool(function) == 2 and not constants else []
    text += [""] if function and not constants else []
    text += [*function, "", ""] if function else [""] if constants or fleet.notes else []
    text += ["app = AgentApp()"]
    text += [f"{'stack = ' if after else ''}{call('AgentStack', stack, 0)}", *after]
    return "\n".join([*text, "app.synth()"]) + "\n"


def _queue(queue: AgentQueue, shared: _Shared, *, by_type: bool) -> str:
    """A queue of the list: a call of the function, or an AgentQueue."""
    if not shared.values and not shared.patterns:
        without = ["name", *([] if queue.architecture_is_given else ["architecture"])]
        formatted = arguments(queue, 12, without=without)
        if queue.name_is_given:
            formatted.insert(queue.instance_type is not None, f"name={source(queue.name)}")
        return call("AgentQueue", formatted, 8, used=1)
    first = [] if by_type else [source(queue.name)]
    if queue.instance_type is not None:
        first.append(source(queue.instance_type))
    formatted = []
    for each in fields(AgentQueue):
        value = getattr(queue, each.name)
        if each.name in {"name", "instance_type"}:
            continue
        if each.name == "architecture" and not queue.architecture_is_given:
            continue
        given = value if is_set(each, value) else None
        if shared.sets(each.name) and given == shared.of(each.name, queue):
            continue
        if shared.sets(each.name) or is_set(each, value):
            value = value if is_set(each, value) or not _is_number(each) else None
            formatted.append(f"{each.name}={source(value, 12, used=len(each.name) + 2)}")
    return call("queue", [*first, *formatted], 8, used=1)


def _is_number(each: "Field[Any]") -> bool:
    return isinstance(each.default, int) and not isinstance(each.default, bool)


def _keys(queue: AgentQueue) -> dict[str, str]:
    return {"name": queue.name, "key": queue.name.replace("_", "-")}


def _shared(queues: Sequence[AgentQueue], *, by_type: bool) -> _Shared:
    """What more than half of the queues have, if there are several."""
    shared = _Shared()
    for each in fields(AgentQueue) if len(queues) > 1 else ():
        if each.name in _OWN:
            continue
        values = [getattr(queue, each.name) for queue in queues]
        if each.name == "tags":
            # What others add to: ${merge(var.tags, {...})}.
            values = [_MERGED.sub(r"${\1}", v) if isinstance(v, str) else v for v in values]
        given = [value for value in values if is_set(each, value)]
        most = max(given, key=given.count, default=None)
        if given.count(most) * 2 > len(queues):
            shared.values[each.name] = most
        elif each.name in _PATTERNS and not by_type:
            found = [
                (*value.partition(text)[::2], key)
                for queue, value in zip(queues, values, strict=True)
                for key, text in _keys(queue).items()
                if value and text in value
            ]
            counted = Counter(found).most_common(1)
            if counted and counted[0][1] * 2 > len(queues):
                before, after, key = counted[0][0]
                shared.patterns[each.name] = (before, key, after)
    return shared


def _function(shared: _Shared, *, by_type: bool) -> Iterator[str]:
    """The function that makes a queue."""
    if not shared.values and not shared.patterns:
        return
    given = []
    for each in fields(AgentQueue):
        if each.name in shared.patterns:
            before, key, after = shared.patterns[each.name]
            text = f"{before}{{{key}}}{after}"
            quoted = f"f{source(text)}" if before or after else key
            given.append(f"{each.name}={quoted}")
        elif each.name in shared.values:
            value = shared.values[each.name]
            given.append(f"{each.name}={source(value, 8, used=len(each.name) + 2)}")
    if by_type:
        yield "def queue(instance_type: str, **fields: Any) -> AgentQueue:"
    else:
        yield "def queue(name: str, instance_type: str | None = None, **fields: Any) -> AgentQueue:"
    yield '    """Return a queue with what most queues share, and its own *fields*."""'
    if any(key == "key" for _, key, _ in shared.patterns.values()):
        yield f"    {_HYPHENS}"
    first = ["instance_type"] if by_type else ["instance_type", "name=name"]
    yield f"    shared = {call('AgentQueue', [*first, *given], 4, used=9)}"
    yield "    return replace(shared, **fields)"


def _after(fleet: Fleet, queues: Sequence[AgentQueue]) -> Iterator[str]:
    """What follows the AgentStack: the stacks' own dependencies, and variables."""
    if fleet.layout is None:
        every = {tuple(stack.depends_on) for stack in fleet.stacks}
        keys = names.stack_keys(queues)
        if len(every) == 1 and len(queues) > 1 and any(every):
            yield "for queue_stack in stack.queue_stacks.values():"
            (only,) = every
            yield "    " + call("queue_stack.add_override", ['"depends_on"', source(only)], 4)
        else:
            for key, stack in zip(keys, fleet.stacks, strict=True):
                if stack.depends_on:
                    formatted = ['"depends_on"', source(list(stack.depends_on))]
                    yield call(f"stack.queue_stacks[{source(key)}].add_override", formatted, 0)
    if fleet.account is not None:
        text = str([dict(stack.parameters) for stack in fleet.stacks])
        for name in sorted(set(re.findall(r"\$\{var\.(\w+)\}", text))):
            declared = {"type": "string", "sensitive": True}
            yield call(
                "stack.add_override",
                [source(f"variable.{name}"), source(declared, 4, used=1)],
                0,
            )


def _with_constants(
    settings: StackSettings, queues: Sequence[AgentQueue]
) -> tuple[StackSettings, list[AgentQueue], list[str]]:
    """Replace values that several queues have with constants."""
    constants: dict[str, Any] = {}
    tags = settings.tags or {}
    more_tags = [
        dict(sorted(queue.tags.items() - tags.items()))
        if isinstance(queue.tags, Mapping) and tags.items() < queue.tags.items()
        else {}
        for queue in queues
    ]
    if any(more_tags) and len(tags) > 1:
        constants["TAGS"] = tags
        settings = replace(settings, tags={Code("**TAGS"): ""})
        queues = [
            replace(queue, tags={Code("**TAGS"): "", **more}) if more else queue
            for queue, more in zip(queues, more_tags, strict=True)
        ]
    counts: Counter[tuple[str, str]] = Counter()
    prefixes: dict[tuple[str, str], str] = {}
    for queue in queues:
        for name, value in queue.parameters.items():
            if isinstance(value, str):
                counts[name, value] += 1
                prefixes.setdefault((name, value), f"{queue.architecture}_".upper())
    shared = {(n, v): 0 for n, v in settings.parameters.items() if isinstance(v, str)}
    code: dict[tuple[str, str], Code] = {}
    for (name, value), count in {**shared, **counts}.items():
        line = f"{'':16}{source(name)}: {source(value)},"
        if value == '${""}':
            constants["EMPTY"] = value
            code[name, value] = Code("EMPTY")
        elif (
            (count > 1 and len(value) >= _LEAST_CONSTANT)
            or len(line) > LONGEST
            or (name == _TOKEN and count)
        ):
            prefix = prefixes[name, value] if name == "ImageId" else ""
            code[name, value] = _constant(prefix + _constant_name(name, value), value, constants)
    for argument in ("token", "secrets_bucket", "access"):
        given = getattr(settings, argument)
        if isinstance(given, Existing) and len(given.name) > LONGEST - 20:
            named: dict[str, Any] = {
                argument: Existing(_constant(argument.upper(), given.name, constants))
            }
            settings = replace(settings, **named)

    def coded(given: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: code.get((name, value), value) if isinstance(value, str) else value
            for name, value in given.items()
        }

    settings = replace(settings, parameters=coded(settings.parameters))
    return (
        settings,
        [replace(q, parameters=coded(q.parameters)) for q in queues],
        [constant(name, value) for name, value in constants.items()],
    )


def _constant(name: str, value: str, constants: dict[str, Any]) -> Code:
    """The constant of a value, by this name or a numbered one."""
    for number in range(1, len(constants) + 2):
        numbered = name if number == 1 else f"{name}_{number}"
        if constants.setdefault(numbered, value) == value:
            break
    return Code(numbered)


def _constant_name(parameter: str, value: str) -> str:
    """The name of a parameter's constant, with the key in its value."""
    name = _CONSTANTS.get(parameter) or re.sub(r"(?<=[a-z])(?=[A-Z])", "_", parameter).upper()
    key = re.search(r'\["([\w-]+)"\]', value)
    return f"{name}_{re.sub(r'-', '_', key[1]).upper()}" if key else name


def _import(imported: Sequence[str]) -> str:
    line = f"from buildkite_agents import {', '.join(imported)}"
    return line if len(line) <= WIDTH else lines("from buildkite_agents import (", imported, ")", 0)
