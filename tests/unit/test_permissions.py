"""The permissions of the agents' instances."""

from typing import Any

import pytest

from buildkite_agents import AgentAccess, Existing
from buildkite_agents.permissions import (
    documented_statements,
    ecr_access_policy,
    managed_policies,
    permitted_actions,
    policy_document,
    statements,
)
from buildkite_agents.settings import StackSettings

BUCKET, TOKEN, KEY = "arn:bucket", "arn:token", "arn:key"
PULL = {"BatchCheckLayerAvailability", "GetDownloadUrlForLayer", "BatchGetImage"}
PUSH = {"PutImage", "InitiateLayerUpload", "UploadLayerPart", "CompleteLayerUpload"}
LOG = {f"logs:{action}" for action in ("CreateLogGroup", "CreateLogStream", "PutLogEvents")}
IMAGES = {f"ecr:{action}" for action in PULL | PUSH}
SESSION_MANAGER = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
OWN = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}


def permitted(access: AgentAccess, **arns: str | None) -> dict[str, set[str]]:
    """The actions that the agents' policy permits, by resource."""
    given = {"bucket_arn": None, "token_arn": None, "kms_key_arn": None, **arns}
    found = statements(access, **given, partition="aws", region="eu-west-1", account="1")
    return by_resource(found)


def by_resource(found: list[dict[str, Any]]) -> dict[str, set[str]]:
    actions: dict[str, set[str]] = {}
    for statement in found:
        assert statement["Effect"] == "Allow"
        resources, more = statement["Resource"], statement["Action"]
        for resource in [resources] if isinstance(resources, str) else resources:
            actions.setdefault(resource, set()).update([more] if isinstance(more, str) else more)
    return actions


def test_agents_may_read_secrets_and_token_write_logs_and_nothing_else() -> None:
    arns = {"bucket_arn": BUCKET, "token_arn": TOKEN, "kms_key_arn": KEY}
    assert permitted(AgentAccess(), **arns) == {
        f"{BUCKET}/*": {"s3:GetObject"},
        BUCKET: {"s3:ListBucket"},
        TOKEN: {"ssm:GetParameter"},
        KEY: {"kms:Decrypt"},
        "arn:aws:logs:*:1:log-group:/buildkite/*": LOG,
    }


def test_without_resources_of_this_program_agents_may_only_write_logs() -> None:
    access = AgentAccess()
    assert permitted(access) == {"arn:aws:logs:*:1:log-group:/buildkite/*": LOG}


def test_only_the_repositories_that_are_named_can_be_pushed_to_and_own_statements_are_added() -> (
    None
):
    access = AgentAccess(push_to_ecr_repositories=["arrow/*", "ci"], statements=[OWN])
    actions = permitted(access)
    assert actions["*"] == {"ecr:GetAuthorizationToken", "sqs:SendMessage"}
    repositories = {resource: actions[resource] for resource in actions if ":ecr:" in resource}
    prefix = "arn:aws:ecr:eu-west-1:1:repository"
    assert repositories == {f"{prefix}/{name}": IMAGES for name in ("arrow/*", "ci")}


def test_a_script_in_another_bucket_can_be_read_alone() -> None:
    access = AgentAccess(pull_from_ecr=False)
    actions = permitted(access, script_url="s3://theirs/agents/boot.sh")
    assert actions.pop("arn:aws:s3:::theirs/agents/boot.sh") == {"s3:GetObject"}
    assert len(actions) == 1


def test_the_documented_policy_is_the_documented_one() -> None:
    images = {"ecr:GetAuthorizationToken", *IMAGES}
    assert by_resource(documented_statements(None)) == {"*": images, "arn:aws:logs:*:*:*": LOG}
    assert by_resource(documented_statements(BUCKET)) == {
        BUCKET: {"s3:GetObject", "s3:ListBucket"},
        f"{BUCKET}/*": {"s3:GetObject", "s3:ListBucket"},
        "*": images,
        "arn:aws:logs:*:*:*": LOG,
    }


@pytest.mark.parametrize(
    ("access", "documented", "policies"),
    [
        (AgentAccess(), False, ["OURS"]),
        (AgentAccess(managed_policies=["THEIRS"]), False, ["OURS", "THEIRS"]),
        # The template's own role has what Session Manager needs.
        (AgentAccess(managed_policies=["THEIRS"]), True, ["OURS", SESSION_MANAGER, "THEIRS"]),
        (Existing("THEIRS"), True, ["THEIRS"]),
        (None, True, []),
    ],
)
def test_the_session_manager_policy_is_attached_in_the_documented_layout_only(
    access: AgentAccess | Existing | None, documented: bool, policies: list[str]
) -> None:
    settings = StackSettings("p", access=access, keep_documented_layout=documented)
    assert [*managed_policies(settings, agent_policy="OURS")] == policies


@pytest.mark.parametrize(
    ("access", "documented", "policy"),
    [
        (AgentAccess(), False, "readonly"),
        (AgentAccess(pull_from_ecr=False), False, "none"),
        (Existing("THEIRS"), False, None),
        (None, False, None),
        (None, True, "full"),
        (AgentAccess(pull_from_ecr=False), True, "full"),
    ],
)
def test_the_templates_ecr_policy_permits_logging_in_or_as_documented_everything(
    access: AgentAccess | Existing | None, documented: bool, policy: str | None
) -> None:
    settings = StackSettings("p", access=access, keep_documented_layout=documented)
    assert ecr_access_policy(settings) == policy


@pytest.mark.parametrize(
    ("access", "actions"),
    [
        (AgentAccess(), []),
        (
            AgentAccess(statements=[OWN, {**OWN, "Action": ["a:B", "a:C"]}]),
            ["sqs:SendMessage", "a:B", "a:C"],
        ),
        (AgentAccess(statements=[{"Effect": "Allow", "NotAction": "a:B"}]), None),
        (AgentAccess(managed_policies=["THEIRS"]), None),
        (Existing("THEIRS"), None),
        (None, None),
    ],
)
def test_the_actions_are_known_unless_a_policy_of_others_can_permit_more(
    access: AgentAccess | Existing | None, actions: list[str] | None
) -> None:
    assert permitted_actions(access) == actions


def test_a_document_has_the_version_that_iam_requires() -> None:
    assert policy_document([OWN]) == {"Version": "2012-10-17", "Statement": [OWN]}
