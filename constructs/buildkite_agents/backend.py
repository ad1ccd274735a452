"""Where Terraform keeps its state, when not in ``terraform.tfstate`` beside the configuration."""

from dataclasses import dataclass


@dataclass(frozen=True)
class S3Backend:
    """Terraform's state in an S3 bucket, locked by a file beside it (Terraform 1.10 or newer)."""

    bucket: str
    """The bucket's name. It must exist already."""

    region: str
    """The bucket's region."""

    key: str = ""
    """The state's key; by default ``PROJECT-ENVIRONMENT/terraform.tfstate``."""
