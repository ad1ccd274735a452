"""The tool that adds published templates to the history, compares and verifies them."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from support.checkout import copy_checkout
from support.documented import as_main_of
from support.published import served, template

from buildkite_agents import ConfigError, elastic_ci_stack
from buildkite_agents.elastic_ci_stack import StackVersion, catalogue, releases
from buildkite_agents.elastic_ci_stack.template import read_template, stack_version

ROOT = Path(__file__).parents[3]

TEMPLATE = """
AWSTemplateFormatVersion: 2010-09-09
Description: "Buildkite stack v7.0.0"
Parameters:
  BuildkiteQueue: { Type: String, Default: default, MinLength: 1, Description: left out }
  MaxSize: { Type: Number, Default: 10, MinValue: 0 }
  Secret: { Type: String, NoEcho: true, AllowedPattern: "^a$" }
Mappings:
  AWSRegion2AMI:
    us-east-1: { linuxamd64: ami-1 }
    eu-west-1: { linuxamd64: ami-2 }
Conditions:
  UsingArmInstances: !Or
    - !Equals [ !Select [ 0, !Split [ ".", !Ref InstanceTypes ] ], "a1" ]
    - !Or
      - !Equals [ !Select [ 0, !Split [ ".", !Ref InstanceTypes ] ], "t4g" ]
  IsBurstable: !Equals [ !Select [ 0, !Split [ ".", !Ref InstanceTypes ] ], "t3" ]
  Other: !Not [ !Equals [ !Ref MaxSize, "x" ] ]
Resources:
  Role: { Type: "AWS::IAM::Role", Name: !GetAtt A.B, Sub: !Sub "${A}" }
