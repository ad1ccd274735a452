"""The secrets bucket and the bootstrap script."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from buildkite_agents import (
    Deployment,
    Existing,
    SecretsBucket,
)

Synthesize = Callable[..., dict[str, Any]]


TAGS = {"Project": "conbench", "Environment": "prod"}


def policy_statements(resources: dict[str, Any]) -> dict[str, Any]:
    document = json.loads(resources["aws_iam_policy"]["buildkite_agent"]["policy"])
    return {
        statement.get("Sid", str(i)): statement for i, statement in enumerate(document["Statement"])
    }


def test_the_bucket(synthesize: Synthesize) -> None:
    assert synthesize()["resource"]["aws_s3_bucket"] == {
        "buildkite_secrets": {
            "bucket": "conbench-prod-buildkite-secrets",
            "tags": {**TAGS, "Name": "conbench-prod-buildkite-secrets"},
            "lifecycle": {"prevent_destroy": True},
        }
    }


def test_the_bucket_blocks_public_access(synthesize: Synthesize) -> None:
    assert synthesize()["resource"]["aws_s3_bucket_public_access_block"] == {
        "buildkite_secrets": {
            "bucket": "${aws_s3_bucket.buildkite_secrets.id}",
            "block_public_acls": True,
            "block_public_policy": True,
            "ignore_public_acls": True,
            "restrict_public_buckets": True,
        }
    }


def test_the_bucket_is_encrypted(synthesize: Synthesize) -> None:
    encryption = synthesize()["resource"]["aws_s3_bucket_server_side_encryption_configuration"]
    assert encryption["buildkite_secrets"]["rule"] == [
        {"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}
    ]


def test_a_customers_key_encrypts_bucket_and_script_and_agents_may_use_it_alone(
    synthesize: Synthesize,
) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
    resources = synthesize(secrets_bucket=SecretsBucket(kms_key_arn=key))["resource"]
    encryption = resources["aws_s3_bucket_server_side_encryption_configuration"]
    assert encryption["buildkite_secrets"]["rule"] == [
        {
            "apply_server_side_encryption_by_default": {
                "sse_algorithm": "aws:kms",
                "kms_master_key_id": key,
            },
            "bucket_key_enabled": True,
        }
    ]
    script = resources["aws_s3_object"]["bootstrap_script"]
    assert (script["server_side_encryption"], script["kms_key_id"]) == ("aws:kms", key)
    assert script["metadata"] == {
        "sha256": '${filesha256("${path.module}/buildkite-bootstrap.sh")}'
    }
    assert "etag" not in script
    statements = policy_statements(resources)
    assert statements["DecryptSecrets"] == {
        "Sid": "DecryptSecrets",
        "Effect": "Allow",
        "Action": ["kms:Decrypt"],
        "Resource": [key],
    }


def test_the_bucket_keeps_versions_for_a_month(synthesize: Synthesize) -> None:
    resources = synthesize()["resource"]
    versioning = resources["aws_s3_bucket_versioning"]["buildkite_secrets"]
    assert versioning["versioning_configuration"] == {"status": "Enabled"}
    lifecycle = resources["aws_s3_bucket_lifecycle_configuration"]["buildkite_secrets"]
    assert lifecycle["rule"] == [
        {
            "id": "expire-replaced-secrets",
            "status": "Enabled",
            "filter": [{"prefix": ""}],
            "noncurrent_version_expiration": [{"noncurrent_days": 30}],
            "abort_incomplete_multipart_upload": [{"days_after_initiation": 7}],
        }
    ]


def test_the_bucket_owns_all_its_objects(synthesize: Synthesize) -> None:
    controls = synthesize()["resource"]["aws_s3_bucket_ownership_controls"]["buildkite_secrets"]
    assert controls["rule"] == {"object_ownership": "BucketOwnerEnforced"}


def test_the_bucket_is_changed_by_one_call_at_a_time(synthesize: Synthesize) -> None:
    resources = synthesize()["resource"]
    after = {
        f"{kind}.{name}": resource["depends_on"]
        for kind, named in resources.items()
        for name, resource in named.items()
        if kind.startswith("aws_s3_") and "depends_on" in resource
    }
    # In parallel with the object, because it takes a minute: no bucket change follows it.
    last = after.pop("aws_s3_bucket_lifecycle_configuration.buildkite_secrets")
    assert last == ["aws_s3_bucket_policy.buildkite_secrets"]
    order = ["aws_s3_object.bootstrap_script"]
    while order[-1] in after:
        order += after[order[-1]]
    assert order == [
        "aws_s3_object.bootstrap_script",
        "aws_s3_bucket_policy.buildkite_secrets",
        "aws_s3_bucket_versioning.buildkite_secrets",
        "aws_s3_bucket_ownership_controls.buildkite_secrets",
        "aws_s3_bucket_server_side_encryption_configuration.buildkite_secrets",
        "aws_s3_bucket_public_access_block.buildkite_secrets",
    ]


def test_the_bootstrap_script_is_read_when_terraform_runs(synthesize: Synthesize) -> None:
    script = synthesize()["resource"]["aws_s3_object"]["bootstrap_script"]
    del script["lifecycle"]
    assert script == {
        "bucket": "${aws_s3_bucket.buildkite_secrets.id}",
        "key": "bootstrap/setup_benchmark_machine.sh",
        "source": "${path.module}/buildkite-bootstrap.sh",
        "etag": '${filemd5("${path.module}/buildkite-bootstrap.sh")}',
        "server_side_encryption": "AES256",
        "depends_on": ["aws_s3_bucket_policy.buildkite_secrets"],
    }


@pytest.mark.parametrize(
    ("props", "protected"),
    [
        ({}, True),
        ({"secrets_bucket": SecretsBucket(deletion_protection=False)}, False),
        ({"keep_documented_layout": True}, False),
    ],
)
def test_terraform_refuses_to_destroy_the_bucket_by_default(
    synthesize: Synthesize, props: dict[str, Any], protected: bool
) -> None:
    bucket = synthesize(**props)["resource"]["aws_s3_bucket"]["buildkite_secrets"]
    assert bucket.get("lifecycle", {}).get("prevent_destroy", False) is protected


def test_the_script_can_be_without_the_providers_default_tags(synthesize: Synthesize) -> None:
    resources = synthesize(secrets_bucket=SecretsBucket(default_tags_on_script=False))["resource"]
    assert resources["aws_s3_object"]["bootstrap_script"]["override_provider"] == {
        "default_tags": {"tags": {}}
    }


def test_a_script_is_uploaded_to_an_existing_bucket(synthesize: Synthesize) -> None:
    configuration = synthesize(
        secrets_bucket=Existing("theirs"), deployment=Deployment(import_account="123456789012")
    )
    resources = configuration["resource"]
    assert resources["aws_s3_object"]["bootstrap_script"]["bucket"] == "theirs"
    assert "aws_s3_bucket" not in resources
    (stack,) = resources["aws_cloudformation_stack"].values()
    url = "s3://theirs/${aws_s3_object.bootstrap_script.key}"
    assert stack["parameters"]["BootstrapScriptUrl"] == url
    assert "aws_s3_object.bootstrap_script" in stack["depends_on"]
    imported = {block["to"]: block["id"] for block in configuration["import"]}
    key = "bootstrap/setup_benchmark_machine.sh"
    assert imported["aws_s3_object.bootstrap_script"] == f"theirs/{key}"


def test_a_script_elsewhere_in_s3_is_permitted(synthesize: Synthesize) -> None:
    resources = synthesize(bootstrap_script="s3://elsewhere/a.sh")["resource"]
    (resource,) = policy_statements(resources)["ReadBootstrapScript"]["Resource"]
    assert resource.endswith(":s3:::elsewhere/a.sh")
