"""The installed package: from a wheel, independent of this checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.checkout import copy_checkout

USER = """
from pathlib import Path
from buildkite_agents import AgentApp, AgentQueue, AgentStack

Path("script.sh").write_text("true\\n")
app = AgentApp()
AgentStack(app, project="conbench", queues=[AgentQueue("m5.4xlarge")], bootstrap_script="script.sh")
app.synth()
"""

USERS_TEST = """
import cdktf
from buildkite_agents import AgentQueue, AgentStack
from pathlib import Path

def test_my_fleet(tmp_path):
    (tmp_path / "script.sh").touch()
    stack = AgentStack(
        cdktf.Testing.app(),
        project="conbench",
        queues=[AgentQueue("m5.4xlarge", name="q")],
        bootstrap_script=tmp_path / "script.sh",
    )
    assert '"BuildkiteQueue": "q"' in cdktf.Testing.synth(stack, True)
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new virtual environment."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def wheel(environment: Path, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    copy_checkout(root, folder / "checkout")
    build = ["wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(folder / "checkout")]
    subprocess.run([environment, "-m", "pip", *build], check=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def python(environment: Path, wheel: Path) -> Path:
    """The environment's Python, with the wheel installed."""
    install = ["install", "--quiet", "--no-compile", f"{wheel}[node]", "pytest"]
    subprocess.run([environment, "-m", "pip", *install], check=True)
    return environment


def site_packages(python: Path) -> Path:
    (found,) = (python.parents[1] / "lib").glob("python3.*/site-packages")
    return found


def test_the_wheel_has_one_name_and_all_data_and_no_bindings(wheel: Path, root: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    top = {name.partition("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"buildkite_agents"}
    assert "buildkite_agents/py.typed" in names
    assert "buildkite_agents/imports/carver.py" in names
    package = root / "constructs" / "buildkite_agents"
    data = {f"buildkite_agents/{path.relative_to(package)}" for path in package.glob("*/*.json")}
    assert len(data) == 3
    assert data <= set(names)
    assert not [name for name in names if name.startswith("buildkite_agents/imports/aws/")]


def test_it_synthesizes_in_a_project_of_its_users(python: Path, tmp_path: Path) -> None:
    (tmp_path / "imports").mkdir()
    (tmp_path / "imports" / "__init__.py").write_text("# the user's own bindings\\n")
    (tmp_path / "main.py").write_text(USER)
    subprocess.run([python, "main.py"], cwd=tmp_path, check=True)
    assert (tmp_path / "terraform" / "buildkite.tf.json").exists()


def test_its_users_can_test_their_fleet(python: Path, tmp_path: Path) -> None:
    (tmp_path / "test_fleet.py").write_text(USERS_TEST)
    subprocess.run([python, "-m", "pytest", "-q", "test_fleet.py"], cwd=tmp_path, check=True)


def test_uninstalling_it_leaves_nothing_behind(python: Path) -> None:
    assert (site_packages(python) / "buildkite_agents" / "imports" / "aws").is_dir()
    uninstall = ["uninstall", "--quiet", "--yes", "buildkite-agents"]
    subprocess.run([python, "-m", "pip", *uninstall], check=True)
    assert list(site_packages(python).glob("buildkite_agents*")) == []
