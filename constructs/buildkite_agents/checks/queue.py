"""Checks of a queue's fields, apart from its parameters."""

import re
from collections.abc import Iterator, Mapping

from buildkite_agents import elastic_ci_stack, patterns
from buildkite_agents.checks.tags import tag_problems
from buildkite_agents.checks.types import field_problems, shown
from buildkite_agents.checks.warnings import WARNINGS
from buildkite_agents.elastic_ci_stack import instance_types
from buildkite_agents.expressions import is_reference, is_whole_reference
from buildkite_agents.queue import AgentQueue

# Buildkite's pattern for a queue's key.
# https://buildkite.com/docs/agent/queues
_QUEUE_NAME = "[A-Za-z0-9][A-Za-z0-9_.-]{0,254}"
_PROVIDER = rf"aws(\.{patterns.TERRAFORM_IDENTIFIER})?"
_MOVED_FROM = (
    rf"(module\.{patterns.TERRAFORM_IDENTIFIER}(\[[^\]]+\])?\.)*aws_cloudformation_stack\."
    rf'{patterns.TERRAFORM_IDENTIFIER}(\[("[^"]+"|[0-9]+)\])?'
)
_ARGUMENT = r'[a-z_]+(\["[^"]+"\]|\.[\w-]+)?'
# The pattern of EC2 instance types other than Macs.
_NEW_TYPE = (
    r"(?!mac)[a-z]{1,5}[0-9]+[a-z0-9-]*\.([0-9]*(nano|micro|small|medium|x?large)|metal[a-z0-9-]*)"
)


def queue_problems(queue: AgentQueue, *, is_deployed: bool = False) -> list[str]:
    """Return the problems of a queue's fields; AWS has accepted the tags of a deployed one."""
    return [*field_problems(queue)] or [
        *_name_problems(queue),
        *_address_problems(queue),
        *_tags_problems(queue, is_deployed=is_deployed),
        *_instance_type_problems(queue),
        *_accepted_warnings_problems(queue),
        *_version_problems(queue),
        *_template_url_problems(queue),
    ]


def _name_problems(queue: AgentQueue) -> Iterator[str]:
    if not queue.name:
        yield "name is required without an instance type"
    elif not re.fullmatch(_QUEUE_NAME, queue.name):
        yield (
            "name must be letters, digits, hyphens, underscores and dots, starting with a letter "
            f"or digit, at most 255, got {shown('', str(queue.name))}"
        )


def _address_problems(queue: AgentQueue) -> Iterator[str]:
    for field, value, pattern, example in (
        (
            "address",
            queue.address,
            patterns.TERRAFORM_IDENTIFIER,
            "a Terraform identifier, such as gpu_queue",
        ),
        # An empty string means that the stack does not move.
        (
            "moved_from",
            queue.moved_from or None,
            _MOVED_FROM,
            'such as aws_cloudformation_stack.agents["gpu"]',
        ),
        ("provider", queue.provider, _PROVIDER, "aws, or such as aws.us_east_1"),
    ):
        if value is not None and not re.fullmatch(pattern, value):
            yield f"{field} must be {example}, got {value!r}"
    for argument in queue.ignore_changes:
        if not re.fullmatch(_ARGUMENT, argument):
            yield f'ignore_changes must be arguments, such as tags["owner"], got {argument!r}'


def _tags_problems(queue: AgentQueue, *, is_deployed: bool) -> Iterator[str]:
    if isinstance(queue.tags, Mapping):
        yield from tag_problems("tags", queue.tags, of_all=not is_deployed)
    elif queue.tags is not None and not is_whole_reference(queue.tags):
        yield f"tags must be a mapping of names to values, or one reference, got {queue.tags!r}"


def _accepted_warnings_problems(queue: AgentQueue) -> list[str]:
    known = [warning.name for warning in WARNINGS]
    return [
        f"accepted_warnings must be some of {', '.join(known)}, got {name!r}"
        for name in queue.accepted_warnings
        if name not in known
    ]


def _version_problems(queue: AgentQueue) -> Iterator[str]:
    built_from, version = queue.image_stack_version, queue.stack_version
    known = elastic_ci_stack.known_versions()
    if built_from is not None and not elastic_ci_stack.is_usable(built_from):
        yield f"image_stack_version must be a version such as {known[-1]}, got {built_from!r}"
    usable = elastic_ci_stack.is_usable(version)
    if version in known or (usable and queue.allow_unchecked_version):
        return
    yield (
        f"stack_version must be a published version from {known[0]} to {known[-1]}, got {version!r}"
        + (f" (did you mean 'v{version}'?)" if f"v{version}" in known else "")
        + ("; to use it unchecked, set allow_unchecked_version=True" if usable else "")
    )


def _template_url_problems(queue: AgentQueue) -> Iterator[str]:
    url = queue.template_url
    if not url or is_reference(url):
        return
    version = elastic_ci_stack.version_in(url)
    if not url.startswith("https://"):
        yield f"template_url must start with https://, got {url!r}"
    elif version is not None and version != queue.stack_version:
        yield (
            f"template_url is of {version}, and stack_version is {queue.stack_version!r}: change "
            "both together"
        )


def _instance_type_problems(queue: AgentQueue) -> Iterator[str]:
    architectures = (instance_types.AMD64, instance_types.ARM64)
    if queue.architecture not in architectures:
        yield (
            f"architecture must be {' or '.join(map(repr, architectures))}, "
            f"got {queue.architecture!r}"
        )
    elif queue.instance_type is None:
        if queue.more_instance_types:
            yield "more_instance_types requires instance_type"
    elif is_reference(queue.instance_type) and not queue.architecture_is_given:
        yield "architecture is required where instance_type is a reference"
    else:
        first, *more = queue.all_instance_types
        for field, instance_type in (
            ("instance_type", first),
            *(("more_instance_types", each) for each in more),
        ):
            problem = _instance_type_problem(instance_type, queue)
            if problem:
                yield f"{field}: {problem}"


def _instance_type_problem(instance_type: str, queue: AgentQueue) -> str | None:
    if is_reference(instance_type):
        return None
    unknown = instance_types.problem(instance_type)
    if unknown and not (queue.architecture_is_given and re.fullmatch(_NEW_TYPE, instance_type)):
        return f"{unknown}; for a newer one, set architecture"
    architecture = instance_types.architecture(instance_type)
    if architecture != queue.architecture:
        return (
            f"{instance_type!r} is {architecture}, and the queue is {queue.architecture}: "
            "all instance types of a queue share one machine image"
        )
    return None
