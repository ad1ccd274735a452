"""The scheduled renewal: its tool, and the workflow's pull request."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.checkout import copy_checkout
from support.documented import as_main_of
from support.published import history_of, served, template

from buildkite_agents import elastic_ci_stack

ROOT = Path(__file__).parents[3]
WORKFLOW = ROOT / ".github" / "workflows" / "renew.yml"
HISTORY = elastic_ci_stack.HISTORY.relative_to(ROOT)
SCRIPT = Path("bootstrap", "buildkite-bootstrap.sh")
KEPT = ("v6.58.1", "v6.71.1", "v6.71.4", "v6.71.5", "v7.0.0", "v7.13.0")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The project with a history of a few versions, set up as this one, in git."""
    copy = tmp_path / "checkout"
    copy_checkout(ROOT, copy)
    as_main_of(copy)
    bindings = Path("constructs", "buildkite_agents", "aws")
    shutil.copytree(ROOT / bindings, copy / bindings, dirs_exist_ok=True)
    history = history_of(KEPT, inferred=["v6.71.5", "v7.13.0"])
    (copy / HISTORY).write_text(json.dumps(history))
    git(copy, "init", "--quiet", "--initial-branch", "main")
    git(copy, "add", "--all")
    git(
        copy,
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.com",
        "commit",
        "--quiet",
        "-m",
        "all",
    )
    return copy


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


def pages(script: str) -> dict[str, str]:
    """The templates as known, one more release, and newer releases of the script's pins."""
    versions = [elastic_ci_stack.load(version) for version in KEPT]
    found = {f"/{one.version}/aws-stack.yml": template(one) for one in versions}
    newest = found["/v7.13.0/aws-stack.yml"].replace("stack v7.13.0", "stack v7.14.0")
    release = re.findall(r"^CONDA_RELEASE=(.*)_", script, re.MULTILINE)[0] + "_99.1.0-1"
    rows = "".join(
        f"<tr><td>{release}-Linux-{architecture}.sh</td><td>{digit * 64}</td></tr>"
        for architecture, digit in (("x86_64", "1"), ("aarch64", "2"))
    )
    cmake = re.findall(r"cmake==([0-9.]+)", script)[0] + ".1"
    files = [
        {
            "filename": f"cmake-{cmake}-py3-none-manylinux2014_{architecture}.whl",
            "digests": {"sha256": "3" * 64},
        }
        for architecture in ("x86_64", "aarch64")
    ]
    return {
        **found,
        "/latest/aws-stack.yml": newest,
        "/v7.14.0/aws-stack.yml": newest,
        "/conda": rows,
        "/pypi": json.dumps({"releases": {cmake: files}}),
    }


def renew(checkout: Path, url: str) -> subprocess.CompletedProcess[str]:
    options = ["--base-url", url, "--conda-url", f"{url}/conda", "--pypi-url", f"{url}/pypi"]
    return subprocess.run(
        [sys.executable, checkout / "tools" / "renew.py", *options],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )


def test_everything_that_is_new_is_written_and_reported(checkout: Path) -> None:
    with served(pages((checkout / SCRIPT).read_text())) as url:
        done = renew(checkout, url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "v7.13.0 -> v7.14.0: 0 differences" in done.stdout
    assert "v7.13.0 was inferred, and is now as its template declares" in done.stdout
    assert re.search(r"^\+CONDA_RELEASE=Miniconda3-py\d+_99.1.0-1$", done.stdout, re.MULTILINE)
    history = json.loads((checkout / HISTORY).read_text())
    assert (history["versions"], history["inferred"]) == ([*KEPT, "v7.14.0"], {})
    changed = git(checkout, "status", "--short").split()[1::2]
    synthesized = {
        f"{folder}/{name}"
        for folder in ("terraform", "tests/golden/terraform")
        for name in (SCRIPT.name, ".buildkite-agents.sha256")
    }
    assert set(changed) == {str(HISTORY), str(SCRIPT), *synthesized}


def test_a_silent_publisher_is_reported_and_the_others_are_renewed(checkout: Path) -> None:
    answers = pages((checkout / SCRIPT).read_text())
    del answers["/conda"]
    with served(answers) as url:
        done = renew(checkout, url)
    assert done.returncode == 1
    assert re.search(r"error: cannot fetch http://127.0.0.1:\d+/conda: ", done.stdout)
    assert "v7.14.0" in (checkout / HISTORY).read_text()
    assert str(SCRIPT) not in git(checkout, "status", "--short")


GH = """#!/bin/sh
echo "$@" >>"${GH_CALLS}"
case "$1 $2" in "pr list") echo "${GH_OPEN}" ;; esac
"""


@pytest.mark.parametrize(("already_open", "call"), [("0", "pr create"), ("1", "pr edit")])
def test_the_workflow_opens_one_pull_request_with_the_differences(
    checkout: Path, tmp_path: Path, already_open: str, call: str
) -> None:
    calls = propose(checkout, tmp_path, already_open, change=True)
    assert [c for c in calls if c.startswith(("pr create", "pr edit"))] == [
        c for c in calls if c.startswith(call)
    ]
    assert len([c for c in calls if c.startswith(call)]) == 1
    pushed = git(tmp_path / "origin", "show", "--stat", "renew")
    assert HISTORY.name in pushed
    assert git(tmp_path / "origin", "rev-list", "--count", "main..renew") == "1\n"


def test_the_workflow_opens_no_pull_request_without_differences(
    checkout: Path, tmp_path: Path
) -> None:
    assert propose(checkout, tmp_path, "0", change=False) == []
    assert git(tmp_path / "origin", "branch", "--list", "renew") == ""


def propose(checkout: Path, tmp_path: Path, already_open: str, *, change: bool) -> list[str]:
    """Run the workflow's own step with a repository and a gh of this test; return gh's calls."""
    steps = yaml.safe_load(WORKFLOW.read_text())["jobs"]["renew"]["steps"]
    (step,) = [step for step in steps if "pull request" in step.get("name", "")]
    origin, tools, calls = tmp_path / "origin", tmp_path / "bin", tmp_path / "calls"
    git(tmp_path, "clone", "--quiet", "--bare", str(checkout), str(origin))
    git(checkout, "remote", "add", "origin", str(origin))
    # A branch of an earlier renewal, which is replaced.
    if already_open == "1":
        git(origin, "branch", "renew", "main")
    tools.mkdir()
    (tools / "gh").write_text(GH)
    (tools / "gh").chmod(0o755)
    (tmp_path / "report.md").write_text("report")
    if change:
        (checkout / HISTORY).write_text("{}")
    subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=checkout,
        env={
            "PATH": f"{tools}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "RUNNER_TEMP": str(tmp_path),
            "GITHUB_REF_NAME": "main",
            "GH_CALLS": str(calls),
            "GH_OPEN": already_open,
        },
        check=True,
        capture_output=True,
    )
    return calls.read_text().splitlines() if calls.exists() else []
