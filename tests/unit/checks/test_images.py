"""Machine images and the architectures of the queues that have them."""

import pytest

from buildkite_agents import AgentQueue, ConfigError
from buildkite_agents.checks import checked
from buildkite_agents.settings import StackSettings

IMAGE = "ami-0123456789abcdef0"


def check(parameter: str, value: str, *instance_types: str) -> None:
    settings = StackSettings(project="acme")
    queues = [AgentQueue(each, parameters={parameter: value}) for each in instance_types]
    checked(settings, queues)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("ImageId", IMAGE),
        ("ImageId", "${data.aws_ami.agents.id}"),
        ("ImageIdParameter", "/images/agents"),
    ],
)
def test_one_image_of_both_architectures_is_refused(parameter: str, value: str) -> None:
    with pytest.raises(ConfigError, match=r"an image is of one architecture") as refused:
        check(parameter, value, "m5.large", "m7g.large")
    assert "'amd64-m5-large-linux' and the arm64 queue 'arm64-m7g-large-linux'" in str(
        refused.value
    )


def test_one_image_of_one_architecture_is_accepted() -> None:
    check("ImageId", IMAGE, "m5.large", "c5.large")
