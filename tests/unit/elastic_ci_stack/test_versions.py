"""The versions of the stack: their order, and what is known of those that the history lacks."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from buildkite_agents import ConfigError, elastic_ci_stack
from buildkite_agents.elastic_ci_stack import releases

WARM_POOL = {
    "WarmPoolBootstrapTimeout",
    "WarmPoolEnabled",
    "WarmPoolMaxGroupPreparedCapacity",
    "WarmPoolMinSize",
    "WarmPoolState",
}


def test_versions_are_in_the_order_of_their_numbers() -> None:
    known = elastic_ci_stack.known_versions()
    assert list(known) == sorted(known, key=elastic_ci_stack.numbers)
    assert elastic_ci_stack.is_at_least("v6.10.0", "v6.9.0")
    assert not elastic_ci_stack.is_at_least("v6.9.0", "v6.10.0")
    assert elastic_ci_stack.is_at_least("v10.0.0", "v7.0.0")


@pytest.mark.parametrize(
    "text", ["", "latest", "7.0.0", "v7.0", "v7.0.0-rc1", "v07.0.0", "v7.0.0\n"]
)
def test_text_that_is_no_version_is_older_than_every_version(text: str) -> None:
    assert elastic_ci_stack.numbers(text) == ()
    assert not elastic_ci_stack.is_usable(text)
    with pytest.raises(KeyError):
        elastic_ci_stack.load(text)


def test_a_version_before_the_oldest_is_not_loaded() -> None:
    with pytest.raises(KeyError):
        elastic_ci_stack.load("v4.5.0")


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("v7.5.0", ("v7.0.0", "v7.13.0")),
        ("v6.71.6", ("v6.71.5", "v7.0.0")),
        ("v99.0.0", ("v7.13.0", None)),
        ("v4.0.0", (None, "v5.0.0")),
        ("v6.71.4", ("v6.71.3", "v6.71.5")),
    ],
)
def test_neighbors_are_the_known_versions_around_a_version(
    version: str, expected: tuple[str | None, str | None]
) -> None:
    assert elastic_ci_stack.neighbors(version) == expected


def test_a_version_between_known_ones_has_what_they_agree_on() -> None:
    version = elastic_ci_stack.load("v6.71.6")
    old, new = (elastic_ci_stack.load(known) for known in ("v6.71.5", "v7.0.0"))
    assert not version.is_known
    assert version.uncertain == old.parameters.keys() ^ new.parameters.keys()
    assert version.has("BuildkiteAgentCancelGracePeriod") is None
    assert version.has("BuildkiteAgentCancelSignalTimeout") is None
    assert version.has("MaxSize") is True
    assert version.has("Nonsense") is False
    assert version.parameters["MaxSize"] == new.parameters["MaxSize"]
    # oldstable is accepted by one of them only.
    assert version.parameters["BuildkiteAgentRelease"] == {"Type": "String", "Default": "stable"}
    assert version.arm64_instance_families == old.arm64_instance_families


def test_a_newer_version_has_the_parameters_of_the_newest_and_perhaps_others() -> None:
    newest = elastic_ci_stack.load(elastic_ci_stack.known_versions()[-1])
    version = elastic_ci_stack.load("v99.0.0")
    assert not version.is_known
    assert version.parameters == newest.parameters
    assert version.has("MaxSize") is True
    assert version.has("ParameterOfTheFuture") is None


def test_every_version_between_two_known_ones_is_usable() -> None:
    known = elastic_ci_stack.known_versions()
    for before in known:
        major, minor, patch = elastic_ci_stack.numbers(before)
        after = f"v{major}.{minor}.{patch + 1}"
        version = elastic_ci_stack.load(after)
        assert version.is_known == (after in known)
        assert all("Type" in spec for spec in version.parameters.values())


def test_the_unread_releases_are_marked_as_inferred() -> None:
    versions = [elastic_ci_stack.load(known) for known in elastic_ci_stack.known_versions()]
    inferred = {version.version: version for version in versions if version.inferred}
    assert inferred.keys() == elastic_ci_stack.history()["inferred"].keys()
    assert all(not version.uncertain for version in versions if not version.inferred)


def test_the_inferred_parameters_of_a_known_version_are_uncertain() -> None:
    read = elastic_ci_stack.load("v7.0.0")
    for version in map(elastic_ci_stack.load, elastic_ci_stack.history()["inferred"]):
        if elastic_ci_stack.is_at_least(version.version, "v7.0.0"):
            assert version.uncertain == version.parameters.keys() - read.parameters.keys()
            assert version.uncertain >= WARM_POOL
            assert version.has("WarmPoolEnabled") is None


def test_a_release_that_is_read_makes_what_was_inferred_certain() -> None:
    known = elastic_ci_stack.load("v7.13.0")
    before = elastic_ci_stack.history()
    after = releases.insert(before, "v7.13.0", releases.release(known))
    assert "v7.13.0" not in after["inferred"]
    assert {key: after[key] for key in after if key != "inferred"} == {
        key: before[key] for key in before if key != "inferred"
    }


@pytest.mark.parametrize("version", ["v5.0.0", "v5.22.5", "v6.0.0", "v6.40.10", "v7.0.0"])
def test_inserting_a_release_that_is_there_changes_nothing_else(version: str) -> None:
    before = elastic_ci_stack.history()
    after = releases.insert(before, version, releases.release(elastic_ci_stack.load(version)))
    assert after["versions"] == before["versions"]
    assert after["parameters"] == before["parameters"]
    assert all(after[name] == before[name] for name in releases.LISTS)


def test_a_release_is_inserted_between_two_others_without_changing_them() -> None:
    before = elastic_ci_stack.history()
    old = elastic_ci_stack.load("v7.0.0")
    parameters = {**old.parameters, "Passing": {"Type": "String"}}
    del parameters["KeyName"]
    content = {**releases.release(old), "parameters": parameters}
    after = releases.insert(before, "v7.5.0", content)
    place = after["versions"].index("v7.5.0")
    assert after["versions"][place - 1 : place + 2] == ["v7.0.0", "v7.5.0", "v7.13.0"]
    assert after["parameters"]["Passing"] == [["v7.5.0", {"Type": "String"}], ["v7.13.0", None]]
    assert after["parameters"]["KeyName"][-2:] == [
        ["v7.5.0", None],
        ["v7.13.0", old.parameters["KeyName"]],
    ]
    for version in before["versions"]:
        for name in before["parameters"]:
            assert releases.at(after["parameters"][name], version) == releases.at(
                before["parameters"][name], version
            )


def test_the_history_is_as_the_tool_writes_it() -> None:
    text = elastic_ci_stack.HISTORY.read_text()
    assert releases.render(json.loads(text)) == text


@pytest.fixture
def own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A user's own file of releases, which the environment names."""
    path = tmp_path / "releases.json"
    monkeypatch.setenv(releases.HISTORY_VARIABLE, str(path))
    elastic_ci_stack.forget()
    yield path
    monkeypatch.delenv(releases.HISTORY_VARIABLE)
    elastic_ci_stack.forget()


