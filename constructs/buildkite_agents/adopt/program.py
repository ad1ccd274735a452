"""Generates the program that defines an existing fleet."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from buildkite_agents import elastic_ci_stack, names
from buildkite_agents.adopt.found import Fleet, FoundStack, parameter
from buildkite_agents.checks.queue import check_queues
from buildkite_agents.checks.values import may_be_null
from buildkite_agents.elastic_ci_stack import instance_types
from buildkite_agents.names import Names
from buildkite_agents.queue import AgentQueue
from buildkite_agents.stack_parameters import FIELDS, Wiring, all_parameters, null_if_empty

_WIDTH = 88
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
    target = Names(project or guessed.project, environment or guessed.environment)
    draft = _Draft(fleet, target)
    problems = check_queues(draft.queues(), target, draft.wiring)
    notes = [*fleet.notes, *(f"a synthesis refuses this: {problem}" for problem in problems)]
    return Program(draft.render(folder, notes), notes)


def _names_of(stacks: Sequence[FoundStack]) -> Names:
    """Derive the project and environment from the stacks' names, if all of them agree."""
    names = set()
    for stack in stacks:
        queue = re.sub(r"[^A-Za-z0-9-]", "-", stack.parameters.get("BuildkiteQueue", ""))
        found = re.fullmatch(
            rf"([a-z][a-z0-9-]*)-([a-z][a-z0-9]*)-buildkite-{re.escape(queue)}", stack.name
        )
        names.add(found.groups() if found else None)
    (only,) = names if len(names) == 1 else (None,)
    return Names(*only) if only else Names("buildkite", "prod")


