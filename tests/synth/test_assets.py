"""A user's assets and local modules, which both folders have."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import cdktf
import pytest

from buildkite_agents import AgentApp, AgentQueue, AgentStack, ConfigError, Deployment
from buildkite_agents.aws.s3_object import S3Object

CLI_FOLDER, FOLDER = Path("cdktf.out/stacks/acme-prod"), Path("terraform")


@pytest.fixture(autouse=True)
def in_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project in whose folder jsii's Node.js, which keeps its working directory, is not."""
    monkeypatch.chdir(tmp_path)
    site = Path("site")
    (site / "pages").mkdir(parents=True)
    (site / "pages" / "index.html").write_text("<p>\n")
    (site / "run").write_text("#!/bin/sh\n")
    (site / "run").chmod(0o755)


def new_stack(deployment: Deployment = Deployment()) -> tuple[AgentApp, AgentStack]:  # noqa: B008
    app = AgentApp()
    queues = [AgentQueue("m5.large", name="q")]
    return app, AgentStack(app, project="acme", queues=queues, deployment=deployment)


def synth_with_asset(source: Path, type_: cdktf.AssetType) -> str:
    """Synthesize a stack with an asset, and return its path beside the configuration."""
    app, stack = new_stack()
    asset = cdktf.TerraformAsset(stack, "site", path=str(source.absolute()), type=type_)
    S3Object(stack, "object", bucket="b", key="k", source=f"${{path.module}}/{asset.path}")
    app.synth()
    return asset.path


@pytest.mark.parametrize("type_", [cdktf.AssetType.FILE, cdktf.AssetType.DIRECTORY])
def test_an_asset_is_in_both_folders(type_: cdktf.AssetType) -> None:
    file = type_ is cdktf.AssetType.FILE
    path = synth_with_asset(Path("site/run" if file else "site"), type_)
    for folder in (CLI_FOLDER, FOLDER):
        run = folder / path if file else folder / path / "run"
        assert run.read_text() == "#!/bin/sh\n"
        assert os.access(run, os.X_OK)
        if not file:
            page = folder / path / "pages" / "index.html"
            assert page.read_text() == "<p>\n"
            assert not os.access(page, os.X_OK)
    assert f"  {path}" in (FOLDER / ".buildkite-agents.sha256").read_text()


def test_an_archive_requires_no_node_on_path_and_has_the_same_bytes_elsewhere(
    tmp_path: Path,
) -> None:
    path = synth_with_asset(Path("site"), cdktf.AssetType.ARCHIVE)
    first = (FOLDER / path).read_bytes()
    assert (CLI_FOLDER / path).read_bytes() == first
    with zipfile.ZipFile(FOLDER / path) as archive:
        assert archive.namelist() == ["pages/index.html", "run"]
        assert archive.read("run") == b"#!/bin/sh\n"
        modes = [entry.external_attr >> 16 & 0o777 for entry in archive.infolist()]
        assert modes == [0o644, 0o755]
    os.utime("site/run", (0, 0))
    # CDKTF itself runs a shell for an archive, with a path that it does not quote.
    (tmp_path / "with space").mkdir()
    Path("site").rename("with space/site")
    assert synth_with_asset(Path("with space/site"), cdktf.AssetType.ARCHIVE) == path
    assert (FOLDER / path).read_bytes() == first


def test_an_asset_that_changes_or_goes_is_removed_and_nothing_of_the_users() -> None:
    before = FOLDER / synth_with_asset(Path("site"), cdktf.AssetType.DIRECTORY)
    (FOLDER / "assets" / "theirs").write_text("theirs")
    Path("site/run").write_text("changed\n")
    after = FOLDER / synth_with_asset(Path("site"), cdktf.AssetType.DIRECTORY)
    assert not before.exists()
    assert (after / "run").read_text() == "changed\n"
    new_stack()[0].synth()
    assert [path.name for path in (FOLDER / "assets").iterdir()] == ["theirs"]


def test_an_edited_copy_is_refused() -> None:
    copy = FOLDER / synth_with_asset(Path("site"), cdktf.AssetType.DIRECTORY) / "run"
    copy.write_text("edited\n")
    with pytest.raises(ConfigError, match=r"run was changed outside this program.*it is a copy of"):
        new_stack()[0].synth()
    assert copy.read_text() == "edited\n"


def test_a_changed_mode_is_out_of_date_and_written() -> None:
    copy = FOLDER / synth_with_asset(Path("site"), cdktf.AssetType.DIRECTORY) / "run"
    copy.chmod(0o644)
    app, stack = new_stack()
    cdktf.TerraformAsset(stack, "site", path=str(Path("site").absolute()))
    with pytest.raises(ConfigError, match="run is out of date"):
        app.synth(check=True)
    synth_with_asset(Path("site"), cdktf.AssetType.DIRECTORY)
    assert os.access(copy, os.X_OK)


