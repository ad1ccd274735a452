"""The CDKTF app, which writes its stacks for the cdktf CLI and for Terraform alone."""

import contextlib
import difflib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import cdktf

from buildkite_agents.arguments import reports_mistaken_arguments
from buildkite_agents.bootstrap_script import FILE_NAME
from buildkite_agents.cdktf_errors import in_plain_words
from buildkite_agents.checks.settings import is_json
from buildkite_agents.errors import ConfigError, Problem, shown
from buildkite_agents.output import assets, portable
from buildkite_agents.output.owned_files import OwnedFiles
from buildkite_agents.output.summary import grouped, summary
from buildkite_agents.output.terraform_folder import (
    STATE,
    replaced_deployment,
    stack_names,
    terraform_folder,
)
from buildkite_agents.resources.fixed_address import repeated
from buildkite_agents.stack import AgentStack
from buildkite_agents.unwritten import expect_synthesis, synthesized

_TOKEN_VARIABLE = "TF_VAR_buildkite_agent_token"  # noqa: S105 # nosec B105
_LIKE_TOKEN_VARIABLE = re.compile("(TF_VAR_)?BUILDKITE_?(AGENT_?)?TOKEN", re.IGNORECASE)


def _is_check(arguments: Sequence[str]) -> bool:
    """Whether a program's arguments ask for a check; all but a plain misspelling are its own."""
    only = arguments[0] if len(arguments) == 1 else ""
    word = only.partition("=")[0].lower()
    is_like = len(word) <= len("--check") and difflib.get_close_matches(word, ["--check"], 1, 0.83)
    if is_like and only != "--check" and only.startswith("--"):
        raise ConfigError(f"unknown argument {shown(only)} (did you mean --check?)")
    return "--check" in arguments


def _misnamed_tokens() -> Iterator[str]:
    """Warnings of variables that look like that of the token, where that is not set."""
    for name in sorted(os.environ) if _TOKEN_VARIABLE not in os.environ else ():
        if _LIKE_TOKEN_VARIABLE.fullmatch(name):
            yield (
                f"{name} is set, which Terraform does not read: export the token as "
                f"{_TOKEN_VARIABLE}"
            )


def _print(text: str, stream: TextIO | None) -> None:
    if stream is None:
        return  # It was closed before the program started.
    encoding = stream.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
    except BrokenPipeError:
        # Its reader has ended, such as `head`. Python would fail when it flushes it at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _check_arguments(outdir: Any, context: Any) -> Iterator[str]:
    if outdir is not None and (not isinstance(outdir, str | Path) or "\0" in str(outdir)):
        yield f"outdir must be the path of a folder, or None, got {shown(outdir)}"
    if context is not None and not (isinstance(context, Mapping) and is_json(context)):
        yield f"context must be a mapping of names to JSON values, or None, got {shown(context)}"


