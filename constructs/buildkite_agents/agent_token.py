"""The Buildkite agent token, where the agents fetch it."""

from collections.abc import Mapping

from cdktf import TerraformVariable
from constructs import Construct

from imports.aws.ssm_parameter import SsmParameter


class AgentToken(Construct):
    """An encrypted SSM parameter with the token that agents register with."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        name: str,
        organization: str,
        token: TerraformVariable,
        write_only_version: int | None,
        tags: Mapping[str, str],
    ) -> None:
        """Make the parameter *name* with the value of the variable *token*.

        With a *write_only_version*, Terraform passes the value on and keeps no copy of it. It then
        cannot see another value: a change of that version is what makes it write.
        """
        super().__init__(scope, id_)
        in_state = write_only_version is None
        self.parameter = SsmParameter(
            self,
            "parameter",
            name=name,
            description=f"Buildkite Agent Token for {organization} organization",
            type="SecureString",
            value=token.string_value if in_state else None,
            value_wo=None if in_state else token.string_value,
            value_wo_version=write_only_version,
            tags={**tags, "Name": "buildkite-agent-token"},
        )
        self.parameter.override_logical_id("buildkite_agent_token")
        """The parameter itself."""
