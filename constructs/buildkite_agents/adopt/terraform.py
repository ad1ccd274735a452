"""Reads stacks from the output of ``terraform show -json``.

Format: https://developer.hashicorp.com/terraform/internals/json-format
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from buildkite_agents import elastic_ci_stack
from buildkite_agents.adopt.documented_layout import documented_layout
from buildkite_agents.adopt.edits import edits
from buildkite_agents.adopt.found import (
    Fleet,
    FoundStack,
    declarations,
    literal,
    template_of,
    unsupported,
)
from buildkite_agents.adopt.references import Matcher
from buildkite_agents.adopt.root import STACK, Root, prefix_of, without_index
from buildkite_agents.errors import ConfigError

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
_MOST_NAMED = 2
# All instances of a module share its configuration.
_CALL_INDEX = re.compile(r"(module\.[\w-]+)\[[^\]]*\]")
_MODULE_SOURCE = "elastic-ci-stack-for-aws"
_OWN_MODULE = (
    "{} is Buildkite's own Terraform module: it makes its resources without CloudFormation, so "
    "that there is no stack to adopt: see docs/adopting.md, Buildkite's Terraform module"
)


def fleet_of(
    content: Mapping[str, Any],
    *,
    folder: Path | str = "terraform",
    providers: Mapping[str, str] = {},  # it is only read
) -> Fleet:
    """Return the Elastic CI Stacks in a state or a plan.

    Args:
        content: The JSON.
        folder: The root module's folder, whose files are searched for what to edit.
        providers: The provider configuration of each region, which a state does not name.

    Raises:
        ConfigError: there are none, or *providers* lacks a region.
    """
    values = content.get("values") or content.get("prior_state", {}).get("values") or {}
    resources = [*_resources(values.get("root_module", {}))]
    stacks = [r for r in resources if r["type"] == STACK and r.get("mode") == "managed"]
    ours = [stack for stack in stacks if _is_elastic_ci_stack(stack["values"])]
    root = Root(content, resources, Path(folder))
    own_modules = [_OWN_MODULE.format(name) for name in _own_modules(root)]
    if not ours:
        raise ConfigError(
            *own_modules,
            f"there is no Elastic CI Stack among the {len(resources)} resources that this has: it "
            "must be what `terraform show -json` prints, of a state or of a saved plan",
        )
    steps = [*own_modules, *_steps_on_changes(content)]
    if not root.has_configuration:
        steps += _steps_on_regions(ours, root, providers)
    found, notes, left_out = [], [], {}
    for stack in ours:
        one, about = _found(stack, root, providers)
        why = _left_out(stack, one, root)
        if why:
            left_out[one.address or one.name] = why
            continue
        found.append(one)
        notes += about
    left_out |= {
        stack["address"]: "it is not an Elastic CI Stack" for stack in stacks if stack not in ours
    }
    steps.append(
        "where a stack's block has lifecycle { ignore_changes }, which the JSON does not contain, "
        "set ignore_changes of its queue"
    )
    layout = documented_layout({r["address"]: r["values"] for r in resources})
    # The program itself refers to what the layout has.
    notes += _notes_on_references(root) if layout is None else ()
    return Fleet(
        found,
        left_out=left_out,
        layout=layout,
        notes=_grouped(notes),
        steps=list(dict.fromkeys(steps)),
        edits=lambda addresses: edits(root, addresses, layout=layout is not None),
        known=root.known,
    )


def _resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from module.get("resources", ())
    for child in module.get("child_modules", ()):
        yield from _resources(child)


def _is_elastic_ci_stack(values: Mapping[str, Any]) -> bool:
    return "buildkite-aws-stack" in str(values.get("template_url")) or "BuildkiteQueue" in (
        values.get("parameters") or {}
    )


def _own_modules(root: Root) -> list[str]:
    """The uses of Buildkite's Terraform module, by its source or, in a state, by what it makes."""
    calls = root.module("").get("module_calls", {})
    named = [f"module.{n}" for n, c in calls.items() if _MODULE_SOURCE in c.get("source", "")]
    made = Counter(
        prefix_of(one["address"])[:-1]
        for one in root.resources
        if one["type"] in {"aws_autoscaling_group", "aws_launch_template"}
        and "buildkite" in str(one["values"]).lower()
    )
    return named or [module for module, count in made.items() if module and count > 1]


