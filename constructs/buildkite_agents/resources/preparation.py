"""The preparation of a stack where no AgentApp synthesizes it."""

import os
import sys
from collections.abc import Callable
from typing import Any

import cdktf
import jsii
from constructs import IValidation

from buildkite_agents.errors import ConfigError
from buildkite_agents.unwritten import expect_synthesis, is_in_a_test


@jsii.implements(IValidation)
class Preparation:
    """A validation of CDKTF that prepares a stack, and reports the problems."""

    def __init__(self, prepare: Callable[[], None]) -> None:
        """Call *prepare*."""
        self._prepare = prepare

    def validate(self) -> list[str]:
        """Prepare the stack, and return the problems."""
        try:
            self._prepare()
        except ConfigError as error:
            return list(map(str, error.problems))
        return []


def prepare_with(app: Any, name: str, prepare: Callable[[], None]) -> None:
    """Have the synthesis of an app that is no AgentApp *prepare* the stack *name* first.

    In a validation, which Node.js calls, an error becomes a RuntimeError.
    """
    if not isinstance(app, cdktf.App):
        return
    expect_synthesis(app, name)
    synth = app.synth

    def prepared(*arguments: Any, **named: Any) -> None:
        prepare()
        synth(*arguments, **named)
        # The cdktf CLI and tests want CDKTF's own output.
        if "CDKTF_OUTDIR" not in os.environ and not is_in_a_test(app):
            print(
                f"note: {name} is in a cdktf.App, which writes cdktf.out/ alone: an AgentApp also "
                "writes terraform/",
                file=sys.stderr,
            )

    app.synth = prepared  # type: ignore[method-assign]
