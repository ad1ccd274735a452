"""What a deployment's queues get, and its problems, without constructs."""

from typing import Any

from buildkite_agents import AgentQueue, ConfigError, elastic_ci_stack
from buildkite_agents.checks import checked
from buildkite_agents.checks.parameters import value_problems
from buildkite_agents.elastic_ci_stack import StackVersion
from buildkite_agents.resolve import resolve
from buildkite_agents.resolved import ResolvedQueue
from buildkite_agents.settings import StackSettings

QUEUE = AgentQueue("m5.large", name="q")


def problems_with(queues: Any = (QUEUE,), **settings: Any) -> list[str]:
    """The problems of an AgentStack's arguments."""
    try:
        checked(StackSettings(**{"project": "conbench", **settings}), queues)
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


def problems_of(*queues: AgentQueue, **settings: Any) -> list[str]:
    """The problems of queues, with the default settings."""
    return problems_with(queues, **settings)


def resolved(queue: AgentQueue, **settings: Any) -> ResolvedQueue:
    """What a queue's stack gets, unchecked."""
    version = elastic_ci_stack.load(queue.stack_version)
    stack = resolve(StackSettings(**{"project": "conbench", **settings}), [(queue, version)])
    return stack.queues[0]


def problems_of_value(name: str, value: Any, version: StackVersion) -> list[str]:
    """The problems of a parameter's value."""
    return [*value_problems(f"parameters[{name!r}]", name, value, version)]
