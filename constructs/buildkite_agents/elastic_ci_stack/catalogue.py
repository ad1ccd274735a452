"""Add releases of the Elastic CI Stack to the history, compare versions, and verify the history.

    latest                              # the newest published release
    v7.14.0 v7.14.1                     # any releases: they are inserted at their places
    --template FILE v7.14.0             # from a file instead of the published template
    --compare v6.71.1 v7.13.0           # what changes between two versions
    --verify                            # read all published templates again

Adding a release prints what it adds, removes and changes, and the problems of the program's queues
with it. Verifying prints what differs from the history, with exit status 1 where anything does; the
versions whose templates had not been read are corrected in the history.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from buildkite_agents import elastic_ci_stack
from buildkite_agents.elastic_ci_stack import StackVersion, agents, program, releases
from buildkite_agents.elastic_ci_stack.download import download
from buildkite_agents.elastic_ci_stack.template import (
    ATTRIBUTES,
    LARGEST_TEMPLATE,
    read_template,
    stack_version,
    version_of,
)
from buildkite_agents.errors import ConfigError

BASE_URL = "https://s3.amazonaws.com/buildkite-aws-stack"
"""Where Buildkite publishes the templates: ``VERSION/aws-stack.yml``."""

_TEMPLATE = "{base_url}/{folder}/aws-stack.yml"

LATEST = "latest"
"""The folder of the newest stable release's template, whose description has its version.

https://github.com/buildkite/elastic-ci-stack-for-aws/blob/main/.buildkite/steps/publish.sh
"""

_MAIN = Path("main.py")


def compare(old: StackVersion, new: StackVersion, title: str = "") -> str:
    """Format the differences between two versions as a table."""
    rows = differences(old, new)
    width = max((len(row[0]) for row in rows), default=0)
    lines = [f"{title or f'{old.version} -> {new.version}'}: {len(rows)} differences"]
    lines += [f"{name:{width}}  {what:23}  {how}" for name, what, how in rows]
    if not title:
        before, after = _agent(old.version), _agent(new.version)
        if before != after:
            lines.append(f"agent: {before} -> {after}")
        lines += [
            f"note: the template of {one.version} was not read: {one.inferred}; see --verify"
            for one in (old, new)
            if one.inferred
        ]
    return "\n".join(lines)


def _agent(version: str) -> str:
    agent = agents.agent_of(version)
    return "unknown" if agent is None else agent.version


def differences(old: StackVersion, new: StackVersion) -> list[tuple[str, str, str]]:
    """The differences between two versions, by name: what changed, and how."""
    before, after = old.parameters, new.parameters
    rows = [(name, "added", _short(after[name])) for name in after.keys() - before.keys()]
    rows += [(name, "removed", "") for name in before.keys() - after.keys()]
    for name in before.keys() & after.keys():
        rows += [
            (
                name,
                "changed",
                f"{key}: {_short(before[name].get(key))} -> {_short(after[name].get(key))}",
            )
            for key in ATTRIBUTES
            if before[name].get(key) != after[name].get(key)
        ]
    for what, attribute in (
        ("arm64 family", "arm64_instance_families"),
        ("burstable family", "burstable_instance_families"),
        ("region", "regions"),
    ):
        had, has = getattr(old, attribute), getattr(new, attribute)
        rows += [(name, f"{what} removed", "") for name in had - has]
        rows += [(name, f"{what} added", "") for name in has - had]
    return sorted(rows)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 100 else text[:97] + "..."


def add(file: Path, new: StackVersion) -> str:
    """Insert a release into a history file, and return what it changes.

    The file is the package's own history, or one of further releases, which is created if it does
    not exist.
    """
    known = new.version in elastic_ci_stack.known_versions()
    previous, _ = elastic_ci_stack.neighbors(new.version)
    if known:
        old, title = elastic_ci_stack.load(new.version), f"{new.version} in the history -> now"
    elif previous is not None:
        old, title = elastic_ci_stack.load(previous), ""
    else:
        oldest = elastic_ci_stack.known_versions()[0]
        raise ConfigError(
            f"{new.version} is older than {oldest}, the oldest version in the history"
        )
    if old.arm64_instance_families and not new.arm64_instance_families:
        raise ConfigError(f"{new.version} has no arm64 instance families, unlike {old.version}")
    shown = compare(old, new, title)
    if not known or old.inferred or differences(old, new):
        _insert(file, new)
    return shown


def _insert(file: Path, new: StackVersion) -> None:
    content = releases.release(new)
    if _is_the_packages(file):
        history = json.loads(elastic_ci_stack.HISTORY.read_text(encoding="utf-8"))
        text = releases.render(releases.insert(history, new.version, content))
    else:
        others = releases.additional(file) if file.exists() else {}
        merged = {**others, new.version: content}
        text = json.dumps(
            {one: merged[one] for one in sorted(merged, key=elastic_ci_stack.numbers)}, indent=1
        )
    _write(file, text if text.endswith("\n") else f"{text}\n")
    _use(file)


def _is_the_packages(file: Path) -> bool:
    return file.resolve() == elastic_ci_stack.HISTORY.resolve()


def _use(file: Path) -> None:
    """Have this process read a history file, as programs do that name it in their environment."""
    os.environ.pop(releases.HISTORY_VARIABLE, None)
    if not _is_the_packages(file) and file.exists():
        os.environ[releases.HISTORY_VARIABLE] = str(file)
    elastic_ci_stack.forget()


def _write(path: Path, text: str) -> None:
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, delete=False, encoding="utf-8"
        ) as file:
            file.write(text)
        Path(file.name).chmod(0o644)
        Path(file.name).replace(path)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None


def verify(file: Path, base_url: str) -> bool:
    """Compare the history with all published templates, and print what differs.

    Versions that were inferred are corrected in *file*. Returns whether nothing else differs.
    """
    versions = list(elastic_ci_stack.known_versions())

    def read(version: str) -> StackVersion | ConfigError:
        known = elastic_ci_stack.load(version)
        try:
            template = read_template(_published(base_url, version))
            return stack_version(version, template, has_arm64=bool(known.arm64_instance_families))
        except ConfigError as error:
            return error

    with ThreadPoolExecutor(8) as pool:
        published = list(pool.map(read, versions))
    same = True
    for version, now in zip(versions, published, strict=True):
        known = elastic_ci_stack.load(version)
        if isinstance(now, ConfigError):
            print(f"{version}: {'; '.join(map(str, now.problems))}")
            same = False
        elif known.inferred:
            print(add(file, now))
            print(f"{version} was inferred, and is now as its template declares")
        elif differences(known, now):
            print(compare(known, now, f"{version} in the history -> its template"))
            same = False
    print(f"{len(versions)} versions verified" + ("" if same else ": some differ"))
    return same


def _release(arguments: argparse.Namespace, version: str) -> StackVersion:
    path: Path | None = arguments.template
    text = _read(path) if path else _published(arguments.base_url, version)
    template = read_template(text)
    if version == LATEST:
        found = version_of(template)
        if found is None:
            raise ConfigError("the latest template's description has no version")
        version = found
    return stack_version(version, template)


def _published(base_url: str, folder: str) -> str:
    url = _TEMPLATE.format(base_url=base_url.rstrip("/"), folder=folder)
    return download(url, limit=LARGEST_TEMPLATE + 1)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from None


def _known(version: str) -> StackVersion:
    known = elastic_ci_stack.known_versions()
    if version not in known:
        raise ConfigError(
            f"{version!r} is not in the history, which has {len(known)} versions from {known[0]} "
            f"to {known[-1]}"
        )
    return elastic_ci_stack.load(version)


def _check_program(path: Path | None, version: str | None) -> str:
    """The problems of a program's queues with a version, in words."""
    if path is None and not _MAIN.exists():
        return "no program was checked: name one with --program"
    path = path or _MAIN
    problems = program.check(path, version)
    return "\n".join(problems) or f"the queues of {path} are valid with {version}"


