"""Ordinary mistakes: what is reported, in one line, and how to go on."""

import inspect
import re
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from support.resolving import problems_of, problems_with

import buildkite_agents
from buildkite_agents import ConfigError
from buildkite_agents.errors import did_you_mean, shown

# Without types, because mypy reports these mistakes too.
api: Any = buildkite_agents
Queue = api.AgentQueue
LOOK_ALIKE = {"m\u0430x_size": 8}
QUEUE = Queue("m5.4xlarge")
NO_REFERENCE = "only Terraform knows: no reference is possible here, so write the value itself"


@pytest.mark.parametrize(
    ("define", "problem"),
    [
        (lambda: Queue("m5.large", maxsize=8), "has no argument 'maxsize' "),
        (lambda: Queue("m5.large", max_sise=8), "'max_sise' (did you mean max_size?)"),
        (lambda: Queue("m5.large", MaxSize=8), "'MaxSize' (did you mean max_size?)"),
        (lambda: Queue(instance="m5.large"), "'instance' (did you mean instance_type?)"),
        (lambda: Queue(RootVolumeSize=9), "by parameters={'RootVolumeSize': ...}"),
        (lambda: Queue("a", **LOOK_ALIKE), "has no argument 'm\\u0430x_size'"),
        (
            lambda: Queue("m5.large", image="x"),
            "'image': its arguments are instance_type, ",
        ),
        (lambda: Queue("m5.large", 8), "accepts only instance_type without a name: name"),
        (lambda: Queue("a", instance_type="b"), "gets instance_type twice"),
        (lambda: api.AgentToken("planted"), "accepts no argument without a name: name"),
        (lambda: api.S3Backend("acme"), "S3Backend requires region"),
        (api.S3Backend, "S3Backend requires bucket and region"),
        (lambda: api.Existing("a", "b"), "Existing accepts only name without a name"),
        (lambda: api.Alarms(email="a@example.org"), "Alarms requires organization"),
        (lambda: replace(QUEUE, maxsize=1), "AgentQueue has no argument 'maxsize' (did"),
    ],
)
def test_a_mistaken_argument_is_reported_without_a_traceback(
    define: Callable[[], Any], problem: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        define()
    assert problem in str(refused.value)
    assert "planted" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "name",
    ["AgentAccess", "AgentQueue", "AgentToken", "Alarms", "Deployment", "Existing", "Network"],
)
def test_signatures_stay_visible(name: str) -> None:
    cls = getattr(api, name)
    assert [*inspect.signature(cls).parameters] == [field.name for field in fields(cls)]


def test_an_error_inside_a_class_stays_one() -> None:
    class Odd:
        def __bool__(self) -> bool:
            raise TypeError("inside")

    with pytest.raises(TypeError, match="inside"):
        Queue("m5.large", architecture=Odd())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("q\u0430", "'q\\u0430'"),
        (["\uff17"], "['\\uff17']"),
        ([QUEUE], "a value of type list"),
        ({"q": QUEUE}, "a value of type dict"),
        (api.AgentToken(value="planted"), "a value of type AgentToken"),
        (object(), "a value of type object"),
        ("a" * 200, f"'{'a' * 99}..."),
        (Path("a"), "PosixPath('a')"),
        ({"a": (1, None, 2.5)}, "{'a': (1, None, 2.5)}"),
    ],
)
def test_a_value_is_shown_in_ascii_and_objects_by_their_type(value: Any, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("word", "end"),
    [
        ("M5.4XLarge", " (did you mean m5.4xlarge?)"),
        ("m5.4xlarge ", " (did you mean m5.4xlarge?)"),
        ("m5.4xlarg", " (did you mean m5.4xlarge or m5a.4xlarge?)"),
        ("banana", ""),
    ],
)
def test_what_differs_in_case_and_separators_only_is_the_only_suggestion(
    word: str, end: str
) -> None:
    assert did_you_mean(word, ["m5.4xlarge", "m5a.4xlarge", "t3.nano"]) == end


