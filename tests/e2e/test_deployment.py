"""The three queues of main.py, deployed and destroyed."""

import json
from collections.abc import Callable
from pathlib import Path

from support.deployment import BUCKET, SCRIPT_KEY
from support.loopback_aws import LoopbackAws
from support.provider import Provider
from support.terraform import TOKEN, Terraform

from buildkite_agents.queue import DEFAULT_STACK_VERSION

POLICY_ARN = "arn:aws:iam::123456789012:policy/conbench-prod-buildkite-agent-policy"
QUEUES = {
    "arm64-t4g-2xlarge-linux": ("t4g.2xlarge", "arch=arm64,os=linux,instance=t4g-2xlarge"),
    "amd64-m5-4xlarge-linux": ("m5.4xlarge", "arch=amd64,os=linux,instance=m5-4xlarge"),
    "amd64-c6a-4xlarge-linux": ("c6a.4xlarge", "arch=amd64,os=linux,instance=c6a-4xlarge"),
}
TAGS = {"Project": "conbench", "Environment": "prod", "ManagedBy": "terraform"}


def take_down(tf: Terraform, aws: LoopbackAws) -> None:
    """Destroy everything, which is refused without any change while the bucket is protected."""
    aws.client("s3").put_object(Bucket=BUCKET, Key="queues/some/env", Body=b"a secret")
    refused = tf.run("destroy", "-no-color", "-auto-approve", check=False)
    assert "Instance cannot be destroyed" in refused.stderr
    assert tf.would_change_nothing()
    aws.client("s3").delete_object(Bucket=BUCKET, Key="queues/some/env")
    versions = aws.client("s3").list_object_versions(Bucket=BUCKET, Prefix="queues/")
    for version in (*versions["Versions"], *versions["DeleteMarkers"]):
        aws.client("s3").delete_object(
            Bucket=BUCKET, Key=version["Key"], VersionId=version["VersionId"]
        )
    # As with deletion_protection=False.
    path = tf.folder / "buildkite.tf.json"
    content = json.loads(path.read_text())
    del content["resource"]["aws_s3_bucket"]["buildkite_secrets"]["lifecycle"]
    path.write_text(json.dumps(content))
    tf.run("destroy", "-auto-approve")


