"""The CloudFormation stack of a queue."""

from collections.abc import Mapping, Sequence

from cdktf import (
    ITerraformDependable,
    Precondition,
    TerraformResourceLifecycle,
    TerraformStack,
)

from buildkite_agents import catalogue
from buildkite_agents.agent_queue import AgentQueue
from buildkite_agents.names import Names
from buildkite_agents.stack_parameters import Wiring, stack_parameters
from imports.aws.cloudformation_stack import CloudformationStack


class AgentQueueStack(CloudformationStack):
    """A queue's own stack of the official Elastic CI Stack for AWS.

    Its address is ``aws_cloudformation_stack.QUEUE``.
    """

    def __init__(
        self,
        scope: TerraformStack,
        *,
        queue: AgentQueue,
        names: Names,
        wiring: Wiring,
        tags: Mapping[str, str],
        depends_on: Sequence[ITerraformDependable],
    ) -> None:
        """Make the stack of *queue*, after all that its instances need at once."""
        name = names.stack(queue.name)
        super().__init__(
            scope,
            queue.name,
            name=name,
            template_url=catalogue.load(queue.stack_version).template_url,
            capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            parameters=stack_parameters(
                queue, instance_role=names.instance_role(queue.name), wiring=wiring
            ),
            tags={**tags, "Name": name, "Queue": queue.name},
            depends_on=depends_on,
            lifecycle=_preconditions(queue, wiring),
        )


def _preconditions(queue: AgentQueue, wiring: Wiring) -> TerraformResourceLifecycle | None:
    """What the template would silently ignore beside values that only Terraform knows."""
    preconditions = []
    if str(queue.parameters.get("EnableVpcEndpoints")).lower() == "true":
        preconditions.append(
            _beside_nothing(
                wiring.vpc_id,
                f"queue {queue.name}: EnableVpcEndpoints does nothing in a VPC that is given: "
                "leave out vpc_id, or EnableVpcEndpoints.",
            )
        )
    if queue.parameters.get("ImageIdParameter"):
        preconditions.append(
            _beside_nothing(
                wiring.image_id(queue.architecture),
                f"queue {queue.name}: ImageIdParameter does nothing beside an image in "
                f"buildkite_agent_amis: leave out {queue.architecture}-linux there, or "
                "ImageIdParameter.",
            )
        )
    return TerraformResourceLifecycle(precondition=preconditions) if preconditions else None


def _beside_nothing(reference: str, message: str) -> Precondition:
    expression = reference.removeprefix("${").removesuffix("}")
    return Precondition(condition=f'${{{expression} == ""}}', error_message=message)
