"""The supported versions of Terraform and of the AWS provider."""

from typing import Any

# The validation of a variable can refer to other variables since 1.9.
_TERRAFORM = ">= 1.9"
# The bindings pin one version exactly; here a range, because the user's lock file pins a version.
_AWS_PROVIDER = ">= 5.0, < 7.0"
# The S3 backend has lock files since 1.10.
_TERRAFORM_S3_BACKEND = ">= 1.10"
# Write-only arguments exist since Terraform 1.11, and value_wo since AWS provider 5.87.
_TERRAFORM_WRITE_ONLY = ">= 1.11"
_AWS_PROVIDER_WRITE_ONLY = ">= 5.87, < 7.0"
# Versions that cannot work.
_BAD_AWS_PROVIDER_VERSIONS = (
    # "Provider produced inconsistent result" for a lifecycle rule for a whole bucket:
    # https://github.com/hashicorp/terraform-provider-aws/issues/41268
    ("5.86.0",),
    # Withdrawn: https://github.com/hashicorp/terraform-provider-aws/issues/43213
    ("6.1.0",),
    # An encryption rule that does not set blocked_encryption_types, which older versions do not
    # know, changes at each apply: https://github.com/hashicorp/terraform-provider-aws/issues/47320
    tuple(f"6.{minor}.{patch}" for minor in range(22, 40) for patch in (0, 1)),
)


def required_versions(*, write_only: bool, s3_backend: bool) -> dict[str, Any]:
    """The version constraints.

    Args:
        write_only: Whether the token is write-only.
        s3_backend: Whether the state is in S3, with a lock file.
    """
    terraform = _TERRAFORM_S3_BACKEND if s3_backend else _TERRAFORM
    terraform = _TERRAFORM_WRITE_ONLY if write_only else terraform
    provider = _AWS_PROVIDER_WRITE_ONLY if write_only else _AWS_PROVIDER
    excluded = [f"!= {v}" for versions in _BAD_AWS_PROVIDER_VERSIONS for v in versions]
    version = ", ".join([provider, *excluded])
    return {
        "required_version": terraform,
        "required_providers": {"aws": {"source": "hashicorp/aws", "version": version}},
    }
