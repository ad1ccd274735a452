"""Checks of the settings and of the values computed from them, reported together."""

from collections.abc import Mapping, Sequence
from typing import Any

from buildkite_agents import elastic_ci_stack
from buildkite_agents.checks import (  # noqa: F401 # which add their rules and warnings
    deployment_rules,
    deployment_warnings,
    version_rules,
    version_warnings,
)
from buildkite_agents.checks.alarms import queue_alarm_problems
from buildkite_agents.checks.images import image_problems
from buildkite_agents.checks.names import duplicate_problems, isolation_problems
from buildkite_agents.checks.parameters import parameter_problems
from buildkite_agents.checks.queue import queue_problems
from buildkite_agents.checks.settings import setting_problems
from buildkite_agents.checks.types import field_problems
from buildkite_agents.errors import ConfigError, Problem, shown
from buildkite_agents.queue import AgentQueue
from buildkite_agents.resolve import resolve
from buildkite_agents.resolved import ResolvedStack
from buildkite_agents.settings import StackSettings


def checked(settings: StackSettings, queues: Any) -> ResolvedStack:
    """Compute what the stacks of *queues* get, and check it.

    Raises:
        ConfigError: there are problems; the error lists all of them.
    """
    problems: list[str] = [*field_problems(settings)]
    types_are_right = not problems
    if types_are_right:
        problems += setting_problems(settings)
    settings_are_right = not problems
    problems += _list_problems(queues)
    sound = []
    for queue in queues if not _list_problems(queues) else ():
        is_deployed = types_are_right and settings.template_defaults
        found = [
            Problem(each, where=f"queue {shown(queue.name)}")
            for each in queue_problems(queue, is_deployed=is_deployed)
        ]
        problems += found
        if not found:
            sound.append((queue, elastic_ci_stack.load(queue.stack_version)))
    if not types_are_right:
        raise ConfigError(*problems)
    stack = resolve(settings, sound)
    for resolved in stack.queues:
        problems += parameter_problems(resolved, stack, only_explicit=not settings_are_right)
    problems = problems or [
        *duplicate_problems(stack),
        *isolation_problems(stack),
        *image_problems(stack),
        *queue_alarm_problems(stack),
    ]
    if problems:
        raise ConfigError(*dict.fromkeys(problems))
    return stack


def _list_problems(queues: Any) -> list[str]:
    if isinstance(queues, AgentQueue):
        return ["queues must be a list: put the AgentQueue in brackets"]
    if isinstance(queues, Mapping):
        return ["queues must be a list: give the mapping's values, [*queues.values()]"]
    if isinstance(queues, str) or not isinstance(queues, Sequence):
        return [f"queues must be a list of AgentQueue values, got {shown(queues)}"]
    if not queues:
        return ["queues must not be empty"]
    return [_queue_problem(each) for each in queues if not isinstance(each, AgentQueue)]


def _queue_problem(value: Any) -> str:
    if isinstance(value, list | tuple) and any(isinstance(each, AgentQueue) for each in value):
        return "queues must be one list of AgentQueue values: remove the inner brackets"
    return f"queues must be AgentQueue values, got {shown(value)}"
