"""Finds the references behind a stack's values.

A plan names what the arguments of a resource refer to, without the expressions, and a state what
the resource depends on. Only a reference that one of them names is written, where its value is.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from buildkite_agents.adopt.found import literal

_RESOURCE = re.compile(r"((?:data\.)?[a-z]\w*\.[\w-]+)(\[[^\]]*\])?(?:\.(.+))?")
_MODULE = re.compile(r"module\.([\w-]+)(\[[^\]]*\])?\.(.+)")
# What a dependency can be the value of, by parameter. Everything else is a value by chance.
_BY_NATURE = {
    "ArtifactsBucket": "bucket id",
    "BuildkiteAgentToken": "value secret_string token",
    "BuildkiteAgentTokenParameterStoreKMSKey": "key_id arn id",
    "BuildkiteAgentTokenParameterStorePath": "name arn id",
    "GitMirrorSeedBucket": "bucket id",
    "ImageId": "id image_id value insecure_value",
    "ImageIdParameter": "name",
    "InstanceRoleARN": "arn",
    "InstanceRolePermissionsBoundaryARN": "arn",
    "KeyName": "key_name",
    "ManagedPolicyARN": "arn",
    "ManagedPolicyARNs": "arn",
    "PipelineSigningKMSKeyId": "key_id arn id",
    "SecretsBucket": "bucket id",
    "SecurityGroupId": "id",
    "SecurityGroupIds": "id",
    "Subnets": "id",
    "VpcId": "id",
}
_IDENTITIES = ("arn", "name", "bucket", "key_name", "value", "secret_string", "id")
# A shorter value can be part of a text by chance.
_LEAST_PART = 6


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
    known: dict[str, Any] = field(default_factory=dict)
    """The values of the references that were written, by reference."""

    found: dict[str, str] = field(default_factory=dict)
    """The references that were found by their values, and the parameter of each."""

    secrets: dict[str, str] = field(default_factory=dict)
    """The values of the variables that take the place of secrets, by variable."""

    lost: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """The references that were replaced by values, and where they were."""

    @property
    def has_configuration(self) -> bool:
        """Whether this is a plan."""
        return "configuration" in self.content

    def variable_for(self, name: str, value: str, stack: str) -> str:
        """The variable *name* for a secret, or one of the *stack* where that has another value."""
        declared = self.content.get("variables", {}).get(name, {}).get("value")
        taken = self.secrets.setdefault(name, value if declared is None else declared)
        return name if taken == value else f"{name}_{re.sub(r'[^A-Za-z0-9_]', '_', stack)}"

    def module(self, address: str) -> Mapping[str, Any]:
        """The configuration of the module of a resource; empty for a state."""
        module: Mapping[str, Any] = self.content.get("configuration", {}).get("root_module", {})
        for name in re.findall(r"module\.([\w-]+)", prefix_of(address)):
            module = module.get("module_calls", {}).get(name, {}).get("module", {})
        return module

    def configuration_of(self, resource: Mapping[str, Any]) -> Mapping[str, Any]:
        """A resource's configuration in a plan; empty for a state."""
        for candidate in self.module(resource["address"]).get("resources", ()):
            if (candidate["type"], candidate["name"]) == (resource["type"], resource["name"]):
                config: Mapping[str, Any] = candidate
                return config
        return {}

    def references(self, expression: Any, prefix: str = "") -> list[str]:
        """The references of an expression in the module *prefix*, as those of the root module."""
        named = [*_longest(_references(expression))]
        if not prefix:
            return named
        *_, name, _ = re.split(r"module\.([\w-]+)(?:\[[^\]]*\])?\.", prefix)
        outer = re.sub(r"module\.[\w-]+(\[[^\]]*\])?\.$", "", prefix)
        call = self.module(outer).get("module_calls", {}).get(name, {}).get("expressions", {})
        resolved = []
        for reference in named:
            if reference.startswith("var."):
                resolved += self.references(call.get(reference.split(".")[1], {}), outer)
            else:
                resolved.append(self._output_with(f"{prefix}{reference}") or prefix + reference)
        return resolved

    def _output_with(self, reference: str) -> str | None:
        """The output of a module of the root module that has the value of a reference in it."""
        prefix = prefix_of(reference)
        if prefix.count("module.") != 1:
            return None
        for name, output in self.module(prefix).get("outputs", {}).items():
            inner = [*_longest(_references(output.get("expression", {})))]
            if inner == [reference.removeprefix(prefix)]:
                return f"{prefix}{name}"
        return None

    def value(self, reference: str, prefix: str = "") -> Any:
        """The value of a reference in the module *prefix*, or None."""
        if reference.startswith("var."):
            variables = self.content.get("variables", {}) if not prefix else {}
            return variables.get(reference[4:], {}).get("value")
        called = _MODULE.fullmatch(reference)
        if called:
            inner = f"{prefix}module.{called[1]}{called[2] or ''}."
            outputs = self.module(inner).get("outputs", {})
            output = re.fullmatch(r"([\w-]+)(\[\d+\])?", called[3])
            named = output and [
                *_longest(_references(outputs.get(output[1], {}).get("expression", {})))
            ]
            value = self.value(named[0], inner) if named else None
            if output and output[2] and isinstance(value, list):
                value = dict(enumerate(value)).get(int(output[2][1:-1]))
            return value
        matched = _RESOURCE.fullmatch(reference)
        if not matched:
            return None
        bare, index, path = matched.groups()
        instances = self.instances(prefix + bare)
        if index is not None:
            instances = [one for one in instances if one["address"] == f"{prefix}{bare}{index}"]
        if path is None:
            return [one["values"].get("id") for one in instances] if index is None else None
        value = instances[0]["values"] if len(instances) == 1 else None
        for part in re.findall(r"[\w-]+", path):
            if isinstance(value, list) and part.isdigit():
                value = dict(enumerate(value)).get(int(part))
            else:
                value = value.get(part) if isinstance(value, Mapping) else None
        return value

    def instances(self, bare: str) -> list[Mapping[str, Any]]:
        """The instances of a resource, in the order of their indices."""
        return [one for one in self.resources if without_index(one["address"]) == bare]

    def candidates(self, references: Iterable[str], depends_on: Iterable[str]) -> list[Candidate]:
        """What a stack's values can be, in order of preference."""
        found = []
        for reference in references:
            value = self.value(reference)
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
        if bare.startswith("module."):
            module = re.match(r"module\.[\w-]+(\[[^\]]*\])?\.", bare)
            outputs = self.module(module[0]).get("outputs", {}) if module else {}
            for name, output in outputs.items():
                inner = _longest(_references(output.get("expression", {})))
                if module and any(f"{module[0]}{one}".startswith(bare) for one in inner):
                    expression = f"{module[0]}{name}"
                    for each in _items(expression, self.value(expression)):
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


