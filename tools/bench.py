"""Time and memory of a synthesis, side by side: ``make bench``.

The floor is an empty CDKTF app: what Python, Node.js and CDKTF cost by themselves. Beside it stand
this program, and this program on the whole prebuilt AWS package, as CDKTF programs commonly are;
then this program with more queues, beside as many of CDKTF's resources that do nothing. Ratios are
the result: the times are this machine's.

A cold run has no bytecode and no jsii cache. The bindings in imports/ are there: set-up makes them.
"""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNS = 3
COUNTS = (3, 30, 300, 1000)

_FLOOR = """
from buildkite_agents.node import use_node
use_node()
import cdktf
app = cdktf.App()
stack = cdktf.TerraformStack(app, "empty")
cdktf.LocalBackend(stack, path="terraform.tfstate")
app.synth()
"""
_PROGRAM = """
import sys
from buildkite_agents import AgentApp, AgentQueue, AgentStack
app = AgentApp()
AgentStack(
    app,
    bootstrap_script=sys.argv[1],
    queues=[AgentQueue("m5.4xlarge", name=f"q{n}") for n in range(int(sys.argv[2]))],
)
app.synth()
"""
_PREBUILT = """
import importlib, sys
from buildkite_agents.node import use_node
use_node()
from imports import AWS_SUBMODULES
for name in AWS_SUBMODULES:
    module = importlib.import_module(f"cdktf_cdktf_provider_aws.{name}")
    sys.modules[f"imports.aws.{name}"] = module
"""
_RESOURCES = """
import sys
from buildkite_agents.node import use_node
use_node()
import cdktf
app = cdktf.App()
stack = cdktf.TerraformStack(app, "resources")
cdktf.LocalBackend(stack, path="terraform.tfstate")
for n in range(int(sys.argv[2])):
    resource = cdktf.TerraformResource(
        stack, f"q{n}", terraform_resource_type="aws_cloudformation_stack"
    )
    resource.override_logical_id(f"r{n}")
app.synth()
"""


@dataclass(frozen=True)
class Measure:
    """What runs of one program took."""

    seconds: float
    """The median."""

    mebibytes: float
    """The peak of all of its processes together, Node.js included."""


def measure(code: str, *, queues: int = 3, cold: bool = False, runs: int = RUNS) -> Measure:
    """Run a program several times, each in a folder of its own."""
    with tempfile.TemporaryDirectory() as warm:

        def run(*, watch_memory: bool = False) -> tuple[float, float]:
            with tempfile.TemporaryDirectory() as folder:
                caches = Path(folder if cold else warm)
                return _run(code, queues, Path(folder), caches, watch_memory=watch_memory)

        # A run of its own, as looking slows it down; for the warm runs it fills the caches too.
        _, mebibytes = run(watch_memory=True)
        return Measure(statistics.median(run()[0] for _ in range(runs)), mebibytes)


def _run(
    code: str, queues: int, folder: Path, caches: Path, *, watch_memory: bool
) -> tuple[float, float]:
    script = str(ROOT / "bootstrap" / "buildkite-bootstrap.sh")
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'constructs'}",
        "PYTHONPYCACHEPREFIX": str(caches / "pycache"),
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(caches / "jsii"),
    }
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", code, script, str(queues)],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    peak = 0.0
    while watch_memory and process.poll() is None:
        peak = max(peak, _memory(process.pid))
        time.sleep(0.01)
    process.wait()
    seconds = time.perf_counter() - started
    if process.returncode != 0:
        sys.exit("error: a program of the benchmark failed")
    return seconds, peak


def _memory(pid: int) -> float:
    """The resident memory of a process and all below it, in MiB; 0 where there is no /proc."""
    try:
        status = Path(f"/proc/{pid}/smaps_rollup").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    own = sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("Pss:"))
    return own / 1024 + sum(_memory(int(child)) for child in children)


def _row(name: str, measured: Measure, floor: Measure) -> str:
    memory = measured.mebibytes / floor.mebibytes if floor.mebibytes else 0
    return (
        f"| {name:34} | {measured.seconds:7.2f} | {measured.seconds / floor.seconds:8.2f} "
        f"| {measured.mebibytes:7.0f} | {memory:8.2f} |"
    )


def main() -> None:
    """Measure, and print the table."""
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    header = "| {:34} | {:>7} | {:>8} | {:>7} | {:>8} |"
    print(header.format("program", "s", "x floor", "MiB", "x floor"))
    print("| --- | ---: | ---: | ---: | ---: |")
    for caches, cold in (("warm", False), ("cold", True)):
        floor = measure(_FLOOR, cold=cold)
        print(_row(f"empty cdktf app, {caches}", floor, floor), flush=True)
        ours = measure(_PROGRAM, cold=cold)
        print(_row(f"this program, {caches}", ours, floor), flush=True)
        whole = measure(_PREBUILT + _PROGRAM, cold=cold)
        print(_row(f"on the prebuilt package, {caches}", whole, floor), flush=True)
        print(
            f"\n{caches}: {whole.seconds / ours.seconds:.1f} times as fast as on it\n", flush=True
        )
    print(header.format("queues", "s", "x empty", "MiB", "x empty"))
    print("| --- | ---: | ---: | ---: | ---: |")
    for count in COUNTS:
        empty = measure(_RESOURCES, queues=count)
        print(_row(str(count), measure(_PROGRAM, queues=count), empty), flush=True)


if __name__ == "__main__":
    main()
