"""The queues of many teams, from a TOML file that they edit."""

import sys
from pathlib import Path

from buildkite_agents import AgentApp, AgentQueue, AgentStack, AgentToken

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).parent
queues = tomllib.loads((HERE / "teams.toml").read_text())["queue"]

app = AgentApp()
AgentStack(
    app,
    project="acme",
    token=AgentToken(organization="acme-inc"),
    queues=[AgentQueue(queue.pop("instance_type"), **queue) for queue in queues],
    bootstrap_script=HERE.parent / "bootstrap" / "buildkite-bootstrap.sh",
)
app.synth()
