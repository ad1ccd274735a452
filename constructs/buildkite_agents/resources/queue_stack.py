"""The CloudFormation stack of a queue."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cdktf import TerraformResourceLifecycle, TerraformStack

from buildkite_agents.aws.cloudformation_stack import (
    CloudformationStack,
    CloudformationStackTimeouts,
)
from buildkite_agents.expressions import NullIfEmpty
from buildkite_agents.resolved import ResolvedQueue
from buildkite_agents.resources.fixed_address import fix_address
from buildkite_agents.resources.import_block import ImportBlock


class QueueStack(CloudformationStack):
    """A queue's CloudFormation stack of the official Elastic CI Stack for AWS."""

    def __init__(self, scope: TerraformStack, resolved: ResolvedQueue) -> None:
        """Define the stack of a queue, without its :func:`meta_arguments`."""
        queue, resource_name = resolved.queue, resolved.resource_name
        # With its resource name as the id, a resource needs no further call to CDKTF. All other ids
        # in an AgentStack contain an underscore or are letters only, and so are those with a
        # meaning of their own for CDKTF (Default, backend) and JavaScript (constructor).
        is_free = "_" not in resource_name and not resource_name.isalpha()
        super().__init__(
            scope,
            resource_name if is_free else f"queue {resource_name}",
            name=resolved.stack_name,
            template_url=resolved.template_url,
            capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            parameters=resolved.parameters,
            tags=resolved.tags if isinstance(resolved.tags, Mapping) else None,
            timeouts=_timeouts(queue.timeout_minutes),
            lifecycle=TerraformResourceLifecycle(ignore_changes=list(queue.ignore_changes))
            if queue.ignore_changes
            else None,
        )
        if not is_free:
            self.override_logical_id(resource_name)
        # CDKTF does not support a reference in place of a mapping, or a provider
        # of the root module.
        if isinstance(resolved.tags, str):
            self.add_override("tags", resolved.tags)
        if queue.provider is not None:
            self.add_override("provider", queue.provider)
        fix_address(self, resolved.address, of_queue=True)


def meta_arguments(
    queues: Iterable[ResolvedQueue], depends_on: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """The conditions of the stacks, and what they depend on, by resource name.

    One override of the AgentStack has those of all queues, which takes half as long as an argument
    of each resource, and which CDKTF merges with a ``lifecycle`` or ``depends_on`` of the user's.
    """
    return {queue.resource_name: _meta_arguments(queue, depends_on) for queue in queues}


def _meta_arguments(queue: ResolvedQueue, depends_on: Sequence[str]) -> dict[str, Any]:
    lifecycle = {"postcondition": [_has_succeeded(queue.name, queue.stack_name)]}
    preconditions = [*_preconditions(queue)]
    if preconditions:
        lifecycle["precondition"] = preconditions
    return {"lifecycle": lifecycle, **({"depends_on": list(depends_on)} if depends_on else {})}


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


def _has_succeeded(queue: str, stack: str) -> dict[str, str]:
    """A postcondition that the stack's creation did not fail.

    A stack whose creation failed has the requested parameters and tags, but no outputs.
    """
    return _condition(
        # With lookup(), because Terraform prints the values to which a failed condition refers: the
        # template is 90 KB long.
        (
            "${length(self.outputs) > 0 || "
            '!strcontains(lookup(self, "template_body", ""), "Outputs")}'
        ),
        (
            f"queue {queue}: the stack {stack} has none of its template's outputs. Find its status "
            f"with `aws cloudformation describe-stacks --stack-name {stack}`. ROLLBACK_COMPLETE, "
            "ROLLBACK_FAILED, CREATE_FAILED: its creation failed; the error above, if any, and its "
            "events say why. DELETE_FAILED: its deletion failed. ..._IN_PROGRESS: wait. "
            "UPDATE_ROLLBACK_...: its last update failed. See docs/troubleshooting.md."
        ),
    )


def _preconditions(queue: ResolvedQueue) -> Iterator[dict[str, str]]:
    """The preconditions on combinations with values that only Terraform knows."""
    where = f"queue {queue.name}:"
    vpc, image = queue.value("VpcId"), queue.value("ImageId")
    if isinstance(vpc, NullIfEmpty):
        if queue.is_given("SecurityGroupIds"):
            yield _condition(
                f"${{{vpc.expression} != null}}",
                f"{where} SecurityGroupIds must belong to the VPC that is given, "
                "and none is: set vpc_id and subnet_ids.",
            )
        if queue.text("AssociatePublicIpAddress") == "false":
            yield _condition(
                f"${{{vpc.expression} != null}}",
                f"{where} AssociatePublicIpAddress must be true where the "
                "stack creates its own VPC, which has no NAT: set vpc_id and subnet_ids.",
            )
        if queue.text("EnableVpcEndpoints") == "true":
            yield _condition(
                f"${{{vpc.expression} == null}}",
                f"{where} EnableVpcEndpoints has no effect in an existing VPC: "
                "leave out vpc_id, or EnableVpcEndpoints.",
            )
    if isinstance(image, NullIfEmpty) and queue.is_given("ImageIdParameter"):
        yield _condition(
            f"${{{image.expression} == null}}",
            f"{where} ImageIdParameter has no effect with an image in "
            f"buildkite_agent_amis: leave out {queue.queue.architecture}-linux there, or "
            "ImageIdParameter.",
        )


def _condition(condition: str, error_message: str) -> dict[str, str]:
    return {"condition": condition, "error_message": error_message}