def test_a_file_where_the_folder_of_assets_would_be_is_refused() -> None:
    FOLDER.mkdir()
    (FOLDER / "assets").write_text("theirs")
    with pytest.raises(ConfigError, match=r"assets/.* was changed outside this program"):
        synth_with_asset(Path("site"), cdktf.AssetType.DIRECTORY)
    assert [path.name for path in FOLDER.iterdir()] == ["assets"]


def test_a_name_that_the_record_cannot_have_is_refused() -> None:
    Path("site/a\nb").write_text("")
    with pytest.raises(ConfigError, match=r"a\\nb': an asset's name must consist of printable"):
        synth_with_asset(Path("site"), cdktf.AssetType.DIRECTORY)


def test_an_asset_is_written_inside_a_root_module_too() -> None:
    FOLDER.mkdir()
    app, stack = new_stack(Deployment(inside_root_module=True))
    asset = cdktf.TerraformAsset(stack, "site", path=str(Path("site").absolute()))
    app.synth()
    assert (FOLDER / asset.path / "run").exists()


def synth_with_modules(*listed: str, used: str = "./modules/a") -> subprocess.CompletedProcess[str]:
    """A program of its own, because CDKTF looks for modules in Node.js's working directory."""
    for name in ("a", "a-b"):
        Path("modules", name).mkdir(parents=True, exist_ok=True)
        Path("modules", name, "main.tf").write_text(f"# {name}\n")
    Path("cdktf.json").write_text(json.dumps({"terraformModules": listed}))
    program = f"""
import cdktf
from buildkite_agents import *
app = AgentApp()
stack = AgentStack(app, project="acme", queues=[AgentQueue("m5.large", name="q")])
cdktf.TerraformHclModule(stack, "one", source={used!r})
cdktf.TerraformAsset(stack, "site", path="site")
app.synth()
"""
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )


def source_of_module() -> str:
    source = json.loads((FOLDER / "buildkite.tf.json").read_text())["module"]["one"]["source"]
    assert isinstance(source, str)
    return source


def test_a_local_module_of_cdktf_json_is_in_both_folders() -> None:
    done = synth_with_modules("./modules/a")
    assert done.returncode == 0, done.stderr
    for folder in (CLI_FOLDER, FOLDER):
        assert (folder / source_of_module() / "main.tf").read_text() == "# a\n"


def test_modules_are_the_same_on_each_machine() -> None:
    synth_with_modules("./modules/a", "./modules/a-b")
    source = source_of_module()
    # What the folder that the modules have in common contains besides.
    Path("modules/other").write_text("")
    Path("modules/a/.terraform").mkdir()
    Path("modules/a/.terraform/lock").write_text("")
    assert synth_with_modules("./modules/a-b", "./modules/a").returncode == 0
    assert source_of_module() == source
    names = [path.name for path in (FOLDER / source).iterdir()]
    assert names == ["main.tf"]
    Path("modules/a/extra.tf").write_text("")
    synth_with_modules("./modules/a-b", "./modules/a")
    assert source_of_module() != source


def test_a_module_that_cdktf_json_does_not_list_is_refused_in_a_line() -> None:
    done = synth_with_modules("./modules/a", used="./modules/a-b")
    assert done.stderr == (
        'error: module one: its source is not among the "terraformModules" of cdktf.json: add it '
        "there\n"
    )
    assert not FOLDER.exists()


def test_modules_can_be_listed_in_the_context() -> None:
    Path("modules/a").mkdir(parents=True)
    Path("modules/a/main.tf").touch()
    program = """
import cdktf
from buildkite_agents import *
app = AgentApp(context={"cdktfRelativeModules": ["./modules/a"]})
stack = AgentStack(app, project="acme", queues=[AgentQueue("m5.large", name="q")])
cdktf.TerraformHclModule(stack, "one", source="./modules/a")
app.synth()
"""
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
    assert (FOLDER / source_of_module() / "main.tf").exists()


def test_without_cdktf_json_an_assets_path_is_relative_to_the_working_directory() -> None:
    program = """
import cdktf
from buildkite_agents import *
app = AgentApp()
stack = AgentStack(app, project="acme", queues=[AgentQueue("m5.large", name="q")])
cdktf.TerraformAsset(stack, "site", path="site/run")
app.synth()
"""
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
    assert [path.name for path in FOLDER.glob("assets/*/*/*")] == ["run"]
