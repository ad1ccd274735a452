"""The programs whose queues the catalogue's tool checks with a release."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.checkout import copy_checkout
from support.documented import as_main_of
from support.published import newer, template

from buildkite_agents import elastic_ci_stack

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the documented queues in main.py, set up as this one."""
    copy = tmp_path_factory.mktemp("catalogue") / "checkout"
    copy_checkout(ROOT, copy)
    as_main_of(copy)
    bindings = Path("constructs", "buildkite_agents", "aws")
    shutil.copytree(ROOT / bindings, copy / bindings, dirs_exist_ok=True)
    return copy


def run_tool(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, checkout / "tools" / "catalogue.py", *arguments],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_comparison_checks_the_queues_of_the_program(checkout: Path) -> None:
    done = run_tool(checkout, "--compare", "v6.21.0", "v6.71.1")
    assert done.returncode == 0, done.stderr
    assert "BuildkiteAgentScalerVersion" in done.stdout
    assert done.stdout.count(" added  ") - done.stdout.count("family added") == 58
    assert done.stdout.endswith("the queues of main.py are valid with v6.71.1\n")
    assert not (checkout / "cdktf.out").exists()


# Like the programs that adopt writes, it has no list of queues to import.
ADOPTED = """
from buildkite_agents import AgentApp, AgentQueue, AgentStack, AgentToken

app = AgentApp()
for environment in ("prod", "test"):
    AgentStack(
        app,
        project="acme",
        environment=environment,
        queues=[AgentQueue("m5.large", stack_version="v6.21.0", parameters=PARAMETERS)],
    )
app.synth()
print("this is not part of the report")
"""


def test_the_problems_of_any_program_are_those_of_its_own_checks(checkout: Path) -> None:
    adopted = checkout / "adopted.py"
    parameters = 'PARAMETERS = {"BuildkiteAgentScalerVersion": "1.7.0"}'
    adopted.write_text(parameters + ADOPTED)
    done = run_tool(checkout, "--program", "adopted.py", "--compare", "v6.21.0", "v6.71.1")
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1]
    assert "BuildkiteAgentScalerVersion" in last
    assert "removed in Elastic CI Stack v6.52.0" in last
    assert "not part of the report" not in done.stdout
    adopted.write_text("PARAMETERS = {}" + ADOPTED)
    done = run_tool(checkout, "--program", "adopted.py", "--compare", "v6.21.0", "v6.71.1")
    assert done.stdout.endswith("the queues of adopted.py are valid with v6.71.1\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raise ValueError('mine')", "error: cannot run broken.py: ValueError: mine"),
        ("import sys; sys.exit(3)", "error: cannot run broken.py: SystemExit: 3"),
        ("(", "error: cannot run broken.py: SyntaxError"),
        ("print('nothing')", "error: broken.py defines no queues"),
        (None, "error: broken.py does not exist"),
    ],
)
def test_a_program_that_cannot_be_read_leaves_the_history_as_it_is(
    checkout: Path, tmp_path: Path, text: str | None, message: str
) -> None:
    release = tmp_path / "template.yml"
    release.write_text(template(newer()))
    broken = checkout / "broken.py"
    broken.unlink(missing_ok=True)
    if text is not None:
        broken.write_text(text)
    history = checkout / elastic_ci_stack.HISTORY.relative_to(ROOT)
    before = history.read_bytes()
    done = run_tool(checkout, "--program", "broken.py", "--template", str(release), "v99.0.0")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith(message)
    assert history.read_bytes() == before


def test_a_release_from_a_file_is_added_to_the_checkout(checkout: Path, tmp_path: Path) -> None:
    release = tmp_path / "template.yml"
    release.write_text(template(newer()))
    done = run_tool(checkout, "--template", str(release), "v99.0.0")
    assert done.returncode == 0, done.stderr
    newest = elastic_ci_stack.known_versions()[-1]
    assert done.stdout.startswith(f"{newest} -> v99.0.0: 3 differences\n")
    assert done.stdout.endswith("the queues of main.py are valid with v99.0.0\n")
    shown = run_tool(checkout, "--compare", newest, "v99.0.0")
    assert shown.stdout == done.stdout


def test_the_programs_own_modules_run_again_for_the_new_version(
    checkout: Path, tmp_path: Path
) -> None:
    (checkout / "fleet.py").write_text("PARAMETERS = {}" + ADOPTED)
    (checkout / "imports_fleet.py").write_text("import fleet\n")
    release = tmp_path / "template.yml"
    release.write_text(template(newer("v98.0.0")))
    program = ("--program", "imports_fleet.py")
    done = run_tool(checkout, *program, "--template", str(release), "v98.0.0")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("the queues of imports_fleet.py are valid with v98.0.0\n")


def test_the_installed_package_compares_versions_by_itself(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "buildkite_agents.elastic_ci_stack",
            "--compare",
            "v7.0.0",
            "v7.13.0",
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT / "constructs")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("v7.0.0 -> v7.13.0: ")
    assert done.stdout.endswith("no program was checked: name one with --program\n")
