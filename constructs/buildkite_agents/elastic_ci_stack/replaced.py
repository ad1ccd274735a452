"""What takes the place of the parameters, values and experiments that a version removed.

https://buildkite.com/docs/agent/self-hosted/aws/elastic-ci-stack/ec2-linux-and-windows/v6-v7-upgrade-guide
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from buildkite_agents.elastic_ci_stack import is_at_least, load, neighbors

_DATA = Path(__file__).with_name("replaced.json")
_WHOLE = re.compile(r"-?[0-9]{1,9}")
_GRACE, _SIGNAL = "BuildkiteAgentCancelGracePeriod", "BuildkiteAgentSignalGracePeriod"
_SIGNAL_TIMEOUT = "BuildkiteAgentCancelSignalTimeout"
_CLEANUP_TIMEOUT = "BuildkiteAgentCancelCleanupTimeout"


class Replacement(NamedTuple):
    """What to write instead of parameters that a version of the stack does not accept."""

    parameters: tuple[str, ...]
    """The given parameters that it is about."""

    message: str
    """What was removed, since which version, and what to set instead."""


def replacements(parameters: Mapping[str, Any], version: str) -> list[Replacement]:
    """What to write instead of those of a queue's *parameters* that a version does not accept.

    Args:
        parameters: The queue's parameters as given: text, numbers, booleans, None for the
            template's default, or Terraform references, whose values are unknown here.
        version: The version of the stack.

    Returns:
        An entry for each removed parameter, or each group of parameters that are replaced together;
        for each removed value; and for each removed experiment. Nothing is converted: the messages
        have the values to set.
    """
    found: list[Replacement] = []
    for entry in _data():
        given = tuple(name for name in entry["parameters"] if name in parameters)
        if given and is_at_least(version, entry["from"]):
            kept = [name for name in given if _exists(name, entry["from"])]
            what = "" if kept else f"removed in Elastic CI Stack {entry['from']}: "
            found += [
                Replacement(given, what + message)
                for message in _messages(entry, given[0], parameters)
            ]
    return found


def _exists(parameter: str, version: str) -> bool:
    return parameter in load(version).parameters


def _messages(
    entry: Mapping[str, Any], parameter: str, parameters: Mapping[str, Any]
) -> Iterator[str]:
    value = parameters[parameter]
    since = entry["from"]
    if "conversion" in entry:
        yield _CONVERSIONS[entry["conversion"]](entry, parameters)
    elif "items" in entry:
        for item in str(value or "").split(","):
            if item.strip() in entry["items"]:
                yield (
                    f"the experiment {item.strip()!a} was removed in Elastic CI Stack {since}: "
                    f"{entry['items'][item.strip()]}"
                )
    elif _exists(parameter, since):
        if _text(value) in entry["values"]:
            yield (
                f"the value {_text(value)!a} was removed in Elastic CI Stack {since}: "
                f"{entry['values'][_text(value)]}"
            )
    elif value is None:
        yield "leave it out"
    elif _is_reference(value) and "reference" in entry:
        yield entry["reference"]
    else:
        words = entry.get("values", {}).get(_text(value), entry.get("otherwise"))
        # A value that the old version does not accept either.
        words = words or f"{entry.get('reference')}, got {value!a}"
        yield words.replace("{value}", repr(value)).replace("{plain}", _text(value))


def _grace_periods(entry: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
    """Convert the time until a job ends, and the part of it until the job is killed."""
    targets = (_SIGNAL_TIMEOUT, _CLEANUP_TIMEOUT)
    given = [name for name in (_GRACE, _SIGNAL) if name in parameters]
    if all(parameters.get(name) is not None for name in targets):
        return f"leave out {' and '.join(given)}, because {' and '.join(targets)} are set"
    values = {
        name: _last_default(name, entry["from"]) if parameters.get(name) is None else value
        for name, value in ((name, parameters.get(name)) for name in (_GRACE, _SIGNAL))
    }
    problem = _problem_of_grace_periods(values)
    if problem is not None:
        return f"{entry['reference']}{problem}"
    grace, signal = (int(_text(values[name])) for name in (_GRACE, _SIGNAL))
    if signal == -1:
        signal = grace - 1
    words = f"set {_SIGNAL_TIMEOUT}='{signal}s' and {_CLEANUP_TIMEOUT}='{grace - signal}s'"
    if all(parameters[name] is None for name in given):
        return f"leave out {' and '.join(given)}; to keep the former default, {words}"
    return f"{words} instead"


def _problem_of_grace_periods(values: Mapping[str, Any]) -> str | None:
    """Why two values cannot be converted: in words, or an empty string for a reference."""
    if any(map(_is_reference, values.values())):
        return ""
    for name, value in values.items():
        if isinstance(value, bool) or not _WHOLE.fullmatch(_text(value)):
            return f"; {name} is not a whole number of seconds: {value!a}"
    grace, signal = (int(_text(values[name])) for name in (_GRACE, _SIGNAL))
    if grace < 1 or signal < -1:
        return f"; {_GRACE} must have been at least 1, and {_SIGNAL} at least -1"
    if signal > grace:
        return (
            f"; {_SIGNAL}={signal} is greater than {_GRACE}={grace}, so that it is unknown which "
            "of them is meant"
        )
    return None


_CONVERSIONS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], str]] = {
    "grace-periods": _grace_periods
}


def _last_default(parameter: str, since: str) -> Any:
    """The default of a parameter in the newest version that has it, before *since*."""
    before, _ = neighbors(since)
    return load(str(before)).parameters[parameter]["Default"]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def _is_reference(value: Any) -> bool:
    # CDKTF encodes references to numbers as floats below this one.
    return (isinstance(value, str) and "${" in value) or (
        isinstance(value, float) and value < -1e290
    )


@cache
def _data() -> Sequence[Mapping[str, Any]]:
    content: list[dict[str, Any]] = json.loads(_DATA.read_text(encoding="utf-8"))
    return content
