"""What the program of a fleet gives to further queues."""

from pathlib import Path
from typing import Any

import pytest
from support.shown import configured, several, stack, state, written


def test_a_further_queue_gets_what_contains_the_name_of_its_siblings() -> None:
    tags = {"team": "ci", "Name": "ci-~-agents", "Queue": "~"}
    text = written(state(*several("a", "b", "c", name="ci-~-agents", tags=tags))).text
    assert 'stack_name=f"ci-{name}-agents"' in text
    assert 'tags={"team": "ci", "Name": f"ci-{name}-agents", "Queue": name}' in text
    assert '        queue("b"),\n' in text


def test_parameters_and_tags_with_the_name_are_shared_by_key() -> None:
    one, two, three = several(
        "a", "b", "c", parameters={"InstanceName": "ci-~"}, tags={"Queue": "~", "zone": "~"}
    )
    three["values"]["tags"]["zone"] = "far"
    two["values"]["parameters"]["KeyName"] = "own"
    text = written(state(one, two, three)).text
    assert 'parameters={"InstanceName": f"ci-{name}", **fields.pop("parameters", {})}' in text
    assert 'tags={"Queue": name, **fields.pop("tags", {})}' in text
    assert 'queue("b", tags={"zone": "b"}, parameters={"KeyName": "own"})' in text
    assert 'tags={"zone": "far"}' in text
    assert "Each has tags of its own: zone." in text


def test_what_is_of_most_queues_only_is_of_no_further_queue() -> None:
    own = {"BuildkiteAgentTokenParameterStorePath": "/~", "SecretsBucket": "~-secrets"}
    core = {name: value.replace("~", "core") for name, value in own.items()}
    *stacks, other = several("a", "b", "c", name="core-~", tags={"team": "core"}, parameters=core)
    other["values"] |= {"name": "apps-c", "tags": {"team": "apps"}}
    apps = {name: value.replace("~", "apps") for name, value in own.items()}
    other["values"]["parameters"] |= {**apps, "BuildkiteQueue": "c"}
    for one in (*stacks, other):
        one["address"] = f'aws_cloudformation_stack.team["{one["values"]["name"][-1]}-{len(one)}"]'
    other["address"] = 'aws_cloudformation_stack.team["x"]'
    text = written(state(*stacks, other)).text
    shared, _, queues = text.partition("app = ")
    assert "*, stack_name: str, **fields: Any" in shared
    assert "moved_from=" not in shared.partition("shared = ")[2]
    for said in (
        "Each has parameters of its own: BuildkiteAgentTokenParameterStorePath, SecretsBucket.",
        "Each has tags of its own: team.",
        "With moved_from='aws_cloudformation_stack.team[\"KEY\"]', a queue is in local.team too.",
    ):
        assert said in " ".join(shared.split())
    assert "token=None" in queues
    assert "secrets_bucket=None" in queues
    assert queues.count('tags={"team": "core"}') == 2


def test_each_queue_has_its_image_and_the_tag_of_its_architecture() -> None:
    image = {"ImageId": "ami-0123456789abcdef0"}
    stacks = several("a", "b", "c", tags={"Name": "~", "arch": "x86"}, parameters=image)
    stacks[2]["values"]["tags"]["arch"] = "arm"
    shared, _, _ = written(state(*stacks)).text.partition("app = ")
    assert 'tags={"Name": name, **fields.pop("tags", {})}' in shared
    assert "Each has parameters of its own: ImageId.\n    Each has tags of its own: arch." in shared


def test_the_tags_of_each_queue_are_named_without_those_of_all() -> None:
    tags = {"team": "ci", "cost": "x", "zone": "~"}
    stacks = several("a", "b", "c", tags=tags)
    for one, zone in zip(stacks, ("near", "far", "far"), strict=True):
        one["values"]["tags"]["zone"] = zone
    text = written(state(*stacks)).text
    assert '"zone": "far"' in text
    assert "Each has tags of its own: zone." in text


def test_the_tags_of_the_function_are_not_repeated() -> None:
    stacks = several("a", "b", tags={"Name": "~", "team": "ci"})
    assert written(state(*stacks)).text.count("tags=") == 1


