"""The queues of many teams, from a TOML file that they edit."""

import tomllib
from pathlib import Path
from typing import Any

from buildkite_agents import AgentApp, AgentQueue, AgentStack, AgentToken, ConfigError

HERE = Path(__file__).parent


def queue(settings: dict[str, Any]) -> AgentQueue:
    """A queue of the file, in which people mistype names."""
    try:
        return AgentQueue(**settings)
    except TypeError as error:
        raise ConfigError(f"teams.toml: queue {settings.get('name')!r}: {error}") from None


app = AgentApp()
AgentStack(
    app,
    project="acme",
    token=AgentToken(organization="acme-inc"),
    queues=[queue(q) for q in tomllib.loads((HERE / "teams.toml").read_text())["queue"]],
    bootstrap_script=HERE.parent / "bootstrap" / "buildkite-bootstrap.sh",
)
app.synth()
