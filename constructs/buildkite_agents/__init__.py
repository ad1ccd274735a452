"""Buildkite agents on AWS: queues defined in Python, synthesized to Terraform JSON by CDKTF."""

import sys
from typing import TYPE_CHECKING, Any

from buildkite_agents.errors import ConfigError

if sys.version_info < (3, 11):  # noqa: UP036 # pip checks this, and nothing does in a checkout
    raise ConfigError(
        "Python 3.11 or newer is required, and {} is Python {}.{}: run `make synth PYTHON=...` "
        "with a newer one".format(sys.executable, *sys.version_info[:2])
    )

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
    from buildkite_agents.resources.agent_policy import AgentPolicy
    from buildkite_agents.resources.agent_token import TokenParameter
    from buildkite_agents.resources.queue_stack import QueueStack
    from buildkite_agents.resources.secrets_bucket import Bucket
    from buildkite_agents.stack import AgentStack

__all__ = [
    "AgentAccess",
    "AgentApp",
    "AgentPolicy",
    "AgentQueue",
    "AgentStack",
    "AgentToken",
    "Alarms",
    "Bucket",
    "ConfigError",
    "Deployment",
    "Existing",
    "Network",
    "QueueStack",
    "S3Backend",
    "SecretsBucket",
    "TokenParameter",
]

# Loaded on first use: they start jsii's Node.js process, which takes half a second.
_CONSTRUCTS = {
    "AgentApp": "app",
    "AgentStack": "stack",
    # For annotations: the properties of an AgentStack return them, and programs construct none.
    "AgentPolicy": "resources.agent_policy",
    "Bucket": "resources.secrets_bucket",
    "QueueStack": "resources.queue_stack",
    "TokenParameter": "resources.agent_token",
}


def __getattr__(name: str) -> Any:
    if name not in _CONSTRUCTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from buildkite_agents.loading import load

    globals()[name] = getattr(load(f"{__name__}.{_CONSTRUCTS[name]}"), name)
    return globals()[name]
