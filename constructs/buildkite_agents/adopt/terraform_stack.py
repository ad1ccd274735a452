"""Reads one stack of a plan or a state, and its block."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from buildkite_agents import elastic_ci_stack
from buildkite_agents.adopt.found import (
    FoundStack,
    declarations,
    literal,
    note_on,
    template_of,
    unmanaged,
)
from buildkite_agents.adopt.hcl import Block, arguments, assigned_in, constant, named_in
from buildkite_agents.adopt.references import Matcher
from buildkite_agents.adopt.root import META_ARGUMENTS, STACK, Root, prefix_of, without_index
from buildkite_agents.patterns import SECRET

# All instances of a module share its configuration.
_CALL_INDEX = re.compile(r"(module\.[\w-]+)\[[^\]]*\]")
_KEPT_BLOCKS = ("depends_on", "provider", "timeouts")
_READ = ("parameters", "tags", "template_url")
_KEPT_OF_LIFECYCLE = ("ignore_changes", "prevent_destroy")
# Shorter secrets can be in other values by chance.
_LEAST = 8


def secrets_of(stacks: Sequence[Mapping[str, Any]], root: Root) -> dict[str, str]:
    """The secret values of the stacks and of variables, and where each is."""
    found: dict[str, str] = {}
    changes = root.content.get("resource_changes", ())
    planned = {one["address"]: one["change"].get("after") for one in changes}
    for stack in stacks:
        block, others = root.block(stack), root.locals_of(prefix_of(stack["address"]))
        texts = assigned_in(block.arguments.get("parameters", ""), others) if block else {}
        literals = {name: constant(text) for name, text in texts.items() if "${" not in text}
        written = {"parameters": literals}
        version, _ = template_of_stack(stack["values"])
        # Where all of an argument is marked, most of its values are no secrets.
        marks = {name: m for name, m in stack.get("sensitive_values", {}).items() if m is not True}
        for argument, specs in {"parameters": declarations(version), "tags": {}}.items():
            # CloudFormation hides the values in a state that was refreshed.
            for values in (stack["values"], planned.get(stack["address"]) or {}, written):
                given, marked = _texts(values, argument), {**stack, "sensitive_values": marks}
                for name, value in _secrets(marked, argument, given, specs).items():
                    # The program names queues.
                    if name != "BuildkiteQueue":
                        found.setdefault(value, f"{stack['address']}: {argument}[{name!r}]")
    blocks = {one.labels[0]: one.arguments for one in root.blocks("", "variable")}
    for name, variable in root.variables.items():
        own, declared = blocks.get(name, {}), root.module("").get("variables", {}).get(name, {})
        value = variable.get("value", constant(own.get("default", "")))
        is_marked = declared.get("sensitive") or own.get("sensitive") == "true"
        if is_marked and isinstance(value, str):
            found.setdefault(value, f"var.{name}")
    return {value: where for value, where in found.items() if len(value) >= _LEAST}


def stack_of(
    stack: Mapping[str, Any], root: Root, provider: str | None, hidden: Collection[str]
) -> FoundStack:
    """Return a stack of the template; *provider* is that of a state, *hidden* are all secrets."""
    values, address = stack["values"], stack["address"]
    # All instances of a resource share its configuration.
    resource, block = _CALL_INDEX.sub(r"\1", without_index(address)), root.block(stack)
    given, tags = _texts(values, "parameters"), _texts(values, "tags")
    url = str(values.get("template_url") or "")
    version, assumed = template_of_stack(values)
    ignored, overrides, notes = _meta_arguments(
        block, root, resource, root.configuration_of(stack).get("depends_on", ())
    )
    if assumed:
        notes.append(
            f"{resource}: its template {url or 'without a URL'} names no release: {version} is "
            "assumed, which decides what parameters a queue accepts"
        )
    if not url and values.get("template_body"):
        notes.append(
            f"{resource}: its template_body is no longer managed: the stack keeps the template "
            "that it has"
        )
    minutes, timeouts = _minutes(values.get("timeouts") or {}), values.get("timeouts") or {}
    if minutes and len({timeouts.get(name) for name in ("create", "update", "delete")}) > 1:
        notes.append(f"{resource}: timeout_minutes={minutes} is the longest of its timeouts")
    others = unmanaged(values)
    notes += note_on(others, resource)
    secrets = {
        "parameters": _secrets(stack, "parameters", given, declarations(version), hidden),
        "tags": _secrets(stack, "tags", tags, {}, hidden),
    }
    # The program names queues.
    secrets["parameters"].pop("BuildkiteQueue", None)
    matchers = {name: _matcher(stack, root, block, name, secrets.get(name, {})) for name in _READ}
    parameters = {name: matchers["parameters"].text(name, value) for name, value in given.items()}
    # A literal one too, such as a signed URL, which a synthesis would refuse.
    literals = {name: given[name] for name, text in parameters.items() if SECRET.search(text)}
    secrets["parameters"] |= literals
    written_tags = matchers["tags"].tags(tags)
    steps = [] if block else [_unread(root, resource)]
    steps += _replace_secrets(
        stack, root, "parameters", parameters, secrets["parameters"], hidden=hidden
    )
    if not isinstance(written_tags, str):
        steps += _replace_secrets(stack, root, "tags", written_tags, secrets["tags"], hidden=hidden)
    if given.get("BuildkiteQueue"):
        parameters["BuildkiteQueue"] = given["BuildkiteQueue"]
    own_url = url != elastic_ci_stack.template_url(version)
    template_url = matchers["template_url"].text("template_url", url) if url and own_url else url
    used = provider or root.provider_of(stack) or "aws"
    return FoundStack(
        name=str(values["name"]),
        version=version,
        parameters=parameters,
        tags=written_tags,
        template_url=template_url if own_url else None,
        address=address,
        provider=used if used != "aws" else None,
        ignore_changes=sorted({*ignored, *others}),
        overrides=overrides,
        timeout_minutes=minutes,
        values={
            "name": values["name"],
            "parameters": given,
            "tags": tags,
            **({"template_url": url} if url else {}),
            **others,
        },
        found={e: name for matcher in matchers.values() for e, name in matcher.found.items()},
        lost=[*_lost(stack, root, matchers)],
        notes=notes,
        steps=steps,
    )


def _replace_secrets(
    stack: Mapping[str, Any],
    root: Root,
    argument: str,
    texts: dict[str, str],
    secrets: Mapping[str, str],
    *,
    hidden: Collection[str],
) -> Iterator[str]:
    """Replace the secrets that are no references with variables; say which to declare."""
    for name, value in secrets.items():
        is_copied = any(literal(one) in texts[name] for one in hidden)
        if texts[name].startswith("${") and not is_copied:
            continue
        base = re.sub(r"\W+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)).lower()
        base = base if argument == "parameters" else f"tag_{base}"
        variable = root.variable_for(base, value, str(stack["values"]["name"]))
        texts[name] = f"${{var.{variable}}}"
        if variable not in root.variables:
            mark = " with sensitive = true" if _is_marked(stack, argument, name) else ""
            yield (
                f"{stack['address']}: the value of {argument}[{name!r}] is a secret, and was not "
                f"copied: declare a variable {variable}{mark}, and set it to that value"
            )


def template_of_stack(values: Mapping[str, Any]) -> tuple[str, bool]:
    """The version of a stack's template, and whether it had to be assumed."""
    body = str(values.get("template_body") or "")[:2000]
    return template_of(str(values.get("template_url") or ""), body, _texts(values, "parameters"))


