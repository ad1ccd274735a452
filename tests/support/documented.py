"""The queues of the documented layout. Tests use these because users change those of main.py."""

from pathlib import Path

from buildkite_agents import AgentQueue

GOLDEN_MAIN = Path(__file__).parents[1] / "golden" / "main.py"
"""A program with these queues, whose output is the golden folder."""

QUEUES = (
    AgentQueue("t4g.2xlarge", parameters={"CpuCredits": "unlimited"}),
    AgentQueue("m5.4xlarge"),
    AgentQueue("c6a.4xlarge"),
)


def as_main_of(checkout: Path) -> None:
    """Replace ``main.py`` of a checkout with this program."""
    text = GOLDEN_MAIN.read_text()
    assert ".parents[2]" in text
    (checkout / "main.py").write_text(text.replace(".parents[2]", ".parent"))
