"""The checks of settings and their messages."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from support.resolving import problems_with

from buildkite_agents import (
    AgentAccess,
    AgentToken,
    Deployment,
    Existing,
    Network,
    S3Backend,
    SecretsBucket,
)


def test_the_defaults_are_valid() -> None:
    assert problems_with() == []


@pytest.mark.parametrize("environment", ["", "Prod", "prod_1", "1", "prod/eu"])
def test_an_environment_that_cannot_be_in_a_buckets_name_is_refused(environment: str) -> None:
    (problem,) = problems_with(environment=environment)
    assert problem.startswith("environment must be lower-case letters")


def test_a_bucket_name_that_is_too_long_is_refused_unless_it_is_another() -> None:
    assert problems_with(project="p" * 20, environment="e" * 24) == []
    (problem,) = problems_with(project="p" * 20, environment="e" * 25)
    assert "must be at most 63 characters, got 64" in problem
    named = SecretsBucket(name="secrets")
    assert problems_with(project="p" * 20, environment="e" * 25, secrets_bucket=named) == []


def test_a_project_with_a_prefix_reserved_by_s3_is_refused() -> None:
    assert problems_with(project="xn--a") == [
        "project must not start with a prefix reserved by S3, got 'xn--a'"
    ]


def test_a_missing_bootstrap_script_is_refused(tmp_path: Path) -> None:
    missing = tmp_path / "script.sh"
    assert problems_with(bootstrap_script=missing) == [
        f"bootstrap_script: there is no file {str(missing)!r}"
    ]


@pytest.mark.parametrize(
    "url", ["s3://bucket/script.sh", "https://example.com/script.sh", "${aws_s3_object.script.id}"]
)
def test_a_bootstrap_script_at_a_url_needs_no_bucket(url: str) -> None:
    assert problems_with(bootstrap_script=url, secrets_bucket=None) == []


@pytest.mark.parametrize("url", ["ftp://host/script", "https://host/e;touch pwned", "s3://b/$(x)"])
def test_a_url_that_a_shell_would_interpret_is_refused(url: str) -> None:
    (problem,) = problems_with(bootstrap_script=url)
    assert problem.startswith("bootstrap_script must be the path of a file, or a URL")


def test_a_script_without_a_bucket_to_upload_it_to_is_refused() -> None:
    (problem,) = problems_with(bootstrap_script=__file__, secrets_bucket=None)
    assert "is uploaded to the secrets bucket" in problem
    assert problems_with(bootstrap_script=__file__, secrets_bucket=Existing("secrets")) == []


@pytest.mark.parametrize("name", ["Secrets", "a", "a_b", "a..b", "x-s3alias", "sthree-a", "-a"])
@pytest.mark.parametrize("kind", [Existing, lambda name: SecretsBucket(name=name)])
def test_a_bucket_name_that_s3_refuses_is_refused(name: str, kind: Any) -> None:
    (problem,) = problems_with(secrets_bucket=kind(name))
    assert problem.startswith("secrets_bucket.name must be the name of a bucket")


@pytest.mark.parametrize("subnet_ids", [["subnet-12345678"], '${join(",", module.vpc.subnets)}'])
def test_one_subnet_or_one_reference_is_valid(subnet_ids: Any) -> None:
    assert problems_with(network=Network("vpc-12345678", subnet_ids)) == []


@pytest.mark.parametrize("subnet_ids", [[], "subnet-12345678,subnet-12345679"])
def test_a_network_needs_subnets_one_by_one(subnet_ids: Any) -> None:
    (problem,) = problems_with(network=Network("vpc-12345678", subnet_ids))
    assert problem.startswith("network.subnet_ids must ")


SUBNETS = ["subnet-12345678", "${aws_subnet.public[1].id}"]


def test_a_network_is_ids_or_references() -> None:
    assert problems_with(network=Network("${aws_vpc.main.id}", SUBNETS)) == []
    assert problems_with(network=Network("vpc-12345678", SUBNETS)) == []
    assert problems_with(network=Network("main", [*SUBNETS, "public"])) == [
        "network.vpc_id must look like vpc-0123456789abcdef0, or be a Terraform reference, "
        "got 'main'",
        "network.subnet_ids must look like subnet-0123456789abcdef0, or be a Terraform reference, "
        "got 'public'",
    ]


@pytest.mark.parametrize("account", ["12345678901", "arn", "\uff112345678901"])
def test_an_account_is_twelve_digits(account: Any) -> None:
    (problem,) = problems_with(deployment=Deployment(import_account=account))
    assert problem.startswith("deployment.import_account must be the 12 digits")


@pytest.mark.parametrize(
    "name", ["token", "/", "/a b", "/aws/token", "/ssmtoken", "/" + "a" * 1011]
)
def test_a_token_parameter_that_ssm_refuses_is_refused(name: str) -> None:
    (problem,) = problems_with(token=AgentToken(parameter=name))
    assert problem.startswith("token.parameter must")


@pytest.mark.parametrize(
    "name",
    [
        "/teams/token",
        "arn:aws:ssm:us-east-1:123456789012:parameter/buildkite/token",
        "${aws_ssm_parameter.token.name}",
    ],
)
def test_a_token_that_exists_is_a_name_an_arn_or_a_reference(name: str) -> None:
    assert problems_with(token=Existing(name)) == []


@pytest.mark.parametrize(
    "token",
    [
        AgentToken(value="bkua_secret"),
        AgentToken(value=b"bkua_secret"),  # type: ignore[arg-type]
        AgentToken(value="${x}", organization=["bkua_secret"]),  # type: ignore[arg-type]
        "bkua_secret",
    ],
)
def test_a_token_itself_is_refused_and_not_repeated(token: Any) -> None:
    (problem,) = problems_with(token=token)
    assert problem.startswith("token")
    assert "bkua_secret" not in problem


@pytest.mark.parametrize("organization", ["", "a\nb", 'a"b'])
def test_an_organization_that_cannot_be_in_a_description_is_refused(organization: Any) -> None:
    (problem,) = problems_with(token=AgentToken(organization=organization))
    assert problem.startswith("token.organization must be the name")


@pytest.mark.parametrize("version", [0, -1, True, "1", 1.5])
def test_a_write_only_version_is_a_positive_number(version: Any) -> None:
    (problem,) = problems_with(token=AgentToken(write_only_version=version))
    assert problem.startswith("token.write_only_version must be ")


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"managed_policies": ["ReadOnlyAccess"]}, "access.managed_policies"),
        ({"permissions_boundary": "boundary"}, "access.permissions_boundary"),
        ({"policy_name": "a b"}, "access.policy_name"),
        ({"push_to_ecr_repositories": ["a b"]}, "access.push_to_ecr_repositories"),
        ({"push_to_ecr_repositories": ['a"']}, "access.push_to_ecr_repositories"),
        ({"statements": [{"Effect": "Allow"}]}, "access.statements"),
    ],
)
def test_bad_access_is_refused_by_its_field(settings: dict[str, Any], field: str) -> None:
    (problem,) = problems_with(access=AgentAccess(**settings))
    assert problem.startswith(f"{field} must be ")


def test_a_key_is_an_arn() -> None:
    (problem,) = problems_with(secrets_bucket=SecretsBucket(kms_key_arn="alias/key"))
    assert problem.startswith("secrets_bucket.kms_key_arn must be an ARN")


def test_references_are_accepted() -> None:
    assert (
        problems_with(
            access=AgentAccess(managed_policies=["${aws_iam_policy.own.arn}"]),
            secrets_bucket=SecretsBucket(kms_key_arn="${aws_kms_key.own.arn}"),
        )
        == []
    )


SETTINGS = {
    "token": AgentToken,
    "secrets_bucket": SecretsBucket,
    "access": AgentAccess,
    "network": Network,
    "deployment": Deployment,
}


@pytest.mark.parametrize(
    ("argument", "field"),
    [(name, field.name) for name, kind in SETTINGS.items() for field in fields(kind)],
)
def test_a_field_of_another_type_is_refused_by_its_name(argument: str, field: str) -> None:
    required = {"vpc_id": "vpc-12345678", "subnet_ids": SUBNETS} if argument == "network" else {}
    value = SETTINGS[argument](**{**required, field: object()})
    (problem,) = problems_with(**{argument: value})
    assert problem.startswith(f"{argument}.{field} must be ")


@pytest.mark.parametrize("field", [field.name for field in fields(S3Backend)])
def test_a_backends_field_of_another_type_is_refused(field: str) -> None:
    backend = S3Backend(**{"bucket": "b", "region": "r", field: 1})  # type: ignore[arg-type]
    (problem,) = problems_with(deployment=Deployment(backend=backend))
    assert problem.startswith(f"deployment.backend.{field} must be a string")


@pytest.mark.parametrize(
    "argument",
    [
        "project",
        "environment",
        "bootstrap_script",
        "token",
        "secrets_bucket",
        "access",
        "network",
        "parameters",
        "tags",
        "deployment",
        "keep_documented_layout",
    ],
)
def test_an_argument_of_another_type_is_refused_by_its_name(argument: str) -> None:
    (problem,) = problems_with(**{argument: 1})
    assert problem.startswith(f"{argument} must be ")
    assert problem.endswith((", got 1", ", got a value of type int"))


@pytest.mark.parametrize(
    ("tags", "problem"),
    [
        ({"Owner": "CI & Build <ci@example.org>"}, "the value of 'Owner' must be letters, digits"),
        ({"a#b": "x"}, "the key 'a#b' must be letters, digits"),
        ({"Team": ""}, "the value of 'Team' must not be empty"),
        ({"Team": "x" * 257}, "the value of 'Team' must be at most 256 characters"),
        ({"aws:x": "y"}, "keys must be 1 to 128 characters and not aws:"),
        ({"t" * 129: "y"}, "keys must be 1 to 128 characters and not aws:"),
    ],
)
def test_a_tag_that_one_of_the_services_refuses_is_refused(
    tags: dict[str, str], problem: str
) -> None:
    (found,) = problems_with(tags=tags)
    assert found.startswith(f"tags: {problem}")


def test_tags_that_differ_by_case_only_are_refused() -> None:
    assert problems_with(tags={"team": "a", "Team": "b"}) == [
        "tags: keys must differ by more than case, got 'team'",
        "tags: keys must differ by more than case, got 'Team'",
    ]


def test_more_tags_than_a_resource_can_have_are_refused() -> None:
    assert problems_with(tags={f"t{n}": "x" for n in range(46)}) == []
    (problem,) = problems_with(tags={f"t{n}": "x" for n in range(47)})
    assert problem == "tags must be at most 46 tags, got 47"


def test_tags_of_any_language_and_references_are_valid() -> None:
    tags = {"Équipe": "Bau 1_2.3:4/5=6+7-8@9", "Owner": "${var.owner}", "x": "a-${var.y}"}
    assert problems_with(tags=tags) == []


def test_a_script_with_the_line_endings_of_windows_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "script.sh"
    script.write_bytes(b"#!/bin/bash\r\ntrue\r\n")
    (problem,) = problems_with(bootstrap_script=script)
    assert "has the line endings of Windows" in problem