@reports_mistaken_arguments
class AgentApp(cdktf.App):
    """A CDKTF app whose agent stacks can be applied with and without the cdktf CLI.

    :meth:`synth` writes each stack to ``cdktf.out/stacks/NAME`` for the cdktf CLI, and to the
    stack's own folder for Terraform alone. It also raises the problems of all stacks, which their
    constructors do not raise, together.
    """

    def __init__(
        self, *, outdir: Path | str | None = None, context: Mapping[str, Any] | None = None
    ) -> None:
        """Create the app.

        Args:
            outdir: The output folder for the cdktf CLI: by default the one that the CLI sets in
                ``CDKTF_OUTDIR``, otherwise ``cdktf.out``.
            context: Context values in addition to those of ``cdktf.json``.

        Raises:
            ConfigError: the folder is not writable, or an argument has an invalid type.
        """
        problems = [*_check_arguments(outdir, context)]
        if problems:
            raise ConfigError(*problems)
        # Absolute, because CDKTF's Node.js process keeps the working directory that it started in.
        self._folder = Path(outdir or os.environ.get("CDKTF_OUTDIR") or "cdktf.out").absolute()
        with in_plain_words(self._folder):
            super().__init__(outdir=str(self._folder), context=context)
        # Not with the argument, which the context of the cdktf CLI overrides.
        for name, value in _context_of_assets(context or {}).items():
            self.node.set_context(name, value)
        self._stacks: dict[str, AgentStack] = {}
        self._machine_paths: dict[str, list[tuple[str, str]]] = {}
        self._problems: list[tuple[str, Sequence[str]]] = []

    def register(self, name: str, stack: AgentStack) -> None:
        """Record a stack of this app, at any depth of its tree of constructs.

        Raises:
            ConfigError: there is a stack with this name.
        """
        if name in self._stacks:
            raise ConfigError(
                f"environment: there is a stack {name!r} already: give each another environment "
                "or project"
            )
        self._stacks[name] = stack
        expect_synthesis(self, name)

    def refuse(self, name: str, problems: Sequence[str]) -> str:
        """Record the problems of a refused stack, which :meth:`synth` raises.

        Returns the id of a construct that takes the stack's place.
        """
        self._problems.append((name, problems))
        expect_synthesis(self, name)
        return f"refused-{len(self._problems)}"

    def synth(self, *, check: bool | None = None) -> None:
        """Write all stacks. Each folder is written completely or not at all.

        Args:
            check: Whether to write no folder, and to fail where the files in it are not what the
                program gives, as for a pull request. By default whether the program was started
                with the argument ``--check``.

        Raises:
            ConfigError: a stack was refused (the error lists the problems of all stacks), or a
                file to be overwritten was not written by this program or was edited since. In both
                cases no stack's folder has been changed.
        """
        synthesized(self)
        check = _is_check(sys.argv[1:]) if check is None else check
        if self._problems:
            raise ConfigError(*self._all_problems())
        if self.hcl_output:
            raise ConfigError("the cdktf CLI's --hcl omits `moved` blocks: synthesize without it")
        stacks = [*self._stacks.values()]
        problems = [*_shared_folders(stacks), *_shared_names(stacks)]
        if problems:
            raise ConfigError(*problems)
        for stack in stacks:
            # Before CDKTF creates a backend itself, as it does for a stack that another refers to.
            stack.prepare()
        former = {stack.name: stack_names(stack.folder) for stack in stacks}
        try:
            self._synth_whole(stacks, check=check)
        except OSError as error:
            raise ConfigError(f"cannot write what was synthesized: {error}") from None
        for stack in stacks:
            self._print_summary(stack, former[stack.name], check=check)
        if any("buildkite_agent_token" in stack.own_names["variable"] for stack in stacks):
            for line in _misnamed_tokens():
                _print(f"warning: {line}", sys.stderr)

    def _synth_whole(self, stacks: Sequence[AgentStack], *, check: bool) -> None:
        for stack in stacks:
            # CDKTF leaves those of former syntheses.
            shutil.rmtree(self._folder_of(stack) / assets.FOLDER, ignore_errors=True)
        with in_plain_words(self._folder), self._packed_archives():
            super().synth()
        problems = [*_other_apps_stacks(self._folder)]
        if problems:
            raise ConfigError(*problems)
        if check:
            folders = [update for stack in stacks for update in self._updates(stack, stacks)[1:]]
            outdated = [problem for folder in folders for problem in folder.outdated()]
            if outdated:
                raise ConfigError(*outdated)
            return
        updates = [update for stack in stacks for update in self._updates(stack, stacks)]
        conflicts = [conflict for update in updates for conflict in update.conflicts()]
        if conflicts:
            raise ConfigError(*conflicts)
        for update in updates:
            update.write()

    @contextlib.contextmanager
    def _packed_archives(self) -> Iterator[None]:
        """Pack the archives among the assets, for which CDKTF needs `node` on PATH."""
        archives = [
            each
            for each in self.node.find_all()
            if isinstance(each, cdktf.TerraformAsset) and each.type is cdktf.AssetType.ARCHIVE
        ]
        for archive in archives:
            archive.type = cdktf.AssetType.DIRECTORY
        try:
            yield
        finally:
            for archive in archives:
                archive.type = cdktf.AssetType.ARCHIVE
        for archive in archives:
            stack = cdktf.TerraformStack.of(archive).node.id
            path = self._folder / "stacks" / stack / archive.path
            assets.pack(path.parent, path.name)

    def _folder_of(self, stack: AgentStack) -> Path:
        """The stack's folder for the cdktf CLI."""
        return self._folder / "stacks" / stack.name

    def _all_problems(self) -> list[str]:
        several = len(self._stacks) + len(self._problems) > 1
        return [
            Problem(problem, where=stack if several else "")
            for stack, problems in self._problems
            for problem in problems
        ]

    def _print_summary(self, stack: AgentStack, former: Sequence[str], *, check: bool) -> None:
        folder = f"{stack.folder.absolute()}/"
        heading = f"{stack.name}: {folder} is up to date" if check else f"{stack.name} -> {folder}"
        terminal = bool(sys.stdout and sys.stdout.isatty())
        _print(summary(stack.resolved, heading, stack.warnings, terminal=terminal), sys.stdout)
        new = [queue.stack_name for queue in stack.resolved.queues]
        for line in (
            replaced_deployment(stack.folder, former, new),
            *grouped(stack.resolved, stack.warnings),
            *self._other_state(stack),
            *(
                f"{stack.folder / name} has {path}, a path of this machine: the file differs on "
                "each. Give a path from ${path.module}, or the `path` of a cdktf.TerraformAsset"
                for name, path in self._machine_paths[stack.name]
            ),
        ):
            if line is not None:
                _print(f"warning: {line}", sys.stderr)

    def _other_state(self, stack: AgentStack) -> Iterator[str]:
        """The local state of the other way to deploy, which this way would deploy again."""
        folder, command = self._folder_of(stack), "terraform apply"
        if "CDKTF_OUTDIR" in os.environ:
            folder, command = stack.folder.absolute(), "cdktf deploy"
        if stack.deployment.backend is None and (folder / STATE).exists():
            yield (
                f"{stack.name}: `{command}` does not read {folder / STATE}, the state of this "
                "deployment, and would create it again"
            )

    def _updates(self, stack: AgentStack, stacks: Sequence[AgentStack]) -> list[OwnedFiles]:
        cdktf_folder = self._folder_of(stack)
        configuration = json.loads((cdktf_folder / "cdk.tf.json").read_text())
        if not stack.own_names["variable"] <= configuration.get("variable", {}).keys():
            raise ConfigError(f"another stack of this app is also called {stack.name!r}: rename it")
        problems = [
            *assets.missing_modules(configuration, cdktf_folder),
            *repeated(configuration, stack.fixed_addresses()),
        ]
        if problems:
            raise ConfigError(*problems)
        if portable.locate_states(configuration, cdktf_folder):
            text = json.dumps(configuration, indent=2, sort_keys=True, ensure_ascii=False)
            (cdktf_folder / "cdk.tf.json").write_text(text, encoding="utf-8")
        folders = {self._folder_of(each): each.folder.absolute() for each in stacks}
        portable.locate_states(configuration, cdktf_folder, folders)
        only_resources = stack.deployment.inside_root_module
        files = terraform_folder(
            configuration, only_resources=only_resources, own_names=stack.own_names
        )
        self._machine_paths[stack.name] = [*portable.machine_paths(files)]
        files |= assets.assets(cdktf_folder)
        script = stack.resolved.local_script
        if script is None:
            return [OwnedFiles(cdktf_folder, {}), OwnedFiles(stack.folder, files)]
        content = {FILE_NAME: script.read_bytes()}
        if _real(script) == _real(stack.folder / FILE_NAME):
            # The source is the folder's own script, which belongs to the user.
            own = OwnedFiles(stack.folder, files, given_away=[FILE_NAME])
        else:
            own = OwnedFiles(stack.folder, {**files, **content})
        return [OwnedFiles(cdktf_folder, content), own]


