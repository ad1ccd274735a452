"""What the agents' instances may do, beyond what the Elastic CI Stack's own role allows."""

import json
from collections.abc import Mapping
from typing import Any

from cdktf import TerraformLocal, TerraformStack

from buildkite_agents.agent_access import AgentAccess
from buildkite_agents.imports.aws.iam_policy import IamPolicy
from buildkite_agents.resources.agent_token import AgentToken
from buildkite_agents.resources.secrets_bucket import SecretsBucket

_PULL = ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"]
_PUSH = [
    "ecr:PutImage",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
]
_LOG = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]


class AgentPolicy(IamPolicy):
    """The IAM policy that each queue's instance role gets: secrets, images and logs."""

    def __init__(
        self,
        scope: TerraformStack,
        *,
        name: str,
        secrets_bucket: SecretsBucket,
        token: AgentToken,
        region: str,
        access: AgentAccess,
        as_documented: bool,
        tags: Mapping[str, str],
    ) -> None:
        """Make the policy *name*.

        Args:
            scope: The stack.
            name: The policy's name.
            secrets_bucket: The bucket to read, and never to write: the bootstrap script, which
                runs as root, lies in it.
            token: The agent token to read.
            region: The agents' region.
            access: What the jobs may do besides.
            as_documented: Whether it is the wide policy of the documented layout.
            tags: The policy's tags.
        """
        statements = (
            _documented_statements(secrets_bucket.arn)
            if as_documented
            else _statements(scope, secrets_bucket, token, region, access)
        )
        document = {
            "Version": "2012-10-17",
            "Statement": [*statements, *map(dict, access.statements)],
        }
        super().__init__(
            scope,
            "buildkite_agent",
            name=name,
            description="IAM policy for Buildkite agents",
            # In the form of Terraform's jsonencode, which existing states have.
            policy=json.dumps(document, sort_keys=True, separators=(",", ":")),
            tags=tags,
        )


def _allow(sid: str, actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}


def _local(scope: TerraformStack, name: str, expression: str) -> str:
    TerraformLocal(scope, name, expression)
    return f"${{local.{name}}}"


def _statements(
    scope: TerraformStack,
    secrets_bucket: SecretsBucket,
    token: AgentToken,
    region: str,
    access: AgentAccess,
) -> list[dict[str, Any]]:
    token_arn = token.arn
    # From the token's ARN, so that nothing has to be looked up. Locals, as an expression with
    # quotes in it could not stand in the policy's JSON.
    partition, account = (
        _local(scope, name, f'${{element(split(":", {token_arn}), {index})}}')
        for name, index in (("buildkite_partition", 1), ("buildkite_account", 4))
    )
    bucket_arn = secrets_bucket.arn
    statements = [
        # The bootstrap script fetches the queue's env file, and lists to know whether there is one.
        _allow("ReadSecrets", ["s3:GetObject"], [f"{bucket_arn}/*"]),
        _allow("ListSecrets", ["s3:ListBucket"], [bucket_arn]),
        # The agent registers with it.
        _allow("ReadAgentToken", ["ssm:GetParameter"], [token_arn]),
        # The agent's and the bootstrap script's logs.
        _allow("WriteLogs", _LOG, [f"arn:{partition}:logs:*:{account}:log-group:/buildkite/*"]),
    ]
    if access.ecr_repositories:
        prefix = f"arn:{partition}:ecr:{region}:{account}:repository"
        repositories = [f"{prefix}/{pattern}" for pattern in access.ecr_repositories]
        statements += [
            # IAM knows no narrower resource for a login.
            _allow("LogInToEcr", ["ecr:GetAuthorizationToken"], ["*"]),
            # Benchmarks run in images, and build them.
            _allow("UseImages", [*_PULL, *_PUSH], repositories),
        ]
    if secrets_bucket.kms_key_arn is not None:
        # The stack's role can decrypt with the token's key only.
        statements.append(_allow("DecryptSecrets", ["kms:Decrypt"], [secrets_bucket.kms_key_arn]))
    return statements


def _documented_statements(bucket_arn: str) -> list[dict[str, Any]]:
    wide: list[dict[str, Any]] = [
        (
            {
                "Action": ["s3:GetObject", "s3:ListBucket"],
                "Resource": [bucket_arn, f"{bucket_arn}/*"],
            }
        ),
        ({"Action": ["ecr:GetAuthorizationToken", *_PULL, *_PUSH], "Resource": "*"}),
        ({"Action": _LOG, "Resource": "arn:aws:logs:*:*:*"}),
    ]
    return [{"Effect": "Allow", **statement} for statement in wide]
