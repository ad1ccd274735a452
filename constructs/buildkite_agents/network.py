"""The VPC that the agents run in."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """An existing VPC and its subnets: ids, or Terraform references such as ``${aws_vpc.main.id}``.

    Without one, Terraform's variables ``vpc_id`` and ``subnet_ids`` decide, and with these unset
    each stack makes a VPC of its own (an AWS account has five a region, by default).
    """

    vpc_id: str
    """The VPC's id."""

    subnet_ids: Sequence[str]
    """The ids of two or more subnets of that VPC (the template's rule), best in different zones."""