def _steps_on_changes(content: Mapping[str, Any]) -> Iterator[str]:
    for change in content.get("resource_changes", ()):
        if change["type"] == STACK and change["change"]["actions"] not in (["no-op"], ["read"]):
            yield (
                f"{change['address']} has planned changes, which the program does not contain: "
                "apply them, and adopt again"
            )


def _steps_on_regions(
    stacks: Sequence[Mapping[str, Any]], root: Root, providers: Mapping[str, str]
) -> list[str]:
    """What to check about the providers, which a state does not name."""
    regions = sorted({_region(stack) for stack in stacks})
    everywhere = {*regions}
    for values in (resource["values"] for resource in root.resources):
        everywhere |= {str(values.get("arn") or "::::").split(":")[3], values.get("region") or ""}
    has_alias = any(
        re.search(r"^\s*alias\s*=", path.read_text(errors="replace"), re.MULTILINE)
        for path in root.folder.glob("*.tf")
    )
    if len(everywhere - {""}) == 1 and not has_alias and not providers:
        return [f"check that the root module's provider is of {regions[0]}, as the stacks are"]
    missing = [region for region in regions if region not in providers]
    if missing:
        raise ConfigError(
            f"the stacks are in {' and '.join(regions)}, and the root module has resources or "
            "providers of other regions: a state does not name the provider configuration of a "
            "stack. Use a plan, or give that of each region: "
            + " ".join(f"--provider {region}=aws.ALIAS" for region in missing)
            + " (aws without an alias for the default one)"
        )
    return []


def _region(stack: Mapping[str, Any]) -> str:
    return str(stack["values"].get("id") or ":::").split(":")[3]


def _left_out(stack: Mapping[str, Any], found: FoundStack, root: Root) -> str | None:
    """Why a stack is not adopted, or None if it is."""
    config = root.configuration_of(stack)
    if "region" in config.get("expressions", {}):
        return "it has the argument region, which a queue has not: give it a provider with an alias"
    key = str(config.get("provider_config_key", "aws"))
    providers = root.content.get("configuration", {}).get("provider_config", {})
    if providers.get(key, {}).get("module_address"):
        return "its module configures the provider, which the root module cannot refer to"
    return unsupported(found.version, found.values["parameters"])


def _notes_on_references(root: Root) -> Iterator[str]:
    if root.found:
        yield "found by their values: " + ", ".join(
            f"{expression} ({name})" for expression, name in root.found.items()
        )
    if root.lost:
        yield "references that are values now: " + ", ".join(
            f"{reference} ({_places(where)})" for reference, where in root.lost.items()
        )


def _places(where: Sequence[str]) -> str:
    """Where references were, such as the tags of two stacks."""
    places = [*dict.fromkeys(where)]
    if len(places) <= _MOST_NAMED:
        return ", ".join(places)
    counts = Counter(place.rpartition(" of ")[0] for place in places)
    return ", ".join(f"{one} of {n} stacks" if one else f"{n} stacks" for one, n in counts.items())


def _grouped(notes: Sequence[str]) -> list[str]:
    """The notes, each once with all that it is about."""
    about: dict[str, list[str]] = {}
    for note in dict.fromkeys(notes):
        where, _, what = note.partition(": ")
        about.setdefault(what, []).append(where)
    return [f"{', '.join(where)}: {what}" for what, where in about.items()]