"""


def make(text: str) -> StackVersion:
    return stack_version("v7.0.0", read_template(text))


def test_a_template_becomes_a_version() -> None:
    assert make(TEMPLATE) == StackVersion(
        version="v7.0.0",
        regions=frozenset({"us-east-1", "eu-west-1"}),
        arm64_instance_families=frozenset({"a1", "t4g"}),
        burstable_instance_families=frozenset({"t3"}),
        parameters={
            "BuildkiteQueue": {"Type": "String", "Default": "default", "MinLength": 1},
            "MaxSize": {"Type": "Number", "Default": 10, "MinValue": 0},
            "Secret": {"Type": "String", "AllowedPattern": "^a$", "NoEcho": True},
        },
    )


def test_a_template_before_version_6_is_read_by_its_parameter_of_one_instance_type() -> None:
    families = make(TEMPLATE.replace("InstanceTypes", "InstanceType")).arm64_instance_families
    assert families == {"a1", "t4g"}


def test_the_first_templates_without_arm64_images_are_readable() -> None:
    text = TEMPLATE.replace("UsingArmInstances", "Renamed")
    read = stack_version("v7.0.0", read_template(text), has_arm64=False)
    assert read.arm64_instance_families == frozenset()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a CloudFormation template"),
        ("[]", "not a CloudFormation template"),
        ("a: [", "not readable as YAML"),
        ("Resources: {}", "not a template of the Elastic CI Stack"),
        ("Resources: {}\nParameters: {Other: {}}", "not a template of the Elastic CI Stack"),
        (TEMPLATE.replace("stack v7.0.0", "stack v7.0.1"), "this is the template of v7.0.1, not"),
        (TEMPLATE.replace("UsingArmInstances", "Renamed"), "no condition of ARM"),
        (TEMPLATE.replace("AWSRegion2AMI", "Renamed"), "no mapping AWSRegion2AMI"),
        (TEMPLATE.replace("Type: Number", "Type: Integer"), "parameter MaxSize: its Type must be"),
        ("Resources: &a {x: *a}", "aliases"),
        ("x: !!python/object/apply:os.system [id]", "not readable as YAML"),
        ("Resources: {}\nx: '" + "a" * 1024 * 1024 + "'", "larger than"),
        ("[" * 5000, "not readable as YAML"),
    ],
)
def test_what_is_no_such_template_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make(text)


@given(st.lists(st.sampled_from(TEMPLATE.splitlines()), max_size=25), st.text(max_size=40))
def test_a_broken_template_is_read_or_refused_and_nothing_else(lines: list[str], tail: str) -> None:
    try:
        made = make("\n".join(lines) + tail)
    except ConfigError:
        return
    json.dumps(dict(made.parameters))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["Parameters", "Conditions", "Type", "a"]), inner)
        ),
        max_leaves=10,
    )
)
def test_any_other_yaml_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError):
        make(yaml.safe_dump({"Resources": {}, "Parameters": value}))


def test_a_comparison_shows_what_is_added_removed_and_changed() -> None:
    old = make(TEMPLATE)
    parameters = {
        "BuildkiteQueue": {**old.parameters["BuildkiteQueue"], "MinLength": 2},
        "New": {"Type": "String"},
        "Secret": old.parameters["Secret"],
    }
    new = replace(
        old,
        version="v8.0.0",
        parameters=parameters,
        regions=frozenset({"us-east-1"}),
        arm64_instance_families=frozenset({"t4g", "m9g"}),
    )
    shown = catalogue.compare(old, new)
    for row in (
        r"^MaxSize +removed",
        r"^New +added",
        r"^BuildkiteQueue +changed +MinLength: 1 -> 2",
        r"^a1 +arm64 family removed",
        r"^eu-west-1 +region removed",
        r"^m9g +arm64 family added",
    ):
        assert re.search(row, shown, re.MULTILINE), row


def test_a_comparison_shows_the_agents_and_what_was_not_read() -> None:
    shown = catalogue.compare(elastic_ci_stack.load("v6.71.1"), elastic_ci_stack.load("v7.13.0"))
    assert "agent: 3.137.0 -> 4.12.0" in shown.splitlines()
    assert "note: the template of v7.13.0 was not read: " in shown


KEPT = ("v5.0.0", "v6.71.4", "v6.71.5", "v7.0.0", "v7.13.0")


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package's history of five versions, two of them inferred, in an empty working folder."""
    whole = elastic_ci_stack.history()
    small: dict[str, Any] = {
        "versions": [],
        "inferred": {},
        "regions": [],
        "arm64_instance_families": [],
        "burstable_instance_families": [],
        "parameters": {},
    }
    for version in KEPT:
        small = releases.insert(small, version, releases.release(elastic_ci_stack.load(version)))
    small["inferred"] = whole["inferred"]
    path = tmp_path / "package" / "history.json"
    path.parent.mkdir()
    path.write_text(releases.render(small))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(elastic_ci_stack, "HISTORY", path)
    monkeypatch.delenv(releases.HISTORY_VARIABLE, raising=False)
    elastic_ci_stack.forget()
    yield path
    os.environ.pop(releases.HISTORY_VARIABLE, None)
    monkeypatch.undo()
    elastic_ci_stack.forget()


def newer(version: str = "v7.14.0") -> StackVersion:
    """A release that adds, changes and removes a parameter."""
    newest = elastic_ci_stack.load("v7.13.0")
    parameters = {
        **newest.parameters,
        "Added": {"Type": "String", "Default": ""},
        "MaxSize": {**newest.parameters["MaxSize"], "Default": 7},
    }
    del parameters["KeyName"]
    return replace(
        newest, version=version, parameters=parameters, inferred="", uncertain=frozenset()
    )


def pages(*versions: StackVersion, latest: StackVersion | None = None) -> dict[str, str]:
    found = {f"/{one.version}/aws-stack.yml": template(one) for one in versions}
    return {**found, **({"/latest/aws-stack.yml": template(latest)} if latest else {})}


def run(url: str, *arguments: str) -> int:
    return catalogue.main(["--base-url", url, *arguments], default=elastic_ci_stack.HISTORY)


