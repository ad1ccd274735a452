"""The checks of queues and their messages."""

from typing import Any

import pytest
from support.resolving import problems_of, problems_with

from buildkite_agents import AgentQueue, elastic_ci_stack
from buildkite_agents.checks.warnings import WARNINGS
from buildkite_agents.errors import shown

SIZES = ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge")
NEWEST = elastic_ci_stack.known_versions()[-1]


def test_the_documented_queues_are_valid() -> None:
    queues = [AgentQueue(t) for t in ("t4g.2xlarge", "m5.4xlarge", "c6a.4xlarge")]
    assert problems_of(*queues) == []


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"max_size": -1}, "max_size must be at least 0, got -1"),
        ({"min_size": -1}, "min_size must be at least 0, got -1"),
        ({"min_size": 5, "max_size": 4}, "min_size must be at most max_size, got 5 and 4"),
        ({"max_size": "4"}, "max_size must be a whole number, got '4'"),
        ({"max_size": True}, "max_size must be a whole number, got True"),
        ({"max_size": 2.5}, "max_size must be a whole number, got 2.5"),
        ({"on_demand_percentage": 101}, "on_demand_percentage must be at most 100, got 101"),
        ({"max_size": "${a}${b}"}, "max_size must be a number or one reference, got '${a}${b}'"),
        ({"idle_minutes": -1}, "idle_minutes must be at least 0, got -1"),
        ({"idle_minutes": 0.01}, "idle_minutes must be a whole number of seconds, got 0.01"),
        ({"idle_minutes": "15"}, "idle_minutes must be a number, got '15'"),
        ({"timeout_minutes": None}, "timeout_minutes must be a whole number, got None"),
        ({"agents_per_instance": 0}, "agents_per_instance must be at least 1, got 0"),
        (
            {"stack_version": "v4.5.0"},
            f"stack_version must be a published version from v5.0.0 to {NEWEST}, got 'v4.5.0'",
        ),
        (
            {"stack_version": "6.70.1"},
            f"stack_version must be a published version from v5.0.0 to {NEWEST}, got '6.70.1' "
            "(did you mean 'v6.70.1'?)",
        ),
        (
            {"more_instance_types": "m5a.4xlarge"},
            "more_instance_types must be a list of strings, got 'm5a.4xlarge'",
        ),
        (
            {"more_instance_types": ["m5a.5xlarge"]},
            "more_instance_types: unknown EC2 instance type 'm5a.5xlarge' "
            "(did you mean m5a.xlarge or m5ad.xlarge or m5a.8xlarge?); if EC2 has it, set "
            "architecture",
        ),
        (
            {"more_instance_types": ["m6g.4xlarge"]},
            "more_instance_types: 'm6g.4xlarge' is arm64, and the queue is amd64: "
            "all instance types of a queue share one machine image",
        ),
    ],
)
def test_a_bad_setting_names_queue_and_field(settings: dict[str, Any], problem: str) -> None:
    (found,) = problems_of(AgentQueue("m5.4xlarge", **settings))
    assert found == f"queue 'amd64-m5-4xlarge-linux': {problem}"


def test_a_fixed_size_and_a_paused_queue_are_valid() -> None:
    assert problems_of(AgentQueue("m5.4xlarge", min_size=4, max_size=4)) == []
    assert problems_of(AgentQueue("m5.4xlarge", max_size=0)) == []


def test_an_instance_type_can_be_left_to_the_template() -> None:
    assert problems_of(AgentQueue(name="q")) == []


def test_a_newer_version_than_the_known_ones_is_refused_unless_it_is_allowed() -> None:
    new: dict[str, Any] = {
        "stack_version": "v6.72.0",
        "parameters": {"GitMirrorSeedBucket": "seeds"},
    }
    (problem,) = problems_of(AgentQueue("m5.4xlarge", **new))
    assert problem.endswith("to use it unchecked, set allow_unchecked_version=True")
    assert problems_of(AgentQueue("m5.4xlarge", **new, allow_unchecked_version=True)) == []