def test_a_release_of_a_users_own_file_is_known(own_file: Path) -> None:
    own_file.write_text("{}")
    content = releases.release(elastic_ci_stack.load("v7.13.0"))
    content["parameters"]["NewInV714"] = {"Type": "String", "Default": ""}
    own_file.write_text(json.dumps({"v7.14.0": content}))
    elastic_ci_stack.forget()
    version = elastic_ci_stack.load("v7.14.0")
    assert version.is_known
    assert version.has("NewInV714") is True
    assert elastic_ci_stack.known_versions()[-1] == "v7.14.0"
    assert elastic_ci_stack.load("v7.13.0").has("NewInV714") is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot read"),
        ("{", "it is not JSON"),
        ("[]", "must be releases by version, got list"),
        ('{"v7": {}}', "'v7' is not a release"),
        ('{"v7.14.0": []}', "'v7.14.0' is not a release"),
        ('{"v7.14.0": {"regions": [1], "parameters": {}}}', "'v7.14.0' is not a release"),
    ],
)
def test_an_invalid_file_of_releases_is_refused_by_its_name(
    own_file: Path, text: str | None, message: str
) -> None:
    if text is not None:
        own_file.write_text(text)
    with pytest.raises(ConfigError, match=message) as refused:
        elastic_ci_stack.known_versions()
    assert str(own_file) in str(refused.value)
