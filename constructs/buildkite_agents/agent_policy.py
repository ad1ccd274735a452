"""What the agents' instances may do, beyond what the Elastic CI Stack's own role allows."""

import json
from collections.abc import Mapping

from constructs import Construct

from buildkite_agents.secrets_bucket import SecretsBucket
from imports.aws.iam_policy import IamPolicy


class AgentPolicy(Construct):
    """The IAM policy that each queue's instance role gets: secrets, images and logs."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        name: str,
        secrets_bucket: SecretsBucket,
        tags: Mapping[str, str],
    ) -> None:
        """Make the policy *name*, for reading *secrets_bucket*."""
        super().__init__(scope, id_)
        bucket_arn = secrets_bucket.bucket.arn
        document = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": ["s3:GetObject", "s3:ListBucket"],
                    "Resource": [bucket_arn, f"{bucket_arn}/*"],
                },
                {
                    "Effect": "Allow",
                    "Action": [
                        "ecr:GetAuthorizationToken",
                        "ecr:BatchCheckLayerAvailability",
                        "ecr:GetDownloadUrlForLayer",
                        "ecr:BatchGetImage",
                        "ecr:PutImage",
                        "ecr:InitiateLayerUpload",
                        "ecr:UploadLayerPart",
                        "ecr:CompleteLayerUpload",
                    ],
                    "Resource": "*",
                },
                {
                    "Effect": "Allow",
                    "Action": [
                        "logs:CreateLogGroup",
                        "logs:CreateLogStream",
                        "logs:PutLogEvents",
                    ],
                    "Resource": "arn:aws:logs:*:*:*",
                },
            ],
        }
        self.policy = IamPolicy(
            self,
            "policy",
            name=name,
            description="IAM policy for Buildkite agents",
            # In the form of Terraform's jsonencode, which existing states have.
            policy=json.dumps(document, sort_keys=True, separators=(",", ":")),
            tags=tags,
        )
        self.policy.override_logical_id("buildkite_agent")
        """The policy itself."""