def _context_of_assets(context: Mapping[str, Any]) -> dict[str, Any]:
    """CDKTF's context for assets and local modules, whose paths are relative to cdktf.json."""
    configuration = Path.cwd() / "cdktf.json"
    modules = context.get("cdktfRelativeModules") or assets.listed_modules(configuration)
    added = assets.context_of_modules(modules, configuration.parent)
    if not any((folder / configuration.name).exists() for folder in configuration.parents):
        added["cdktfJsonPath"] = str(configuration)
    return {name: value for name, value in added.items() if name not in context}


def _real(path: Path) -> str:
    # Unlike Path.resolve(), it does not raise for a loop of links, which writing reports.
    return os.path.realpath(path)


def _other_apps_stacks(folder: Path) -> Iterator[str]:
    stacks = json.loads((folder / "manifest.json").read_text())["stacks"]
    for name, stack in stacks.items():
        for other in stack["dependencies"]:
            if other not in stacks:
                yield f"{name} refers to {other}, a stack of another app: define both in one app"


def _shared_folders(stacks: Sequence[AgentStack]) -> Iterator[str]:
    writers: dict[str, str] = {}
    for stack in stacks:
        if stack.deployment.inside_root_module and not stack.folder.is_dir():
            yield (
                f"deployment.folder: {stack.folder} is not a folder, and inside_root_module "
                "requires the root module to be there: run the program from the folder that the "
                "path is relative to, or set another folder"
            )
        other = writers.setdefault(_real(stack.folder), stack.name)
        if other != stack.name:
            yield (
                f"{other} and {stack.name} both write to {stack.folder}: set a different folder "
                "for each"
            )


def _shared_names(stacks: Sequence[AgentStack]) -> Iterator[str]:
    """Names in AWS that several stacks would create."""
    owners: dict[tuple[str, str], str] = {}
    for stack in stacks:
        for what, name in stack.resolved.created_names:
            other = owners.setdefault((what, name.lower()), stack.name)
            if other != stack.name:
                yield f"{other} and {stack.name} both create the {what} {name!r}: rename one"
