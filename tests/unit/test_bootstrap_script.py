"""What the bootstrap script needs."""

from pathlib import Path

import pytest
from support.resolving import problems_of, resolved

from buildkite_agents import AgentQueue
from buildkite_agents.bootstrap_script import local_path, needs_dnf


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("sudo dnf install -y gcc\n", True),
        ("command -v git || dnf -y install git", True),
        ("dnf --version && dnf install gcc || apt-get install gcc\n", False),
        ("apt-get install gcc\n", False),
        ("yum install gcc\n", False),
        ("echo dnfs undnf\n", False),
        ("", False),
    ],
)
def test_a_script_that_runs_dnf_and_no_other_package_manager_needs_it(
    text: str, needs: bool, tmp_path: Path
) -> None:
    script = tmp_path / "script.sh"
    script.write_text(text)
    assert needs_dnf(script) is needs
    assert needs_dnf(str(script)) is needs


def test_this_projects_script_needs_dnf(bootstrap_script: Path) -> None:
    assert needs_dnf(bootstrap_script)


def test_of_a_script_that_is_elsewhere_or_unreadable_it_is_unknown(tmp_path: Path) -> None:
    for script in (None, "s3://bucket/dnf.sh", "${var.dnf}", tmp_path, tmp_path / "missing"):
        assert not needs_dnf(script)


def test_a_url_or_a_reference_is_no_local_file() -> None:
    assert [local_path(s) for s in (None, "https://host/s.sh", "${var.script}")] == [None] * 3
    assert local_path("boot.sh") == Path("boot.sh")


@pytest.mark.parametrize(
    ("queue", "problem"),
    [
        (AgentQueue("m5.large"), None),
        (
            AgentQueue("m5.large", stack_version="v5.22.5"),
            "bootstrap_script runs dnf, and the images of v5.22.5 are Amazon Linux 2: ",
        ),
        # An image of their own can have dnf.
        (
            AgentQueue("m5.large", stack_version="v5.22.5", parameters={"ImageId": "ami-01234567"}),
            None,
        ),
        # The queue has another script.
        (
            AgentQueue(
                "m5.large",
                stack_version="v5.22.5",
                parameters={"BootstrapScriptUrl": "https://host/s.sh"},
            ),
            None,
        ),
    ],
)
def test_a_script_that_needs_dnf_needs_an_image_that_has_it(
    queue: AgentQueue, problem: str | None, bootstrap_script: Path
) -> None:
    problems = [p for p in problems_of(queue, bootstrap_script=bootstrap_script) if "dnf" in p]
    assert len(problems) == (problem is not None)
    assert all(str(problem) in each for each in problems)


def test_no_queue_has_a_script_that_needs_dnf_without_a_script() -> None:
    assert not resolved(AgentQueue("m5.large")).script_needs_dnf
