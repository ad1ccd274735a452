"""The summary of a synthesis."""

from buildkite_agents import AgentQueue, elastic_ci_stack
from buildkite_agents.output.summary import summary
from buildkite_agents.resolve import resolve
from buildkite_agents.settings import StackSettings

QUEUES = [
    AgentQueue("t4g.2xlarge"),
    AgentQueue("m5.large", name="cheap", more_instance_types=["m5a.large"], max_size=12),
]
STACK = resolve(
    StackSettings("conbench"), [(q, elastic_ci_stack.load(q.stack_version)) for q in QUEUES]
)
NONE: dict[str, list[str]] = {queue.name: [] for queue in QUEUES}


def test_each_queue_has_a_line() -> None:
    table = summary(
        STACK, "conbench-prod -> terraform/", {**NONE, "cheap": ["a", "b"]}, terminal=False
    )
    assert table == (
        "conbench-prod -> terraform/\n"
        "QUEUE                    ARCH   INSTANCE TYPES      SIZE  ON DEMAND  STACK    WARNINGS\n"
        "arm64-t4g-2xlarge-linux  arm64  t4g.2xlarge         0-4   100 %      v7.13.0  -\n"
        "cheap                    amd64  m5.large,m5a.large  0-12  100 %      v7.13.0  2"
    )


def test_a_terminal_gets_a_bold_header_and_nothing_else() -> None:
    plain = summary(STACK, "t", NONE, terminal=False)
    bold = summary(STACK, "t", NONE, terminal=True)
    assert "\033" not in plain
    assert bold.replace("\033[1m", "").replace("\033[0m", "") == plain
    assert bold.count("\033[1m") == 1


def test_a_value_of_cdktf_is_a_question_mark() -> None:
    queue = AgentQueue("m5.large", name="q", min_size="${TfToken[TOKEN.0]}", max_size="${var.x}")
    stack = resolve(StackSettings("acme"), [(queue, elastic_ci_stack.load(queue.stack_version))])
    assert "  ?-${var.x}  " in summary(stack, "t", {"q": []}, terminal=False)
