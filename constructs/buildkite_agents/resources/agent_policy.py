"""What the agents' instances may do, beyond what the Elastic CI Stack's own role allows."""

import json
from collections.abc import Mapping
from typing import Any

from cdktf import TerraformLocal, TerraformStack

from buildkite_agents.imports.aws.iam_policy import IamPolicy
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


class AgentPolicy(IamPolicy):
    """The IAM policy that each queue's instance role gets: secrets, images and logs."""

    def __init__(
        self,
        scope: TerraformStack,
        *,
        name: str,
        settings: AgentAccess,
        secrets_bucket: Bucket | None,
        token_arn: str | None,
        region: str,
        keep_documented_layout: bool,
        tags: Mapping[str, str],
    ) -> None:
        """Make the policy *name*.

        Args:
            scope: The stack.
            name: The policy's name.
            settings: What the jobs may do besides.
            secrets_bucket: The bucket to read, and never to write: the bootstrap script, which
                runs as root, is in it. None is a bucket of others, which the template's own role
                reads.
            token_arn: The ARN of the parameter of the agent token, which this program makes.
            region: The agents' region.
            keep_documented_layout: Whether it is the wide policy of the documented layout.
            tags: The policy's tags.
        """
        if keep_documented_layout:
            statements = _documented_statements(secrets_bucket)
        else:
            statements = _statements(scope, secrets_bucket, token_arn, region, settings)
        document = {
            "Version": "2012-10-17",
            "Statement": [*statements, *map(dict, settings.statements)],
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
        self._policy = name

    def import_block(self, *, account: str, partition: str) -> ImportBlock:
        """How to import the policy, of the AWS account *account*."""
        arn = f"arn:{partition}:iam::{account}:policy/{self._policy}"
        return ImportBlock("aws_iam_policy.buildkite_agent", arn, ("tags",))


def partition_of(region: str) -> str:
    """A reference to the partition of a *region*, which is a reference itself.

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
    token_arn: str | None,
    region: str,
    access: AgentAccess,
) -> list[dict[str, Any]]:
    partition, account = _partition_and_account(scope, token_arn, region)
    statements = []
    if secrets_bucket is not None:
        bucket_arn = secrets_bucket.arn
        statements += [
            # The bootstrap script fetches the queue's env file, and lists to know whether there is
            # one.
            _allow("ReadSecrets", ["s3:GetObject"], [f"{bucket_arn}/*"]),
            _allow("ListSecrets", ["s3:ListBucket"], [bucket_arn]),
        ]
    if token_arn is not None:
        # The agent registers with it.
        statements.append(_allow("ReadAgentToken", ["ssm:GetParameter"], [token_arn]))
    # The agent's and the bootstrap script's logs.
    log_groups = f"arn:{partition}:logs:*:{account}:log-group:/buildkite/*"
    statements.append(_allow("WriteLogs", _LOG, [log_groups]))
    if access.ecr_repositories:
        prefix = f"arn:{partition}:ecr:{region}:{account}:repository"
        repositories = [f"{prefix}/{pattern}" for pattern in access.ecr_repositories]
        statements += [
            # IAM knows no narrower resource for a login.
            _allow("LogInToEcr", ["ecr:GetAuthorizationToken"], ["*"]),
            # Benchmarks run in images, and build them.
            _allow("UseImages", [*_PULL, *_PUSH], repositories),
        ]
    if secrets_bucket is not None and secrets_bucket.kms_key_arn is not None:
        # The stack's role can decrypt with the token's key only.
        statements.append(_allow("DecryptSecrets", ["kms:Decrypt"], [secrets_bucket.kms_key_arn]))
    return statements


def _partition_and_account(
    scope: TerraformStack, token_arn: str | None, region: str
) -> tuple[str, str]:
    # Locals, as an expression with quotes in it could not stand in the policy's JSON.
    if token_arn is None:
        # A policy names what is in its own account only, whatever it says.
        return _local(scope, "buildkite_partition", partition_of(region)), "*"
    # From the token's ARN, so that nothing has to be looked up.
    partition, account = (
        _local(scope, name, f'${{element(split(":", {token_arn}), {index})}}')
        for name, index in (("buildkite_partition", 1), ("buildkite_account", 4))
    )
    return partition, account


def _documented_statements(secrets_bucket: Bucket | None) -> list[dict[str, Any]]:
    wide: list[dict[str, Any]] = [
        ({"Action": ["ecr:GetAuthorizationToken", *_PULL, *_PUSH], "Resource": "*"}),
        ({"Action": _LOG, "Resource": "arn:aws:logs:*:*:*"}),
    ]
    if secrets_bucket is not None:
        bucket_arn = secrets_bucket.arn
        read = ["s3:GetObject", "s3:ListBucket"]
        wide.insert(0, {"Action": read, "Resource": [bucket_arn, f"{bucket_arn}/*"]})
    return [{"Effect": "Allow", **statement} for statement in wide]
