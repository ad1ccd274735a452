"""CDKTF's values for what only Terraform knows, apart from the strings and numbers that fit."""

from collections.abc import Collection, Mapping
from typing import Any

from buildkite_agents.expressions import is_reference

_JOIN = '`cdktf.Fn.join(",", ...)`'


def unknown_value(value: Any, kinds: Collection[Any]) -> str | None:
    """What a value that only Terraform knows is, and what to write where it must be of *kinds*.

    Returns None for other values, and for those that can be given as they are.
    """
    if Any in kinds:
        return None
    otherwise = "write the value itself"
    if isinstance(value, list | tuple) and any("#{TfToken[" in str(item) for item in value):
        what, text, otherwise = "list", f"join it, as in {_JOIN}", "give each item as a string"
    elif isinstance(value, Mapping) and any("&{TfToken[" in str(key) for key in value):
        what, text = "mapping", "give a reference, such as '${var.tags}'"
    elif isinstance(value, float) and is_reference(value):
        if str in kinds and not {int, float}.isdisjoint(kinds):
            return None
        what, text = "number", "give a variable's `string_value`"
    elif hasattr(value, "string_value"):
        what, text = type(value).__name__, "give its `string_value`"
    elif type(value).__module__.startswith("jsii."):
        # Such as the output of a module, or a variable's `boolean_value`.
        what = "value"
        text = f"give `cdktf.Token.as_string(...)`, or {_JOIN} of `cdktf.Token.as_list(...)`"
    else:
        return None
    return f"a {what} that only Terraform knows: {text if str in kinds else otherwise}"
