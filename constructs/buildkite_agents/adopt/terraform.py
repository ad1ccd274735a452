"""Reads stacks from the output of ``terraform show -json``.

Format: https://developer.hashicorp.com/terraform/internals/json-format
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from buildkite_agents.adopt.documented_layout import documented_layout
from buildkite_agents.adopt.edits import edits
from buildkite_agents.adopt.found import Fleet, unsupported
from buildkite_agents.adopt.root import STACK, Root, prefix_of
from buildkite_agents.adopt.terraform_stack import region_of, stack_of, template_of_stack
from buildkite_agents.errors import ConfigError

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
    steps = [*own_modules, *_steps_on_changes(content, ours)]
    if not root.has_configuration:
        steps += _steps_on_regions(ours, root, providers)
    left_out = {s["address"]: why for s in ours if (why := _left_out(s, root))}
    kept = [stack for stack in ours if stack["address"] not in left_out]
    for stack in kept:
        # Which variables take the place of secrets depends on all of them.
        stack_of(stack, root, None)
    found = [
        stack_of(stack, root, None if root.has_configuration else providers.get(region_of(stack)))
        for stack in kept
    ]
    left_out |= {
        stack["address"]: "it is not an Elastic CI Stack" for stack in stacks if stack not in ours
    }
    layout = documented_layout({r["address"]: r["values"] for r in resources})
    return Fleet(
        found,
        left_out=left_out,
        layout=layout,
        first_steps=steps,
        edits=lambda *given: edits(root, *given, layout=layout is not None),
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


def _steps_on_changes(
    content: Mapping[str, Any], stacks: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    addresses = {stack["address"] for stack in stacks}
    for change in content.get("resource_changes", ()):
        if change["address"] in addresses and change["change"]["actions"] not in (
            ["no-op"],
            ["read"],
        ):
            yield (
                f"{change['address']} has planned changes, which the program does not contain: "
                "apply them, and adopt again"
            )


def _steps_on_regions(
    stacks: Sequence[Mapping[str, Any]], root: Root, providers: Mapping[str, str]
) -> list[str]:
    """What to check about the providers, which a state does not name."""
    regions = sorted({region_of(stack) for stack in stacks})
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


def _left_out(stack: Mapping[str, Any], root: Root) -> str | None:
    """Why a stack is not adopted, or None if it is."""
    if "region" in root.configuration_of(stack).get("expressions", {}):
        return "it has the argument region, which a queue has not: give it a provider with an alias"
    if root.provider_of(stack) is None:
        return "its module configures the provider, which the root module cannot refer to"
    marked = stack.get("sensitive_values", {})
    for argument in ("name", "template_url"):
        if marked.get(argument) is True:
            return f"its {argument} is marked as sensitive, and would be in the program"
    version, _ = template_of_stack(stack["values"])
    return unsupported(version, stack["values"].get("parameters") or {})
