"""What the agents' instances may do in AWS, beyond what every agent needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class AgentAccess:
    """Access for what the jobs do. A job can do all that its instance may."""

    ecr_repositories: Sequence[str] = ("*",)
    """Patterns of the ECR repositories, in the account and region of the agents, that images are
    pulled from and pushed to: by default all of them. None at all: no access to ECR."""

    statements: Sequence[Mapping[str, Any]] = ()
    """Further statements of the agents' IAM policy, as IAM writes them."""

    managed_policies: Sequence[str] = ()
    """ARNs of further managed policies of the instance roles."""

    permissions_boundary: str | None = None
    """ARN of a policy that caps what the instance roles may ever do."""
