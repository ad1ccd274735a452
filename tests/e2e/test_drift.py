"""Changes in AWS outside Terraform, and how Terraform treats them."""

import json

import pytest
from support.deployment import AMD, ARM, BUCKET, SCRIPT_KEY, LiveDeployment, everything_once
from support.loopback_aws import ACCOUNT, LoopbackAws
from support.provider import Provider
from support.terraform import TOKEN

from buildkite_agents import AgentQueue, SecretsBucket

STACK = f"conbench-prod-buildkite-{ARM}"


def test_changes_outside_terraform_are_shown_and_restored(
    deployment: LiveDeployment, aws: LoopbackAws, aws_provider: Provider
) -> None:
    tf = deployment.synthesize()
    tf.apply()
    s3, iam = aws.client("s3"), aws.client("iam")
    s3.put_object(Bucket=BUCKET, Key=SCRIPT_KEY, Body=b"something else")
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": []})
    s3.delete_bucket_encryption(Bucket=BUCKET)
    s3.delete_bucket_policy(Bucket=BUCKET)
    s3.delete_bucket_lifecycle(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    s3.put_public_access_block(
        Bucket=BUCKET,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": False,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    aws.client("ssm").put_parameter(
        Name="/buildkite/agent-token", Value="another", Type="SecureString", Overwrite=True
    )
    policy = f"arn:aws:iam::{ACCOUNT}:policy/conbench-prod-buildkite-agent-policy"
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    iam.create_policy_version(
        PolicyArn=policy,
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything]}),
        SetAsDefault=True,
    )
    cloudformation = aws.client("cloudformation")
    (described,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    cloudformation.update_stack(
        StackName=STACK,
        UsePreviousTemplate=True,
        Parameters=[
            {**p, "ParameterValue": "40"} if p["ParameterKey"] == "MaxSize" else p
            for p in described["Parameters"]
        ],
        Tags=described["Tags"],
    )

    plan = tf.plan()
    script = f"aws_s3_{'bucket_' if aws_provider.is_version_3 else ''}object.bootstrap_script"
    expected = {
        script: "etag",
        "aws_s3_bucket_public_access_block.buildkite_secrets": "block_public_acls",
        "aws_ssm_parameter.buildkite_agent_token": "value",
        "aws_iam_policy.buildkite_agent": "policy",
        f"aws_cloudformation_stack.{ARM}": "parameters",
        "aws_s3_bucket.buildkite_secrets": "tags",
    }
    recreated: set[str] = set()
    if aws_provider.is_version_3:
        expected["aws_s3_bucket_policy.buildkite_secrets"] = "policy"
    else:
        recreated.add("aws_s3_bucket_policy.buildkite_secrets")
        expected["aws_s3_bucket_versioning.buildkite_secrets"] = "versioning_configuration"
        recreated |= {
            "aws_s3_bucket_server_side_encryption_configuration.buildkite_secrets",
            "aws_s3_bucket_lifecycle_configuration.buildkite_secrets",
        }
    assert (plan.created, plan.updated, plan.deleted) == (recreated, set(expected), set())
    for address, attribute in expected.items():
        assert attribute in plan.changed_attributes(address)
    if aws_provider.is_version_3:
        of_bucket = plan.changed_attributes("aws_s3_bucket.buildkite_secrets")
        assert {"server_side_encryption_configuration", "versioning", "lifecycle_rule"} <= of_bucket

    tf.apply()
    assert tf.would_change_nothing()
    restored = aws.client("ssm").get_parameter(Name="/buildkite/agent-token", WithDecryption=True)
    assert restored["Parameter"]["Value"] == TOKEN


def test_deletions_outside_terraform_are_shown_and_recreated(
    deployment: LiveDeployment, aws: LoopbackAws
) -> None:
    tf = deployment.synthesize()
    tf.apply()
    s3 = aws.client("s3")
    for version in s3.list_object_versions(Bucket=BUCKET)["Versions"]:
        s3.delete_object(Bucket=BUCKET, Key=SCRIPT_KEY, VersionId=version["VersionId"])
    s3.delete_public_access_block(Bucket=BUCKET)
    s3.delete_bucket(Bucket=BUCKET)
    aws.client("ssm").delete_parameter(Name="/buildkite/agent-token")
    policy = f"arn:aws:iam::{ACCOUNT}:policy/conbench-prod-buildkite-agent-policy"
    aws.client("iam").delete_policy(PolicyArn=policy)
    aws.client("cloudformation").delete_stack(StackName=STACK)

    plan = tf.plan()
    # The loopback S3 still returns the policy of a deleted bucket, which is then replaced.
    policy_of_bucket = "aws_s3_bucket_policy.buildkite_secrets"
    gone = tf.state_addresses() - {f"aws_cloudformation_stack.{AMD}", policy_of_bucket}
    assert plan.created - {policy_of_bucket} == gone
    assert plan.deleted <= {policy_of_bucket}
    tf.apply()
    assert tf.would_change_nothing()
    everything_once(aws)


@pytest.mark.parametrize("key", [None, f"arn:aws:kms:us-east-1:{ACCOUNT}:key/of-ours"])
def test_an_overwritten_script_is_shown_and_restored(
    deployment: LiveDeployment, aws: LoopbackAws, key: str | None
) -> None:
    tf = deployment.synthesize(
        queues=[AgentQueue("m5.4xlarge")],
        secrets_bucket=SecretsBucket(kms_key_arn=key),
        keep_documented_layout=True,
    )
    tf.apply()
    assert tf.would_change_nothing()
    aws.client("s3").put_object(Bucket=BUCKET, Key=SCRIPT_KEY, Body=b"something else")
    (address,) = tf.plan().updated
    assert address.endswith("object.bootstrap_script")
    tf.apply()
    assert tf.would_change_nothing()
    restored = aws.client("s3").get_object(Bucket=BUCKET, Key=SCRIPT_KEY)
    assert restored["Body"].read() == (tf.folder / "buildkite-bootstrap.sh").read_bytes()
