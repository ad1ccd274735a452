"""Checks of the queues' machine images."""

from collections import defaultdict
from collections.abc import Iterator

from buildkite_agents.expressions import NullIfEmpty
from buildkite_agents.resolved import ResolvedStack


def image_problems(stack: ResolvedStack) -> Iterator[str]:
    """Return the problems of images that queues of both architectures have."""
    users: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for queue in stack.queues:
        for name in ("ImageId", "ImageIdParameter"):
            value = queue.value(name)
            if isinstance(value, str) and value and not isinstance(value, NullIfEmpty):
                users[name, value].setdefault(queue.queue.architecture, queue.name)
    for (name, value), by_architecture in users.items():
        if len(by_architecture) > 1:
            queues = " and ".join(
                f"the {architecture} queue {queue!a}"
                for architecture, queue in sorted(by_architecture.items())
            )
            yield (
                f"parameters[{name!a}]: an image is of one architecture, and {value!a} is that of "
                f"{queues}: set one for each architecture"
            )
