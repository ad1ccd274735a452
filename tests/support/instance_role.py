"""The complete role of a queue's instances: the policies of the template, this program and AWS.

The template's are those of v6.71.1, for a stack with a secrets bucket and a token's parameter, and
the action that roles need from v7.0.0 on (``role_actions`` in ``elastic_ci_stack/stacks.json``):
https://github.com/buildkite/elastic-ci-stack-for-aws/blob/main/templates/aws-stack.yml
"""

import json
from typing import Any

from moto.iam.aws_managed_policies import aws_managed_policies_data
from support.policies import resolved_policy, resources

from buildkite_agents.elastic_ci_stack import stacks
from buildkite_agents.queue import DEFAULT_STACK_VERSION

_ACCOUNT = "123456789012"
_ECR_POLICIES = {
    "readonly": "AmazonEC2ContainerRegistryReadOnly",
    "poweruser": "AmazonEC2ContainerRegistryPowerUser",
    "full": "AmazonEC2ContainerRegistryFullAccess",
}
_DESCRIBE = (
    "autoscaling:DescribeAutoScalingInstances",
    "cloudwatch:PutMetricData",
    "cloudformation:DescribeStackResource",
    "ec2:DescribeTags",
)
_SESSION_MANAGER = (
    "ssm:DescribeInstanceProperties",
    "ssm:ListAssociations",
    "ssm:PutInventory",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
    "ec2messages:AcknowledgeMessage",
    "ec2messages:DeleteMessage",
    "ec2messages:FailMessage",
    "ec2messages:GetEndpoint",
    "ec2messages:GetMessages",
    "ec2messages:SendReply",
)
_LOG = (
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "logs:DescribeLogGroups",
    "logs:DescribeLogStreams",
)


def role_policies(queue: str = "amd64-m5-4xlarge-linux") -> list[str]:
    """All policies of the role of a queue's instances, as IAM policy documents."""
    parameters = resources()["aws_cloudformation_stack"][queue]["parameters"]
    ours, *others = parameters["ManagedPolicyARNs"].split(",")
    assert ours == "${aws_iam_policy.buildkite_agent.arn}"
    names = [arn.rpartition("/")[2] for arn in others]
    if parameters["ECRAccessPolicy"] in _ECR_POLICIES:
        names.append(_ECR_POLICIES[parameters["ECRAccessPolicy"]])
    managed = json.loads(aws_managed_policies_data)
    return [
        json.dumps(_templates_own()),
        resolved_policy("aws_iam_policy", "buildkite_agent"),
        *(json.dumps(managed[name]["Document"]) for name in names),
    ]


def _templates_own() -> dict[str, Any]:
    bucket = "arn:aws:s3:::conbench-prod-buildkite-secrets"
    token = f"arn:aws:ssm:us-east-1:{_ACCOUNT}:parameter/buildkite/agent-token"
    groups = (
        f"arn:aws:autoscaling:us-east-1:{_ACCOUNT}:autoScalingGroup:*:autoScalingGroupName/"
        "conbench-prod-buildkite-amd64-m5-4xlarge-linux-AgentAutoScaleGroup-*"
    )
    terminate = (
        *stacks.role_actions(DEFAULT_STACK_VERSION),
        "autoscaling:SetInstanceHealth",
        "autoscaling:TerminateInstanceInAutoScalingGroup",
    )
    statements = (
        (("ssm:GetParameter",), token),
        (("s3:Get*", "s3:List*"), [bucket, f"{bucket}/*"]),
        (_DESCRIBE, "*"),
        (terminate, groups),
        (_LOG, "*"),
        (_SESSION_MANAGER, "*"),
    )
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": list(actions), "Resource": resource}
            for actions, resource in statements
        ],
    }
