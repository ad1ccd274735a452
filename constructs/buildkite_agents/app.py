"""The CDKTF app that writes its stacks in two forms."""

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cdktf

from buildkite_agents.errors import ConfigError
from buildkite_agents.output.owned_files import OwnedFiles
from buildkite_agents.output.summary import summary
from buildkite_agents.output.terraform_folder import terraform_folder
from buildkite_agents.resources.secrets_bucket import BOOTSTRAP_SCRIPT
from buildkite_agents.stack import AgentStack

# What Node.js says of a file, such as "EACCES: permission denied, open '/x'".
_FILE_ERROR = re.compile(r"\bE[A-Z]{3,}: [a-z ]+, \w+ '[^']*'")


@contextlib.contextmanager
def _file_errors_plain(folder: Path | str) -> Iterator[None]:
    """Tell what CDKTF, in Node.js, could not write to *folder*."""
    try:
        yield
    except RuntimeError as error:
        failed = _FILE_ERROR.search(str(error))
        if failed is None:
            raise
        raise ConfigError(f"cannot write to {folder}: {failed[0]}") from None


class AgentApp(cdktf.App):
    """A CDKTF app whose agent stacks can be applied with and without the cdktf CLI.

    :meth:`synth` writes each one to ``cdktf.out/stacks/NAME`` for the cdktf CLI, and to the stack's
    own folder for Terraform alone.
    """

    writes_bootstrap_script = True
    """Its stacks find their bootstrap script beside their configuration."""

    def __init__(
        self, *, outdir: Path | None = None, context: Mapping[str, Any] | None = None
    ) -> None:
        """Create the app.

        Args:
            outdir: Where to write for the cdktf CLI: by default where that CLI says, otherwise
                ``cdktf.out``.
            context: Context values, beside those of ``cdktf.json``.
        """
        # Absolute, as the Node.js process under CDKTF keeps the folder that it was started in.
        outdir = outdir or Path(os.environ.get("CDKTF_OUTDIR") or "cdktf.out")
        with _file_errors_plain(outdir):
            super().__init__(outdir=str(outdir.absolute()), context=context)
        self._problems: list[tuple[str, Sequence[str]]] = []

    def collect_problems(self, stack: str, problems: Sequence[str]) -> None:
        """Take the problems of a stack that was refused, to be told by :meth:`synth`."""
        self._problems.append((stack, problems))

    def synth(self) -> None:
        """Write all stacks, each form whole or not at all.

        Raises:
            ConfigError: a stack was refused, and every problem of all of them is told; or a file
                that would be written over is not this program's, or was edited since. No stack's
                folder has been written to then.
        """
        if self._problems:
            raise ConfigError(*self._all_problems())
        if self.hcl_output:
            raise ConfigError(
                "cdktf's --hcl leaves out the moves of existing stacks: synthesize without it"
            )
        stacks = [stack for stack in self.node.children if isinstance(stack, AgentStack)]
        _check_folders(stacks)
        try:
            self._synth_whole(stacks)
        except OSError as error:
            raise ConfigError(f"cannot write what was synthesized: {error}") from None
        for stack in stacks:
            self._tell(stack)

    def _synth_whole(self, stacks: Sequence[AgentStack]) -> None:
        with _file_errors_plain(self.outdir):
            super().synth()
        updates = [update for stack in stacks for update in self._updates(stack)]
        conflicts = [conflict for update in updates for conflict in update.conflicts()]
        if conflicts:
            raise ConfigError(*conflicts)
        for update in updates:
            update.write()

    def _all_problems(self) -> list[str]:
        several = len(self.node.children) + len(self._problems) > 1
        return [
            f"{stack}: {problem}" if several else problem
            for stack, problems in self._problems
            for problem in problems
        ]

    def _tell(self, stack: AgentStack) -> None:
        counts = {queue: len(warnings) for queue, warnings in stack.warnings.items()}
        terminal = sys.stdout.isatty()
        print(summary(stack.name, stack.folder, stack.queues, counts, terminal=terminal))
        sys.stdout.flush()
        for warnings in stack.warnings.values():
            for warning in warnings:
                print(f"warning: {warning}", file=sys.stderr)

    def _updates(self, stack: AgentStack) -> list[OwnedFiles]:
        script = {BOOTSTRAP_SCRIPT: stack.bootstrap_script.read_bytes()}
        cdktf_folder = Path(self.outdir, "stacks", stack.name)
        configuration = json.loads((cdktf_folder / "cdk.tf.json").read_text())
        files = terraform_folder(configuration, only_resources=stack.inside_root_module)
        if _real(stack.bootstrap_script) == _real(stack.folder / BOOTSTRAP_SCRIPT):
            # The folder's own script is the source, and stays its owner's.
            own = OwnedFiles(stack.folder, files, given_away=[BOOTSTRAP_SCRIPT])
        else:
            own = OwnedFiles(stack.folder, {**files, **script})
        return [OwnedFiles(cdktf_folder, script), own]


def _real(path: Path) -> str:
    # Path.resolve() raises for a loop of links, which is told when it is written to.
    return os.path.realpath(path)


def _check_folders(stacks: Sequence[AgentStack]) -> None:
    writers: dict[str, str] = {}
    for stack in stacks:
        name = stack.name
        other = writers.setdefault(_real(stack.folder), name)
        if other != name:
            raise ConfigError(
                f"{other} and {name} both write to {stack.folder}: set folder, another for each"
            )
