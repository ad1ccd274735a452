"""The forms of AWS's ids and names, as regular expressions without anchors.

They are valid for Python and for Terraform.
"""

import re

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html
VPC_ID = "vpc-[0-9a-f]{8,17}"
SUBNET_ID = "subnet-[0-9a-f]{8,17}"
SECURITY_GROUP_ID = "sg-[0-9a-f]{8,17}"
IMAGE_ID = "ami-[0-9a-f]{8,17}"
# https://docs.aws.amazon.com/general/latest/gr/rande.html
REGION = "[a-z]{2}(-[a-z]+)+-[0-9]+"
AVAILABILITY_ZONE = f"{REGION}[a-z]"
# https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html
ACCOUNT_ID = "[0-9]{12}"
# https://docs.aws.amazon.com/kms/latest/developerguide/concepts-key-id.html
KMS_KEY_ID = "(?:mrk-)?[0-9a-f-]{32,36}"
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
ROLE_NAME = r"[\w+=,.@-]+"
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html
POLICY_NAME = r"[\w+=,.@-]{1,128}"
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET_NAME = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:[.][a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*"
# https://developer.hashicorp.com/terraform/language/syntax/configuration#identifiers
TERRAFORM_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_-]*"


def arn(service: str, resource: str = r"[^\s,\"]+") -> str:
    """The form of the ARNs of a *service*, whose *resource* follows region and account.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
    """
    return rf"arn:aws[a-z-]*:{service}:[a-z0-9-]*:(?:[0-9]{{12}}|aws)?:{resource}"


# Credentials in a URL, values that are named secret, what signs a URL, and the prefixes of
# Buildkite's, GitHub's, GitLab's, AWS's and Slack's tokens. A reference has no secret in it.
SECRET = re.compile(
    r"://[^/@\s]*:(?!\$\{)[^/@\s]*@|://\w{20,}@"
    r"|\b(?i:password|passwd|secret|api_?key|token)=[^$,&\s]"
    r"|[?&](?i:[\w-]*(?:signature|token)|sig)=[^$&\s]"
    r"|\b(bk[a-z]{2}_|gh[opsur]_|github_pat_|glpat-|AKIA|ASIA|xox[abp]-)[A-Za-z0-9]"
)
