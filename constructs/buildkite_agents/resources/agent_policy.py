"""The IAM policy of the agents' instances."""

from cdktf import TerraformLocal, TerraformResourceLifecycle, TerraformStack

from buildkite_agents import names, permissions
from buildkite_agents.aws.iam_policy import IamPolicy
from buildkite_agents.expressions import Reference, json_template
from buildkite_agents.resolved import REGION, ResolvedStack
from buildkite_agents.resources.fixed_address import fix_address
from buildkite_agents.resources.import_block import ImportBlock
from buildkite_agents.settings import AgentAccess, AgentToken, SecretsBucket


class AgentPolicy(IamPolicy):
    """The IAM policy of each queue's instance role: secrets, images and logs."""

    def __init__(
        self, scope: TerraformStack, *, access: AgentAccess, resolved: ResolvedStack
    ) -> None:
        """Define the policy of *access* for the resources of *resolved*."""
        settings = resolved.settings
        bucket = settings.secrets_bucket
        bucket_arn = None
        if isinstance(bucket, SecretsBucket):
            bucket_arn = str(Reference(f"{names.SECRETS_BUCKET}.arn"))
        if settings.keep_documented_layout:
            # dict() for a user's other mappings, which JSON does not know.
            statements = [
                *permissions.documented_statements(bucket_arn),
                *map(dict, access.statements),
            ]
        else:
            token_arn = None
            if isinstance(settings.token, AgentToken):
                token_arn = str(Reference(f"{names.TOKEN_PARAMETER}.arn"))
            partition, account = _partition_and_account(scope, has_token=token_arn is not None)
            statements = permissions.statements(
                access,
                bucket_arn=bucket_arn,
                token_arn=token_arn,
                kms_key_arn=bucket.kms_key_arn if isinstance(bucket, SecretsBucket) else None,
                partition=partition,
                region=REGION,
                account=account,
                script_url=resolved.script_url_to_permit,
            )
        document = permissions.policy_document(statements)
        super().__init__(
            scope,
            names.resource_name(names.AGENT_POLICY),
            name=resolved.agent_policy_name,
            description="IAM policy for Buildkite agents",
            policy=json_template(document),
            tags=settings.common_tags,
            # With another name, the roles change to the new policy first: IAM does not delete one
            # that is attached.
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        fix_address(self, names.AGENT_POLICY)
        self._policy = resolved.agent_policy_name

    def import_block(self, *, account: str) -> ImportBlock:
        """The import block of the policy in the AWS account *account*."""
        arn = f"arn:{PARTITION}:iam::{account}:policy/{self._policy}"
        return ImportBlock(names.AGENT_POLICY, arn, ("tags",))


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
PARTITION = Reference(
    f'startswith({REGION.expression}, "cn-") ? "aws-cn" : '
    f'startswith({REGION.expression}, "us-gov-") ? "aws-us-gov" : "aws"'
)


def _partition_and_account(scope: TerraformStack, *, has_token: bool) -> tuple[str, str]:
    # Locals, because the policy's JSON cannot contain an expression with quotes.
    if not has_token:
        # The repositories are limited to those of the agents' own account.
        return _local(scope, "buildkite_partition", PARTITION), "*"
    # From the token's ARN, without a data source.
    parts = f'split(":", {names.TOKEN_PARAMETER}.arn)'
    return (
        _local(scope, "buildkite_partition", Reference(f"element({parts}, 1)")),
        _local(scope, "buildkite_account", Reference(f"element({parts}, 4)")),
    )


def _local(scope: TerraformStack, name: str, expression: Reference) -> str:
    TerraformLocal(scope, name, str(expression))
    return f"${{local.{name}}}"
