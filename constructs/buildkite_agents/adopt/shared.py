"""Finds what queues share, with placeholders for their names."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from buildkite_agents.adopt import hcl
from buildkite_agents.adopt.constants import SHARED
from buildkite_agents.adopt.source import KEY, NAME, SNAKE, STACK_NAME, Code, is_set
from buildkite_agents.queue import AgentQueue
from buildkite_agents.settings import StackSettings

_OWN = {"instance_type", "more_instance_types", "name", "architecture", "parameters"}
NETWORK = ["VpcId", "Subnets", "SecurityGroupIds"]
"""The parameters of a network, which is of one region."""
_TOKENS = ("BuildkiteAgentToken", "BuildkiteAgentTokenParameterStorePath")
_OF_PROVIDER = (*NETWORK, *_TOKENS, *SHARED.values(), "KeyName")
# No two queues have the same.
_UNIQUE = {"stack_name", "address", "moved_from"}
# Shared only if all queues have it: what is of a team or a region is not of each further queue.
_OF_ALL = {*_UNIQUE, "ignore_changes", "tags"}
_INSTANCE = re.compile(r"(aws_cloudformation_stack\.[\w-]+)\[(.+)\]")
_MERGED = re.compile(r"\$\{(merge\(([\w.\[\]\"-]+), \{)(.*)\}\)\}")


def shared_fields(queues: Sequence[AgentQueue], *, by_type: bool) -> dict[str, Any]:
    """What more than half of several queues have, by field, with placeholders for their names.

    Names, tags and what Terraform ignores are shared only if all queues have them. Where the
    stacks' names do not derive from their queues', each queue names its stack.
    """
    shared: dict[str, Any] = {}
    for field in fields(AgentQueue) if len(queues) > 1 else ():
        if field.name in _OWN:
            continue
        given = [queue for queue in queues if is_set(field, getattr(queue, field.name))]
        if field.name == "template_url":
            # Only a stack that exists can keep its template.
            given = [queue for queue in given if queue.template_url]
        for form in _forms(shared.get("stack_name")):
            found = [form(getattr(q, field.name), q, "" if by_type else q.name) for q in given]
            if field.name in _UNIQUE:
                found = [value for value in found if value == "" or "\0" in value]
            most = max(found, key=found.count, default=None)
            least = len(queues) if field.name in _OF_ALL else len(queues) // 2 + 1
            if found.count(most) >= least:
                shared[field.name] = _merged(given, str(most)) if form is _FORMS[-1] else most
                break
        if field.name == "stack_name" and "stack_name" not in shared and given == [*queues] != []:
            shared["stack_name"] = STACK_NAME
    return shared


def _merged(queues: Sequence[AgentQueue], base: str) -> str:
    """The tags ${base} with what all queues that merge something merge into them."""
    merged = [_MERGED.fullmatch(str(queue.tags)) for queue in queues]
    parts = [(q, hcl.arguments(m[3])) for q, m in zip(queues, merged, strict=True) if m]
    items: dict[str, str] = {}
    for key in dict.fromkeys(key for _, given in parts for key in given):
        for form in _FORMS[:_OF_STACK]:
            found = [form(given.get(key), queue, queue.name) for queue, given in parts]
            if found[0] is not None and found.count(found[0]) == len(parts):
                items.setdefault(key, found[0])
    if len(parts) * 2 <= len(queues):
        return base
    text = ", ".join(f"{hcl.key_of(key)} = {value}" for key, value in items.items())
    return f"${{merge({base[2:-1]}, {{ {text} }})}}" if items else base


def shared_items(
    settings: StackSettings, queues: Sequence[AgentQueue], *, by_type: bool
) -> tuple[StackSettings, list[AgentQueue], dict[str, Any]]:
    """Separate the tags and parameters with their names, which all of several queues share."""
    shared: dict[str, Any] = {}
    changed = [*queues]
    forms = _forms(shared_fields(queues, by_type=by_type).get("stack_name"))
    for field, common in {"tags": settings.tags or {}, "parameters": {}}.items():
        every = [getattr(queue, field) for queue in queues]
        every = [common if given is None else given for given in every]
        if by_type or len(queues) == 1 or not all(isinstance(given, Mapping) for given in every):
            continue
        items = {}
        for key in set.intersection(*map(set, every)):
            for form in forms[:-1]:
                one, *more = [form(e[key], q, q.name) for e, q in zip(every, queues, strict=True)]
                is_shared = "\0" in str(one) or (field == "tags" and form is forms[0])
                if is_shared and more.count(one) == len(more):
                    items[key] = one
                    break
        if not any("\0" in item for item in items.values()):
            continue
        items = {key: items[key] for key in every[0] if key in items}
        own = [{k: v for k, v in given.items() if k not in items} for given in every]
        changed = [_with_field(q, field, o) for q, o in zip(changed, own, strict=True)]
        if field == "tags" and settings.tags:
            # Without a state, they are default tags too: none, not this program's own.
            is_imported = settings.deployment.import_account is not None
            settings = replace(settings, tags={} if is_imported else None)
        rest = {Code(f'**fields.pop("{field}", {{}})'): ""}
        shared[field] = {**items, **(rest if field == "parameters" or any(own) else {})}
    return settings, changed, shared


def of_providers(
    queues: Sequence[AgentQueue],
) -> tuple[Sequence[AgentQueue], dict[str | None, dict[str, Any]]]:
    """Separate what all queues of each of several provider configurations have, such as a VPC."""
    shared: dict[str | None, dict[str, Any]] = {}
    for provider in sorted({queue.provider for queue in queues}, key=str):
        one, *more = [queue.parameters for queue in queues if queue.provider == provider]
        shared[provider] = {
            name: one[name]
            for name in _OF_PROVIDER
            if one.get(name) and all(name in each and each[name] == one[name] for each in more)
        }
    if len(shared) == 1 or not any(shared.values()):
        return queues, {}
    own = [
        {name: v for name, v in queue.parameters.items() if name not in shared[queue.provider]}
        for queue in queues
    ]
    return [replace(q, parameters=o) for q, o in zip(queues, own, strict=True)], shared


def own_of_each(queues: Sequence[AgentQueue], shared: Collection[str]) -> list[str]:
    """What a further queue has to set too, as sentences."""
    said = []
    for field in ("parameters", "tags"):
        given = [getattr(queue, field) for queue in queues]
        keys = [k for g in given if isinstance(g, Mapping) for k in g if not isinstance(k, Code)]
        counts = Counter(keys)
        of_each = [key for key, n in counts.items() if n == len(queues)]
        of_most = [key for key, n in counts.items() if len(queues) > n > len(queues) / 2]
        said += [f"Each has {field} of its own: {', '.join(of_each)}."] if of_each else []
        said += [f"Most have {field} of their own: {', '.join(of_most)}."] if of_most else []
    indices: dict[str, list[str]] = {}
    for queue in () if "moved_from" in shared else queues:
        former = _INSTANCE.fullmatch(queue.moved_from or "")
        if former:
            indices.setdefault(former[1], []).append(former[2])
    for resource, keys in indices.items():
        key = max(map(int, keys)) + 1 if all(map(str.isdecimal, keys)) else '"KEY"'
        local = resource.partition(".")[2]
        said.append(f"With moved_from='{resource}[{key}]', a queue is in local.{local} too.")
    return said


def _with(value: Any, text: str, placeholder: str) -> Any:
    """A value with a placeholder in place of a text."""
    if isinstance(value, Mapping):
        return {key: _with(item, text, placeholder) for key, item in value.items()}
    if not isinstance(value, str) or not text:
        return value
    return re.sub(rf"(?<![A-Za-z0-9_]){re.escape(text)}(?![A-Za-z0-9_])", placeholder, value)


_OF_STACK = 4
# In order of preference. The last is what others add to: ${merge(var.tags, {...})}.
_FORMS: Sequence[Callable[[Any, AgentQueue, str], Any]] = (
    lambda value, _, __: value,
    lambda value, _, name: _with(value, name, NAME),
    lambda value, _, name: _with(value, name.replace("_", "-"), KEY),
    lambda value, _, name: _with(value, name.replace("-", "_"), SNAKE),
    lambda value, queue, _: _with(value, queue.stack_name or "", STACK_NAME),
    lambda value, _, __: _MERGED.sub(r"${\2}", value) if isinstance(value, str) else value,
)


def _forms(stack_name: Any) -> Sequence[Callable[[Any, AgentQueue, str], Any]]:
    """The forms; the stack's name is known to the function only where each queue has it."""
    return _FORMS if stack_name == STACK_NAME else [*_FORMS[:_OF_STACK], *_FORMS[_OF_STACK + 1 :]]


def filled(value: Any, queue: AgentQueue) -> Any:
    """A value with the queue's name."""
    if isinstance(value, Mapping):
        return {key: filled(item, queue) for key, item in value.items()}
    if not isinstance(value, str):
        return value
    text = value.replace(NAME, queue.name).replace(KEY, queue.name.replace("_", "-"))
    text = text.replace(SNAKE, queue.name.replace("-", "_"))
    return text.replace(STACK_NAME, queue.stack_name or "")


def _with_field(queue: AgentQueue, field: str, value: Any) -> AgentQueue:
    changed: dict[str, Any] = {field: value}
    return replace(queue, **changed)
