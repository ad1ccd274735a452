"""CloudWatch's evaluation of an alarm on a metric math expression, as far as the alarms use it.

A series is a list with one value for each period, the newest last; None is a missing value.

* https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
* https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence

Series = Sequence[float | None]

_COMPARISONS: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
}


def evaluate(expression: str, metrics: Mapping[str, Series]) -> Series:
    """The series of an expression with IF, FILL, comparisons and AND."""
    # Their notation is Python's, except for the operators AND and OR.
    parsed = ast.parse(expression.replace(" AND ", " and "), mode="eval").body
    (length,) = {len(series) for series in metrics.values()}
    return [
        _value(parsed, {name: series[i] for name, series in metrics.items()}) for i in range(length)
    ]


def _value(node: ast.expr, values: Mapping[str, float | None]) -> float | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        return _both(*(_value(each, values) for each in node.values))
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        return _compared(node, values)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        arguments = [_value(each, values) for each in node.args]
        if node.func.id == "FILL":
            value, filling = arguments
            return filling if value is None else value
        if node.func.id == "IF":
            condition, true_value, false_value = arguments
            # A missing condition drops the value.
            return None if condition is None else true_value if condition else false_value
    raise NotImplementedError(ast.unparse(node))


def _compared(node: ast.Compare, values: Mapping[str, float | None]) -> float | None:
    left, right = _value(node.left, values), _value(node.comparators[0], values)
    if left is None and right is None:
        return None
    of_two_series = isinstance(node.left, ast.Name) and isinstance(node.comparators[0], ast.Name)
    if not of_two_series and (left is None or right is None):
        return None
    # Of two series, a missing value counts as 0 where the other series has one.
    return float(_COMPARISONS[type(node.ops[0])](left or 0, right or 0))


def _both(left: float | None, right: float | None) -> float | None:
    # The same applies to logical operators.
    return None if left is None and right is None else float(bool(left) and bool(right))


def state(values: Series, *, periods: int, missing: str, before: str = "OK", extra: int = 2) -> str:
    """The state of an alarm that is raised where all of its *periods* are 1 or more.

    CloudWatch retrieves *extra* older values, an unpublished number, which it uses in place of
    missing ones. Only where there are too few of these does its treatment of *missing* data count.
    """
    retrieved = [value for value in values[-periods - extra :] if value is not None]
    if len(retrieved) >= periods:
        return "ALARM" if all(value >= 1 for value in retrieved[-periods:]) else "OK"
    # Real values are all included in the evaluation.
    if any(value < 1 for value in retrieved):
        return "OK"
    return {"ignore": before, "breaching": "ALARM"}[missing]
