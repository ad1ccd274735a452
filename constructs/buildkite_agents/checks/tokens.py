"""CDKTF's values for what only Terraform knows, apart from the strings and numbers that fit."""

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any, get_origin

from buildkite_agents.expressions import is_reference

_JOIN = '`cdktf.Fn.join(",", ...)`'
_ITEM = "list's item"
# What to give where a string is possible.
_ADVICE = {
    _ITEM: "give `cdktf.Token.as_string(cdktf.Fn.element(..., 0))`",
    "list": f"join it, as in {_JOIN}",
    "mapping": "give a reference, such as '${var.tags}'",
    "number": "give a variable's `string_value`",
    "value": f"give `cdktf.Token.as_string(...)`, or {_JOIN} of `cdktf.Token.as_list(...)`",
}


def unknown_value(value: Any, kinds: Collection[Any]) -> str | None:
    """What a value that only Terraform knows is, and what to write where it must be of *kinds*.

    Returns None for other values, and for those that can be given as they are. Without *kinds*, no
    reference can be given.
    """
    what = _what(value)
    if Any in kinds and what != _ITEM:
        return None
    if what is None:
        items = value if isinstance(value, list | tuple) else ()
        return next(filter(None, (unknown_value(item, {str}) for item in items)), None)
    if kinds and (
        what == "string"
        or (what == "number" and str in kinds and not {int, float}.isdisjoint(kinds))
    ):
        return None
    if not kinds:
        advice = "no reference is possible here, so write the value itself"
    elif not {str, Any}.isdisjoint(kinds):
        advice = _ADVICE.get(what, "give its `string_value`")
    elif what == "list" and {Sequence, Collection} & {*map(get_origin, kinds)}:
        advice = "give each item as a string"
    else:
        advice = "write the value itself"
    return f"a {what} that only Terraform knows: {advice}"


def _what(value: Any) -> str | None:
    if isinstance(value, str) and "#{TfToken[" in value:
        return _ITEM
    if isinstance(value, list | tuple) and len(value) == 1 and _what(value[0]) == _ITEM:
        return "list"
    if isinstance(value, Mapping) and any("&{TfToken[" in str(key) for key in value):
        return "mapping"
    if is_reference(str(value) if isinstance(value, os.PathLike) else value):
        return "number" if isinstance(value, float) else "string"
    if hasattr(value, "string_value"):
        return type(value).__name__
    # Such as the output of a module, or a variable's `boolean_value`.
    return "value" if type(value).__module__.startswith("jsii.") else None
