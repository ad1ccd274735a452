"""Paths in a configuration, which must be the same on each machine."""

from pathlib import Path
from typing import Any

import pytest

from buildkite_agents.output.portable import locate_states, machine_paths


@pytest.fixture(autouse=True)
def in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "project").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "project")


def located(origin: str, path: str) -> tuple[str, str]:
    """The path of another stack's state in CDKTF's folder and in ``terraform/``."""
    source: dict[str, Any] = {"backend": "local", "config": {"path": path}}
    name = f"cross-stack-reference-input-{origin}"
    configuration = {"data": {"terraform_remote_state": {name: source}}}
    stacks = Path.cwd() / "cdktf.out" / "stacks"
    locate_states(configuration, stacks / "acme")
    first = source["config"]["path"]
    moved = {stacks / name: Path.cwd() / f"terraform-{name}" for name in ("acme", "other")}
    locate_states(configuration, stacks / "acme", moved)
    return first, source["config"]["path"]


@pytest.mark.parametrize(
    ("origin", "path", "in_cdktf", "in_terraform"),
    [
        (
            "network",
            "network.tfstate",
            "../network/network.tfstate",
            "../cdktf.out/stacks/network/network.tfstate",
        ),
        ("network", "../../../n.tfstate", "../../../n.tfstate", "../n.tfstate"),
        (
            "team--network",
            "n.tfstate",
            "../network/n.tfstate",
            "../cdktf.out/stacks/network/n.tfstate",
        ),
        ("network", "{here}/n.tfstate", "../../../n.tfstate", "../n.tfstate"),
        (
            "other",
            "../other/terraform.tfstate",
            "../other/terraform.tfstate",
            "../terraform-other/terraform.tfstate",
        ),
        ("other", "own.tfstate", "../other/own.tfstate", "../terraform-other/own.tfstate"),
        ("network", "/srv/n.tfstate", "/srv/n.tfstate", "/srv/n.tfstate"),
        ("network", "${{path.module}}/n", "${{path.module}}/n", "${{path.module}}/n"),
    ],
)
def test_the_state_of_another_stack_is_found_from_each_folder(
    origin: str, path: str, in_cdktf: str, in_terraform: str
) -> None:
    given = path.format(here=Path.cwd())
    assert located(origin, given) == (in_cdktf.format(), in_terraform.format())


def test_a_users_own_remote_state_is_left_alone() -> None:
    source = {"backend": "local", "config": {"path": "x.tfstate"}}
    configuration = {"data": {"terraform_remote_state": {"own": source}}}
    assert not locate_states(configuration, Path.cwd() / "cdktf.out" / "stacks" / "acme")
    assert source["config"] == {"path": "x.tfstate"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('"{here}"', "{here}"),
        ('"${{file(\\"{here}/x/y.json\\")}}"', "{here}/x/y.json"),
        ('"{home}/existing"', "{home}/existing"),
        ('"{home}/missing"', None),
        ('"{home}"', None),
        ('"{here}-other/x"', None),
        ('"/mnt{here}/x"', None),
        ('"/buildkite/token"', None),
    ],
)
def test_paths_of_this_machine_are_found(text: str, found: str | None) -> None:
    places = {"here": Path.cwd(), "home": Path.home()}
    (Path.home() / "existing").touch()
    files = {"a.tf.json": text.format(**places).encode(), "run.sh": f"{Path.cwd()}/x".encode()}
    expected = [] if found is None else [("a.tf.json", found.format(**places))]
    assert [*machine_paths(files)] == expected


def test_an_existing_path_in_the_git_repository_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "team").mkdir()
    (tmp_path / "shared.json").touch()
    monkeypatch.chdir(tmp_path / "team")
    files = {"a.tf.json": f'"{tmp_path}/shared.json", "{tmp_path}/missing.json"'.encode()}
    assert [*machine_paths(files)] == []
    (tmp_path / ".git").touch()  # a file in a worktree
    assert [*machine_paths(files)] == [("a.tf.json", f"{tmp_path}/shared.json")]