class _Draft:
    """The settings of a fleet's program."""

    def __init__(self, fleet: Fleet, target: Names) -> None:
        self._fleet = fleet
        self._stacks = fleet.stacks
        self._names = target
        self._settings = self._shared_settings()
        self._network = self._shared_network()
        self.wiring = self._wiring({})
        self._fields = [self._fields_of(stack) for stack in fleet.stacks]
        own = [
            self._parameters_of(stack, given)
            for stack, given in zip(fleet.stacks, self._fields, strict=True)
        ]
        self._common = _in_most(own, self._everywhere_known())
        self._own = [
            {
                name: value
                for name, value in {**dict.fromkeys(self._common), **given}.items()
                if name not in self._common or value != self._common[name]
            }
            for given in own
        ]
        self.wiring = self._wiring(self._common)
        self._common_fields = _in_all(self._fields)

    def _shared_settings(self) -> dict[str, str]:
        """The arguments of the AgentStack that refer to existing resources."""
        shared = {}
        for argument, name in _SHARED.items():
            values = {parameter(stack, name) for stack in self._stacks}
            if len(values) == 1 and (value := values.pop()):
                shared[argument] = value
        return shared

    def _shared_network(self) -> tuple[str, str] | None:
        """The VPC and subnets, if all stacks have the same ones."""
        networks = {(s.parameters.get("VpcId"), s.parameters.get("Subnets")) for s in self._stacks}
        (vpc_id, subnets) = networks.pop()
        return (vpc_id, subnets) if vpc_id and subnets and not networks else None

    def _wiring(self, common: Mapping[str, Any]) -> Wiring:
        variable = null_if_empty("later")
        policies = self._settings.get("access")
        vpc_id, subnets = self._network or (variable, variable)
        return Wiring(
            vpc_id=vpc_id,
            subnets=subnets,
            amis="later",
            bootstrap_script_url=self._settings.get("bootstrap_script"),
            token_parameter=self._settings.get("token"),
            managed_policy_arns=(policies,) if policies else (),
            secrets_bucket=self._settings.get("secrets_bucket"),
            keep_documented_layout=self._fleet.layout is not None,
            ecr_access="full" if self._fleet.layout is not None else None,
            parameters=common,
        )

    def _everywhere_known(self) -> set[str]:
        """The parameters that exist in the versions of all stacks."""
        versions = {_known_version(stack.version) for stack in self._stacks}
        return set.intersection(*(set(elastic_ci_stack.load(v).parameters) for v in versions))

    def _fields_of(self, stack: FoundStack) -> dict[str, Any]:
        """The fields of a stack's queue other than parameters, without defaults."""
        given: dict[str, Any] = {
            **_types_of(stack),
            "name": stack.parameters.get("BuildkiteQueue", _TEMPLATE_QUEUE),
            "stack_version": stack.version,
            "allow_unchecked_version": elastic_ci_stack.is_newer(stack.version),
            **_numbers_of(stack),
            "stack_name": stack.name,
            **_place_of(stack, is_only=self._is_only(stack)),
            "tags": dict(stack.tags),
            "ignore_changes": list(stack.ignore_changes) or (),
        }
        return self._without_defaults(given)

    def _is_only(self, stack: FoundStack) -> bool:
        """Whether no other stack serves the same queue."""
        queue = stack.parameters.get("BuildkiteQueue")
        return sum(each.parameters.get("BuildkiteQueue") == queue for each in self._stacks) == 1

    def _without_defaults(self, given: Mapping[str, Any]) -> dict[str, Any]:
        defaults = {f.name: f.default for f in fields(AgentQueue) if f.init}
        bare = AgentQueue(given.get("instance_type"), architecture=given.get("architecture", ""))
        named = AgentQueue(given.get("instance_type"), name=given["name"])
        defaults["name"] = bare.name
        defaults["stack_name"] = self._names.stack(named)
        defaults["address"] = names.address(named)
        defaults["moved_from"] = names.moved_from(named)
        if self._fleet.layout is not None:
            tags = {"Project": self._names.project, "Environment": self._names.environment}
            stack = given.get("stack_name", self._names.stack(named))
            defaults["tags"] = {**tags, "Name": stack, "Queue": given["name"]}
        return {name: value for name, value in given.items() if value != defaults.get(name)}

    def _parameters_of(self, stack: FoundStack, given: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters that differ from those that a queue with the *given* fields would have."""
        queue = AgentQueue(**given)
        if not queue.name:
            queue = AgentQueue(**given, name=_TEMPLATE_QUEUE)
        version = elastic_ci_stack.load(_known_version(stack.version))
        role = self._names.instance_role(queue)
        made = all_parameters(queue, version, instance_role=role, wiring=self.wiring)
        wanted = {
            name: _python(value)
            for name, value in stack.parameters.items()
            if _text(made.get(name)) != value
        }
        if self._fleet.layout is not None:
            # The layout sets it from the variable, as this program does.
            wanted.pop("ImageId", None)
        left_out = made.keys() - stack.parameters.keys()
        wanted.update({name: None for name in sorted(left_out) if made[name] not in {None, ""}})
        return wanted

    def queues(self) -> list[AgentQueue]:
        """The queues that the program defines."""
        return [
            AgentQueue(**given, parameters=own)
            for given, own in zip(self._fields, self._own, strict=True)
        ]

    def render(self, folder: str, notes: Sequence[str]) -> str:
        """The program's text."""
        stack = self._stack_arguments(folder)
        used = {name for name in _NAMES if any(f"{name}(" in argument for argument in stack)}
        imported = sorted({"AgentApp", "AgentStack", *used})
        lines = ['"""The existing queues and their agents."""', ""]
        if self._common_fields:
            lines += ["from typing import Any", ""]
        variables = self._variables()
        if variables:
            lines += ["import cdktf", ""]
        lines += [_import(imported), ""]
        for note in notes:
            lines += _comment(note)
        if notes:
            lines.append("")
        if self._common_fields:
            lines += [f"COMMON: dict[str, Any] = {_value(self._common_fields, 0)}", ""]
        lines += ["app = AgentApp()"]
        call = _call("AgentStack", ["app", *stack], 0)
        lines += [f"stack = {call}" if variables else call]
        lines += [
            f'cdktf.TerraformVariable(stack, "{name}", type="string", sensitive=True)'
            for name in variables
        ]
        lines += ["app.synth()"]
        return "\n".join(lines) + "\n"

    def _variables(self) -> list[str]:
        """The variables that the program declares; an existing root module has them already."""
        if self._fleet.account is None:
            return []
        text = json.dumps([dict(stack.parameters) for stack in self._stacks])
        return sorted(set(re.findall(r"\$\{var\.(\w+)\}", text)))

    def _stack_arguments(self, folder: str) -> list[str]:
        queues = [self._queue(*each) for each in zip(self._fields, self._own, strict=True)]
        arguments = [
            f"project={_value(self._names.project, 4)}",
            f"environment={_value(self._names.environment, 4)}",
            f"queues={_sequence(queues, 4)}",
        ]
        if self._common:
            arguments.append(f"parameters={_value(self._common, 4)}")
        if self._network:
            vpc_id, subnets = self._network
            ids = [_value(subnet, 8) for subnet in subnets.split(",")]
            network = [_value(vpc_id, 8), f"[{', '.join(ids)}]"]
            arguments.append(f"network={_call('Network', network, 4)}")
        arguments += self._what_is_around(folder)
        if self._fleet.account is not None:
            # Default tags would change each stack.
            arguments.append("tags={}")
        deployment = [f"folder={_value(folder, 8)}"]
        if self._fleet.account is None:
            deployment.append("inside_root_module=True")
        else:
            deployment.append(f"import_account={_value(self._fleet.account, 8)}")
        arguments.append(f"deployment={_call('Deployment', deployment, 4)}")
        return arguments

    def _what_is_around(self, folder: str) -> list[str]:
        layout = self._fleet.layout
        if layout is not None:
            token = [f"organization={_value(layout.organization, 8)}"]
            if layout.token_parameter != self._names.token_parameter:
                token.insert(0, f"parameter={_value(layout.token_parameter, 8)}")
            return [
                f"bootstrap_script={_value(f'{folder}/{layout.script}', 4)}",
                f"token={_call('AgentToken', token, 4)}",
                "keep_documented_layout=True",
            ]
        arguments = []
        for argument in _SHARED:
            name = self._settings.get(argument)
            if argument != "bootstrap_script":
                value = f"Existing({_value(name, 4)})" if name else "None"
                arguments.append(f"{argument}={value}")
            elif name:
                arguments.append(f"{argument}={_value(name, 4)}")
        return arguments

    def _queue(self, given: Mapping[str, Any], own: Mapping[str, Any]) -> str:
        arguments = []
        if "instance_type" in given:
            arguments.append(_value(given["instance_type"], 12))
        if self._common_fields:
            arguments.append("**COMMON")
        arguments += [
            f"{name}={_value(value, 12)}"
            for name, value in given.items()
            if name != "instance_type" and name not in self._common_fields
        ]
        if own:
            arguments.append(f"parameters={_value(own, 12)}")
        return _call("AgentQueue", arguments, 8)


def _import(imported: Sequence[str]) -> str:
    line = f"from buildkite_agents import {', '.join(imported)}"
    if len(line) <= _WIDTH:
        return line
    return _lines("from buildkite_agents import (", imported, ")", 0)


def _known_version(version: str) -> str:
    known = elastic_ci_stack.known_versions()
    return version if version in known or elastic_ci_stack.is_newer(version) else known[-1]


def _types_of(stack: FoundStack) -> dict[str, Any]:
    types = parameter(stack, "InstanceTypes")
    if not types or not re.fullmatch(r"[\w.-]+(,[\w.-]+)*", types):
        return {}
    first, *more = types.split(",")
    given: dict[str, Any] = {"instance_type": first, "more_instance_types": more or ()}
    if any(instance_types.problem(one) for one in (first, *more)):
        given["architecture"] = instance_types.architecture(first)
    return given


def _numbers_of(stack: FoundStack) -> dict[str, int | None]:
    given: dict[str, int | None] = {}
    for name, field in FIELDS.items():
        value = stack.parameters.get(name)
        if field == "instance_type":
            continue
        if value is None:
            given[field] = None
        elif re.fullmatch(r"0|[1-9][0-9]*", value):
            # The template's seconds as minutes, if they are whole minutes.
            number, rest = divmod(int(value), 60 if field == "idle_minutes" else 1)
            if not rest and (number or field != "idle_minutes"):
                given[field] = number
    return given


def _place_of(stack: FoundStack, *, is_only: bool) -> dict[str, Any]:
    """The address fields of a stack; one with a key or a module moves.

    The new address derives from the queue, unless several stacks serve it.
    """
    own = {} if is_only else {"address": re.sub(r"[^A-Za-z0-9_-]+", "-", stack.name)}
    if stack.address is None:
        return own
    place: dict[str, Any] = {"provider": stack.provider}
    if "[" in stack.address or stack.address.startswith("module."):
        return {**place, **own, "moved_from": stack.address}
    return {**place, "moved_from": "", "address": stack.address.rpartition(".")[2]}


def _text(value: Any) -> str | None:
    if value is None or may_be_null(value):
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)


