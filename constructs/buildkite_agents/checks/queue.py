"""Checks of a queue's fields, apart from its parameters."""

import re
from collections.abc import Iterator, Mapping

from buildkite_agents import elastic_ci_stack, patterns
from buildkite_agents.checks.tags import tag_problems
from buildkite_agents.checks.types import field_problems
from buildkite_agents.checks.warnings import WARNINGS
from buildkite_agents.elastic_ci_stack import instance_types
from buildkite_agents.errors import did_you_mean, shown
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
_ALSO_CALLED = {
    instance_types.AMD64: ("amd", "x86", "x64", "intel"),
    instance_types.ARM64: ("arm", "aarch", "graviton"),
}
_ARGUMENT = r'[a-z_]+(\["[^"]+"\]|\.[\w-]+)?'
# The pattern of EC2 instance types other than Macs.
_NEW_TYPE = (
    r"(?!mac)[a-z]{1,5}[0-9]+[a-z0-9-]*\.([0-9]*(nano|micro|small|medium|x?large)|metal[a-z0-9-]*)"
)


def queue_problems(queue: AgentQueue, *, is_deployed: bool = False) -> list[str]:
    """Return the problems of a queue's fields; AWS has accepted the tags of a deployed one."""
    problems = [*field_problems(queue)]
    if problems:
        return problems
    types = [*_instance_type_problems(queue)]
    # A name that was not given derives from the instance type, and has its problems.
    names = [] if types and not queue.name_is_given else _name_problems(queue)
    return [
        *names,
        *_address_problems(queue),
        *_tags_problems(queue, is_deployed=is_deployed),
        *types,
        *_accepted_warnings_problems(queue),
        *_version_problems(queue),
        *_template_url_problems(queue),
    ]


def _name_problems(queue: AgentQueue) -> Iterator[str]:
    if not queue.name:
        yield "name is required where instance_type is None or a reference"
    elif not re.fullmatch(_QUEUE_NAME, queue.name):
        yield (
            "name must be letters, digits, hyphens, underscores and dots, starting with a letter "
            f"or digit, at most 255, got {shown(str(queue.name))}"
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
            'the address of a stack, such as aws_cloudformation_stack.agents["gpu"]',
        ),
        ("provider", queue.provider, _PROVIDER, "aws or an alias such as aws.us_east_1"),
    ):
        # CDKTF cannot transfer this name to JavaScript.
        if value is not None and (not re.fullmatch(pattern, value) or value == "__proto__"):
            yield f"{field} must be {example}, got {value!a}"
    for argument in queue.ignore_changes:
        if not re.fullmatch(_ARGUMENT, argument):
            yield f'ignore_changes must be arguments such as tags["owner"], got {argument!a}'


def _tags_problems(queue: AgentQueue, *, is_deployed: bool) -> Iterator[str]:
    if isinstance(queue.tags, Mapping):
        yield from tag_problems("tags", queue.tags, of_all=not is_deployed)
    elif queue.tags is not None and not is_whole_reference(queue.tags):
        yield f"tags must be a mapping of names to values, or one reference, got {queue.tags!a}"


def _accepted_warnings_problems(queue: AgentQueue) -> list[str]:
    known = [warning.name for warning in WARNINGS]
    return [
        f"accepted_warnings: unknown warning {name!a}"
        + (did_you_mean(name, known) or f"; the known ones are {', '.join(known)}")
        for name in queue.accepted_warnings
        if name not in known
    ]


def _version_problems(queue: AgentQueue) -> Iterator[str]:
    built_from, version = queue.image_stack_version, queue.stack_version
    known = elastic_ci_stack.known_versions()
    if built_from is not None and not elastic_ci_stack.is_usable(built_from):
        yield (
            f"image_stack_version must be a version such as {known[-1]}, got {built_from!a}"
            f"{_meant(built_from)}"
        )
    usable = elastic_ci_stack.is_usable(version)
    if version in known or (usable and queue.allow_unchecked_version):
        return
    yield (
        f"stack_version must be a published version from {known[0]} to {known[-1]}, got {version!a}"
        + ("; to use it unchecked, set allow_unchecked_version=True" if usable else _meant(version))
    )


def _meant(version: str) -> str:
    """The newest known version that begins with the numbers of what is not a version."""
    numbers = ".".join(re.findall("[0-9]+", version)[:3])
    meant = [
        known
        for known in elastic_ci_stack.known_versions()
        if version.strip().lower() in {"latest", "newest"} or f"{known}.".startswith(f"v{numbers}.")
    ]
    return f" (did you mean {meant[-1]!r}?)" if meant else ""


def _template_url_problems(queue: AgentQueue) -> Iterator[str]:
    url = queue.template_url
    if not url or is_reference(url):
        return
    version = elastic_ci_stack.version_in(url)
    if not url.startswith("https://"):
        yield f"template_url must start with https://, got {url!a}"
    elif version is not None and version != queue.stack_version:
        yield (
            f"template_url is of {version}, and stack_version is {queue.stack_version!a}: change "
            "both together"
        )


def _instance_type_problems(queue: AgentQueue) -> Iterator[str]:
    architectures = (instance_types.AMD64, instance_types.ARM64)
    if queue.architecture not in architectures:
        given = queue.architecture.lower()
        meant = [each for each, names in _ALSO_CALLED.items() if given.startswith(names)]
        yield (
            f"architecture must be {' or '.join(map(repr, architectures))}, "
            f"got {queue.architecture!a}" + "".join(f" (did you mean {each!r}?)" for each in meant)
        )
    elif queue.instance_type is None:
        if queue.more_instance_types:
            yield "more_instance_types requires instance_type"
    elif is_reference(queue.instance_type) and not queue.architecture_is_given:
        yield "architecture is required where instance_type is a reference"
    else:
        first, *more = queue.all_instance_types
        for repeated in sorted({each for each in more if (first, *more).count(each) > 1}):
            yield f"more_instance_types must be further types, each once, got {repeated!a} again"
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
    if "," in instance_type:
        return f"{instance_type!a} is not one type: list the further ones in more_instance_types"
    unknown = instance_types.problem(instance_type)
    is_new = re.fullmatch(_NEW_TYPE, instance_type) is not None
    if unknown and not (queue.architecture_is_given and is_new):
        return unknown + ("; if EC2 has it, set architecture" if is_new else "")
    architecture = instance_types.architecture(instance_type)
    if architecture != queue.architecture:
        return (
            f"{instance_type!a} is {architecture}, and the queue is {queue.architecture}: "
            "all instance types of a queue share one machine image"
        )
    return None
