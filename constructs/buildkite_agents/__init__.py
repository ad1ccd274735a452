"""Buildkite agents on AWS: queues said in Python, synthesized to Terraform JSON by CDKTF."""

import contextlib
import gc
import importlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from buildkite_agents.agent_access import AgentAccess
from buildkite_agents.agent_queue import AgentQueue
from buildkite_agents.backend import S3Backend
from buildkite_agents.errors import ConfigError, show_config_errors_plainly
from buildkite_agents.network import Network

if TYPE_CHECKING:
    from buildkite_agents.agent_app import AgentApp
    from buildkite_agents.agent_stack import AgentStack

__all__ = [
    "AgentAccess",
    "AgentApp",
    "AgentQueue",
    "AgentStack",
    "ConfigError",
    "Network",
    "S3Backend",
]

# Loaded on first use: they need jsii, whose Node.js process takes half a second to start.
_CONSTRUCTS = {"AgentApp": "agent_app", "AgentStack": "agent_stack"}


def __getattr__(name: str) -> Any:
    if name not in _CONSTRUCTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from buildkite_agents.node import use_node

    use_node()
    try:
        with _garbage_uncollected():
            module = importlib.import_module(f"{__name__}.{_CONSTRUCTS[name]}")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the Python package {error.name!r} is not installed for {sys.executable}: run "
            "`make synth`, which installs it into .venv, or the program with .venv/bin/python"
        ) from None
    globals()[name] = getattr(module, name)
    return globals()[name]


@contextlib.contextmanager
def _garbage_uncollected() -> Iterator[None]:
    """Look for no garbage: loading CDKTF makes none, of so many objects that looking costs time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # what is loaded stays, and need not be looked through again
        if collects:
            gc.enable()


show_config_errors_plainly()
