"""Throw-away instances, and the script that they run."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bootstrap.instance import Instance, NamespacesRefusedError


@pytest.fixture
def boot(tmp_path: Path) -> Iterator[Callable[..., Instance]]:
    """Make instances; where the machine refuses, say so, and in CI fail."""
    made: list[Instance] = []

    def make(architecture: str = "x86_64") -> Instance:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        try:
            made.append(Instance(folder, architecture=architecture))
        except NamespacesRefusedError as refused:
            message = f"THE BOOTSTRAP SCRIPT IS NOT TESTED: no throw-away instance here: {refused}"
            if os.environ.get("CI"):
                pytest.fail(message)
            pytest.skip(message)
        return made[-1]

    yield make
    for instance in made:
        instance.close()


@pytest.fixture
def script(bootstrap_script: Path) -> str:
    return bootstrap_script.read_text()
