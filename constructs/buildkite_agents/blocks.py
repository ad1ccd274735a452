"""Terraform blocks other than resources, in the form of Terraform's JSON."""

import json
from collections import defaultdict
from collections.abc import Collection
from typing import Any

from buildkite_agents import elastic_ci_stack, names
from buildkite_agents.elastic_ci_stack.stacks import needs_new_image
from buildkite_agents.expressions import NullIfEmpty, Reference
from buildkite_agents.resolved import ResolvedStack
from buildkite_agents.settings import SecretsBucket


def image_check(stack: ResolvedStack) -> dict[str, Any]:
    """A ``check`` that warns of images in a variable, whose versions this program cannot check."""
    oldest = elastic_ci_stack.known_versions()[0]
    versions = {
        queue.version.version
        for queue in stack.queues
        # Whose image is that of the variable, where there is one.
        if isinstance(queue.value("ImageId"), NullIfEmpty)
        and needs_new_image(oldest, queue.version.version)
    }
    if not versions:
        return {}
    message = (
        "Images in buildkite_agent_amis must be built from the image of Elastic CI Stack "
        f"{' or '.join(sorted(versions))}: those of older major versions cannot boot. To have this "
        "checked, set ImageId and image_stack_version of the queues instead."
    )
    condition = "${length(compact(values(var.buildkite_agent_amis))) == 0}"
    return {"buildkite_agent_amis": {"assert": {"condition": condition, "error_message": message}}}


def moved(stack: ResolvedStack) -> list[dict[str, str]]:
    """A ``moved`` block for each stack whose address in an existing state is another."""
    return [
        {"from": queue.former_address, "to": queue.address}
        for queue in sorted(stack.queues, key=lambda queue: queue.resource_name)
        if queue.former_address != queue.address
    ]


def removed(defined: Collection[str]) -> list[dict[str, Any]]:
    """A ``removed`` block for each shared resource that is not *defined* (any more).

    Terraform then no longer manages the resource, and does not destroy it. Where a resource is
    defined, such a block for it is an error.
    """
    return [
        {"from": address, "lifecycle": {"destroy": False}}
        for address in names.SHARED
        if address not in defined
    ]


def stand_ins(stack: ResolvedStack) -> dict[str, Any]:
    """A local for each ``for_each`` resource that stacks moved from.

    References elsewhere in the root module change from ``aws_cloudformation_stack.NAME`` to
    ``local.NAME``. ``local.buildkite_stacks``, which the documented layout defines, is kept.
    """
    locals_: dict[str, dict[str, Any]] = defaultdict(dict)
    for queue in stack.queues:
        resource, bracket, key = queue.former_address.partition("[")
        if bracket and not resource.startswith("module."):
            instance = str(json.loads(f"[{key}")[0])
            locals_[names.resource_name(resource)][instance] = str(Reference(queue.address))
    documented = {q.name: {"queue": q.name} for q in stack.queues if q.queue.moved_from is None}
    return {**locals_, **({"buildkite_stacks": documented} if documented else {})}


def outputs(stack: ResolvedStack) -> dict[str, tuple[str, Any]]:
    """The description and the value of each output."""
    result: dict[str, tuple[str, Any]] = {
        "buildkite_agent_queues": (
            "The Buildkite queues",
            sorted({queue.name for queue in stack.queues}),
        ),
        "buildkite_stack_names": (
            "The CloudFormation stack of each queue",
            {q.key: str(Reference(f"{q.address}.name")) for q in stack.queues},
        ),
    }
    if isinstance(stack.settings.secrets_bucket, SecretsBucket):
        result["buildkite_secrets_bucket"] = (
            "The S3 bucket of the agents' secrets and their bootstrap script",
            str(Reference(f"{names.SECRETS_BUCKET}.bucket")),
        )
    return result
