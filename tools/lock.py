"""Update Pipfile.lock to the newest versions that the Pipfile admits: ``make lock``.

Run it with the oldest supported Python, because pipenv omits packages that a Python does not need.
The lock names no package index, so that each machine's default index is used.
"""

import json
import subprocess
import sys
from pathlib import Path

OLDEST_PYTHON = (3, 10)
ROOT = Path(__file__).resolve().parents[1]


def main(pipenv: str) -> None:
    """Lock with *pipenv*."""
    if sys.version_info[:2] != OLDEST_PYTHON:
        sys.exit("error: lock with Python 3.10, the oldest supported: make lock PYTHON=python3.10")
    subprocess.run([pipenv, "--python", sys.executable, "lock"], cwd=ROOT, check=True)
    lock = ROOT / "Pipfile.lock"
    content = json.loads(lock.read_text())
    content["_meta"]["sources"] = []
    lock.write_text(json.dumps(content, indent=4, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
