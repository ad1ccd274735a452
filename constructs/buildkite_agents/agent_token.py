"""The Buildkite agent token, where the agents fetch it."""

from collections.abc import Mapping

from cdktf import TerraformStack

from imports.aws.ssm_parameter import SsmParameter


class AgentToken(SsmParameter):
    """An encrypted SSM parameter with the token that agents register with."""

    def __init__(
        self,
        scope: TerraformStack,
        *,
        name: str,
        organization: str,
        token: str,
        write_only_version: int | None,
        tags: Mapping[str, str],
    ) -> None:
        """Make the parameter *name* with the value that the expression *token* has.

        With a *write_only_version*, Terraform passes the value on and keeps no copy of it. It then
        cannot see another value: a change of that version is what makes it write.
        """
        in_state = write_only_version is None
        super().__init__(
            scope,
            "agent_token",
            name=name,
            description=f"Buildkite Agent Token for {organization} organization",
            type="SecureString",
            value=token if in_state else None,
            value_wo=None if in_state else token,
            value_wo_version=write_only_version,
            tags={**tags, "Name": "buildkite-agent-token"},
        )
        # Not the id, as the variable has that.
        self.override_logical_id("buildkite_agent_token")
