"""AWS bindings for the resource types that this program makes, and for no others.

``import cdktf_cdktf_provider_aws`` loads some 1,500 modules and 224 MB of JavaScript to make a
handful of resources (hashicorp/terraform-cdk issue 3753). So ``imports/aws`` is carved out of that
installed package: on first use, and again whenever what it is made from changes. Its names are the
ones ``cdktf get`` gives::

    from imports.aws.s3_bucket import S3Bucket
"""

from pathlib import Path

from imports.carver import carve

AWS_SUBMODULES = (
    "cloudformation_stack",
    "iam_policy",
    "provider",
    "s3_bucket",
    "s3_bucket_lifecycle_configuration",
    "s3_bucket_ownership_controls",
    "s3_bucket_policy",
    "s3_bucket_public_access_block",
    "s3_bucket_server_side_encryption_configuration",
    "s3_bucket_versioning",
    "s3_object",
    "ssm_parameter",
)
"""The provider's Python submodules that :mod:`buildkite_agents` imports."""

carve(
    distribution="cdktf-cdktf-provider-aws",
    submodules=AWS_SUBMODULES,
    target=Path(__file__).parent / "aws",
)
