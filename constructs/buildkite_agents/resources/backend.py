"""The Terraform backend."""

from typing import Any

import cdktf
from constructs import Construct

from buildkite_agents.output.terraform_folder import STATE
from buildkite_agents.settings import S3Backend


def create_backend(stack: cdktf.TerraformStack, settings: S3Backend | None, *, prefix: str) -> None:
    """Define the backend of *stack*: S3, or a file beside the configuration.

    The *prefix* begins the default key of the state in S3.
    """
    if settings is None:
        # CDKTF's own default is an absolute path on the machine that synthesizes.
        _StateFile(stack, path=STATE)
        return
    cdktf.S3Backend(
        # Not the stack itself, where the user may create another one, of the same id.
        Construct(stack, "deployment.backend"),
        bucket=settings.bucket,
        key=settings.key or f"{prefix}/terraform.tfstate",
        region=settings.region,
        encrypt=True,
        profile=settings.profile,
        kms_key_id=settings.kms_key_arn,
    )
    if settings.role_arn is not None:
        stack.add_override("terraform.backend.s3.assume_role.role_arn", settings.role_arn)
    # CDKTF's S3Backend does not have this argument.
    stack.add_override("terraform.backend.s3.use_lockfile", True)


class _StateFile(cdktf.LocalBackend):
    """A state file beside the configuration, which other stacks refer to by a relative path."""

    def get_remote_state_data_source(
        self, scope: Construct, name: str, from_stack: str
    ) -> cdktf.TerraformRemoteState:
        """Define the remote state in another stack, with the path relative to that stack."""
        config: dict[str, Any] = {"path": f"../{from_stack}/{STATE}"}
        return cdktf.DataTerraformRemoteStateLocal(scope, name, **config)
