"""What the files say beside a plan or a state: locals, calls of modules, variables."""

from pathlib import Path
from typing import Any

import pytest
from support.shown import configured, role, said, stack, state, written


@pytest.mark.parametrize("is_plan", [True, False], ids=["a plan", "a state"])
def test_the_objects_of_locals_are_read(is_plan: bool, tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        'variable "tags" {\n  default = { team = "ci" }\n}\n'
        "locals {\n  common = {\n"
        "    BuildkiteAgentTokenParameterStorePath = var.path\n"
        '    Subnets = join(",", aws_subnet.s[*].id)\n    BuildkiteAgentTags = var.lost[0]\n'
        "    MaxSize = var.max\n  }\n}\n"
        'resource "aws_cloudformation_stack" "ci" {\n  for_each = local.queues\n'
        "  tags = merge(var.tags, { Name = each.key })\n"
        '  parameters = merge(local.common, each.key == "a" ? { MaxSize = 3 } : {})\n}\n'
    )
    one = stack(
        'aws_cloudformation_stack.ci["a"]',
        parameters={
            "VpcId": "vpc-12345678",
            "Subnets": "subnet-12345678",
            "BuildkiteAgentTags": "a=b",
            "MaxSize": "3",
        },
        tags={"team": "ci", "Name": "a"},
    )
    content = state(one)
    if is_plan:
        parameters, tags = ["local.common"], ["var.tags", "each.key"]
        named = {"parameters": {"references": parameters}, "tags": {"references": tags}}
        content = configured(one, named)
        content["variables"] = {"tags": {"value": {"team": "ci"}}, "lost": {"value": ["c"]}}
    program = written(content, tmp_path)
    assert 'Existing("${var.path}")' in program.text
    assert 'join(",", aws_subnet.s[*].id)' in program.text
    assert 'merge(var.tags, {Name = "a"})' in program.text
    assert "max_size=3" in program.text
    (note,) = (note for note in program.fleet.notes if "values now" in note)
    assert "var.max (parameters of aws_cloudformation_stack.ci)" in note
    assert "var.path" not in note


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A root module whose stack is in a nested module."""
    for name in ("fleet", "queue"):
        (tmp_path / name).mkdir()
    (tmp_path / "main.tf").write_text(
        'module "fleet" {\n  source = "./fleet"\n  token = var.tokens["web"]\n'
        "  subnets = aws_subnet.s[*].id\n  sizes = { a = var.size }\n  tags = local.tags\n}\n"
    )
    (tmp_path / "fleet" / "main.tf").write_text(
        'module "queue" {\n  source = "../queue"\n  for_each = var.sizes\n  token = var.token\n'
        "  subnets = var.subnets\n  max = each.value\n  tags = var.tags\n}\n"
    )
    (tmp_path / "queue" / "main.tf").write_text(
        'resource "aws_cloudformation_stack" "ci" {\n  parameters = {\n'
        '    BuildkiteAgentToken = var.token\n    Subnets = join(",", var.subnets)\n'
        "    MaxSize = var.max\n  }\n  tags = var.tags\n}\n"
    )
    return tmp_path


@pytest.mark.parametrize("has_variables", [True, False], ids=["a plan", "a state"])
def test_what_calls_of_modules_pass_is_kept(has_variables: bool, modules: Path) -> None:
    parameters = {
        "BuildkiteAgentToken": "planted-web",
        "Subnets": "subnet-12345670,subnet-12345671",
        "MaxSize": "7",
        "VpcId": "vpc-12345678",
    }
    one = stack(
        'module.fleet.module.queue["a"].aws_cloudformation_stack.ci',
        parameters=parameters,
        tags={"team": "ci"},
    )
    subnets = [
        {
            **role("aws_subnet.s", id=f"subnet-1234567{n}"),
            "address": f"aws_subnet.s[{n}]",
            "index": n,
        }
        for n in range(2)
    ]
    content = state(one, *subnets)
    if has_variables:
        # The provider of a module is in its configuration.
        call = {"token": ['var.tokens["web"]', "var.tokens"], "subnets": ["aws_subnet.s"]}
        own = {"token": ["var.token"], "subnets": ["var.subnets"], "max": ["each.value"]}
        named = {"references": ["var.token", "var.subnets", "var.max"]}
        config = {"type": one["type"], "name": "ci", "expressions": {"parameters": named}}
        queue: dict[str, Any] = {"module": {"resources": [config]}, "source": "../queue"}
        queue["expressions"] = {k: {"references": v} for k, v in own.items()}
        fleet: dict[str, Any] = {"module": {"module_calls": {"queue": queue}}, "source": "./fleet"}
        fleet["expressions"] = {k: {"references": v} for k, v in call.items()}
        content = {
            "format_version": "1.2",
            "prior_state": content,
            "variables": {"tokens": {"value": {"web": "planted-web"}}},
            "configuration": {"root_module": {"module_calls": {"fleet": fleet}}},
        }
    program = written(content, modules)
    assert "'${var.tokens[\"web\"]}'" in program.text
    assert 'join(",", aws_subnet.s[*].id)' in program.text
    assert 'tags="${local.tags}"' in program.text
    assert "max_size=7" in program.text
    assert "declare" not in said(program)


def test_a_declared_variable_with_another_value_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('variable "buildkite_agent_token" {}\n')
    one = stack(parameters={"BuildkiteAgentToken": "planted-one"})
    program = written(state(one), tmp_path)
    assert '"${var.buildkite_agent_token_ci}"' in program.text
    assert "declare a variable buildkite_agent_token_ci" in said(program)


def test_a_workspace_is_a_reference(tmp_path: Path) -> None:
    (tmp_path / "stacks.tf").write_text(
        'resource "aws_cloudformation_stack" "ci" {\n'
        '  tags = { Name = "ci-${terraform.workspace}" }\n}\n'
    )
    program = written(state(stack(tags={"Name": "ci-default"})), tmp_path)
    assert '"ci-${terraform.workspace}"' in program.text


VPC = "vpc-12345678"


@pytest.mark.parametrize(
    ("output", "given", "parameter"),
    [
        ("aws_vpc.v", "module.net.out.id", "${module.net.out.id}"),
        ("aws_vpc.v.id", "module.net.out", "${module.net.out}"),
        ("{ id = aws_vpc.v.id }", "module.net.out.id", "${module.net.out.id}"),
        ("{ id = aws_vpc.v.id, ids = aws_subnet.s[*].id }", "var.net.id", "${module.net.out.id}"),
        # Objects, whose attribute the configuration does not name.
        ("aws_vpc.v", '[for one in [module.net.out] : one.id][each.key == "x" ? 1 : 0]', VPC),
        ("{ id = aws_vpc.v.id }", 'lookup(module.net.out, each.key == "x" ? "" : "id")', VPC),
    ],
)
@pytest.mark.parametrize("is_plan", [True, False], ids=["a plan", "a state"])
def test_an_attribute_of_a_modules_output_is_kept_and_no_object_is_taken_for_it(
    output: str, given: str, parameter: str, is_plan: bool, tmp_path: Path
) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "main.tf").write_text(f'output "out" {{\n  value = {output}\n}}\n')
    body = (
        f'  for_each = local.q\n  parameters = {{ VpcId = {given}, Subnets = "subnet-1234567a" }}'
    )
    block = f'resource "aws_cloudformation_stack" "ci" {{\n{body}\n}}\n'
    call = 'module "net" {\n  source = "./net"\n}\n'
    address = 'aws_cloudformation_stack.ci["q"]'
    if given.startswith("var."):
        (tmp_path / "q").mkdir()
        (tmp_path / "q" / "main.tf").write_text(block)
        call += 'module "q" {\n  source = "./q"\n  net = module.net.out\n}\n'
        address, block = f"module.q.{address}", ""
    (tmp_path / "main.tf").write_text(call + block)
    one = stack(address, parameters={"VpcId": VPC, "Subnets": "subnet-1234567a"})
    others = [role("module.net.aws_vpc.v", id=VPC), role("module.net.aws_subnet.s", id="subnet-1")]
    content = state(one, *others)
    if is_plan and not given.startswith("var."):
        content = configured(
            one, {"parameters": {"references": [given.partition("[")[0]]}}, *others
        )
    assert f'"VpcId": "{parameter}"' in written(content, tmp_path).text


@pytest.mark.parametrize(
    ("expression", "is_whole"),
    [
        ('each.key == "x" ? "" : join(",", values(aws_iam_policy.p)[*].arn)', True),
        ('join(",", [for p in each.value : aws_iam_policy.p[p].arn])', False),
        ('join(",", slice(values(aws_iam_policy.p)[*].arn, 0, each.value))', False),
        ('join(",", [for p in aws_iam_policy.p : p.arn if p.name != each.key])', False),
    ],
)
def test_some_of_a_list_do_not_become_all_of_it(
    expression: str, is_whole: bool, tmp_path: Path
) -> None:
    (tmp_path / "main.tf").write_text(
        'resource "aws_cloudformation_stack" "ci" {\n  for_each = var.queues\n'
        f"  parameters = {{ ManagedPolicyARNs = {expression}, InstanceName = each.key }}\n}}\n"
    )
    arns = {name: f"arn:aws:iam::123456789012:policy/{name}" for name in "ab"}
    address = 'aws_cloudformation_stack.ci["q"]'
    one = stack(address, parameters={"ManagedPolicyARNs": ",".join(arns.values())})
    policies = [
        {**role(f'aws_iam_policy.p["{n}"]', id=arn, arn=arn), "name": "p", "index": n}
        for n, arn in arns.items()
    ]
    content = configured(one, {"parameters": {"references": ["aws_iam_policy.p"]}}, *policies)
    text = written(content, tmp_path).text
    assert ("values(aws_iam_policy.p)[*].id" in text) == is_whole
    assert ('aws_iam_policy.p["a"].arn},${aws_iam_policy.p["b"].arn}' in text) != is_whole


def test_a_reference_that_another_parameter_keeps_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        'resource "aws_cloudformation_stack" "ci" {\n'
        "  parameters = { InstanceName = trimspace(<<-EOT\n    acme-${var.env}\n  EOT\n  )\n"
        '    KeyName = var.env == "prod" ? "a" : "b"\n  }\n}\n'
    )
    one = stack(parameters={"InstanceName": "acme-prod", "KeyName": "a"})
    content = configured(one, {"parameters": {"references": ["var.env"]}})
    content["variables"] = {"env": {"value": "prod"}}
    program = written(content, tmp_path)
    assert '"InstanceName": "acme-prod"' in program.text
    assert "values now: var.env (InstanceName of aws_cloudformation_stack.ci)" in said(program)
