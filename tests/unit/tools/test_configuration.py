"""docs/configuration.md."""

import re

from support.tools import load_tool


def test_it_is_what_the_docstrings_and_the_catalogue_say() -> None:
    tool = load_tool("configuration")
    assert tool.DOCUMENT.read_text() == tool.render(), "run: python tools/configuration.py"


def test_each_option_and_variable_has_a_type_a_default_and_a_description() -> None:
    lines = load_tool("configuration").render().splitlines()
    heads = [
        n for n, line in enumerate(lines) if line.endswith("| type | default | what it does |")
    ]
    # The AgentStack, its classes and the variables.
    assert len(heads) >= 11
    for head in heads:
        rows = lines[head + 2 : lines.index("", head)]
        assert rows
        for row in rows:
            name, type_, default, what = re.split(r"(?<!\\) \| ", row.strip("| "))
            assert re.fullmatch(r"`\w+`", name)
            assert re.fullmatch(r"`.+`", type_)
            assert re.fullmatch(r"`.+`|required", default)
            assert what.endswith(".")
