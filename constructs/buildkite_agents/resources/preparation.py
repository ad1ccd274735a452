"""The preparation of a stack where no AgentApp synthesizes it."""

import os
import sys
from collections.abc import Callable

import cdktf
import jsii
from constructs import IConstruct, IValidation

from buildkite_agents.errors import ConfigError


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
        if isinstance(self._app, cdktf.App) and not self._is_expected(self._app):
            print(
                f"note: {self._name} is in a cdktf.App, which writes cdktf.out/ alone: an AgentApp "
                "also writes terraform/",
                file=sys.stderr,
            )
        return []

    @staticmethod
    def _is_expected(app: cdktf.App) -> bool:
        """Whether the user wants CDKTF's own output: in tests, and with the cdktf CLI."""
        in_test = "pytest" in sys.modules or "cdktf.outdir." in app.outdir  # of Testing.app()
        return in_test or "CDKTF_OUTDIR" in os.environ
