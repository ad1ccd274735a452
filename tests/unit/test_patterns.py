"""The forms of AWS's ids and names.

The examples are of AWS's documents, so that a pattern that accepts too much or too little fails.
"""

import re

import pytest

from buildkite_agents import patterns

HEX = "0123456789abcdef0"
EXAMPLES: dict[str, tuple[str, list[str], list[str]]] = {
    **{
        f"{prefix}-": (
            pattern,
            [f"{prefix}-1a2b3c4d", f"{prefix}-{HEX}"],
            [
                *(f"{prefix}-1a2b3c4", f"{prefix}-{HEX}1"),  # too short, too long
                *(f"{prefix}-1a2b3c4g", f"{prefix}-{HEX[:-1]}G", f"{prefix}-{HEX[:-1].upper()}"),
                *(f"{prefix}_1a2b3c4d", f"{prefix}1a2b3c4d", "x-1a2b3c4d", HEX, f"x{prefix}-{HEX}"),
            ],
        )
        for prefix, pattern in {
            "vpc": patterns.VPC_ID,
            "subnet": patterns.SUBNET_ID,
            "sg": patterns.SECURITY_GROUP_ID,
            "ami": patterns.IMAGE_ID,
        }.items()
    },
    "region": (
        patterns.REGION,
        ["us-east-1", "ap-southeast-2", "us-gov-west-1", "cn-northwest-1", "us-isob-east-1"],
        ["us-east", "us-east-1a", "use-east-1", "us1-east-1", "us--1", "US-EAST-1", "global"],
    ),
    "zone": (patterns.AVAILABILITY_ZONE, ["us-east-1a"], ["us-east-1", "us-east-1A", "us-east-a"]),
    "account": (patterns.ACCOUNT_ID, ["012345678901"], ["12345678901", "0123456789012", "a" * 12]),
    "key": (
        patterns.KMS_KEY_ID,
        ["1234abcd-12ab-34cd-56ef-1234567890ab", "mrk-1234abcd12ab34cd56ef1234567890ab"],
        ["alias/key", "1234abcd", "1234abcd-12ab-34cd-56ef-1234567890ag", f"mrk-{'a' * 37}"],
    ),
    "role": (patterns.ROLE_NAME, ["a", "ci_agent+=,.@-"], ["", "a b", "a/b", "a:b"]),
    "policy": (patterns.POLICY_NAME, ["p" * 128, "a+=,.@-_"], ["", "p" * 129, "a/b"]),
    "bucket": (
        patterns.BUCKET_NAME,
        ["a", "acme-secrets", "logs.acme.com", "0a0"],
        ["Acme", "-acme", "acme-", "a..b", ".a", "a.", "a.-b", "a_b", ""],
    ),
    "identifier": (patterns.TERRAFORM_IDENTIFIER, ["_", "gpu_1", "A-b"], ["1a", "-a", "a.b", ""]),
    "policy ARN": (
        patterns.arn("iam"),
        [
            *("arn:aws:iam::123456789012:policy/p", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
            *("arn:aws-us-gov:iam::123456789012:policy/team/p", "arn:aws-cn:iam::aws:policy/p"),
        ],
        [
            *("arn:aws:s3:::bucket", "arn:aws:iam::12345:policy/p", "arn:aws:iam::aws:", "p"),
            *("arn:aws:iam::aws:policy/p q", 'arn:aws:iam::aws:policy/"', "xarn:aws:iam::aws:p"),
            *("arn:aws:iam::aws:policy/p,arn", "arn:aws:iam::theirs:policy/p"),
        ],
    ),
    "key ARN": (
        patterns.arn("kms", "key/[a-z0-9-]+"),
        ["arn:aws:kms:us-east-1:123456789012:key/1234abcd"],
        ["arn:aws:kms:us-east-1:123456789012:alias/a", "arn:aws:kms:us-east-1:1:key/a"],
    ),
}


@pytest.mark.parametrize(
    ("pattern", "text", "is_valid"),
    [
        pytest.param(pattern, text, is_valid, id=f"{name} {text}")
        for name, (pattern, *both) in EXAMPLES.items()
        for texts, is_valid in zip(both, (True, False), strict=True)
        for text in texts
    ],
)
def test_a_pattern_accepts_what_aws_does(pattern: str, text: str, is_valid: bool) -> None:
    assert (re.fullmatch(pattern, text) is not None) is is_valid
