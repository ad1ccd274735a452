"""Writes the program of a fleet."""

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from buildkite_agents import names
from buildkite_agents.adopt.constants import with_constants
from buildkite_agents.adopt.found import Fleet, FoundStack
from buildkite_agents.adopt.shared import (
    filled,
    of_providers,
    own_of_each,
    shared_fields,
    shared_items,
)
from buildkite_agents.adopt.source import (
    STACK_NAME,
    WIDTH,
    Code,
    arguments,
    call,
    constant,
    definition,
    is_set,
    lines,
    paragraphs,
    source,
)
from buildkite_agents.errors import ConfigError
from buildkite_agents.options import Unset
from buildkite_agents.queue import AgentQueue
from buildkite_agents.settings import StackSettings

_OF_IMAGE = ("ImageId", "ImageIdParameter")
_OF_PROVIDERS = '"""By provider configuration, of which None is the default one."""'
_NAMES = ("AgentQueue", "AgentToken", "Deployment", "Existing", "Network")


def render(
    fleet: Fleet, settings: StackSettings, queues: Sequence[AgentQueue], *, output: str
) -> str:
    """Write the program of *queues* to a text; *output* is its file's name.

    Raises:
        ConfigError: it would contain a secret.
    """
    by_type = not any(queue.name_is_given for queue in queues)
    queues, by_provider = of_providers(queues)
    settings, queues, items = shared_items(settings, queues, by_type=by_type)
    settings, queues, constants = with_constants(settings, queues)
    if by_provider:
        constants.append(f"{constant('PARAMETERS', by_provider)}\n{_OF_PROVIDERS}")
        own = items.get("parameters", {Code('**fields.pop("parameters", {})'): ""})
        items["parameters"] = {Code("**PARAMETERS.get(provider, {})"): "", **own}
    shared = {"provider": None, **shared_fields(queues, by_type=by_type), **items}
    if not by_provider and shared["provider"] is None:
        del shared["provider"]
    is_one = len(queues) == 1
    indent = 0 if is_one else 8
    formatted = [_queue(q, shared, items, indent, by_type=by_type) for q in queues]
    stack = [
        "app",
        f"project={source(settings.project)}",
        f"queues={'[queue]' if is_one else lines('[', formatted, ']', 4)}",
        *arguments(settings, 4, without=("project",)),
    ]
    function = "\n".join(_function(shared, queues, fleet, by_type=by_type))
    after = [*_after(fleet, queues)]
    variable = "stack = " if after else ""
    app = ["app = AgentApp()", f"{variable}{call('AgentStack', stack, 0)}", *after, "app.synth()"]
    if is_one:
        app.insert(0, f"queue = {formatted[0]}")
    used = ["AgentApp", "AgentStack"]
    used += [name for name in _NAMES if re.search(rf"\b{name}\b", "\n".join([*app, function]))]
    folder = settings.deployment.folder
    steps = f"Next: python {output} && terraform -chdir={folder} plan."
    header = f"Buildkite agents. {steps}"
    if len(header) > WIDTH - 6:
        header = f"Buildkite agents.\n\n{paragraphs([steps], 0)}\n"
    if is_one:
        header = f"{header.rstrip()}\n\n{_further(queues[0], fleet.stacks[0])}\n"
    parts = [
        f'"""{header}"""',
        "from dataclasses import replace\nfrom typing import Any" if function else "",
        _import(sorted(used)),
        "\n".join(constants),
        function and f"\n{function}\n",
        "\n".join(app),
    ]
    text = "\n\n".join(filter(None, parts)) + "\n"
    _check_secrets(text, fleet.secrets)
    return text


def _check_secrets(text: str, secrets: Mapping[str, str]) -> None:
    """Raise a ConfigError if a program contains a secret, such as in the key of a tag."""
    texts = [str(n.value) for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Constant)]
    problems = [
        f"{where} is a secret, but the program would contain its value, which is also in a name, a "
        "URL or the key of a tag: change it there, or do not mark it as sensitive, and adopt again"
        for value, where in secrets.items()
        if any(value in one for one in texts)
    ]
    if problems:
        raise ConfigError(*problems)


def _queue(
    queue: AgentQueue,
    shared: Mapping[str, Any],
    items: Collection[str],
    indent: int,
    *,
    by_type: bool,
) -> str:
    """A queue: a call of the function, or an AgentQueue."""
    formatted = [] if queue.instance_type is None else [source(queue.instance_type)]
    if shared and not by_type:
        formatted.insert(0, source(queue.name))
    elif not shared and queue.name_is_given:
        formatted.append(f"name={source(queue.name)}")
    required = "stack_name" if shared.get("stack_name") == STACK_NAME else ""
    for field in fields(AgentQueue):
        name, value = field.name, getattr(queue, field.name)
        if name == "address" and name in shared:
            value = names.stack_resource_name(queue)
        is_derived = name == "architecture" and not queue.architecture_is_given
        if name in {"name", "instance_type"} or is_derived:
            continue
        given = is_set(field, value)
        if name in items and not value:
            continue
        if name in shared:
            is_same = value == filled(shared[name], queue)
            if is_same and (given or value is None) and name != required:
                continue
            # With the template's defaults, it is the same as an omitted number.
            value = None if isinstance(value, Unset) else value
        elif not given:
            continue
        formatted.append(f"{name}={source(value, indent + 4, used=len(name) + 2)}")
    return call("queue" if shared else "AgentQueue", formatted, indent, used=1 if indent else 8)