def test_the_newest_release_is_found_by_the_description_of_the_latest_template(
    history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(pages(latest=newer())) as url:
        assert run(url, "latest") == 0
        shown = capsys.readouterr().out
        assert shown.startswith("v7.13.0 -> v7.14.0: 3 differences\nAdded ")
        assert "no program was checked: name one with --program" in shown
        assert elastic_ci_stack.known_versions()[-1] == "v7.14.0"
        assert elastic_ci_stack.load("v7.14.0").parameters == newer().parameters
        written = history.read_bytes()
        assert run(url, "latest") == 0
    assert "v7.14.0 in the history -> now: 0 differences" in capsys.readouterr().out
    assert history.read_bytes() == written


def test_a_latest_template_without_a_version_is_refused(history: Path) -> None:
    text = template(newer()).replace("Buildkite stack v7.14.0", "Buildkite stack")
    before = history.read_bytes()
    with (
        served({"/latest/aws-stack.yml": text}) as url,
        pytest.raises(ConfigError, match="has no version"),
    ):
        run(url, "latest")
    assert history.read_bytes() == before


def test_releases_are_inserted_at_their_places(history: Path) -> None:
    old = elastic_ci_stack.load("v6.71.4")
    backport, between = replace(old, version="v6.71.6"), newer("v7.5.0")
    with served(pages(backport, between)) as url:
        assert run(url, "v7.5.0", "v6.71.6") == 0
    assert elastic_ci_stack.known_versions() == [
        *KEPT[:3],
        "v6.71.6",
        "v7.0.0",
        "v7.5.0",
        "v7.13.0",
    ]
    assert elastic_ci_stack.load("v6.71.6").parameters == old.parameters
    assert elastic_ci_stack.load("v7.5.0").parameters == between.parameters
    assert "KeyName" in elastic_ci_stack.load("v7.13.0").parameters
    assert history.read_text() == releases.render(json.loads(history.read_text()))


def test_reading_an_inferred_release_makes_it_certain(history: Path) -> None:
    read = newer("v7.13.0")
    with served(pages(read)) as url:
        assert run(url, "v7.13.0") == 0
    now = elastic_ci_stack.load("v7.13.0")
    assert (now.inferred, now.uncertain, now.parameters) == ("", frozenset(), read.parameters)
    assert "v7.13.0" not in json.loads(history.read_text())["inferred"]


def test_a_release_before_the_oldest_is_refused(history: Path) -> None:
    with served(pages(newer("v4.5.0"))) as url, pytest.raises(ConfigError, match="older than"):
        run(url, "v4.5.0")
    assert "v4.5.0" not in history.read_text()


def test_a_release_that_is_not_published_is_refused_by_its_address(history: Path) -> None:
    before = history.read_bytes()
    with served({}) as url, pytest.raises(ConfigError, match=r"cannot fetch .*/v7.14.0/.* 403"):
        run(url, "v7.14.0")
    assert history.read_bytes() == before


def test_one_unreadable_template_of_several_writes_nothing(history: Path) -> None:
    before = history.read_bytes()
    with served(pages(newer())) as url, pytest.raises(ConfigError, match=r"v7\.15\.0"):
        run(url, "v7.14.0", "v7.15.0")
    assert history.read_bytes() == before


def published_as_known(*changed: StackVersion) -> dict[str, str]:
    known = {v: elastic_ci_stack.load(v) for v in elastic_ci_stack.known_versions()}
    return pages(*{**known, **{one.version: one for one in changed}}.values())


def test_verifying_a_correct_history_settles_what_is_inferred(
    history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(published_as_known(newer("v7.13.0"))) as url:
        assert run(url, "--verify") == 0
        shown = capsys.readouterr().out
        assert "v7.13.0 in the history -> now: 3 differences" in shown
        assert "v6.71.5 was inferred, and is now as its template declares" in shown
        assert shown.endswith("5 versions verified\n")
        assert json.loads(history.read_text())["inferred"] == {}
        assert run(url, "--verify") == 0
    assert capsys.readouterr().out == "5 versions verified\n"


def test_verifying_shows_what_differs_and_does_not_change_it(
    history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read = json.loads(history.read_text())
    history.write_text(releases.render({**read, "inferred": {}}))
    elastic_ci_stack.forget()
    before = history.read_bytes()
    answers = published_as_known(newer("v7.0.0"))
    del answers["/v6.71.4/aws-stack.yml"]
    with served(answers) as url:
        assert run(url, "--verify") == 1
    shown = capsys.readouterr().out
    assert re.search(r"^v6.71.4: cannot fetch ", shown, re.MULTILINE)
    assert "v7.0.0 in the history -> its template: " in shown
    assert re.search(r"^KeyName +removed", shown, re.MULTILINE)
    assert shown.endswith("5 versions verified: some differ\n")
    assert history.read_bytes() == before


def test_a_users_own_file_leaves_the_package_as_it_is(history: Path) -> None:
    before, own = history.read_bytes(), Path("releases.json")
    with served(pages(newer(), newer("v7.5.0"))) as url:
        options = ["--base-url", url, "--history", str(own)]
        assert catalogue.main([*options, "v7.14.0"]) == 0
        assert catalogue.main([*options, "v7.5.0"]) == 0
    assert history.read_bytes() == before
    assert list(json.loads(own.read_text())) == ["v7.5.0", "v7.14.0"]
    os.environ[releases.HISTORY_VARIABLE] = str(own)
    elastic_ci_stack.forget()
    assert elastic_ci_stack.load("v7.14.0").is_known
    assert elastic_ci_stack.load("v7.5.0").is_known


def test_the_variable_names_the_file_that_is_created(
    history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, published = history.read_bytes(), pages(newer())
    monkeypatch.setenv(releases.HISTORY_VARIABLE, "own.json")
    elastic_ci_stack.forget()
    with served(published) as url:
        assert catalogue.main(["--base-url", url, "v7.14.0"]) == 0
    assert history.read_bytes() == before
    assert list(json.loads(Path("own.json").read_text())) == ["v7.14.0"]


def test_an_installed_package_is_never_changed(history: Path) -> None:
    before = history.read_bytes()
    with pytest.raises(ConfigError, match="name a file with --history"):
        catalogue.main(["v7.14.0"])
    assert history.read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["v7"],
        ["newest"],
        ["--verify", "v7.14.0"],
        ["--compare", "v7.0.0"],
        ["--template", "file", "v7.14.0", "v7.15.0"],
    ],
)
def test_unusable_arguments_are_explained(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        catalogue.main(arguments)
    assert stopped.value.code == 2
    assert "usage: " in capsys.readouterr().err


def test_a_comparison_with_an_unknown_version_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'v9.9.9' is not in the history, .* from v5.0.0 to v"):
        catalogue.main(["--compare", "v6.21.0", "v9.9.9"])


@pytest.mark.parametrize("url", ["file:///etc", "ftp://example.com"])
def test_only_http_is_fetched(history: Path, url: str) -> None:
    assert history.exists()
    with pytest.raises(ConfigError, match="an http or https URL was expected"):
        run(url, "v7.14.0")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the documented queues in main.py, set up as this one."""
    copy = tmp_path_factory.mktemp("catalogue") / "checkout"
    copy_checkout(ROOT, copy)
    as_main_of(copy)
    imports = Path("constructs", "buildkite_agents", "imports")
    (copy / imports).resolve().joinpath("aws").symlink_to((ROOT / imports / "aws").resolve())
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
    assert not (checkout / "terraform").exists()


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
    assert "v6.71.1" in last
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
    done = run_tool(checkout, "--program", "broken.py", "--template", str(release), "v7.14.0")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith(message)
    assert history.read_bytes() == before


def test_a_release_from_a_file_is_added_to_the_checkout(checkout: Path, tmp_path: Path) -> None:
    release = tmp_path / "template.yml"
    release.write_text(template(newer()))
    done = run_tool(checkout, "--template", str(release), "v7.14.0")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("v7.13.0 -> v7.14.0: 3 differences\n")
    assert done.stdout.endswith("the queues of main.py are valid with v7.14.0\n")
    shown = run_tool(checkout, "--compare", "v7.13.0", "v7.14.0")
    assert shown.stdout == done.stdout