@dataclass(frozen=True)
class Matcher:
    """Writes the references of one stack's parameters and tags."""

    root: Root
    candidates: Sequence[Candidate]
    parameters: Mapping[str, str]
    used: set[str] = field(default_factory=set)
    """The references of the configuration that were written."""

    def text(self, name: str, value: str) -> str:
        """A parameter's value, with references where there are any."""
        if value == "":
            # To the provider, an empty value differs from an omitted one.
            return '${""}'
        parts, written, joined = value.split(","), [], []
        whole = self._whole(name, value)
        if whole is not None and not any(c.value == parts for c in self.candidates):
            return whole
        while parts:
            for count in range(len(parts), 0, -1):
                lists = [c for c in self.candidates if c.value == parts[:count]]
                if lists:
                    joined.append(self._use(lists[0], name, f'join(",", {lists[0].expression})'))
                    written.append(joined[-1])
                    break
            else:
                count = 1
                written.append(self._whole(name, parts[0]) or self._part(name, parts[0]))
            parts = parts[count:]
        if len(joined) == len(written) > 1:
            lists_ = ", ".join(
                one.removeprefix('${join(",", ').removesuffix(")}") for one in joined
            )
            return self._know(f'join(",", concat({lists_}))', value)
        return ",".join(written)

    def tags(self, tags: Mapping[str, str]) -> Mapping[str, str] | str:
        """The tags, with references where there are any."""
        for candidate in self.candidates:
            given = candidate.value
            if not isinstance(given, Mapping) or not given or candidate.only_for:
                continue
            rest = {k: v for k, v in tags.items() if given.get(k) != v}
            if given.keys() <= tags.keys() and len(rest) < len(tags):
                pairs = ", ".join(f"{_key(k)} = {_quoted(v)}" for k, v in rest.items())
                merged = f"merge({candidate.expression}, {{{pairs}}})"
                return self._use(candidate, "tags", merged if rest else candidate.expression, tags)
        explicit = [c for c in self.candidates if c.only_for is None]
        return {
            literal(key): next(
                (self._use(c, "tags") for c in explicit if c.value == value and len(value) > 1),
                literal(value),
            )
            for key, value in tags.items()
        }

    def _whole(self, name: str, value: str) -> str | None:
        for candidate in self.candidates:
            only_for, given = candidate.only_for, candidate.value
            if only_for and only_for not in _BY_NATURE.get(name, "").split():
                continue
            if isinstance(given, str) and given.startswith("{") and name == "BuildkiteAgentToken":
                key = _key_in(given, value)
                if key is not None:
                    decoded = f"jsondecode({candidate.expression})[{json.dumps(key)}]"
                    return self._use(candidate, name, decoded, value)
            if not isinstance(given, list | Mapping) and _text(given) == value:
                if name in _BY_NATURE:
                    return self._use(candidate, name)
                where = [p for p, v in self.parameters.items() if v == value]
                if len(where) == 1:
                    self.root.found[candidate.expression] = name
                    return self._use(candidate, name)
        return None

    def _part(self, name: str, text: str) -> str:
        """A text, with the references in it."""
        for candidate in self.candidates:
            value = candidate.value
            if candidate.only_for or not isinstance(value, str) or len(value) < _LEAST_PART:
                continue
            before, found, after = text.partition(value)
            if found and not re.search(r"\w$", before) and not re.match(r"\w", after):
                self.root.found[candidate.expression] = name
                return literal(before) + self._use(candidate, name) + self._part(name, after)
        return literal(text)

    def _use(
        self, candidate: Candidate, name: str, expression: str | None = None, value: Any = None
    ) -> str:
        if candidate.only_for:
            self.root.found[candidate.expression] = name
        self.used.add(candidate.reference)
        given = candidate.value
        text = ",".join(given) if isinstance(given, list) else given
        return self._know(expression or candidate.expression, value or text)

    def _know(self, expression: str, value: Any) -> str:
        reference = f"${{{expression}}}"
        self.root.known[reference] = value
        return reference


def without_index(address: str) -> str:
    """The address of a resource without the index of its instance."""
    return re.sub(r"\[[^\]]*\]$", "", address)


def prefix_of(address: str) -> str:
    """The path of a resource's module, such as ``module.vpc.``; empty in the root module."""
    found = re.match(r"(module\.[\w-]+(\[[^\]]*\])?\.)*", address)
    return found[0] if found else ""


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


def _items(expression: str, value: Any) -> Iterator[tuple[str, Any]]:
    if value is not None:
        yield expression, value
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield f"{expression}[{index}]", item


def _key_in(content: str, value: str) -> str | None:
    try:
        decoded = json.loads(content)
    except ValueError:
        return None
    return next((k for k, v in decoded.items() if v == value), None)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z_][\w-]*", key) else _quoted(key)


def _quoted(text: str) -> str:
    return literal(json.dumps(text, ensure_ascii=False))
