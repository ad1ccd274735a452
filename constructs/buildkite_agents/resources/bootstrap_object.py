"""The bootstrap script's object in the secrets bucket."""

from collections.abc import Sequence
from pathlib import Path

from cdktf import (
    AssetType,
    ITerraformDependable,
    Postcondition,
    TerraformAsset,
    TerraformResourceLifecycle,
)
from constructs import Construct

from buildkite_agents import bootstrap_script, names
from buildkite_agents.aws.s3_object import (
    S3Object,
    S3ObjectOverrideProvider,
    S3ObjectOverrideProviderDefaultTags,
)
from buildkite_agents.resources.fixed_address import fix_address
from buildkite_agents.resources.import_block import ImportBlock

_TAGS_FIT = Postcondition(
    condition="${length(self.tags_all) <= 10}",
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
    error_message=(
        "S3 accepts at most ten tags for an object, and the provider has more default tags: set "
        "secrets_bucket=SecretsBucket(default_tags_on_script=False) in main.py."
    ),
)


class BootstrapObject(S3Object):
    """The bootstrap script in a bucket.

    Terraform reads the script at each run, so that an edit of the file beside the configuration
    takes effect without a new synthesis.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        bucket: str,
        script: Path,
        is_beside: bool,
        kms_key_arn: str | None = None,
        default_tags: bool = True,
        after: Sequence[ITerraformDependable] = (),
    ) -> None:
        """Upload a *script*.

        Args:
            scope: The bucket's construct, or the stack.
            bucket: The bucket's name, or a reference to it.
            script: The local file.
            is_beside: Whether the app writes the script beside the configuration. Otherwise CDKTF
                copies it as an asset.
            kms_key_arn: The customer managed key of the bucket, if there is one.
            default_tags: Whether the object has the provider's default tags.
            after: What must exist before.
        """
        if is_beside:
            source = f"${{path.module}}/{bootstrap_script.FILE_NAME}"
        else:
            path = str(script.absolute())
            asset = TerraformAsset(scope, "script", path=path, type=AssetType.FILE)
            source = f"${{path.module}}/{asset.path}"
        no_tags = S3ObjectOverrideProviderDefaultTags(tags={})
        super().__init__(
            scope,
            "bootstrap-script",
            bucket=bucket,
            key=bootstrap_script.KEY,
            source=source,
            # Either of these shows Terraform that the object was overwritten. With a KMS key the
            # ETag is not the content's MD5, but overwriting an object removes its metadata.
            etag=f'${{filemd5("{source}")}}' if kms_key_arn is None else None,
            metadata=None if kms_key_arn is None else {"sha256": f'${{filesha256("{source}")}}'},
            server_side_encryption="AES256" if kms_key_arn is None else "aws:kms",
            kms_key_id=kms_key_arn,
            override_provider=None
            if default_tags
            else S3ObjectOverrideProvider(default_tags=no_tags),
            lifecycle=TerraformResourceLifecycle(postcondition=[_TAGS_FIT]),
            depends_on=after or None,
        )
        self.override_logical_id(names.resource_name(names.BOOTSTRAP_OBJECT))
        fix_address(self, names.BOOTSTRAP_OBJECT)


def import_block(bucket: str) -> ImportBlock:
    """The import block of the script's object in a bucket."""
    id_ = f"{bucket}/{bootstrap_script.KEY}"
    return ImportBlock(names.BOOTSTRAP_OBJECT, id_, ("force_destroy", "source"))