def _python(value: str) -> Any:
    """A parameter's value as a Python literal, if it results in the same string."""
    if value in {"true", "false"}:
        return value == "true"
    if re.fullmatch(r"0|[1-9][0-9]{0,8}", value):
        return int(value)
    return value


def _in_most(all_given: Sequence[Mapping[str, Any]], allowed: set[str]) -> dict[str, Any]:
    """The value that more than half of the queues have for a parameter."""
    common = {}
    named = {name for given in all_given for name in given} & (allowed - FIELDS.keys())
    for name in sorted(named - {"BuildkiteQueue"}):
        counts = Counter(json.dumps(given[name]) for given in all_given if name in given)
        value, count = counts.most_common(1)[0]
        if count * 2 > len(all_given) and len(all_given) > 1:
            common[name] = json.loads(value)
    return common


def _in_all(all_given: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The fields that have the same value in all queues."""
    if len(all_given) < 2:
        return {}
    first, *others = all_given
    return {
        name: value
        for name, value in first.items()
        if name != "instance_type"
        and all(name in given and given[name] == value for given in others)
    }


def _comment(text: str) -> Iterable[str]:
    words, line = text.split(), "#"
    for word in words:
        if len(line) + len(word) >= _WIDTH and line != "#":
            yield line
            line = "#  "
        line += f" {word}"
    yield line


def _call(name: str, arguments: Sequence[str], indent: int) -> str:
    line = f"{name}({', '.join(arguments)})"
    if "\n" not in line and indent + len(line) <= _WIDTH:
        return line
    return _lines(f"{name}(", arguments, ")", indent)


def _sequence(items: Sequence[str], indent: int) -> str:
    return _lines("[", items, "]", indent)


def _value(value: Any, indent: int) -> str:
    if isinstance(value, str):
        quoted = json.dumps(value, ensure_ascii=False)
        return repr(value) if "\\" in quoted and "\\" not in repr(value) else quoted
    if isinstance(value, Mapping):
        items = [f"{_value(k, 0)}: {_value(v, indent + 4)}" for k, v in value.items()]
        line = f"{{{', '.join(items)}}}"
        if "\n" not in line and indent + len(line) <= _WIDTH - 20:
            return line
        return _lines("{", items, "}", indent)
    if isinstance(value, list):
        return f"[{', '.join(_value(item, indent) for item in value)}]"
    return repr(value)


def _lines(start: str, items: Sequence[str], end: str, indent: int) -> str:
    inner = " " * (indent + 4)
    return "\n".join([start, *(f"{inner}{item}," for item in items), " " * indent + end])
