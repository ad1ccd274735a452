"""Checks of tags, by the strictest of the services that get them: IAM, S3, CloudFormation, SSM."""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping

from buildkite_agents.expressions import is_reference, literal_text

_LONGEST_KEY, _LONGEST_VALUE = 128, 256
# 50 for each resource, Name, Queue, ElasticCIStack and ManagedBy included.
_MOST = 46
_OTHER_CHARACTERS = frozenset("_.:/=+-@")


def tag_problems(where: str, tags: Mapping[str, str], *, of_all: bool = True) -> Iterator[str]:
    """Return the problems of tags: by the rules *of_all* services, or those of a stack's only.

    CloudFormation copies a stack's tags to the IAM roles of the template.


    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html (characters; keys regardless of
    case), https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_Tag.html (no empty
    values), https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
    """
    if len(tags) > _MOST:
        yield f"{where} must be at most {_MOST} tags, got {len(tags)}"
    counts = Counter(key.lower() for key in tags)
    for key, value in tags.items():
        if not 0 < len(key) <= _LONGEST_KEY or key.lower().startswith("aws:"):
            yield f"{where}: keys must be 1 to 128 characters and not aws:..., got {key!a}"
        elif of_all and not _is_accepted(key):
            yield f"{where}: the key {key!a} must be letters, digits, spaces and _ . : / = + - @"
        elif of_all and counts[key.lower()] > 1:
            yield f"{where}: keys must differ by more than case, got {key!a}"
        elif of_all and not value:
            yield f"{where}: the value of {key!a} must not be empty"
        elif of_all and not _is_accepted(literal_text(value)):
            yield (
                f"{where}: the value of {key!a} must be letters, digits, spaces and "
                f"_ . : / = + - @, got {value!a}"
            )
        elif len(value) > _LONGEST_VALUE and not is_reference(value):
            yield f"{where}: the value of {key!a} must be at most 256 characters, got {len(value)}"


def _is_accepted(text: str) -> bool:
    return all(
        unicodedata.category(character)[0] in "LNZ" or character in _OTHER_CHARACTERS
        for character in text
    )
