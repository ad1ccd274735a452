"""Compares what a program synthesizes with the existing stacks, without Terraform."""

import json
import runpy
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import buildkite_agents
from buildkite_agents.adopt.found import EMPTY, Fleet, FoundStack
from buildkite_agents.adopt.references import HIDDEN
from buildkite_agents.adopt.root import STACK, without_index
from buildkite_agents.errors import ConfigError
from buildkite_agents.expressions import is_reference


def check(program: Path, fleet: Fleet) -> int:
    """Synthesize a program and compare each argument of each stack; return their number.

    Arguments with references of which only Terraform knows the value are not compared.

    Raises:
        ConfigError: an argument differs, or a stack is missing. No value is in the message.
    """
    configuration = _synthesized(program)
    made = configuration.get("resource", {}).get(STACK, {})
    moves = {block["from"]: block["to"] for block in configuration.get("moved", ())}
    by_name = {content["name"]: content for content in made.values()}
    problems, count = [], 0
    for stack in fleet.stacks:
        address = moves.get(stack.address, stack.address)
        content = by_name.get(stack.name) if address is None else made.get(address.split(".")[-1])
        if content is None:
            problems.append(f"{stack.address or stack.name} is not in the program")
            continue
        for argument, is_same in _compared(stack, content, fleet.known):
            count += 1
            if not is_same:
                place = without_index(stack.address or stack.name)
                problems.append(f"{place} ({stack.name}): {argument} is not as it was")
    if problems:
        raise ConfigError(*problems)
    return count


def _synthesized(program: Path) -> Mapping[str, Any]:
    """What a program synthesizes, without writing it."""
    import cdktf

    from buildkite_agents.app import AgentApp
    from buildkite_agents.unwritten import synthesized

    made: dict[str, Any] = {}

    class CheckedApp(AgentApp):
        def __init__(self) -> None:
            super().__init__(outdir=folder)

        def synth(self, *, check: bool | None = None) -> None:  # noqa: ARG002
            synthesized(self)
            for construct in self.node.children:
                if isinstance(construct, cdktf.TerraformStack):
                    made.update(json.loads(cdktf.Testing.synth(construct)))

    with tempfile.TemporaryDirectory() as folder:
        vars(buildkite_agents)["AgentApp"] = CheckedApp
        try:
            runpy.run_path(str(program))
        finally:
            vars(buildkite_agents)["AgentApp"] = AgentApp
    return made


def _compared(
    stack: FoundStack, content: Mapping[str, Any], known: Mapping[str, Any]
) -> Iterator[tuple[str, bool]]:
    """Each argument of a stack that can be compared, and whether it is as it was."""
    ignored = content.get("lifecycle", {}).get("ignore_changes", ())
    for argument, value in stack.values.items():
        made = content.get(argument)
        if argument in ignored and argument not in {"parameters", "tags", "template_url"}:
            yield argument, True
            continue
        if not isinstance(value, Mapping):
            shown = _evaluated(made, known) if isinstance(made, str) else made
            yield argument, shown in (value, None if made else value)
            continue
        made = known.get(made, made) if isinstance(made, str) else made or {}
        if isinstance(made, str):
            continue
        for name in sorted({*value, *made}):
            text = _evaluated(str(made.get(name)), known)
            if text is not None and value.get(name) != HIDDEN:
                yield f"{argument}[{name!r}]", name in made and value.get(name) == text


def _evaluated(text: str, known: Mapping[str, Any]) -> str | None:
    """The value of a text with known references, or None."""
    for reference, value in {EMPTY: "", **known}.items():
        if isinstance(value, str | int | float):
            shown = str(value).lower() if isinstance(value, bool) else str(value)
            text = text.replace(reference, shown.replace("${", "$${").replace("%{", "%%{"))
    if is_reference(text):
        return None
    return text.replace("$${", "${").replace("%%{", "%{")
