"""The commands of the documents for operators, run unchanged."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from support import documented
from support.documents import DOCS, code_blocks, pasted
from support.loopback_aws import REGION, LoopbackAws
from support.provider import TERRAFORM_CLI, Provider
from support.terraform import TOKEN

QUEUES = [queue.name for queue in documented.QUEUES]
STATES = "acme-terraform-states"


def block(document: str, first_words: str, language: str = "bash") -> str:
    """The only code block of a document that starts with a string."""
    (found,) = [b for b in code_blocks(document, language) if b.startswith(first_words)]
    return found


class Operator:
    """A user's shell in a checkout, with the AWS CLI and a profile for the loopback AWS."""

    def __init__(self, folder: Path, aws: LoopbackAws, provider: Provider, *, root: Path) -> None:
        self.folder = folder
        self._provider = provider
        shutil.copytree(root / "bootstrap", folder / "bootstrap")
        (folder / "constructs").symlink_to(root / "constructs")
        documented.as_main_of(folder)
        tools = folder / "bin"
        tools.mkdir()
        python = shlex.quote(sys.executable)
        for name, command in {
            "terraform": f'{python} {shlex.quote(str(TERRAFORM_CLI))} "$@"',
            "aws": f'{python} -m awscli "$@"',
            # The set-up by `make synth` has its own tests.
            "make": f"{python} main.py",
        }.items():
            (tools / name).write_text(f"#!/bin/sh\n{command}\n")
            (tools / name).chmod(0o755)
        config = folder / ".aws" / "config"
        config.parent.mkdir()
        config.write_text(
            f"[profile arrow-admin]\nregion = {REGION}\nendpoint_url = {aws.endpoint}\n"
            "aws_access_key_id = testing\naws_secret_access_key = testing\n"
        )
        self._environment = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "HOME": str(folder),
            "CHECKPOINT_DISABLE": "1",
            "TF_INPUT": "0",
            "TF_CLI_ARGS_apply": "-auto-approve",
            "TF_CLI_ARGS_destroy": "-auto-approve",
            "TF_VAR_buildkite_agent_token": TOKEN,
            "AWS_PAGER": "",
            "AWS_PROFILE": "arrow-admin",
        }

    def edit_main(self, old: str, new: str) -> None:
        """Change ``main.py``."""
        main = self.folder / "main.py"
        assert old in main.read_text()
        main.write_text(main.read_text().replace(old, new))

    def paste(self, document: str, words: str) -> None:
        """Paste the document's Python block with these words into ``main.py``."""
        (found,) = [b for b in code_blocks(document, "python") if words in b]
        main = self.folder / "main.py"
        main.write_text(pasted(found, main.read_text()))

    def run(self, script: str, **environment: str) -> str:
        """Run a script up to the first command that fails; return its output."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env={
                **self._environment,
                **self._provider.environment(self.folder / "terraform", kept=True),
                **environment,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def operator(
    aws_server: LoopbackAws,
    aws_provider: Provider,
    root: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Operator:
    """A user who deployed as described in the document."""
    aws_server.reset()
    somebody = Operator(tmp_path_factory.mktemp("operator"), aws_server, aws_provider, root=root)
    somebody.run(block("operations.md", "make synth\ncp"))
    terraform = somebody.folder / "terraform"
    (terraform / "terraform.tfvars").write_text(block("operations.md", "aws_region", "hcl"))
    aws_provider.prepare(terraform, aws_server.endpoint)
    # The provider that keeps running has another home folder.
    override = terraform / "loopback_override.tf.json"
    content = json.loads(override.read_text())
    content["provider"]["aws"][0]["shared_config_files"] = [str(somebody.folder / ".aws/config")]
    override.write_text(json.dumps(content))
    assert "Apply complete!" in somebody.run(block("operations.md", "cd terraform\nterraform init"))
    return somebody


def test_every_command_of_the_documents_is_run_here() -> None:
    calls = re.findall(r'block\(\s*"(\w+\.md)", "(.+?)"', Path(__file__).read_text())
    for document in ("operations.md", "troubleshooting.md", "images.md"):
        run = tuple(words.replace("\\n", "\n") for name, words in calls if name == document)
        blocks = [b for b in code_blocks(document, "bash") if "export TF_VAR_build" not in b]
        assert [b for b in blocks if not b.startswith(run)] == []


@pytest.mark.parametrize(
    "commands", [block("operations.md", "make setup-dev"), *code_blocks("contributing.md", "bash")]
)
def test_the_ways_to_run_tests_find_tests(root: Path, commands: str) -> None:
    # These commands run the tests themselves.
    environment = {**os.environ, "PYTEST_ADDOPTS": "--collect-only --quiet"}
    done = subprocess.run(
        ["bash", "-euc", commands],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    collected = re.findall(r"^tests/\S+::", done.stdout, re.MULTILINE)
    assert collected


def test_terraform_output(operator: Operator) -> None:
    output = operator.run(block("operations.md", "terraform -chdir=terraform output"))
    assert 'buildkite_secrets_bucket = "conbench-prod-buildkite-secrets"' in output
    for queue in QUEUES:
        assert f'"{queue}" = "conbench-prod-buildkite-{queue}"' in output


def test_list_stacks(operator: Operator) -> None:
    stacks = operator.run(block("operations.md", "aws cloudformation describe-stacks")).splitlines()
    assert sorted(stacks) == sorted(
        f"conbench-prod-buildkite-{queue}\tCREATE_COMPLETE" for queue in QUEUES
    )


def test_s3_ls(operator: Operator) -> None:
    assert "bootstrap/setup_benchmark_machine.sh" in operator.run(
        block("operations.md", "aws s3 ls")
    )


def test_an_env_file_is_uploaded_encrypted(operator: Operator, aws_server: LoopbackAws) -> None:
    operator.run(block("operations.md", "cat >env"))
    uploaded = aws_server.client("s3").get_object(
        Bucket="conbench-prod-buildkite-secrets", Key="queues/arm64-t4g-2xlarge-linux/env"
    )
    assert uploaded["ServerSideEncryption"] == "AES256"
    assert b"export CONBENCH_URL=" in uploaded["Body"].read()
    assert not (operator.folder / "env").exists()


def test_describe_stack_events(operator: Operator) -> None:
    command = block("operations.md", "aws cloudformation describe-stack-events")
    events = json.loads(operator.run(command))
    statuses = {event["ResourceStatus"] for event in events["StackEvents"]}
    assert "CREATE_COMPLETE" in statuses


def test_describe_instances_by_queue(operator: Operator) -> None:
    answer = json.loads(operator.run(block("operations.md", "aws ec2 describe-instances")))
    instances = [i for r in answer["Reservations"] for i in r["Instances"]]
    assert [i["InstanceType"] for i in instances] == ["t4g.2xlarge"]


def test_the_tokens_checksum(operator: Operator) -> None:
    deployed = operator.run(block("troubleshooting.md", "aws ssm get-parameter"))
    own = re.search(
        r"printf '%s\\n' \"\$TF_VAR_buildkite_agent_token\" \| openssl dgst -sha256",
        (DOCS / "troubleshooting.md").read_text(),
    )
    assert own is not None
    assert deployed == operator.run(own[0])


def test_a_token_in_the_variables_file_wins_over_the_exported_one(operator: Operator) -> None:
    variables = operator.folder / "terraform" / "terraform.tfvars"
    before = variables.read_text()
    rotated = {"TF_VAR_buildkite_agent_token": "rotated-token-1f2e3d"}
    plan = "terraform -chdir=terraform plan -no-color"
    variables.write_text(f'{before}\nbuildkite_agent_token = "{TOKEN}"\n')
    assert "No changes." in operator.run(plan, **rotated)
    variables.write_text(before)
    assert "0 to add, 1 to change, 0 to destroy" in operator.run(plan, **rotated)


def test_the_log_of_the_bootstrap_script(operator: Operator, aws_server: LoopbackAws) -> None:
    logs, group, instance = aws_server.client("logs"), "/buildkite/elastic-stack", "i-0123456789"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName=instance)
    now = int(time.time() * 1000)
    events = [
        {"timestamp": now - 2 * 60 * 60 * 1000, "message": "bootstrap: yesterday"},
        {"timestamp": now - 60 * 1000, "message": "bootstrap: FAILED: packages"},
        {"timestamp": now, "message": "something else"},
    ]
    logs.put_log_events(logGroupName=group, logStreamName=instance, logEvents=events)
    shown = operator.run(block("troubleshooting.md", "aws logs filter-log-events"))
    assert shown == f"{instance}\tbootstrap: FAILED: packages\n"
    logs.delete_log_group(logGroupName=group)


def test_the_policy(operator: Operator) -> None:
    shown = operator.run(block("troubleshooting.md", "aws iam list-attached-role-policies"))
    attached, _, document = shown.partition("}\n")
    assert "AttachedPolicies" in attached
    assert "ssm:GetParameter" in str(json.loads(document)["Statement"])


def test_the_documents_pipelines_use_existing_queues_and_tags() -> None:
    tags = {
        queue.name: dict(tag.split("=") for tag in queue.agent_tags.split(","))
        for queue in documented.QUEUES
    }
    blocks = [yaml.safe_load(b) for b in code_blocks("operations.md", "yaml")]
    first, *others = [block["steps"] for block in blocks if "steps" in block]
    assert [step["agents"]["queue"] for step in first] == QUEUES
    for step in (s for steps in others for s in steps):
        agents = step["agents"]
        assert agents.items() <= {**tags[agents["queue"]], "queue": agents["queue"]}.items()


ARM = "arm64-t4g-2xlarge-linux"
ARM_STACK = f"conbench-prod-buildkite-{ARM}"


def no_changes(operator: Operator) -> bool:
    return "No changes." in operator.run("terraform -chdir=terraform plan -no-color")


def test_a_stacks_status(operator: Operator) -> None:
    assert (
        operator.run(block("troubleshooting.md", "aws cloudformation describe-stacks"))
        == "CREATE_COMPLETE\n"
    )


def test_a_rollback_that_failed_is_continued(operator: Operator, aws_server: LoopbackAws) -> None:
    aws_server.stack(ARM_STACK).status = "UPDATE_ROLLBACK_FAILED"
    operator.run(block("troubleshooting.md", "aws cloudformation continue-update-rollback"))
    status = operator.run(block("troubleshooting.md", "aws cloudformation describe-stacks"))
    assert status == "UPDATE_ROLLBACK_COMPLETE\n"
    assert no_changes(operator)


def test_a_stack_whose_creation_failed_is_replaced(
    operator: Operator, aws_server: LoopbackAws
) -> None:
    aws_server.fail_creation(ARM_STACK)
    operator.run(block("troubleshooting.md", "cd terraform\nterraform apply -replace"))
    assert (
        operator.run(block("troubleshooting.md", "aws cloudformation describe-stacks"))
        == "CREATE_COMPLETE\n"
    )
    assert no_changes(operator)


def test_a_failed_stack_that_is_not_in_the_state_is_deleted(
    operator: Operator, aws_server: LoopbackAws
) -> None:
    aws_server.fail_creation(ARM_STACK)
    operator.run(f"terraform -chdir=terraform state rm aws_cloudformation_stack.{ARM}")
    operator.run(block("troubleshooting.md", "aws cloudformation delete-stack"))
    operator.run("terraform -chdir=terraform apply")
    assert (
        operator.run(block("troubleshooting.md", "aws cloudformation describe-stacks"))
        == "CREATE_COMPLETE\n"
    )
    assert no_changes(operator)


def test_the_reason_of_a_failed_update_is_shown(
    operator: Operator, aws_server: LoopbackAws
) -> None:
    command = block("troubleshooting.md", "aws cloudformation describe-stack-events")
    assert operator.run(command) == ""
    aws_server.stack(ARM_STACK).events[0].resource_status = "UPDATE_FAILED"
    aws_server.stack(ARM_STACK).events[0].resource_status_reason = "no such subnet"
    assert "no such subnet" in operator.run(command)


def test_a_stack_that_exists_is_imported(operator: Operator) -> None:
    operator.run(f"terraform -chdir=terraform state rm aws_cloudformation_stack.{ARM}")
    operator.run(block("troubleshooting.md", "terraform -chdir=terraform import"))
    operator.run("terraform -chdir=terraform apply")
    assert no_changes(operator)


@pytest.mark.usefixtures("only_since_provider_5")
def test_an_edited_copy_of_the_bootstrap_script_is_copied_back(operator: Operator) -> None:
    with (operator.folder / "terraform" / "buildkite-bootstrap.sh").open("a") as copy:
        copy.write("# edited\n")
    with pytest.raises(AssertionError, match="copy it to the file"):
        operator.run("make synth")
    operator.run(block("operations.md", "cp terraform/buildkite-bootstrap.sh"))
    script = operator.folder / "bootstrap" / "buildkite-bootstrap.sh"
    assert script.read_text().endswith("# edited\n")


@pytest.mark.usefixtures("only_since_provider_5")
def test_the_documented_workflow_checks_a_pull_request(operator: Operator) -> None:
    (workflow,) = [b for b in code_blocks("operations.md", "yaml") if "jobs:" in b]
    steps = yaml.safe_load(workflow)["jobs"]["plan"]["steps"]
    commands = "\n".join(step["run"] for step in steps if "run" in step)
    operator.run("terraform -chdir=terraform apply")
    # git's default branch and user are settings of a machine.
    commit = "git -c user.name=a -c user.email=a@b commit --quiet --message=deployed"
    operator.run(f"git init --quiet && git add main.py terraform && {commit}")
    assert "No changes." in operator.run(commands)
    operator.edit_main('AgentQueue("m5.4xlarge")', 'AgentQueue("m5.4xlarge", max_size=8)')
    with pytest.raises(AssertionError, match='"MaxSize": "8"'):
        operator.run(commands)
    operator.run("git checkout --quiet -- main.py terraform")


@pytest.mark.usefixtures("only_since_provider_5")
def test_a_lost_state_is_imported(operator: Operator) -> None:
    main = operator.folder / "main.py"
    before = main.read_text()
    operator.run("terraform -chdir=terraform apply")
    operator.run("rm terraform/terraform.tfstate*")
    operator.paste("operations.md", "import_account")
    plan = operator.run("make synth && cd terraform && terraform init && terraform plan -no-color")
    assert re.search(r"Plan: \d+ to import, 0 to add, 0 to change, 0 to destroy\.", plan)
    operator.run("terraform -chdir=terraform apply")
    main.write_text(before)
    after = operator.run("make synth && terraform -chdir=terraform apply -no-color")
    assert re.search(r" 0 added, \d+ changed, 0 destroyed\.", after)
    assert no_changes(operator)


@pytest.mark.usefixtures("only_since_provider_5")
def test_a_local_state_is_moved_to_s3(operator: Operator, aws_server: LoopbackAws) -> None:
    aws_server.client("s3").create_bucket(Bucket=STATES)
    operator.paste("operations.md", "S3Backend")
    # Bucket names cannot be part of the host's name on loopback.
    path_style = "-backend-config=use_path_style=true"
    moved = operator.run(
        block("operations.md", "make synth\ncd terraform\nterraform init -migrate"),
        TF_CLI_ARGS_init=path_style,
    )
    assert "No changes." in moved
    objects = aws_server.client("s3").list_objects_v2(Bucket=STATES)["Contents"]
    assert [entry["Key"] for entry in objects] == ["conbench-prod/terraform.tfstate"]
    assert list((operator.folder / "terraform").glob("*.tfstate*")) == []
    assert no_changes(operator)


@pytest.mark.usefixtures("only_since_provider_5")
def test_everything_is_taken_down(operator: Operator, aws_server: LoopbackAws) -> None:
    operator.run(block("operations.md", "cat >env"))
    operator.paste("operations.md", "deletion_protection")
    operator.run("make synth")
    s3 = aws_server.client("s3")
    for number in range(1001):  # more than a request, and their names more than an argument
        s3.put_object(Bucket="conbench-prod-buildkite-secrets", Key=f"{number:0300}")
    operator.run(block("operations.md", "bucket="))
    operator.run(block("operations.md", "cd terraform\nterraform destroy"))
    assert operator.run("terraform -chdir=terraform state list") == ""
    buckets = s3.list_buckets()["Buckets"]
    assert {bucket["Name"] for bucket in buckets} == {"buildkite-aws-stack", STATES}


def test_the_log_groups_are_deleted(operator: Operator, aws_server: LoopbackAws) -> None:
    logs = aws_server.client("logs")
    for group in ("/buildkite/system", "/buildkite/cloud-init/output", "/other"):
        logs.create_log_group(logGroupName=group)
    operator.run(block("operations.md", "aws logs describe-log-groups"))
    groups = logs.describe_log_groups()["logGroups"]
    assert [group["logGroupName"] for group in groups] == ["/other"]
