"""The tests that docs/security.md names."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = sorted(
    set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (ROOT / "docs/security.md").read_text()))
)


@pytest.mark.parametrize(("path", "name"), NAMED, ids=["::".join(named) for named in NAMED])
def test_each_test_that_the_document_on_security_names_exists(path: str, name: str) -> None:
    text = (ROOT / path).read_text()
    assert re.search(rf"(?m)^def {name}\(", text) if name else text