def tags_of(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def test_the_documented_queues_from_init_to_destroy(
    terraform: Callable[[Path], Terraform],
    synthesized: Path,
    bootstrap_script: Path,
    aws: LoopbackAws,
    aws_provider: Provider,
) -> None:
    tf = terraform(synthesized)
    tf.run("validate")
    tf.apply()

    # With a provider that Terraform installs and starts itself, as it does for users.
    usual = Terraform(tf.folder, aws_provider, kept_provider=False)
    usual.init()
    plan = usual.run("plan", "-no-color", "-detailed-exitcode", check=False)
    assert plan.returncode == 0, plan.stdout
    assert tf.outputs() == {
        "buildkite_secrets_bucket": BUCKET,
        "buildkite_agent_queues": sorted(QUEUES),
        "buildkite_stack_names": {queue: f"conbench-prod-buildkite-{queue}" for queue in QUEUES},
    }
    check_bucket(aws, bootstrap_script)
    check_token(aws)
    check_policy(aws)
    for queue, (instance_type, agent_tags) in QUEUES.items():
        check_stack(aws, queue, instance_type, agent_tags)

    take_down(tf, aws)
    assert tf.state_addresses() == set()
    check_nothing_is_left(aws)


def check_bucket(aws: LoopbackAws, bootstrap_script: Path) -> None:
    s3 = aws.client("s3")
    script = s3.get_object(Bucket=BUCKET, Key=SCRIPT_KEY)
    assert script["Body"].read() == bootstrap_script.read_bytes()
    assert script["ServerSideEncryption"] == "AES256"
    access = s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert access == {
        "BlockPublicAcls": True,
        "BlockPublicPolicy": True,
        "IgnorePublicAcls": True,
        "RestrictPublicBuckets": True,
    }
    (rule,) = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    (lifecycle,) = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert lifecycle["NoncurrentVersionExpiration"]["NoncurrentDays"] == 30
    assert "RefusePlainHttp" in s3.get_bucket_policy(Bucket=BUCKET)["Policy"]
    assert tags_of(s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"]) == {**TAGS, "Name": BUCKET}


def check_token(aws: LoopbackAws) -> None:
    ssm = aws.client("ssm")
    name = "/buildkite/agent-token"
    parameter = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    assert (parameter["Type"], parameter["Value"]) == ("SecureString", TOKEN)
    (described,) = ssm.describe_parameters()["Parameters"]
    assert described["Description"] == "Buildkite Agent Token for arrow-dev.org organization"
    tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
    assert tags_of(tags) == {**TAGS, "Name": "buildkite-agent-token"}


def check_policy(aws: LoopbackAws) -> None:
    iam = aws.client("iam")
    policy = iam.get_policy(PolicyArn=POLICY_ARN)["Policy"]
    assert policy["Description"] == "IAM policy for Buildkite agents"
    assert tags_of(policy["Tags"]) == TAGS
    version = iam.get_policy_version(PolicyArn=POLICY_ARN, VersionId=policy["DefaultVersionId"])
    statements = {s["Sid"]: s for s in version["PolicyVersion"]["Document"]["Statement"]}
    assert statements["ReadSecrets"]["Resource"] == [f"arn:aws:s3:::{BUCKET}/*"]
    assert statements["ReadAgentToken"]["Resource"] == [
        "arn:aws:ssm:us-east-1:123456789012:parameter/buildkite/agent-token"
    ]
    assert statements["WriteLogs"]["Resource"] == [
        "arn:aws:logs:*:123456789012:log-group:/buildkite/*"
    ]


def check_stack(aws: LoopbackAws, queue: str, instance_type: str, agent_tags: str) -> None:
    name = f"conbench-prod-buildkite-{queue}"
    (stack,) = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["Description"].endswith(DEFAULT_STACK_VERSION)
    tags = tags_of(stack["Tags"])
    assert tags.pop("ElasticCIStack").startswith(f"{DEFAULT_STACK_VERSION} ")
    assert tags == {**TAGS, "Name": name, "Queue": queue}
    parameters = {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]}
    expected = {
        "VpcId": "",
        "Subnets": "",
        "BootstrapScriptUrl": f"s3://{BUCKET}/{SCRIPT_KEY}",
        "BuildkiteAgentTokenParameterStorePath": "/buildkite/agent-token",
        "BuildkiteAgentTags": agent_tags,
        "BuildkiteQueue": queue,
        "ImageId": "",
        "OnDemandPercentage": "100",
        "InstanceTypes": instance_type,
        "InstanceRoleName": f"{name}-role",
        "InstanceOperatingSystem": "linux",
        "AgentsPerInstance": "1",
        "ECRAccessPolicy": "readonly",
        "ManagedPolicyARNs": POLICY_ARN,
        "MinSize": "0",
        "MaxSize": "4",
        "SecretsBucket": BUCKET,
        "SecretsBucketRegion": "us-east-1",
        "ScaleInIdlePeriod": "900",
        "IMDSv2Tokens": "required",
    }
    assert expected.items() <= parameters.items()


def check_nothing_is_left(aws: LoopbackAws) -> None:
    assert [b["Name"] for b in aws.client("s3").list_buckets()["Buckets"]] == [
        "buildkite-aws-stack"
    ]
    assert aws.client("ssm").describe_parameters()["Parameters"] == []
    assert aws.client("iam").list_policies(Scope="Local")["Policies"] == []
    assert aws.client("iam").list_roles()["Roles"] == []
    assert aws.client("cloudformation").describe_stacks()["Stacks"] == []
