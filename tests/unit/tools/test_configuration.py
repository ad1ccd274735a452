"""docs/configuration.md."""

from support.tools import load_tool


def test_it_is_what_the_docstrings_and_the_catalogue_say() -> None:
    tool = load_tool("configuration")
    assert tool.DOCUMENT.read_text() == tool.render(), "run: python tools/configuration.py"
