"""The S3 bucket for the jobs' secrets and the bootstrap script."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from cdktf import ITerraformDependable, TerraformResource, TerraformResourceLifecycle
from constructs import Construct

from buildkite_agents import names, permissions
from buildkite_agents.aws.s3_bucket import S3Bucket
from buildkite_agents.aws.s3_bucket_lifecycle_configuration import (
    S3BucketLifecycleConfiguration,
    S3BucketLifecycleConfigurationRule,
    S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload,
    S3BucketLifecycleConfigurationRuleFilter,
    S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration,
)
from buildkite_agents.aws.s3_bucket_ownership_controls import (
    S3BucketOwnershipControls,
    S3BucketOwnershipControlsRule,
)
from buildkite_agents.aws.s3_bucket_policy import S3BucketPolicy
from buildkite_agents.aws.s3_bucket_public_access_block import S3BucketPublicAccessBlock
from buildkite_agents.aws.s3_bucket_server_side_encryption_configuration import (
    S3BucketServerSideEncryptionConfigurationA,
    S3BucketServerSideEncryptionConfigurationRuleA,
    S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA,
)
from buildkite_agents.aws.s3_bucket_versioning import (
    S3BucketVersioningA,
    S3BucketVersioningVersioningConfiguration,
)
from buildkite_agents.expressions import Reference, json_template
from buildkite_agents.resources.bootstrap_object import BootstrapObject
from buildkite_agents.resources.fixed_address import fix_address
from buildkite_agents.resources.import_block import ImportBlock
from buildkite_agents.settings import SecretsBucket

# Of the bucket and of each of its parts, in the documented layout.
_NAME = names.resource_name(names.SECRETS_BUCKET)


class Bucket(Construct):
    """A private, encrypted bucket that contains the bootstrap script.

    Terraform reads the script at each run, so that an edit of the file beside the configuration
    takes effect without a new synthesis.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        settings: SecretsBucket,
        name: str,
        script: Path | None,
        script_is_beside: bool,
        keep_documented_layout: bool,
        tags: Mapping[str, str],
        isolated_roles: Mapping[str, Collection[str]],
    ) -> None:
        """Define the bucket *name*.

        Args:
            scope: The stack.
            id_: The construct's id.
            settings: The user's settings.
            name: The bucket's name.
            script: The local bootstrap script, if there is one.
            script_is_beside: Whether the app writes the script beside the configuration. Otherwise
                CDKTF copies it as an asset.
            keep_documented_layout: Whether to omit what the documented layout does not have: the
                policy, ownership controls, versioning, lifecycle and deletion protection.
            tags: The bucket's tags.
            isolated_roles: The instance roles of each queue, to deny them other queues' files.
        """
        super().__init__(scope, id_)
        self.kms_key_arn = settings.kms_key_arn
        """The ARN of the customer managed key, if there is one."""
        self._bucket = S3Bucket(
            self,
            "bucket",
            bucket=name,
            tags={**tags, "Name": name},
            lifecycle=TerraformResourceLifecycle(prevent_destroy=True)
            if settings.deletion_protection and not keep_documented_layout
            else None,
        )
        _place(self._bucket, names.SECRETS_BUCKET)
        # Written out, because each reference by CDKTF is a round trip to Node.js.
        self._id = str(Reference(f"{names.SECRETS_BUCKET}.id"))

        # In sequence: S3 answers concurrent changes of a bucket with status 409.
        last: list[ITerraformDependable] = [self._block_public_access()]
        last = [self._encrypt(last)]
        if not keep_documented_layout:
            last = [self._own_objects(last)]
            last = [self._keep_versions(last)]
            last = [self._refuse(last, isolated_roles)]
            # Last, because it takes a minute and nothing depends on it.
            self._expire_versions(last)
        self.bootstrap_script: BootstrapObject | None = None
        """The script's object in the bucket, if it is a local file."""
        if script is not None:
            self.bootstrap_script = BootstrapObject(
                self,
                bucket=self._id,
                script=script,
                is_beside=script_is_beside,
                kms_key_arn=self.kms_key_arn,
                default_tags=settings.default_tags_on_script,
                after=last,
            )
        self._bucket_name = name
        self._has_documented_parts_only = keep_documented_layout

    @property
    def name(self) -> str:
        """The bucket's name."""
        return self._bucket.bucket

    @property
    def arn(self) -> str:
        """The bucket's ARN."""
        return self._bucket.arn

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of the bucket and its parts."""
        parts = 2 if self._has_documented_parts_only else len(names.BUCKET_PARTS)
        return (names.SECRETS_BUCKET, *names.BUCKET_PARTS[:parts])

    def import_blocks(self) -> list[ImportBlock]:
        """The import blocks of the bucket and its parts."""
        bucket, *parts = self.addresses
        return [
            ImportBlock(bucket, self._bucket_name, ("force_destroy", "tags")),
            *(ImportBlock(part, self._bucket_name) for part in parts),
        ]

    def _block_public_access(self) -> S3BucketPublicAccessBlock:
        block = S3BucketPublicAccessBlock(
            self,
            "public-access-block",
            bucket=self._id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
        )
        _place(block, f"aws_s3_bucket_public_access_block.{_NAME}")
        return block

    def _encrypt(
        self, after: Sequence[ITerraformDependable]
    ) -> S3BucketServerSideEncryptionConfigurationA:
        algorithm = (
            S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA(
                sse_algorithm="AES256" if self.kms_key_arn is None else "aws:kms",
                kms_master_key_id=self.kms_key_arn,
            )
        )
        encryption = S3BucketServerSideEncryptionConfigurationA(
            self,
            "encryption",
            bucket=self._id,
            rule=[
                S3BucketServerSideEncryptionConfigurationRuleA(
                    apply_server_side_encryption_by_default=algorithm,
                    # An S3 Bucket Key reduces the number and the cost of KMS requests.
                    bucket_key_enabled=None if self.kms_key_arn is None else True,
                )
            ],
            depends_on=after,
        )
        _place(encryption, f"aws_s3_bucket_server_side_encryption_configuration.{_NAME}")
        return encryption

    def _own_objects(self, after: Sequence[ITerraformDependable]) -> S3BucketOwnershipControls:
        """Define that the bucket's owner owns all objects, which disables ACLs."""
        controls = S3BucketOwnershipControls(
            self,
            "ownership-controls",
            bucket=self._id,
            rule=S3BucketOwnershipControlsRule(object_ownership="BucketOwnerEnforced"),
            depends_on=after,
        )
        _place(controls, f"aws_s3_bucket_ownership_controls.{_NAME}")
        return controls

    def _keep_versions(self, after: Sequence[ITerraformDependable]) -> S3BucketVersioningA:
        versioning = S3BucketVersioningA(
            self,
            "versioning",
            bucket=self._id,
            versioning_configuration=S3BucketVersioningVersioningConfiguration(status="Enabled"),
            depends_on=after,
        )
        _place(versioning, f"aws_s3_bucket_versioning.{_NAME}")
        return versioning

    def _expire_versions(
        self, after: Sequence[ITerraformDependable]
    ) -> S3BucketLifecycleConfiguration:
        """Define that replaced versions expire after 30 days."""
        lifecycle = S3BucketLifecycleConfiguration(
            self,
            "lifecycle-configuration",
            bucket=self._id,
            rule=[
                S3BucketLifecycleConfigurationRule(
                    id="expire-replaced-secrets",
                    status="Enabled",
                    filter=[S3BucketLifecycleConfigurationRuleFilter(prefix="")],
                    noncurrent_version_expiration=[
                        S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration(
                            noncurrent_days=30
                        )
                    ],
                    abort_incomplete_multipart_upload=[
                        S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload(
                            days_after_initiation=7
                        )
                    ],
                )
            ],
            depends_on=after,
        )
        _place(lifecycle, f"aws_s3_bucket_lifecycle_configuration.{_NAME}")
        return lifecycle

    def _refuse(
        self,
        after: Sequence[ITerraformDependable],
        isolated_roles: Mapping[str, Collection[str]],
    ) -> S3BucketPolicy:
        """Refuse requests without TLS 1.2, and those for another queue's files."""
        arn = str(Reference(f"{names.SECRETS_BUCKET}.arn"))

        def deny(sid: str, condition: dict[str, Any]) -> dict[str, Any]:
            return {
                "Sid": sid,
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [arn, f"{arn}/*"],
                "Condition": condition,
            }

        statements = [
            deny("RefusePlainHttp", {"Bool": {"aws:SecureTransport": "false"}}),
            deny("RefuseOldTls", {"NumericLessThan": {"s3:TlsVersion": "1.2"}}),
            *permissions.isolation_statements(arn, isolated_roles),
        ]
        policy = S3BucketPolicy(
            self,
            "policy",
            bucket=self._id,
            policy=json_template(permissions.policy_document(statements)),
            depends_on=after,
        )
        _place(policy, f"aws_s3_bucket_policy.{_NAME}")
        return policy


def _place(resource: TerraformResource, address: str) -> None:
    resource.override_logical_id(_NAME)
    fix_address(resource, address)