@pytest.mark.parametrize(
    ("values", "own"),
    [
        ({}, "address=None"),
        ({"tags": {"Name": "ci", "a": "b"}}, 'address=None, tags={**queue.tags, "Name": ...}'),
        ({"tags": {"team": "quick"}}, "address=None"),
        (
            {"parameters": {"InstanceName": "q-1"}},
            'address=None, parameters={**queue.parameters, "InstanceName": ...}',
        ),
        (
            {"parameters": {"InstanceTypes": "m5.large,m5a.large"}},
            "instance_type=..., more_instance_types=(), address=None",
        ),
        (
            {"parameters": {"ImageId": "ami-0123456789abcdef0"}},
            'address=None, parameters={**queue.parameters, "ImageId": ...}',
        ),
        ({"template_url": None, "template_body": "v6.30.0"}, "template_url=None, address=None"),
    ],
)
def test_the_program_of_one_stack_says_how_to_define_a_further_queue(
    values: dict[str, Any], own: str
) -> None:
    text = written(state(stack(**values))).text
    recipe = " ".join(text.partition("further = ")[2].partition('"""')[0].split())
    recipe = recipe.replace("( ", "(").replace(", )", ")").replace(", }", "}")
    assert recipe == f"replace(queue, name=..., stack_name=..., {own})"
    assert "def queue" not in text


def test_a_reference_to_the_stacks_name_is_own_of_a_further_queue() -> None:
    one = stack(name="prod-ci", tags={"Name": "prod-ci", "team": "ci"})
    content = configured(one, {"tags": {"references": ["var.tags"]}})
    content["variables"] = {"tags": {"value": {"Name": "prod-ci", "team": "ci"}}}
    text = written(content).text
    assert 'tags="${var.tags}"' in text
    assert "replace(queue, name=..., stack_name=..., address=None, tags=...)" in text


def test_a_further_queue_of_one_stack_that_moved_does_not_move() -> None:
    text = written(state(stack('aws_cloudformation_stack.ci["q"]'))).text
    assert "replace(queue, name=..., stack_name=..., moved_from=None)" in text


def test_a_further_queue_has_buildkites_template() -> None:
    body = "Description: Buildkite stack v6.30.0"
    values = {"template_url": None, "template_body": body, "capabilities": ["CAPABILITY_IAM"]}
    text = written(state(*several("a", "b", name="ci-~", **values))).text
    function, _, stacks = text.partition("app = ")
    assert "template_url" not in function
    assert stacks.count('template_url=""') == 2


def test_what_terraform_ignores_of_all_queues_is_of_further_queues_too() -> None:
    values = {"capabilities": ["CAPABILITY_IAM"]}
    function, _, stacks = written(state(*several("a", "b", **values))).text.partition("app = ")
    assert 'ignore_changes=["capabilities"]' in function
    assert "ignore_changes" not in stacks


def test_what_each_queue_has_of_its_own_is_said() -> None:
    stacks = several("a", "b", parameters={"VpcId": "vpc-1234567~", "Subnets": "subnet-1234567~"})
    text = written(state(*stacks)).text
    assert "Each has parameters of its own: VpcId, Subnets." in text


def test_what_most_queues_have_of_their_own_is_said() -> None:
    own = {"VpcId": "vpc-12345678", "Subnets": "subnet-12345678"}
    one, *others = several("a", "b", "c", parameters=own)
    for name in own:
        del one["values"]["parameters"][name]
    text = written(state(one, *others)).text
    assert "network=" not in text
    assert "    Most have parameters of their own: VpcId, Subnets.\n" in text


def test_the_name_of_a_stack_is_never_that_of_its_siblings() -> None:
    own = {"InstanceRoleName": "role-~"}
    one, two = several("a", "b", name="same", parameters=own)
    content = configured(one, {}, two)
    east, west = content["configuration"]["root_module"]["resources"]
    west["provider_config_key"], east["provider_config_key"] = "aws.west", "aws"
    text = written(content).text
    assert text.count('stack_name="same"') == 2
    assert "same" not in text.partition("app = ")[0]


@pytest.mark.parametrize("kind", ["adopted", "left out", "in two modules"])
def test_no_two_stacks_get_one_address(kind: str) -> None:
    moves = stack('aws_cloudformation_stack.x["ci"]', name="x-ci")
    moves["values"]["parameters"]["BuildkiteQueue"] = "ci"
    other = stack(name="other")
    if kind == "left out":
        other["values"]["parameters"] = {"Cidr": "10.0.0.0/8"}
    if kind == "in two modules":
        moves["address"] = "module.a.aws_cloudformation_stack.ci"
        other = stack("module.b.aws_cloudformation_stack.ci", name="y-ci")
        other["values"]["parameters"]["BuildkiteQueue"] = "ci"
    addresses = [*written(state(moves, other)).addresses.values()]
    assert addresses[0] == "aws_cloudformation_stack.x-ci"
    assert len({*addresses}) == len(addresses)


