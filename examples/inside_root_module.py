"""Stacks in an existing root module, which has the provider, variables and network.

It writes to the current folder: run it in a folder of its own, with the checkout's Python, such as
`mkdir -p example/terraform && cd example && ../.venv/bin/python ../examples/inside_root_module.py`.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "constructs"))  # where buildkite_agents is not installed

from buildkite_agents import AgentApp, AgentQueue, AgentStack, Deployment, Network  # noqa: E402

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
    bootstrap_script=ROOT / "bootstrap" / "buildkite-bootstrap.sh",
)
app.synth()
