"""The settings of an AgentStack, one class for each of the resources that it configures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from buildkite_agents.arguments import reports_mistaken_arguments
from buildkite_agents.options import option
from buildkite_agents.queue import ParameterValue


@reports_mistaken_arguments
@dataclass(frozen=True)
class Existing:
    """A reference to an existing resource, which this program uses and does not manage."""

    name: str
    """The name of a bucket, the name of an SSM parameter or the ARN of a policy; or a Terraform
    reference to one, such as ``${aws_s3_bucket.secrets.id}``."""


@reports_mistaken_arguments
@dataclass(frozen=True, kw_only=True)
class AgentToken:
    """The SSM parameter that stores the agent token."""

    parameter: str | None = None
    """The parameter's name. For the project ``conbench`` the default has no project in it:
    ``/buildkite/agent-token`` in ``prod``, ``/buildkite/ENVIRONMENT/agent-token`` elsewhere.
    Default: ``/buildkite/PROJECT/ENVIRONMENT/agent-token``."""

    organization: str | None = None
    """The display name of the Buildkite organization, for the parameter's description only.
    ``organization`` of Alarms, in contrast, is a slug. Default: none."""

    value: str | None = None
    """A Terraform reference to the token. Default: ``${var.buildkite_agent_token}``."""

    write_only_version: int | None = option(default=None, least=1)
    """Keep the token out of Terraform's state and plans: its value is write-only, and is written
    when this number changes. Requires Terraform 1.11 and AWS provider 5.87. Without it, the state
    contains the token. Default: none."""


@reports_mistaken_arguments
@dataclass(frozen=True)
class SecretsBucket:
    """The S3 bucket for the jobs' secrets and the bootstrap script."""

    name: str | None = None
    """The bucket's name. Default: ``PROJECT-ENVIRONMENT-buildkite-secrets``."""

    kms_key_arn: str | None = None
    """The ARN of a customer managed KMS key, with which the agents can then decrypt. Default: S3
    managed keys (AES256)."""

    deletion_protection: bool = True
    """Whether Terraform refuses to destroy the bucket, before it destroys anything else. To remove
    a deployment, set this to False first. Without this protection, Terraform removes the policy and
    the encryption of a bucket that contains files before S3 refuses to delete the bucket."""

    isolate_queues: bool = True
    """Whether the bucket's policy denies each queue's instances the environment files of the other
    queues, ``queues/QUEUE/``. With ``keep_documented_layout`` the bucket has no policy."""

    default_tags_on_script: bool = True
    """Whether the bootstrap script's object has the provider's default tags. S3 accepts at most ten
    tags for an object: with a provider block of your own that has more default tags, set this to
    False, which requires AWS provider 5.24."""


@reports_mistaken_arguments
@dataclass(frozen=True)
class AgentAccess:
    """The permissions of the agents' instances in AWS.

    Each job has all permissions of its instance.
    """

    policy_name: str | None = None
    """The name of the agents' IAM policy. Default:
    ``PROJECT-ENVIRONMENT-buildkite-agent-policy``."""

    pull_from_ecr: bool = True
    """Whether agents can pull the images of all ECR repositories that their account can read, those
    of other accounts included (the template's ``ECRAccessPolicy`` is ``readonly``)."""

    push_to_ecr_repositories: Sequence[str] = ()
    """Patterns of the ECR repositories, in the agents' account and region, whose images each job
    can push and overwrite. Default: none."""

    statements: Sequence[Mapping[str, Any]] = ()
    """Further statements of the agents' IAM policy, in the form of an IAM policy document.
    Default: none."""

    managed_policies: Sequence[str] = ()
    """The ARNs of further managed policies of the instance roles. Default: none."""

    permissions_boundary: str | None = None
    """The ARN of the instance roles' permissions boundary. Default: none."""


@reports_mistaken_arguments
@dataclass(frozen=True)
class Network:
    """An existing VPC and its subnets: ids, or Terraform references such as ``${aws_vpc.main.id}``.

    Without it, Terraform's variables ``vpc_id`` and ``subnet_ids`` select the VPC. If these are
    unset too, each queue's stack creates a VPC (the default quota is five for each region).
    """

    vpc_id: str
    """The VPC's id."""

    subnet_ids: Sequence[str] | str
    """The ids of subnets of that VPC, preferably in different Availability Zones; or one reference
    to all of them, joined with commas: ``${join(",", module.vpc.public_subnets)}``."""


@reports_mistaken_arguments
@dataclass(frozen=True)
class S3Backend:
    """Terraform state in an S3 bucket, with a lock file beside it (Terraform 1.10 or newer)."""

    bucket: str
    """The name of an existing bucket."""

    region: str
    """The bucket's region."""

    key: str = ""
    """The key of the state object. Default: ``PROJECT-ENVIRONMENT/terraform.tfstate``."""

    profile: str | None = None
    """The AWS profile for the state. Terraform's variable ``aws_profile`` does not apply to it.
    Default: the credentials of the environment, such as of ``AWS_PROFILE``."""

    role_arn: str | None = None
    """The ARN of a role to assume for the state. Default: none."""

    kms_key_arn: str | None = None
    """The ARN of a KMS key that encrypts the state. Default: the bucket's own encryption."""


