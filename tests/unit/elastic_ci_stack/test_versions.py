"""The versions of the stack: their order, and what is known of those that the history lacks."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildkite_agents import ConfigError, elastic_ci_stack
from buildkite_agents.elastic_ci_stack import releases


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
        ("v6.71.6", ("v6.9.0", "v7.0.0")),
        ("v99.0.0", ("v7.13.0", None)),
        ("v4.0.0", (None, "v5.0.0")),
        ("v7.0.0", ("v6.9.0", "v7.13.0")),
    ],
)
def test_neighbors_are_the_known_versions_around_a_version(
    monkeypatch: pytest.MonkeyPatch, version: str, expected: tuple[str | None, str | None]
) -> None:
    known = ["v5.0.0", "v6.9.0", "v7.0.0", "v7.13.0"]
    monkeypatch.setattr(elastic_ci_stack, "known_versions", lambda: known)
    assert elastic_ci_stack.neighbors(version) == expected


def test_a_version_between_known_ones_has_what_they_agree_on() -> None:
    version = elastic_ci_stack.load("v6.999.0")
    before, after = elastic_ci_stack.neighbors("v6.999.0")
    old, new = (elastic_ci_stack.load(str(known)) for known in (before, after))
    assert not version.is_known
    assert version.uncertain == old.parameters.keys() ^ new.parameters.keys()
    assert version.has("BuildkiteAgentCancelGracePeriod") is None
    assert version.has("BuildkiteAgentCancelSignalTimeout") is None
    assert version.has("MaxSize") is True
    assert version.has("Nonsense") is False
    assert version.parameters["MaxSize"] == new.parameters["MaxSize"]
    # oldstable is accepted by one of them only.
    assert version.parameters["BuildkiteAgentRelease"] == {"Type": "String", "Default": "stable"}
    assert version.arm64_instance_families == (
        old.arm64_instance_families & new.arm64_instance_families
    )


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


def test_what_an_inferred_version_adds_to_the_version_before_it_is_uncertain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = elastic_ci_stack.load("v7.0.0")
    added = {**read.parameters, "Added": {"Type": "String"}}
    content = {**releases.release(read), "parameters": added}
    history = releases.insert(elastic_ci_stack.history(), "v7.0.1", content)
    history["inferred"]["v7.0.1"] = "that it adds a parameter"
    monkeypatch.setattr(elastic_ci_stack, "history", lambda: history)
    inferred = elastic_ci_stack.load.__wrapped__("v7.0.1")
    assert (inferred.inferred, inferred.is_known) == ("that it adds a parameter", True)
    assert inferred.uncertain == {"Added"}
    assert inferred.has("Added") is None
    assert inferred.has("MaxSize") is True


@pytest.mark.parametrize("version", ["v5.0.0", "v5.22.5", "v6.0.0", "v6.40.10", "v7.0.0"])
def test_inserting_a_release_that_is_there_changes_nothing_else(version: str) -> None:
    before = elastic_ci_stack.history()
    after = releases.insert(before, version, releases.release(elastic_ci_stack.load(version)))
    assert after["versions"] == before["versions"]
    assert after["parameters"] == before["parameters"]
    assert all(after[name] == before[name] for name in releases.LISTS)


def test_a_release_is_inserted_between_two_others_without_changing_them() -> None:
    before = elastic_ci_stack.history()
    version = "v6.999.0"
    last, following = elastic_ci_stack.neighbors(version)
    old = elastic_ci_stack.load(str(last))
    parameters = {**old.parameters, "Passing": {"Type": "String"}}
    del parameters["KeyName"]
    content = {**releases.release(old), "parameters": parameters}
    after = releases.insert(before, version, content)
    place = after["versions"].index(version)
    assert after["versions"][place - 1 : place + 2] == [last, version, following]
    assert after["parameters"]["Passing"] == [[version, {"Type": "String"}], [following, None]]
    assert after["parameters"]["KeyName"][-2:] == [
        [version, None],
        [following, old.parameters["KeyName"]],
    ]
    for known in before["versions"]:
        for name, entries in before["parameters"].items():
            now = releases.at(after["parameters"][name], known)
            assert now == releases.at(entries, known)


VERSIONS = st.lists(
    st.builds("v{}.{}.{}".format, st.integers(5, 7), st.integers(0, 12), st.integers(0, 1)),
    unique=True,
    min_size=1,
    max_size=8,
)
RELEASES = st.fixed_dictionaries(
    {
        **{name: st.lists(st.sampled_from("abc"), unique=True) for name in releases.LISTS},
        "parameters": st.dictionaries(
            st.sampled_from("PQR"),
            st.fixed_dictionaries({"Type": st.sampled_from(["String", "N"])}),
        ),
    }
)


@given(st.data())
def test_releases_can_be_inserted_in_any_order(data: st.DataObject) -> None:
    contents: dict[str, Any] = {version: data.draw(RELEASES) for version in data.draw(VERSIONS)}
    histories = []
    for order in (sorted(contents), data.draw(st.permutations(sorted(contents)))):
        history: dict[str, Any] = {"versions": [], "inferred": {}, "parameters": {}}
        history |= {name: [] for name in releases.LISTS}
        for version in order:
            history = releases.insert(history, version, contents[version])
        histories.append(history)
    assert histories[0] == histories[1]
    for version, content in contents.items():
        for name in "PQR":
            declared = releases.at(histories[0]["parameters"].get(name, []), version)
            assert declared == content["parameters"].get(name)
        for name in releases.LISTS:
            assert releases.at(histories[0][name], version) == sorted(content[name])


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
    content["parameters"]["Added"] = {"Type": "String", "Default": ""}
    own_file.write_text(json.dumps({"v99.0.0": content}))
    elastic_ci_stack.forget()
    version = elastic_ci_stack.load("v99.0.0")
    assert version.is_known
    assert version.has("Added") is True
    assert elastic_ci_stack.known_versions()[-1] == "v99.0.0"
    assert elastic_ci_stack.load("v7.13.0").has("Added") is False


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
