"""Stacks in modules, adopted with the program that ``buildkite_agents.adopt`` writes."""

import json
from pathlib import Path

import pytest
from support.adopter import FLEETS, STACK, Adopter, moves
from support.loopback_aws import LoopbackAws
from support.provider import Provider


@pytest.mark.parametrize("plan", [True, False], ids=["a plan", "a state"])
@pytest.mark.usefixtures("only_since_provider_5")
def test_a_stack_in_a_module_is_adopted_with_the_edits_that_are_named(
    plan: bool, aws: LoopbackAws, aws_provider: Provider, tmp_path: Path
) -> None:
    adopter = Adopter(tmp_path, FLEETS / "modules", aws, aws_provider)
    said = adopter.adopt(adopter.show(plan=plan))
    adopter.follow(said)
    assert "replace module.docs.name, which was of aws_cloudformation_stack.this" in said
    assert "remove var.queue (main.tf:5), var.tags (main.tf:9)" in said
    assert f"{STACK}this with a variable, and pass to the module {STACK}docs" in said
    child, main = adopter.tf.folder / "queue" / "main.tf", adopter.tf.folder / "main.tf"
    alarm = child.read_text().replace(f"{STACK}this.name", "var.stack.name")
    child.write_text(f'{alarm}\nvariable "stack" {{}}\n')
    call = 'module "docs" {\n'
    main.write_text(main.read_text().replace(call, f"{call}  stack = {STACK}docs\n"))
    adopter.synthesize()
    planned = adopter.tf.plan()
    assert planned.moved == {
        f"{STACK}build[0]": f"{STACK}build",
        f"module.docs.{STACK}this": f"{STACK}docs",
    }
    assert planned.is_empty


@pytest.mark.usefixtures("only_since_provider_5")
def test_stacks_of_the_same_local_name_get_addresses_of_their_own(
    aws: LoopbackAws, aws_provider: Provider, tmp_path: Path
) -> None:
    adopter = Adopter(tmp_path, FLEETS / "same-names", aws, aws_provider)
    adopter.follow(adopter.adopt(adopter.show(plan=True)))
    adopter.synthesize()
    plan = adopter.tf.plan()
    assert plan.moved == {
        f"module.a.{STACK}ci": f"{STACK}a-ci",
        f"module.b.{STACK}ci": f"{STACK}b-ci",
        f"{STACK}paws[0]": f"{STACK}swap",
        f"{STACK}swap[0]": f"{STACK}paws",
    }
    assert plan.is_empty


@pytest.mark.parametrize("plan", [True, False], ids=["a plan", "a state"])
@pytest.mark.usefixtures("only_since_provider_5")
def test_the_instances_of_a_module_are_adopted_with_its_provider(
    plan: bool, aws: LoopbackAws, aws_provider: Provider, tmp_path: Path
) -> None:
    adopter = Adopter(tmp_path, FLEETS / "module-for-each", aws, aws_provider)
    adopter.follow(adopter.adopt(adopter.show(plan=plan)))
    adopter.synthesize()
    planned = adopter.tf.plan()
    assert planned.moved == {
        f'module.agents["{queue}"].{STACK}this': f"{STACK}{queue}"
        for queue in ("builds", "docs", "gpu")
    }
    assert planned.is_empty


@pytest.mark.usefixtures("only_since_provider_5")
def test_nested_modules_and_what_protects_a_stack_are_adopted(
    aws: LoopbackAws, aws_provider: Provider, tmp_path: Path
) -> None:
    adopter = Adopter(tmp_path, FLEETS / "nested", aws, aws_provider)
    said = adopter.adopt(adopter.show(plan=True))
    folder = adopter.tf.folder
    assert "found 5 stacks: 5 adopted\n" in said
    assert f"terraform/main.tf:36: replace {STACK}spare[*] with values(local.spare)[*]" in said
    adopter.follow(said)
    adopter.synthesize()
    plan = adopter.tf.plan()
    queue = "module.fleet.module.queue"
    assert plan.moved == {
        f'{queue}["linux"].{STACK}this': f"{STACK}linux",
        f'{queue}["linux.arm"].{STACK}this': f"{STACK}linux-arm",
        f"module.solo[0].{STACK}this": f"{STACK}solo",
    } | moves("spare", {"0": "spare-0", "1": "spare-1"})
    assert plan.is_empty
    made = json.loads((folder / "buildkite.tf.json").read_text())["resource"]
    kept = made["aws_cloudformation_stack"]["spare-0"]["lifecycle"]
    assert kept["prevent_destroy"] is True
    assert kept["ignore_changes"] == ['tags["patch"]', "timeout_in_minutes"]
