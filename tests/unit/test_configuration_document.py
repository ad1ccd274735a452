"""docs/configuration.md."""

import importlib.util
from pathlib import Path


def test_it_is_what_the_docstrings_and_the_catalogue_say(root: Path) -> None:
    spec = importlib.util.spec_from_file_location("document", root / "tools" / "configuration.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.DOCUMENT.read_text() == tool.render(), "run: python tools/configuration.py"
