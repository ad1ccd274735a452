"""The names of everything that is made, all from the project and the environment."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    """Names that existing deployments have. A changed name replaces what bears it."""

    project: str
    environment: str
    own_token_parameter: str | None = None

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
        if self.own_token_parameter is not None:
            return self.own_token_parameter
        if self.environment == "prod":
            return "/buildkite/agent-token"
        return f"/buildkite/{self.environment}/agent-token"

    def stack(self, queue: str) -> str:
        """The CloudFormation stack of a queue."""
        return f"{self.prefix}-buildkite-{queue}"

    def instance_role(self, queue: str) -> str:
        """The IAM role of a queue's instances."""
        return f"{self.stack(queue)}-role"
