"""References behind the values of stacks."""

from pathlib import Path
from typing import Any

import pytest
from support.shown import configured, plan, role, said, stack, state, written


def test_what_a_plan_refers_to_stays_a_reference() -> None:
    vpc = {
        "address": "aws_vpc.main",
        "type": "aws_vpc",
        "name": "main",
        "values": {"id": "vpc-12345678", "arn": "arn:aws:ec2:vpc"},
    }
    one = stack(
        parameters={
            "VpcId": "vpc-12345678",
            "Subnets": "subnet-12345678",
            "KeyName": "ours",
            "BuildkiteAgentToken": "bkct_secret",
        }
    )
    program = written(
        plan(
            {"key": "ours", "unused": "subnet-12345678", "tok": "bkct_secret"},
            ["aws_vpc.main.id", "aws_vpc.main", "var.key", "var.tok", "module.vpc.subnets"],
            one,
            vpc,
        )
    )
    assert '"${aws_vpc.main.id}"' in program.text
    assert '"KeyName": "${var.key}"' in program.text
    assert '"BuildkiteAgentToken": "${var.tok}"' in program.text
    assert 'provider="aws.west"' in program.text
    assert "references that are values now: module.vpc.subnets (parameters of" in said(program)


def test_values_are_never_evaluated() -> None:
    evil = '${file("/home/x/.aws/credentials")}'
    one = stack(parameters={"BuildkiteAgentTags": "a=%{if true}"}, tags={"a": evil, "b": "c"})
    text = written(state(one)).text
    assert "'$${file(\"/home/x/.aws/credentials\")}'" in text
    assert "'${file" not in text
    assert "a=%%{if true}" in text


def test_the_name_of_what_a_stack_makes_never_becomes_a_reference() -> None:
    one = stack(parameters={"InstanceRoleName": "ci-agent", "ECRAccessPolicy": "poweruser"})
    reads = role("data.aws_iam_role.agents", id="ci-agent", name="ci-agent")
    repository = role("aws_ecr_repository.poweruser", id="poweruser", name="poweruser")
    one["depends_on"] = ["aws_ecr_repository.poweruser"]
    text = written(state(one, reads, repository)).text
    assert '"InstanceRoleName": "ci-agent"' in text
    assert '"ECRAccessPolicy": "poweruser"' in text


