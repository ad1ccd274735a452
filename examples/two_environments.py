"""Two environments in one app, without shared names.

It writes to the current folder: run it in a folder of its own, with the checkout's Python, such as
`mkdir example && cd example && ../.venv/bin/python ../examples/two_environments.py`.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "constructs"))  # where buildkite_agents is not installed

from buildkite_agents import AgentApp, AgentQueue, AgentStack  # noqa: E402

SCRIPT = ROOT / "bootstrap" / "buildkite-bootstrap.sh"

app = AgentApp()
AgentStack(
    app,
    project="conbench",
    environment="prod",
    queues=[AgentQueue("m5.4xlarge")],
    bootstrap_script=SCRIPT,
)
AgentStack(
    app,
    project="conbench",
    environment="staging",
    queues=[AgentQueue("m5.4xlarge", max_size=1)],
    bootstrap_script=SCRIPT,
)
app.synth()