def region_of(stack: Mapping[str, Any]) -> str:
    """The region in the id of a stack."""
    return str(stack["values"].get("id") or ":::").split(":")[3]


def _meta_arguments(
    block: Block | None, root: Root, resource: str, depends_on: Sequence[str]
) -> tuple[list[str], dict[str, Any], list[str]]:
    """What a stack ignores, the meta-arguments that are kept, and notes on the others."""
    given = block.arguments if block else {}
    lifecycle = arguments(given.get("lifecycle", "{}")[1:-1])
    others = [name for name in lifecycle if name not in _KEPT_OF_LIFECYCLE]
    others += [name for name in META_ARGUMENTS if name in given and name not in _KEPT_BLOCKS]
    named = depends_on or named_in(given.get("depends_on", ""))
    in_module = bool(prefix_of(resource))
    kept = [] if in_module else [one for one in named if not root.is_moved(one)]
    others += [f"depends_on {one}" for one in named if one not in kept]
    ignored = [
        one.strip('" ') if "[" not in one else one.strip()
        for one in re.sub(r"^\[|\]$", "", lifecycle.get("ignore_changes", "")).split(",")
        if one.strip()
    ]
    overrides: dict[str, Any] = {"depends_on": kept} if kept else {}
    if lifecycle.get("prevent_destroy") == "true":
        overrides["lifecycle.prevent_destroy"] = True
    if ignored == ["all"]:
        ignored, overrides["lifecycle.ignore_changes"] = [], "all"
    others = [name for name in others if name != "lifecycle"]
    notes = [f"{resource}: its {', '.join(others)} {'is' if len(others) == 1 else 'are'} not kept"]
    return ignored, overrides, notes if others else []


