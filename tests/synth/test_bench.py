"""The benchmark. Its results are not tested, because a test of durations fails at random."""

from pathlib import Path
from typing import Any

import pytest
from jsii._kernel.providers.process import _NodeProcess
from support.tools import load_tool

from buildkite_agents import AgentApp, AgentQueue, AgentStack

bench = load_tool("bench")


def test_the_quick_programs_of_the_benchmark_run() -> None:
    programs = {name: getattr(bench, name) for name in ("EMPTY", "PROGRAM", "RESOURCES")}
    measured = bench.measure(programs, runs=1)
    assert measured.keys() == programs.keys()
    assert all(each.seconds > 0 for each in measured.values())


def test_memory_is_that_of_all_processes_together() -> None:
    alone = 'import time; data = b"x" * 200_000_000; time.sleep(0.2)'
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {alone!r}], check=True)"
    measured = bench.measure({"child": child}, runs=1)["child"]
    assert measured.mebibytes > 200_000_000 / 2**20


def test_a_program_that_fails_ends_the_benchmark() -> None:
    with pytest.raises(SystemExit, match="a program of the benchmark failed"):
        bench.measure({"broken": "raise SystemExit(3)"}, runs=1)


@pytest.mark.parametrize(
    ("name", "calls_for_each"), [("queue-{}", 1), ("queue_{}", 2)], ids=["usual", "underscore"]
)
def test_a_queue_needs_as_few_calls_to_node_as_possible(
    name: str, calls_for_each: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    calls: list[object] = []
    send = _NodeProcess.send

    def counted(self: _NodeProcess, request: Any, response: Any) -> Any:
        calls.append(request)
        return send(self, request, response)

    monkeypatch.setattr(_NodeProcess, "send", counted)

    def calls_of(queues: int) -> int:
        calls.clear()
        app = AgentApp(outdir=tmp_path / f"{queues}.out")
        AgentStack(
            app,
            project="acme",
            queues=[AgentQueue("m5.4xlarge", name=name.format(n)) for n in range(queues)],
        )
        app.synth()
        return len(calls)

    assert calls_of(11) - calls_of(1) == 10 * calls_for_each
