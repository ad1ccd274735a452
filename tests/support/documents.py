"""The code blocks of the documents, so that tests run them."""

import re
import textwrap
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def code_blocks(document: str, language: str) -> list[str]:
    """The code blocks of *language* in docs/*document*, in order."""
    text = (DOCS / document).read_text()
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", text, re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for _, block in found]