@pytest.mark.parametrize(
    ("queue", "problem"),
    [
        (Queue("m5.4xlarge "), "unknown EC2 instance type 'm5.4xlarge '"),
        (
            Queue("m5.4xlarge,m5a.4xlarge"),
            "is not one type: list the further",
        ),
        (
            Queue("m5.4xl\u0430rge"),
            "instance type 'm5.4xl\\u0430rge' (did you mean m5.4xlarge",
        ),
        (Queue("m5.large", more_instance_types=["m5a.large,m6i.large"]), "is not one type: list"),
        (Queue(""), "instance_type: unknown EC2 instance type ''"),
        (Queue("mac1.metal"), "is a Mac, which the Elastic CI Stack does not support"),
        (
            Queue("m5.large", architecture="a b"),
            "architecture must be 'amd64' or 'arm64', ",
        ),
        (Queue("m5.large", architecture="aarch64"), "(did you mean 'arm64'?)"),
        (Queue("m5.large", architecture="ARM64"), "(did you mean 'arm64'?)"),
        (Queue("m5.large", stack_version="V7.13.0"), "(did you mean 'v7.13.0'?)"),
        (Queue("m5.large", stack_version="v7.13"), "(did you mean 'v7.13.0'?)"),
        (Queue("m5.large", stack_version=" v7.13.0"), "(did you mean 'v7.13.0'?)"),
        (Queue("m5.large", stack_version="latest"), "(did you mean 'v7.13.0'?)"),
        (Queue("m5.large", stack_version="v\uff17.13.0"), "got 'v\\uff17.13.0'"),
        (
            Queue("m5.large", parameters={"max_size": 1}),
            "the field max_size of the AgentQueue",
        ),
        (
            Queue("m5.large", parameters={"MaxSise": 1}),
            "the field max_size of the AgentQueue",
        ),
        (
            Queue("m5.large", parameters={"KeyN\u0430me": 1}),
            "parameters['KeyN\\u0430me']: Elas",
        ),
        (Queue("m5.large", more_instance_types=["m5.large"]), "got 'm5.large' again"),
        (Queue("m5.large", address="__proto__"), "address must be a Terraform identifier"),
        (
            Queue("m5.large", tags={"__proto__": "x"}),
            "the key '__proto__' is not supported",
        ),
    ],
)
def test_one_cause_is_one_problem_with_its_cure(queue: Any, problem: str) -> None:
    (found,) = problems_of(queue)
    assert problem in found
    assert "for a newer" not in found


def test_a_type_that_may_be_newer_than_this_program_says_so() -> None:
    (found,) = problems_of(Queue("m99i.4xlarge"))
    assert found.endswith("; if EC2 has it, set architecture")
    (found,) = problems_of(Queue("mac9.metal"))
    assert "set architecture" not in found


LIST = ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (
            {"queues": [Queue(["m5.large", "m5a.large"], name="q")]},
            ": set more_instance_types",
        ),
        ({"queues": [Queue("m5.large", name=LIST)]}, ": define an AgentQueue for each"),
        ({"alarms": api.Alarms("a", email=LIST)}, ": give one, and subscribe the others"),
        ({"network": api.Network(LIST, "vpc-12345678")}, ": give the VPC first, and then its"),
        ({"access": api.Existing(LIST)}, ": join the list with commas"),
        ({"parameters": {"SecurityGroupIds": LIST}}, ": join the list with commas"),
        ({"parameters": {"KeyName": LIST}}, "got ['a', 'b']"),
        ({"project": LIST}, "got ['a', 'b']"),
        ({"environment": LIST}, "got ['a', 'b']"),
        ({"bootstrap_script": LIST}, "got ['a', 'b']"),
        ({"access": api.AgentAccess(policy_name=LIST)}, "got ['a', 'b']"),
        ({"token": api.AgentToken(organization=LIST)}, "got a value of type list"),
        ({"secrets_bucket": api.Existing(LIST)}, "got ['a', 'b']"),
    ],
)
def test_a_list_in_place_of_a_string_gets_the_advice_of_its_field(
    arguments: dict[str, Any], advice: str
) -> None:
    (problem,) = problems_with(**arguments)
    assert re.search(rf"(got .*)?{re.escape(advice)}", problem)
    assert ("commas" in problem) is ("commas" in advice)


@pytest.mark.parametrize("field", ["stack_version", "moved_from", "stack_name", "address"])
def test_a_list_in_a_field_of_one_value_gets_no_advice(field: str) -> None:
    (problem,) = problems_of(Queue("m5.large", **{field: LIST}))
    assert problem.endswith("got ['a', 'b']")


@pytest.mark.parametrize(
    ("queues", "problem"),
    [
        ([[QUEUE]], "queues must be one list of AgentQueue values: remove the inner brackets"),
        (([QUEUE],), "queues must be one list of AgentQueue values: remove the inner brackets"),
        ({"q": QUEUE}, "queues must be a list: give the mapping's values, [*queues.values()]"),
        ({QUEUE.name}, f"queues must be a list of AgentQueue values, got {{{QUEUE.name!r}}}"),
        (
            [{"instance_type": "m5.large"}],
            "queues must be AgentQueue values, got {",
        ),
    ],
)
def test_queues_in_another_container_are_refused_by_their_form(queues: Any, problem: str) -> None:
    (found,) = problems_with(queues)
    assert found.startswith(problem)


