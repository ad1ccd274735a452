"""Buildkite agents on AWS: queues defined in Python, synthesized to Terraform JSON by CDKTF."""

import atexit
import contextlib
import gc
import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from buildkite_agents.errors import ConfigError
from buildkite_agents.queue import AgentQueue
from buildkite_agents.settings import (
    AgentAccess,
    AgentToken,
    Deployment,
    Existing,
    Network,
    S3Backend,
    SecretsBucket,
)

if TYPE_CHECKING:
    from buildkite_agents.app import AgentApp
    from buildkite_agents.stack import AgentStack

__all__ = [
    "AgentAccess",
    "AgentApp",
    "AgentQueue",
    "AgentStack",
    "AgentToken",
    "ConfigError",
    "Deployment",
    "Existing",
    "Network",
    "S3Backend",
    "SecretsBucket",
]

# Loaded on first use: they start jsii's Node.js process, which takes half a second.
_CONSTRUCTS = {"AgentApp": "app", "AgentStack": "stack"}


def __getattr__(name: str) -> Any:
    if name not in _CONSTRUCTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from buildkite_agents.node import node_environment

    try:
        # jsii starts Node.js when it is imported, and reads its settings from the environment.
        with _environment(node_environment()), _no_garbage_collection():
            module = importlib.import_module(f"{__name__}.{_CONSTRUCTS[name]}")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the Python package {error.name!r} is not installed for {sys.executable}: run "
            "`make synth`, which installs it into .venv, or the program with .venv/bin/python"
        ) from None
    globals()[name] = getattr(module, name)
    return globals()[name]


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Disable garbage collection: importing CDKTF creates a million objects and no garbage."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            if gc.get_freeze_count() == 0:
                # Moves all objects to the oldest generation, which is rarely collected.
                gc.freeze()
                gc.unfreeze()
            gc.enable()
            # Python otherwise searches all objects again when it exits.
            atexit.register(gc.freeze)


@contextlib.contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, and restore the previous ones afterwards."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
