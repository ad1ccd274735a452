"""Facts about versions of the stack that are not in their templates' parameters."""

import pytest

from buildkite_agents import elastic_ci_stack
from buildkite_agents.elastic_ci_stack import stacks

OLD = {"retired-runtimes"}


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("v5.1.0", {*OLD, "token-in-logs", "no-imdsv2", "no-root-volume-encryption"}),
        ("v5.2.0", {*OLD, "token-in-logs", "no-root-volume-encryption"}),
        ("v5.9.0", {*OLD, "token-in-logs", "no-root-volume-encryption"}),
        ("v5.10.0", {*OLD, "no-root-volume-encryption"}),
        ("v5.14.0", OLD),
        ("v6.58.1", OLD),
        ("v6.58.2", set()),
        ("v7.13.0", set()),
    ],
)
def test_the_faults_of_old_versions(version: str, expected: set[str]) -> None:
    assert {fault.name for fault in stacks.faults(version)} == expected


@pytest.mark.parametrize(
    ("fault", "parameter"),
    [("no-imdsv2", "IMDSv2Tokens"), ("no-root-volume-encryption", "RootVolumeEncrypted")],
)
def test_a_fault_of_a_missing_parameter_ends_where_the_history_has_it(
    fault: str, parameter: str
) -> None:
    for version in elastic_ci_stack.known_versions():
        has_fault = fault in {one.name for one in stacks.faults(version)}
        assert has_fault == (parameter not in elastic_ci_stack.load(version).parameters)


def test_each_fault_ends_at_a_known_version() -> None:
    for fault in stacks.faults("v5.0.0"):
        assert fault.until in elastic_ci_stack.known_versions()
        assert fault.source.startswith("https://")


def test_version_5_is_amazon_linux_2() -> None:
    assert stacks.linux("v5.22.5") == "Amazon Linux 2"
    assert stacks.linux("v6.0.0") == "Amazon Linux 2023"
    assert stacks.linux("v99.0.0") == "Amazon Linux 2023"


@pytest.mark.parametrize(
    ("built_from", "version", "needed"),
    [
        ("v6.71.1", "v7.13.0", True),
        ("v7.13.0", "v6.71.1", True),
        ("v6.21.0", "v6.71.1", False),
        ("v7.0.0", "v7.13.0", False),
    ],
)
def test_an_image_of_version_6_cannot_boot_in_version_7(
    built_from: str, version: str, needed: bool
) -> None:
    assert stacks.needs_new_image(built_from, version) is needed


def test_an_existing_role_needs_an_action_more_from_version_7() -> None:
    assert stacks.role_actions("v6.71.5") == {}
    assert set(stacks.role_actions("v7.0.0")) == {"autoscaling:CompleteLifecycleAction"}