def test_windows_is_refused() -> None:
    (problem,) = problems_of(
        AgentQueue("m5.4xlarge", parameters={"InstanceOperatingSystem": "windows"})
    )
    assert "Windows is not supported" in problem


def test_idle_minutes_can_be_left_to_the_stack() -> None:
    assert problems_of(AgentQueue("m5.4xlarge", idle_minutes=None)) == []


def test_an_unknown_architecture_is_refused() -> None:
    (problem,) = problems_of(AgentQueue("m5.4xlarge", architecture="x86_64", name="q"))
    assert problem == (
        "queue 'q': architecture must be 'amd64' or 'arm64', got 'x86_64' (did you mean 'amd64'?)"
    )


def test_an_architecture_that_the_type_does_not_have_is_refused() -> None:
    (problem,) = problems_of(AgentQueue("m5.4xlarge", architecture="arm64", name="q"))
    assert problem.startswith("queue 'q': instance_type: 'm5.4xlarge' is amd64")


def test_graviton_that_the_stack_version_treats_as_amd64_is_refused() -> None:
    (problem,) = problems_of(AgentQueue("m8g.4xlarge", stack_version="v6.21.0"))
    assert "Elastic CI Stack v6.21.0 does not recognize 'm8g' as arm64" in problem
    assert problems_of(AgentQueue("m8g.4xlarge", stack_version="v6.71.1")) == []


def test_an_instance_type_that_is_no_text_is_refused() -> None:
    (problem,) = problems_of(AgentQueue(4, name="q"))  # type: ignore[arg-type]
    assert problem == "queue 'q': instance_type must be a string or None, got 4"


@pytest.mark.parametrize("name", ["a b", "-a", "ä", "a" * 256])
def test_a_name_that_buildkite_refuses_is_refused(name: str) -> None:
    (problem,) = problems_of(AgentQueue("m5.4xlarge", name=name))
    assert problem.startswith(
        f"queue {shown(name)}: name must be letters, digits, hyphens, underscores"
    )


@pytest.mark.parametrize("name", ["1st", "gpu_large", "linux.x86-64", "backend", "aws"])
def test_any_name_that_buildkite_accepts_is_valid(name: str) -> None:
    assert problems_of(AgentQueue("m5.4xlarge", name=name)) == []


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"stack_name": "gpu_1"}, "stack_name: the CloudFormation stack's name must be at most"),
        ({"address": "1st"}, "address must be a Terraform identifier"),
        ({"moved_from": "aws_s3_bucket.x"}, "moved_from must be the address of a stack"),
        ({"provider": "google"}, "provider must be aws or an alias such as aws.us_east_1"),
        ({"ignore_changes": ["Tags!"]}, "ignore_changes must be arguments"),
        ({"tags": {"Owner": "CI & Build"}}, "tags: the value of 'Owner' must be letters"),
        ({"tags": {"Owner": ""}}, "tags: the value of 'Owner' must not be empty"),
        ({"tags": "Owner"}, "tags must be a mapping of names to values, or one reference"),
        ({"instance_type": None}, "name is required where instance_type is None or a reference"),
    ],
)
def test_a_bad_name_from_outside_is_refused(settings: dict[str, Any], problem: str) -> None:
    instance_type = settings.pop("instance_type", "m5.4xlarge")
    name = "" if instance_type is None else "q"
    (found,) = problems_of(AgentQueue(instance_type, name=name, **settings))
    assert found.startswith(f"queue {name!r}: {problem}")


@pytest.mark.parametrize(
    ("what", "field", "value"),
    [
        ("stack name", "stack_name", "gpu"),
        ("Terraform address", "address", "gpu"),
        ("address to move from", "moved_from", "aws_cloudformation_stack.gpu"),
    ],
)
def test_two_queues_with_one_stack_or_address_are_refused(
    what: str, field: str, value: str
) -> None:
    queues = [AgentQueue("m5.4xlarge", name=name, **{field: value}) for name in "ab"]  # type: ignore[arg-type]
    assert problems_of(*queues) == [
        f"queues 'a', 'b': duplicate {what} {value!r}; give each queue a unique `{field}`"
    ]


