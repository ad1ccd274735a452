"""The carved AWS bindings."""

import ast
import importlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import cdktf
import pytest
from support.checkout import copy_checkout

from buildkite_agents import ConfigError, bindings
from buildkite_agents.aws.s3_bucket import S3Bucket
from buildkite_agents.bindings import ASSEMBLY, AWS_SUBMODULES, carve, ensure_bindings, share

DISTRIBUTION = "cdktf-cdktf-provider-aws"


def test_a_value_of_another_type_is_refused() -> None:
    stack = cdktf.TerraformStack(cdktf.Testing.app(), "stack")
    with pytest.raises(RuntimeError, match="Key 'bucket': Unable to deserialize value as string"):
        S3Bucket(stack, "bucket", bucket=5)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def carved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A carved package, shared by all tests."""
    target = tmp_path_factory.mktemp("carved")
    carve(target, ["s3_object"])
    return target


def test_only_the_wanted_submodules_are_carved(carved: Path) -> None:
    version = importlib.metadata.version(DISTRIBUTION)
    assert {path.name for path in carved.iterdir()} == {"_jsii", "s3_object"}
    with tarfile.open(carved / "_jsii" / f"{ASSEMBLY}@{version}.jsii.tgz") as tar:
        assert sorted(tar.getnames()) == [
            "package/.jsii",
            "package/lib/index.js",
            "package/lib/s3-object/index.js",
            "package/package.json",
        ]


def contents(tarball: Path, submodule: str) -> tuple[dict[str, Any], str]:
    """The types and the JavaScript of a submodule in an assembly, without its source map."""
    with tarfile.open(tarball) as tar:

        def read(name: str) -> str:
            file = tar.extractfile(f"package/{name}")
            assert file is not None
            return file.read().decode()

        assembly = json.loads(read(".jsii"))
        types = {
            name: type_
            for name, type_ in assembly["types"].items()
            if type_.get("namespace") == submodule
        }
        folder = re.sub(r"([A-Z])", r"-\1", submodule).lower()
        script = read(f"lib/{folder}/index.js")
    return types, re.sub(r"^//# sourceMappingURL=.*\n?", "", script, flags=re.MULTILINE)


def syntax(module: Path) -> str:
    """A module's syntax tree, without the checks that ``python -O`` also omits."""
    tree = ast.parse(module.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.body = [
                line
                for line in node.body
                if not (
                    isinstance(line, ast.If)
                    and isinstance(line.test, ast.Name)
                    and line.test.id == "__debug__"
                )
            ] or [ast.Pass()]
    return ast.unparse(tree)


def test_the_carved_package_equals_the_prebuilt_one_except_for_its_name(carved: Path) -> None:
    version = importlib.metadata.version(DISTRIBUTION)
    spec = importlib.util.find_spec("cdktf_cdktf_provider_aws")
    assert spec is not None
    assert spec.origin is not None
    prebuilt = Path(spec.origin).parent

    types, script = contents(carved / "_jsii" / f"{ASSEMBLY}@{version}.jsii.tgz", "s3Object")
    prebuilt_types, prebuilt_script = contents(
        prebuilt / "_jsii" / f"provider-aws@{version}.jsii.tgz", "s3Object"
    )

    def renamed(text: str) -> str:
        return text.replace("@cdktf/provider-aws.", f"{ASSEMBLY}.")

    assert script.rstrip() == renamed(prebuilt_script).rstrip()
    wanted = json.loads(renamed(json.dumps(prebuilt_types)))
    for type_ in wanted.values():
        type_["assembly"] = ASSEMBLY
    assert types == wanted

    module = renamed(syntax(prebuilt / "s3_object" / "__init__.py"))
    future = "from __future__ import annotations\n"
    assert syntax(carved / "s3_object" / "__init__.py").replace(future, "", 1) == module


def test_it_is_carved_again_only_when_the_list_changes(
    carved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(carved, tmp_path, dirs_exist_ok=True)
    carve(tmp_path, ["s3_object"])
    assert capsys.readouterr().err.count("Creating ") == 0
    carve(tmp_path, ["iam_policy"])
    assert capsys.readouterr().err.count("Creating ") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"_jsii", "iam_policy"}


def test_what_a_killed_process_left_is_replaced(carved: Path, tmp_path: Path) -> None:
    shutil.copytree(carved / "s3_object", tmp_path / "s3_object")
    (tmp_path / "s3_object" / "__init__.py").write_text("incomplete")
    (tmp_path / ".new-killed").mkdir()
    (tmp_path / "__init__.py").touch()
    carve(tmp_path, ["s3_object"])
    assert (tmp_path / "s3_object" / "__init__.py").stat().st_size > 1000
    assert {path.name for path in tmp_path.iterdir()} == {"__init__.py", "_jsii", "s3_object"}


@pytest.mark.parametrize("damaged", ["_jsii/*.tgz", "_jsii/__init__.py", "s3_object/__init__.py"])
@pytest.mark.parametrize("is_deleted", [True, False])
def test_what_is_damaged_is_carved_again(
    damaged: str, *, is_deleted: bool, carved: Path, tmp_path: Path
) -> None:
    shutil.copytree(carved, tmp_path, dirs_exist_ok=True)
    (path,) = tmp_path.glob(damaged)
    whole = path.read_bytes()
    path.unlink()
    if not is_deleted:
        path.write_bytes(whole[:100])
    carve(tmp_path, ["s3_object"])
    assert path.read_bytes() == whole


def test_processes_beside_each_other_carve_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from buildkite_agents.bindings import carve; "
        "carve(Path(sys.argv[1]), ['s3_object'])"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, tmp_path],
            env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert "".join(errors).count("Creating ") == 1


