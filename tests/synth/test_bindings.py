"""The carved AWS bindings."""

import importlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tarfile
import textwrap
from pathlib import Path

import cdktf
import pytest

from buildkite_agents import ConfigError, imports
from buildkite_agents.imports import AWS_SUBMODULES
from buildkite_agents.imports.aws.s3_bucket import S3Bucket
from buildkite_agents.imports.carver import ASSEMBLY, carve

DISTRIBUTION = "cdktf-cdktf-provider-aws"


def run_python(code: str, *arguments: str, cwd: Path) -> str:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_carved_and_prebuilt_synthesize_the_same_in_one_process(root: Path, tmp_path: Path) -> None:
    carved, prebuilt = run_python(
        """
        import importlib, json, sys
        from pathlib import Path

        from buildkite_agents import AgentQueue
        import os
        from buildkite_agents.node import node_environment
        os.environ.update(node_environment())
        import cdktf

        from buildkite_agents.imports import AWS_SUBMODULES

        QUEUES = [AgentQueue(t) for t in ("t4g.2xlarge", "m5.4xlarge", "c6a.4xlarge")]

        def synthesize():
            from buildkite_agents.stack import AgentStack
            app = cdktf.Testing.app()
            stack = AgentStack(app, queues=QUEUES, bootstrap_script=Path(sys.argv[1]))
            assemblies.add(stack.node.find_child("aws_provider").__jsii_type__.partition(".")[0])
            return cdktf.Testing.synth(stack, True)

        def forget(prefix):
            for name in [name for name in sys.modules if name.startswith(prefix)]:
                del sys.modules[name]

        assemblies = set()
        carved = synthesize()
        forget("buildkite_agents.imports.aws.")
        forget("buildkite_agents.resources")
        forget("buildkite_agents.stack")
        for submodule in AWS_SUBMODULES:
            module = importlib.import_module(f"cdktf_cdktf_provider_aws.{submodule}")
            sys.modules[f"buildkite_agents.imports.aws.{submodule}"] = module
        prebuilt = synthesize()
        assert assemblies == {"imports-aws", "@cdktf/provider-aws"}, assemblies
        print(json.dumps(json.loads(carved)))
        print(json.dumps(json.loads(prebuilt)))
        """,
        str(root / "bootstrap" / "buildkite-bootstrap.sh"),
        cwd=tmp_path,
    ).splitlines()
    assert "aws_cloudformation_stack" in carved
    assert carved == prebuilt


def test_a_value_of_another_type_is_refused() -> None:
    stack = cdktf.TerraformStack(cdktf.Testing.app(), "stack")
    with pytest.raises(RuntimeError, match="Key 'bucket': Unable to deserialize value as string"):
        S3Bucket(stack, "bucket", bucket=5)  # type: ignore[arg-type]


def carve_into(target: Path, *submodules: str) -> None:
    carve(distribution=DISTRIBUTION, submodules=submodules, target=target)


@pytest.fixture(scope="module")
def carved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A carved package, for all tests to look at."""
    target = tmp_path_factory.mktemp("carved") / "aws"
    carve_into(target, "s3_object")
    return target


def test_only_the_wanted_submodules_are_carved(carved: Path) -> None:
    version = importlib.metadata.version(DISTRIBUTION)
    assert {path.name for path in carved.iterdir()} == {
        "__init__.py",
        "_jsii",
        "carved-from.txt",
        "s3_object",
    }
    with tarfile.open(carved / "_jsii" / f"{ASSEMBLY}@{version}.jsii.tgz") as tar:
        assert sorted(tar.getnames()) == [
            "package/.jsii",
            "package/lib/index.js",
            "package/lib/s3-object/index.js",
            "package/package.json",
        ]


def test_nothing_else_is_left_beside_the_carved_package(carved: Path) -> None:
    assert [path.name for path in carved.parent.iterdir()] == ["aws"]


def test_it_is_carved_anew_when_the_list_changes_and_only_then(
    carved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(carved, tmp_path / "aws")
    carve_into(tmp_path / "aws", "s3_object")
    assert capsys.readouterr().err.count("Making ") == 0
    carve_into(tmp_path / "aws", "s3_object", "iam_policy")
    assert capsys.readouterr().err.count("Making ") == 1
    assert (tmp_path / "aws" / "iam_policy").is_dir()


def test_processes_beside_each_other_carve_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from buildkite_agents.imports.carver import carve; "
        f"carve(distribution={DISTRIBUTION!r}, submodules=['s3_object'], "
        "target=Path(sys.argv[1]))"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, tmp_path / "aws"],
            env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert "".join(errors).count("Making ") == 1


def test_the_same_bytes_each_time(carved: Path, tmp_path: Path) -> None:
    carve_into(tmp_path / "again", "s3_object")
    tarballs = [next(folder.glob("_jsii/*.tgz")) for folder in (carved, tmp_path / "again")]
    assert tarballs[0].read_bytes() == tarballs[1].read_bytes()


def test_a_package_that_is_not_installed_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no-such-package is not installed for"):
        carve(distribution="no-such-package", submodules=["s3_object"], target=tmp_path / "aws")


def test_a_submodule_that_the_provider_has_not_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"@cdktf/provider-aws [\d.]+ has no no-such-thing"):
        carve_into(tmp_path / "aws", "s3_object", "no_such_thing")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot make"):
        carve_into(tmp_path / "no" / "folder" / "aws", "s3_object")


def test_every_submodule_listed_is_imported_by_the_program(root: Path) -> None:
    sources = (root / "constructs" / "buildkite_agents").rglob("*.py")
    text = "".join(source.read_text() for source in sources)
    unused = [
        name
        for name in AWS_SUBMODULES
        if f"from buildkite_agents.imports.aws.{name} import" not in text
    ]
    assert unused == []


def test_importing_the_bindings_package_makes_them() -> None:
    importlib.reload(imports)
    assert (Path(imports.__file__).parent / "aws" / "carved-from.txt").is_file()
