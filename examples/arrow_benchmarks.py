"""The three queues of the Arrow benchmarks, with defaults only."""

from pathlib import Path

from buildkite_agents import AgentApp, AgentQueue, AgentStack

app = AgentApp()
AgentStack(
    app,
    project="conbench",
    queues=[
        AgentQueue("t4g.2xlarge", parameters={"CpuCredits": "unlimited"}),
        AgentQueue("m5.4xlarge"),
        AgentQueue("c6a.4xlarge"),
    ],
    bootstrap_script=Path(__file__).parents[1] / "bootstrap" / "buildkite-bootstrap.sh",
)
app.synth()
