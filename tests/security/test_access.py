"""The calls that the instances' role permits and denies."""

import json
from typing import Any

import pytest
from moto.iam.access_control import IAMPolicy, PermissionResult
from support.instance_role import role_policies
from support.policies import resolved_policy

BUCKET = "arn:aws:s3:::conbench-prod-buildkite-secrets"
ACCOUNT = "123456789012"
TOKEN = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/buildkite/agent-token"
REPOSITORY = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/arrow"
LOGS = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/buildkite/elastic-stack:log-stream:i-1"


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("s3:GetObject", f"{BUCKET}/queues/q/env"),
        ("s3:GetObject", f"{BUCKET}/bootstrap/setup_benchmark_machine.sh"),
        ("s3:ListBucket", BUCKET),
        ("ssm:GetParameter", TOKEN),
        ("ecr:GetAuthorizationToken", "*"),
        ("ecr:BatchGetImage", REPOSITORY),
        ("logs:PutLogEvents", LOGS),
        # Session Manager.
        ("ssmmessages:OpenDataChannel", "*"),
        ("ssm:UpdateInstanceInformation", "*"),
        ("ec2messages:GetMessages", "*"),
    ],
)
def test_agents_may(action: str, resource: str) -> None:
    assert permission(action, resource) is PermissionResult.PERMITTED


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        # The bootstrap script runs as root: whoever can write it controls every later instance.
        ("s3:PutObject", f"{BUCKET}/bootstrap/setup_benchmark_machine.sh"),
        ("s3:DeleteObject", f"{BUCKET}/bootstrap/setup_benchmark_machine.sh"),
        ("s3:PutObject", f"{BUCKET}/queues/q/env"),
        ("s3:PutObjectAcl", f"{BUCKET}/queues/q/env"),
        ("s3:DeleteObjectVersion", f"{BUCKET}/queues/q/env"),
        ("s3:PutBucketPolicy", BUCKET),
        ("s3:DeleteBucketPolicy", BUCKET),
        ("s3:PutBucketVersioning", BUCKET),
        ("s3:PutLifecycleConfiguration", BUCKET),
        ("s3:GetObject", "arn:aws:s3:::another-bucket/secret"),
        ("s3:ListBucket", "arn:aws:s3:::another-bucket"),
        ("s3:ListAllMyBuckets", "*"),
        ("ssm:GetParameter", f"{TOKEN}-of-another"),
        ("ssm:GetParameter", f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/buildkite/staging/token"),
        ("ssm:GetParameters", f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/any"),
        ("ssm:GetParametersByPath", TOKEN),
        ("ssm:PutParameter", TOKEN),
        # A job that pushes an image replaces what other jobs and deployments run.
        ("ecr:PutImage", REPOSITORY),
        ("ecr:PutImage", "arn:aws:ecr:us-east-1:999999999999:repository/arrow"),
        ("ecr:CompleteLayerUpload", REPOSITORY),
        ("ecr:DeleteRepository", REPOSITORY),
        ("ecr:SetRepositoryPolicy", REPOSITORY),
        ("ecr:CreateRepository", REPOSITORY),
        ("logs:DeleteLogGroup", LOGS),
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/admin"),
        ("iam:CreatePolicyVersion", f"arn:aws:iam::{ACCOUNT}:policy/x"),
        ("kms:Decrypt", f"arn:aws:kms:us-east-1:{ACCOUNT}:key/x"),
        ("ec2:RunInstances", "*"),
        ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/admin"),
    ],
)
def test_agents_may_not(action: str, resource: str) -> None:
    assert permission(action, resource) is PermissionResult.NEUTRAL


def permission(action: str, resource: str) -> PermissionResult:
    """The decision of the whole role, with all its policies."""
    permitted = [
        IAMPolicy(policy).is_action_permitted(action, resource) is PermissionResult.PERMITTED
        for policy in role_policies()
    ]
    return PermissionResult.PERMITTED if any(permitted) else PermissionResult.NEUTRAL


@pytest.mark.parametrize(
    ("request_context", "refused"),
    [
        ({"aws:SecureTransport": "true", "s3:TlsVersion": "1.2"}, False),
        ({"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}, False),
        ({"aws:SecureTransport": "true", "s3:TlsVersion": "1.1"}, True),
        ({"aws:SecureTransport": "false"}, True),
    ],
)
def test_the_bucket_refuses_what_comes_without_tls_of_today(
    request_context: dict[str, str],
    refused: bool,
) -> None:
    statements = json.loads(resolved_policy("aws_s3_bucket_policy", "buildkite_secrets"))[
        "Statement"
    ]
    by_transport = [s for s in statements if not s["Sid"].startswith("Isolate")]
    assert any(denies(statement, request_context) for statement in by_transport) is refused


def denies(statement: dict[str, Any], request_context: dict[str, str]) -> bool:
    """Whether a statement that denies everything applies, with the two operators in use."""
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == (
        "Deny",
        "*",
        "s3:*",
    )
    assert statement["Resource"] == [BUCKET, f"{BUCKET}/*"]
    ((operator, condition),) = statement["Condition"].items()
    ((key, value),) = condition.items()
    if key not in request_context:
        return False
    if operator == "Bool":
        return request_context[key] == str(value)
    assert operator == "NumericLessThan"
    return float(request_context[key]) < float(value)


def test_no_rule_of_the_bucket_looks_at_encryption_so_that_the_documented_upload_works() -> None:
    policy = resolved_policy("aws_s3_bucket_policy", "buildkite_secrets")
    assert "x-amz-server-side-encryption" not in policy