def test_one_stack_name_in_two_regions_needs_two_role_names() -> None:
    own = {"VpcId": None, "Subnets": None, "BuildkiteAgentTokenParameterStorePath": "/token"}
    first = AgentQueue("m5.4xlarge", name="a", stack_name="gpu")

    def second(**parameters: Any) -> AgentQueue:
        return AgentQueue(
            "m5.4xlarge",
            name="b",
            stack_name="gpu",
            provider="aws.us_west_2",
            parameters={**own, **parameters},
        )

    (problem,) = problems_of(first, second())
    assert problem.startswith("queues 'a', 'b': duplicate instance role 'gpu-role'")
    assert problems_of(first, second(InstanceRoleName="gpu-west")) == []


def test_a_name_can_be_as_long_as_its_role_name_permits() -> None:
    assert problems_of(AgentQueue("m5.4xlarge", name="q" * 35)) == []
    (problem,) = problems_of(AgentQueue("m5.4xlarge", name="q" * 36))
    assert "name is too long by 1: its IAM role" in problem


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("nightly", "queue 'nightly': duplicate name of 2 queues; "),
        (
            "Nightly",
            "queues 'nightly', 'Nightly': duplicate name of 2 queues, as case is ignored; ",
        ),
    ],
)
def test_two_queues_of_one_name_are_refused(second: str, message: str) -> None:
    (problem,) = problems_of(
        AgentQueue("m5.4xlarge", name="nightly"), AgentQueue("c6a.4xlarge", name=second)
    )
    assert problem == f"{message}give each queue a unique `name`"


def test_several_stacks_can_serve_one_queue_at_addresses_of_their_own() -> None:
    queues = [
        AgentQueue(t, name="gpu", stack_name=f"gpu-{a}", address=a, moved_from="")
        for a, t in (("spot", "m5.large"), ("reserved", "m5.4xlarge"))
    ]
    assert problems_of(*queues) == []


def test_every_problem_of_every_queue_is_reported() -> None:
    problems = problems_of(
        AgentQueue("m5.4xlarge", max_size=-1, idle_minutes=-1), AgentQueue("banana.large")
    )
    assert len(problems) == 3


def test_no_queues_are_refused() -> None:
    assert problems_of() == ["queues must not be empty"]


@pytest.mark.parametrize(
    ("common", "problem"),
    [
        ({"KeyNam": "x"}, "parameters['KeyNam']: Elastic CI Stack v"),
        ({"CpuCredits": "lots"}, "parameters['CpuCredits'] must be one of"),
        ({"BuildkiteAgentToken": "bkua_secret"}, "parameters['BuildkiteAgentToken'] must not be"),
        ({"BuildkiteQueue": "q"}, "parameters['BuildkiteQueue'] is set by name"),
    ],
)
def test_a_bad_parameter_of_all_queues_is_refused_once(
    common: dict[str, Any], problem: str
) -> None:
    queues = [AgentQueue("m5.4xlarge"), AgentQueue("t4g.2xlarge")]
    (found,) = problems_of(*queues, parameters=common)
    assert found.startswith(problem)
    assert "bkua_secret" not in found


def test_what_is_no_queue_is_refused() -> None:
    assert problems_with(["m5.4xlarge"]) == ["queues must be AgentQueue values, got 'm5.4xlarge'"]


def test_an_unknown_warning_is_refused() -> None:
    (problem,) = problems_of(AgentQueue("m5.large", name="q", accepted_warnings=["spott"]))
    assert problem == "queue 'q': accepted_warnings: unknown warning 'spott' (did you mean spot?)"
    (problem,) = problems_of(AgentQueue("m5.large", name="q", accepted_warnings=["xyz"]))
    names = ", ".join(warning.name for warning in WARNINGS)
    assert problem.endswith(f"unknown warning 'xyz'; the known ones are {names}")