def _found(
    stack: Mapping[str, Any], root: Root, providers: Mapping[str, str]
) -> tuple[FoundStack, list[str]]:
    values, address = stack["values"], stack["address"]
    # All instances of a resource share its configuration.
    resource, prefix = without_index(address), prefix_of(address)
    given = {str(name): str(value) for name, value in (values.get("parameters") or {}).items()}
    url = str(values.get("template_url") or "")
    text = str(values.get("template_body") or "")[:2000]
    version, assumed = template_of(url, text, given)
    notes = []
    if assumed:
        notes.append(
            f"{resource}: its template {url or 'without a URL'} names no version: {version} is "
            "assumed, the newest that has its parameters"
        )
    ignored = [name for name in _OTHER_ARGUMENTS if values.get(name)]
    if set(values.get("capabilities") or ()) != _CAPABILITIES:
        ignored.append("capabilities")
    if ignored:
        notes.append(
            f"{resource}: ignore_changes keeps {', '.join(sorted(ignored))}, which a queue has no "
            "field for"
        )
    config = root.configuration_of(stack)
    secret = _secret_parameters(stack, version)
    matchers = _matchers(stack, root, secret)
    tags = {str(k): str(v) for k, v in (values.get("tags") or {}).items()}
    parameters = {name: matchers["parameters"].text(name, value) for name, value in given.items()}
    for name in secret:
        if not parameters[name].startswith("${"):
            base = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
            variable = root.variable_for(base, given[name], str(values["name"]))
            parameters[name] = f"${{var.{variable}}}"
            if variable not in root.content.get("variables", {}):
                notes.append(
                    f"{resource}: the value of {name} is a secret, and was not copied: declare a "
                    f"variable {variable}, or set another reference"
                )
    if given.get("BuildkiteQueue"):
        parameters["BuildkiteQueue"] = given["BuildkiteQueue"]
    written_tags = matchers["tags"].tags(tags)
    _record_lost(stack, root, matchers)
    provider = str(config.get("provider_config_key", "aws")).rpartition(":")[2]
    provider = provider if config else providers.get(_region(stack), "aws")
    own = config.get("depends_on", ())
    if own and prefix:
        notes.append(f"{resource}: depends_on {', '.join(own)} is not kept, being in a module")
    return (
        FoundStack(
            name=str(values["name"]),
            version=version,
            parameters=parameters,
            tags=written_tags,
            template_url=None if url == elastic_ci_stack.template_url(version) else literal(url),
            address=address,
            provider=provider if provider != "aws" else None,
            ignore_changes=sorted(ignored),
            depends_on=() if prefix else own,
            timeout_minutes=_minutes(values.get("timeouts") or {}),
            values={
                "name": values["name"],
                "parameters": given,
                "tags": tags,
                **({"template_url": url} if url else {}),
            },
        ),
        notes,
    )


def _matchers(stack: Mapping[str, Any], root: Root, secret: Sequence[str]) -> dict[str, Matcher]:
    """The matchers for the parameters and the tags of a stack."""
    depends_on = [
        one for one in stack.get("depends_on", ()) if not one.partition(".")[0].endswith(STACK)
    ]
    prefix, expressions = prefix_of(stack["address"]), root.expressions(stack)
    matchers = {}
    for argument, used in {"parameters": depends_on, "tags": []}.items():
        named = root.references(expressions.get(argument), prefix)
        candidates = root.candidates(named, used)
        matchers[argument] = Matcher(root, prefix, candidates, root.written(stack), secret)
    return matchers


def _record_lost(stack: Mapping[str, Any], root: Root, matchers: Mapping[str, Matcher]) -> None:
    """Record the references of a stack's configuration that the program does not have."""
    prefix, resource = prefix_of(stack["address"]), without_index(stack["address"])
    everywhere = set.union(*(matcher.used for matcher in matchers.values()))
    for argument, expression in root.expressions(stack).items():
        kept = matchers[argument].used if argument in matchers else set()
        for reference in root.references(expression, prefix):
            is_own = reference.startswith(("each.", "count.", "self."))
            is_kept = reference in (kept if root.has_configuration else everywhere)
            if not is_kept and not is_own:
                named, place = (_CALL_INDEX.sub(r"\1", one) for one in (reference, resource))
                where = f"{argument} of {place}" if root.has_configuration else place
                root.lost[named].append(where)


def _minutes(timeouts: Mapping[str, str | None]) -> int | None:
    """The longest of the timeouts, in Go's notation, in whole minutes."""
    units = {"h": 60.0, "m": 1.0, "s": 1 / 60}
    given = [
        sum(float(n) * units[u] for n, u in re.findall(r"([\d.]+)([hms])", text))
        for text in timeouts.values()
        if text
    ]
    return max(1, round(max(given))) if given else None


def _secret_parameters(stack: Mapping[str, Any], version: str) -> list[str]:
    """The parameters that the template, or Terraform, does not show."""
    marked = stack.get("sensitive_values", {}).get("parameters", {})
    specs = declarations(version)
    return [
        name
        for name in stack["values"].get("parameters") or {}
        if str(specs.get(name, {}).get("NoEcho")).lower() == "true"
        or marked is True
        or (marked and marked.get(name))
    ]
