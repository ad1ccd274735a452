"""Temporary files of CDKTF."""

import os
from pathlib import Path

import cdktf


def test_they_are_in_the_folder_that_a_run_of_the_tests_removes() -> None:
    folder = Path(cdktf.Testing.app().outdir)
    assert folder.parent == Path(os.environ["TMPDIR"])
    assert folder.parent.name.startswith("tests-")
