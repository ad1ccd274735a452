"""Existing fleets, adopted with the program that ``buildkite_agents.adopt`` writes."""

import ast
import json
import re
import shutil
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest
from support.adopter import FLEETS, STACK, Adopter, moves, run_adopt, run_python
from support.documents import code_blocks
from support.loopback_aws import LoopbackAws
from support.provider import Provider
from support.terraform import TOKEN, terraform_in

from buildkite_agents.elastic_ci_stack import template_url

OWN_TEMPLATE = {
    "Description": "Our agents",
    "Parameters": {
        "BuildkiteQueue": {"Type": "String"},
        "BuildkiteAgentTokenParameterStorePath": {"Type": "String", "Default": "/token"},
    },
    "Resources": {"T": {"Type": "AWS::SNS::Topic"}},
}
"""A template that does not name its version."""
LAYOUT = Path(__file__).parent / "documented-layout"


@pytest.mark.parametrize(
    ("fleet", "moved", "one_line", "changed"),
    [
        (
            "arrow-today",
            {},
            (
                '"new-conbench",\n            max_size=2',
                '"new-conbench",\n            max_size=3',
            ),
            "conbench",
        ),
        (
            "for-each",
            moves(
                "bk_queue",
                {
                    f'"{queue}-queue"': f"{queue.replace('-', '_')}_queue"
                    for queue in ("build", "docs", "gpu-1", "gpu-2")
                },
            )
            | moves("bk_test", {"0": "test-queue"}),
            ("max_size=208", "max_size=209"),
            "gpu_1_queue",
        ),
        (
            "two-regions",
            {},
            ("min_size=1", "min_size=2"),
            "west",
        ),
        (
            "aliased",
            moves("queue", {'"big"': "big", '"small"': "small"}),
            ("max_size=4", "max_size=5"),
            "big",
        ),
        (
            "fixed-size",
            {},
            ('"RootVolumeIops": 16000', '"RootVolumeIops": 15000'),
            "agents",
        ),
        ("own-templates", {}, ("min_size=0", "min_size=1"), "body"),
        ("one-stack", {}, ("max_size=6", "max_size=7"), "agents"),
    ],
)
@pytest.mark.parametrize("plan", [True, False], ids=["a plan", "a state"])
@pytest.mark.usefixtures("only_since_provider_5")
def test_a_fleet_is_adopted_without_a_change_and_then_changed_by_one_line(
    fleet: str,
    moved: dict[str, str],
    one_line: tuple[str, str],
    changed: str,
    plan: bool,
    aws: LoopbackAws,
    aws_provider: Provider,
    tmp_path: Path,
) -> None:
    adopter = Adopter(tmp_path, FLEETS / fleet, aws, aws_provider)
    adopter.follow(adopter.adopt(adopter.show(plan=plan)))
    adopter.synthesize()
    planned = adopter.tf.plan()
    assert planned.moved == moved
    assert planned.is_empty
    adopter.edit(*one_line)
    adopter.synthesize()
    planned = adopter.tf.plan()
    address = f"{STACK}{changed}"
    assert (planned.created, planned.updated, planned.deleted) == (set(), {address}, set())
    assert planned.changed_attributes(address) - {"outputs", "timeouts"} == {"parameters"}


@pytest.mark.usefixtures("only_since_provider_5")
def test_a_further_queue_is_created_like_its_siblings_and_nothing_else(
    aws: LoopbackAws, aws_provider: Provider, tmp_path: Path
) -> None:
    adopter = Adopter(tmp_path, FLEETS / "mixed", aws, aws_provider)
    said = adopter.adopt(adopter.show(plan=True))
    assert 'left out: aws_cloudformation_stack.win["win"]: its agents run on Windows' in said
    assert f'"aws_cloudformation_stack" "win" for {STACK}win["win"] only' in said
    folder = adopter.tf.folder
    main, child = folder / "main.tf", folder / "queue" / "main.tf"
    child.write_text(child.read_text().partition("\nresource")[0] + "\n")
    kept = main.read_text().partition("\noutput")[0].replace(', lin = "linux"', "")
    main.write_text(kept + "\n")
    adopter.synthesize()
    adopted = adopter.tf.plan()
    assert (adopted.created, adopted.updated, adopted.deleted) == (set(), set(), set())
    assert len(adopted.moved) == 4
    adopter.edit("    queues=[\n", '    queues=[\n        queue("new", "t4g.large"),\n')
    adopter.synthesize()
    plan = adopter.tf.plan()
    assert (plan.created, plan.updated, plan.deleted) == ({f"{STACK}new"}, set(), set())
    new = plan.after(f"{STACK}new")
    old = plan.before(f"{STACK}docs")
    assert new["name"] == "acme-new"
    assert new["tags"] == {**old["tags"], "Name": "acme-new", "Queue": "new"}
    assert new["parameters"] == {
        name: value
        for name, value in {
            **old["parameters"],
            "BuildkiteQueue": "new",
            "InstanceTypes": "t4g.large",
        }.items()
        if name != "MaxSize"
    }


