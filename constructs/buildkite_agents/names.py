"""The names of everything that is made, all from the project and the environment."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from buildkite_agents.queue import AgentQueue


@dataclass(frozen=True)
class Names:
    """Names that existing deployments have. A changed name replaces what bears it."""

    project: str
    environment: str

    @property
    def prefix(self) -> str:
        """What every name starts with; also the CDKTF stack's name."""
        return f"{self.project}-{self.environment}"

    @property
    def secrets_bucket(self) -> str:
        """The S3 bucket of secrets and the bootstrap script."""
        return f"{self.prefix}-buildkite-secrets"

    @property
    def agent_policy(self) -> str:
        """The IAM policy of the agents' roles."""
        return f"{self.prefix}-buildkite-agent-policy"

    @property
    def token_parameter(self) -> str:
        """The SSM parameter of the agent token: ``/buildkite/agent-token`` for ``prod``.

        A parameter's name is unique in an account and region, so other environments add theirs.
        """
        if self.environment == "prod":
            return "/buildkite/agent-token"
        return f"/buildkite/{self.environment}/agent-token"

    def stack(self, queue: AgentQueue) -> str:
        """The CloudFormation stack of a queue."""
        if queue.stack_name is not None:
            return queue.stack_name
        return f"{self.prefix}-buildkite-{re.sub(r'[^A-Za-z0-9-]', '-', str(queue.name))}"

    def instance_role(self, queue: AgentQueue) -> str:
        """The IAM role of a queue's instances."""
        return f"{self.stack(queue)}-role"

    @property
    def default_folder(self) -> str:
        """The folder of the configuration."""
        return "terraform" if self.environment == "prod" else f"terraform-{self.environment}"


def address(queue: AgentQueue) -> str:
    """What the stack of a queue is called in Terraform: an identifier, with no digit first."""
    if queue.address is not None:
        return queue.address
    identifier = re.sub(r"[^A-Za-z0-9_-]", "-", str(queue.name))
    return identifier if re.match(r"[A-Za-z_]", identifier) else f"queue-{identifier}"


def keys(queues: Sequence[AgentQueue]) -> list[str]:
    """What the stack of each queue is found by: its queue's name.

    Where several stacks serve one queue it is their addresses.
    """
    counts = Counter(queue.name for queue in queues)
    return [queue.name if counts[queue.name] == 1 else address(queue) for queue in queues]


def moved_from(queue: AgentQueue) -> str:
    """The address that the stack of a queue has in an existing state; perhaps the one it gets."""
    if queue.moved_from is not None:
        return queue.moved_from or f"aws_cloudformation_stack.{address(queue)}"
    return f'aws_cloudformation_stack.buildkite_agents["{queue.name}"]'
