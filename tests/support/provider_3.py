"""The synthesized files, rewritten for AWS provider 3.39, which is too old for the program."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

NOT_TESTED = (
    "the unchanged synthesized files: they were rewritten",
    "the parts of a bucket as resources of their own, and their drift",
    "a write-only token",
    "an import of the bootstrap object and of the bucket's parts",
    "the behavior that the skipped tests check",
)
"""What a run on this provider does not test."""

_ENCRYPTION = "aws_s3_bucket_server_side_encryption_configuration"
_DEFAULT_TAGS = ("Project", "Environment")


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
