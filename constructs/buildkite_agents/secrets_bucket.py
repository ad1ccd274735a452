"""The S3 bucket of the agents' secrets and their bootstrap script."""

from collections.abc import Mapping

from constructs import Construct

from imports.aws.s3_bucket import S3Bucket
from imports.aws.s3_bucket_public_access_block import S3BucketPublicAccessBlock
from imports.aws.s3_bucket_server_side_encryption_configuration import (
    S3BucketServerSideEncryptionConfigurationA,
    S3BucketServerSideEncryptionConfigurationRuleA,
    S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA,
)
from imports.aws.s3_object import S3Object

BOOTSTRAP_SCRIPT = "buildkite-bootstrap.sh"
"""The bootstrap script's file, beside the configuration that uploads it."""

BOOTSTRAP_KEY = "bootstrap/setup_benchmark_machine.sh"
"""The script's key in the bucket."""

_SOURCE = f"${{path.module}}/{BOOTSTRAP_SCRIPT}"


class SecretsBucket(Construct):
    """A private, encrypted bucket, with the bootstrap script in it.

    The script is read when Terraform runs, so that an edit of the file beside the configuration
    is applied without a new synthesis.
    """

    def __init__(self, scope: Construct, id_: str, *, name: str, tags: Mapping[str, str]) -> None:
        """Make the bucket *name*."""
        super().__init__(scope, id_)
        self.bucket = S3Bucket(self, "bucket", bucket=name, tags={**tags, "Name": name})
        self.bucket.override_logical_id("buildkite_secrets")
        """The bucket itself."""

        public_access_block = S3BucketPublicAccessBlock(
            self,
            "public-access-block",
            bucket=self.bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
        )
        public_access_block.override_logical_id("buildkite_secrets")

        encryption = S3BucketServerSideEncryptionConfigurationA(
            self,
            "encryption",
            bucket=self.bucket.id,
            rule=[
                S3BucketServerSideEncryptionConfigurationRuleA(
                    apply_server_side_encryption_by_default=(
                        S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA(
                            sse_algorithm="AES256"
                        )
                    )
                )
            ],
        )
        encryption.override_logical_id("buildkite_secrets")

        self.bootstrap_script = S3Object(
            self,
            "bootstrap-script",
            bucket=self.bucket.id,
            key=BOOTSTRAP_KEY,
            source=_SOURCE,
            etag=f'${{filemd5("{_SOURCE}")}}',
            server_side_encryption="AES256",
        )
        self.bootstrap_script.override_logical_id("bootstrap_script")
        """The script as an object in the bucket."""

    @property
    def bootstrap_script_url(self) -> str:
        """Where an instance fetches its bootstrap script."""
        return f"s3://{self.bucket.bucket}/{self.bootstrap_script.key}"
