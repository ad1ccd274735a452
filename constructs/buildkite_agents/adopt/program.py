"""Generates the program that defines an existing fleet."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from buildkite_agents import elastic_ci_stack, names
from buildkite_agents.adopt.found import Fleet, FoundStack, parameter
from buildkite_agents.adopt.source import WIDTH, arguments, call, comment, lines, source
from buildkite_agents.checks import checked
from buildkite_agents.elastic_ci_stack import StackVersion, instance_types
from buildkite_agents.errors import ConfigError
from buildkite_agents.expressions import NullIfEmpty, is_whole_reference
from buildkite_agents.names import Names
from buildkite_agents.options import options
from buildkite_agents.queue import FIELDS, AgentQueue
from buildkite_agents.resolve import resolve
from buildkite_agents.resolved import text_of
from buildkite_agents.settings import AgentToken, Deployment, Existing, Network, StackSettings

_TEMPLATE_QUEUE = "default"
# Parameters that become arguments of the AgentStack if all stacks have the same value.
_SHARED = {
    "bootstrap_script": "BootstrapScriptUrl",
    "token": "BuildkiteAgentTokenParameterStorePath",  # nosec B105
    "secrets_bucket": "SecretsBucket",
    "access": "ManagedPolicyARNs",
}
_NAMES = ("AgentQueue", "AgentToken", "Deployment", "Existing", "Network")


@dataclass(frozen=True)
class Program:
    """A program, and notes for the user."""

    text: str
    """The Python source."""

    notes: Sequence[str]
    """What was not adopted or was assumed, and what a synthesis will refuse, one line each."""


def program_of(
    fleet: Fleet, *, project: str | None, environment: str | None, folder: str
) -> Program:
    """Generate the program of a fleet.

    Args:
        fleet: The existing stacks.
        project: The project; by default derived from the stacks' names, or ``buildkite``.
        environment: The environment; by default derived from the stacks' names, or ``prod``.
        folder: The folder of the Terraform root module.
    """
    guessed = fleet.layout or _names_of(fleet.stacks)
    settings = _settings(
        fleet, Names(project or guessed.project, environment or guessed.environment), folder
    )
    queues = [_queue(stack, fleet, settings) for stack in fleet.stacks]
    common = _in_most([queue.parameters for queue in queues], fleet.stacks)
    settings = replace(settings, parameters=common)
    queues = [replace(q, parameters=_differences(q.parameters, common)) for q in queues]
    try:
        checked(settings, queues)
    except ConfigError as error:
        problems: Sequence[str] = error.problems
    else:
        problems = ()
    notes = [*fleet.notes, *(f"a synthesis refuses this: {problem}" for problem in problems)]
    return Program(_render(fleet, settings, queues, notes), notes)


def _names_of(stacks: Sequence[FoundStack]) -> Names:
    """Derive the project and environment from the stacks' names, if all of them agree."""
    found = set()
    for stack in stacks:
        queue = re.sub(r"[^A-Za-z0-9-]", "-", stack.parameters.get("BuildkiteQueue", ""))
        match = re.fullmatch(
            rf"([a-z][a-z0-9-]*)-([a-z][a-z0-9]*)-buildkite-{re.escape(queue)}", stack.name
        )
        found.add(match.groups() if match else None)
    (only,) = found if len(found) == 1 else (None,)
    return Names(*only) if only else Names("buildkite", "prod")


def _settings(fleet: Fleet, target: Names, folder: str) -> StackSettings:
    """The settings of the AgentStack, without parameters."""
    settings = StackSettings(
        project=target.project,
        environment=target.environment,
        network=_network(fleet.stacks),
        deployment=Deployment(folder=folder, inside_root_module=True),
    )
    if fleet.account is not None:
        # Default tags would change each stack.
        deployment = Deployment(folder=folder, import_account=fleet.account)
        settings = replace(settings, tags={}, deployment=deployment)
    layout = fleet.layout
    if layout is not None:
        own = layout.token_parameter != target.token_parameter
        return replace(
            settings,
            bootstrap_script=f"{folder}/{layout.script}",
            token=AgentToken(
                parameter=layout.token_parameter if own else None,
                organization=layout.organization,
            ),
            keep_documented_layout=True,
        )
    shared: dict[str, Any] = dict.fromkeys(_SHARED)
    for argument, name in _SHARED.items():
        (value, *others) = {parameter(stack, name) for stack in fleet.stacks}
        if value and not others:
            shared[argument] = value if argument == "bootstrap_script" else Existing(value)
    return replace(settings, **shared)


