"""Stacks in an existing root module, which has the provider, variables and network."""

from pathlib import Path

from buildkite_agents import AgentApp, AgentQueue, AgentStack, Deployment, Network

app = AgentApp()
AgentStack(
    app,
    project="conbench",
    queues=[AgentQueue("m5.4xlarge")],
    network=Network(
        vpc_id="${aws_vpc.main.id}",
        subnet_ids=["${aws_subnet.public[0].id}", "${aws_subnet.public[1].id}"],
    ),
    deployment=Deployment(folder="terraform", inside_root_module=True),
    bootstrap_script=Path(__file__).parents[1] / "bootstrap" / "buildkite-bootstrap.sh",
)
app.synth()
