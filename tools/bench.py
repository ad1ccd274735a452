"""Time and memory of a synthesis, side by side: ``make bench``.

It compares an empty CDKTF app (the floor: the cost of Python, Node.js and CDKTF), this program, and
this program with the whole prebuilt AWS package, which most CDKTF programs use; and this program
with more queues and CDKTF apps with as many plain resources. The results are ratios, because times
depend on the machine. A cold run has no bytecode and no jsii cache.
"""

import importlib
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from buildkite_agents.loading import node_environment

ROOT = Path(__file__).resolve().parents[1]
QUICK_RUNS = 15
SLOW_RUNS = 3
RESOURCES = """
import sys, cdktf
app = cdktf.App()
stack = cdktf.TerraformStack(app, "resources")
cdktf.LocalBackend(stack, path="terraform.tfstate")
for n in range(int(sys.argv[2])):
    cdktf.TerraformResource(stack, f"q{n}", terraform_resource_type="aws_cloudformation_stack")
app.synth()
"""
EMPTY = RESOURCES.replace("int(sys.argv[2])", "0")
PROGRAM = """
import sys
from buildkite_agents import AgentApp, AgentQueue, AgentStack, SecretsBucket
app = AgentApp()
queues = [AgentQueue("m5.4xlarge", name=f"q{n}") for n in range(int(sys.argv[2]))]
# A bucket's policy has room to isolate some fifty queues.
bucket = SecretsBucket(isolate_queues=False)
arguments = {"bootstrap_script": sys.argv[1], "secrets_bucket": bucket, "queues": queues}
AgentStack(app, project="conbench", **arguments)
app.synth()
"""
PREBUILT = f"""
import importlib, sys
from buildkite_agents.bindings import AWS_SUBMODULES
for name in AWS_SUBMODULES:
    module = importlib.import_module(f"cdktf_cdktf_provider_aws.{{name}}")
    sys.modules[f"buildkite_agents.aws.{{name}}"] = module
{PROGRAM}"""


class Measure(NamedTuple):
    """The median duration of a program, and the peak memory of all of its processes, in MiB."""

    seconds: float
    mebibytes: float


def measure(
    programs: Mapping[str, str], *, runs: int, queues: int = 3, cold: bool = False
) -> dict[str, Measure]:
    """Run the programs alternately, so that other load on the machine affects all of them."""
    times: dict[str, list[float]] = {name: [] for name in programs}
    memory: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as warm:
        # The first round fills the caches, and the second watches memory, which takes time.
        for number in range(-2, runs):
            for name, code in programs.items():
                with tempfile.TemporaryDirectory() as folder:
                    caches = folder if cold else warm
                    seconds, peak = _run(code, queues, folder, caches, watch=number == -1)
                memory[name] = max(memory.get(name, 0.0), peak)
                if number >= 0:
                    times[name].append(seconds)
    return {name: Measure(statistics.median(times[name]), memory[name]) for name in programs}


def _run(code: str, queues: int, folder: str, caches: str, *, watch: bool) -> tuple[float, float]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "constructs"),
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": f"{caches}/pycache",
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": f"{caches}/jsii",
    }
    script = str(ROOT / "bootstrap" / "buildkite-bootstrap.sh")
    command = [sys.executable, "-c", code, script, str(queues)]
    peak, null = 0.0, subprocess.DEVNULL
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=null, stderr=null)
    while watch and process.poll() is None:
        peak = max(peak, _memory(process.pid))
        time.sleep(0.01)
    if process.wait() != 0:
        sys.exit("error: a program of the benchmark failed")
    return time.perf_counter() - started, peak


def _memory(pid: int) -> float:
    """The resident memory of a process and its descendants, in MiB; 0 without /proc."""
    try:
        status = Path(f"/proc/{pid}/smaps_rollup").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    own = sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("Pss:"))
    return own / 1024 + sum(_memory(int(child)) for child in children)


def _print_table(measured: Mapping[str, Measure]) -> None:
    """Print a table with the ratios to the first program."""
    floor = next(iter(measured.values()))
    print("\n| program                |       s |  x first |     MiB |  x first |")
    print("| ---------------------- | ------: | -------: | ------: | -------: |")
    for name, each in measured.items():
        seconds, memory = each.seconds / floor.seconds, each.mebibytes / (floor.mebibytes or 1)
        values = f"{each.seconds:7.2f} | {seconds:8.2f} | {each.mebibytes:7.0f} | {memory:8.2f}"
        print(f"| {name:22} | {values} |", flush=True)


if __name__ == "__main__":
    os.environ.update(node_environment())  # the same one for all
    importlib.import_module("buildkite_agents.aws")  # creates the bindings
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for caches, runs in (("warm", QUICK_RUNS), ("cold", SLOW_RUNS)):
        cold = caches == "cold"
        quick = measure(
            {f"empty, {caches}": EMPTY, f"ours, {caches}": PROGRAM}, runs=runs, cold=cold
        )
        slow = measure({f"prebuilt, {caches}": PREBUILT}, runs=SLOW_RUNS, cold=cold)
        _print_table({**quick, **slow})
    for count in (3, 30, 300, 1000):
        programs = {f"{count} resources": RESOURCES, f"{count} queues": PROGRAM}
        _print_table(measure(programs, runs=SLOW_RUNS, queues=count))
