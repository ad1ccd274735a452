"""The diagram of a deployment."""

import subprocess
import sys
from pathlib import Path


def test_the_picture_in_the_readme_is_that_of_the_golden_folder(root: Path) -> None:
    golden = root / "tests" / "golden" / "terraform"
    drawn = subprocess.run(
        [sys.executable, root / "tools" / "diagram.py", golden],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert drawn.count("-- runs at boot -->") == 3
    assert f"```mermaid\n{drawn}```\n" in (root / "README.md").read_text()


def test_without_a_synthesized_folder_it_says_what_it_needs(root: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, root / "tools" / "diagram.py", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (
        1,
        "error: name a synthesized folder, such as terraform\n",
    )