def _network(stacks: Sequence[FoundStack]) -> Network | None:
    """The VPC and subnets, if all stacks have the same ones."""
    networks = {(s.parameters.get("VpcId"), s.parameters.get("Subnets")) for s in stacks}
    (vpc_id, subnets) = networks.pop()
    if networks or not vpc_id or not subnets:
        return None
    return Network(vpc_id, subnets if is_whole_reference(subnets) else subnets.split(","))


def _queue(stack: FoundStack, fleet: Fleet, settings: StackSettings) -> AgentQueue:
    """The queue of a stack, with the parameters that it would not have otherwise."""
    target = Names(settings.project, settings.environment)
    bare = AgentQueue(
        **_types_of(stack),
        name=stack.parameters.get("BuildkiteQueue", _TEMPLATE_QUEUE),
        stack_version=stack.version,
        allow_unchecked_version=stack.version not in elastic_ci_stack.known_versions(),
        **_numbers_of(stack),
        provider=stack.provider,
        ignore_changes=stack.ignore_changes,
    )
    tags: Mapping[str, str] | None = stack.tags
    if fleet.layout is not None:
        layouts = {**settings.common_tags, "Name": stack.name, "Queue": bare.name}
        tags = None if stack.tags == layouts else stack.tags
    queue = replace(
        bare,
        name="" if replace(bare, name="").name == bare.name else bare.name,
        stack_name=None if target.stack(bare) == stack.name else stack.name,
        tags=tags,
        **_place_of(stack, bare, fleet.stacks),
    )
    return replace(queue, parameters=_parameters(stack, queue, fleet, settings))


def _parameters(
    stack: FoundStack, queue: AgentQueue, fleet: Fleet, settings: StackSettings
) -> dict[str, Any]:
    """The parameters that differ from those that the queue would have without them."""
    (resolved,) = resolve(settings, [(queue, _version(stack))]).queues
    made = {
        name: value
        for name, value in resolved.parameters.items()
        if not isinstance(resolved.value(name), NullIfEmpty)
    }
    wanted = {
        name: _python(value)
        for name, value in stack.parameters.items()
        if made.get(name) != value and name not in FIELDS
    }
    if fleet.layout is not None:
        # The layout sets it from the variable, as this program does.
        wanted.pop("ImageId", None)
    left_out = resolved.parameters.keys() - stack.parameters.keys()
    return {**wanted, **dict.fromkeys(sorted(left_out))}


def _version(stack: FoundStack) -> StackVersion:
    usable = elastic_ci_stack.is_usable(stack.version)
    newest = elastic_ci_stack.known_versions()[-1]
    return elastic_ci_stack.load(stack.version if usable else newest)


def _types_of(stack: FoundStack) -> dict[str, Any]:
    types = parameter(stack, "InstanceTypes")
    if not types:
        return {}
    if not re.fullmatch(r"[\w.-]+(,[\w.-]+)*", types):
        return {"instance_type": _exactly(types), "architecture": instance_types.AMD64}
    first, *more = types.split(",")
    given: dict[str, Any] = {"instance_type": first, "more_instance_types": more or ()}
    if any(instance_types.problem(one) for one in (first, *more)):
        given["architecture"] = instance_types.architecture(first)
    return given


def _numbers_of(stack: FoundStack) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for field, option in options(AgentQueue).items():
        if option.parameter is None:
            continue
        value = stack.parameters.get(option.parameter)
        if value is None:
            given[field] = None
        elif re.fullmatch(r"0|[1-9][0-9]*", value):
            number, rest = divmod(int(value), option.unit)
            given[field] = int(value) / option.unit if rest else number
        else:
            text = _exactly(value)
            given[field] = text if option.unit == 1 else f"{text[:-1]} / {option.unit}}}"
    return given


def _exactly(value: str) -> str:
    """A reference with a value, which is a reference or text that a field does not accept."""
    return value if is_whole_reference(value) else f"${{{json.dumps(value)}}}"


