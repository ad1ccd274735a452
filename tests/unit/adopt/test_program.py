"""The program of a fleet: its queues, and what they share."""

from typing import Any

import pytest
from support.adopter import formatted
from support.shown import (
    described,
    stack,
    state,
    written,
)

from buildkite_agents import AgentQueue
from buildkite_agents.adopt import cloudformation, terraform
from buildkite_agents.adopt.program import program_of


def test_a_stack_of_defaults_is_one_queue_at_its_address() -> None:
    program = written(state(stack(parameters={"InstanceTypes": "m5.large", "MaxSize": "4"})))
    given = ('"m5.large"', 'name="q"', "max_size=4", 'stack_version="v6.30.0"', 'stack_name="ci"')
    lines = "".join(f"    {argument},\n" for argument in (*given, 'address="ci"'))
    assert f"queue = AgentQueue(\n{lines})\n" in program.text
    assert "min_size" not in program.text
    compile(program.text, "main.py", "exec")


def test_an_indexed_address_and_one_in_a_module_are_moved() -> None:
    text = written(
        state(
            stack('aws_cloudformation_stack.ci["a"]', name="one"),
            stack(
                "module.x.aws_cloudformation_stack.ci",
                name="two",
                parameters={"BuildkiteQueue": "other"},
            ),
        )
    ).text
    assert "moved_from='aws_cloudformation_stack.ci[\"a\"]'" in text
    assert 'moved_from="module.x.aws_cloudformation_stack.ci"' in text
    assert "address=" not in text


def test_several_stacks_of_one_queue_get_addresses_of_their_own() -> None:
    program = written(
        state(
            stack('aws_cloudformation_stack.ci["spot"]', name="ci-spot"),
            stack('aws_cloudformation_stack.ci["reserved"]', name="ci-reserved"),
        )
    )
    assert "address=stack_name" in program.text
    assert [*program.addresses.values()] == [
        "aws_cloudformation_stack.ci-spot",
        "aws_cloudformation_stack.ci-reserved",
    ]


def test_common_values_are_written_once_and_exceptions_on_their_queue() -> None:
    addresses = [f"aws_cloudformation_stack.{name}" for name in ("a", "b", "c")]
    sizes = ("100", "100", None)
    text = written(
        state(
            *(
                stack(
                    address,
                    parameters={
                        "BuildkiteQueue": address[-1],
                        "KeyName": "ours",
                        **({"RootVolumeSize": size} if size else {}),
                    },
                )
                for address, size in zip(addresses, sizes, strict=True)
            )
        )
    ).text
    assert text.count('"KeyName": "ours"') == 1
    assert text.count('"RootVolumeSize": 100') == 1
    assert text.count('"RootVolumeSize": None') == 1
    assert text.count("v6.30.0") == 1


def test_an_empty_value_stays_a_given_one() -> None:
    text = written(state(stack(parameters={"KeyName": ""}))).text
    assert "EMPTY = '${\"\"}'" in text
    assert '"KeyName": EMPTY' in text


def test_every_field_of_a_queue_that_is_written_is_one() -> None:
    one = stack(parameters={"InstanceTypes": "m5.large,m5a.large", "ScaleInIdlePeriod": "90"})
    source = written(state(one)).text
    queues: list[AgentQueue] = []

    class App:
        def synth(self) -> None:
            """Write nothing."""

    def agent_stack(_app: App, **arguments: Any) -> None:
        queues.extend(arguments["queues"])

    names = {"AgentApp": App, "AgentStack": agent_stack}
    body = source.partition("app = AgentApp()")
    exec(body[0], scope := {"__builtins__": __builtins__})  # noqa: S102
    exec(body[1] + body[2], {**scope, **names})  # noqa: S102
    (queue,) = queues
    assert queue.all_instance_types == ("m5.large", "m5a.large")
    assert queue.idle_minutes == 1.5


@pytest.mark.parametrize("fleet", ["one", "several", "named", "described"])
def test_a_program_is_as_ruff_formats_it(fleet: str) -> None:
    long: dict[str, Any] = {
        "tags": {"team": "ci", "contact": "x" * 40},
        "parameters": {
            "KeyName": "k" * 70,
            "BootstrapScriptUrl": f"s3://{'b' * 60}",
            "ManagedPolicyARNs": ",".join(f"arn:aws:iam::aws:policy/{'p' * n}" for n in (40, 64)),
        },
    }
    several = [
        stack(
            f'aws_cloudformation_stack.ci["{name}"]',
            name=f"bk-{name}",
            tags={"team": "ci", "queue": name},
            parameters={
                "BuildkiteQueue": name,
                "ManagedPolicyARNs": f"arn:aws:iam::123456789012:policy/{'p' * 60}",
                "SecretsBucket": "",
                "ImageId": "ami-0123456789abcdef0",
            },
        )
        for name in ("a", "b", "c")
    ]
    named = [
        stack(f"aws_cloudformation_stack.{name}", parameters={"BuildkiteQueue": f"{name}-queue"})
        for name in ("blue", "green")
    ]
    named[0]["values"]["name"] = "x"
    found = {
        "one": terraform.fleet_of(state(stack(**long))),
        "several": terraform.fleet_of(state(*several)),
        "named": terraform.fleet_of(state(*named)),
        "described": cloudformation.fleet_of({"Stacks": [described()]}),
    }[fleet]
    text = program_of(found, folder="terraform", output="main.py").text
    assert text == formatted(text)
    lines = [line for line in text.splitlines() if "policy/" not in line]
    assert max(map(len, lines)) <= 100
    assert fleet != "one" or f'"arn:aws:iam::aws:policy/{"p" * 64}"' in text


def test_a_value_that_an_argument_refuses_stays_on_its_queue() -> None:
    text = written(state(stack(tags={"contact": "a, b"}))).text
    assert 'tags={"contact": "a, b"}' in text


def test_an_image_is_of_no_further_queue() -> None:
    stacks = [
        stack(
            f"aws_cloudformation_stack.{name}",
            parameters={"BuildkiteQueue": name, "ImageId": "ami-0123456789abcdef0"},
            tags={"team": "ci", "cost": "x", "queue": name},
        )
        for name in ("a", "b", "c")
    ]
    text = written(state(*stacks)).text
    assert text.count('parameters={"ImageId": AMD64_IMAGE}') == 3
    assert 'tags={"team": "ci", "cost": "x", "queue": name}' in text


def test_a_stack_of_a_template_body_keeps_its_template() -> None:
    one = stack(template_url=None, template_body="Description: Buildkite stack v6.30.0")
    text = written(state(one)).text
    assert 'template_url=""' in text
    assert 'stack_version="v6.30.0"' in text


def test_a_version_that_is_newer_than_the_history_is_allowed() -> None:
    url = "https://s3.amazonaws.com/buildkite-aws-stack/v6.99.0/aws-stack.yml"
    program = written(state(stack(template_url=url, parameters={"GitMirrorSeedBucket": "seeds"})))
    assert "allow_unchecked_version=True" in program.text


def test_a_stack_without_a_queue_is_of_the_templates_default_queue() -> None:
    one = stack()
    del one["values"]["parameters"]["BuildkiteQueue"]
    program = written(state(one))
    assert 'name="default",' in program.text
    assert '"BuildkiteQueue": None' in program.text
