"""The versions of Terraform and of the AWS provider that can apply what is synthesized."""

from typing import Any

# 1.9 is the first whose variable validations may refer to other variables.
_TERRAFORM = ">= 1.9"
# The bindings pin one version exactly. Which one is used is for the users' own lock file to decide.
_AWS_PROVIDER = ">= 5.0, < 7.0"
# The first with write-only arguments, and with that of an SSM parameter.
_TERRAFORM_WRITE_ONLY = ">= 1.11"
_AWS_PROVIDER_WRITE_ONLY = ">= 5.87, < 7.0"
# What cannot work: the versions, and why.
_BAD_AWS_PROVIDER_VERSIONS = (
    # "Provider produced inconsistent result" for a lifecycle rule for all of a bucket:
    # https://github.com/hashicorp/terraform-provider-aws/issues/41268
    ("5.86.0",),
    # Withdrawn: https://github.com/hashicorp/terraform-provider-aws/issues/43213
    ("6.1.0",),
    # An encryption rule that does not set blocked_encryption_types, which older versions do not
    # know, changes at each apply: https://github.com/hashicorp/terraform-provider-aws/issues/47320
    tuple(f"6.{minor}.{patch}" for minor in range(22, 40) for patch in (0, 1)),
)


def required_versions(*, write_only: bool) -> dict[str, Any]:
    """The ``terraform`` block's requirements; *write_only* is whether the token is."""
    terraform = _TERRAFORM_WRITE_ONLY if write_only else _TERRAFORM
    provider = _AWS_PROVIDER_WRITE_ONLY if write_only else _AWS_PROVIDER
    excluded = [f"!= {v}" for versions in _BAD_AWS_PROVIDER_VERSIONS for v in versions]
    version = ", ".join([provider, *excluded])
    return {
        "required_version": terraform,
        "required_providers": {"aws": {"source": "hashicorp/aws", "version": version}},
    }
