"""The preparation of a stack where no AgentApp synthesizes it."""

import os
import sys
from collections.abc import Callable

import cdktf
import jsii
from constructs import IConstruct, IValidation

from buildkite_agents.errors import ConfigError
from buildkite_agents.unwritten import is_in_a_test


@jsii.implements(IValidation)
class Preparation:
    """A validation of CDKTF that prepares a stack, and reports the problems."""

    def __init__(self, name: str, prepare: Callable[[], None], app: IConstruct | None) -> None:
        """Call *prepare* for the stack *name*; *app* is its app if that is no AgentApp."""
        self._name, self._prepare, self._app = name, prepare, app

    def validate(self) -> list[str]:
        """Prepare the stack, and return the problems."""
        try:
            self._prepare()
        except ConfigError as error:
            return list(map(str, error.problems))
        # The cdktf CLI and tests want CDKTF's own output.
        if (
            isinstance(self._app, cdktf.App)
            and "CDKTF_OUTDIR" not in os.environ
            and not is_in_a_test(self._app)
        ):
            print(
                f"note: {self._name} is in a cdktf.App, which writes cdktf.out/ alone: an AgentApp "
                "also writes terraform/",
                file=sys.stderr,
            )
        return []
