"""Fixtures for tests that synthesize, with jsii."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cdktf
import pytest

from buildkite_agents import AgentApp, AgentQueue, AgentStack

Synthesize = Callable[..., dict[str, Any]]


@pytest.fixture(autouse=True, scope="module")
def _outside_the_checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Run in an empty folder, in which apps write by default."""
    before = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("program"))
    yield
    os.chdir(before)


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
