"""Finds the references behind a stack's values.

A plan names what the arguments of a resource refer to, without the expressions, and a state what
the resource depends on. Expressions are those of the resource's block in the root module's files
and, where these are of an instance or a module, references to what a value names by its nature.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from buildkite_agents.adopt.found import EMPTY, literal
from buildkite_agents.adopt.hcl import is_whole, named_in
from buildkite_agents.adopt.root import Candidate, Root

_LITERAL = re.compile(r'"(?:[^"\\$%]|\\.)*"|[\d.]+|true|false')
# The parameters with what the stack uses, by id, ARN or name, and the attributes that are these.
# Everything else, such as a number or the name of what the stack makes, is equal only by chance.
_BY_NATURE = {
    "AgentEnvFileUrl": "",
    "ArtifactsBucket": "bucket id",
    "BootstrapScriptUrl": "",
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

_CHOICE = re.compile(r"\b(?:chunklist|element|setintersection|setsubtract|slice)\(|\bif\b")

HIDDEN = "****"
"""What CloudFormation shows in place of a secret."""

# Shorter parts of a secret's expression can be in the secret by chance.
_SHORT = 2


@dataclass(frozen=True)
class Matcher:
    """Writes the references of one argument of a stack."""

    root: Root
    prefix: str
    """The stack's module."""

    candidates: Sequence[Candidate]
    written: Mapping[str, str]
    """What the stack's block assigns, by name; the whole argument without one."""

    secret: Mapping[str, str] = field(default_factory=dict)
    """The values that must not be in the program, by name."""

    used: set[str] = field(default_factory=set)
    """The references of the configuration that were written."""

    found: dict[str, str] = field(default_factory=dict)
    """The references that were found by their values, and the parameter of each."""

    missing: list[tuple[str, str]] = field(default_factory=list)
    """The references that a value does not have any more, each with the value's name."""

    def text(self, name: str, value: str) -> str:
        """A parameter's value, with references where there are any."""
        text = self._text(name, value)
        for reference in named_in(self.written.get(name, "")):
            resolved = self.root.references({"references": [reference]}, self.prefix)
            self.missing.extend((one, name) for one in resolved if one not in text)
        return text

    def _text(self, name: str, value: str) -> str:
        if value == "":
            return EMPTY
        as_written = self._as_written(name, value)
        if as_written is not None:
            return as_written
        if name in self.secret and name not in _BY_NATURE:
            return self._single(name, value) or literal(value)
        if name not in _BY_NATURE or _LITERAL.fullmatch(self.written.get(name, "")):
            return literal(value)
        lists = [
            c
            for c in self.candidates
            if isinstance(c.value, list) and c.value and not self._is_chosen_from(c, name)
        ]
        lists.sort(key=lambda candidate: -len(candidate.value))
        parts, pieces = value.split(","), []
        while parts:
            every = next((c for c in lists if c.value == parts[: len(c.value)]), None)
            if every:
                pieces.append(self._use(every, name, f'join(",", {every.expression})'))
            else:
                pieces.append(self._single(name, parts[0]) or literal(parts[0]))
            parts = parts[len(every.value) if every else 1 :]
        return ",".join(pieces)

    def _is_chosen_from(self, candidate: Candidate, name: str) -> bool:
        """Whether the configuration uses some of a list, which are all by chance."""
        bare = candidate.reference
        written = self.written.get(name) or self.written.get("", "")
        texts = (written, *self.root.passed_texts(self.prefix))
        return any(
            _CHOICE.search(text) or re.search(rf"{re.escape(bare)}\[(?!\*\])", text)
            for text in texts
            if bare in text
        )

    def tags(self, tags: Mapping[str, str]) -> dict[str, str] | str:
        """The tags, with references where there are any."""
        is_object = self.written.get("tags", "").startswith("{")
        whole = None if is_object else self._as_written("tags", tags)
        if whole is not None:
            return whole
        for candidate in self.candidates:
            given = candidate.value
            if not isinstance(given, Mapping) or not given or candidate.only_for:
                continue
            rest = {k: v for k, v in tags.items() if given.get(k) != v}
            if (
                given.keys() <= tags.keys()
                and len(rest) < len(tags)
                and not {*rest} & {*self.secret}
            ):
                pairs = ", ".join(f"{_key(k)} = {_quoted(v)}" for k, v in rest.items())
                merged = f"merge({candidate.expression}, {{{pairs}}})"
                return self._use(candidate, "tags", merged if rest else None, tags)
        return {
            literal(key): (self.text(key, value) if value else "") for key, value in tags.items()
        }

    def _as_written(self, name: str, value: Any) -> str | None:
        """The expression in the stack's block, with references of the root module."""
        text, prefix = self.root.passed(self.written.get(name, ""), self.prefix)
        if any(map(self.root.is_moved, named_in(text))) or self._has_secret(name, text):
            return None
        is_text = re.fullmatch(r'"(?:[^"\\$]|\$\{[^{}"]*\})*"', text)
        template = text[1:-1] if is_text else f"${{{text}}}"
        values = {}
        for inner in re.findall(r"\$\{([^{}]+)\}", template) if is_text or "{" not in text else ():
            resolved = self.root.references({"references": [inner]}, prefix)
            found = self.root.value(resolved[0]) if len(resolved) == 1 else None
            if isinstance(found, list | Mapping | None):
                return None if prefix else self._copied(text, template, value)
            template = template.replace(f"${{{inner}}}", f"${{{resolved[0]}}}")
            values[f"${{{resolved[0]}}}"] = found
        evaluated = template
        for reference, found in values.items():
            evaluated = evaluated.replace(reference, _text(found))
        if not values and not prefix:
            return self._copied(text, template, value)
        if not values or value not in {evaluated, HIDDEN}:
            return None
        self.used.update(reference[2:-1] for reference in values)
        self.root.known.update(values)
        return template

    def _has_secret(self, name: str, text: str) -> bool:
        """Whether an expression has a part of a secret."""
        # Keys, such as of jsondecode(...)["token"], are no parts of a value.
        parts = re.split(r'"|\$\{[^{}]*\}', re.sub(r'(?<=[\w)])\["[^"]*"\]', "", text))
        secrets = self.secret.values() if name == "tags" else [self.secret.get(name, "")]
        return any(len(part) > _SHORT and part in one for part in parts for one in secrets)

    def _copied(self, text: str, template: str, value: Any) -> str | None:
        """An expression of the root module whose value is unknown."""
        names = named_in(text)
        is_own = re.search(r"\b(?:each|count|self|path)\.|<<", text)
        if not names or is_own or not is_whole(text):
            return None
        self.used.update(names)
        self.root.known[template] = value
        return template

    def _single(self, name: str, value: str) -> str | None:
        """The reference with a value, if there is one."""
        for candidate in self.candidates:
            only_for, given = candidate.only_for, candidate.value
            if only_for and only_for not in _BY_NATURE.get(name, "").split():
                continue
            if not isinstance(given, list | Mapping) and _text(given) == value:
                return self._use(candidate, name)
        return None

    def _use(
        self, candidate: Candidate, name: str, expression: str | None = None, value: Any = None
    ) -> str:
        if candidate.only_for:
            self.found[candidate.expression] = name
        self.used.add(candidate.reference)
        given = candidate.value
        text = ",".join(given) if isinstance(given, list) else given
        return self._know(expression or candidate.expression, value or text)

    def _know(self, expression: str, value: Any) -> str:
        reference = f"${{{expression}}}"
        self.root.known[reference] = value
        return reference


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z_][\w-]*", key) else _quoted(key)


def _quoted(text: str) -> str:
    return literal(json.dumps(text, ensure_ascii=False))
