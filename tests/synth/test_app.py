"""The output of an app."""

import gc
import json
from pathlib import Path
from typing import Any

import cdktf
import pytest
from constructs import Construct

import buildkite_agents
from buildkite_agents import (
    AgentApp,
    AgentQueue,
    AgentStack,
    ConfigError,
    Deployment,
)

QUEUES = [AgentQueue("m5.4xlarge")]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def synth(bootstrap_script: Path, **props: Any) -> None:
    app = AgentApp()
    AgentStack(
        app,
        **{"project": "conbench", "queues": QUEUES, "bootstrap_script": bootstrap_script, **props},
    )
    app.synth()


def listing(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def test_both_forms_are_written(bootstrap_script: Path) -> None:
    synth(bootstrap_script)
    assert listing("cdktf.out/stacks/conbench-prod") == [
        ".buildkite-agents.sha256",
        "buildkite-bootstrap.sh",
        "cdk.tf.json",
    ]
    assert listing("terraform") == [
        ".buildkite-agents.sha256",
        "buildkite-bootstrap.sh",
        "buildkite.tf.json",
        "main.tf.json",
        "outputs.tf.json",
        "terraform.tfvars.example",
        "variables.tf.json",
    ]


def test_both_forms_are_equivalent(bootstrap_script: Path) -> None:
    synth(bootstrap_script)

    def without_metadata(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: without_metadata(v) for k, v in value.items() if k != "//"}
        return [without_metadata(v) for v in value] if isinstance(value, list) else value

    whole = json.loads(Path("cdktf.out/stacks/conbench-prod/cdk.tf.json").read_text())
    merged: dict[str, Any] = {}
    for path in Path("terraform").glob("*.tf.json"):
        merged |= json.loads(path.read_text())
    del merged["//"]
    assert merged == without_metadata(whole)


def test_each_file_says_first_where_it_comes_from_and_has_no_metadata_of_cdktf(
    bootstrap_script: Path,
) -> None:
    synth(bootstrap_script)
    for path in Path("terraform").glob("*.tf.json"):
        _, first, *others = path.read_text().splitlines()
        assert "Change the program, such as main.py, and not this file." in first
        assert '"//"' not in "".join(others)


def test_the_folder_can_be_set(bootstrap_script: Path) -> None:
    synth(bootstrap_script, deployment=Deployment(folder=Path("infra/agents")))
    assert "buildkite.tf.json" in listing("infra/agents")
    assert not Path("terraform").exists()


def test_inside_a_root_module_only_resources_are_written(bootstrap_script: Path) -> None:
    Path("terraform").mkdir()
    synth(bootstrap_script, deployment=Deployment(inside_root_module=True))
    assert listing("terraform") == [
        ".buildkite-agents.sha256",
        "buildkite-bootstrap.sh",
        "buildkite.tf.json",
    ]
    content = json.loads(Path("terraform/buildkite.tf.json").read_text())
    assert content.keys() == {"//", "check", "locals", "moved", "resource"}
    assert content["locals"]["buildkite_agents"] == {
        "amd64-m5-4xlarge-linux": "${aws_cloudformation_stack.amd64-m5-4xlarge-linux}"
    }


def test_a_root_module_that_does_not_exist_is_refused(bootstrap_script: Path) -> None:
    with pytest.raises(ConfigError, match="infra is not a folder, and inside_root_module requires"):
        synth(bootstrap_script, deployment=Deployment(folder="infra", inside_root_module=True))
    assert not Path("infra").exists()


def test_a_check_fails_where_the_files_are_not_those_of_the_program(
    bootstrap_script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synth(bootstrap_script)
    before = Path("terraform/buildkite.tf.json").read_bytes()
    monkeypatch.setattr("sys.argv", ["main.py", "--check"])
    synth(bootstrap_script)
    with pytest.raises(ConfigError, match=r"terraform/buildkite\.tf\.json is out of date"):
        synth(bootstrap_script, queues=[AgentQueue("m5.4xlarge", max_size=7)])
    assert Path("terraform/buildkite.tf.json").read_bytes() == before


def test_a_check_says_that_the_folder_is_up_to_date(
    bootstrap_script: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    synth(bootstrap_script)
    assert capsys.readouterr().out.startswith("conbench-prod -> ")
    monkeypatch.setattr("sys.argv", ["main.py", "--check"])
    synth(bootstrap_script)
    first = capsys.readouterr().out.splitlines()[0]
    assert first == f"conbench-prod: {Path('terraform').absolute()}/ is up to date"


@pytest.mark.parametrize(
    "argument",
    ["--chec", "--chek", "--cehck", "--chk", "--Check", "--check=true"],
)
def test_a_mistyped_check_is_refused_and_writes_nothing(
    bootstrap_script: Path, monkeypatch: pytest.MonkeyPatch, argument: str
) -> None:
    monkeypatch.setattr("sys.argv", ["main.py", argument])
    with pytest.raises(ConfigError, match=r"unknown argument .* \(did you mean --check\?\)"):
        synth(bootstrap_script)
    assert not Path("terraform").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--verbose"],
        ["staging"],
        ["check"],
        ["checks"],
        ["-check"],
        ["--checks"],
        ["--recheck"],
        ["--chunk"],
        ["--chek", "x"],
        ["-k", "check"],
        ["--checkpoint", "x"],
        ["--", "ch"],
    ],
)
def test_a_program_can_have_arguments_of_its_own(
    bootstrap_script: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["main.py", *arguments])
    synth(bootstrap_script)
    assert Path("terraform").exists()


def test_another_deployment_in_a_folder_is_warned_of(
    bootstrap_script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    synth(bootstrap_script)
    synth(bootstrap_script, queues=[*QUEUES, AgentQueue("c6a.4xlarge")])
    assert capsys.readouterr().err == ""
    synth(bootstrap_script, project="acme")
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.startswith(f"warning: {Path('terraform').absolute()}/ was of conbench-prod, and")
    assert " is now of acme-prod: an apply there destroys the former stacks" in warning


def test_environments_are_stacks_in_folders_of_their_own(bootstrap_script: Path) -> None:
    app = AgentApp()
    for environment in ("prod", "staging"):
        AgentStack(
            app,
            project="conbench",
            environment=environment,
            queues=QUEUES,
            bootstrap_script=bootstrap_script,
        )
    app.synth()
    assert listing("cdktf.out/stacks") == ["conbench-prod", "conbench-staging"]
    assert listing("terraform") == listing("terraform-staging")


def test_environments_in_one_folder_are_refused(bootstrap_script: Path) -> None:
    app = AgentApp()
    for environment in ("prod", "staging"):
        AgentStack(
            app,
            project="conbench",
            environment=environment,
            queues=QUEUES,
            bootstrap_script=bootstrap_script,
            deployment=Deployment(folder=Path("infra")),
        )
    with pytest.raises(ConfigError, match="conbench-prod and conbench-staging both write to infra"):
        app.synth()
    assert not Path("infra").exists()


def test_one_environment_twice_is_refused(bootstrap_script: Path) -> None:
    app = AgentApp()
    AgentStack(app, project="conbench", queues=QUEUES, bootstrap_script=bootstrap_script)
    AgentStack(app, project="conbench", queues=QUEUES, bootstrap_script=bootstrap_script)
    with pytest.raises(ConfigError, match="there is a stack 'conbench-prod' already"):
        app.synth()


def test_a_stack_below_another_construct_is_written(bootstrap_script: Path) -> None:
    app = AgentApp()
    AgentStack(
        Construct(Construct(app, "division"), "team"),
        project="conbench",
        queues=[AgentQueue("m5.4xlarge", min_size=1)],
        bootstrap_script=bootstrap_script,
    )
    app.synth()
    assert "buildkite.tf.json" in listing("terraform")
    assert listing("cdktf.out/stacks/conbench-prod") == [
        ".buildkite-agents.sha256",
        "buildkite-bootstrap.sh",
        "cdk.tf.json",
    ]


def test_one_name_below_two_constructs_is_refused(bootstrap_script: Path) -> None:
    app = AgentApp()
    for team in "ab":
        AgentStack(
            Construct(app, team),
            project="conbench",
            queues=QUEUES,
            bootstrap_script=bootstrap_script,
        )
    with pytest.raises(ConfigError, match="there is a stack 'conbench-prod' already"):
        app.synth()


def test_every_problem_of_every_stack_is_reported_together(bootstrap_script: Path) -> None:
    app = AgentApp()
    bad = [AgentQueue("m5.large", name="q", max_size=-1, idle_minutes=-1)]
    AgentStack(
        app, project="conbench", environment="prod", queues=bad, bootstrap_script=bootstrap_script
    )
    AgentStack(
        app, project="conbench", environment="staging", queues=bad, bootstrap_script="no-script"
    )
    with pytest.raises(ConfigError) as refused:
        app.synth()
    assert str(refused.value).splitlines() == [
        "error: conbench-prod: queue 'q': max_size must be at least 0, got -1",
        "error: conbench-prod: queue 'q': idle_minutes must be at least 0, got -1",
        "error: conbench-staging: bootstrap_script: there is no file 'no-script'",
        "error: conbench-staging: queue 'q': max_size must be at least 0, got -1",
        "error: conbench-staging: queue 'q': idle_minutes must be at least 0, got -1",
    ]
    assert not Path("cdktf.out/manifest.json").exists()


def test_a_refused_stack_does_not_pass_for_an_empty_one(bootstrap_script: Path) -> None:
    bad = [AgentQueue("m5.large", name="q", max_size=-1)]
    stack = AgentStack(
        AgentApp(), project="conbench", queues=bad, bootstrap_script=bootstrap_script
    )
    for use in (
        lambda: cdktf.Testing.synth(stack),
        lambda: cdktf.Testing.synth(stack, True),
        lambda: cdktf.Testing.full_synth(stack),
        lambda: stack.queues,
        lambda: stack.secrets_bucket,
    ):
        # In a callback from Node.js, jsii wraps the error.
        with pytest.raises(
            (ConfigError, RuntimeError), match="queue 'q': max_size must be at least 0"
        ):
            use()


def test_an_edited_script_is_kept_and_reported(bootstrap_script: Path) -> None:
    synth(bootstrap_script)
    script = Path("terraform/buildkite-bootstrap.sh")
    script.write_text("echo edited\n")
    with pytest.raises(
        ConfigError, match=r"buildkite-bootstrap\.sh was changed outside this program"
    ):
        synth(bootstrap_script, queues=[AgentQueue("c6a.4xlarge")])
    assert script.read_text() == "echo edited\n"
    assert "c6a" not in Path("terraform/buildkite.tf.json").read_text()


def test_a_conflicting_file_is_reported_in_one_line_and_kept(
    bootstrap_script: Path,
) -> None:
    Path("file").write_text("theirs")
    Path("loop").symlink_to("loop")
    for folder in ("file", "file/below", "loop", "loop/below"):
        with pytest.raises(ConfigError, match=folder.partition("/")[0]) as refused:
            synth(bootstrap_script, deployment=Deployment(folder=folder))
        assert len(str(refused.value).splitlines()) == 1
    for outdir in ("file", "loop"):
        with pytest.raises(ConfigError, match=outdir) as refused:
            AgentApp(outdir=Path(outdir))
        assert len(str(refused.value).splitlines()) == 1
    assert Path("file").read_text() == "theirs"
    assert Path("loop").is_symlink()


def test_with_a_damaged_record_nothing_is_overwritten(
    bootstrap_script: Path,
) -> None:
    synth(bootstrap_script)
    record = Path("terraform/.buildkite-agents.sha256")
    record.write_bytes(b"\xff\xfe  ../outside\n\x00")
    synth(bootstrap_script)  # overwriting the same content loses nothing
    record.write_bytes(b"\xff\xfe  ../outside\n\x00")
    before = Path("terraform/buildkite.tf.json").read_bytes()
    with pytest.raises(ConfigError, match=r"buildkite\.tf\.json"):
        synth(bootstrap_script, queues=[AgentQueue("c6a.4xlarge")])
    assert Path("terraform/buildkite.tf.json").read_bytes() == before


def test_one_folders_conflict_keeps_the_others_from_being_written(bootstrap_script: Path) -> None:
    Path("terraform-staging").mkdir()
    Path("terraform-staging/main.tf.json").write_text("theirs")
    app = AgentApp()
    for environment in ("prod", "staging"):
        AgentStack(
            app,
            project="conbench",
            environment=environment,
            queues=QUEUES,
            bootstrap_script=bootstrap_script,
        )
    with pytest.raises(ConfigError, match=r"terraform-staging/main\.tf\.json"):
        app.synth()
    assert not Path("terraform").exists()


def test_the_folders_own_script_can_be_the_source_and_stays_its_owners() -> None:
    script = Path("terraform/buildkite-bootstrap.sh")
    script.parent.mkdir()
    for text in ("echo first\n", "echo edited\n"):
        script.write_text(text)
        synth(script)
        assert script.read_text() == text
        assert Path("cdktf.out/stacks/conbench-prod/buildkite-bootstrap.sh").read_text() == text


def test_a_warning_is_shown_once_and_fails_nothing(
    bootstrap_script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spot = AgentQueue("m5.4xlarge", name="cheap", on_demand_percentage=0)
    synth(bootstrap_script, queues=[spot])
    shown = capsys.readouterr().err
    assert shown.count("warning: ") == 1
    assert shown.startswith("warning: queue 'cheap': on_demand_percentage below 100 uses Spot")
    assert Path("terraform/buildkite.tf.json").exists()


def test_a_path_of_this_machine_is_warned_of(
    bootstrap_script: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = AgentApp()
    stack = AgentStack(app, project="acme", queues=QUEUES, bootstrap_script=bootstrap_script)
    file = Path("motd").absolute()
    cdktf.TerraformOutput(stack, "motd", value=f'${{file("{file}")}}')
    app.synth()
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.startswith(
        f"warning: terraform/outputs.tf.json has {file}, a path of this machine: "
    )


@pytest.mark.parametrize("collecting", [True, False])
def test_importing_it_restores_garbage_collection(collecting: bool) -> None:
    try:
        if not collecting:
            gc.disable()
        buildkite_agents.__getattr__("AgentApp")
        assert gc.isenabled() is collecting
    finally:
        gc.enable()
