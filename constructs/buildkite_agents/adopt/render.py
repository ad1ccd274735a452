"""Writes the program of a fleet."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from buildkite_agents import names
from buildkite_agents.adopt.constants import with_constants
from buildkite_agents.adopt.found import Fleet
from buildkite_agents.adopt.source import (
    KEY,
    NAME,
    STACK_NAME,
    WIDTH,
    arguments,
    call,
    is_set,
    lines,
    source,
)
from buildkite_agents.options import Unset
from buildkite_agents.queue import AgentQueue
from buildkite_agents.settings import StackSettings

_NAMES = ("AgentQueue", "AgentToken", "Deployment", "Existing", "Network")
_OWN = {
    "ignore_changes",
    "instance_type",
    "more_instance_types",
    "name",
    "architecture",
    "parameters",
}
# No two queues have the same.
_UNIQUE = {"stack_name", "address", "moved_from"}
_MERGED = re.compile(r"\$\{merge\(([\w.\[\]\"-]+), \{.*\}\)\}")


def render(
    fleet: Fleet, settings: StackSettings, queues: Sequence[AgentQueue], *, output: str
) -> str:
    """Write the program of *queues* to a text; *output* is its file's name."""
    settings, queues, constants = with_constants(settings, queues)
    by_type = not any(queue.name_is_given for queue in queues)
    shared = _shared(queues, by_type=by_type)
    formatted = [_queue(queue, shared, by_type=by_type) for queue in queues]
    stack = [
        "app",
        f"project={source(settings.project)}",
        f"queues={lines('[', formatted, ']', 4)}",
        *arguments(settings, 4, without=("project",)),
    ]
    function = "\n".join(_function(shared, by_type=by_type))
    after = [*_after(fleet, queues)]
    variable = "stack = " if after else ""
    app = ["app = AgentApp()", f"{variable}{call('AgentStack', stack, 0)}", *after, "app.synth()"]
    used = ["AgentApp", "AgentStack"]
    used += [name for name in _NAMES if re.search(rf"\b{name}\b", "\n".join([*stack, function]))]
    folder = settings.deployment.folder
    paragraphs = [
        f'"""Buildkite agents. Next: python {output} && terraform -chdir={folder} plan."""',
        "from dataclasses import replace\nfrom typing import Any" if function else "",
        _import(sorted(used)),
        "\n".join(constants),
        function and f"\n{function}\n",
        "\n".join(app),
    ]
    return "\n\n".join(filter(None, paragraphs)) + "\n"


def _queue(queue: AgentQueue, shared: Mapping[str, Any], *, by_type: bool) -> str:
    """A queue of the list: a call of the function, or an AgentQueue."""
    formatted = [] if queue.instance_type is None else [source(queue.instance_type)]
    if shared and not by_type:
        formatted.insert(0, source(queue.name))
    elif not shared and queue.name_is_given:
        formatted.append(f"name={source(queue.name)}")
    for field in fields(AgentQueue):
        name, value = field.name, getattr(queue, field.name)
        if name in {"name", "instance_type"}:
            continue
        if name == "architecture" and not queue.architecture_is_given:
            continue
        given = is_set(field, value)
        if name in shared:
            if given and value == _filled(shared[name], queue) and shared[name] != STACK_NAME:
                continue
            # With the template's defaults, it is the same as an omitted number.
            value = None if isinstance(value, Unset) else value
        elif not given:
            continue
        formatted.append(f"{name}={source(value, 12, used=len(name) + 2)}")
    return call("queue" if shared else "AgentQueue", formatted, 8, used=1)


def _shared(queues: Sequence[AgentQueue], *, by_type: bool) -> dict[str, Any]:
    """What more than half of several queues have, by field, with placeholders for their names.

    Stacks whose names do not derive from their queues' are named by each queue.
    """
    shared = {}
    for field in fields(AgentQueue) if len(queues) > 1 else ():
        given = [queue for queue in queues if is_set(field, getattr(queue, field.name))]
        if field.name == "template_url":
            # Only a stack that exists can keep its template.
            given = [queue for queue in given if queue.template_url]
        for form in _FORMS if field.name not in _OWN else ():
            found = [form(getattr(q, field.name), q, "" if by_type else q.name) for q in given]
            if field.name in _UNIQUE:
                found = [value for value in found if value == "" or "\0" in value]
            most = max(found, key=found.count, default=None)
            if found.count(most) * 2 > len(queues):
                shared[field.name] = most
                break
        if field.name == "stack_name" and "stack_name" not in shared and given == [*queues] != []:
            shared["stack_name"] = STACK_NAME
    return shared


