"""Fixtures for tests that synthesize, with jsii."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cdktf
import pytest

from buildkite_agents import AgentApp, AgentQueue, AgentStack

Synthesize = Callable[..., dict[str, Any]]


@pytest.fixture
def synthesize(bootstrap_script: Path, tmp_path: Path) -> Synthesize:
    """The Terraform configuration of a stack with some arguments, and one queue by default."""

    def synth(**props: Any) -> dict[str, Any]:
        props.setdefault("queues", [AgentQueue("m5.4xlarge")])
        app = AgentApp(outdir=tmp_path / "cdktf.out")
        stack = AgentStack(
            app, **{"project": "conbench", "bootstrap_script": bootstrap_script, **props}
        )
        configuration: dict[str, Any] = json.loads(cdktf.Testing.synth(stack, True))
        return configuration

    return synth