def test_the_same_bytes_each_time(carved: Path, tmp_path: Path) -> None:
    carve(tmp_path, ["s3_object"])
    tarballs = [next(folder.glob("_jsii/*.tgz")) for folder in (carved, tmp_path)]
    assert tarballs[0].read_bytes() == tarballs[1].read_bytes()


def test_a_package_that_is_not_installed_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no-such-package is not installed for"):
        carve(tmp_path, ["s3_object"], distribution="no-such-package")


def test_a_submodule_that_the_provider_does_not_have_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"@cdktf/provider-aws [\d.]+ has no no-such-thing"):
        carve(tmp_path, ["s3_object", "no_such_thing"])
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot create"):
        carve(tmp_path / "no" / "folder", ["s3_object"])


@pytest.fixture
def read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package's folder, which only another user can write to."""
    monkeypatch.setattr("os.access", lambda _path, _mode: False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    own = tmp_path / "site-packages" / "buildkite_agents" / "aws"
    own.mkdir(parents=True)
    return own


def test_where_the_package_is_read_only_they_are_in_the_users_cache(
    read_only: Path, tmp_path: Path
) -> None:
    folder = ensure_bindings(read_only)
    assert folder.is_relative_to(tmp_path / "cache" / "buildkite-agents" / "bindings")
    assert (folder / "s3_bucket").is_dir()
    assert list(read_only.iterdir()) == []
    shutil.copytree(folder, read_only, dirs_exist_ok=True)
    assert ensure_bindings(read_only) == read_only


def test_without_any_writable_folder_it_says_which_variable_to_set(
    read_only: Path, tmp_path: Path
) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(ConfigError, match=r"can be written to .*: set XDG_CACHE_HOME"):
        ensure_bindings(read_only)


def test_every_submodule_listed_is_imported_by_the_program(root: Path) -> None:
    sources = (root / "constructs" / "buildkite_agents").rglob("*.py")
    text = "".join(source.read_text() for source in sources)
    unused = [
        name for name in AWS_SUBMODULES if f"from buildkite_agents.aws.{name} import" not in text
    ]
    assert unused == []


def test_imports_aws_has_the_same_classes(root: Path) -> None:
    share(root / "imports")
    assert importlib.import_module("imports.aws.s3_bucket").S3Bucket is S3Bucket


def test_mypy_knows_the_classes_in_imports_aws(root: Path, tmp_path: Path) -> None:
    share(tmp_path / "imports")
    (tmp_path / "program.py").write_text(
        "import cdktf\n"
        "from imports.aws.s3_bucket import S3Bucket\n"
        'stack = cdktf.TerraformStack(cdktf.App(), "stack")\n'
        'S3Bucket(stack, "right", bucket="name")\n'
        'S3Bucket(stack, "wrong", bucket=5)\n'
    )
    options = ["--strict", "--namespace-packages", "--explicit-package-bases"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "--follow-imports=silent", "program.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": f"{root / 'constructs'}:."},
        capture_output=True,
        text=True,
        check=False,
    )
    (error, _) = done.stdout.splitlines()
    assert error.startswith('program.py:5: error: Argument "bucket" to "S3Bucket"')


def test_each_submodule_is_shared(tmp_path: Path) -> None:
    share(tmp_path / "imports")
    shared = {path.parent.name for path in tmp_path.glob("imports/aws/*/__init__.py")}
    assert shared == {*AWS_SUBMODULES}
    assert [path.name for path in (tmp_path / "imports").iterdir()] == ["aws"]


def test_what_is_shared_follows_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    share(tmp_path)
    monkeypatch.setattr(bindings, "AWS_SUBMODULES", ("s3_object",))
    share(tmp_path)
    assert {path.name for path in (tmp_path / "aws").iterdir()} == {"__init__.py", "s3_object"}


def test_the_users_own_imports_aws_is_kept(tmp_path: Path) -> None:
    theirs = tmp_path / "aws" / "__init__.py"
    theirs.parent.mkdir()
    theirs.write_text("from ._jsii import *\n")
    share(tmp_path)
    assert list(tmp_path.rglob("*.py")) == [theirs]
    assert theirs.read_text() == "from ._jsii import *\n"


def test_imports_that_cannot_be_written_to_are_not_needed(tmp_path: Path) -> None:
    (tmp_path / "imports").touch()
    share(tmp_path / "imports")


def test_mypy_finds_imports_aws_where_no_program_has_run(root: Path, tmp_path: Path) -> None:
    copy_checkout(root, tmp_path)
    assert not (tmp_path / "imports" / "aws").exists()
    (tmp_path / "program.py").write_text("from imports.aws.s3_bucket import S3Bucket\nS3Bucket()\n")
    mypy = [sys.executable, "-m", "mypy", "--config-file", os.devnull, "--strict", "program.py"]
    done = subprocess.run(mypy, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
