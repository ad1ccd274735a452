"""Computes the settings and queues that define an existing fleet."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from buildkite_agents import elastic_ci_stack, names
from buildkite_agents.adopt.constants import SHARED
from buildkite_agents.adopt.found import EMPTY, Fleet, FoundStack, grouped
from buildkite_agents.adopt.render import render
from buildkite_agents.adopt.root import STACK
from buildkite_agents.adopt.shared import NETWORK
from buildkite_agents.checks import checked
from buildkite_agents.checks.settings import setting_problems
from buildkite_agents.elastic_ci_stack import StackVersion, instance_types
from buildkite_agents.errors import ConfigError, Problem
from buildkite_agents.expressions import NullIfEmpty, is_whole_reference
from buildkite_agents.names import Names
from buildkite_agents.options import options
from buildkite_agents.queue import FIELDS, AgentQueue
from buildkite_agents.resolve import resolve
from buildkite_agents.resolved import text_of
from buildkite_agents.settings import (
    AgentAccess,
    AgentToken,
    Deployment,
    Existing,
    Network,
    SecretsBucket,
    StackSettings,
)

_TEMPLATE_QUEUE = "default"
# An image belongs to an architecture, and must not become that of further queues.
_NEVER_COMMON = {*FIELDS, "ImageId", "ImageIdParameter", "InstanceRoleName"}


@dataclass(frozen=True)
class Program:
    """A program, and what it adopts."""

    text: str
    """The Python source."""

    fleet: Fleet
    """The stacks that it adopts, with those that it leaves out."""

    addresses: Mapping[str, str]
    """The new addresses of the stacks, by the former ones."""


def program_of(fleet: Fleet, *, folder: str, output: str) -> Program:
    """Generate the program of a fleet.

    Args:
        fleet: The existing stacks.
        folder: The folder of the Terraform root module.
        output: The program's file, for the commands in it.

    Raises:
        ConfigError: no stack can be adopted, a synthesis refuses the settings, or the program would
            contain a secret.
    """
    while True:
        if not fleet.stacks:
            raise ConfigError(
                *grouped(
                    f"{name}: cannot be adopted: {why}" for name, why in fleet.left_out.items()
                )
            )
        settings = _settings(fleet, folder)
        addresses = _addresses(fleet)
        whole = [
            _queue(stack, fleet, settings, address)
            for stack, address in zip(fleet.stacks, addresses, strict=True)
        ]
        common = _in_most([queue.parameters for queue in whole], fleet.stacks)
        shared = replace(settings, parameters=common)
        queues = [replace(q, parameters=_differences(q.parameters, common)) for q in whole]
        refused = _refused(settings, whole, fleet.stacks)
        if not refused:
            checked(shared, queues)
            moved = {
                stack.address: f"{STACK}.{address}"
                for stack, address in zip(fleet.stacks, addresses, strict=True)
                if stack.address
            }
            return Program(render(fleet, shared, queues, output=output), fleet, moved)
        fleet = replace(
            fleet,
            stacks=[s for s in fleet.stacks if (s.address or s.name) not in refused],
            left_out={**fleet.left_out, **refused},
        )


def _refused(
    settings: StackSettings, queues: Sequence[AgentQueue], stacks: Sequence[FoundStack]
) -> dict[str, str]:
    """The stacks that a synthesis refuses, and why; not what it refuses of the settings."""
    refused: dict[str, list[str]] = {}
    alone: set[Problem] = set()
    for queue, stack in zip(queues, stacks, strict=True):
        problems = _problems_of(settings, [queue])
        alone.update(problems)
        what = [one.what for one in problems if one.where == f"queue {queue.name!r}"]
        refused |= {stack.address or stack.name: what} if what else {}
    # Some rules are for several queues: those that break none with the ones before them are kept.
    if not refused and not alone.issuperset(_problems_of(settings, queues)):
        kept: list[AgentQueue] = []
        for queue, stack in zip(queues, stacks, strict=True):
            what = [p.what for p in _problems_of(settings, [*kept, queue]) if p not in alone]
            if what:
                refused[stack.address or stack.name] = what
            else:
                kept.append(queue)
    # Values are as in a program, where what is no reference is escaped.
    return {
        name: f"{'; '.join(dict.fromkeys(found)).replace('$${', '${').replace('%%{', '%{')}. "
        "Change this in the stack, and adopt again"
        for name, found in refused.items()
    }


def _problems_of(settings: StackSettings, queues: Sequence[AgentQueue]) -> Sequence[Problem]:
    try:
        checked(settings, queues)
    except ConfigError as error:
        return error.problems
    return ()


def _settings(fleet: Fleet, folder: str) -> StackSettings:
    """The settings of the AgentStack, without parameters."""
    deployment = Deployment(folder=folder, inside_root_module=True)
    mappings = [stack.tags for stack in fleet.stacks if isinstance(stack.tags, Mapping)]
    tags: dict[str, str] = {}
    if len(mappings) == len(fleet.stacks):
        first = mappings[0].items()
        tags = dict(sorted(item for item in first if all(item in m.items() for m in mappings)))
    if len(fleet.stacks) == 1 and fleet.stacks[0].is_named_in(tags):
        tags = {}
    if fleet.account is not None:
        deployment = Deployment(folder=folder, import_account=fleet.account)
    settings = StackSettings(
        project="buildkite",
        token=None,
        secrets_bucket=None,
        access=None,
        deployment=deployment,
        tags=None if fleet.account is None else {},
        template_defaults=True,
    )
    settings = _with(settings, tags=tags) if tags else settings
    settings = _with(settings, network=_network(fleet.stacks))
    layout = fleet.layout
    if layout is not None:
        target = Names(layout.project, layout.environment)
        own = layout.token_parameter != target.token_parameter
        return replace(
            settings,
            project=layout.project,
            environment=layout.environment,
            bootstrap_script=f"{folder}/{layout.script}",
            token=AgentToken(
                parameter=layout.token_parameter if own else None,
                organization=layout.organization,
            ),
            secrets_bucket=SecretsBucket(),
            access=AgentAccess(),
            tags=None,
            keep_documented_layout=True,
            template_defaults=False,
        )
    for argument, name in SHARED.items():
        value = _of_all([stack.parameter(name) for stack in fleet.stacks])
        if value and value != EMPTY:
            shared = value if argument == "bootstrap_script" else Existing(value)
            settings = _with(settings, **{argument: shared})
    return settings


def _with(settings: StackSettings, **more: Any) -> StackSettings:
    """The settings with an argument, if it is accepted; else the queues have its values."""
    changed = replace(settings, **more)
    problems = {*setting_problems(changed)} - {*setting_problems(settings)}
    return settings if problems else changed


def _of_all(values: Sequence[Any]) -> Any:
    """The value that all stacks have, or None."""
    return values[0] if all(value == values[0] for value in values) else None


def _most(values: Sequence[Any], count: int) -> Any:
    """The value that more than half of *count* stacks have, or None."""
    counts = Counter(json.dumps(value, sort_keys=True) for value in values)
    ((value, most),) = counts.most_common(1) or [("null", 0)]
    return json.loads(value) if most * 2 > count else None


def _network(stacks: Sequence[FoundStack]) -> Network | None:
    """The VPC and subnets, if all stacks have the same ones."""
    vpc_id, subnets = (_of_all([s.parameters.get(name) for s in stacks]) for name in NETWORK[:2])
    # A network is of one region: with several providers, each queue has its own. One stack's is
    # among the parameters.
    is_of_all = len(stacks) > 1 and len({stack.provider for stack in stacks}) == 1
    if not is_of_all or not vpc_id or not subnets or EMPTY in {vpc_id, subnets}:
        return None
    return Network(vpc_id, subnets if is_whole_reference(subnets) else subnets.split(","))


def _queue(stack: FoundStack, fleet: Fleet, settings: StackSettings, address: str) -> AgentQueue:
    """The queue of a stack, with the parameters that it would not have otherwise."""
    target = Names(settings.project, settings.environment)
    more: dict[str, Any] = {}
    if stack.timeout_minutes is not None:
        more["timeout_minutes"] = stack.timeout_minutes
    if stack.image_version:
        more["image_stack_version"] = stack.image_version
    bare = AgentQueue(
        **_types_of(stack),
        name=stack.parameters.get("BuildkiteQueue", _TEMPLATE_QUEUE),
        stack_version=stack.version,
        template_url=stack.template_url,
        allow_unchecked_version=stack.version not in elastic_ci_stack.known_versions(),
        **_numbers_of(stack, settings),
        provider=stack.provider,
        ignore_changes=stack.ignore_changes or (),
        **more,
    )
    tags: Mapping[str, str] | str | None = stack.tags
    if fleet.layout is not None:
        layouts = {**settings.common_tags, "Name": stack.name, "Queue": bare.name}
        tags = None if stack.tags == layouts else stack.tags
    elif stack.tags == (settings.tags or {}):
        tags = None
    queue = replace(
        bare,
        name="" if replace(bare, name="").name == bare.name else bare.name,
        stack_name=None if target.stack(bare) == stack.name else stack.name,
        tags=tags,
        address=None if names.stack_resource_name(bare) == address else address,
        moved_from=_moved_from(stack, bare, address, is_layout=fleet.layout is not None),
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
        if stack.values["parameters"].get("BootstrapScriptUrl") == fleet.layout.script_url:
            wanted.pop("BootstrapScriptUrl", None)
    left_out = resolved.parameters.keys() - stack.parameters.keys()
    return {**wanted, **dict.fromkeys(sorted(left_out))}


def _version(stack: FoundStack) -> StackVersion:
    return elastic_ci_stack.load(stack.version)


def _types_of(stack: FoundStack) -> dict[str, Any]:
    types = stack.parameter("InstanceTypes")
    if not types:
        return {}
    if not re.fullmatch(r"[\w.-]+(,[\w.-]+)*", types):
        real = stack.values["parameters"]
        first = (real.get("InstanceTypes") or real["InstanceType"]).split(",")[0]
        architecture = instance_types.architecture(first)
        return {"instance_type": _exactly(types), "architecture": architecture}
    first, *more = types.split(",")
    given: dict[str, Any] = {"instance_type": first, "more_instance_types": more or ()}
    if any(instance_types.problem(one) for one in (first, *more)):
        given["architecture"] = instance_types.architecture(first)
    return given


def _numbers_of(stack: FoundStack, settings: StackSettings) -> dict[str, Any]:
    given: dict[str, Any] = {}
    default = AgentQueue()
    for field, option in options(AgentQueue).items():
        if option.parameter is None:
            continue
        value = stack.parameters.get(option.parameter)
        if value is None:
            # With the template's defaults, a field that is not set sets nothing.
            given |= {} if settings.template_defaults else {field: None}
        elif re.fullmatch(r"0|[1-9][0-9]*", value):
            number, rest = divmod(int(value), option.unit)
            given[field] = int(value) / option.unit if rest else number
            if not settings.template_defaults and given[field] == getattr(default, field):
                del given[field]
        else:
            text = _exactly(value)
            given[field] = text if option.unit == 1 else f"{text[:-1]} / {option.unit}}}"
    return given


def _exactly(value: str) -> str:
    """A reference with a value, which is a reference or text that a field does not accept."""
    return value if is_whole_reference(value) else f"${{{json.dumps(value)}}}"


def _addresses(fleet: Fleet) -> list[str]:
    """The resource name of each stack: its own, or for one that moves the first that is free."""
    kept, wanted = [], []
    for address in [*(stack.address for stack in fleet.stacks), *fleet.left_out]:
        stays = re.fullmatch(rf"{STACK}\.([\w-]+)(\[.*\])?", address or "")
        kept.append(stays[1] if stays and (stays[2] is None or address in fleet.left_out) else None)
    for stack in fleet.stacks:
        former = (stack.address or "").replace(f"{STACK}.", "")
        queue = AgentQueue(name=stack.parameters.get("BuildkiteQueue", _TEMPLATE_QUEUE))
        derived = names.stack_resource_name(queue)
        wanted.append((derived, *(re.sub(r"\W+", "-", n).strip("-") for n in (stack.name, former))))
    counts = Counter(name for names_ in wanted for name in {*names_})
    taken, chosen = {*kept}, []
    for own, names_ in zip(kept, wanted, strict=False):
        unique = [name for name in names_ if name and counts[name] == 1]
        # Where each is another stack's too, the stack's name, or a numbered one.
        others = (f"{names_[1]}-{n}" for n in range(2, len(wanted) + 2))
        more = [names_[1], *(name for name in others if not counts[name])]
        chosen.append(own or next(name for name in [*unique, *more] if name not in taken))
        taken.add(chosen[-1])
    return chosen


def _moved_from(
    stack: FoundStack, queue: AgentQueue, address: str, *, is_layout: bool
) -> str | None:
    """The former address of a stack, if it differs from what a synthesis assumes."""
    moves = stack.address not in {None, f"{STACK}.{address}"}
    if is_layout and not moves:
        return ""
    is_default = is_layout and names.former_address(queue) == stack.address
    return stack.address if moves and not is_default else None


def _python(value: str) -> Any:
    """A parameter's value as a Python literal, if it results in the same string."""
    for literal in (True, False, *([int(value)] if re.fullmatch(r"[0-9]{1,9}", value) else ())):
        if text_of(literal) == value:
            return literal
    return value


def _in_most(
    all_given: Sequence[Mapping[str, Any]], stacks: Sequence[FoundStack]
) -> dict[str, Any]:
    """The value that all of several queues have for a parameter; for a number, more than half."""
    if len(stacks) == 1:
        return {}
    everywhere = set.intersection(*(set(_version(stack).parameters) for stack in stacks))
    # A network is of one region.
    never = _NEVER_COMMON.union(NETWORK if len({s.provider for s in stacks}) > 1 else ())
    common = {}
    for name in sorted({name for given in all_given for name in given} & everywhere):
        values = [given[name] for given in all_given if name in given]
        most = _most(values, len(all_given))
        # A text can be of a team, an architecture or a role: another queue must not get it.
        is_shared = not isinstance(most, str) or len(values) == values.count(most) == len(stacks)
        if most is not None and name not in never and is_shared:
            common[name] = most
    return common


def _differences(given: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in {**dict.fromkeys(common), **given}.items()
        if name not in common or value != common[name]
    }
