"""What is refused, and in which words."""

from pathlib import Path
from typing import Any

import pytest

from buildkite_agents import AgentAccess, AgentQueue, Network
from buildkite_agents.checks import settings as checks
from buildkite_agents.names import Names

PROD = Names("conbench", "prod")


def problems_of(*queues: AgentQueue) -> list[str]:
    return checks.check_queues(queues, PROD)


def test_the_documented_queues_are_fine() -> None:
    queues = [AgentQueue(t) for t in ("t4g.2xlarge", "m5.4xlarge", "c6a.4xlarge")]
    assert problems_of(*queues) == []


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"max_size": 0}, "max_size must be at least 1, got 0"),
        ({"min_size": -1}, "min_size must be at least 0, got -1"),
        ({"min_size": 5, "max_size": 4}, "min_size must be at most max_size, got 5 and 4"),
        ({"max_size": "4"}, "max_size must be a whole number, got '4'"),
        ({"max_size": True}, "max_size must be a whole number, got True"),
        ({"max_size": 2.5}, "max_size must be a whole number, got 2.5"),
        ({"on_demand_percentage": 101}, "on_demand_percentage must be at most 100, got 101"),
        ({"idle_minutes": 0}, "idle_minutes must be at least 1, got 0"),
        ({"agents_per_instance": 0}, "agents_per_instance must be at least 1, got 0"),
        (
            {"stack_version": "v6.0.0"},
            "stack_version must be one of v6.21.0, v6.71.1, got 'v6.0.0'",
        ),
        (
            {"more_instance_types": "m5a.4xlarge"},
            "more_instance_types must be a list, got 'm5a.4xlarge'",
        ),
        (
            {"more_instance_types": ["m5a.5xlarge"]},
            "more_instance_types: 'm5a.5xlarge' is no EC2 instance type known here "
            "(is it m5a.xlarge or m5ad.xlarge or m5a.8xlarge?); for a newer one, say its "
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


def test_equal_sizes_are_refused_as_they_never_scale() -> None:
    (problem,) = problems_of(AgentQueue("m5.4xlarge", min_size=4))
    assert "with these equal the stack has no scaler" in problem


def test_idle_minutes_can_be_left_to_the_stack() -> None:
    assert problems_of(AgentQueue("m5.4xlarge", idle_minutes=None)) == []


def test_an_unknown_architecture_is_refused() -> None:
    (problem,) = problems_of(AgentQueue("m5.4xlarge", architecture="x86_64", name="q"))
    assert problem == "queue 'q': architecture must be 'amd64' or 'arm64', got 'x86_64'"


def test_an_architecture_that_the_type_does_not_have_is_refused() -> None:
    (problem,) = problems_of(AgentQueue("m5.4xlarge", architecture="arm64", name="q"))
    assert problem.startswith("queue 'q': instance_type: 'm5.4xlarge' is amd64")


def test_graviton_that_the_stack_version_takes_for_amd64_is_refused() -> None:
    (problem,) = problems_of(AgentQueue("m8g.4xlarge", stack_version="v6.21.0"))
    assert "Elastic CI Stack v6.21.0 does not know that 'm8g' is arm64" in problem
    assert problems_of(AgentQueue("m8g.4xlarge", stack_version="v6.71.1")) == []


def test_an_instance_type_that_is_no_text_is_refused() -> None:
    (problem,) = problems_of(AgentQueue(4, name="q"))  # type: ignore[arg-type]
    assert problem == "queue 'q': instance_type: must be text, such as 'm5.4xlarge', got 4"


@pytest.mark.parametrize("name", ["1st", "gpu_large", "a b", "-a", "ä", "${var.name}"])
def test_a_name_that_cloudformation_refuses_is_refused(name: str) -> None:
    (problem,) = problems_of(AgentQueue("m5.4xlarge", name=name))
    assert problem.startswith(f"queue {name!r}: name must be letters, digits and hyphens")


def test_the_name_that_cdktf_has_taken_is_refused() -> None:
    (problem,) = problems_of(AgentQueue("m5.4xlarge", name="backend"))
    assert problem == (
        "queue 'backend': name must not be 'backend', which CDKTF keeps for the stack's backend: "
        "take another, such as 'backend-builds'"
    )


def test_a_name_may_be_as_long_as_its_role_name_can() -> None:
    assert problems_of(AgentQueue("m5.4xlarge", name="q" * 35)) == []
    (problem,) = problems_of(AgentQueue("m5.4xlarge", name="q" * 36))
    assert "name is too long by 1: its IAM role" in problem


@pytest.mark.parametrize("second", ["nightly", "Nightly"])
def test_two_queues_of_one_name_are_refused(second: str) -> None:
    (problem,) = problems_of(
        AgentQueue("m5.4xlarge", name="nightly"), AgentQueue("c6a.4xlarge", name=second)
    )
    assert problem == (
        "queue 'nightly': 2 queues have this name, and each must have its own: set name"
    )


def test_every_problem_of_every_queue_is_reported() -> None:
    problems = problems_of(
        AgentQueue("m5.4xlarge", max_size=0, idle_minutes=0), AgentQueue("banana.large")
    )
    assert len(problems) == 3


def test_no_queues_are_refused() -> None:
    assert problems_of() == ["queues must be one or more, got none"]


def test_what_is_no_queue_is_refused() -> None:
    assert checks.check_queues(["m5.4xlarge"], PROD) == [  # type: ignore[list-item]
        "queues must be AgentQueue values, got 'm5.4xlarge'"
    ]


@pytest.mark.parametrize("environment", ["", "Prod", "prod_1", "1", "prod/eu"])
def test_an_environment_that_cannot_be_in_a_buckets_name_is_refused(environment: str) -> None:
    (problem,) = checks.check_names(Names("conbench", environment))
    assert problem.startswith("environment must be lower-case letters")


def test_a_bucket_name_that_is_too_long_is_refused() -> None:
    assert checks.check_names(Names("p" * 20, "e" * 24)) == []
    (problem,) = checks.check_names(Names("p" * 20, "e" * 25))
    assert "must be at most 63 characters, got 64" in problem


def test_a_missing_bootstrap_script_is_refused(tmp_path: Path) -> None:
    missing = tmp_path / "script.sh"
    assert checks.check_bootstrap_script(missing) == [
        f"bootstrap_script: there is no file {missing}"
    ]


@pytest.mark.parametrize("subnet_ids", [[], ["subnet-1"], "subnet-1,subnet-2"])
def test_a_network_needs_two_subnets(subnet_ids: Any) -> None:
    (problem,) = checks.check_network(Network("vpc-12345678", subnet_ids))
    assert problem.startswith("network: subnet_ids must be two or more")


SUBNETS = ["subnet-12345678", "${aws_subnet.public[1].id}"]


def test_a_network_is_ids_or_references() -> None:
    assert checks.check_network(Network("${aws_vpc.main.id}", SUBNETS)) == []
    assert checks.check_network(Network("vpc-12345678", SUBNETS)) == []
    assert checks.check_network(Network("main", [*SUBNETS, "public"])) == [
        "network: vpc_id must be such as vpc-0123456789abcdef0, or a Terraform reference, "
        "got 'main'",
        "network: subnet_ids must be such as subnet-0123456789abcdef0, or a Terraform reference, "
        "got 'public'",
    ]


@pytest.mark.parametrize("account", ["12345678901", "arn", 123456789012])
def test_an_account_is_twelve_digits(account: Any) -> None:
    (problem,) = checks.check_account(account)
    assert problem.startswith("import_account must be the 12 digits")


@pytest.mark.parametrize(
    "name", ["token", "/", "/a b", "/aws/token", "/ssmtoken", "/" + "a" * 1011]
)
def test_a_token_parameter_that_ssm_refuses_is_refused(name: str) -> None:
    (problem,) = checks.check_token_parameter(Names("conbench", "prod", name))
    assert problem.startswith("token_parameter must")


def test_a_project_that_starts_as_s3_keeps_for_itself_is_refused() -> None:
    (problem,) = checks.check_names(Names("xn--a", "prod"))
    assert problem == "project must not start as S3 keeps for itself, got 'xn--a'"


@pytest.mark.parametrize("organization", ["", "a\nb", 'a"b', None])
def test_an_organization_that_cannot_be_in_a_description_is_refused(organization: Any) -> None:
    (problem,) = checks.check_organization(organization)
    assert problem.startswith("organization must be the name")


def test_an_unknown_risk_is_refused() -> None:
    (problem,) = problems_of(AgentQueue("m5.large", name="q", accepted_risks=["spott"]))
    assert problem == (
        "queue 'q': accepted_risks must be some of always-on, shared-instance, spot, burstable, "
        "gp3-iops, got 'spott'"
    )


@pytest.mark.parametrize(("version", "most"), [("v6.21.0", 4), ("v6.71.1", 25)])
def test_a_fleet_has_as_many_types_as_its_stack_version_takes(version: str, most: int) -> None:
    def fleet(count: int) -> AgentQueue:
        return AgentQueue(
            "m5.large", more_instance_types=["m5a.large"] * (count - 1), stack_version=version
        )

    assert problems_of(fleet(most)) == []
    (problem,) = problems_of(fleet(most + 1))
    assert "InstanceTypes must match" in problem
    assert version in problem


def test_parameters_that_are_no_mapping_are_refused() -> None:
    (problem,) = problems_of(AgentQueue("m5.large", name="q", parameters=["a"]))  # type: ignore[arg-type]
    assert problem == "queue 'q': parameters must be a mapping of names to values, got ['a']"


@pytest.mark.parametrize("version", [0, -1, True, "1", 1.5])
def test_a_token_version_is_a_positive_number(version: Any) -> None:
    (problem,) = checks.check_token_version(version)
    assert problem == f"token_version must be a whole number from 1, got {version!r}"


@pytest.mark.parametrize(
    ("access", "key", "field"),
    [
        (AgentAccess(managed_policies=["ReadOnlyAccess"]), None, "access.managed_policies"),
        (AgentAccess(permissions_boundary="boundary"), None, "access.permissions_boundary"),
        (AgentAccess(ecr_repositories=["a b"]), None, "access.ecr_repositories"),
        (AgentAccess(ecr_repositories=['a"']), None, "access.ecr_repositories"),
        (AgentAccess(statements=[{"Effect": "Allow"}]), None, "access.statements"),
        (AgentAccess(), "alias/key", "kms_key_arn"),
    ],
)
def test_bad_access_is_refused_by_its_field(
    access: AgentAccess, key: str | None, field: str
) -> None:
    (problem,) = checks.check_access(access, key)
    assert problem.startswith(f"{field} must be ")


def test_references_are_let_through() -> None:
    access = AgentAccess(managed_policies=["${aws_iam_policy.own.arn}"])
    assert checks.check_access(access, "${aws_kms_key.own.arn}") == []


def test_a_type_that_is_too_new_to_be_known_is_fine_with_its_architecture_said() -> None:
    (problem,) = problems_of(AgentQueue("m99i.4xlarge", name="q"))
    assert "is no EC2 instance type known here" in problem
    assert problems_of(AgentQueue("m99i.4xlarge", name="q", architecture="amd64")) == []
    (problem,) = problems_of(AgentQueue("m99i.4xlrge", name="q", architecture="amd64"))
    assert "is no EC2 instance type known here" in problem
