"""Adopting the documented layout, and returning to it: docs/adopting.md."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.documents import code_blocks
from support.loopback_aws import ACCOUNT, LoopbackAws
from support.provider import Provider
from support.terraform import Plan, Terraform, terraform_in

from buildkite_agents.queue import DEFAULT_STACK_VERSION

LAYOUT = Path(__file__).parent / "documented-layout"
QUEUES = ("arm64-t4g-2xlarge-linux", "amd64-m5-4xlarge-linux", "amd64-c6a-4xlarge-linux")
STACKS = {f"aws_cloudformation_stack.{queue}" for queue in QUEUES}
MOVES = {
    f'aws_cloudformation_stack.buildkite_agents["{queue}"]': f"aws_cloudformation_stack.{queue}"
    for queue in QUEUES
}
(AS_BEFORE,) = code_blocks("adopting.md", "python")
(MOVE_BACK,) = code_blocks("adopting.md", "bash")


@pytest.fixture(scope="module")
def deployed(
    aws_server: LoopbackAws, aws_provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Terraform:
    """The documented layout, applied."""
    aws_server.reset()
    folder = tmp_path_factory.mktemp("layout")
    (folder / "terraform.tfvars").write_text('environment = "prod"\n')
    tf = terraform_in(folder, LAYOUT, aws_server, aws_provider)
    tf.apply()
    assert tf.would_change_nothing()
    return tf


@pytest.fixture
def infra(deployed: Terraform, tmp_path: Path) -> Path:
    """A copy of the applied root module with its state, before it is rewritten for the provider."""
    folder = tmp_path / "infra" / "terraform"
    shutil.copytree(deployed.folder, folder, symlinks=True)
    shutil.copytree(LAYOUT, folder, dirs_exist_ok=True)
    # As the document describes for references to the stacks.
    outputs = folder / "outputs.tf"
    outputs.write_text(
        outputs.read_text().replace("aws_cloudformation_stack.buildkite", "local.buildkite")
    )
    return folder


@pytest.fixture
def adopt(
    infra: Path,
    aws_server: LoopbackAws,
    aws_provider: Provider,
    deployed: Terraform,
    tmp_path: Path,
    root: Path,
) -> "Adopt":
    return Adopt(infra, aws_server, aws_provider, deployed, tmp_path / "program", root)


class Adopt:
    """Replace the root module's files with the output of a program."""

    def __init__(
        self,
        infra: Path,
        aws: LoopbackAws,
        aws_provider: Provider,
        deployed: Terraform,
        program: Path,
        root: Path,
    ) -> None:
        self.infra = infra
        self._aws = aws
        self._provider = aws_provider
        self._deployed = deployed
        self._program = program
        self._root = root
        self.running = program.parent / "running"
        shutil.copytree(root / "bootstrap", program / "bootstrap")

    def __call__(self, main: str, *, without: tuple[str, ...] = ("buildkite.tf",)) -> Terraform:
        for name in without:
            (self.infra / name).unlink()
        subprocess.run(
            [sys.executable, "-c", main],
            cwd=self._program,
            env={**os.environ, "PYTHONPATH": f"{self._root}:{self._root / 'constructs'}"},
            check=True,
        )
        return self.terraform()

    def terraform(self) -> Terraform:
        """Terraform in a copy, because files can be rewritten for the provider."""
        shutil.rmtree(self.running, ignore_errors=True)
        shutil.copytree(self.infra, self.running, symlinks=True)
        self._provider.prepare(self.running, self._aws.endpoint)
        return Terraform(self.running, self._provider)


def test_inside_the_root_module_nothing_changes(adopt: Adopt) -> None:
    plan = adopt(AS_BEFORE).plan()
    assert plan.moved == MOVES
    assert plan.is_empty


def test_as_the_whole_root_module_nothing_changes(adopt: Adopt) -> None:
    locals_block = re.search(
        r"^locals \{.*?^\}\n", (LAYOUT / "main.tf").read_text(), re.MULTILINE | re.DOTALL
    )
    assert locals_block is not None
    vpc_cidr = (LAYOUT / "variables.tf").read_text().partition('variable "vpc_cidr"')
    (adopt.infra / "own.tf").write_text(locals_block[0] + "".join(vpc_cidr[1:]))
    whole = AS_BEFORE.replace(", inside_root_module=True", "")
    assert whole != AS_BEFORE
    files = ("main.tf", "variables.tf", "outputs.tf", "buildkite.tf", "terraform.tfvars.example")
    tf = adopt(whole, without=files)
    tf.run("init", "-reconfigure")
    plan = tf.plan(
        # The layout's variables.tf sets images; this program has no default images.
        '-var=buildkite_agent_amis={"amd64-linux"="ami-0453ec754f44f9a4a",'
        '"arm64-linux"="ami-0c101f26f147fa7fd"}'
    )
    assert plan.moved == MOVES
    assert plan.is_empty


def defaults(as_before: str) -> str:
    """The document's program without its settings, and with this project's script."""
    program = as_before.replace(', idle_minutes=None, stack_version="v6.21.0"', "").replace(
        "    keep_documented_layout=True,\n", ""
    )
    program = program.replace(
        "../infra/terraform/buildkite-bootstrap.sh", "bootstrap/buildkite-bootstrap.sh"
    )
    assert "v6.21.0" not in program
    return program


