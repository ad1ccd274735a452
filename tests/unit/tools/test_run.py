"""What runs the tools: which Python, and how it ends."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


def make(root: Path, target: str, python: Path | str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", target, f"PYTHON={python}"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )


MAKES = r"make(?:\[\d+\])?: .*\n"
"""The line of make itself, which can run in another one."""

TARGETS = (
    "synth",
    "test",
    "adopt",
    "demo",
    "bench",
    "lint",
    "format",
    "setup",
    "lock",
    "successor",
)


@pytest.mark.parametrize("target", TARGETS)
def test_without_python_each_target_says_which_is_required(root: Path, target: str) -> None:
    done = make(root, target, "python3.99")
    assert done.returncode != 0
    assert re.fullmatch(
        rf"error: there is no python3\.99: install Python 3\.11 to 3\.14, .*\n{MAKES}",
        done.stderr,
    )


@pytest.mark.parametrize("version", [(2, 7), (3, 6), (3, 10), (3, 15)])
@pytest.mark.parametrize("target", ["synth", "lock", "successor"])
def test_another_python_is_refused_in_one_line(
    root: Path, target: str, version: tuple[int, int], tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text(
        f"#!{sys.executable} -S\nimport sys\nsys.version_info = {version}\nsys.argv.pop(0)\n"
        "exec(compile(open(sys.argv[0]).read(), sys.argv[0], 'exec'))\n"
    )
    python.chmod(0o755)
    done = make(root, target, python)
    assert done.returncode != 0
    name = ".".join(map(str, version))
    assert re.fullmatch(
        rf"error: Python 3\.11 to 3\.14 is required, and .* is Python {name}: .*\n{MAKES}",
        done.stderr,
    )


def test_ctrl_c_ends_in_one_line(tmp_path: Path, root: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "run.py").write_text((root / "tools" / "run.py").read_text())
    (tools / "slow.py").write_text("import time\nprint('started', flush=True)\ntime.sleep(60)\n")
    with subprocess.Popen(
        [sys.executable, tools / "run.py", "slow"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        # A shell's background process ignores it, and so do the processes that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "started\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode != 0
    assert re.fullmatch(r"error: interrupted: .*\n", errors)
