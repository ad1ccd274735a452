"""Fixtures of more than one kind of test."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# No calls home, by Terraform or the cdktf CLI.
os.environ["CHECKPOINT_DISABLE"] = "1"


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def bootstrap_script() -> Path:
    """The project's own bootstrap script."""
    return ROOT / "bootstrap" / "buildkite-bootstrap.sh"
