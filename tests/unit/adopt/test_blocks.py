"""Blocks of stacks in Terraform's files, and what is kept of them."""

import json
from pathlib import Path
from typing import Any

from support.shown import configured, plan, role, said, stack, state, written

from buildkite_agents.adopt import hcl, terraform
from buildkite_agents.adopt.program import Program

HEAD = 'resource "aws_cloudformation_stack" "ci" {\n'


def of(folder: Path, body: str, **values: Any) -> Program:
    """The program of a state with one stack, and its block."""
    (folder / "stacks.tf").write_text(f"{HEAD}{body}}}\n")
    return written(state(stack(**values)), folder)


def test_a_block_is_found_whatever_is_around_it(tmp_path: Path) -> None:
    (tmp_path / "a.tf").write_text(
        'locals {\n  text = <<-EOT\n    resource "x" "y" {\n  EOT\n}\n'
        '/* resource "x" "y" {} */ # resource "x" "y" {\n'
        '  resource "x" "y" { url = "https://h/${f("}", {a = 1})}#x", n = 2 } // end\n'
    )
    block = next(one for one in hcl.blocks(tmp_path) if one.kind == "resource")
    assert block.labels == ("x", "y")
    assert block.first == 7
    assert block.arguments == {"url": '"https://h/${f("}", {a = 1})}#x"', "n": "2"}


def test_a_file_that_is_not_complete_has_no_blocks(tmp_path: Path) -> None:
    (tmp_path / "a.tf").write_text(f"{HEAD}  tags = {{\n")
    (tmp_path / "b.tf.json").write_text("{")
    assert not [*hcl.blocks(tmp_path)]


def test_references_are_read_outside_texts_and_comments() -> None:
    text = (
        'a = "${f({ x = { y = "local.no" } }, local.a["k"].b)} local.no" # local.no\n'
        "b = <<-EOT\n  $${local.no} %{ for s in var.c ~} local.no ${data.x_y.d.id}\n  EOT\n"
        'c = "https://h/#${terraform.workspace}" /* local.no\n */ + module.e[0].f\n'
    )
    assert hcl.named_in(text) == [
        *('local.a["k"].b', "var.c", "data.x_y.d.id", "terraform.workspace", "module.e[0].f")
    ]


def test_objects_of_one_line_and_of_several_are_read() -> None:
    text = 'merge(local.x, { A = var.s.b, B = 1\n  "C d" = [for k, v in m : k]\n})'
    assert hcl.assigned_in(text) == {"A": "var.s.b", "B": "1", "C d": "[for k, v in m : k]"}


def test_what_depends_on_a_condition_is_not_certain() -> None:
    text = "merge(local.a, { B = 1, C = 2 }, f() ? merge(local.b, { B = 3 }) : {}, { E = 5 })"
    others = {"a": "merge({ A = var.a }, local.c)", "b": "{ A = 1 }", "c": "{ D = var.d }"}
    assert hcl.assigned_in(text, others) == {"C": "2", "D": "var.d", "E": "5"}


def test_a_block_of_json_is_read_as_the_hcl_that_it_stands_for(tmp_path: Path) -> None:
    body = {
        "parameters": {"MaxSize": "${var.max}", "Subnets": '${join(",", aws_subnet.s[*].id)}'},
        "depends_on": ["aws_vpc.v"],
        "lifecycle": [{"ignore_changes": ["tags"], "prevent_destroy": True}],
    }
    content = {"resource": [{"aws_cloudformation_stack": {"ci": body}}]}
    (tmp_path / "stacks.tf.json").write_text(json.dumps(content, indent=1))
    content = state(stack(parameters={"MaxSize": "7"}))
    program = written(content, tmp_path)
    assert 'max_size="${var.max}"' in program.text
    assert 'ignore_changes=["tags"]' in program.text
    assert 'add_override("depends_on", ["aws_vpc.v"])' in program.text
    assert 'add_override("lifecycle.prevent_destroy", True)' in program.text
    (step, *_) = program.fleet.edits(program.addresses)
    assert step == (
        f'{tmp_path}/stacks.tf.json:5: remove the block resource "aws_cloudformation_stack" "ci", '
        "and any key that becomes empty"
    )


