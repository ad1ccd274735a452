"""Checks of tags."""

from collections.abc import Iterator, Mapping

from buildkite_agents.expressions import is_reference


def tag_problems(where: str, tags: Mapping[str, str]) -> Iterator[str]:
    """Return the problems of tags.

    https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
    """
    for key, value in tags.items():
        if not 0 < len(key) <= 128 or key.lower().startswith("aws:"):
            yield f"{where}: names must be 1 to 128 characters and not aws:..., got {key!r}"
        elif len(value) > 256 and not is_reference(value):
            yield f"{where}: the value of {key!r} must be at most 256 characters, got {len(value)}"
