"""Checks of the names and addresses of queues' stacks."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence

from buildkite_agents import permissions
from buildkite_agents.expressions import is_reference, json_template
from buildkite_agents.resolved import ResolvedQueue, ResolvedStack

# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
_STACK_NAME = "[A-Za-z][A-Za-z0-9-]{0,127}"
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
_LONGEST_ROLE_NAME = 64
_LARGEST_BUCKET_POLICY, _OTHER_STATEMENTS = 20480, 600


def stack_name_problems(queue: ResolvedQueue) -> Iterator[str]:
    """Return the problems of the name of a queue's stack."""
    name = queue.stack_name
    if is_reference(name) or re.fullmatch(_STACK_NAME, name):
        return
    is_derived = queue.queue.stack_name is None
    yield (
        f"{'name' if is_derived else 'stack_name'}: the CloudFormation stack's name must be at "
        f"most 128 letters, digits and hyphens, starting with a letter, got {name!a}"
        + (": set stack_name" if is_derived else "")
    )


def role_name_problems(queue: ResolvedQueue) -> Iterator[str]:
    """Return the problem of the name of a queue's instance role."""
    if queue.is_given("InstanceRoleARN"):
        return
    # The template's default name is STACK-Role.
    role = queue.parameters.get("InstanceRoleName", f"{queue.stack_name}-Role")
    excess = len(role) - _LONGEST_ROLE_NAME
    if excess > 0 and not is_reference(role):
        yield (
            f"name is too long by {excess}: its IAM role {role!a} must be at most "
            f"{_LONGEST_ROLE_NAME} characters, got {len(role)}: set "
            "parameters={'InstanceRoleName': ...}, or another name"
        )


def isolation_problems(stack: ResolvedStack) -> Iterator[str]:
    """Return the problem of a bucket policy that is too large to tell all queues apart.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html
    """
    bucket = stack.secrets_bucket_name
    statements = permissions.isolation_statements(f"arn:aws:s3:::{bucket}", stack.isolated_roles)
    size = len(json_template(statements)) + _OTHER_STATEMENTS
    if size > _LARGEST_BUCKET_POLICY:
        yield (
            f"secrets_bucket: a policy that isolates {len(statements)} queues has {size} "
            f"bytes, and S3 accepts {_LARGEST_BUCKET_POLICY}: use several environments, or set "
            "isolate_queues=False, with which each queue can read the files of all others"
        )


def _role(queue: ResolvedQueue) -> str:
    """What no other queue may have as the name of its role; an existing role can be shared."""
    if queue.is_given("InstanceRoleARN"):
        return f"none of {queue.key}"
    return queue.parameters.get("InstanceRoleName", f"{queue.stack_name}-Role")


def duplicate_problems(stack: ResolvedStack) -> Iterator[str]:
    """Return the problems of names that several queues have."""
    kinds: tuple[tuple[str, Callable[[ResolvedQueue], str], str], ...] = (
        ("name", lambda queue: queue.name, "name"),
        ("stack name", lambda queue: queue.stack_name, "stack_name"),
        ("instance role", _role, "parameters={'InstanceRoleName': ...}"),
        ("Terraform address", lambda queue: queue.resource_name, "address"),
        ("address to move from", lambda queue: queue.former_address, "moved_from"),
    )
    for what, of, field in kinds:
        same: defaultdict[tuple[str, str | None], list[ResolvedQueue]] = defaultdict(list)
        for queue in stack.queues:
            # Several stacks can serve one queue, each with its own address.
            if field != "name" or queue.queue.address is None:
                # Terraform alone distinguishes names by case.
                name = of(queue) if field in {"address", "moved_from"} else of(queue).lower()
                # Stacks in different regions can have the same name.
                same[name, queue.queue.provider if field == "stack_name" else None].append(queue)
        twice = [queues for queues in same.values() if len(queues) > 1]
        for queues in twice:
            yield _duplicate(what, dict.fromkeys(map(of, queues)), queues, field)
        if twice:
            return


def _duplicate(
    what: str, values: Collection[str], queues: Sequence[ResolvedQueue], field: str
) -> str:
    names = dict.fromkeys(queue.name for queue in queues)
    where = f"queue{'s' if len(names) > 1 else ''} {', '.join(map(repr, names))}"
    shown = f" of {len(queues)} queues" if field == "name" else f" {next(iter(values))!a}"
    case = ", as case is ignored" if len(values) > 1 else ""
    return f"{where}: duplicate {what}{shown}{case}; give each queue a unique `{field}`"
