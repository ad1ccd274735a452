"""What a root module's state, plan and files say: resources, references and their values."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from buildkite_agents.adopt.hcl import Block, arguments, assigned_in, blocks, constant, named_in

STACK = "aws_cloudformation_stack"
"""The type of the resources that are adopted."""

META_ARGUMENTS = ("connection", "depends_on", "lifecycle", "provider", "provisioner", "timeouts")
"""The arguments and blocks that are not the resource type's own."""

_RESOURCE = re.compile(r"((?:data\.)?[a-z]\w*\.[\w-]+)(\[[^\]]*\])?(?:\.(.+))?")
_MODULE = re.compile(r"module\.([\w-]+)(\[[^\]]*\])?\.(.+)")
_IDENTITIES = ("arn", "name", "bucket", "key_name", "value", "secret_string", "id")


@dataclass(frozen=True)
class Candidate:
    """An expression, and its value."""

    expression: str
    value: Any
    """A string, a list or a mapping."""

    reference: str
    """What the configuration or the state names."""

    only_for: str | None = None
    """The attribute, for what only the state names; None for what the configuration names."""


@dataclass
class Root:
    """A root module: its resources and, from a plan, its configuration and variables."""

    content: Mapping[str, Any]
    resources: Sequence[Mapping[str, Any]]
    folder: Path
    known: dict[str, Any] = field(default_factory=dict)
    """The values of the references that were written, by reference."""

    planned: list[Mapping[str, Any]] = field(default_factory=list)
    """The stacks that the plan would create."""

    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    """The values of secrets and the stack of each, by the variable that takes their place."""

    _files: dict[Path, list[Block]] = field(default_factory=dict)

    @property
    def stacks(self) -> list[Mapping[str, Any]]:
        """The CloudFormation stacks, and those that the plan would create."""
        return [one for one in [*self.resources, *self.planned] if one["type"] == STACK]

    @property
    def has_configuration(self) -> bool:
        """Whether this is a plan."""
        return "configuration" in self.content

    @cached_property
    def variables(self) -> dict[str, Mapping[str, Any]]:
        """The declared variables, with their values in a plan."""
        declared = (one[4:] for one in self._declared if one.startswith("var."))
        return {**{name: {} for name in declared}, **self.content.get("variables", {})}

    @cached_property
    def _declared(self) -> dict[str, str]:
        """The expressions of the root module's locals, and of the defaults of its variables."""
        variables = self.blocks("", "variable")
        defaults = {f"var.{one.labels[0]}": one.arguments.get("default", "") for one in variables}
        return defaults | {f"local.{name}": text for name, text in self.locals_of("").items()}

    def blocks_in(self, folder: Path) -> list[Block]:
        """The blocks in a folder."""
        if folder not in self._files:
            self._files[folder] = [*blocks(folder)]
        return self._files[folder]

    def blocks(self, prefix: str, kind: str) -> list[Block]:
        """The blocks of a type, such as ``variable``, in a module."""
        folder = self.folder_of(prefix)
        return [one for one in self.blocks_in(folder) if one.kind == kind] if folder else []

    def find(self, prefix: str, kind: str, *labels: str) -> Block | None:
        """The block with these labels in a module, or None."""
        return next((one for one in self.blocks(prefix, kind) if one.labels == labels), None)

    def variable_for(self, name: str, value: str, stack: str) -> str:
        """The variable *name* for a secret, or one of the *stack* if there are several values."""
        values, declared = self.secrets.setdefault(name, {}), self.variables
        while value not in values and stack in values.values():
            stack += "_2"
        of_stack = f"{name}_{re.sub(r'[^A-Za-z0-9_]', '_', values.setdefault(value, stack))}"
        if name in declared:
            return name if declared[name].get("value") == value else of_stack
        return name if len(values) == 1 else of_stack

    def module(self, address: str) -> Mapping[str, Any]:
        """The configuration of the module of a resource; empty for a state."""
        module: Mapping[str, Any] = self.content.get("configuration", {}).get("root_module", {})
        for name in re.findall(r"module\.([\w-]+)", prefix_of(address)):
            module = module.get("module_calls", {}).get(name, {}).get("module", {})
        return module

    def folder_of(self, address: str) -> Path | None:
        """The folder of the module of a resource; None if it is not known, or downloaded."""
        prefix = prefix_of(address)
        if not prefix:
            return self.folder
        call, outer = self._call(prefix), self.folder_of(outer_of(prefix)[0])
        source = call.arguments.get("source", "").strip('"') if call else ""
        return Path(os.path.normpath(outer / source)) if outer and source[:1] == "." else None

    def provider_of(self, resource: Mapping[str, Any]) -> str | None:
        """A resource's provider in the root module; None if its module configures the provider."""
        key = self.configuration_of(resource).get("provider_config_key")
        if key is None:
            block, module = self.block(resource), bare_of(prefix_of(resource["address"]))[:-1]
            name = block.arguments.get("provider", "aws").strip('"') if block else "aws"
        else:
            module, _, name = str(key).rpartition(":")
        while module:
            configured = self.content.get("configuration", {}).get("provider_config", {})
            is_configured = configured.get(f"{module}:{name}", {}).get("expressions")
            if is_configured or (key is None and name in self.providers(f"{module}.")):
                return None
            block = self._call(f"{module}.")
            passed = assigned_in(block.arguments.get("providers", "")) if block else {}
            module, name = outer_of(f"{module}.")[0].rstrip("."), passed.get(name, name)
        return name

    def providers(self, prefix: str = "") -> dict[str, str]:
        """The provider configurations of a module, with the expressions of their regions."""
        found: dict[str, str] = {}
        for one in self.blocks(prefix, "provider"):
            if one.labels == ("aws",):
                name = f"aws.{one.arguments.get('alias', '')}".replace('"', "").rstrip(".")
                # Override files add to a block.
                found[name] = one.arguments.get("region") or found.get(name, "")
        return found

    def locals_of(self, prefix: str) -> Mapping[str, str]:
        """The expressions of the locals of a module, by name."""
        found = [one.arguments for one in self.blocks(prefix, "locals")]
        return {name: text for given in found for name, text in given.items()}

    def _call(self, prefix: str) -> Block | None:
        """The block that calls a module."""
        outer, name = outer_of(prefix)
        return self.find(outer, "module", name)

    def passed(self, text: str, prefix: str) -> tuple[str, str]:
        """An expression of a module or, for a variable, what the calls pass, and the module."""
        while prefix and re.fullmatch(r"var\.[\w-]+", text):
            block = self._call(prefix)
            if block is None or text[4:] not in block.arguments:
                break
            text, prefix = block.arguments[text[4:]], outer_of(prefix)[0]
        return text, prefix

    def configuration_of(self, resource: Mapping[str, Any]) -> Mapping[str, Any]:
        """A resource's configuration in a plan; empty for a state."""
        for candidate in self.module(resource["address"]).get("resources", ()):
            if (candidate["type"], candidate["name"]) == (resource["type"], resource["name"]):
                config: Mapping[str, Any] = candidate
                return config
        return {}

    def block(self, resource: Mapping[str, Any]) -> Block | None:
        """A resource's block in the module's files, or None."""
        prefix = prefix_of(resource["address"])
        return self.find(prefix, "resource", resource["type"], resource["name"])

    def expressions(self, resource: Mapping[str, Any]) -> dict[str, Any]:
        """The references of a resource's arguments; for a state, those in its block."""
        if not self.has_configuration:
            block = self.block(resource)
            given = block.arguments if block else {}
            return {
                name: {"references": named_in(text)}
                for name, text in given.items()
                if name not in META_ARGUMENTS
            }
        config = self.configuration_of(resource)
        every = {name: config.get(f"{name}_expression") for name in ("count", "for_each")}
        return {**config.get("expressions", {}), **every}

    def references(self, expression: Any, prefix: str = "") -> list[str]:
        """The references of an expression in the module *prefix*, as those of the root module."""
        named = [*_longest(_references(expression))]
        if not prefix:
            return named
        outer, name = outer_of(prefix)
        call = self.module(outer).get("module_calls", {}).get(name, {}).get("expressions", {})
        block = None if self.has_configuration else self._call(prefix)
        if block:
            call = {arg: {"references": named_in(text)} for arg, text in block.arguments.items()}
        resolved = []
        for reference in named:
            if reference.startswith("var."):
                variable = reference.split(".")[1]
                given = self.references(call.get(variable, {}), outer)
                # The attribute of an object is that of what the call passes.
                path = reference.removeprefix(f"var.{variable}") if len(given) == 1 else ""
                resolved += [f"{one}{path}" for one in given]
            else:
                outputs = self._outputs_of(prefix, reference)
                resolved.append(next(outputs, prefix + reference))
        return resolved

    def _outputs(self, prefix: str) -> Mapping[str, Any]:
        """The outputs of a module, with their references."""
        return self.module(prefix).get("outputs", {}) or {
            one.labels[0]: {"expression": {"references": named_in(one.arguments.get("value", ""))}}
            for one in self.blocks(prefix, "output")
        }

    def _outputs_of(self, prefix: str, reference: str) -> Iterator[str]:
        """The outputs of a module of the root module that are a reference in it."""
        outputs = self._outputs(prefix) if prefix.count("module.") == 1 else {}
        for name, output in outputs.items():
            inner = [*_longest(_references(output.get("expression", {})))]
            if len(inner) == 1 and f"{inner[0]}.".startswith(f"{reference}."):
                yield f"{prefix}{name}"

    def value(self, reference: str, prefix: str = "") -> Any:
        """The value of a reference in the module *prefix*, or None."""
        if reference.startswith("var."):
            name, *keys = re.findall(r"[\w-]+", reference[4:])
            variables = self.content.get("variables", {}) if not prefix else {}
            return _at(variables.get(name, {}).get("value"), keys)
        called = _MODULE.fullmatch(reference)
        if called:
            inner = f"{prefix}module.{called[1]}{called[2] or ''}."
            return self._value_of_output(inner, *re.split(r"(?=[.\[])", called[3], maxsplit=1))
        matched = _RESOURCE.fullmatch(reference)
        if not matched or reference.startswith("local."):
            return None
        bare, index_, path = matched.groups()
        instances = self.instances(prefix + bare)
        if index_ is not None:
            instances = [one for one in instances if one["address"] == f"{prefix}{bare}{index_}"]
        if path is None:
            return [one["values"].get("id") for one in instances] if index_ is None else None
        value = instances[0]["values"] if len(instances) == 1 else None
        return _at(value, re.findall(r"[\w-]+", path))

    def _value_of_output(self, module: str, name: str, path: str = "") -> Any:
        """The value at a *path* in a module's output, or None."""
        block = self.find(module, "output", name)
        text = block.arguments.get("value", "") if block else ""
        if text.startswith("{"):
            key, path = re.findall(r"^\.([\w-]+)(.*)$", path)[0] if path[:1] == "." else ("", "")
            text = arguments(text[1:-1]).get(key, "")
            named = named_in(text)
        else:
            named = [*_longest(_references(self._outputs(module).get(name, {})))]
        if not named or (not text and len(named) > 1):
            return None
        (reference, *_), index = named, re.findall(r"^\[(\d+)\]$", path)
        resource = _RESOURCE.fullmatch(reference)
        if resource and resource[3] is None and not reference.startswith(("var.", "local.")):
            if text == reference:
                return self.value(reference + path, module) if path and not index else None
            # Terraform's JSON names the resource alone for a list of ids, which a file shows.
            is_indexed = any("index" in one for one in self.instances(module + resource[1]))
            if not (re.search(r"\.id\b", text) if text else is_indexed):
                return None
        elif path and not index:
            return None
        return _at(self.value(reference, module), index)

    def passed_texts(self, prefix: str) -> Iterator[str]:
        """What the calls of a module, and of those around it, pass."""
        while prefix:
            block = self._call(prefix)
            yield from block.arguments.values() if block else ()
            prefix = outer_of(prefix)[0]

    def instances(self, bare: str) -> list[Mapping[str, Any]]:
        """The instances of a resource, in the order of their indices."""
        return [one for one in self.resources if without_index(one["address"]) == bare]

    def is_moved(self, reference: str) -> bool:
        """Whether a reference is to a stack that gets another address."""
        bare = re.match(rf"{STACK}\.[\w-]+", reference)
        return bare is not None and any("[" in one["address"] for one in self.instances(bare[0]))

    def candidates(self, references: Iterable[str], depends_on: Iterable[str]) -> list[Candidate]:
        """What a stack's values can be, in order of preference."""
        found = []
        for reference in references:
            if self.is_moved(reference):
                continue
            value = self.value(reference)
            if value is None:
                # What the files say; it is used only if the stack has it.
                value = constant(self._declared.get(reference, ""))
            resource = _RESOURCE.fullmatch(reference)
            if reference.startswith("module."):
                found += [Candidate(*each, reference) for each in _items(reference, value)]
            elif resource and resource[3] is None and not reference.startswith(("var.", "local.")):
                found += self._of_resource(resource[1], reference, by_nature=False)
            elif value is not None:
                found.append(Candidate(reference, value, reference))
        for bare in depends_on:
            found += self._of_resource(bare, bare, by_nature=True)
        return found

    def _of_resource(self, bare: str, reference: str, *, by_nature: bool) -> Iterator[Candidate]:
        prefix = prefix_of(bare)
        if prefix:
            for output in self._outputs_of(prefix, bare.removeprefix(prefix)):
                for each in _items(output, self.value(output)):
                    yield Candidate(*each, reference, "id")
            return
        instances = self.instances(bare)
        if instances and "index" in instances[0] and not by_nature:
            is_count = isinstance(instances[0].get("index"), int)
            every = f"{bare}[*].id" if is_count else f"values({bare})[*].id"
            yield Candidate(every, [one["values"].get("id") for one in instances], reference)
        for one in instances:
            for attribute in _IDENTITIES:
                value = one["values"].get(attribute)
                if isinstance(value, str) and value:
                    only_for = attribute if by_nature else None
                    yield Candidate(f"{one['address']}.{attribute}", value, reference, only_for)


