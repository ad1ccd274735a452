"""The Buildkite agent token, where the agents fetch it."""

from collections.abc import Mapping

from cdktf import Postcondition, TerraformResourceLifecycle, TerraformStack

from buildkite_agents.imports.aws.ssm_parameter import SsmParameter
from buildkite_agents.resources.import_block import ImportBlock
from buildkite_agents.settings import AgentToken

_ADDRESS = "buildkite_agent_token"


class TokenParameter(SsmParameter):
    """An encrypted SSM parameter with the token that agents register with."""

    def __init__(
        self,
        scope: TerraformStack,
        *,
        settings: AgentToken,
        name: str,
        token: str,
        tags: Mapping[str, str],
    ) -> None:
        """Make the parameter *name* with the value of the expression *token*.

        With a write-only version, Terraform passes the value on and keeps no copy of it. It then
        cannot see another value: a change of that version is what makes it write.
        """
        version = settings.write_only_version
        in_state = version is None
        organization = settings.organization
        super().__init__(
            scope,
            "agent_token",
            name=name,
            description=f"Buildkite Agent Token for {organization} organization"
            if organization is not None
            else "Buildkite agent token",
            type="SecureString",
            value=token if in_state else None,
            value_wo=None if in_state else token,
            value_wo_version=version,
            tags={**tags, "Name": "buildkite-agent-token"},
            lifecycle=TerraformResourceLifecycle(postcondition=[_is_read(name)])
            if in_state
            else None,
        )
        # Not the id, as the variable has that.
        self.override_logical_id(_ADDRESS)
        self._parameter = name

    def import_block(self) -> ImportBlock:
        """How to import the parameter."""
        return ImportBlock(f"aws_ssm_parameter.{_ADDRESS}", self._parameter, ("tags",))


def _is_read(name: str) -> Postcondition:
    """A token that was write-only before is not written anew by each apply.

    AWS provider 5 never forgets that a value was write-only: it does not read it any more, and
    would so write it for ever. Older versions of it do not know the attribute.
    """
    address = f"aws_ssm_parameter.{_ADDRESS}"
    return Postcondition(
        condition='${coalesce(lookup(self, "has_value_wo", false), false) == false}',
        error_message=(
            "The token was write-only before, and the AWS provider would write it at each apply. "
            f"Have it read again: terraform state rm {address} && terraform import {address} {name}"
        ),
    )