def _with(value: Any, text: str, placeholder: str) -> Any:
    """A value with a placeholder in place of a text."""
    if isinstance(value, Mapping):
        return {key: _with(item, text, placeholder) for key, item in value.items()}
    if not isinstance(value, str) or not text:
        return value
    return re.sub(rf"(?<![A-Za-z0-9_]){re.escape(text)}(?![A-Za-z0-9_])", placeholder, value)


# In order of preference. The last is what others add to: ${merge(var.tags, {...})}.
_FORMS: Sequence[Callable[[Any, AgentQueue, str], Any]] = (
    lambda value, _, __: value,
    lambda value, _, name: _with(value, name, NAME),
    lambda value, _, name: _with(value, name.replace("_", "-"), KEY),
    lambda value, queue, _: _with(value, queue.stack_name or "", STACK_NAME),
    lambda value, _, __: _MERGED.sub(r"${\1}", value) if isinstance(value, str) else value,
)


def _filled(value: Any, queue: AgentQueue) -> Any:
    """A value with the queue's name."""
    if isinstance(value, Mapping):
        return {key: _filled(item, queue) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    filled = value.replace(NAME, queue.name).replace(KEY, queue.name.replace("_", "-"))
    return filled.replace(STACK_NAME, queue.stack_name or "")


def _function(shared: Mapping[str, Any], *, by_type: bool) -> Iterator[str]:
    """The function that makes a queue."""
    if not shared:
        return
    first = "instance_type: str" if by_type else "name: str, instance_type: str | None = None"
    named = ", *, stack_name: str" if shared.get("stack_name") == STACK_NAME else ""
    line = f"def queue({first}{named}, **fields: Any) -> AgentQueue:"
    yield line if len(line) <= WIDTH else line.replace("(", "(\n    ").replace(") ->", "\n) ->")
    yield '    """Return a queue with what most queues share, and its own *fields*."""'
    given = ["instance_type"] if by_type else ["instance_type", "name=name"]
    given += [f"{name}={source(v, 8, used=len(name) + 2)}" for name, v in shared.items()]
    if any(re.search(r"[ {=]key\b[},]?", each) for each in given):
        yield '    key = name.replace("_", "-")'
    yield f"    shared = {call('AgentQueue', given, 4, used=9)}"
    yield "    return replace(shared, **fields)"


def _after(fleet: Fleet, queues: Sequence[AgentQueue]) -> Iterator[str]:
    """What follows the AgentStack: the meta-arguments of stacks, and variables."""
    by_override: dict[str, list[str]] = {}
    for key, stack in zip(names.stack_keys(queues), fleet.stacks, strict=True):
        for path, value in stack.overrides.items() if fleet.layout is None else ():
            formatted = [source(path), source(value)]
            # In a loop, if it is of several stacks.
            by_override.setdefault("\0".join(formatted), []).append(key)
    for override, keys in by_override.items():
        one, indent = f"stack.queue_stacks[{source(keys[0])}]", ""
        if len(keys) > 1:
            every = len(keys) == len(queues)
            over = "stack.queue_stacks.values()" if every else source(tuple(keys), used=9)
            yield f"for {'queue_stack' if every else 'key'} in {over}:"
            one, indent = "queue_stack" if every else "stack.queue_stacks[key]", "    "
        yield indent + call(f"{one}.add_override", override.split("\0"), len(indent))
    if fleet.account is not None:
        text = str([dict(stack.parameters) for stack in fleet.stacks])
        for name in sorted(set(re.findall(r"\$\{var\.(\w+)\}", text))):
            declared = source({"type": "string", "sensitive": True}, 4, used=1)
            yield call("stack.add_override", [source(f"variable.{name}"), declared], 0)


def _import(imported: Sequence[str]) -> str:
    line = f"from buildkite_agents import {', '.join(imported)}"
    return line if len(line) <= WIDTH else lines("from buildkite_agents import (", imported, ")", 0)
