"""The queues of the documented layout, which the tests use: those of main.py are the user's."""

from pathlib import Path

from buildkite_agents import AgentQueue

GOLDEN_MAIN = Path(__file__).parents[1] / "golden" / "main.py"
"""A program with these queues: its output is the golden folder."""

QUEUES = (
    AgentQueue("t4g.2xlarge", parameters={"CpuCredits": "unlimited"}),
    AgentQueue("m5.4xlarge"),
    AgentQueue("c6a.4xlarge"),
)


def as_main_of(checkout: Path) -> None:
    """Have these queues in the ``main.py`` of a checkout."""
    text = GOLDEN_MAIN.read_text()
    assert ".parents[2]" in text
    (checkout / "main.py").write_text(text.replace(".parents[2]", ".parent"))
