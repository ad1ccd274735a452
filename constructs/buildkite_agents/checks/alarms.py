"""Checks of the settings of alarms."""

import re
from collections.abc import Iterator, Mapping

from buildkite_agents import patterns
from buildkite_agents.expressions import is_reference
from buildkite_agents.resolved import ResolvedStack
from buildkite_agents.settings import Alarms

# https://buildkite.com/docs/apis/rest-api#schema: slugs are parts of URLs.
_SLUG = "[a-z0-9]+(?:-[a-z0-9]+)*"
_TOPIC = patterns.arn("sns", r"[\w-]{1,256}")
_EMAIL = r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\"]+"


def alarm_problems(alarms: Alarms, tags: Mapping[str, str]) -> Iterator[str]:
    """Return the problems of the settings of alarms in a stack with *tags*."""
    organization = alarms.organization
    if patterns.SECRET.search(organization):
        yield "alarms.organization must be the organization's slug, and not a token"
    elif not is_reference(organization) and not re.fullmatch(_SLUG, organization):
        yield (
            "alarms.organization must be the organization's slug, as in its URL "
            f"https://buildkite.com/SLUG, got {organization!a}"
        )
    if (alarms.email is None) == (alarms.topic is None):
        yield "alarms: set either email or topic, to say whom the alarms notify"
    email = alarms.email
    if email is not None and not is_reference(email) and not re.fullmatch(_EMAIL, email):
        yield f"alarms.email must be one e-mail address, got {email!a}"
    for arn in _topics(alarms).values():
        if not is_reference(arn) and not re.fullmatch(_TOPIC, arn):
            yield f"alarms.topic must be an ARN such as arn:aws:sns:..., got {arn!a}"
    if alarms.monthly_budget is not None and alarms.budget_tag not in tags:
        yield (
            f"alarms.budget_tag must be the key of one of the stack's tags "
            f"({', '.join(tags) or 'there are none'}), got {alarms.budget_tag!a}"
        )


def queue_alarm_problems(stack: ResolvedStack) -> Iterator[str]:
    """Return the problems of alarms with the provider configurations and tags of queues."""
    alarms = stack.settings.alarms
    if alarms is None:
        return
    if alarms.monthly_budget is not None:
        yield from _uncounted(stack, alarms.budget_tag)
    if alarms.topic is not None:
        yield from _provider_problems(stack, _topics(alarms))


def _uncounted(stack: ResolvedStack, key: str) -> Iterator[str]:
    """The stacks whose costs the budget does not count, because they lack its tag."""
    settings = stack.settings
    value = settings.common_tags[key]
    for queue in stack.queues:
        # The default tags of a provider block that this program does not write are unknown.
        is_ours = queue.queue.provider is None and not settings.deployment.inside_root_module
        own = queue.tags if isinstance(queue.tags, Mapping) else {key: value}
        tags = {**(settings.default_tags if is_ours else {}), **own}
        found = tags.get(key)
        if found != value and not any(map(is_reference, (found, value))):
            yield (
                f"alarms.monthly_budget counts what has the tag {key} = {value!a}, and the stack "
                f"of queue {queue.name!a} does not have it: add it to the queue's tags, or set "
                "budget_tag to another tag"
            )


def _provider_problems(stack: ResolvedStack, topics: Mapping[str, str]) -> Iterator[str]:
    providers = [*dict.fromkeys(queue.queue.provider or "aws" for queue in stack.queues)]
    for provider in topics:
        if provider not in providers:
            yield (
                f"alarms.topic has one for {provider!a}, which is not the provider of any queue "
                f"({', '.join(providers)}): remove or correct it"
            )
    for provider in providers:
        if provider not in topics:
            yield (
                f"alarms.topic has none for the provider {provider!a} of a queue: an alarm and its "
                f'topic must be in one region; set topic={{"{provider}": ...}} with the topic '
                "of each provider"
            )


def _topics(alarms: Alarms) -> Mapping[str, str]:
    if alarms.topic is None:
        return {}
    return {"aws": alarms.topic} if isinstance(alarms.topic, str) else alarms.topic
