"""The code blocks of the documents, so that tests run them."""

import ast
import re
import textwrap
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def code_blocks(document: str, language: str) -> list[str]:
    """The code blocks of *language* in docs/*document*, in order."""
    text = (DOCS / document).read_text()
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", text, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for _, block in found]


def is_program(block: str) -> bool:
    """Whether a Python block is a whole program, and not something to paste into ``main.py``."""
    return any(
        not isinstance(statement, ast.ImportFrom | ast.Expr)
        and not ast.unparse(statement).startswith("QUEUES = ")
        for statement in ast.parse(block).body
    )


def pasted(block: str, program: str) -> str:
    """*program* after a reader has pasted a block that is no program into it.

    Its imports come first, ``AgentQueue(...)`` is the only queue, and the arguments of
    ``AgentStack(app, ..., name=value)`` are added or replaced.
    """
    tree = ast.parse(program)
    (stack,) = (node for node in ast.walk(tree) if _is_call(node, "AgentStack"))
    (queues,) = (node for node in tree.body if ast.unparse(node).startswith("QUEUES = "))
    assert isinstance(stack, ast.Call)
    assert isinstance(queues, ast.Assign)
    for statement in ast.parse(block).body:
        if isinstance(statement, ast.ImportFrom):
            tree.body.insert(tree.body.index(queues), statement)
        elif isinstance(statement, ast.Assign):
            queues.value = statement.value
        elif isinstance(statement, ast.Expr) and _is_call(statement.value, "AgentQueue"):
            queues.value = ast.List([statement.value])
        else:
            assert isinstance(statement, ast.Expr)
            assert isinstance(statement.value, ast.Call), "neither a queue nor arguments"
            assert [*map(ast.unparse, statement.value.args)] == ["app", "..."]
            assert _is_call(statement.value, "AgentStack")
            new = {keyword.arg: keyword for keyword in statement.value.keywords}
            old = [keyword for keyword in stack.keywords if keyword.arg not in new]
            stack.keywords = [*old, *new.values()]
    return ast.unparse(ast.fix_missing_locations(tree))


def _is_call(node: ast.AST, function: str) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == function
