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
from buildkite_agents.adopt.terraform_stack import (
    region_of,
    secrets_of,
    stack_of,
    template_of_stack,
)
from buildkite_agents.errors import ConfigError

_MODULE_SOURCE = "elastic-ci-stack-for-aws"
_PLANNED = "the plan creates it: apply the plan, and adopt again"
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
        ConfigError: there are none, the plan destroys one, or the provider configuration of one
            is not known or contradicts the files.
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
    steps = [*own_modules, *_planned(content, ours, root)]
    left_out = {one["address"]: _PLANNED for one in root.planned}
    left_out |= {s["address"]: why for s in ours if (why := _left_out(s, root))}
    kept = [stack for stack in ours if stack["address"] not in left_out]
    chosen: Mapping[str, str] = {}
    if not root.has_configuration:
        chosen, to_check = _providers(kept, root, providers)
        steps += to_check
    secrets = secrets_of(ours, root)
    for stack in kept:
        # Which variables take the place of secrets depends on all of them.
        stack_of(stack, root, None, secrets)
    found = [stack_of(stack, root, chosen.get(stack["address"]), secrets) for stack in kept]
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
        secrets=secrets,
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


def _planned(
    content: Mapping[str, Any], stacks: Sequence[Mapping[str, Any]], root: Root
) -> list[str]:
    """What to do about the changes of a plan; the stacks that it would create are left out.

    Raises:
        ConfigError: it destroys a stack.
    """
    addresses, destroyed, steps = {stack["address"] for stack in stacks}, [], []
    for one in content.get("resource_changes", ()):
        address, actions = one["address"], one["change"]["actions"]
        if address in addresses and {"delete", "forget"} & {*actions}:
            destroyed.append(address)
        elif address in addresses and actions not in (["no-op"], ["read"]):
            steps.append(
                f"{address} has planned changes, which the program does not contain: apply them, "
                "and adopt again"
            )
        elif one["type"] == STACK and "create" in actions:
            after = one["change"].get("after") or {}
            if _is_elastic_ci_stack(after):
                root.planned.append(one)
    if destroyed:
        raise ConfigError(
            f"this plan removes or replaces {', '.join(destroyed)}: do not apply it. Adopt from a "
            "plan without changes: terraform plan -out=tfplan, not with -destroy or -replace"
        )
    return steps


def _providers(
    stacks: Sequence[Mapping[str, Any]], root: Root, given: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """The provider configurations of a state's stacks, by address, and what to check of them.

    Raises:
        ConfigError: one is not known, or contradicts the files.
    """
    declared = root.providers()
    literals = {n: re.fullmatch(r'"([^"$]*)"', region) for n, region in declared.items()}
    expected = {name: literal[1] for name, literal in literals.items() if literal}
    problems = [
        f"--provider {region}={name}: the root module declares only {', '.join(declared)}"
        for region, name in given.items()
        if declared and name not in {"aws", *declared}
    ]
    chosen: dict[str, str] = {}
    unknown, steps = [], []
    is_one_region = len(_regions(root)) == 1 and not any("." in name for name in declared)
    for stack in stacks:
        address, region = stack["address"], region_of(stack)
        option = given.get(region)
        own = root.provider_of(stack) if root.block(stack) else None
        used = own or option or ("aws" if is_one_region and not given else None)
        if used is None:
            unknown.append(region)
            continue
        if own and option and own != option:
            problems.append(
                f"--provider {region}={option}: the block of {address} has the provider {own}"
            )
        elif expected.get(used, region) != region:
            problems.append(f"{address} is in {region}, but {used} is of {expected[used]}")
        elif used not in expected:
            steps.append(f"check that the provider {used} is of {region}, as its stacks are")
            expected[used] = region
        chosen[address] = used
    if unknown:
        problems.append(
            "the root module has resources or providers of several regions, and the blocks of the "
            "stacks, which name their provider configurations, were not found: give that of each "
            "region, or use a plan: "
            + " ".join(f"--provider {region}=aws.ALIAS" for region in dict.fromkeys(unknown))
            + " (aws without an alias for the default one)"
        )
    if problems:
        raise ConfigError(*dict.fromkeys(problems))
    return chosen, steps


def _regions(root: Root) -> set[str]:
    """The regions of a root module's resources."""
    every = (one["values"] for one in root.resources)
    found = {r for v in every for r in (str(v.get("arn") or "::::").split(":")[3], v.get("region"))}
    return {*found, *map(region_of, root.stacks)} - {"", None}


def _left_out(stack: Mapping[str, Any], root: Root) -> str | None:
    """Why a stack is not adopted, or None if it is."""
    if "region" in root.expressions(stack):
        return "it has the argument region, which a queue has not: give it a provider with an alias"
    if root.provider_of(stack) is None:
        return "its module configures the provider, which the root module cannot refer to"
    marked = stack.get("sensitive_values", {})
    for argument in ("name", "template_url"):
        if marked.get(argument) is True:
            return f"its {argument} is marked as sensitive, and would be in the program"
    version, _ = template_of_stack(stack["values"])
    return unsupported(version, stack["values"].get("parameters") or {})
