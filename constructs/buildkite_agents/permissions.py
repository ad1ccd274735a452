"""The permissions of the agents' instances, beyond those of the Elastic CI Stack's own role."""

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from buildkite_agents.settings import AgentAccess, Existing, StackSettings

_SESSION_MANAGER = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
_LOG_IN_TO_ECR = "ecr:GetAuthorizationToken"
_PULL = ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"]
_PUSH = [
    "ecr:PutImage",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
]
_LOG = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]

Statement = dict[str, Any]


def managed_policies(settings: StackSettings, *, agent_policy: str) -> Sequence[str]:
    """The managed policies of the instance roles; *agent_policy* is the ARN of this program's."""
    access = settings.access
    if access is None:
        return ()
    if isinstance(access, Existing):
        return (access.name,)
    # It permits ssm:GetParameter on everything, and the template's own role has what Session
    # Manager needs.
    documented = [_SESSION_MANAGER] if settings.keep_documented_layout else []
    return (agent_policy, *documented, *access.managed_policies)


def ecr_access_policy(settings: StackSettings) -> str | None:
    """The template's ECRAccessPolicy: it permits logging in; the agents' policy permits pushing.

    The template attaches AWS managed policies, which apply to all repositories: the one for full
    access permits deleting them.
    """
    if settings.keep_documented_layout:
        return "full"
    if not isinstance(settings.access, AgentAccess):
        return None
    return "readonly" if settings.access.pull_from_ecr else "none"


def permitted_actions(access: AgentAccess | Existing | None) -> Sequence[str] | None:
    """The actions of a user's own statements; None where other policies can permit more."""
    if not isinstance(access, AgentAccess) or access.managed_policies:
        return None
    actions: list[str] = []
    for statement in access.statements:
        if statement.get("Effect") == "Deny":
            continue
        action = statement.get("Action")
        if not isinstance(action, str | list | tuple):
            return None
        actions += [action] if isinstance(action, str) else map(str, action)
    return actions


def statements(
    access: AgentAccess,
    *,
    bucket_arn: str | None,
    token_arn: str | None,
    kms_key_arn: str | None,
    partition: str,
    region: str,
    account: str,
    script_url: str | None = None,
) -> list[Statement]:
    """The statements of the agents' policy.

    Args:
        access: The user's settings.
        bucket_arn: The bucket to permit reading, but not writing: it contains the bootstrap script,
            which runs as root. None for an existing bucket, which the template's role can read.
        token_arn: The parameter of the agent token, if this program creates it.
        kms_key_arn: The key of the secrets bucket, if it is a customer managed one.
        partition: The agents' partition.
        region: The agents' region.
        account: The agents' account.
        script_url: The S3 URL of a bootstrap script that is not in the secrets bucket.
    """
    result = []
    if bucket_arn is not None:
        result += [
            # The bootstrap script fetches the queue's env file, and lists the bucket to find out
            # whether it exists.
            _allow("ReadSecrets", ["s3:GetObject"], [f"{bucket_arn}/*"]),
            _allow("ListSecrets", ["s3:ListBucket"], [bucket_arn]),
        ]
    if script_url is not None:
        script = script_url.removeprefix("s3://")
        arn = f"arn:{partition}:s3:::{script}"
        result.append(_allow("ReadBootstrapScript", ["s3:GetObject"], [arn]))
    if token_arn is not None:
        # The agent registers with it.
        result.append(_allow("ReadAgentToken", ["ssm:GetParameter"], [token_arn]))
    # The agent's and the bootstrap script's logs.
    log_groups = f"arn:{partition}:logs:*:{account}:log-group:/buildkite/*"
    result.append(_allow("WriteLogs", _LOG, [log_groups]))
    if access.push_to_ecr_repositories:
        prefix = f"arn:{partition}:ecr:{region}:{account}:repository"
        repositories = [f"{prefix}/{pattern}" for pattern in access.push_to_ecr_repositories]
        result += [
            # This action does not support a narrower resource.
            _allow("LogInToEcr", [_LOG_IN_TO_ECR], ["*"]),
            # Pushing reads the layers that exist.
            _allow("PushImages", [*_PULL, *_PUSH], repositories),
        ]
    if kms_key_arn is not None:
        # The stack's own role can decrypt with the token's key only.
        result.append(_allow("DecryptSecrets", ["kms:Decrypt"], [kms_key_arn]))
    return [*result, *map(dict, access.statements)]


def documented_statements(bucket_arn: str | None) -> list[Statement]:
    """The statements of the documented layout's policy."""
    wide: list[Statement] = [
        {"Action": [_LOG_IN_TO_ECR, *_PULL, *_PUSH], "Resource": "*"},
        {"Action": _LOG, "Resource": "arn:aws:logs:*:*:*"},
    ]
    if bucket_arn is not None:
        read = ["s3:GetObject", "s3:ListBucket"]
        wide.insert(0, {"Action": read, "Resource": [bucket_arn, f"{bucket_arn}/*"]})
    return [{"Effect": "Allow", **statement} for statement in wide]


def isolation_statements(
    bucket_arn: str, roles_of_queues: Mapping[str, Collection[str]]
) -> list[Statement]:
    """The statements of a bucket policy that deny each queue the other queues' files.

    The template permits each role to read the whole bucket, which no other policy of the role can
    narrow. A statement for each queue denies its files to the roles of all queues but its own.
    Where the names of all roles begin with the same words, the statement denies them to each role
    whose name begins with these.

    Args:
        bucket_arn: The bucket.
        roles_of_queues: The ARNs of the instance roles of each queue, as patterns.
    """
    everybody = sorted({role for roles in roles_of_queues.values() for role in roles})
    return [
        {
            "Sid": f"Isolate{number}",
            "Effect": "Deny",
            "Principal": "*",
            "Action": ["s3:GetObject", "s3:GetObjectVersion"],
            "Resource": f"{bucket_arn}/queues/{queue}/*",
            "Condition": {
                "ArnLike": {"aws:PrincipalArn": _shortened(everybody)},
                "ArnNotLike": {"aws:PrincipalArn": sorted(roles_of_queues[queue])},
            },
        }
        for number, queue in enumerate(sorted(roles_of_queues))
    ]


def _shortened(arns: Sequence[str]) -> Sequence[str]:
    """A pattern of all roles, if their names begin with the same words; else the roles."""
    prefix = os.path.commonprefix(arns).rpartition("-")[0]  # noqa: RUF071 # of characters
    return [f"{prefix}-*"] if "-buildkite" in prefix else arns


def policy_document(policy_statements: Sequence[Statement]) -> dict[str, Any]:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(policy_statements)}


def _allow(sid: str, actions: list[str], resources: list[str]) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
