"""Names and addresses, derived from the project, the environment and the queue.

A changed name replaces the resource, and a changed address loses it: both are a contract with
existing deployments.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from buildkite_agents.queue import AgentQueue

SECRETS_BUCKET = "aws_s3_bucket.buildkite_secrets"
BOOTSTRAP_OBJECT = "aws_s3_object.bootstrap_script"
TOKEN_PARAMETER = "aws_ssm_parameter.buildkite_agent_token"  # noqa: S105 # nosec B105
AGENT_POLICY = "aws_iam_policy.buildkite_agent"
BUCKET_PARTS = tuple(
    f"aws_s3_bucket_{part}.buildkite_secrets"
    for part in (
        "public_access_block",
        "server_side_encryption_configuration",
        "ownership_controls",
        "versioning",
        "lifecycle_configuration",
        "policy",
    )
)
SHARED = (SECRETS_BUCKET, *BUCKET_PARTS, BOOTSTRAP_OBJECT, TOKEN_PARAMETER, AGENT_POLICY)
"""The addresses of all resources that queues share."""


_DOCUMENTED_PROJECT = "conbench"


@dataclass(frozen=True)
class Names:
    """The names of the resources of a project's environment."""

    project: str
    environment: str

    @property
    def prefix(self) -> str:
        """The prefix of every name, and the CDKTF stack's name."""
        return f"{self.project}-{self.environment}"

    @property
    def secrets_bucket(self) -> str:
        """The S3 bucket for secrets and the bootstrap script."""
        return f"{self.prefix}-buildkite-secrets"

    @property
    def agent_policy(self) -> str:
        """The IAM policy of the agents' roles."""
        return f"{self.prefix}-buildkite-agent-policy"

    @property
    def token_parameter(self) -> str:
        """The SSM parameter of the agent token: ``/buildkite/PROJECT/ENVIRONMENT/agent-token``.

        The documented project has no project in it, and no environment for ``prod``.
        """
        project = "" if self.project == _DOCUMENTED_PROJECT else f"{self.project}/"
        environment = "" if not project and self.environment == "prod" else f"{self.environment}/"
        return f"/buildkite/{project}{environment}agent-token"

    def stack(self, queue: AgentQueue) -> str:
        """The CloudFormation stack of a queue."""
        if queue.stack_name is not None:
            return queue.stack_name
        return f"{self.prefix}-buildkite-{re.sub(r'[^A-Za-z0-9-]', '-', queue.name)}"

    def instance_role(self, queue: AgentQueue) -> str:
        """The IAM role of a queue's instances."""
        return f"{self.stack(queue)}-role"

    @property
    def default_folder(self) -> str:
        """The folder of the configuration."""
        return "terraform" if self.environment == "prod" else f"terraform-{self.environment}"


def resource_name(address: str) -> str:
    """The name in the address of a resource of a root module."""
    return address.rpartition(".")[2]


def stack_resource_name(queue: AgentQueue) -> str:
    """The Terraform resource name of a queue's stack: an identifier that starts with no digit."""
    if queue.address is not None:
        return queue.address
    identifier = re.sub(r"[^A-Za-z0-9_-]", "-", queue.name)
    return identifier if re.match(r"[A-Za-z_]", identifier) else f"queue-{identifier}"


def stack_address(queue: AgentQueue) -> str:
    """The Terraform address of a queue's stack."""
    return f"aws_cloudformation_stack.{stack_resource_name(queue)}"


def former_address(queue: AgentQueue) -> str:
    """The address of a queue's stack in an existing state, which can equal its new address."""
    if queue.moved_from is not None:
        return queue.moved_from or stack_address(queue)
    return f'aws_cloudformation_stack.buildkite_agents["{queue.name}"]'


def stack_keys(queues: Sequence[AgentQueue]) -> list[str]:
    """The key of each queue's stack: the queue's name.

    Where several stacks serve one queue, each has its resource name as its key.
    """
    counts = Counter(queue.name for queue in queues)
    return [
        queue.name if counts[queue.name] == 1 else stack_resource_name(queue) for queue in queues
    ]
