"""Two environments in one app, without shared names."""

from pathlib import Path

from buildkite_agents import AgentApp, AgentQueue, AgentStack

SCRIPT = Path(__file__).parents[1] / "bootstrap" / "buildkite-bootstrap.sh"

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