@reports_mistaken_arguments
@dataclass(frozen=True)
class Deployment:
    """The Terraform root module and its state."""

    folder: Path | str | None = None
    """The folder of the configuration for use without the cdktf CLI. Default: ``terraform`` in
    ``prod``, ``terraform-ENVIRONMENT`` elsewhere."""

    backend: S3Backend | None = None
    """Where Terraform stores its state. To use another CDKTF backend, create it on the stack, for
    example ``cdktf.HttpBackend(stack, ...)``; ``cdktf.CloudBackend`` requires ``terraform`` on
    PATH. Default: the file ``terraform.tfstate`` beside the configuration."""

    inside_root_module: bool = False
    """Whether the folder is an existing root module with its own provider, variables and outputs:
    then only ``buildkite.tf.json`` and the bootstrap script are written to it."""

    provider: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of the AWS provider's block, in the form of Terraform's JSON, such as
    ``{"allowed_account_ids": ["123456789012"]}`` or ``{"ignore_tags": [{"keys": ["Owner"]}]}``.
    Terraform checks them. They override the arguments that this program sets. Set the provider's
    default tags in ``tags`` of the AgentStack. Default: none."""

    destroy_unused: bool = False
    """Whether Terraform destroys a shared resource that the program no longer defines, such as the
    bucket after ``secrets_bucket=Existing(...)``. Otherwise such a resource leaves Terraform's
    management and stays in AWS."""

    import_account: str | None = None
    """The id of the AWS account in which all resources exist, after the state was lost: Terraform
    then imports them. Remove this argument after one apply. Default: none."""


@reports_mistaken_arguments
@dataclass(frozen=True)
class Alarms:
    """CloudWatch alarms for each queue, which notify an SNS topic, and an optional budget.

    See docs/alarms.md. With ``email``, each provider configuration that a queue uses gets a topic,
    because metrics, alarms and topics are regional. Each topic is encrypted with a customer managed
    KMS key (one US dollar a month): CloudWatch cannot publish to topics that are encrypted with the
    AWS managed key.
    """

    organization: str
    """The slug of the Buildkite organization, as in ``https://buildkite.com/arrow-dev``, which is a
    dimension of the scalers' metrics. It is not the display name."""

    email: str | None = None
    """The address that a new SNS topic notifies, after its recipient has confirmed the
    subscription. Either ``email`` or ``topic`` is required. Default: none."""

    topic: Mapping[str, str] | str | None = None
    """The ARN of an existing SNS topic, or a Terraform reference to it. Its policy must permit
    CloudWatch to publish. If queues have a ``provider``, a topic for each provider configuration:
    ``{"aws": ..., "aws.us_east_1": ...}``. Default: none."""

    jobs_wait_minutes: int = option(default=30, least=10, greatest=1440, step=5)
    """The minutes after which waiting jobs raise an alarm if none runs, in steps of five. For a
    queue of a fixed size, which has no metrics of jobs, the minutes with too few instances.
    Default: 30."""

    scaler_silent_minutes: int = option(default=15, least=10, greatest=1440, step=5)
    """The minutes without metrics from the scaler after which an alarm is raised, in steps of five.
    Default: 15."""

    instances_without_jobs_minutes: int = option(default=120, least=10, greatest=1440, step=5)
    """The minutes, beyond the queue's idle time, after which more instances than its minimum raise
    an alarm if no job runs, in steps of five. A queue has no such alarm if its instances never
    terminate (``idle_minutes=0``) or if its idle time is a reference. Each plan that changes the
    queue's stack replaces this alarm and the other two on numbers of instances: their metrics have
    the name of the stack's Auto Scaling group, an output of the stack. Default: 120."""

    at_maximum_hours: int | None = option(default=None, least=1, greatest=168)
    """The hours with the maximum number of instances after which waiting jobs raise an alarm.
    Default: no such alarm."""

    monthly_budget: int | None = option(default=None, least=1)
    """A monthly budget in US dollars for the resources with ``budget_tag``, which notifies the same
    recipient when 80 % and 100 % are spent, and when more than 100 % is forecast. Activate the tag
    as a cost allocation tag in the billing account. Default: no budget."""

    budget_tag: str = "Project"
    """The key of the AgentStack's tag by whose value the budget selects resources. Default:
    ``Project``."""


@dataclass(frozen=True)
class StackSettings:
    """The arguments of an AgentStack other than its queues, as given."""

    project: str
    environment: str = "prod"
    bootstrap_script: Path | str | None = None
    token: AgentToken | Existing | None = AgentToken()
    secrets_bucket: SecretsBucket | Existing | None = SecretsBucket()
    access: AgentAccess | Existing | None = AgentAccess()
    network: Network | None = None
    alarms: Alarms | None = None
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    tags: Mapping[str, str] | None = None
    deployment: Deployment = Deployment()
    keep_documented_layout: bool = False
    template_defaults: bool = False

    @property
    def is_write_only(self) -> bool:
        """Whether the token is kept out of Terraform's state."""
        return isinstance(self.token, AgentToken) and self.token.write_only_version is not None

    @property
    def common_tags(self) -> Mapping[str, str]:
        """The tags of each resource."""
        if self.tags is not None:
            return self.tags
        return {"Project": self.project, "Environment": self.environment}

    @property
    def default_tags(self) -> Mapping[str, str]:
        """The provider's default tags."""
        return (
            self.tags if self.tags is not None else {**self.common_tags, "ManagedBy": "terraform"}
        )
