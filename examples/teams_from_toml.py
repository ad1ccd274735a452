"""The queues of many teams, from a TOML file that they edit.

It writes to the current folder: run it in a folder of its own, with the checkout's Python, such as
`mkdir example && cd example && ../.venv/bin/python ../examples/teams_from_toml.py`.
"""

import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "constructs"))  # where buildkite_agents is not installed

from buildkite_agents import AgentApp, AgentQueue, AgentStack, AgentToken, ConfigError  # noqa: E402


def tables(path: Path) -> list[dict[str, Any]]:
    """The tables of the file."""
    try:
        found = tomllib.loads(path.read_text("utf-8")).get("queue")
    except (OSError, ValueError) as error:
        raise ConfigError(f"teams.toml cannot be read: {error}") from None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ConfigError("teams.toml: expected a [[queue]] for each queue")
    return found


def queue(settings: dict[str, Any]) -> AgentQueue:
    """A queue of the file, in which people mistype names."""
    try:
        return AgentQueue(**settings)
    except ConfigError as error:
        where = f"teams.toml: queue {settings.get('name')!r}"
        raise ConfigError(*(f"{where}: {problem}" for problem in error.problems)) from None


app = AgentApp()
AgentStack(
    app,
    project="acme",
    token=AgentToken(organization="acme-inc"),
    queues=[queue(table) for table in tables(HERE / "teams.toml")],
    bootstrap_script=HERE.parent / "bootstrap" / "buildkite-bootstrap.sh",
)
app.synth()
