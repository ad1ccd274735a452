"""The summary of a synthesis, as a table."""

from collections.abc import Mapping, Sequence

from buildkite_agents.alarms import summary_lines
from buildkite_agents.resolved import ResolvedStack

_HEADER = ("QUEUE", "ARCH", "INSTANCE TYPES", "SIZE", "ON DEMAND", "STACK", "WARNINGS")


def summary(
    stack: ResolvedStack,
    heading: str,
    warnings: Mapping[str, Sequence[str]],
    *,
    terminal: bool,
) -> str:
    """Format a line for each queue, with its count of *warnings*; bold headers on a *terminal*.

    The first line is the *heading*. Further lines name the alarms, if there are any.
    """
    rows = [
        (
            queue.name,
            queue.queue.architecture,
            ",".join(queue.instance_types) or queue.shown("InstanceTypes"),
            f"{queue.shown('MinSize')}-{queue.shown('MaxSize')}",
            f"{queue.shown('OnDemandPercentage')} %",
            queue.version.version if queue.is_of_its_version else "own",
            str(len(warnings[queue.key]) or "-"),
        )
        for queue in stack.queues
    ]
    widths = [max(map(len, column)) for column in zip(_HEADER, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = (f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True))
        return "  ".join(padded).rstrip()

    header = line(_HEADER)
    if terminal:
        header = f"\033[1m{header}\033[0m"
    return "\n".join([heading, header, *map(line, rows), *summary_lines(stack)])


def grouped(stack: ResolvedStack, warnings: Mapping[str, Sequence[str]]) -> list[str]:
    """The warnings, each once, with the names of the queues that it is about."""
    queues: dict[str, list[str]] = {}
    for queue in stack.queues:
        where = f"queue {queue.name!r}: "
        for warning in warnings[queue.key]:
            queues.setdefault(warning.removeprefix(where), []).append(queue.name)
    return [
        f"queue{'s' if len(names) > 1 else ''} {', '.join(map(repr, dict.fromkeys(names)))}: {text}"
        for text, names in queues.items()
    ]