def _parse(arguments: Sequence[str] | None, default: Path | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("versions", nargs="*", help=f"releases such as v7.14.0, or {LATEST}")
    parser.add_argument("--compare", nargs=2, metavar=("OLD", "NEW"), help="only compare versions")
    parser.add_argument("--verify", action="store_true", help="only verify the history")
    parser.add_argument("--template", type=Path, help="a template file, instead of downloading it")
    parser.add_argument(
        "--history",
        type=Path,
        help=f"the file to write releases to: by default the one that {releases.HISTORY_VARIABLE} "
        "names" + ("" if default is None else ", or else the history of this checkout"),
    )
    parser.add_argument("--program", type=Path, help=f"whose queues to check: by default {_MAIN}")
    parser.add_argument("--base-url", default=BASE_URL, help="where the templates are published")
    given = parser.parse_args(arguments)
    if bool(given.versions) + bool(given.compare) + given.verify != 1:
        parser.error("one of these is required: versions, --compare or --verify")
    if given.template and len(given.versions) != 1:
        parser.error("--template needs one version")
    for version in given.versions:
        if version != LATEST and not elastic_ci_stack.numbers(version):
            parser.error(f"a version must have the form v7.14.0, or be {LATEST}: {version!r}")
    return given


def main(arguments: Sequence[str] | None = None, *, default: Path | None = None) -> int:
    """Run the command line, and return the exit status.

    Args:
        arguments: The arguments: by default those of the process.
        default: The history file to write by default.

    Raises:
        ConfigError: what was asked for is not possible. In that case nothing has been written.
    """
    given = _parse(arguments, default)
    named = os.environ.get(releases.HISTORY_VARIABLE)
    file: Path | None = given.history or (Path(named) if named else default)
    if file is not None:
        _use(file)
    if given.compare:
        old, new = map(_known, given.compare)
        print(compare(old, new))
        print(_check_program(given.program, new.version))
        return 0
    if file is None:
        raise ConfigError(
            f"the history of an installed package is not changed: name a file with --history, and "
            f"set {releases.HISTORY_VARIABLE} to it for your program"
        )
    if given.verify:
        return 0 if verify(file, given.base_url) else 1
    # The program and the templates are read before anything is written.
    _check_program(given.program, None)
    found = [_release(given, version) for version in given.versions]
    for new in sorted(found, key=lambda one: elastic_ci_stack.numbers(one.version)):
        print(add(file, new))
        try:
            print(_check_program(given.program, new.version))
        except ConfigError as error:
            # The release is in the history, whatever the program does with it.
            print(error)
    return 0
