"""The Buildkite agent token, where the agents fetch it."""

from collections.abc import Mapping

from cdktf import Postcondition, TerraformResourceLifecycle, TerraformStack

from buildkite_agents.imports.aws.ssm_parameter import SsmParameter


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
            lifecycle=TerraformResourceLifecycle(postcondition=[_is_read(name)])
            if in_state
            else None,
        )
        # Not the id, as the variable has that.
        self.override_logical_id("buildkite_agent_token")


def _is_read(name: str) -> Postcondition:
    """A token that was write-only before is not written anew by each apply.

    AWS provider 5 never forgets that a value was write-only: it does not read it any more, and
    would so write it for ever. Older versions of it do not know the attribute.
    """
    address = "aws_ssm_parameter.buildkite_agent_token"
    return Postcondition(
        condition='${coalesce(lookup(self, "has_value_wo", false), false) == false}',
        error_message=(
            "The token was write-only before, and the AWS provider would write it at each apply. "
            f"Have it read again: terraform state rm {address} && terraform import {address} {name}"
        ),
    )