def test_what_protects_a_stack_is_kept_and_the_rest_is_named(tmp_path: Path) -> None:
    program = of(
        tmp_path,
        "  depends_on = [aws_vpc.v]\n"
        "  lifecycle {\n    prevent_destroy = true\n    create_before_destroy = true\n"
        '    ignore_changes = [capabilities, tags["a"]]\n'
        "    precondition {\n      condition = true\n    }\n  }\n"
        '  provisioner "local-exec" {\n    command = "x"\n  }\n',
    )
    assert 'ignore_changes=["capabilities", \'tags["a"]\']' in program.text
    assert 'add_override("lifecycle.prevent_destroy", True)' in program.text
    assert 'add_override("depends_on", ["aws_vpc.v"])' in program.text
    assert program.fleet.notes == [
        "aws_cloudformation_stack.ci: its create_before_destroy, precondition, provisioner are not "
        "kept"
    ]


def test_all_changes_stay_ignored(tmp_path: Path) -> None:
    text = of(tmp_path, "  lifecycle {\n    ignore_changes = all\n  }\n").text
    assert 'add_override("lifecycle.ignore_changes", "all")' in text


def test_only_a_block_that_was_not_found_is_to_be_looked_at(tmp_path: Path) -> None:
    assert "its block was not found" not in said(of(tmp_path, "  lifecycle {}\n"))
    assert "its block was not found" in said(written(state(stack()), tmp_path / "none"))


def test_the_references_of_a_states_block_are_listed_by_argument(tmp_path: Path) -> None:
    program = of(tmp_path, '  name = "${var.environment}-ci"\n  tags = var.tags\n')
    assert "references that are values now: var.environment (name of aws_" in said(program)
    assert 'tags="${var.tags}"' in program.text


def test_a_plan_keeps_the_expressions_that_a_state_keeps(tmp_path: Path) -> None:
    tags = 'merge(var.tags, { Name = "${var.environment}-ci" })'
    (tmp_path / "stacks.tf").write_text(
        f"{HEAD}  tags = {tags}\n  parameters = merge(local.p, {{ MaxSize = var.sizes.b }})\n"
        '  template_url = "https://${aws_s3_bucket.t.bucket}.s3.amazonaws.com/stack.yml"\n}\n'
    )
    one = stack(
        parameters={"MaxSize": "3"},
        tags={"a": "b", "Name": "prod-ci"},
        template_url="https://own.s3.amazonaws.com/stack.yml",
    )
    content = plan({"environment": "prod", "sizes": {"b": 3}}, [], one, role("aws_s3_bucket.t"))
    for text in (written(content, tmp_path).text, written(state(one), tmp_path).text):
        assert f"tags='${{{tags}}}'" in text
        assert 'max_size="${var.sizes.b}"' in text
        assert 'template_url="https://${aws_s3_bucket.t.bucket}.s3.amazonaws.com/' in text


def nested(**providers: Any) -> dict[str, Any]:
    """A plan with a stack in a nested module, whose provider is inherited or configured."""
    inner = "module.fleet.module.queue"
    one = stack(f"{inner}.aws_cloudformation_stack.ci")
    content = plan({}, [], one)
    config = content["configuration"]["root_module"].pop("resources")
    config[0] |= {"address": "aws_cloudformation_stack.ci", "provider_config_key": f"{inner}:aws"}
    queue = {"queue": {"source": "../queue", "module": {"resources": config}}}
    fleet = {"fleet": {"source": "./fleet", "module": {"module_calls": queue}}}
    content["configuration"]["root_module"]["module_calls"] = fleet
    content["configuration"]["provider_config"] = {
        f"{inner}:aws": {"module_address": inner, **providers}
    }
    return content


