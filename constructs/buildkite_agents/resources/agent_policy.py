"""The permissions of the agents' instances beyond those of the Elastic CI Stack's own role."""

import json
from collections.abc import Mapping
from typing import Any

from cdktf import TerraformLocal, TerraformStack

from buildkite_agents.aws.iam_policy import IamPolicy
from buildkite_agents.resources.agent_token import TokenParameter
from buildkite_agents.resources.import_block import ImportBlock
from buildkite_agents.resources.secrets_bucket import Bucket
from buildkite_agents.settings import AgentAccess

_PULL = ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"]
_PUSH = [
    "ecr:PutImage",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
]
_LOG = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]

_NAME = "buildkite_agent"


class AgentPolicy(IamPolicy):
    """The IAM policy of each queue's instance role: secrets, images and logs."""

    def __init__(
        self,
        scope: TerraformStack,
        *,
        name: str,
        settings: AgentAccess,
        secrets_bucket: Bucket | None,
        token: TokenParameter | None,
        region: str,
        keep_documented_layout: bool,
        tags: Mapping[str, str],
    ) -> None:
        """Define the policy.

        Args:
            scope: The stack.
            name: The policy's name.
            settings: The permissions that are configurable.
            secrets_bucket: The bucket to permit reading, but not writing: it contains the bootstrap
                script, which runs as root. None for an existing bucket, which the template's own
                role can read.
            token: The parameter of the agent token, if this program creates it.
            region: The agents' region.
            keep_documented_layout: Whether to use the broad policy of the documented layout.
            tags: The policy's tags.
        """
        if keep_documented_layout:
            statements = _documented_statements(secrets_bucket)
        else:
            statements = _statements(scope, secrets_bucket, token, region, settings)
        document = {
            "Version": "2012-10-17",
            "Statement": [*statements, *map(dict, settings.statements)],
        }
        super().__init__(
            scope,
            _NAME,
            name=name,
            description="IAM policy for Buildkite agents",
            # In the format of Terraform's jsonencode, as in existing states.
            policy=json.dumps(document, sort_keys=True, separators=(",", ":")),
            tags=tags,
        )
        self.address = f"aws_iam_policy.{_NAME}"
        """The address of the resource."""
        self._policy = name

    def import_block(self, *, account: str, partition: str) -> ImportBlock:
        """The import block of the policy in the AWS account *account*."""
        arn = f"arn:{partition}:iam::{account}:policy/{self._policy}"
        return ImportBlock(self.address, arn, ("tags",))


def partition_of(region: str) -> str:
    """An expression for the partition of a *region*, which is a reference.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
    """
    name = region.removeprefix("${").removesuffix("}")
    return (
        f'${{startswith({name}, "cn-") ? "aws-cn" : '
        f'startswith({name}, "us-gov-") ? "aws-us-gov" : "aws"}}'
    )


def _allow(sid: str, actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}


def _local(scope: TerraformStack, name: str, expression: str) -> str:
    TerraformLocal(scope, name, expression)
    return f"${{local.{name}}}"


def _statements(
    scope: TerraformStack,
    secrets_bucket: Bucket | None,
    token: TokenParameter | None,
    region: str,
    access: AgentAccess,
) -> list[dict[str, Any]]:
    partition, account = _partition_and_account(scope, token, region)
    statements = []
    if secrets_bucket is not None:
        bucket_arn = f"${{{secrets_bucket.address}.arn}}"
        statements += [
            # The bootstrap script fetches the queue's env file, and lists the bucket to find out
            # whether it exists.
            _allow("ReadSecrets", ["s3:GetObject"], [f"{bucket_arn}/*"]),
            _allow("ListSecrets", ["s3:ListBucket"], [bucket_arn]),
        ]
    if token is not None:
        # The agent registers with it.
        token_arn = f"${{{token.address}.arn}}"
        statements.append(_allow("ReadAgentToken", ["ssm:GetParameter"], [token_arn]))
    # The agent's and the bootstrap script's logs.
    log_groups = f"arn:{partition}:logs:*:{account}:log-group:/buildkite/*"
    statements.append(_allow("WriteLogs", _LOG, [log_groups]))
    if access.ecr_repositories:
        prefix = f"arn:{partition}:ecr:{region}:{account}:repository"
        repositories = [f"{prefix}/{pattern}" for pattern in access.ecr_repositories]
        statements += [
            # This action does not support a narrower resource.
            _allow("LogInToEcr", ["ecr:GetAuthorizationToken"], ["*"]),
            # Jobs run in container images, and build them.
            _allow("UseImages", [*_PULL, *_PUSH], repositories),
        ]
    if secrets_bucket is not None and secrets_bucket.kms_key_arn is not None:
        # The stack's own role can decrypt with the token's key only.
        statements.append(_allow("DecryptSecrets", ["kms:Decrypt"], [secrets_bucket.kms_key_arn]))
    return statements


def _partition_and_account(
    scope: TerraformStack, token: TokenParameter | None, region: str
) -> tuple[str, str]:
    # Locals, because the policy's JSON cannot contain an expression with quotes.
    if token is None:
        # The repositories are limited to those of the agents' own account.
        return _local(scope, "buildkite_partition", partition_of(region)), "*"
    # From the token's ARN, without a data source.
    partition, account = (
        _local(scope, name, f'${{element(split(":", {token.address}.arn), {index})}}')
        for name, index in (("buildkite_partition", 1), ("buildkite_account", 4))
    )
    return partition, account


def _documented_statements(secrets_bucket: Bucket | None) -> list[dict[str, Any]]:
    wide: list[dict[str, Any]] = [
        ({"Action": ["ecr:GetAuthorizationToken", *_PULL, *_PUSH], "Resource": "*"}),
        ({"Action": _LOG, "Resource": "arn:aws:logs:*:*:*"}),
    ]
    if secrets_bucket is not None:
        bucket_arn = f"${{{secrets_bucket.address}.arn}}"
        read = ["s3:GetObject", "s3:ListBucket"]
        wide.insert(0, {"Action": read, "Resource": [bucket_arn, f"{bucket_arn}/*"]})
    return [{"Effect": "Allow", **statement} for statement in wide]
