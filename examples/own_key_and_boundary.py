"""Secrets encrypted with a customer managed key, and a permissions boundary for the agents.

It writes to the current folder: run it in a folder of its own, with the checkout's Python, such as
`mkdir example && cd example && ../.venv/bin/python ../examples/own_key_and_boundary.py`.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "constructs"))  # where buildkite_agents is not installed

from buildkite_agents import AgentAccess, AgentApp, AgentQueue, AgentStack, SecretsBucket  # noqa: E402

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
    bootstrap_script=ROOT / "bootstrap" / "buildkite-bootstrap.sh",
)
app.synth()
