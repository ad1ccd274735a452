"""Real Terraform in a folder, with an AWS on loopback."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from support.loopback_aws import LoopbackAws
from support.provider import TERRAFORM_CLI, Provider

TOKEN = "planted-token-7f3a9c"  # noqa: S105
"""The agent token of all tests: not a real one, and stored only in AWS and the state."""


class TerraformError(AssertionError):
    """Terraform failed: its command and output."""


class Terraform:
    """Terraform in one folder."""

    def __init__(self, folder: Path, provider: Provider, *, kept_provider: bool = True) -> None:
        """Run in *folder*, with *provider*.

        With *kept_provider*, Terraform attaches to a running process of the provider. Otherwise it
        starts a process in each run, as it does for users.
        """
        self.folder = folder
        self._provider = provider
        self._kept_provider = kept_provider
        self.variables = {"buildkite_agent_token": TOKEN}
        """The Terraform variables that are set in its environment."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment that Terraform runs in."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            # Terraform runs for about a second: collect less garbage.
            "GOGC": "400",
            "TF_INPUT": "0",
            **{f"TF_VAR_{name}": value for name, value in self.variables.items()},
            **self._provider.environment(self.folder, kept=self._kept_provider),
        }

    def command(self, *arguments: str) -> list[str]:
        """The command line that runs Terraform with *arguments*."""
        return [sys.executable, str(TERRAFORM_CLI), *arguments]

    def run(
        self, *arguments: str, check: bool = True, unset: Collection[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run Terraform with *arguments*, without the variables *unset* in its environment."""
        left_out = {f"TF_VAR_{name}" for name in unset}
        environment = self.environment
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env={k: v for k, v in environment.items() if k not in left_out},
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            raise TerraformError(f"terraform {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
        return done

    def init(self, *arguments: str) -> None:
        """Run ``terraform init``."""
        self.run("init", "-no-color", *arguments)

    def apply(self, *arguments: str) -> str:
        """Apply without confirmation; return the output."""
        return self.run("apply", "-no-color", "-auto-approve", *arguments).stdout

    def plan(self, *arguments: str) -> "Plan":
        """Plan, and return the plan."""
        self.run("plan", "-no-color", "-out=tfplan", *arguments)
        shown = self.run("show", "-json", "tfplan").stdout
        (self.folder / "tfplan").unlink()
        return Plan(json.loads(shown))

    def would_change_nothing(self) -> bool:
        """Whether a plan is empty, outputs included."""
        # 1 is an error, and 2 a plan with changes.
        return self.run("plan", "-no-color", "-detailed-exitcode", check=False).returncode == 0

    def outputs(self) -> dict[str, Any]:
        """The root module's outputs."""
        return {
            name: output["value"]
            for name, output in json.loads(self.run("output", "-json").stdout).items()
        }

    def state_addresses(self) -> set[str]:
        """The addresses of all resources in the state."""
        return set(self.run("state", "list").stdout.split())


class Plan:
    """A plan, read from Terraform's JSON."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        """Take the *content* of ``terraform show -json``."""
        self._changes = content.get("resource_changes", [])
        self.output_changes = {
            name
            for name, change in content.get("output_changes", {}).items()
            if change["actions"] != ["no-op"]
        }
        """The outputs that would change."""

    def _with_actions(self, *actions: str) -> set[str]:
        return {c["address"] for c in self._changes if c["change"]["actions"] == list(actions)}

    @property
    def created(self) -> set[str]:
        """The addresses of resources to be created."""
        return self._with_actions("create")

    @property
    def deleted(self) -> set[str]:
        """The addresses of resources to be destroyed, replaced ones included."""
        return {str(c["address"]) for c in self._changes if "delete" in c["change"]["actions"]}

    @property
    def updated(self) -> set[str]:
        """The addresses of resources to be updated in place."""
        return self._with_actions("update")

    @property
    def moved(self) -> dict[str, str]:
        """The addresses of moved resources: previous to new."""
        return {
            c["previous_address"]: c["address"] for c in self._changes if "previous_address" in c
        }

    @property
    def imported(self) -> set[str]:
        """The addresses of resources to be imported."""
        return {c["address"] for c in self._changes if "importing" in c["change"]}

    def before(self, address: str) -> dict[str, Any]:
        """The values of a resource before the apply."""
        (before,) = [c["change"]["before"] for c in self._changes if c["address"] == address]
        return dict(before)

    def after(self, address: str) -> dict[str, Any]:
        """The known values of a resource after the apply."""
        (after,) = [c["change"]["after"] for c in self._changes if c["address"] == address]
        return dict(after)

    def changed_attributes(self, address: str) -> set[str]:
        """The attributes of a resource that change."""
        (change,) = [c["change"] for c in self._changes if c["address"] == address]
        before, after, unknown = change["before"], change["after"], change["after_unknown"]
        changed = {name for name in before if before[name] != after.get(name)}
        return changed | {name for name in unknown if unknown[name] is True}

    @property
    def is_empty(self) -> bool:
        """Whether nothing would change, outputs included."""
        return not (self.created or self.deleted or self.updated or self.output_changes)


def terraform_in(
    folder: Path,
    source: Path,
    aws: LoopbackAws,
    aws_provider: Provider,
    *init: str,
) -> Terraform:
    """Copy *source* to *folder* and initialize Terraform there, with the arguments *init*."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    aws_provider.prepare(folder, aws.endpoint)
    terraform = Terraform(folder, aws_provider)
    terraform.init(*init)
    return terraform
