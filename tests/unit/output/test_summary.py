"""The summary of a synthesis."""

from pathlib import Path

from buildkite_agents import AgentQueue
from buildkite_agents.output.summary import summary

QUEUES = [
    AgentQueue("t4g.2xlarge"),
    AgentQueue("m5.large", name="cheap", more_instance_types=["m5a.large"], max_size=12),
]


def test_each_queue_has_a_line() -> None:
    table = summary("conbench-prod", Path("terraform"), QUEUES, {"cheap": 2}, terminal=False)
    assert table == (
        "conbench-prod -> terraform/\n"
        "QUEUE                    ARCH   INSTANCE TYPES      SIZE  ON DEMAND  STACK    WARNINGS\n"
        "arm64-t4g-2xlarge-linux  arm64  t4g.2xlarge         0-4   100 %      v6.71.1  -\n"
        "cheap                    amd64  m5.large,m5a.large  0-12  100 %      v6.71.1  2"
    )


def test_a_terminal_gets_a_bold_header_and_nothing_else() -> None:
    plain = summary("s", Path("t"), QUEUES, {}, terminal=False)
    bold = summary("s", Path("t"), QUEUES, {}, terminal=True)
    assert "\033" not in plain
    assert bold.replace("\033[1m", "").replace("\033[0m", "") == plain
    assert bold.count("\033[1m") == 1
