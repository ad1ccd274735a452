"""Machine images and the architectures of the queues that have them."""

import pytest
from support.resolving import problems_of

from buildkite_agents import AgentQueue

IMAGE = "ami-0123456789abcdef0"


def problems(parameter: str, value: str, *instance_types: str) -> list[str]:
    return problems_of(
        *(
            AgentQueue(each, stack_version="v6.71.1", parameters={parameter: value})
            for each in instance_types
        )
    )


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("ImageId", IMAGE),
        ("ImageId", "${data.aws_ami.agents.id}"),
        ("ImageIdParameter", "/images/agents"),
    ],
)
def test_one_image_of_both_architectures_is_refused(parameter: str, value: str) -> None:
    (problem,) = problems(parameter, value, "m5.large", "m7g.large")
    assert problem == (
        f"parameters[{parameter!r}]: an image is of one architecture, and {value!r} is that of the "
        "amd64 queue 'amd64-m5-large-linux' and the arm64 queue 'arm64-m7g-large-linux': set one "
        "for each architecture"
    )


def test_one_image_of_one_architecture_is_accepted() -> None:
    assert problems("ImageId", IMAGE, "m5.large", "c5.large") == []
