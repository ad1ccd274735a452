"""For type checkers: before the first use creates ``imports.aws``, it may contain anything."""

from typing import Any

def __getattr__(name: str) -> Any: ...