def _further(queue: AgentQueue, stack: FoundStack) -> str:
    """How to define a further queue like this one: with each field that has to differ."""
    own = ["name=...", *(["stack_name=..."] if queue.stack_name else [])]
    own += ["instance_type=..."] if queue.instance_type else []
    own += ["architecture=..."] if queue.architecture_is_given else []
    own += ["more_instance_types=()"] if queue.more_instance_types else []
    # Only a stack that exists can keep its template.
    own += ["template_url=None"] if queue.template_url == "" else []
    own += [f"{name}=None" for name in ("address", "moved_from") if getattr(queue, name)]
    for field in ("tags", "parameters"):
        given, real = getattr(queue, field) or {}, stack.values.get(field) or {}
        of_stack = [k for k in real if k in _OF_IMAGE or stack.is_named_in({k: real[k]})]
        of_stack = [k for k in of_stack if k != "BuildkiteAgentToken"]
        if isinstance(given, str):
            own += [f"{field}=..."] if of_stack else []
            continue
        changed = [f"{source(key)}: ..." for key in given if key in of_stack]
        own += [f"{field}={{**queue.{field}, {', '.join(changed)}}}"] if changed else []
    code = call("replace", ["queue", *own], 4, used=10)
    return (
        "A further queue is this one with its own values in place of ...; add it to queues:\n\n"
        f"    from dataclasses import replace\n\n    further = {code}"
    )


def _function(
    shared: Mapping[str, Any], queues: Sequence[AgentQueue], fleet: Fleet, *, by_type: bool
) -> Iterator[str]:
    """The function that makes a queue."""
    if not shared:
        return
    have_types = all(queue.instance_type for queue in queues)
    first = f"instance_type: str{'' if have_types else ' | None = None'}"
    first = first if by_type else f"name: str, {first}"
    keywords = ["stack_name: str"] if shared.get("stack_name") == STACK_NAME else []
    if "**PARAMETERS.get(provider, {})" in shared.get("parameters", {}):
        keywords.append(f"provider: str | None = {source(shared['provider'])}")
        shared = {**shared, "provider": Code("provider")}
    named = [*(["*", *keywords] if keywords else []), "**fields: Any"]
    yield definition("def queue", [*first.split(", "), *named], " -> AgentQueue:")
    doc = '    """Return a queue with what most queues share, and its own *fields*.'
    more = [*own_of_each(queues, shared), *_lifecycle_of_most(fleet)]
    yield f'{doc}\n\n{paragraphs(more, 4)}\n    """' if more else f'{doc}"""'
    given = ["instance_type"] if by_type else ["instance_type", "name=name"]
    given += [f"{name}={source(v, 8, used=len(name) + 2)}" for name, v in shared.items()]
    for local, old, new in (("key", "_", "-"), ("snake", "-", "_")):
        if f"\\x00{local}\\x00" in repr(shared):
            yield f'    {local} = name.replace("{old}", "{new}")'
    yield f"    shared = {call('AgentQueue', given, 4, used=9)}"
    yield "    return replace(shared, **fields)"


def _lifecycle_of_most(fleet: Fleet) -> Iterator[str]:
    """What most stacks have, and a further queue has not, as a sentence."""
    given: list[dict[str, Any]] = []
    for stack in fleet.stacks:
        ignored = {"ignore_changes": stack.ignore_changes} if stack.ignore_changes else {}
        given.append({**(stack.overrides if fleet.layout is None else {}), **ignored})
    counts, count = Counter(name for each in given for name in each), len(given)
    most = [name for name, n in counts.items() if count > n > count / 2]
    if most:
        yield f"Most have {', '.join(most)} of their own."


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
        # What all have is of further queues too.
        every = len(keys) == len(queues)
        if every or len(keys) > 1:
            over = "stack.queue_stacks.values()" if every else source(keys, used=12)
            yield f"for {'queue_stack' if every else 'key'} in {over}:"
            one, indent = "queue_stack" if every else "stack.queue_stacks[key]", "    "
        yield indent + call(f"{one}.add_override", override.split("\0"), len(indent))
    if fleet.account is not None:
        text = str([dict(stack.parameters) for stack in fleet.stacks])
        variables = sorted(set(re.findall(r"\$\{var\.(\w+)\}", text)))
        declared = {"type": "string", "sensitive": True}
        for name in variables[:1]:
            path, indented = source(f"variable.{name}"), 0
            if len(variables) > 1:
                yield f"for name in {source(variables, used=13)}:"
                path, indented = 'f"variable.{name}"', 4
            formatted = [path, source(declared, indented + 4, used=1)]
            yield " " * indented + call("stack.add_override", formatted, indented)


def _import(imported: Sequence[str]) -> str:
    line = f"from buildkite_agents import {', '.join(imported)}"
    return line if len(line) <= WIDTH else lines("from buildkite_agents import (", imported, ")", 0)
