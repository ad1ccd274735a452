"""The settings of an AgentStack, a value for each thing that they concern."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Existing:
    """Something that exists already, and that this program uses and does not make."""

    name: str
    """What it is called: the name of a bucket, the name of an SSM parameter, the ARN of a policy;
    or a Terraform reference to that, such as ``${aws_s3_bucket.secrets.id}``."""


@dataclass(frozen=True)
class AgentToken:
    """The SSM parameter with the agent token, which this program makes."""

    parameter: str | None = None
    """The parameter's name. By default ``/buildkite/agent-token``, and for an environment other
    than ``prod`` ``/buildkite/ENVIRONMENT/agent-token``."""

    organization: str | None = None
    """The Buildkite organization, for the parameter's description. By default none is named."""

    value: str | None = None
    """A Terraform reference to the token. By default the variable ``buildkite_agent_token``."""

    write_only_version: int | None = None
    """Keep the token out of Terraform's state and plans: it is passed on write-only, and written
    when this number changes. Needs Terraform 1.11 and AWS provider 5.87. By default the state has
    the token."""


@dataclass(frozen=True)
class SecretsBucket:
    """The S3 bucket of the jobs' secrets and of the bootstrap script, which this program makes."""

    name: str | None = None
    """The bucket's name. By default ``PROJECT-ENVIRONMENT-buildkite-secrets``."""

    kms_key_arn: str | None = None
    """A customer managed KMS key, which agents may then decrypt with. By default S3 encrypts with
    keys of its own (AES256)."""

    deletion_protection: bool = True
    """Have Terraform refuse to destroy the bucket, before it destroys anything. Taking it all down
    begins with setting this to False. Without it, a bucket with files in it loses its policy and
    its other protections before S3 refuses to delete it."""

    default_tags_on_script: bool = True
    """Whether the bootstrap script's object gets the default tags of the provider. S3 accepts ten
    tags of an object; a provider of your own that has more default tags needs False here, and AWS
    provider 5.24."""


@dataclass(frozen=True)
class AgentAccess:
    """What the agents' instances may do in AWS. A job can do all that its instance may."""

    policy_name: str | None = None
    """The name of the IAM policy that this program makes. By default
    ``PROJECT-ENVIRONMENT-buildkite-agent-policy``."""

    ecr_repositories: Sequence[str] = ("*",)
    """Patterns of the ECR repositories, in the account and region of the agents, that images are
    pulled from and pushed to: by default all of them. None at all: no access to ECR."""

    statements: Sequence[Mapping[str, Any]] = ()
    """Further statements of the agents' IAM policy, as IAM writes them."""

    managed_policies: Sequence[str] = ()
    """ARNs of further managed policies of the instance roles."""

    permissions_boundary: str | None = None
    """ARN of a policy that limits what the instance roles may ever do."""


@dataclass(frozen=True)
class Network:
    """An existing VPC and its subnets: ids, or Terraform references such as ``${aws_vpc.main.id}``.

    Without one, Terraform's variables ``vpc_id`` and ``subnet_ids`` decide, and with these unset
    each queue's stack makes a VPC of its own (an AWS account has five a region, by default).
    """

    vpc_id: str
    """The VPC's id."""

    subnet_ids: Sequence[str] | str
    """The ids of subnets of that VPC, best in different availability zones; or one reference to all
    of them, joined by commas: ``${join(",", module.vpc.public_subnets)}``."""


@dataclass(frozen=True)
class S3Backend:
    """Terraform's state in an S3 bucket, locked by a file beside it (Terraform 1.10 or newer)."""

    bucket: str
    """The bucket's name. It must exist already."""

    region: str
    """The bucket's region."""

    key: str = ""
    """The state's key; by default ``PROJECT-ENVIRONMENT/terraform.tfstate``."""


@dataclass(frozen=True)
class Deployment:
    """The Terraform root module that is written, and its state."""

    folder: Path | str | None = None
    """Where the configuration is written for use without the cdktf CLI. By default ``terraform``,
    and for an environment other than ``prod`` ``terraform-ENVIRONMENT``."""

    backend: S3Backend | None = None
    """Where Terraform keeps its state. By default ``terraform.tfstate`` beside the configuration.
    Any other backend of CDKTF's is created on the stack: ``cdktf.CloudBackend(stack, ...)``, which
    needs ``terraform`` on PATH."""

    inside_root_module: bool = False
    """Whether the folder is an existing root module, which has a provider, variables, and outputs
    of its own: only ``buildkite.tf.json`` and the bootstrap script are then written to it."""

    import_account: str | None = None
    """The id of the AWS account that has all of this already, where the state was lost: Terraform
    then imports it. For one apply; remove it again after that."""