def bare_of(address: str) -> str:
    """An address without any indices."""
    return re.sub(r"\[[^\]]*\]", "", address)


def without_index(address: str) -> str:
    """The address of a resource without the index of its instance."""
    return re.sub(r"\[[^\]]*\]$", "", address)


def prefix_of(address: str) -> str:
    """The path of a resource's module, such as ``module.vpc.``; empty in the root module."""
    found = re.match(r"(module\.[\w-]+(\[[^\]]*\])?\.)*", address)
    return found[0] if found else ""


def outer_of(prefix: str) -> tuple[str, str]:
    """The module that calls a module, and the call's name."""
    found = re.fullmatch(r"(.*?)module\.([\w-]+)(?:\[[^\]]*\])?\.", prefix)
    return (found[1], found[2]) if found else ("", "")


def _references(expression: Any) -> Iterator[str]:
    """The references in an expression, or in all expressions of a block."""
    if isinstance(expression, list):
        for item in expression:
            yield from _references(item)
    elif isinstance(expression, Mapping):
        yield from expression.get("references", ())
        for key, item in expression.items():
            if key not in {"references", "constant_value"}:
                yield from _references(item)


def _longest(references: Iterable[str]) -> Iterator[str]:
    """The references without the shorter forms of each, which Terraform's JSON also has."""
    named = [*dict.fromkeys(references)]
    for one in named:
        if not any(other.startswith((f"{one}.", f"{one}[")) for other in named):
            yield one


def _at(value: Any, path: Sequence[str]) -> Any:
    """The value at a path of keys and indices, or None."""
    for part in path:
        if isinstance(value, list):
            value = dict(enumerate(value)).get(int(part) if part.isdigit() else -1)
        else:
            value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _items(expression: str, value: Any) -> Iterator[tuple[str, Any]]:
    if value is not None:
        yield expression, value
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield f"{expression}[{index}]", item
