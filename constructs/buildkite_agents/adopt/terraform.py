"""Reads stacks from the output of ``terraform show -json``.

Format: https://developer.hashicorp.com/terraform/internals/json-format
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from buildkite_agents import elastic_ci_stack
from buildkite_agents.adopt.documented_layout import documented_layout
from buildkite_agents.adopt.found import Fleet, FoundStack, newest_version_with, version_in
from buildkite_agents.errors import ConfigError

_TYPE = "aws_cloudformation_stack"
_CAPABILITIES = {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"}
# Arguments of a stack that a queue has no field for. Empty ones are computed by the provider.
_OTHER_ARGUMENTS = (
    "disable_rollback",
    "iam_role_arn",
    "notification_arns",
    "on_failure",
    "policy_body",
    "policy_url",
    "timeout_in_minutes",
)
# The attributes by which resources are referred to, in order of preference.
_IDENTITIES = ("arn", "name", "bucket", "id")
_NEVER_REFERENCES = {"BuildkiteQueue", "InstanceTypes", "InstanceType"}


def fleet_of(content: Mapping[str, Any]) -> Fleet:
    """Return the Elastic CI Stacks in a state or a plan.

    Raises:
        ConfigError: there are none.
    """
    values = content.get("values") or content.get("prior_state", {}).get("values") or {}
    resources = [*_resources(values.get("root_module", {}))]
    stacks = [r for r in resources if r["type"] == _TYPE and r.get("mode") == "managed"]
    ours = [stack for stack in stacks if _is_elastic_ci_stack(stack["values"])]
    if not ours:
        raise ConfigError(
            f"there is no Elastic CI Stack among the {len(resources)} resources that this has: it "
            "must be what `terraform show -json` prints, of a state or of a saved plan"
        )
    root = _Root(content, resources)
    found, notes = [], [*_notes_on_changes(content)]
    for stack in ours:
        one, about = _found(stack, root)
        found.append(one)
        notes += about
    notes += [
        f"{stack['address']} is not an Elastic CI Stack; it is left unchanged"
        for stack in stacks
        if stack not in ours
    ]
    notes.append(
        "the JSON does not contain lifecycle blocks: if a stack has one, set ignore_changes of its "
        "queue"
    )
    layout = documented_layout({r["address"]: r["values"] for r in resources})
    return Fleet(found, layout=layout, notes=list(dict.fromkeys(notes)))


def _resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from module.get("resources", ())
    for child in module.get("child_modules", ()):
        yield from _resources(child)


def _is_elastic_ci_stack(values: Mapping[str, Any]) -> bool:
    return "buildkite-aws-stack" in str(values.get("template_url")) or "BuildkiteQueue" in (
        values.get("parameters") or {}
    )


def _notes_on_changes(content: Mapping[str, Any]) -> Iterator[str]:
    for change in content.get("resource_changes", ()):
        if change["type"] == _TYPE and change["change"]["actions"] not in (["no-op"], ["read"]):
            yield (
                f"{change['address']} has planned changes, which the program does not contain. "
                "Apply them, then adopt"
            )


def _found(stack: Mapping[str, Any], root: "_Root") -> tuple[FoundStack, list[str]]:
    values = stack["values"]
    address = stack["address"]
    # All instances of a resource share its configuration.
    resource = re.sub(r"\[[^\]]*\]$", "", address)
    given = {str(name): str(value) for name, value in (values.get("parameters") or {}).items()}
    url = str(values.get("template_url") or "")
    version = version_in(url) or version_in(str(values.get("template_body") or "")[:2000])
    notes = []
    if version is None:
        version = newest_version_with(given)
        notes.append(
            f"{resource}: its template {url!r} names no version: {version} is assumed, the newest "
            "that has its parameters"
        )
    ignored = [name for name in _OTHER_ARGUMENTS if values.get(name)]
    if set(values.get("capabilities") or ()) != _CAPABILITIES:
        ignored.append("capabilities")
    if url != elastic_ci_stack.template_url(version):
        ignored.append("template_url")
    if ignored:
        notes.append(
            f"{resource}: {', '.join(sorted(ignored))} are kept by ignore_changes, because a "
            "queue has no field for them"
        )
    config = root.configuration_of(stack)
    secret = _secret_parameters(stack, version)
    parameters = {
        name: root.reference_to(value, name, config, secret=name in secret)
        for name, value in given.items()
    }
    notes += root.lost_references(resource, config, parameters)
    notes += [
        f"{resource}: the value of {name} is a secret, and was not copied: declare a variable "
        f"{_variable(name)}, or set another reference"
        for name in secret
        if parameters[name] == f"${{var.{_variable(name)}}}" and _variable(name) not in root.known
    ]
    provider = str(config.get("provider_config_key", "aws")).rpartition(":")[2]
    return (
        FoundStack(
            name=str(values["name"]),
            version=version,
            parameters=parameters,
            tags=values.get("tags") or {},
            address=address,
            provider=provider if provider != "aws" else None,
            ignore_changes=sorted(ignored),
        ),
        notes,
    )


def _secret_parameters(stack: Mapping[str, Any], version: str) -> list[str]:
    known = elastic_ci_stack.known_versions()
    specs = elastic_ci_stack.load(version if version in known else known[-1]).parameters
    given = stack["values"].get("parameters") or {}
    marked = stack.get("sensitive_values", {}).get("parameters", {})
    names = [name for name in given if specs.get(name, {}).get("NoEcho") in {True, "true"}]
    if isinstance(marked, Mapping):
        names += [name for name in given if marked.get(name) and name not in names]
    return names


def _variable(parameter: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", parameter).lower()


@dataclass(frozen=True)
class _Root:
    """A root module, and the references that a value can be replaced with."""

    content: Mapping[str, Any]
    resources: Sequence[Mapping[str, Any]]

    @property
    def known(self) -> Mapping[str, Any]:
        """The values of the variables, by name."""
        variables: Mapping[str, Any] = self.content.get("variables", {})
        return variables

    def configuration_of(self, resource: Mapping[str, Any]) -> Mapping[str, Any]:
        """A resource's configuration in a plan; empty for a state."""
        module = self.content.get("configuration", {}).get("root_module", {})
        path = re.sub(r"\[[^\]]*\]", "", resource["address"]).split(".")
        while path[0] == "module":
            module = module.get("module_calls", {}).get(path[1], {}).get("module", {})
            path = path[2:]
        for candidate in module.get("resources", ()):
            if (candidate["type"], candidate["name"]) == (resource["type"], resource["name"]):
                config: Mapping[str, Any] = candidate
                return config
        return {}

    def reference_to(
        self, value: str, name: str, config: Mapping[str, Any], *, secret: bool
    ) -> str:
        """A reference for a parameter's value, or the value itself if there is none."""
        if value == "":
            # To the provider, an empty value differs from an omitted one.
            return '${""}'
        if name in _NEVER_REFERENCES:
            return value
        whole = self._reference(value, config)
        if whole is None and not secret:
            return ",".join(self._reference(part, config) or part for part in value.split(","))
        return whole or f"${{var.{_variable(name)}}}"

    def lost_references(
        self, address: str, config: Mapping[str, Any], parameters: Mapping[str, str]
    ) -> list[str]:
        """A note on the references of parameters that were replaced by values."""
        used = " ".join(parameters.values())
        lost = [
            reference
            for reference in _references(config)
            if reference.count(".") <= 1 or reference.startswith(("module.", "data."))
            if reference.split("[")[0] not in used and not reference.startswith("each.")
        ]
        # The list also contains the shorter forms of each reference.
        lost = [name for name in lost if not any(r.startswith(f"{name}.") for r in lost)]
        return (
            [f"{address}: references to {', '.join(lost)} are replaced with values"] if lost else []
        )

    def _reference(self, value: str, config: Mapping[str, Any]) -> str | None:
        references = _references(config)
        for name, variable in self.known.items():
            if f"var.{name}" in references and variable.get("value") == value != "":
                return f"${{var.{name}}}"
        for resource in self.resources:
            address = resource["address"]
            if address.startswith("module.") or resource["type"] == _TYPE:
                continue
            bare = re.sub(r"\[.*\]$", "", address)
            if references and bare not in {r.split("[")[0] for r in references}:
                continue
            named = {
                r.rpartition(".")[2] for r in references if r.startswith((f"{bare}.", f"{bare}["))
            }
            for attribute in sorted(_IDENTITIES, key=lambda name: name not in named):
                if resource["values"].get(attribute) == value and len(value) > 3:
                    return f"${{{address}.{attribute}}}"
        return None


def _references(config: Mapping[str, Any]) -> Sequence[str]:
    parameters = config.get("expressions", {}).get("parameters", {})
    references: Sequence[str] = parameters.get("references", ())
    return references
