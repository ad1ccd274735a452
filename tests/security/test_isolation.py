"""Which files of the secrets bucket each queue's role, and people, can read."""

import json
from fnmatch import fnmatchcase
from typing import Any

import cdktf
import pytest
from support.resolving import problems_of

from buildkite_agents import AgentQueue, AgentStack, SecretsBucket

BUCKET = "arn:aws:s3:::conbench-prod-buildkite-secrets"
ROLE = "arn:aws:iam::123456789012:role/"
QUEUES = [
    AgentQueue("m5.large", name="deploy"),
    AgentQueue("m5.large", name="deploy-eu"),
    AgentQueue("t4g.large", name="gpu_1", stack_name="bk-gpu"),
    AgentQueue("m5.large", name="own", parameters={"InstanceRoleName": "Own.Role"}),
    AgentQueue("m5.large", name="spot", address="a", stack_name="spot-a", moved_from=""),
    AgentQueue("c5.large", name="spot", address="b", stack_name="spot-b", moved_from=""),
]
ROLES = {
    "deploy": ["conbench-prod-buildkite-deploy-role"],
    "deploy-eu": ["conbench-prod-buildkite-deploy-eu-role"],
    "gpu_1": ["bk-gpu-role"],
    "own": ["Own.Role"],
    "spot": ["spot-a-role", "spot-b-role"],
}


def policy_of(queues: list[AgentQueue], **settings: Any) -> list[dict[str, Any]]:
    stack = AgentStack(cdktf.Testing.app(), project="conbench", queues=queues, **settings)
    resources = json.loads(cdktf.Testing.synth(stack))["resource"]
    text = resources["aws_s3_bucket_policy"]["buildkite_secrets"]["policy"]
    statements: list[dict[str, Any]] = json.loads(
        text.replace("${aws_s3_bucket.buildkite_secrets.arn}", BUCKET)
    )["Statement"]
    return statements


def denies(statements: list[dict[str, Any]], principal: str, action: str, resource: str) -> bool:
    """Whether a statement about principals denies a request, as S3 evaluates it.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
    """
    for statement in statements:
        conditions = statement["Condition"]
        if "ArnLike" not in conditions:
            continue
        assert statement["Effect"] == "Deny"
        assert conditions.keys() == {"ArnLike", "ArnNotLike"}
        like, unlike = (conditions[one]["aws:PrincipalArn"] for one in ("ArnLike", "ArnNotLike"))
        if (
            action in statement["Action"]
            and fnmatchcase(resource, statement["Resource"])
            and any(arn_like(principal, pattern) for pattern in like)
            and not any(arn_like(principal, pattern) for pattern in unlike)
        ):
            return True
    return False


def arn_like(arn: str, pattern: str) -> bool:
    """Each of the six parts of an ARN is compared by itself."""
    parts = zip(arn.split(":", 5), pattern.split(":", 5), strict=True)
    return all(fnmatchcase(part, wanted) for part, wanted in parts)


@pytest.mark.parametrize("queues", [QUEUES, QUEUES[:2]], ids=["any names", "derived names"])
@pytest.mark.parametrize("action", ["s3:GetObject", "s3:GetObjectVersion"])
def test_each_queue_reads_its_own_files_only(queues: list[AgentQueue], action: str) -> None:
    statements = policy_of(queues)
    names = {queue.name for queue in queues}
    for reader in names:
        for owner in names:
            for role in ROLES[reader]:
                denied = denies(statements, ROLE + role, action, f"{BUCKET}/queues/{owner}/env")
                assert denied is (reader != owner), (reader, owner)


@pytest.mark.parametrize(
    ("parameters", "role"),
    [
        ({"InstanceRoleARN": f"{ROLE}team/benchmarks"}, "team/benchmarks"),
        ({"InstanceRoleARN": "${aws_iam_role.own.arn}"}, "benchmarks"),
        ({"InstanceRoleName": "${var.role}"}, "benchmarks"),
    ],
)
def test_a_queue_with_a_role_of_its_users_is_isolated(
    parameters: dict[str, str], role: str
) -> None:
    own = AgentQueue("m5.large", name="own", parameters=parameters)
    text = json.dumps(policy_of([QUEUES[0], own]))
    for reference, value in (("${aws_iam_role.own.arn}", ROLE + role), ("${var.role}", role)):
        text = text.replace(reference, value)
    for reader, name in (("deploy", ROLES["deploy"][0]), ("own", role)):
        for owner in ("deploy", "own"):
            denied = denies(
                json.loads(text), ROLE + name, "s3:GetObject", f"{BUCKET}/queues/{owner}/env"
            )
            assert denied is (reader != owner), (reader, owner)


@pytest.mark.parametrize(
    "principal",
    [
        "arn:aws:iam::123456789012:user/admin",
        "arn:aws:iam::123456789012:root",
        f"{ROLE}admin",
        f"{ROLE}another-prod-buildkite-deploy-role",
    ],
)
def test_people_and_other_roles_are_not_affected(principal: str) -> None:
    for queues in (QUEUES, QUEUES[:2]):
        statements = policy_of(queues)
        resource = f"{BUCKET}/queues/deploy/env"
        assert not denies(statements, principal, "s3:GetObject", resource)


def test_the_script_and_the_files_of_pipelines_are_for_all_queues() -> None:
    statements = policy_of(QUEUES)
    for key in ("bootstrap/setup_benchmark_machine.sh", "pipeline/env", "env"):
        for roles in ROLES.values():
            assert not denies(statements, ROLE + roles[0], "s3:GetObject", f"{BUCKET}/{key}")


@pytest.mark.parametrize(
    "settings",
    [
        {"secrets_bucket": SecretsBucket(isolate_queues=False)},
        {"queues": QUEUES[:1]},
    ],
)
def test_there_is_nothing_to_isolate(settings: dict[str, Any]) -> None:
    queues = settings.pop("queues", QUEUES)
    assert not any("ArnLike" in s["Condition"] for s in policy_of(queues, **settings))


def test_more_queues_than_a_policy_has_room_for_are_refused_with_what_to_do() -> None:
    many = [AgentQueue("m5.large", name=f"queue-{number}") for number in range(100)]
    (problem,) = problems_of(*many)
    assert "a policy that isolates 100 queues has" in problem
    assert "isolate_queues=False" in problem
    shared = SecretsBucket(isolate_queues=False)
    assert problems_of(*many, secrets_bucket=shared) == []
    assert problems_of(*many[:40]) == []
    # Not more than S3 accepts, with all statements.
    statements = policy_of(many[:40])
    assert len(json.dumps({"Version": "2012-10-17", "Statement": statements})) < 20480