OTHERS = [f"{family}.{size}" for family in ("m5", "m6i", "m7i", "r5", "c5") for size in SIZES]


@pytest.mark.parametrize(("version", "most"), [("v6.21.0", 4), ("v6.71.1", 25)])
def test_a_fleet_has_as_many_types_as_its_stack_version_accepts(version: str, most: int) -> None:
    def fleet(count: int) -> AgentQueue:
        return AgentQueue(OTHERS[0], more_instance_types=OTHERS[1:count], stack_version=version)

    assert problems_of(fleet(most)) == []
    (problem,) = problems_of(fleet(most + 1))
    assert "instance_type must match" in problem
    assert version in problem


def test_parameters_that_are_no_mapping_are_refused() -> None:
    (problem,) = problems_of(AgentQueue("m5.large", name="q", parameters=["a"]))  # type: ignore[arg-type]
    assert problem == "queue 'q': parameters must be a mapping, got ['a']"


def test_an_unknown_newer_type_is_valid_with_an_explicit_architecture() -> None:
    (problem,) = problems_of(AgentQueue("m99i.4xlarge", name="q"))
    assert "unknown EC2 instance type" in problem
    assert problems_of(AgentQueue("m99i.4xlarge", name="q", architecture="amd64")) == []
    (problem,) = problems_of(AgentQueue("m99i.4xlrge", name="q", architecture="amd64"))
    assert "unknown EC2 instance type" in problem


def test_a_single_queue_in_place_of_a_list_is_refused_in_one_line() -> None:
    assert problems_with(AgentQueue("m5.large")) == [
        "queues must be a list: put the AgentQueue in brackets"
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("min_size", "${var.size}"),
        ("max_size", -8.1e298),  # a CDKTF token
        ("idle_minutes", "${var.minutes}"),
        ("idle_minutes", 100 / 60),
        ("on_demand_percentage", "${var.share}"),
    ],
)
def test_a_number_can_be_a_reference_or_a_fraction_of_minutes(field: str, value: Any) -> None:
    assert problems_of(AgentQueue("m5.large", **{field: value})) == []


def test_an_instance_type_by_reference_needs_a_name_and_an_architecture() -> None:
    reference = "${var.instance_type}"
    (problem,) = problems_of(AgentQueue(reference, architecture="arm64"))
    assert problem == "queue '': name is required where instance_type is None or a reference"
    (problem,) = problems_of(AgentQueue(reference, name="q"))
    assert problem == "queue 'q': architecture is required where instance_type is a reference"
    assert problems_of(AgentQueue(reference, name="q", architecture="arm64")) == []


@pytest.mark.parametrize("text", ["${var.x", "%{if x}", "\ud800", "${}"], ids=ascii)
@pytest.mark.parametrize("field", ["stack_name", "provider", "address"])
def test_text_that_terraform_cannot_read_is_refused(field: str, text: str) -> None:
    (problem,) = problems_of(AgentQueue("m5.large", name="q", **{field: text}))  # type: ignore[arg-type]
    assert problem.startswith(f"queue 'q': {field} ")


@pytest.mark.parametrize(
    ("template_url", "message"),
    [
        ("https://acme.s3.amazonaws.com/v6.30.0/aws-stack.yml", "template_url is of v6.30.0, and"),
        ("s3://acme/aws-stack.yml", "template_url must start with https://"),
    ],
)
def test_a_template_url_that_does_not_fit_is_refused(template_url: str, message: str) -> None:
    (problem,) = problems_of(AgentQueue("m5.large", template_url=template_url))
    assert message in problem


@pytest.mark.parametrize("template_url", ["", "https://acme/aws-stack.yml", "${local.template}"])
def test_a_template_url_without_a_version_is_accepted(template_url: str) -> None:
    assert problems_of(AgentQueue("m5.large", template_url=template_url)) == []