@pytest.mark.usefixtures("only_since_provider_5")
def test_the_recipe_of_one_stack_makes_a_further_queue(
    aws: LoopbackAws, aws_provider: Provider, tmp_path: Path
) -> None:
    adopter = Adopter(tmp_path, FLEETS / "one-stack", aws, aws_provider)
    adopter.follow(adopter.adopt(adopter.show(plan=True)))
    docstring = ast.get_docstring(ast.parse(adopter.main.read_text())) or ""
    recipe = textwrap.dedent(docstring.partition("to queues:\n")[2])
    for field, value in {
        "name": "new",
        "stack_name": "new",
        "instance_type": "m7g.large",
        '"Name"': "new",
        '"InstanceRoleName"': "new-role",
    }.items():
        recipe = re.sub(rf"{field}(=|: )\.\.\.", rf'{field}\g<1>"{value}"', recipe)
    assert "..." not in recipe
    adopter.edit("app = AgentApp()", f"{recipe}\n\napp = AgentApp()")
    adopter.edit("queues=[queue]", "queues=[queue, further]")
    adopter.synthesize()
    types = {"InstanceTypes": "m7g.large"}
    assert_is_like(adopter, "agents", {**types, "InstanceRoleName": "new-role"}, {"Name": "new"})


@pytest.mark.usefixtures("only_since_provider_5")
def test_a_further_queue_has_all_that_its_siblings_have(
    aws: LoopbackAws, aws_provider: Provider, tmp_path: Path
) -> None:
    adopter = Adopter(tmp_path, FLEETS / "two-regions", aws, aws_provider)
    adopter.follow(adopter.adopt(adopter.show(plan=True)))
    adopter.edit(
        "    queues=[",
        """    queues=[queue("new", "m6i.large", provider="aws.us_east_1", stack_name="new",
        min_size=0, max_size=5, tags={"region": "us-east-1"},
        parameters={"InstanceRoleName": "new-role"}), """,
    )
    adopter.synthesize()
    assert_is_like(adopter, "east", {"InstanceRoleName": "new-role"}, {})


def assert_is_like(
    adopter: Adopter, sibling: str, parameters: dict[str, str], tags: dict[str, str]
) -> None:
    """Nothing but the queue ``new`` is created, like its sibling except for these values."""
    plan = adopter.tf.plan()
    assert (plan.created, plan.updated, plan.deleted) == ({f"{STACK}new"}, set(), set())
    new, old = plan.after(f"{STACK}new"), plan.before(f"{STACK}{sibling}")
    own = {"BuildkiteQueue": "new", **parameters}
    assert new["parameters"] == {**old["parameters"], **own}
    assert new["tags"] == {**old["tags"], **tags}
    assert new["template_url"] == old["template_url"]


@pytest.mark.usefixtures("only_since_provider_5")
def test_secrets_become_the_variables_that_are_named(
    aws: LoopbackAws, aws_provider: Provider, tmp_path: Path
) -> None:
    adopter = Adopter(tmp_path, FLEETS / "secrets", aws, aws_provider)
    said = adopter.adopt(adopter.show(plan=True))
    assert "planted" not in adopter.main.read_text() + said
    adopter.follow(said)
    values = {
        "bootstrap_script_url": "https://example.com/boot.sh?signature=planted-meta",
        "buildkite_agent_token_secrets_one": "planted-a",
        "buildkite_agent_token_secrets_two": "planted-b",
        "tag_note_secrets_one": "one-planted-meta",
        "tag_note_secrets_two": "two-planted-meta",
    }
    declared = re.findall(r"declare a variable (\w+)( with sensitive = true)?,", said)
    assert {name for name, _ in declared} == values.keys()
    variables = (
        f'variable "{name}" {{\n  default = "{values[name]}"\n{mark[6:]}\n}}\n'
        for name, mark in declared
    )
    (adopter.tf.folder / "secrets.tf").write_text("".join(variables))
    adopter.synthesize()
    assert adopter.tf.plan().is_empty


@pytest.mark.usefixtures("only_since_provider_5")
def test_a_variable_in_tags_still_changes_the_stacks(
    aws: LoopbackAws, aws_provider: Provider, tmp_path: Path
) -> None:
    adopter = Adopter(tmp_path, FLEETS / "arrow-today", aws, aws_provider)
    adopter.follow(adopter.adopt(adopter.show(plan=True)))
    adopter.synthesize()
    plan = adopter.tf.plan('-var=default_tags={team="benchmarks",owner="another"}')
    assert len([address for address in plan.updated if address.startswith(STACK)]) == 7


