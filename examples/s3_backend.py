"""Terraform state in S3 with locking, for more than one person."""

from pathlib import Path

from buildkite_agents import AgentApp, AgentQueue, AgentStack, Deployment, S3Backend

app = AgentApp()
AgentStack(
    app,
    project="conbench",
    queues=[AgentQueue("m5.4xlarge")],
    deployment=Deployment(backend=S3Backend(bucket="acme-terraform-states", region="us-east-1")),
    bootstrap_script=Path(__file__).parents[1] / "bootstrap" / "buildkite-bootstrap.sh",
)
app.synth()
