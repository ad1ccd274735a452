"""The three queues of the Arrow benchmarks, with defaults only.

It writes to the current folder: run it in a folder of its own, with the checkout's Python, such as
`mkdir example && cd example && ../.venv/bin/python ../examples/arrow_benchmarks.py`.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "constructs"))  # where buildkite_agents is not installed

from buildkite_agents import AgentApp, AgentQueue, AgentStack  # noqa: E402

app = AgentApp()
AgentStack(
    app,
    project="conbench",
    queues=[
        AgentQueue("t4g.2xlarge", parameters={"CpuCredits": "unlimited"}),
        AgentQueue("m5.4xlarge"),
        AgentQueue("c6a.4xlarge"),
    ],
    bootstrap_script=ROOT / "bootstrap" / "buildkite-bootstrap.sh",
)
app.synth()
