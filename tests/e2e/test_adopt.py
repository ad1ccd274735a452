"""Existing fleets, adopted with the program that ``buildkite_agents.adopt`` writes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.documents import code_blocks
from support.loopback_aws import LoopbackAws
from support.provider import Provider
from support.terraform import TOKEN, terraform_in

from buildkite_agents.elastic_ci_stack import template_url

FLEETS = Path(__file__).parent / "fleets"
LAYOUT = Path(__file__).parent / "documented-layout"
STACK = "aws_cloudformation_stack."


class Adopter:
    """A user who adopts the stacks of an existing root module."""

    def __init__(self, folder: Path, source: Path, aws: LoopbackAws, provider: Provider) -> None:
        self.main = folder / "main.py"
        self._aws = aws
        self._provider = provider
        self.tf = terraform_in(folder / "terraform", source, aws, provider)
        self.tf.apply()

    def show(self, *, plan: bool) -> Path:
        """Write the JSON of a plan, or else of the state."""
        shown = self.main.with_name("shown.json")
        if plan:
            self.tf.run("plan", "-out=tfplan")
        shown.write_text(self.tf.run("show", "-json", *(["tfplan"] if plan else [])).stdout)
        return shown

    def adopt(self, shown: Path, *arguments: str) -> str:
        """Write ``main.py``; return the notes."""
        done = run_adopt(shown, "--folder", "terraform", "--output", self.main, *arguments)
        assert done.returncode == 0, done.stderr
        assert TOKEN not in self.main.read_text() + done.stderr
        return done.stderr

    def synthesize(self) -> str:
        """Run ``main.py`` and prepare its output for Terraform; return its warnings."""
        done = run_python(self.main, cwd=self.main.parent)
        self._provider.prepare(self.tf.folder, self._aws.endpoint)
        return done.stderr

    def edit(self, old: str, new: str) -> None:
        """Change the program in one place."""
        text = self.main.read_text()
        assert text.count(old) == 1, text
        self.main.write_text(text.replace(old, new))


def run_python(*arguments: Any, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(root / "constructs")},
        capture_output=True,
        text=True,
        check=False,
    )
    if check and done.returncode:
        raise AssertionError(done.stderr)
    return done


def run_adopt(*arguments: Any) -> subprocess.CompletedProcess[str]:
    return run_python("-m", "buildkite_agents.adopt", *arguments, cwd=Path.cwd(), check=False)


@pytest.mark.parametrize(
    ("fleet", "moved", "one_line", "changed"),
    [
        (
            "arrow-today",
            {},
            (
                'name="new-conbench",\n            max_size=2',
                'name="new-conbench",\n            max_size=3',
            ),
            "conbench",
        ),
        (
            "for-each",
            {
                f'{STACK}bk_queue["{queue}-queue"]': f"{STACK}{queue.replace('-', '_')}_queue"
                for queue in ("build", "docs", "gpu-1", "gpu-2")
            }
            | {f"{STACK}bk_test[0]": f"{STACK}test-queue"},
            ("max_size=208", "max_size=209"),
            "gpu_1_queue",
        ),
        ("two-regions", {}, ("min_size=1", "min_size=2"), "west"),
        ("fixed-size", {}, ("max_size=0", "max_size=1"), "paused"),
    ],
)
@pytest.mark.usefixtures("only_since_provider_5")
def test_a_fleet_is_adopted_without_a_change_and_then_changed_by_one_line(
    fleet: str,
    moved: dict[str, str],
    one_line: tuple[str, str],
    changed: str,
    aws: LoopbackAws,
    aws_provider: Provider,
    tmp_path: Path,
) -> None:
    adopter = Adopter(tmp_path, FLEETS / fleet, aws, aws_provider)
    adopter.adopt(adopter.show(plan=True))
    (adopter.tf.folder / "stacks.tf").unlink()
    adopter.synthesize()
    plan = adopter.tf.plan()
    assert plan.moved == moved
    assert plan.is_empty
    adopter.edit(*one_line)
    adopter.synthesize()
    plan = adopter.tf.plan()
    assert (plan.created, plan.updated, plan.deleted) == (set(), {f"{STACK}{changed}"}, set())
    assert plan.changed_attributes(f"{STACK}{changed}") - {"outputs", "timeouts"} == {"parameters"}


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
        assert f'        AgentQueue("{queue}", **COMMON),\n' in text
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
    for name, queue, size in (("ci", "default", "3"), ("ci-gpu", "gpu_1", "10")):
        parameters = {
            "BuildkiteQueue": queue,
            "BuildkiteAgentToken": "bkct_launched",
            "InstanceTypes": "m5.large",
            "MaxSize": size,
        }
        cloudformation.create_stack(
            StackName=name,
            TemplateURL=template_url("v6.30.0"),
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
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
    done = run_adopt(shown, "--output", main)
    assert done.returncode == 0, done.stderr
    run_python(main, cwd=tmp_path)
    tf = terraform_in(tmp_path / "applied", tmp_path / "terraform", aws, aws_provider)
    plan = tf.plan()
    assert plan.imported == {f"{STACK}default", f"{STACK}gpu_1"}
    assert (plan.created, plan.updated, plan.deleted) == (set(), set(), set())