def test_long_tags_with_the_names_of_queues_are_shared_too() -> None:
    tags = {"team": "ci", "Name": "agents-of-the-~-queue", "Queue": "~"}
    one, *more = several("a", "b", "c", tags=tags)
    content = configured(one, {}, *more)
    for resource in content["configuration"]["root_module"]["resources"]:
        resource["expressions"] = {"tags": {"references": ["var.default_tags"]}}
    content["variables"] = {"default_tags": {"value": {"team": "ci"}}}
    text = written(content).text
    assert "f'${{merge(var.default_tags, {{Name = \"agents-of-the-{name}-queue\", '" in text
    assert "f'Queue = \"{name}\"}})}}'" in text


def test_a_further_queue_names_its_stack_where_the_names_do_not_derive_from_queues() -> None:
    stacks = several("a", "b", "c", tags={"team": "ci"})
    for one, name in zip(stacks, ("blue", "green", "red"), strict=True):
        one["values"] |= {"name": name, "tags": {"team": "ci", "Name": f"{name}-agents"}}
    text = written(state(*stacks)).text
    assert "stack_name: str, **fields: Any" in text
    assert 'tags={"team": "ci", "Name": f"{stack_name}-agents"}' in text
    assert '        queue("b", stack_name="green"),\n' in text


def test_what_all_queues_merge_into_a_variable_is_shared_by_key() -> None:
    tags = {"team": "ci", "Queue": "~", "a b": "c", "own": "~ of ~"}
    one, *more = several("a", "b", "c", tags=tags)
    one["values"]["tags"]["own"] = "x"
    more[0]["values"]["tags"]["own"] = "y"
    content = configured(one, {}, *more)
    for resource in content["configuration"]["root_module"]["resources"]:
        resource["expressions"] = {"tags": {"references": ["var.default_tags"]}}
    content["variables"] = {"default_tags": {"value": {"team": "ci"}}}
    function, _, queues = written(content).text.partition("app = ")
    assert "merge(var.default_tags, {{" in function
    assert 'Queue = "{name}", ' in function
    assert '"a b" = "c"' in function
    assert "own" not in function.partition("shared = ")[2]
    assert queues.count("own = ") == 3


def test_a_further_queue_has_what_the_queues_of_its_region_have() -> None:
    stacks = several("a", "b", "c", name="bk-~", parameters={"VpcId": "${x}"})
    for one, vpc in zip(stacks, ("vpc-1234567a", "vpc-1234567a", "vpc-1234567c"), strict=True):
        one["values"]["parameters"] |= {"VpcId": vpc, "Subnets": f"subnet-{vpc[4:]}"}
    content = configured(stacks[0], {}, *stacks[1:])
    *of_east, of_west = content["configuration"]["root_module"]["resources"]
    of_west["provider_config_key"] = "aws.west"
    for resource in of_east:
        resource["provider_config_key"] = "aws"
    text = written(content).text
    constants, _, program = text.partition("def queue")
    assert '    None: {"VpcId": "vpc-1234567a", "Subnets": "subnet-1234567a"},\n' in constants
    assert '    "aws.west": {"VpcId": "vpc-1234567c", "Subnets": "subnet-1234567c"},\n' in constants
    assert "    provider: str | None = None,\n    **fields: Any,\n" in program
    assert 'parameters={**PARAMETERS.get(provider, {}), **fields.pop("parameters", {})},' in program
    assert 'queue("a"),' in program
    assert 'queue("c", provider="aws.west"),' in program
    assert "Each has parameters of its own" not in program


def test_a_further_queue_is_said_to_have_no_lifecycle_of_most_others(tmp_path: Path) -> None:
    lifecycle = "lifecycle {\n    prevent_destroy = true\n    ignore_changes = [on_failure]\n  }"
    blocks = [f'resource "aws_cloudformation_stack" "{n}" {{\n  {lifecycle}\n}}\n' for n in "abc"]
    (tmp_path / "main.tf").write_text("".join(blocks[:2]))
    text = written(state(*several(*"abc")), tmp_path).text
    assert "    Most have lifecycle.prevent_destroy, ignore_changes of their own.\n" in text
    # Of all stacks, they are of a further queue too.
    (tmp_path / "main.tf").write_text("".join(blocks))
    assert "of their own" not in written(state(*several(*"abc")), tmp_path).text
