"""Fixtures of more than one kind of test."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from buildkite_agents.node import use_node

ROOT = Path(__file__).resolve().parents[1]

# Before any test imports CDKTF, which takes the first Node.js on PATH otherwise.
use_node()

# No calls home, by Terraform or the cdktf CLI.
os.environ["CHECKPOINT_DISABLE"] = "1"

settings.register_profile("default", max_examples=200, deadline=None)
settings.register_profile("nightly", max_examples=10_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def bootstrap_script() -> Path:
    """The project's own bootstrap script."""
    return ROOT / "bootstrap" / "buildkite-bootstrap.sh"