def test_to_the_defaults_the_changes_are_those_of_the_document(
    adopt: Adopt, aws_provider: Provider
) -> None:
    adopt(AS_BEFORE)
    plan = adopt(defaults(AS_BEFORE), without=("buildkite-bootstrap.sh",)).plan()
    script = f"aws_s3_{'bucket_' if aws_provider.is_version_3 else ''}object.bootstrap_script"
    assert plan.deleted == set()
    added = {"aws_s3_bucket_policy.buildkite_secrets"}
    updated = STACKS | {script, "aws_iam_policy.buildkite_agent"}
    if aws_provider.is_version_3:
        updated.add("aws_s3_bucket.buildkite_secrets")
        hardened = plan.changed_attributes("aws_s3_bucket.buildkite_secrets")
        assert hardened == {"lifecycle_rule", "versioning"}
    else:
        added |= {
            f"aws_s3_bucket_{part}.buildkite_secrets"
            for part in ("lifecycle_configuration", "ownership_controls", "versioning")
        }
    assert plan.created == added
    assert plan.updated == updated
    assert plan.changed_attributes("aws_iam_policy.buildkite_agent") == {"policy"}
    assert "etag" in plan.changed_attributes(script)
    for stack in STACKS:
        changed = plan.changed_attributes(stack) - {"outputs", "tags_all", "timeouts"}
        assert changed == {"parameters", "tags", "template_url"}
        before, after = plan.before(stack), plan.after(stack)
        assert before["template_url"].split("/")[-2:] == ["v6.21.0", "aws-stack.yml"]
        assert after["template_url"].split("/")[-2:] == [DEFAULT_STACK_VERSION, "aws-stack.yml"]
        assert dict(after["parameters"].items() - before["parameters"].items()) == {
            "ScaleInIdlePeriod": "900",
            "IMDSv2Tokens": "required",
            "InstanceCreationTimeout": "PT15M",
            "SecretsBucketRegion": "us-east-1",
            "RootVolumeEncrypted": "true",
            "ECRAccessPolicy": "readonly",
            "ManagedPolicyARNs": (
                f"arn:aws:iam::{ACCOUNT}:policy/conbench-prod-buildkite-agent-policy"
            ),
        }
        assert before["parameters"].keys() <= after["parameters"].keys()


def test_an_own_script_is_not_replaced_without_being_removed(adopt: Adopt) -> None:
    adopt(AS_BEFORE)
    with pytest.raises(subprocess.CalledProcessError):
        adopt(defaults(AS_BEFORE), without=())
    script = adopt.infra / "buildkite-bootstrap.sh"
    assert script.read_bytes() == (LAYOUT / "buildkite-bootstrap.sh").read_bytes()


def lose_state(infra: Path, *, but: set[str]) -> None:
    path = infra / "terraform.tfstate"
    state = json.loads(path.read_text())
    state["resources"] = [r for r in state["resources"] if r["type"] in but]
    state["serial"] += 1
    path.write_text(json.dumps(state))


def test_with_a_lost_state_the_plan_has_only_imports(adopt: Adopt, aws_provider: Provider) -> None:
    kept = {"aws_vpc", "aws_subnet"}
    if aws_provider.is_version_3:
        # This provider cannot import objects.
        kept.add("aws_s3_bucket_object")
    lose_state(adopt.infra, but=kept)
    importing = AS_BEFORE.replace(
        "inside_root_module=True", f'inside_root_module=True, import_account="{ACCOUNT}"'
    )
    tf = adopt(importing)
    plan = tf.plan()
    expected = STACKS | {
        "aws_s3_bucket.buildkite_secrets",
        "aws_s3_bucket_public_access_block.buildkite_secrets",
        "aws_ssm_parameter.buildkite_agent_token",
        "aws_iam_policy.buildkite_agent",
    }
    if not aws_provider.is_version_3:
        expected |= {
            "aws_s3_bucket_server_side_encryption_configuration.buildkite_secrets",
            "aws_s3_object.bootstrap_script",
        }
    assert plan.imported == expected
    assert (plan.created, plan.updated, plan.deleted) == (set(), set(), set())
    tf.apply()
    shutil.copy(adopt.running / "terraform.tfstate", adopt.infra)
    tf = adopt(AS_BEFORE, without=())
    tf.apply()
    assert tf.would_change_nothing()


def test_back_again_nothing_changes(adopt: Adopt) -> None:
    tf = adopt(AS_BEFORE)
    tf.apply()
    assert tf.state_addresses() >= STACKS
    shutil.copy(adopt.running / "terraform.tfstate", adopt.infra)
    plan = back(adopt)
    assert plan.moved == {new: old for old, new in MOVES.items()}
    assert plan.is_empty


@pytest.mark.usefixtures("only_since_provider_5")
def test_back_from_the_defaults_destroys_what_the_document_names(adopt: Adopt) -> None:
    adopt(AS_BEFORE)
    program = defaults(AS_BEFORE)
    tf = adopt(program, without=("buildkite-bootstrap.sh",))
    tf.apply()
    shutil.copy(adopt.running / "terraform.tfstate", adopt.infra)
    plan = back(adopt)
    assert plan.deleted == {
        f"aws_s3_bucket_{part}.buildkite_secrets"
        for part in ("lifecycle_configuration", "ownership_controls", "policy", "versioning")
    }
    assert plan.created == set()


def back(adopt: Adopt) -> Plan:
    """The plan after the root module's own files were restored."""
    subprocess.run(["bash", "-c", MOVE_BACK], cwd=adopt.infra, check=True)
    for name in ("buildkite.tf.json", ".buildkite-agents.sha256"):
        (adopt.infra / name).unlink()
    shutil.copytree(LAYOUT, adopt.infra, dirs_exist_ok=True)
    return adopt.terraform().plan()
