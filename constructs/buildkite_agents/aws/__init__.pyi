"""For type checkers: before the first use creates the submodules, they may contain anything."""

from typing import Any

def __getattr__(name: str) -> Any: ...
