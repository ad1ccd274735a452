"""The tool that adds published templates to the history, compares and verifies them."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.published import history_of, newer, served, template

from buildkite_agents import ConfigError, elastic_ci_stack
from buildkite_agents.elastic_ci_stack import StackVersion, catalogue, releases

OLD = StackVersion(
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


def test_a_comparison_shows_what_is_added_removed_and_changed() -> None:
    old = OLD
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
    old = elastic_ci_stack.load("v6.71.1")
    new = replace(elastic_ci_stack.load("v7.13.0"), inferred="")
    shown = catalogue.compare(old, new)
    assert "agent: 3.137.0 -> 4.12.0" in shown.splitlines()
    assert "was not read" not in shown
    shown = catalogue.compare(old, replace(new, inferred="everything"))
    assert shown.endswith("note: the template of v7.13.0 was not read: everything; see --verify")


KEPT = ("v5.0.0", "v6.71.4", "v6.71.5", "v7.0.0", "v7.13.0")


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package's history of five versions, two of them inferred, in an empty working folder."""
    small = history_of(KEPT, inferred=["v6.71.5", "v7.13.0"])
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


def pages(*versions: StackVersion, latest: StackVersion | None = None) -> dict[str, str]:
    found = {f"/{one.version}/aws-stack.yml": template(one) for one in versions}
    return {**found, **({"/latest/aws-stack.yml": template(latest)} if latest else {})}


def run(url: str, *arguments: str) -> int:
    return catalogue.main(["--base-url", url, *arguments], default=elastic_ci_stack.HISTORY)


def test_the_newest_release_is_found_by_the_description_of_the_latest_template(
    history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release = newer("v7.14.0")
    with served(pages(latest=release)) as url:
        assert run(url, "latest") == 0
        shown = capsys.readouterr().out
        assert shown.startswith("v7.13.0 -> v7.14.0: 3 differences\nAdded ")
        assert "no program was checked: name one with --program" in shown
        assert elastic_ci_stack.known_versions()[-1] == "v7.14.0"
        assert elastic_ci_stack.load("v7.14.0").parameters == release.parameters
        written = history.read_bytes()
        assert run(url, "latest") == 0
    assert "v7.14.0 in the history -> now: 0 differences" in capsys.readouterr().out
    assert history.read_bytes() == written


def test_a_latest_template_without_a_version_is_refused(history: Path) -> None:
    text = template(newer("v7.14.0")).replace("Buildkite stack v7.14.0", "Buildkite stack")
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
    with served(pages(newer("v7.14.0"))) as url, pytest.raises(ConfigError, match=r"v7\.15\.0"):
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
    with served(pages(newer("v7.14.0"), newer("v7.5.0"))) as url:
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
    before, published = history.read_bytes(), pages(newer("v7.14.0"))
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
