"""The code blocks of the documents, so that tests run what people read."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def code_blocks(document: str, language: str) -> list[str]:
    """The code blocks of *language* in docs/*document*, in their order."""
    text = (DOCS / document).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