BACKEND = {"bucket": "acme-states", "region": "us-east-1"}


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"bucket": "YOUR-STATES"}, "bucket must be the name of a bucket: 3 to 63 lower-case"),
        ({"bucket": "Acme"}, "bucket must be the name of a bucket"),
        ({"bucket": "ab"}, "bucket must be the name of a bucket"),
        ({"region": "us-east1"}, "region must be a region such as us-east-1, got 'us-east1'"),
        ({"region": ""}, "region must be a region such as us-east-1, got ''"),
        ({"role_arn": "states"}, "role_arn must be an ARN such as arn:aws:iam:...:role/..."),
        ({"kms_key_arn": "alias/a"}, "kms_key_arn must be an ARN such as arn:aws:kms:...:key/..."),
    ],
)
def test_a_backend_that_s3_or_terraform_refuses_is_refused(
    settings: dict[str, str], problem: str
) -> None:
    (found,) = problems_with(
        deployment=api.Deployment(backend=api.S3Backend(**{**BACKEND, **settings}))
    )
    assert found.startswith(f"deployment.backend.{problem}")


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"project": "${var.project}"}, "project"),
        ({"environment": "${var.environment}"}, "environment"),
        ({"deployment": api.Deployment(folder="infra/${var.name}")}, "deployment.folder"),
        ({"deployment": api.Deployment(folder=Path("${var.name}"))}, "deployment.folder"),
        ({"deployment": api.Deployment(import_account="${var.a}")}, "deployment.import_account"),
        ({"token": api.AgentToken(organization="${var.name}")}, "token.organization"),
        *(
            (
                {
                    "deployment": api.Deployment(
                        backend=api.S3Backend(**{**BACKEND, name: "${a.b}"})
                    )
                },
                f"deployment.backend.{name}",
            )
            for name in ("bucket", "region", "key", "profile", "role_arn", "kms_key_arn")
        ),
    ],
)
def test_a_reference_is_refused_where_none_is_possible(
    settings: dict[str, Any], field: str
) -> None:
    (found,) = problems_with(**settings)
    assert found.startswith(f"{field} must be a ")
    assert found.endswith(NO_REFERENCE)


@pytest.mark.parametrize(
    "field", ["name", "stack_version", "image_stack_version", "address", "provider"]
)
def test_so_is_it_in_such_a_field_of_a_queue(field: str) -> None:
    (found,) = problems_of(Queue("m5.large", **{field: "${var.x}"}))
    assert f": {field} must be a string" in found
    assert found.endswith(NO_REFERENCE)


def test_a_backend_with_a_role_and_a_key_is_accepted() -> None:
    backend = api.S3Backend(
        **BACKEND,
        role_arn="arn:aws:iam::123456789012:role/ci/states",
        kms_key_arn="arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef",
    )
    assert problems_with(deployment=api.Deployment(backend=backend)) == []


@pytest.mark.parametrize("effect", ["allow", "ALLOW", "Permit", "", 5, ["Allow"], None])
def test_a_statement_allows_or_denies(effect: Any) -> None:
    statement = {"Effect": effect, "Action": "s3:GetObject", "Resource": "*"}
    problems = problems_with(access=api.AgentAccess(statements=[statement]))
    assert problems[0].startswith("access.statements ")
    for valid in ("Allow", "Deny", "${var.effect}"):
        assert (
            problems_with(access=api.AgentAccess(statements=[{**statement, "Effect": valid}])) == []
        )


def test_a_file_that_is_no_script_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "script.sh"
    script.write_bytes(b"\x7fELF\x02\x01\0\0")
    (problem,) = problems_with(bootstrap_script=script)
    assert problem == f"bootstrap_script: {str(script)!r} is not text, and so not a script"


def test_a_folder_and_a_script_that_cannot_be_read_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert problems_with(bootstrap_script=".") == ["bootstrap_script: '.' is a folder"]
    script = tmp_path / "script.sh"
    script.write_text("true\n")

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    (problem,) = problems_with(bootstrap_script=script)
    assert problem == f"bootstrap_script: cannot read the file {str(script)!r}: Permission denied"


def test_an_organization_is_shown_unless_it_is_a_token() -> None:
    (problem,) = problems_with(token=api.AgentToken(organization=""))
    assert problem.endswith("got ''")
