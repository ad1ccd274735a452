"""Secrets encrypted with a customer managed key, and a permissions boundary for the agents."""

from pathlib import Path

from buildkite_agents import AgentAccess, AgentApp, AgentQueue, AgentStack, SecretsBucket

app = AgentApp()
AgentStack(
    app,
    project="conbench",
    queues=[AgentQueue("m5.4xlarge", parameters={"ECRAccessPolicy": "none"})],
    secrets_bucket=SecretsBucket(
        kms_key_arn="arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
    ),
    access=AgentAccess(
        push_to_ecr_repositories=["arrow/*"],
        permissions_boundary="arn:aws:iam::123456789012:policy/agents-at-most",
    ),
    bootstrap_script=Path(__file__).parents[1] / "bootstrap" / "buildkite-bootstrap.sh",
)
app.synth()
