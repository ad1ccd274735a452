"""The summary of a synthesis, as a table."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from buildkite_agents.queue import AgentQueue

_HEADER = ("QUEUE", "ARCH", "INSTANCE TYPES", "SIZE", "ON DEMAND", "STACK", "WARNINGS")


def summary(
    stack: str,
    folder: Path,
    queues: Sequence[AgentQueue],
    warnings: Mapping[str, int],
    *,
    terminal: bool,
) -> str:
    """Format a line for each queue, with its count of *warnings*; bold headers on a *terminal*."""
    rows = [
        (
            queue.name,
            queue.architecture,
            ",".join(queue.all_instance_types),
            f"{queue.min_size}-{queue.max_size}",
            f"{queue.on_demand_percentage} %",
            queue.stack_version,
            str(warnings.get(queue.name) or "-"),
        )
        for queue in queues
    ]
    widths = [max(map(len, column)) for column in zip(_HEADER, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = (f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True))
        return "  ".join(padded).rstrip()

    header = line(_HEADER)
    if terminal:
        header = f"\033[1m{header}\033[0m"
    return "\n".join([f"{stack} -> {folder}/", header, *map(line, rows)])
