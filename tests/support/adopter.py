"""A user who adopts the stacks of an existing root module."""

import os
import re
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
        assert "nothing was written" not in done.stderr
        assert self.main.read_text() == formatted(self.main.read_text())
        return done.stderr

    def follow(self, said: str) -> None:
        """Edit the root module as the printed steps say, except for variables to declare."""
        files: dict[Path, list[str]] = {}

        def lines(path: str) -> list[str]:
            file = self.main.parent / path
            return files.setdefault(file, file.read_text().split("\n"))

        for step in re.findall(r"^  \d+\. (.*)", said, re.MULTILINE):
            removed = re.match(r"(\S+):(\d+): remove (the (block|output)|this|local|module)", step)
            unused = re.match(r"(\S+): remove (.+), which only the removed blocks used", step)
            replaced = re.match(
                r"(\S+):(\d+): replace (\S+?)(?:, which was of \S+,)? (?:with|by) (?!a var)(.+)",
                step,
            )
            if removed:
                _remove(lines(removed[1]), int(removed[2]) - 1)
            elif replaced:
                path, number, was, now = replaced.groups()
                call = re.fullmatch(r"(module\.\w+)\.(\w+)", was)
                pattern = rf"{call[1]}(\[\w+\])?\.{call[2]}" if call else re.escape(was)
                line = lines(path)[int(number) - 1]
                lines(path)[int(number) - 1] = re.sub(pattern, now.replace("\\", r"\\"), line)
            for file, first in re.findall(r"\(([\w.-]+):(\d+)\)", unused[2] if unused else ""):
                _remove(lines(f"{step.partition(': ')[0]}/{file}"), int(first) - 1)
        for path, text in files.items():
            path.write_text("\n".join(text))

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


def _remove(lines: list[str], first: int) -> None:
    """Empty the lines of a statement."""
    depth = 0
    for number in range(first, len(lines)):
        depth += len(re.findall(r"[\[({]", lines[number]))
        depth -= len(re.findall(r"[\])}]", lines[number]))
        lines[number] = ""
        if depth == 0:
            return


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
