"""The Buildkite queues of the Arrow benchmarks. Add a line to add a queue."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.append(str(ROOT / "constructs"))  # where buildkite_agents is not installed

from buildkite_agents import AgentApp, AgentQueue, AgentStack, AgentToken  # noqa: E402

QUEUES = [
    AgentQueue("t4g.2xlarge", parameters={"CpuCredits": "unlimited"}),
    AgentQueue("m5.4xlarge"),
    AgentQueue("c6a.4xlarge"),
]


def main() -> None:
    """Synthesize the queues' environment."""
    app = AgentApp()
    AgentStack(
        app,
        project="conbench",
        environment="prod",
        queues=QUEUES,
        bootstrap_script=ROOT / "bootstrap" / "buildkite-bootstrap.sh",
        token=AgentToken(organization="arrow-dev.org"),
    )
    app.synth()


if __name__ == "__main__":
    main()
