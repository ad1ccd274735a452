"""Update Pipfile.lock to the newest versions that the Pipfile admits: ``make lock``.

Run it with the oldest supported Python, because pipenv omits packages that a Python does not need.
The lock names no package index, so that each machine's default index is used.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

OLDEST_PYTHON = (3, 10)
ROOT = Path(__file__).resolve().parents[1]
# pipenv compares this hash with that of the Pipfile and of the index in pip's configuration. It is
# the hash on a machine without such a configuration.
HASH = "from pipenv.project import Project; print(Project().pipfile.calculate_hash())"


def main(python: str) -> None:
    """Lock with the pipenv of *python*."""
    if sys.version_info[:2] != OLDEST_PYTHON:
        sys.exit("error: lock with Python 3.10, the oldest supported: make lock PYTHON=python3.10")
    with tempfile.TemporaryDirectory() as folder:
        # Otherwise pipenv uses .venv, and recreates it if it has another Python.
        environment = {**os.environ, "PIPENV_VENV_IN_PROJECT": "0", "WORKON_HOME": folder}
        lock_command = [python, "-m", "pipenv", "--python", sys.executable, "lock"]
        subprocess.run(lock_command, cwd=ROOT, env=environment, check=True)
        done = subprocess.run(
            [python, "-c", HASH],
            cwd=ROOT,
            env={"HOME": folder, "PIP_CONFIG_FILE": os.devnull},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    lock = ROOT / "Pipfile.lock"
    content = json.loads(lock.read_text())
    content["_meta"] |= {"sources": [], "hash": {"sha256": done.stdout.strip()}}
    lock.write_text(json.dumps(content, indent=4, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
