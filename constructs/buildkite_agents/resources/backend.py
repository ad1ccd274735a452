"""Where Terraform keeps its state."""

from typing import Any

import cdktf
from constructs import Construct

from buildkite_agents.names import Names
from buildkite_agents.output.terraform_folder import STATE
from buildkite_agents.settings import S3Backend


def create_backend(stack: cdktf.TerraformStack, settings: S3Backend | None, names: Names) -> None:
    """Have *stack* keep its state in S3, or in a file beside the configuration."""
    if settings is None:
        # CDKTF's own default is an absolute path of the machine it runs on.
        _StateFile(stack, path=STATE)
        return
    cdktf.S3Backend(
        stack,
        bucket=settings.bucket,
        key=settings.key or f"{names.prefix}/terraform.tfstate",
        region=settings.region,
        encrypt=True,
    )
    # Newer than CDKTF's own S3Backend.
    stack.add_override("terraform.backend.s3.use_lockfile", True)


class _StateFile(cdktf.LocalBackend):
    """A state beside the configuration, which other stacks find from beside theirs."""

    def get_remote_state_data_source(
        self, scope: Construct, name: str, from_stack: str
    ) -> cdktf.TerraformRemoteState:
        """Read the state from another stack; CDKTF would give it the path that this one has."""
        config: dict[str, Any] = {"path": f"../{from_stack}/{STATE}"}
        return cdktf.DataTerraformRemoteStateLocal(scope, name, **config)
