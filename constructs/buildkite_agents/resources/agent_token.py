"""The SSM parameter from which the agents fetch the agent token."""

import json
from collections.abc import Mapping

from cdktf import Postcondition, Precondition, TerraformResourceLifecycle, TerraformStack

from buildkite_agents import names
from buildkite_agents.aws.ssm_parameter import SsmParameter
from buildkite_agents.resources.fixed_address import fix_address
from buildkite_agents.resources.import_block import ImportBlock
from buildkite_agents.settings import AgentToken

# Tokens consist of letters, digits, dots, hyphens and underscores:
# https://github.com/buildkite/agent/blob/main/internal/redact/redact.go
# These characters are around a token, or in place of one.
_AROUND = r"""[^\x21-\x7e]|["'`<>$]|://"""
_PLACEHOLDER = r"(?i)^(your[._-]|.*[._-]your[._-]|change[._-]?me$|x+$|\.+$)"


class TokenParameter(SsmParameter):
    """An encrypted SSM parameter with the token with which agents register."""

    def __init__(
        self,
        scope: TerraformStack,
        *,
        settings: AgentToken,
        name: str,
        token: str,
        tags: Mapping[str, str],
    ) -> None:
        """Define the parameter *name* with the value of the expression *token*.

        With a write-only version, Terraform stores no copy of the value, and so cannot detect a
        change: it writes the value when that version changes.
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
            lifecycle=TerraformResourceLifecycle(
                # With another name, the stacks change to the new parameter before this one goes.
                create_before_destroy=True,
                precondition=_is_a_token() if settings.value is None else None,
                postcondition=[_is_read(name)] if in_state else None,
            ),
        )
        if not in_state:
            # CDKTF's successor otherwise refuses it, because older versions could not run it.
            required = {"terraform": ">=1.11.0", "opentofu": ">=1.11.0"}
            self.node.set_context("targetVersions", required)
        # The id is overridden because the variable has the same one.
        self.override_logical_id(names.resource_name(names.TOKEN_PARAMETER))
        fix_address(self, names.TOKEN_PARAMETER)
        self._parameter = name

    def import_block(self) -> ImportBlock:
        """The import block of the parameter."""
        return ImportBlock(names.TOKEN_PARAMETER, self._parameter, ("tags",))


def _is_a_token() -> list[Precondition]:
    """The preconditions on Terraform's variable, whose errors do not contain the token.

    A value fails at most one of them.
    """
    variable = "var.buildkite_agent_token"
    set_it = "set TF_VAR_buildkite_agent_token to an agent token of your Buildkite organization."
    is_given = f'trimspace({variable}) != ""'
    return [
        Precondition(condition=f"${{{condition}}}", error_message=f"buildkite_agent_token {what}")
        for condition, what in (
            (is_given, f"must not be empty: {set_it}"),
            (
                f"!({is_given}) || !can(regex({json.dumps(_AROUND)}, {variable}))",
                "must be only the token, without quotes, brackets, spaces or line breaks.",
            ),
            (
                f"!can(regex({json.dumps(_PLACEHOLDER)}, {variable}))",
                f"is still the placeholder of a token: {set_it}",
            ),
            (
                f'!startswith({variable}, "bkua_")',
                f"is an API access token, with which agents cannot register: {set_it}",
            ),
        )
    ]


def _is_read(name: str) -> Postcondition:
    """A postcondition that the parameter's value was not write-only before.

    AWS provider 5 keeps treating a value as write-only once it was: it no longer reads the value,
    and would write it at each apply. Older versions do not have the attribute.
    """
    return Postcondition(
        condition='${coalesce(lookup(self, "has_value_wo", false), false) == false}',
        error_message=(
            "The token was write-only before, and the AWS provider would write it at each apply. "
            "To have the provider read it again, run: "
            f"terraform state rm {names.TOKEN_PARAMETER} && "
            f"terraform import {names.TOKEN_PARAMETER} {name}"
        ),
    )
