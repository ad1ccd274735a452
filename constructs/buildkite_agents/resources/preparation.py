"""The preparation of a stack where no AgentApp synthesizes it."""

from collections.abc import Callable

import jsii
from constructs import IValidation

from buildkite_agents.errors import ConfigError


@jsii.implements(IValidation)
class Preparation:
    """A validation of CDKTF that prepares a stack, and reports the problems."""

    def __init__(self, prepare: Callable[[], None]) -> None:
        self._prepare = prepare

    def validate(self) -> list[str]:
        """Prepare the stack, and return the problems."""
        try:
            self._prepare()
        except ConfigError as error:
            return list(map(str, error.problems))
        return []
