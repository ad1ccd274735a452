"""The warning where a folder's stacks are replaced by those of another deployment."""

import json
from pathlib import Path

import pytest

from buildkite_agents.output.terraform_folder import replaced_deployment, stack_names

PROD = ["conbench-prod-buildkite-arm64", "conbench-prod-buildkite-amd64"]
OTHER = ["acme-prod-buildkite-tests"]


def test_entirely_different_stacks_are_warned_of(tmp_path: Path) -> None:
    assert replaced_deployment(tmp_path, PROD, OTHER) == (
        f"{tmp_path}/ was of conbench-prod, and is now of acme-prod: an apply there destroys the "
        "former stacks. Use another folder for another deployment"
    )


def test_stacks_of_one_deployment_are_named(tmp_path: Path) -> None:
    warning = replaced_deployment(tmp_path, PROD[:1], PROD[1:])
    assert f"was of {PROD[0]}, and is now of {PROD[1]}: " in str(warning)


@pytest.mark.parametrize(("former", "new"), [([], PROD), (PROD, PROD[:1]), (PROD[:1], PROD)])
def test_a_fresh_folder_and_a_stack_that_stays_are_not(
    tmp_path: Path, former: list[str], new: list[str]
) -> None:
    assert replaced_deployment(tmp_path, former, new) is None


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (json.dumps({"resource": {"aws_cloudformation_stack": {"q": {"name": "s"}}}}), ["s"]),
        ("{}", []),
        ("<<<<<<< ours", []),
    ],
)
def test_the_stacks_of_a_folder_are_those_of_its_configuration(
    tmp_path: Path, content: str, names: list[str]
) -> None:
    assert stack_names(tmp_path) == []
    (tmp_path / "buildkite.tf.json").write_text(content)
    assert stack_names(tmp_path) == names