def test_a_state_has_only_references_to_what_a_stack_depends_on() -> None:
    one = stack(parameters={"SecretsBucket": "agents-secrets", "KeyName": "agents"})
    one["depends_on"] = ["aws_s3_bucket.secrets"]
    bucket = role("aws_s3_bucket.secrets", id="agents-secrets", bucket="agents-secrets")
    key = role("aws_key_pair.agents", id="agents", key_name="agents")
    program = written(state(one, bucket, key))
    assert 'Existing("${aws_s3_bucket.secrets.bucket}")' in program.text
    assert '"KeyName": "agents"' in program.text
    assert "found by their values: aws_s3_bucket.secrets.bucket (SecretsBucket)" in said(program)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A root module with the block of a stack."""
    (tmp_path / "stacks.tf").write_text(
        'resource "aws_cloudformation_stack" "ci" {\n'
        "  parameters = {\n"
        "    MaxSize            = var.size # jobs\n"
        "    ScaleOutFactor     = 7\n"
        "    RootVolumeSize     = var.size * 10\n"
        '    SecretsBucket      = "acme-scripts"\n'
        '    BootstrapScriptUrl = "s3://${aws_s3_bucket.scripts.bucket}/boot.sh"\n'
        '    Subnets            = join(",", aws_subnet.public[*].id)\n'
        "  }\n"
        "  tags = local.tags\n"
        "}\n"
    )
    return tmp_path


SCRIPTS = role("aws_s3_bucket.scripts", id="acme-scripts", bucket="acme-scripts")


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("MaxSize", "5"),
        ("EnableInstanceStorage", "true"),
        ("InstanceTypes", "t3.large"),
        ("ECRAccessPolicy", "poweruser"),
        ("InstanceRoleName", "ci-agents"),
    ],
)
def test_a_value_that_is_no_reference_by_nature_stays_a_value(parameter: str, value: str) -> None:
    named = {"parameters": {"references": ["var.same"]}}
    content = configured(stack(parameters={parameter: value}), named)
    content["variables"] = {"same": {"value": value}}
    program = written(content)
    assert "var.same" not in program.text.split("app = ")[1]
    assert "var.same (parameters of aws_cloudformation_stack.ci)" in said(program)


def test_a_reference_is_where_the_block_of_a_stack_has_it(folder: Path) -> None:
    parameters = {
        "MaxSize": "7",
        "ScaleOutFactor": "7",
        "SecretsBucket": "acme-scripts",
        "BootstrapScriptUrl": "s3://acme-scripts/boot.sh",
    }
    references = ["var.size", "aws_s3_bucket.scripts.bucket"]
    content = configured(
        stack(parameters=parameters, tags={"team": "ci"}),
        {"parameters": {"references": references}, "tags": {"references": ["local.tags"]}},
        SCRIPTS,
    )
    content["variables"] = {"size": {"value": 7}}
    program = written(content, folder)
    assert 'max_size="${var.size}"' in program.text
    assert '"ScaleOutFactor": 7' in program.text
    assert 'secrets_bucket=Existing("acme-scripts")' in program.text
    assert 'bootstrap_script="s3://${aws_s3_bucket.scripts.bucket}/boot.sh"' in program.text
    assert 'tags="${local.tags}"' in program.text
    assert "references that are values now" not in said(program)


def test_a_state_has_the_references_of_a_stacks_block(folder: Path) -> None:
    subnets = [{**role("aws_subnet.public", id=f"subnet-1234567{n}"), "index": n} for n in range(2)]
    for subnet in subnets:
        subnet["address"] += f"[{subnet['index']}]"
    ids = "subnet-12345670,subnet-12345671"
    one = stack(parameters={"MaxSize": "7", "VpcId": "vpc-12345678", "Subnets": ids})
    program = written(state(one, *subnets), folder)
    assert "'${join(\",\", aws_subnet.public[*].id)}'" in program.text
    assert 'max_size="${var.size}"' in program.text
    lost = (
        "references that are values now: aws_s3_bucket.scripts.bucket "
        "(parameters of aws_cloudformation_stack.ci)"
    )
    assert lost in said(program)


@pytest.mark.parametrize(
    ("tags", "written_as"),
    [
        ({"team": "ci"}, 'tags="${var.tags}"'),
        ({"team": "ci", "a b": "c"}, 'tags=\'${merge(var.tags, {"a b" = "c"})}\''),
    ],
)
def test_references_in_tags_are_kept(tags: dict[str, str], written_as: str) -> None:
    content = configured(stack(tags=tags), {"tags": {"references": ["var.tags"]}})
    content["variables"] = {"tags": {"value": {"team": "ci"}}}
    assert written_as in written(content).text


def test_references_that_cannot_be_kept_are_named_once() -> None:
    expressions = {
        "name": {"references": ["each.key"]},
        "parameters": {"references": ["each.value"]},
        "tags": {"references": ["local.tags"]},
    }
    one, two = (stack(f'aws_cloudformation_stack.ci["{n}"]', name=f"ci-{n}") for n in "ab")
    content = configured(one, expressions, two)
    config = content["configuration"]["root_module"]["resources"][0]
    config["for_each_expression"] = {"references": ["local.queues"]}
    (note,) = written(content).fleet.notes
    assert note == (
        "references that are values now: local.tags (tags of aws_cloudformation_stack.ci), "
        "local.queues (for_each of aws_cloudformation_stack.ci)"
    )


def test_all_subnets_of_several_resources_stay_all_of_them() -> None:
    one = stack(
        parameters={
            "VpcId": "vpc-12345678",
            "Subnets": ",".join(f"subnet-1234567{n}" for n in range(3)),
        }
    )
    subnets = [
        {**role(f"aws_subnet.{name}", id=f"subnet-1234567{n}"), "index": index}
        for n, name, index in ((0, "a", 0), (1, "a", 1), (2, "b", 0))
    ]
    for each in subnets:
        each["address"] += f"[{each['index']}]"
    content = configured(
        one, {"parameters": {"references": ["aws_subnet.a", "aws_subnet.b"]}}, *subnets
    )
    assert (
        '${join(",", aws_subnet.a[*].id)},${join(",", aws_subnet.b[*].id)}' in written(content).text
    )


def test_a_token_of_a_data_source_is_kept() -> None:
    one = stack(parameters={"BuildkiteAgentToken": "bkct_secret"})
    data = role("data.aws_secretsmanager_secret_version.token", secret_string="bkct_secret")  # noqa: S106
    named = "data.aws_secretsmanager_secret_version.token"
    content = configured(
        one, {"parameters": {"references": [f"{named}.secret_string", named]}}, data
    )
    program = written(content)
    assert f"${{{named}.secret_string}}" in program.text
    assert "bkct_secret" not in program.text + said(program)
    assert "declare" not in said(program)


def test_the_dependencies_of_a_stack_are_kept() -> None:
    content = configured(stack(), {})
    content["configuration"]["root_module"]["resources"][0]["depends_on"] = ["aws_vpc.main"]
    line = 'stack.queue_stacks["q"].add_override("depends_on", ["aws_vpc.main"])'
    assert line in written(content).text


def test_a_note_on_several_stacks_is_one() -> None:
    stacks = [
        stack(
            f"aws_cloudformation_stack.{name}",
            on_failure="DELETE",
            parameters={"BuildkiteQueue": name},
        )
        for name in "abc"
    ]
    content = configured(stacks[0], {"tags": {"references": ["local.tags"]}}, *stacks[1:])
    for config in content["configuration"]["root_module"]["resources"]:
        config["expressions"] = {"tags": {"references": ["local.tags"]}}
    named = ", ".join(f"aws_cloudformation_stack.{name}" for name in "abc")
    assert written(content).fleet.notes == [
        f"{named}: ignore_changes keeps on_failure, which a queue has no field for",
        "references that are values now: local.tags (tags of 3 stacks)",
    ]


def test_two_tokens_are_two_variables_whatever_is_declared() -> None:
    def token(value: str) -> dict[str, Any]:
        return {"BuildkiteQueue": value, "BuildkiteAgentToken": f"planted-{value}"}

    one, two = (stack(f"aws_cloudformation_stack.{n}", parameters=token(n)) for n in ("one", "two"))
    program = written(plan({"buildkite_agent_token": "planted-one"}, [], one, two))
    assert '"${var.buildkite_agent_token}"' in program.text
    assert '"${var.buildkite_agent_token_two}"' in program.text
    assert "planted-" not in program.text + "".join(program.fleet.notes)
    (step,) = (step for step in program.fleet.steps if "declare" in step)
    assert step == (
        "aws_cloudformation_stack.two: the value of parameters['BuildkiteAgentToken'] is a secret, "
        "and was not copied: declare a variable buildkite_agent_token_two, and set it to that value"
    )


def test_a_token_is_not_copied() -> None:
    program = written(state(stack(parameters={"BuildkiteAgentToken": "bkct_secret"})))
    assert "bkct_secret" not in program.text + said(program)
    assert '"BuildkiteAgentToken": "${var.buildkite_agent_token}"' in program.text
    assert "declare a variable buildkite_agent_token" in said(program)


def test_a_value_that_is_marked_as_sensitive_is_not_copied() -> None:
    marked = stack(parameters={"AgentEnvFileUrl": "https://user:secret@host/env"})
    marked["sensitive_values"] = {"parameters": {"AgentEnvFileUrl": True}}
    program = written(state(marked))
    assert "secret@" not in program.text
    assert "${var.agent_env_file_url}" in program.text


def test_an_expression_of_several_lines_is_copied_on_one(tmp_path: Path) -> None:
    (tmp_path / "stacks.tf").write_text(
        'resource "aws_cloudformation_stack" "ci" {\n'
        "  tags = merge(var.default_tags, { # all\n"
        '    Name = "ci"\n'
        "\n"
        '    Queue = "q",\n'
        "  })\n"
        "}\n"
    )
    one = stack(tags={"team": "ci", "Name": "ci", "Queue": "q"})
    program = written(state(one), tmp_path)
    assert 'merge(var.default_tags, { Name = "ci", Queue = "q", })' in program.text
    assert "values now" not in said(program)


@pytest.mark.parametrize(
    ("expression", "is_copied"),
    [
        ('jsondecode(data.aws_ssm_parameter.token.value)["token"]', True),
        ("local.token", True),
        ("each.value.token", False),
        ('join("", [local.token,', False),
        ('join("", [local.start, "_secret"])', False),
        ('"${local.start}_secret"', False),
        ('"bkct${var.rest}"', False),
    ],
)
def test_an_expression_of_a_block_is_copied_without_secrets(
    expression: str, *, is_copied: bool, tmp_path: Path
) -> None:
    (tmp_path / "stacks.tf").write_text(
        'resource "aws_cloudformation_stack" "ci" {\n'
        f"  parameters = {{\n    BuildkiteAgentToken = {expression}\n  }}\n}}\n"
    )
    one = stack(parameters={"BuildkiteAgentToken": "bkct_secret"})
    content = configured(one, {})
    content["variables"] = {"rest": {"value": "_secret"}}
    text = written(content, tmp_path).text
    assert (f"${{{expression}}}" in text) is is_copied
    assert "_secret" not in text
    assert "bkct" not in text
