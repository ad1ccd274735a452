"""AWS bindings for the resource types that this program uses.

In the repository this is the top-level folder ``imports/``; as a package it is
``buildkite_agents.imports``.

``import cdktf_cdktf_provider_aws`` loads some 1,500 modules and 224 MB of JavaScript for a handful
of resource types (hashicorp/terraform-cdk issue 3753). So ``aws`` is carved out of that installed
package on first use, and again when its inputs change. Names are those of ``cdktf get``::

    from buildkite_agents.imports.aws.s3_bucket import S3Bucket
"""

from pathlib import Path

from buildkite_agents.imports.carver import carve, writable_folder

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

# A folder of the user where this one is read-only, because another user installed the package.
_folder = writable_folder(Path(__file__).parent)
if _folder != Path(__file__).parent:
    __path__.append(str(_folder))
carve(
    distribution="cdktf-cdktf-provider-aws",
    submodules=AWS_SUBMODULES,
    target=_folder / "aws",
)
