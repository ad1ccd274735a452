"""The CloudFormation stack of a queue."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from cdktf import (
    ITerraformDependable,
    Postcondition,
    Precondition,
    TerraformResourceLifecycle,
    TerraformStack,
)

from buildkite_agents import elastic_ci_stack
from buildkite_agents.aws.cloudformation_stack import (
    CloudformationStack,
    CloudformationStackTimeouts,
)
from buildkite_agents.checks.values import may_be_null
from buildkite_agents.names import Names, address
from buildkite_agents.queue import AgentQueue
from buildkite_agents.resources.import_block import ImportBlock
from buildkite_agents.stack_parameters import Wiring, stack_parameters


class QueueStack(CloudformationStack):
    """A queue's CloudFormation stack of the official Elastic CI Stack for AWS."""

    def __init__(
        self,
        scope: TerraformStack,
        id_: str,
        *,
        queue: AgentQueue,
        names: Names,
        wiring: Wiring,
        keep_documented_layout: bool,
        tags: Mapping[str, str],
        depends_on: Sequence[ITerraformDependable],
    ) -> None:
        """Define the stack of *queue*, which depends on all that its instances need at boot.

        The resource's address does not depend on *id_*.
        """
        version = elastic_ci_stack.load(queue.stack_version)
        name = names.stack(queue)
        self.address = f"aws_cloudformation_stack.{address(queue)}"
        """The address of the resource."""
        self._stack = name
        parameters = stack_parameters(
            queue, version, instance_role=names.instance_role(queue), wiring=wiring
        )
        given_tags = queue.tags if isinstance(queue.tags, Mapping) else None
        if queue.tags is None:
            given_tags = {**tags, "Name": name, "Queue": queue.name}
            if not keep_documented_layout:
                given_tags["ElasticCIStack"] = _fingerprint(queue.stack_version, parameters)
        super().__init__(
            scope,
            id_,
            name=name,
            template_url=version.template_url,
            capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            parameters=parameters,
            tags=given_tags,
            timeouts=_timeouts(queue),
            depends_on=depends_on or None,
            lifecycle=TerraformResourceLifecycle(
                ignore_changes=list(queue.ignore_changes) or None,
                precondition=_preconditions(queue, parameters),
                postcondition=[_has_succeeded(queue.name, name)],
            ),
        )
        if id_ != address(queue):
            self.override_logical_id(address(queue))
        # CDKTF does not support a reference in place of a mapping, or a provider
        # of the root module.
        if isinstance(queue.tags, str):
            self.add_override("tags", queue.tags)
        if queue.provider is not None:
            self.add_override("provider", queue.provider)

    def import_block(self) -> ImportBlock:
        """The import block of the stack."""
        return ImportBlock(
            self.address,
            self._stack,
            # The provider reads only the parameters in its state, which has none after an import.
            ("capabilities", "parameters", "tags", "template_url"),
        )


def _timeouts(queue: AgentQueue) -> CloudformationStackTimeouts:
    timeout = f"{queue.timeout_minutes}m"
    return CloudformationStackTimeouts(create=timeout, update=timeout, delete=timeout)


def _fingerprint(version: str, parameters: Mapping[str, str]) -> str:
    """A tag for the arguments of a stack that the AWS provider does not read.

    After a failed update, the state contains the requested values. The provider reads parameters
    and tags from CloudFormation, so that the next plan shows them. It does not read the template's
    URL, or a parameter that was removed and so keeps its old value.
    """
    given = {name: value for name, value in parameters.items() if not may_be_null(value)}
    names = ",".join(sorted(given)).encode()
    optional = "".join(
        f'${{{parameters[name][2:-1]} == null ? "" : " {name}"}}'
        for name in sorted(parameters.keys() - given.keys())
    )
    return f"{version} {hashlib.sha256(names).hexdigest()[:8]}{optional}"


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
            f"queue {queue}: the stack {stack} has none of its template's outputs: its creation "
            "failed, or is in progress. Find its status with `aws cloudformation describe-stacks "
            f"--stack-name {stack}`, and see docs/operations.md, A stack is stuck."
        ),
    )


def _preconditions(queue: AgentQueue, parameters: Mapping[str, str]) -> list[Precondition] | None:
    """The preconditions on combinations with values that only Terraform knows."""
    preconditions = [*_needs_of_a_vpc(queue, parameters)]
    if parameters.get("EnableVpcEndpoints") == "true" and "VpcId" in parameters:
        preconditions.append(
            _must_be_null(
                parameters["VpcId"],
                f"queue {queue.name}: EnableVpcEndpoints has no effect in an existing VPC: "
                "leave out vpc_id, or EnableVpcEndpoints.",
            )
        )
    if "ImageIdParameter" in parameters and may_be_null(parameters.get("ImageId")):
        preconditions.append(
            _must_be_null(
                parameters["ImageId"],
                f"queue {queue.name}: ImageIdParameter has no effect with an image in "
                f"buildkite_agent_amis: leave out {queue.architecture}-linux there, or "
                "ImageIdParameter.",
            )
        )
    return preconditions or None


def _needs_of_a_vpc(queue: AgentQueue, parameters: Mapping[str, str]) -> Iterator[Precondition]:
    if not may_be_null(parameters.get("VpcId")):
        return
    expression = parameters["VpcId"].removeprefix("${").removesuffix("}")
    condition = f"${{{expression} != null}}"
    if "SecurityGroupIds" in parameters:
        yield Precondition(
            condition=condition,
            error_message=f"queue {queue.name}: SecurityGroupIds must belong to the VPC that is "
            "given, and none is: set vpc_id and subnet_ids.",
        )
    if parameters.get("AssociatePublicIpAddress") == "false":
        yield Precondition(
            condition=condition,
            error_message=f"queue {queue.name}: AssociatePublicIpAddress must be true where the "
            "stack creates its own VPC, which has no NAT: set vpc_id and subnet_ids.",
        )


def _must_be_null(reference: str, message: str) -> Precondition:
    expression = reference.removeprefix("${").removesuffix("}")
    return Precondition(condition=f"${{{expression} == null}}", error_message=message)
