"""The CloudFormation stack of a queue."""

import hashlib
from collections.abc import Mapping, Sequence

from cdktf import (
    ITerraformDependable,
    Postcondition,
    Precondition,
    TerraformResourceLifecycle,
    TerraformStack,
)

from buildkite_agents import elastic_ci_stack
from buildkite_agents.imports.aws.cloudformation_stack import (
    CloudformationStack,
    CloudformationStackTimeouts,
)
from buildkite_agents.names import Names
from buildkite_agents.queue import AgentQueue
from buildkite_agents.stack_parameters import Wiring, stack_parameters


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
        as_documented: bool,
        tags: Mapping[str, str],
        depends_on: Sequence[ITerraformDependable],
    ) -> None:
        """Make the stack of *queue*, after all that its instances need at once."""
        name = names.stack(queue.name)
        parameters = stack_parameters(
            queue, instance_role=names.instance_role(queue.name), wiring=wiring
        )
        own_tags = {"Name": name, "Queue": queue.name}
        if not as_documented:
            own_tags["ElasticCIStack"] = _fingerprint(queue.stack_version, parameters)
        super().__init__(
            scope,
            queue.name,
            name=name,
            template_url=elastic_ci_stack.load(queue.stack_version).template_url,
            capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            parameters=parameters,
            tags={**tags, **own_tags},
            timeouts=_timeouts(queue),
            depends_on=depends_on,
            lifecycle=TerraformResourceLifecycle(
                precondition=_preconditions(queue, wiring),
                postcondition=[_has_succeeded(queue.name, name)],
            ),
        )


def _timeouts(queue: AgentQueue) -> CloudformationStackTimeouts:
    timeout = f"{queue.timeout_minutes}m"
    return CloudformationStackTimeouts(create=timeout, update=timeout, delete=timeout)


def _fingerprint(version: str, parameters: Mapping[str, str]) -> str:
    """What of a stack Terraform cannot read back, as a tag, which it can.

    After an update that failed, the state has what was asked for. Parameters and tags are read from
    CloudFormation, and so show in the next plan; the template's URL is not, and neither is
    a parameter that was left out, which keeps its old value.
    """
    given = {name: value for name, value in parameters.items() if not _may_be_null(value)}
    names = ",".join(sorted(given)).encode()
    optional = "".join(
        f'${{{parameters[name][2:-1]} == null ? "" : " {name}"}}'
        for name in sorted(parameters.keys() - given.keys())
    )
    return f"{version} {hashlib.sha256(names).hexdigest()[:8]}{optional}"


def _may_be_null(value: str) -> bool:
    return value.startswith("${try(coalesce(")


def _has_succeeded(queue: str, stack: str) -> Postcondition:
    """A stack that was never created is not taken for one that needs no changes.

    Its parameters and tags are those that were asked for; but it has none of its outputs.
    """
    return Postcondition(
        # By lookup(), as Terraform shows the values that a failed condition names: the template is
        # 90 KB long.
        condition=(
            "${length(self.outputs) > 0 || "
            '!strcontains(lookup(self, "template_body", ""), "Outputs")}'
        ),
        error_message=(
            f"queue {queue}: the stack {stack} has none of its template's outputs: its creation "
            "failed, or has not ended. Find its status with `aws cloudformation describe-stacks "
            f"--stack-name {stack}`, and see docs/operations.md, A stack is stuck."
        ),
    )


def _preconditions(queue: AgentQueue, wiring: Wiring) -> list[Precondition] | None:
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
    return preconditions or None


def _beside_nothing(reference: str, message: str) -> Precondition:
    expression = reference.removeprefix("${").removesuffix("}")
    return Precondition(condition=f"${{{expression} == null}}", error_message=message)
