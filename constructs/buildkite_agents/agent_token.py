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
        tags: Mapping[str, str],
    ) -> None:
        """Make the parameter *name* with the value of the variable *token*."""
        super().__init__(scope, id_)
        self.parameter = SsmParameter(
            self,
            "parameter",
            name=name,
            description=f"Buildkite Agent Token for {organization} organization",
            type="SecureString",
            value=token.string_value,
            tags={**tags, "Name": "buildkite-agent-token"},
        )
        self.parameter.override_logical_id("buildkite_agent_token")
        """The parameter itself."""
