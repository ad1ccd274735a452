"""What to edit in the files of a root module."""

import json
from pathlib import Path

import pytest
from support.shown import stack, state, written

from buildkite_agents.adopt import terraform

STACK = "aws_cloudformation_stack"
HEAD = f'resource "{STACK}" "ci" {{\n'


def steps(folder: Path, *addresses: str) -> list[str]:
    """The edits for stacks, with the files relative to the folder."""
    stacks = [
        stack(address, name=f"s{n}", parameters={"BuildkiteQueue": f"q{n}"})
        for n, address in enumerate(addresses)
    ]
    program = written(state(*stacks), folder)
    edits = program.fleet.edits(program.addresses, [*program.fleet.lost], program.text)
    return [edit.replace(f"{folder}/", "").replace(str(folder), ".") for edit in edits]


@pytest.mark.parametrize(
    ("count", "every"), [(2, "values(local.ci)"), (12, "[for n in range(12) : local.ci[n]]")]
)
def test_all_instances_of_a_count_are_a_list_in_order(
    count: int, every: str, tmp_path: Path
) -> None:
    uses = [
        ("[*].id", f"{STACK}.ci[*] with {every}[*]"),
        (".*.id", f"{STACK}.ci.* with {every}[*]"),
        (", 2", f"{STACK}.ci with {every}"),
        ("", f"{STACK}.ci with {every}"),
        ("[count.index].name", f"{STACK}.ci[count.index] with local.ci[count.index]"),
    ]
    lines = (f"  x{n} = x({STACK}.ci{use})" for n, (use, _) in enumerate(uses))
    (tmp_path / "main.tf").write_text(
        f"{HEAD}  count = {count}\n  x = {STACK}.ci[*].id\n}}\n"
        "locals {\n" + "\n".join(lines) + "\n}\n"
    )
    assert steps(tmp_path, *(f"{STACK}.ci[{n}]" for n in range(count)))[1:] == [
        f"main.tf:{line}: replace {step}" for line, (_, step) in enumerate(uses, 6)
    ]


def test_only_what_is_evaluated_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        f'{HEAD}  for_each = toset(["a", "b"])\n}}\n'
        f"moved {{\n  from = {STACK}.old\n  to   = {STACK}.ci\n}}\n"
        f"removed {{\n  from = {STACK}.older\n}}\n"
        f'import {{\n  to = {STACK}.ci["a"]\n  id = "s0"\n}}\n'
        f'/* {STACK}.ci */ output "x" {{ # {STACK}.ci\n  value = "{STACK}.ci"\n}}\n'
        'resource "terraform_data" "x" {\n'
        f'  triggers_replace = <<-EOT\n    {STACK}.ci ${{{STACK}.ci["b"].id}}\n  EOT\n'
        f"  depends_on = [aws_vpc.x, {STACK}.ci]\n"
        f'  lifecycle {{\n    replace_triggered_by = [{STACK}.ci, {STACK}.ci["a"]]\n  }}\n}}\n'
    )
    assert steps(tmp_path, f'{STACK}.ci["a"]', f'{STACK}.ci["b"]') == [
        f'main.tf:1: remove the block resource "{STACK}" "ci"',
        f'main.tf:11: remove this import block: {STACK}.ci["a"] is imported, and moves',
        f'main.tf:20: replace {STACK}.ci["b"] with local.ci["b"]',
        f"main.tf:22: replace {STACK}.ci with local.ci",
        f"main.tf:24: replace {STACK}.ci with {STACK}.q0, {STACK}.q1",
        f'main.tf:24: replace {STACK}.ci["a"] with {STACK}.q0',
    ]


def test_depends_on_takes_the_new_address_of_an_instance_and_a_whole_local(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        f'{HEAD}  for_each = toset(["a", "b"])\n}}\nresource "{STACK}" "ci2" {{\n}}\n'
        f'module "x" {{\n  depends_on = [{STACK}.ci["a"]]\n}}\n'
        f'output "x" {{\n  value = 1\n  depends_on = [{STACK}.ci]\n}}\n'
        'resource "terraform_data" "x" {\n'
        f"  lifecycle {{\n    replace_triggered_by = [{STACK}.ci]\n  }}\n}}\n"
    )
    found = steps(tmp_path, f'{STACK}.ci["a"]', f'{STACK}.ci["b"]', f"{STACK}.ci2")
    assert found[2:] == [
        f'main.tf:7: replace {STACK}.ci["a"] with {STACK}.q0',
        f"main.tf:11: replace {STACK}.ci with local.ci",
        f"main.tf:15: replace {STACK}.ci with {STACK}.q0, {STACK}.q1",
    ]


