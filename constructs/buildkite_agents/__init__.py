"""Buildkite agents on AWS: queues defined in Python, synthesized to Terraform JSON by CDKTF."""

from typing import TYPE_CHECKING, Any

from buildkite_agents.errors import ConfigError
from buildkite_agents.queue import AgentQueue
from buildkite_agents.settings import (
    AgentAccess,
    AgentToken,
    Alarms,
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
    "Alarms",
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
    from buildkite_agents.loading import load

    globals()[name] = getattr(load(f"{__name__}.{_CONSTRUCTS[name]}"), name)
    return globals()[name]