@pytest.mark.usefixtures("only_since_provider_5")
def test_an_adopted_fleet_goes_back_to_its_own_files_without_a_change(
    aws: LoopbackAws, aws_provider: Provider, tmp_path: Path
) -> None:
    adopter = Adopter(tmp_path, FLEETS / "for-each", aws, aws_provider)
    adopter.adopt(adopter.show(plan=False))
    folder = adopter.tf.folder
    (folder / "stacks.tf").unlink()
    adopter.synthesize()
    adopter.tf.apply()
    (move_back,) = code_blocks("adopting.md", "bash")
    subprocess.run(["bash", "-c", move_back], cwd=folder, check=True)
    for name in ("buildkite.tf.json", ".buildkite-agents.sha256"):
        (folder / name).unlink()
    shutil.copy(FLEETS / "for-each" / "stacks.tf", folder)
    plan = adopter.tf.plan()
    assert f'{STACK}bk_queue["gpu-1-queue"]' in plan.moved.values()
    assert plan.is_empty


@pytest.mark.parametrize("plan", [True, False], ids=["a plan", "a state"])
@pytest.mark.usefixtures("only_since_provider_5")
def test_the_documented_layout_is_adopted_with_all_that_is_around_its_stacks(
    plan: bool, aws: LoopbackAws, aws_provider: Provider, tmp_path: Path
) -> None:
    adopter = Adopter(tmp_path, LAYOUT, aws, aws_provider)
    adopter.adopt(adopter.show(plan=plan))
    text = adopter.main.read_text()
    for one in ("keep_documented_layout=True", 'AgentToken(organization="arrow-dev.org")'):
        assert one in text
    for queue in ("t4g.2xlarge", "m5.4xlarge", "c6a.4xlarge"):
        assert f'        queue("{queue}"),\n' in text
    (adopter.tf.folder / "buildkite.tf").unlink()
    outputs = adopter.tf.folder / "outputs.tf"
    outputs.write_text(
        outputs.read_text().replace("aws_cloudformation_stack.buildkite", "local.buildkite")
    )
    adopter.synthesize()
    adopted = adopter.tf.plan()
    assert len(adopted.moved) == 3
    assert adopted.is_empty


@pytest.mark.usefixtures("only_since_provider_5")
def test_stacks_that_never_had_a_terraform_are_imported_and_nothing_else(
    aws: LoopbackAws, aws_provider: Provider, tmp_path: Path
) -> None:
    cloudformation = aws.client("cloudformation")
    topic = aws.client("sns").create_topic(Name="events")["TopicArn"]
    others: dict[str, Any] = {
        "TimeoutInMinutes": 20,
        "NotificationARNs": [topic],
        "RoleARN": "arn:aws:iam::123456789012:role/cloudformation",
    }
    path = {"BuildkiteAgentTokenParameterStorePath": "/token"}
    for name, queue, size, more, arguments in (
        ("ci", "default", "3", {}, {}),
        ("ci-gpu", "gpu_1", "10", {}, {}),
        ("ci-other", "other", "2", path, others),
    ):
        parameters = {
            "BuildkiteQueue": queue,
            "BuildkiteAgentToken": "bkct_launched",
            "InstanceTypes": "m5.large",
            "MaxSize": size,
            **more,
        }
        cloudformation.create_stack(
            StackName=name,
            TemplateURL=template_url("v6.30.0"),
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            **arguments,
        )
    cloudformation.create_stack(
        StackName="own",
        TemplateBody=json.dumps(OWN_TEMPLATE),
        Parameters=[{"ParameterKey": "BuildkiteQueue", "ParameterValue": "own"}],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    shown = tmp_path / "stacks.json"
    described = cloudformation.describe_stacks()
    for stack in described["Stacks"]:
        for parameter in stack["Parameters"]:
            # As CloudFormation reports it, unlike moto.
            if parameter["ParameterKey"] == "BuildkiteAgentToken":
                parameter["ParameterValue"] = "****"
    shown.write_text(json.dumps(described, default=str))
    main = tmp_path / "main.py"
    done = run_adopt(shown, "--output", main, "--check", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run_python(main, cwd=tmp_path)
    tf = terraform_in(tmp_path / "applied", tmp_path / "terraform", aws, aws_provider)
    # The token of ci-other is in Parameter Store.
    tf.variables = {f"buildkite_agent_token_{name}": TOKEN for name in ("ci", "ci_gpu")}
    plan = tf.plan()
    assert plan.imported == {f"{STACK}{queue}" for queue in ("default", "gpu_1", "other", "own")}
    assert (plan.created, plan.updated, plan.deleted) == (set(), set(), set())
    tf.apply()
    main.write_text(main.read_text().replace(', import_account="123456789012"', ""))
    run_python(main, cwd=tmp_path)
    shutil.copy(tmp_path / "terraform" / "buildkite.tf.json", tf.folder)
    shutil.copy(tmp_path / "terraform" / "main.tf.json", tf.folder)
    aws_provider.prepare(tf.folder, aws.endpoint)
    plan = tf.plan()
    assert (plan.created, plan.deleted) == (set(), set())
    assert "template_url" not in plan.changed_attributes(f"{STACK}own")
    changed = plan.changed_attributes(f"{STACK}other") - {"outputs", "tags_all", "timeouts"}
    assert changed <= {"capabilities", "parameters", "template_url"}