def test_a_local_that_is_removed_is_not_renamed(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        "locals {\n  ci   = { a = local.size }\n  size = var.size\n}\n"
        f'variable "size" {{}}\n{HEAD}  for_each = local.ci\n}}\n'
    )
    assert steps(tmp_path, f'{STACK}.ci["a"]')[1:] == [
        ".: remove local.ci (main.tf:2), local.size (main.tf:3), var.size (main.tf:5), which only "
        "the removed blocks used"
    ]


def test_a_local_that_is_the_resource_is_what_the_program_defines(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        f'locals {{\n  ci = {STACK}.ci\n}}\n{HEAD}  for_each = toset(["a"])\n}}\n'
        'output "x" {\n  value = local.ci["a"].id\n}\n'
    )
    assert steps(tmp_path, f'{STACK}.ci["a"]')[1:] == [
        "main.tf:2: remove local.ci, which the program defines"
    ]


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A root module that calls a module of stacks in another module, twice."""
    for folder in ("fleet", "queue"):
        (tmp_path / folder).mkdir()
    (tmp_path / "main.tf").write_text(
        'variable "token" {}\nvariable "team" {}\n'
        'module "a" {\n  source = "./fleet"\n  token  = var.token\n  team   = var.team\n}\n'
        'module "b" {\n  source = "./fleet"\n  token  = var.token\n  team   = "b"\n}\n'
        'output "ids" {\n  value = [module.a.id, module.b.id]\n}\n'
    )
    (tmp_path / "fleet" / "main.tf").write_text(
        'variable "token" {}\nvariable "team" {}\n'
        'module "queue" {\n  source = "../queue"\n  token  = var.token\n  team   = var.team\n}\n'
        'resource "aws_s3_bucket" "x" {\n  bucket = var.team\n}\n'
        'output "id" {\n  value = module.queue.id\n}\n'
    )
    (tmp_path / "queue" / "main.tf").write_text(
        'variable "token" {}\nvariable "team" {}\nlocals {\n  tags = { Name = var.team }\n}\n'
        f"{HEAD}  token = var.token\n  tags = local.tags\n}}\n"
        f'output "id" {{\n  value = {STACK}.ci.id\n}}\n'
    )
    return tmp_path


CI = f"module.queue.{STACK}.ci"


def test_a_module_with_nothing_but_a_stack_is_removed(modules: Path) -> None:
    assert steps(modules, f"module.a.{CI}", f"module.b.{CI}") == [
        "fleet/main.tf:3: remove module.queue, and the folder queue if no other root module uses "
        "it: nothing else is in it",
        "fleet: remove var.token (main.tf:1), which only the removed blocks used",
        ".: remove var.token (main.tf:1), which only the removed blocks used",
        ".: remove the arguments token (main.tf:5) of module.a, which only the removed blocks used",
        ".: remove the arguments token (main.tf:10) of module.b, which only the removed blocks "
        "used",
        "fleet/main.tf:11: remove the output id, which has module.queue.id",
        f"main.tf:14: replace module.a.id, which was of {STACK}.ci, by {STACK}.q0.id",
        f"main.tf:14: replace module.b.id, which was of {STACK}.ci, by {STACK}.q1.id",
    ]


def test_what_else_a_module_has_gets_the_stack_as_a_variable(modules: Path) -> None:
    queue = modules / "queue" / "main.tf"
    alarm = (
        f'resource "aws_cloudwatch_metric_alarm" "x" {{\n  tags = local.tags\n'
        f'  alarm_name = "${{{STACK}.ci.name}}-max"\n}}\n'
    )
    queue.write_text(queue.read_text() + alarm)
    found = steps(modules, f"module.a.{CI}", f"module.b.{CI}")
    assert found[:2] == [
        f'queue/main.tf:6: remove the block resource "{STACK}" "ci"',
        "queue: remove var.token (main.tf:1), which only the removed blocks used",
    ]
    assert (
        f"queue/main.tf:15: replace {STACK}.ci with a variable, and pass to the module {STACK}.q0 "
        f"for module.a.module.queue or {STACK}.q1 for module.b.module.queue"
    ) in found
    assert f"queue/main.tf:10: remove the output id, which has {STACK}.ci" in found
    assert "module.queue, and the folder" not in "".join(found)
    assert len(found) == len({*found})


@pytest.mark.parametrize("has_alarm", [True, False])
def test_the_instances_of_a_module_are_a_map_of_what_takes_their_place(
    has_alarm: bool, tmp_path: Path
) -> None:
    (tmp_path / "queue").mkdir()
    alarm = f'resource "aws_sns_topic" "x" {{\n  name = {STACK}.ci.name\n}}\n' if has_alarm else ""
    (tmp_path / "queue" / "main.tf").write_text(
        f'{HEAD}}}\n{alarm}output "id" {{\n  value = {STACK}.ci.id\n}}\n'
    )
    (tmp_path / "main.tf").write_text(
        'module "w" {\n  source   = "./queue"\n  for_each = toset(["a.b", "c"])\n}\n'
        'module "n" {\n  source = "./queue"\n  count  = 2\n}\n'
        'module "one" {\n  source = "./queue"\n}\n'
        'resource "aws_ssm_parameter" "x" {\n  for_each = module.w\n\n  value = each.value.id\n}\n'
        'module "other" {\n  source   = "other"\n  for_each = module.w\n  id = each.value.id\n}\n'
        'locals {\n  a = module.w["c"].id\n  b = module.w[var.x].id\n'
        "  c = [for k, m in module.w : m.id]\n  d = module.n[*].id\n  e = module.one.id\n}\n"
    )
    modules = ("w", "a.b"), ("w", "c"), ("n", 0), ("n", 1)
    addresses = [f"module.{name}[{json.dumps(key)}].{STACK}.ci" for name, key in modules]
    found = steps(tmp_path, *addresses, f"module.one.{STACK}.ci")
    of_w, of_n = (
        f'{{ "a.b" = {STACK}.q0.id, "c" = {STACK}.q1.id }}',
        f"[{STACK}.q2.id, {STACK}.q3.id]",
    )
    uses = {
        "15: replace each.value.id": f"{of_w}[each.key]",
        "20: replace each.value.id": f"{of_w}[each.key]",
        '23: replace module.w["c"].id': f"{STACK}.q1.id",
        "24: replace module.w[var.x].id": f"{of_w}[var.x]",
        "25: replace module.w.id": of_w,
        "26: replace module.n[*].id": of_n,
        "27: replace module.one.id": f"{STACK}.q4.id",
    }
    if not has_alarm:
        uses |= {"13: replace module.w": of_w, "19: replace module.w": of_w}
    assert {one for one in found if one.startswith("main.tf:") and "replace" in one} == {
        f"main.tf:{use}, which was of {STACK}.ci, by {now}" for use, now in uses.items()
    }
    passed = (
        f'queue/main.tf:4: replace {STACK}.ci with a variable, and pass to the module {{ "a.b" = '
        f'{STACK}.q0, "c" = {STACK}.q1 }}[each.key] for module.w or [{STACK}.q2, {STACK}.q3]'
        f"[count.index] for module.n or {STACK}.q4 for module.one"
    )
    assert (passed in found) is has_alarm


def test_the_instances_in_an_inner_module_are_a_list_or_map_too(tmp_path: Path) -> None:
    (tmp_path / "fleet" / "queue").mkdir(parents=True)
    (tmp_path / "main.tf").write_text(
        'module "f" {\n  source = "./fleet"\n}\nlocals {\n  a = module.f.ids[0]\n}\n'
    )
    (tmp_path / "fleet" / "main.tf").write_text(
        'module "q" {\n  source = "./queue"\n  count  = 2\n}\n'
        'output "ids" {\n  value = module.q[*].id\n}\n'
        'resource "aws_sns_topic" "x" {\n  name = module.q[0].id\n}\n'
    )
    (tmp_path / "fleet" / "queue" / "main.tf").write_text(
        f'{HEAD}  for_each = toset(["a"])\n}}\noutput "id" {{\n  value = {STACK}.ci["a"].id\n}}\n'
    )
    found = steps(tmp_path, *(f'module.f.module.q[{n}].{STACK}.ci["a"]' for n in (0, 1)))
    ids = f"[{STACK}.q0.id, {STACK}.q1.id]"
    assert f"main.tf:5: replace module.f.ids, which was of {STACK}.ci, by {ids}" in found
    assert (
        f"fleet/main.tf:9: replace module.q.id with a variable, and pass to the module {ids}"
    ) in found


def test_only_what_nothing_uses_is_to_be_removed(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(
        'variable "unused" {}\nvariable "used" {}\noutput "x" {\n  value = var.used\n}\n'
    )
    (tmp_path / "stacks.tf").write_text(f'{HEAD}  name = "${{var.unused}}-${{var.used}}"\n}}\n')
    program = written(state(stack()), tmp_path)
    edits = [*program.fleet.edits(program.addresses, program.fleet.lost, program.text)]
    assert f"{tmp_path}: remove var.unused (main.tf:1), which only the removed blocks used" in edits
    assert not any("var.used" in edit for edit in edits)


def test_what_to_edit_is_named_file_by_file(tmp_path: Path) -> None:
    (tmp_path / "stacks.tf").write_text(
        'resource "aws_cloudformation_stack" "ci" {\n}\n\n# aws_cloudformation_stack.ci\n'
        'output "names" {\n  value = aws_cloudformation_stack.ci["a"].name\n}\n'
    )
    content = state(stack('aws_cloudformation_stack.ci["a"]', name="ci-a"))
    fleet = terraform.fleet_of(content, folder=tmp_path)
    named = [*fleet.edits({'aws_cloudformation_stack.ci["a"]': "aws_cloudformation_stack.q"})]
    assert named == [
        f'{tmp_path}/stacks.tf:1: remove the block resource "aws_cloudformation_stack" "ci"',
        f'{tmp_path}/stacks.tf:6: replace aws_cloudformation_stack.ci["a"] with local.ci["a"]',
    ]


@pytest.mark.parametrize(
    ("file", "text", "line"),
    [
        ("a.tf", "locals {\n  ci = 1\n}\n", 2),
        ("a.tf", "locals{\n  other = 1\n  ci    = { a = 2 }\n}\n", 3),
        ("a.tf.json", '{"locals": {"ci": 1}}', 1),
    ],
)
def test_a_local_with_the_name_of_a_resource_that_becomes_one_is_to_be_renamed(
    file: str, text: str, line: int, tmp_path: Path
) -> None:
    (tmp_path / file).write_text(text)
    fleet = terraform.fleet_of(state(stack('aws_cloudformation_stack.ci["a"]')), folder=tmp_path)
    named = [*fleet.edits({'aws_cloudformation_stack.ci["a"]': "aws_cloudformation_stack.q"})]
    rename = f"{tmp_path}/{file}:{line}: rename local.ci, and what refers"
    assert any(rename in step for step in named)
    (tmp_path / file).unlink()
    fleet = terraform.fleet_of(state(stack('aws_cloudformation_stack.ci["a"]')), folder=tmp_path)
    named = [*fleet.edits({'aws_cloudformation_stack.ci["a"]': "aws_cloudformation_stack.q"})]
    assert not any("rename" in step for step in named)


@pytest.mark.parametrize("name", ["main_override.tf", "override.tf", "z_override.tf.json"])
def test_the_blocks_of_override_files_are_removed_too(name: str, tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text(f'variable "a" {{}}\n{HEAD}}}\n')
    of_json = json.dumps({"resource": {STACK: {"ci": {"tags": "${var.a}"}}}})
    text = of_json if name.endswith("json") else f"{HEAD}  tags = var.a\n}}\n"
    (tmp_path / name).write_text(text)
    found = steps(tmp_path, f"{STACK}.ci")
    for place in ("main.tf:2", f"{name}:1"):
        assert any(
            one.startswith(f'{place}: remove the block resource "{STACK}" "ci"') for one in found
        )
    assert ".: remove var.a (main.tf:1), which only the removed blocks used" in found


def test_keys_of_json_that_terraform_does_not_take_empty_are_removed(tmp_path: Path) -> None:
    text = {
        "variable": {"a": {}},
        "resource": {STACK: {"ci": {"parameters": {"MaxSize": "${var.a}"}}}},
    }
    text |= {"locals": {"b": 1}, "output": {"c": {"value": 1}}}
    (tmp_path / "a.tf.json").write_text(json.dumps(text, indent=1))
    assert steps(tmp_path, f"{STACK}.ci") == [
        f'a.tf.json:7: remove the block resource "{STACK}" "ci", and any key that becomes empty',
        ".: remove var.a (a.tf.json:3), which only the removed blocks used, and any key that "
        "becomes empty",
    ]


def test_the_block_of_a_stack_that_is_left_out_is_kept(tmp_path: Path) -> None:
    (tmp_path / "stacks.tf").write_text('resource "aws_cloudformation_stack" "ci" {\n}\n')
    instances = [stack(f'aws_cloudformation_stack.ci["{name}"]', name=name) for name in "ab"]
    instances[1]["values"]["parameters"]["InstanceOperatingSystem"] = "windows"
    program = written(state(*instances), tmp_path)
    named = [*program.fleet.edits(program.addresses)]
    assert named[0] == (
        f'{tmp_path}/stacks.tf:1: keep the block resource "aws_cloudformation_stack" "ci" for '
        'aws_cloudformation_stack.ci["b"] only'
    )
