"""Terraform state in S3 with locking, for more than one person.

It writes to the current folder: run it in a folder of its own, with the checkout's Python, such as
`mkdir example && cd example && ../.venv/bin/python ../examples/s3_backend.py`.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "constructs"))  # where buildkite_agents is not installed

from buildkite_agents import AgentApp, AgentQueue, AgentStack, Deployment, S3Backend  # noqa: E402

app = AgentApp()
AgentStack(
    app,
    project="conbench",
    queues=[AgentQueue("m5.4xlarge")],
    deployment=Deployment(backend=S3Backend(bucket="acme-terraform-states", region="us-east-1")),
    bootstrap_script=ROOT / "bootstrap" / "buildkite-bootstrap.sh",
)
app.synth()