def _unread(root: Root, resource: str) -> str:
    what = "ignore_changes, prevent_destroy, other lifecycle arguments and references"
    return f"{resource}: its block was not found in {root.folder}: see there for {what}"


def _matcher(
    stack: Mapping[str, Any],
    root: Root,
    block: Block | None,
    argument: str,
    secret: Mapping[str, str],
) -> Matcher:
    """The matcher of an argument of a stack."""
    depends_on = [
        one for one in stack.get("depends_on", ()) if not one.partition(".")[0].endswith(STACK)
    ]
    prefix, text = prefix_of(stack["address"]), block.arguments.get(argument, "") if block else ""
    named = root.references(root.expressions(stack).get(argument), prefix)
    candidates = root.candidates(named, depends_on if argument == "parameters" else [])
    others = root.locals_of(prefix) if argument == "parameters" else {}
    written = assigned_in(text, others) | {"": text}
    written |= {} if argument == "parameters" else {argument: text}
    return Matcher(root, prefix, candidates, written, secret)


def _lost(
    stack: Mapping[str, Any], root: Root, matchers: Mapping[str, Matcher]
) -> Iterator[tuple[str, str]]:
    """The references of a stack's configuration that the program does not have."""
    prefix, resource = prefix_of(stack["address"]), without_index(stack["address"])
    for argument, expression in root.expressions(stack).items():
        kept = matchers[argument].used if argument in matchers else set()
        references = root.references(expression, prefix)
        for reference in references:
            name = reference.removeprefix(f"{prefix}local.")
            if argument == "parameters" and name != reference and reference not in kept:
                # What its objects refer to is kept where it is possible.
                inner = named_in(root.locals_of(prefix).get(name, ""))
                more = root.references({"references": inner}, prefix)
                references += [one for one in more if one not in references]
            if reference not in kept and not re.search(r"(?:^|\.)(?:each|count|self)\.", reference):
                named, place = (_CALL_INDEX.sub(r"\1", one) for one in (reference, resource))
                yield named, f"{argument} of {place}"
        # Those that another value of the argument has.
        place = _CALL_INDEX.sub(r"\1", resource)
        for reference, name in matchers[argument].missing if argument in matchers else ():
            if reference in kept:
                yield reference, f"{name} of {place}"


def _minutes(timeouts: Mapping[str, str | None]) -> int | None:
    """The longest of the timeouts, in Go's notation, in whole minutes."""
    units = {"h": 60.0, "m": 1.0, "s": 1 / 60}
    given = [
        sum(float(n) * units[u] for n, u in re.findall(r"([\d.]+)([hms])", text))
        for text in timeouts.values()
        if text
    ]
    return max(1, round(max(given))) if given else None


def _secrets(
    stack: Mapping[str, Any],
    argument: str,
    given: Mapping[str, str],
    specs: Mapping[str, Mapping[str, Any]],
    hidden: Collection[str] = (),
) -> dict[str, str]:
    """The values that the template, or Terraform, does not show, or that have a *hidden* one."""
    return {
        name: value
        for name, value in given.items()
        if value
        and (
            str(specs.get(name, {}).get("NoEcho")).lower() == "true"
            or _is_marked(stack, argument, name)
            or any(one in value for one in hidden)
        )
    }


def _texts(values: Mapping[str, Any], argument: str) -> dict[str, str]:
    return {str(name): str(value) for name, value in (values.get(argument) or {}).items()}


def _is_marked(stack: Mapping[str, Any], argument: str, name: str) -> bool:
    """Whether Terraform marks a value as sensitive."""
    marked = stack.get("sensitive_values", {}).get(argument, {})
    return marked is True or bool(marked and marked.get(name))
