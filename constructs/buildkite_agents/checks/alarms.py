"""Checks of the settings of alarms."""

import re
from collections.abc import Iterator, Mapping

from buildkite_agents import patterns
from buildkite_agents.expressions import is_reference
from buildkite_agents.resolved import ResolvedStack
from buildkite_agents.settings import Alarms

# https://buildkite.com/docs/apis/rest-api#schema: slugs are parts of URLs.
_SLUG = "[a-z0-9]+(?:-[a-z0-9]+)*"
_EMAIL = r"[^@\s,]+@[^@\s,]+\.[^@\s,]+"


def alarm_problems(alarms: Alarms, tags: Mapping[str, str]) -> Iterator[str]:
    """Return the problems of the settings of alarms in a stack with *tags*."""
    organization = alarms.organization
    if not is_reference(organization) and not re.fullmatch(_SLUG, organization):
        yield (
            "alarms.organization must be the organization's slug, as in its URL "
            f"https://buildkite.com/SLUG, got {organization!r}"
        )
    if (alarms.email is None) == (alarms.topic is None):
        yield "alarms: set either email or topic, to say whom the alarms notify"
    email = alarms.email
    if email is not None and not is_reference(email) and not re.fullmatch(_EMAIL, email):
        yield f"alarms.email must be one e-mail address, got {email!r}"
    for arn in _topics(alarms).values():
        if not is_reference(arn) and not re.fullmatch(patterns.arn("sns"), arn):
            yield f"alarms.topic must be an ARN such as arn:aws:sns:..., got {arn!r}"
    if alarms.monthly_budget is not None and alarms.budget_tag not in tags:
        yield (
            f"alarms.budget_tag must be the key of one of the stack's tags "
            f"({', '.join(tags) or 'there are none'}), got {alarms.budget_tag!r}"
        )


def budget_problems(stack: ResolvedStack) -> Iterator[str]:
    """Return the problems of a budget that would not count the costs of a queue."""
    alarms = stack.settings.alarms
    if alarms is None or alarms.monthly_budget is None:
        return
    key, common = alarms.budget_tag, stack.settings.common_tags
    for queue in stack.queues:
        if isinstance(queue.tags, Mapping) and queue.tags.get(key) != common[key]:
            yield (
                f"queue {queue.name!r}: its stack's tags must have {key!r} with the value "
                f"{common[key]!r} for alarms.monthly_budget: add it, or set alarms.budget_tag to a "
                "tag that the AgentStack and all queues have"
            )


def topic_problems(stack: ResolvedStack) -> Iterator[str]:
    """Return the problem of alarms whose provider configuration, and so region, has no topic."""
    alarms = stack.settings.alarms
    if alarms is None or alarms.topic is None:
        return
    topics = _topics(alarms)
    for provider in dict.fromkeys(queue.queue.provider or "aws" for queue in stack.queues):
        if provider not in topics:
            yield (
                f"alarms.topic has none for the provider {provider!r} of a queue: an alarm and its "
                f'topic must be in one region; set topic={{"{provider}": ...}} with the topic '
                "of each provider"
            )


def _topics(alarms: Alarms) -> Mapping[str, str]:
    if alarms.topic is None:
        return {}
    return {"aws": alarms.topic} if isinstance(alarms.topic, str) else alarms.topic
