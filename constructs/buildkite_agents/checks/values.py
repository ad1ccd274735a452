"""The values of a stack's parameters, as far as they are known at synthesis."""

import re
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from buildkite_agents.elastic_ci_stack import StackVersion
from buildkite_agents.queue import ParameterValue

# CDKTF encodes references as numbers below this one.
_LEAST_NUMBER = -1e290


def is_reference(value: Any) -> bool:
    """Whether only Terraform knows a value: a reference, or a CDKTF token."""
    if isinstance(value, str):
        return "${" in value
    return isinstance(value, float) and value < _LEAST_NUMBER


def may_be_null(value: Any) -> bool:
    """Whether a value is a reference that can be null."""
    return isinstance(value, str) and value.startswith("${try(coalesce(")


def number(value: Any) -> float | None:
    """Parse a number as CloudFormation does: digits, optionally with a sign and a decimal point."""
    if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", str(value)):
        return float(value)
    return None


def is_json(value: Any) -> bool:
    """Whether a value can be represented in JSON."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and is_json(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(is_json, value))
    return isinstance(value, str | bool | int)


def tag_problems(where: str, tags: Mapping[Any, Any]) -> Iterator[str]:
    """Return the problems of tags, whose names and values are strings in AWS and Terraform.

    https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
    """
    for key, value in tags.items():
        if not isinstance(key, str) or not isinstance(value, str):
            yield f"{where} must be names and values that are strings, got {key!r}: {value!r}"
        elif not 0 < len(key) <= 128 or key.lower().startswith("aws:"):
            yield f"{where}: names must be 1 to 128 characters and not aws:..., got {key!r}"
        elif len(value) > 256 and not is_reference(value):
            yield f"{where}: the value of {key!r} must be at most 256 characters, got {len(value)}"


class Values:
    """A stack's parameter values, the template's defaults included, as far as they are known."""

    def __init__(
        self,
        merged: Mapping[str, ParameterValue],
        version: StackVersion,
        *,
        own: Collection[str] = (),
        accepted_risks: Collection[str] = (),
        permitted: Collection[str] | None = None,
        script_needs_dnf: bool = False,
        versions_of_image: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        """Combine a stack's parameters with the template's defaults.

        Args:
            merged: The parameters, with this program's defaults.
            version: The template.
            own: The names of the parameters that the user's mappings set.
            accepted_risks: The names of the warnings that the queue accepts.
            permitted: The actions that the instances' role permits in addition to the
                template's, or None if unknown.
            script_needs_dnf: Whether the bootstrap script runs on Amazon Linux only.
            versions_of_image: The versions of all stacks that use an image, keyed by image.
        """
        self._merged = merged
        self._own = own
        self._specs = version.parameters
        self._accepted_risks = accepted_risks
        self._permitted = permitted
        self._versions_of_image = versions_of_image or {}
        self.version = version.version
        self.script_needs_dnf = script_needs_dnf

    def versions_of_its_image(self) -> Collection[str]:
        """The versions of all stacks that use this stack's image."""
        return self._versions_of_image.get(self.text("ImageId") or "", ())

    def accepts(self, risk: str) -> bool:
        """Whether the queue accepts a warning."""
        return risk in self._accepted_risks

    def may(self, action: str) -> bool | None:
        """Whether the instances' role permits an action; None if its policies are unknown."""
        if self._permitted is None:
            return None
        return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in self._permitted)

    def is_own(self, name: str) -> bool:
        """Whether the user's own mappings set the parameter."""
        return name in self._own and self.is_given(name)

    def raw(self, name: str) -> ParameterValue:
        """The value of a parameter, which can be a reference."""
        return self._merged.get(name)

    def text(self, name: str) -> str | None:
        """The value as a string; None if it is unknown or the version has no such parameter."""
        value = self._merged.get(name)
        if value is None:
            value = self._specs.get(name, {}).get("Default")
        if value is None or is_reference(value):
            return None
        return str(value).lower() if isinstance(value, bool) else str(value)

    def is_given(self, name: str) -> bool:
        """Whether the stack has the parameter, or could have it, depending on a reference."""
        return self._merged.get(name) not in {None, ""}

    def is_certain(self, name: str) -> bool:
        """Whether the stack has the parameter regardless of Terraform's variables."""
        return self.is_given(name) and not may_be_null(self._merged[name])

    def number(self, name: str) -> float | None:
        """The value as a number, or None if it is unknown."""
        text = self.text(name)
        return None if text is None else number(text)
