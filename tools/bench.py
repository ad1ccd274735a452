"""Time and memory of a synthesis, side by side: ``make bench``.

It compares an empty CDKTF app (the floor: the cost of Python, Node.js and CDKTF), this program, and
this program with the whole prebuilt AWS package, which most CDKTF programs use; this program with
more queues and CDKTF apps with as many plain resources; an instance's boot with the bootstrap
script's steps in parallel and in sequence; and the set-up. The results are ratios, because times
depend on the machine.

A cold run has no bytecode and no jsii cache. The bindings in imports/ exist: set-up creates them.
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
from dataclasses import dataclass
from pathlib import Path

from buildkite_agents.loading import node_environment

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.checkout import copy_checkout  # noqa: E402

from tools import boot_order, environment  # noqa: E402

QUICK_RUNS = 15
SLOW_RUNS = 3
COUNTS = (3, 30, 300, 1000)

EMPTY = """
import cdktf
app = cdktf.App()
stack = cdktf.TerraformStack(app, "empty")
cdktf.LocalBackend(stack, path="terraform.tfstate")
app.synth()
"""
PROGRAM = """
import sys
from buildkite_agents import AgentApp, AgentQueue, AgentStack
app = AgentApp()
AgentStack(
    app,
    project="conbench",
    bootstrap_script=sys.argv[1],
    queues=[AgentQueue("m5.4xlarge", name=f"q{n}") for n in range(int(sys.argv[2]))],
)
app.synth()
"""
PREBUILT = (
    """
import importlib, sys
from buildkite_agents.bindings import AWS_SUBMODULES
for name in AWS_SUBMODULES:
    module = importlib.import_module(f"cdktf_cdktf_provider_aws.{name}")
    sys.modules[f"buildkite_agents.aws.{name}"] = module
"""
    + PROGRAM
)
RESOURCES = """
import sys
import cdktf
app = cdktf.App()
stack = cdktf.TerraformStack(app, "resources")
cdktf.LocalBackend(stack, path="terraform.tfstate")
for n in range(int(sys.argv[2])):
    cdktf.TerraformResource(stack, f"q{n}", terraform_resource_type="aws_cloudformation_stack")
app.synth()
"""


@dataclass(frozen=True)
class Measure:
    """The measurements of one program."""

    seconds: float
    """The median of the durations."""

    mebibytes: float
    """The peak memory of all of its processes, Node.js included."""


def measure(
    programs: Mapping[str, str], *, runs: int, queues: int = 3, cold: bool = False
) -> dict[str, Measure]:
    """Run the programs alternately, so that other load on the machine affects all of them."""
    with tempfile.TemporaryDirectory() as warm:

        def run(code: str, *, watch_memory: bool = False) -> tuple[float, float]:
            with tempfile.TemporaryDirectory() as folder:
                caches = Path(folder if cold else warm)
                return _run(code, queues, Path(folder), caches, watch_memory=watch_memory)

        if not cold:
            for code in programs.values():
                run(code)
        # In a separate run, because measuring memory slows the program down.
        memory = {name: run(code, watch_memory=True)[1] for name, code in programs.items()}
        times: dict[str, list[float]] = {name: [] for name in programs}
        for _ in range(runs):
            for name, code in programs.items():
                times[name].append(run(code)[0])
    return {name: Measure(statistics.median(times[name]), memory[name]) for name in programs}


def _run(
    code: str, queues: int, folder: Path, caches: Path, *, watch_memory: bool
) -> tuple[float, float]:
    script = str(ROOT / "bootstrap" / "buildkite-bootstrap.sh")
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'constructs'}",
        "PYTHONDONTWRITEBYTECODE": "",
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
    """The resident memory of a process and its descendants, in MiB; 0 without /proc."""
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
        f"| {name:26} | {measured.seconds:7.2f} | {measured.seconds / floor.seconds:8.2f} "
        f"| {measured.mebibytes:7.0f} | {memory:8.2f} |"
    )


def _print_header() -> None:
    print("| program                    |       s |  x floor |     MiB |  x floor |")
    print("| -------------------------- | ------: | -------: | ------: | -------: |")


def main() -> None:
    """Measure, and print the tables."""
    os.environ.update(node_environment())  # the same one for all
    importlib.import_module("buildkite_agents.aws")  # creates the bindings
    print(f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    _print_header()
    for caches, cold in (("warm", False), ("cold", True)):
        runs = SLOW_RUNS if cold else QUICK_RUNS
        quick = measure({"floor": EMPTY, "ours": PROGRAM}, runs=runs, cold=cold)
        prebuilt = measure({"prebuilt": PREBUILT}, runs=SLOW_RUNS, cold=cold)["prebuilt"]
        floor, ours = quick["floor"], quick["ours"]
        print(_row(f"empty CDKTF app, {caches}", floor, floor))
        print(_row(f"this program, {caches}", ours, floor))
        print(_row(f"prebuilt package, {caches}", prebuilt, floor))
        ratio = prebuilt.seconds / ours.seconds
        print(
            f"\nWith {caches} caches {ratio:.1f} times as fast as on the prebuilt package.\n",
            flush=True,
        )
    _print_header()
    for count in COUNTS:
        both = measure({"empty": RESOURCES, "ours": PROGRAM}, runs=SLOW_RUNS, queues=count)
        print(_row(f"{count} empty resources", both["empty"], both["empty"]))
        print(_row(f"{count} queues", both["ours"], both["empty"]), flush=True)
    print()
    boot_order.main()
    print()
    _print_set_up()


def _print_set_up() -> None:
    """The duration of setting up a fresh checkout, compared with `venv` and `pip` alone."""
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder) / "checkout"
        copy_checkout(ROOT, checkout)
        packages = Path(folder) / "packages.txt"
        packages.write_text(environment.locked_packages("default"))
        alone = _seconds(sys.executable, "-m", "venv", f"{folder}/alone")
        alone += _seconds(
            *(f"{folder}/alone/bin/pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--require-hashes", "--requirement", str(packages)),
        )
        whole = _seconds("make", "--directory", str(checkout), "setup")
        files = [path for path in (checkout / ".venv").rglob("*") if path.is_file()]
        size = sum(path.lstat().st_size for path in files if not path.is_symlink()) / 10**6
    print("| set-up                     |       s |    ratio |")
    print("| -------------------------- | ------: | -------: |")
    print(f"| venv and pip install       | {alone:7.1f} |     1.00 |")
    print(f"| make setup                 | {whole:7.1f} | {whole / alone:8.2f} |")
    print(f"\nThe size of the installation is {size:.0f} MB.")


def _seconds(*command: str) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
