"""The demonstration, from start to stop."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import main


def test_it_deploys_prints_instructions_and_cleans_up(root: Path, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, root / "tools" / "demo.py"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        printed = ""
        for line in demo.stdout:
            printed += line
            if line.startswith("Press Ctrl-C"):
                break
        try:
            output = run_commands_of(printed)
        finally:
            demo.send_signal(signal.SIGINT)
        assert demo.wait(timeout=30) == 0
    readme = (root / "README.md").read_text()
    says = [line for line in printed.splitlines() if line.endswith("...")]
    assert says == re.findall(r"^\w.* \.\.\.$", readme, re.MULTILINE)
    assert 'buildkite_secrets_bucket = "conbench-prod-buildkite-secrets"' in printed
    for seen in (
        f"conbench-prod-buildkite-{main.QUEUES[0].name}\tCREATE_COMPLETE",
        "bootstrap/setup_benchmark_machine.sh",
        '"/buildkite/agent-token"',
        '"conbench-prod-buildkite-agent-policy"',
        "No changes.",
    ):
        assert seen in output
    assert list(tmp_path.iterdir()) == []


def run_commands_of(printed: str) -> str:
    commands = re.findall(r"^  ((?:export|aws|cd) .*)$", printed, re.MULTILINE)
    return subprocess.run(
        ["bash", "-ec", "\n".join(commands)],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_PAGER": ""},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    ).stdout
