"""Renew what no lock file has: the history of the stack, and the bootstrap script's pins.

    python tools/renew.py > report.md

It changes the files of the checkout, and prints a report in Markdown for the pull request. The exit
status is 1 where something needs a person: a publisher did not answer, or what was published before
has changed.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CATALOGUE = ROOT / "tools" / "catalogue.py"
PINS = ROOT / "tools" / "pins.py"
SCRIPT = ROOT / "bootstrap" / "buildkite-bootstrap.sh"
GOLDEN = ROOT / "tests" / "golden"


def run(title: str, command: Sequence[str | Path], folder: Path = ROOT) -> bool:
    """Run a command, and print its output under a title. Returns whether it succeeded."""
    done = subprocess.run(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(f"## {title}\n\n```text\n{done.stdout.strip()}\n```\n", flush=True)
    return done.returncode == 0


def main() -> int:
    """Run the command line, and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base-url", help="where the templates are published")
    parser.add_argument("--conda-url", help="Anaconda's index of installers")
    parser.add_argument("--pypi-url", help="PyPI's JSON of CMake")
    given = parser.parse_args()

    def options(*names: str) -> list[str]:
        values = {name: getattr(given, name.replace("-", "_")) for name in names}
        return [f"--{name}={value}" for name, value in values.items() if value is not None]

    of_stack: list[str | Path] = [sys.executable, CATALOGUE, *options("base-url")]
    of_script: list[str | Path] = [
        sys.executable,
        PINS,
        "--write",
        *options("conda-url", "pypi-url"),
    ]
    before = SCRIPT.read_bytes()
    done = [
        run("The newest release of the Elastic CI Stack", [*of_stack, "latest"]),
        run("All its published templates", [*of_stack, "--verify"]),
        run("The bootstrap script's pins", of_script),
    ]
    if SCRIPT.read_bytes() != before:
        # These folders have a copy of the script.
        shutil.rmtree(GOLDEN / "terraform")
        done += [
            run("The golden folder", [sys.executable, "main.py"], GOLDEN),
            run("The folder terraform/", [sys.executable, "main.py"], ROOT),
        ]
        for folder in (GOLDEN, ROOT):
            shutil.rmtree(folder / "cdktf.out", ignore_errors=True)
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())