def test_an_inherited_provider_is_that_of_the_root_module(tmp_path: Path) -> None:
    (tmp_path / "fleet").mkdir()
    (tmp_path / "queue").mkdir()
    (tmp_path / "queue" / "main.tf").write_text(f"{HEAD}}}\n")
    (tmp_path / "fleet" / "main.tf").write_text('module "queue" {\n  source = "../queue"\n}\n')
    (tmp_path / "main.tf").write_text(
        'module "fleet" {\n  source = "./fleet"\n  providers = { aws = aws.west }\n}\n'
    )
    program = written(nested(), tmp_path)
    assert [stack.provider for stack in program.fleet.stacks] == ["aws.west"]
    steps = [*program.fleet.edits(program.addresses)]
    assert steps[0].startswith(f"{tmp_path}/main.tf:1: remove module.fleet, and the folder")
    configures = nested(expressions={"region": {}})
    content = {**configures, "prior_state": state(stack(), *_stacks(configures))}
    (why,) = written(content, tmp_path).fleet.left_out.values()
    assert "its module configures the provider" in why


def _stacks(content: dict[str, Any]) -> list[dict[str, Any]]:
    resources: list[dict[str, Any]]
    resources = content["prior_state"]["values"]["root_module"]["resources"]
    return resources


def test_a_module_of_unknown_source_has_no_folder(tmp_path: Path) -> None:
    program = written(state(stack("module.x.aws_cloudformation_stack.ci")), tmp_path)
    (step, *_) = program.fleet.edits(program.addresses)
    assert step.startswith("module.x: remove the block resource")


def test_a_secret_in_tags_is_not_copied(tmp_path: Path) -> None:
    one = stack(tags={"meta": "planted-meta", "note": "planted-note", "team": "ci"})
    one["sensitive_values"] = {"tags": {"meta": True, "note": True}}
    content = configured(one, {"tags": {"references": ["var.meta"]}})
    content["variables"] = {"meta": {"value": "planted-meta"}}
    program = written(content, tmp_path)
    assert '"meta": "${var.meta}"' in program.text
    assert '"note": "${var.tag_note}"' in program.text
    assert "declare a variable tag_note with sensitive = true" in said(program)
    assert "planted" not in program.text + said(program)


def test_a_sensitive_name_is_not_copied(tmp_path: Path) -> None:
    one = stack("aws_cloudformation_stack.x", name="planted")
    one["sensitive_values"] = {"name": True}
    program = written(state(stack(), one), tmp_path)
    assert "its name is marked as sensitive" in said(program)
    assert "planted" not in program.text + said(program)


def test_a_body_is_said_to_be_no_longer_managed() -> None:
    one = stack(template_url=None, template_body="Description: Buildkite stack v6.30.0")
    program = written(state(one))
    assert "its template_body is no longer managed" in said(program)


def test_nothing_is_said_about_a_stack_that_is_left_out(tmp_path: Path) -> None:
    other = stack("aws_cloudformation_stack.other", on_failure="DELETE")
    other["values"]["parameters"]["BuildkiteAgentTags"] = 'a="b"'
    fleet = terraform.fleet_of(state(stack(), other), folder=tmp_path)
    assert any("other" in note for note in fleet.notes)
    assert "on_failure" not in said(written(state(stack(), other), tmp_path))


def test_a_block_of_json_has_the_line_of_its_key(tmp_path: Path) -> None:
    (tmp_path / "a.tf.json").write_text(
        '{"//": "output",\n "variable": {"a": {"default": {\n  "b": 1}},\n  "b": {}},\n'
        ' "locals": [{"c": {\n  "d": 2},\n  "d": "${var.b}"},\n  {"e": 3}],\n'
        ' "resource": [{"x": {"y": [{"count": 1}],\n  "z": {}}}],\n'
        ' "output": {\n  "x": {"value": 1}}}\n'
    )
    parts = [
        one
        for block in hcl.blocks(tmp_path)
        for one in ([block], block.parts())[block.kind == "locals"]
    ]
    assert [(*one.labels, one.first) for one in parts] == [
        *(("a", 2), ("b", 4), ("c", 5), ("d", 7), ("e", 8)),
        *(("x", "y", 9), ("x", "z", 10), ("x", 12)),
    ]
