"""The CloudFormation stack of a queue."""

from collections.abc import Iterator, Mapping, Sequence

from cdktf import (
    ITerraformDependable,
    Postcondition,
    Precondition,
    TerraformResourceLifecycle,
    TerraformStack,
)

from buildkite_agents.aws.cloudformation_stack import (
    CloudformationStack,
    CloudformationStackTimeouts,
)
from buildkite_agents.expressions import NullIfEmpty
from buildkite_agents.resolved import ResolvedQueue
from buildkite_agents.resources.import_block import ImportBlock

# All other ids in an AgentStack contain an underscore, or are one of these.
_OTHER_IDS = ("backend", "environment")


class QueueStack(CloudformationStack):
    """A queue's CloudFormation stack of the official Elastic CI Stack for AWS."""

    def __init__(
        self,
        scope: TerraformStack,
        resolved: ResolvedQueue,
        *,
        depends_on: Sequence[ITerraformDependable],
    ) -> None:
        """Define the stack of a queue, which depends on all that its instances need at boot."""
        queue, resource_name = resolved.queue, resolved.resource_name
        # With its resource name as the id, a resource needs no further call to CDKTF.
        is_free = "_" not in resource_name and resource_name not in _OTHER_IDS
        super().__init__(
            scope,
            resource_name if is_free else f"queue {resource_name}",
            name=resolved.stack_name,
            template_url=resolved.template_url,
            capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            parameters=resolved.parameters,
            tags=resolved.tags if isinstance(resolved.tags, Mapping) else None,
            timeouts=_timeouts(queue.timeout_minutes),
            depends_on=depends_on or None,
            lifecycle=TerraformResourceLifecycle(
                ignore_changes=list(queue.ignore_changes) or None,
                precondition=[*_preconditions(resolved)] or None,
                postcondition=[_has_succeeded(resolved.name, resolved.stack_name)],
            ),
        )
        if not is_free:
            self.override_logical_id(resource_name)
        # CDKTF does not support a reference in place of a mapping, or a provider
        # of the root module.
        if isinstance(resolved.tags, str):
            self.add_override("tags", resolved.tags)
        if queue.provider is not None:
            self.add_override("provider", queue.provider)


def import_block(resolved: ResolvedQueue) -> ImportBlock:
    """The import block of a queue's stack."""
    return ImportBlock(
        resolved.address,
        resolved.stack_name,
        # The provider reads only the parameters in its state, which has none after an import.
        ("capabilities", "parameters", "tags", "template_url"),
    )


def _timeouts(minutes: int) -> CloudformationStackTimeouts:
    timeout = f"{minutes}m"
    return CloudformationStackTimeouts(create=timeout, update=timeout, delete=timeout)


def _has_succeeded(queue: str, stack: str) -> Postcondition:
    """A postcondition that the stack's creation did not fail.

    A stack whose creation failed has the requested parameters and tags, but no outputs.
    """
    return Postcondition(
        # With lookup(), because Terraform prints the values to which a failed condition refers: the
        # template is 90 KB long.
        condition=(
            "${length(self.outputs) > 0 || "
            '!strcontains(lookup(self, "template_body", ""), "Outputs")}'
        ),
        error_message=(
            f"queue {queue}: the stack {stack} has none of its template's outputs. Find its status "
            f"with `aws cloudformation describe-stacks --stack-name {stack}`. ROLLBACK_COMPLETE, "
            "ROLLBACK_FAILED, CREATE_FAILED: its creation failed; the error above, if any, and its "
            "events say why. DELETE_FAILED: its deletion failed. ..._IN_PROGRESS: wait. "
            "UPDATE_ROLLBACK_...: its last update failed. See docs/troubleshooting.md."
        ),
    )


def _preconditions(queue: ResolvedQueue) -> Iterator[Precondition]:
    """The preconditions on combinations with values that only Terraform knows."""
    where = f"queue {queue.name}:"
    vpc, image = queue.value("VpcId"), queue.value("ImageId")
    if isinstance(vpc, NullIfEmpty):
        if queue.is_given("SecurityGroupIds"):
            yield Precondition(
                condition=f"${{{vpc.expression} != null}}",
                error_message=f"{where} SecurityGroupIds must belong to the VPC that is given, "
                "and none is: set vpc_id and subnet_ids.",
            )
        if queue.text("AssociatePublicIpAddress") == "false":
            yield Precondition(
                condition=f"${{{vpc.expression} != null}}",
                error_message=f"{where} AssociatePublicIpAddress must be true where the "
                "stack creates its own VPC, which has no NAT: set vpc_id and subnet_ids.",
            )
        if queue.text("EnableVpcEndpoints") == "true":
            yield Precondition(
                condition=f"${{{vpc.expression} == null}}",
                error_message=f"{where} EnableVpcEndpoints has no effect in an existing VPC: "
                "leave out vpc_id, or EnableVpcEndpoints.",
            )
    if isinstance(image, NullIfEmpty) and queue.is_given("ImageIdParameter"):
        yield Precondition(
            condition=f"${{{image.expression} == null}}",
            error_message=f"{where} ImageIdParameter has no effect with an image in "
            f"buildkite_agent_amis: leave out {queue.queue.architecture}-linux there, or "
            "ImageIdParameter.",
        )