def _place_of(stack: FoundStack, queue: AgentQueue, stacks: Sequence[FoundStack]) -> dict[str, Any]:
    """The address fields of a stack; one with a key or a module moves.

    The new address derives from the queue, unless several stacks serve it.
    """
    name = stack.parameters.get("BuildkiteQueue")
    several = sum(each.parameters.get("BuildkiteQueue") == name for each in stacks) > 1
    own = re.sub(r"[^A-Za-z0-9_-]+", "-", stack.name) if several else None
    if stack.address is None:
        return {"address": own}
    if "[" in stack.address or stack.address.startswith("module."):
        moves = names.former_address(queue) != stack.address
        return {"address": own, "moved_from": stack.address if moves else None}
    address = names.resource_name(stack.address)
    is_derived = names.stack_resource_name(queue) == address
    return {"moved_from": "", "address": None if is_derived else address}


def _python(value: str) -> Any:
    """A parameter's value as a Python literal, if it results in the same string."""
    for literal in (True, False, *([int(value)] if re.fullmatch(r"[0-9]{1,9}", value) else ())):
        if text_of(literal) == value:
            return literal
    return value


def _in_most(
    all_given: Sequence[Mapping[str, Any]], stacks: Sequence[FoundStack]
) -> dict[str, Any]:
    """The value that more than half of the queues have for a parameter."""
    everywhere = set.intersection(*(set(_version(stack).parameters) for stack in stacks))
    common = {}
    named = {name for given in all_given for name in given} & (everywhere - FIELDS.keys())
    for name in sorted(named):
        counts = Counter(json.dumps(given[name]) for given in all_given if name in given)
        value, count = counts.most_common(1)[0]
        if count * 2 > len(all_given) and len(all_given) > 1:
            common[name] = json.loads(value)
    return common


def _differences(given: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in {**dict.fromkeys(common), **given}.items()
        if name not in common or value != common[name]
    }


def _render(
    fleet: Fleet, settings: StackSettings, queues: Sequence[AgentQueue], notes: Sequence[str]
) -> str:
    """Format the program."""
    common = _common_fields(queues)
    formatted = [_format(queue, common) for queue in queues]
    stack = [
        "app",
        f"project={source(settings.project)}",
        f"environment={source(settings.environment)}",
        f"queues={lines('[', formatted, ']', 4)}",
        *arguments(settings, 4, without=("project", "environment")),
    ]
    used = {name for name in _NAMES if any(f"{name}(" in argument for argument in stack)}
    variables = _variables(fleet)
    text = ['"""The existing queues and their agents."""', ""]
    if common:
        text += ["from typing import Any", ""]
    if variables:
        text += ["import cdktf", ""]
    text += [_import(sorted({"AgentApp", "AgentStack", *used})), ""]
    text += [line for note in notes for line in comment(note)]
    text += [""] if notes else []
    if common:
        text += [f"COMMON: dict[str, Any] = {source(common)}", ""]
    text += ["app = AgentApp()"]
    text += [f"{'stack = ' if variables else ''}{call('AgentStack', stack, 0)}"]
    text += [
        f'cdktf.TerraformVariable(stack, "{name}", type="string", sensitive=True)'
        for name in variables
    ]
    return "\n".join([*text, "app.synth()"]) + "\n"


def _format(queue: AgentQueue, common: Mapping[str, Any]) -> str:
    formatted = arguments(queue, 12, without=("name", *common))
    if queue.name_is_given and "name" not in common:
        formatted.insert(queue.instance_type is not None, f"name={source(queue.name)}")
    if not queue.architecture_is_given:
        formatted = [each for each in formatted if not each.startswith("architecture=")]
    if common:
        formatted.insert(queue.instance_type is not None, "**COMMON")
    return call("AgentQueue", formatted, 8)


def _common_fields(queues: Sequence[AgentQueue]) -> dict[str, Any]:
    """The fields that all queues set to the same value."""
    if len(queues) < 2:
        return {}
    default = AgentQueue()
    own = {"instance_type", "name", "architecture", "parameters"}
    common = {}
    for field in fields(AgentQueue):
        values = [getattr(queue, field.name) for queue in queues]
        if field.name not in own and values[0] != getattr(default, field.name):
            common.update({field.name: values[0]} if values.count(values[0]) == len(values) else {})
    return common


def _import(imported: Sequence[str]) -> str:
    line = f"from buildkite_agents import {', '.join(imported)}"
    return line if len(line) <= WIDTH else lines("from buildkite_agents import (", imported, ")", 0)


def _variables(fleet: Fleet) -> list[str]:
    """The variables that the program declares; an existing root module has them already."""
    if fleet.account is None:
        return []
    text = json.dumps([dict(stack.parameters) for stack in fleet.stacks])
    return sorted(set(re.findall(r"\$\{var\.(\w+)\}", text)))
