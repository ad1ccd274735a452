"""A user who adopts the stacks of an existing root module."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.loopback_aws import LoopbackAws
from support.provider import Provider
from support.terraform import TOKEN, terraform_in

ROOT = Path(__file__).parents[2]
FLEETS = ROOT / "tests" / "e2e" / "fleets"
STACK = "aws_cloudformation_stack."


class Adopter:
    """A user who adopts the stacks of an existing root module."""

    def __init__(self, folder: Path, source: Path, aws: LoopbackAws, provider: Provider) -> None:
        self.main = folder / "main.py"
        self._aws = aws
        self._provider = provider
        self.tf = terraform_in(folder / "terraform", source, aws, provider)
        self.tf.apply()

    def show(self, *, plan: bool) -> Path:
        """Write the JSON of a plan, or else of the state."""
        shown = self.main.with_name("shown.json")
        if plan:
            self.tf.run("plan", "-out=tfplan")
        shown.write_text(self.tf.run("show", "-json", *(["tfplan"] if plan else [])).stdout)
        return shown

    def adopt(self, shown: Path, *arguments: str) -> str:
        """Write ``main.py``; return the notes."""
        done = run_adopt(shown, "--output", self.main, "--check", *arguments, cwd=self.main.parent)
        assert done.returncode == 0, done.stderr
        assert TOKEN not in self.main.read_text() + done.stderr
        assert self.main.read_text() == formatted(self.main.read_text())
        return done.stderr

    def synthesize(self) -> str:
        """Run ``main.py`` and prepare its output for Terraform; return its warnings."""
        done = run_python(self.main, cwd=self.main.parent)
        self._provider.prepare(self.tf.folder, self._aws.endpoint)
        return done.stderr

    def edit(self, old: str, new: str) -> None:
        """Change the program in one place."""
        text = self.main.read_text()
        assert text.count(old) == 1, text
        self.main.write_text(text.replace(old, new))


def formatted(program: str) -> str:
    """A program as ruff formats it."""
    ruff = [sys.executable, "-m", "ruff", "format", "--isolated", "-"]
    return subprocess.run(ruff, input=program, capture_output=True, text=True, check=True).stdout


def run_python(*arguments: Any, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run Python with this package."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT / "constructs")},
        capture_output=True,
        text=True,
        check=False,
    )
    if check and done.returncode:
        raise AssertionError(done.stderr)
    return done


def run_adopt(*arguments: Any, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run ``adopt``, which can fail."""
    return run_python("-m", "buildkite_agents.adopt", *arguments, cwd=cwd, check=False)


def moves(resource: str, queues: dict[str, str]) -> dict[str, str]:
    """The moves of a resource's instances, by index, to the stacks of queues."""
    return {f"{STACK}{resource}[{key}]": f"{STACK}{queue}" for key, queue in queues.items()}
