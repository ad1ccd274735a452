"""What must hold before anything is synthesized, checked in plain Python.

Each function returns what is wrong, a line each: where, what was expected, what was got and what
to do.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

from buildkite_agents import elastic_ci_stack
from buildkite_agents.agent_access import AgentAccess
from buildkite_agents.checks import parameters as parameter_checks
from buildkite_agents.checks import risks
from buildkite_agents.elastic_ci_stack import instance_types
from buildkite_agents.names import Names
from buildkite_agents.network import Network
from buildkite_agents.queue import AgentQueue
from buildkite_agents.stack_parameters import OWNERS, Wiring, default_parameters, own_parameters

# CloudFormation's rule for a stack's name, of which the queue's name is the end.
_QUEUE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
# S3's rule for a bucket's name, of which these are the start.
_PREFIX_PART = re.compile(r"[a-z][a-z0-9-]*")
# What EC2's instance types look like, but for Macs.
_NEW_TYPE = re.compile(
    r"(?!mac)[a-z]{1,5}[0-9]+[a-z0-9-]*\.([0-9]*(nano|micro|small|medium|x?large)|metal[a-z0-9-]*)"
)
# What both templates admit as the token's path, but for an ARN: this program makes the parameter.
_TOKEN_PARAMETER = re.compile(r"/[a-zA-Z0-9_.\-/]*[a-zA-Z0-9_.\-]")
# What a queue's stack is wired to is Terraform's to know.
_LATER = Wiring(*["${later}"] * len(fields(Wiring)))
_TAKEN_BY_CDKTF = "backend"
_LONGEST_ROLE_NAME = 64
_LONGEST_STACK_NAME = 128
_LONGEST_BUCKET_NAME = 63

# Each whole-number field: its least and its greatest value.
_NUMBERS: dict[str, tuple[int, int | None]] = {
    "min_size": (0, None),
    "max_size": (1, None),
    "on_demand_percentage": (0, 100),
    "idle_minutes": (1, None),
    "agents_per_instance": (1, None),
    "timeout_minutes": (1, None),
}


def check_names(names: Names) -> list[str]:
    """Whether the project and the environment can be part of every name."""
    problems = [
        f"{field} must be lower-case letters, digits and hyphens, starting with a letter, "
        f"got {value!r}"
        for field, value in (("project", names.project), ("environment", names.environment))
        if not isinstance(value, str) or not _PREFIX_PART.fullmatch(value)
    ]
    if not problems and names.project.startswith(("xn--", "sthree-", "amzn-s3-demo-")):
        problems.append(f"project must not start as S3 keeps for itself, got {names.project!r}")
    if not problems and len(names.secrets_bucket) > _LONGEST_BUCKET_NAME:
        problems.append(
            f"project and environment: the bucket's name {names.secrets_bucket!r} must be at most "
            f"{_LONGEST_BUCKET_NAME} characters, got {len(names.secrets_bucket)}"
        )
    return problems


def check_bootstrap_script(path: Path) -> list[str]:
    """Whether the bootstrap script is there."""
    if not path.is_file():
        return [f"bootstrap_script: there is no file {path}"]
    return []


def check_network(network: Network | None) -> list[str]:
    """Whether the network has what the template wants of it."""
    if network is None:
        return []
    if isinstance(network.subnet_ids, str) or len(network.subnet_ids) < 2:
        return [
            "network: subnet_ids must be two or more, which the Elastic CI Stack needs, "
            f"got {network.subnet_ids!r}"
        ]
    return [
        f"network: {field} must be such as {kind}-0123456789abcdef0, or a Terraform reference, "
        f"got {value!r}"
        for field, kind, value in (
            ("vpc_id", "vpc", network.vpc_id),
            *(("subnet_ids", "subnet", subnet) for subnet in network.subnet_ids),
        )
        if not parameter_checks.is_reference(value)
        and not re.fullmatch(rf"{kind}-[0-9a-f]{{8,17}}", str(value))
    ]


def check_account(account: str | None) -> list[str]:
    """Whether the id of an AWS account is one."""
    if account is None or (isinstance(account, str) and re.fullmatch(r"[0-9]{12}", account)):
        return []
    return [f"import_account must be the 12 digits of an AWS account, as text, got {account!r}"]


def check_token_version(version: int | None) -> list[str]:
    """Whether the version of a write-only token is one."""
    if version is None or (type(version) is int and version > 0):
        return []
    return [f"token_version must be a whole number from 1, got {version!r}"]


def check_access(access: AgentAccess, kms_key_arn: str | None) -> list[str]:
    """Whether what names a policy or key is its ARN, and what is a statement can be one."""
    arns = [
        *(("access.managed_policies", arn, "iam") for arn in access.managed_policies),
        ("access.permissions_boundary", access.permissions_boundary, "iam"),
        ("kms_key_arn", kms_key_arn, "kms"),
    ]
    problems = [
        f"{field} must be an ARN such as arn:aws:{service}:..., got {arn!r}"
        for field, arn, service in arns
        if arn is not None
        and not parameter_checks.is_reference(arn)
        and not re.fullmatch(rf"arn:aws[a-z-]*:{service}:[^\s,\"]+", str(arn))
    ]
    if isinstance(access.ecr_repositories, str):
        problems.append(f"access.ecr_repositories must be a list, got {access.ecr_repositories!r}")
    problems += [
        f"access.ecr_repositories must be names of repositories, with * and ? at most, got {name!r}"
        for name in access.ecr_repositories
        if not re.fullmatch(r"[a-z0-9*?][a-z0-9._/*?-]*", str(name))
    ]
    problems += [
        "access.statements must be mappings with Effect, and Action and Resource or their "
        f"opposites, got {statement!r}"
        for statement in access.statements
        if not isinstance(statement, Mapping)
        or not {"Effect"} <= statement.keys()
        or not {"Action", "NotAction"} & statement.keys()
        or not {"Resource", "NotResource"} & statement.keys()
    ]
    return problems


def check_token_parameter(names: Names) -> list[str]:
    """Whether the token's SSM parameter can have its name (SSM's rule, and the template's)."""
    name = names.token_parameter
    if not isinstance(name, str) or not _TOKEN_PARAMETER.fullmatch(name) or len(name) > 1011:
        return [
            "token_parameter must start with a slash and be letters, digits, and _ . - / after it, "
            f"got {name!r}"
        ]
    if re.match(r"/(aws|ssm)", name, re.IGNORECASE):
        return [f"token_parameter must not start with /aws or /ssm, which are AWS's, got {name!r}"]
    return []


def check_organization(organization: str) -> list[str]:
    """Whether the organization can be in a description."""
    if not isinstance(organization, str) or not re.fullmatch(r"[\w .-]{1,200}", organization):
        return [f"organization must be the name of a Buildkite organization, got {organization!r}"]
    return []


def check_queues(
    queues: Sequence[AgentQueue], names: Names, *, network: Network | None = None
) -> list[str]:
    """Whether each queue can be made, and all of them beside each other."""
    if not queues:
        return ["queues must be one or more, got none"]
    strangers = [queue for queue in queues if not isinstance(queue, AgentQueue)]
    if strangers:
        return [f"queues must be AgentQueue values, got {stranger!r}" for stranger in strangers]
    problems = [
        problem for queue in queues for problem in check_queue(queue, names, network=network)
    ]
    problems += _check_duplicates(queue.name for queue in queues)
    return problems


def _check_duplicates(queue_names: Iterable[str]) -> list[str]:
    # Role names, of which queue names are a part, are unique without regard to case.
    seen: dict[str, int] = {}
    for name in queue_names:
        seen[str(name).lower()] = seen.get(str(name).lower(), 0) + 1
    return [
        f"queue {name!r}: {count} queues have this name, and each must have its own: set name"
        for name, count in seen.items()
        if count > 1
    ]


def check_queue(queue: AgentQueue, names: Names, *, network: Network | None = None) -> list[str]:
    """Whether a queue can be made."""
    problems = [
        *_check_queue_name(queue, names),
        *_check_numbers(queue),
        *_check_instance_types(queue),
        *_check_accepted_risks(queue),
    ]
    if queue.stack_version in elastic_ci_stack.known_versions():
        problems += _check_parameters(queue, names, network, sound=not problems)
    else:
        problems.append(
            f"stack_version must be one of {', '.join(elastic_ci_stack.known_versions())}, "
            f"got {queue.stack_version!r}"
        )
    return [f"queue {queue.name!r}: {problem}" for problem in problems]


def _check_accepted_risks(queue: AgentQueue) -> list[str]:
    known = [risk.name for risk in risks.RISKS]
    if not isinstance(queue.accepted_risks, list | tuple | set | frozenset):
        return [f"accepted_risks must be a list, got {queue.accepted_risks!r}"]
    return [
        f"accepted_risks must be some of {', '.join(known)}, got {name!r}"
        for name in queue.accepted_risks
        if name not in known
    ]


def _check_parameters(
    queue: AgentQueue, names: Names, network: Network | None, *, sound: bool
) -> list[str]:
    version = elastic_ci_stack.load(queue.stack_version)
    problems = parameter_checks.check_own(queue.parameters, OWNERS, version)
    if problems or not sound:
        return problems
    derived = own_parameters(queue, instance_role=names.instance_role(queue.name), wiring=_LATER)
    merged = {**default_parameters(_LATER), **queue.parameters, **derived}
    return [
        *parameter_checks.check_derived(derived, version),
        *parameter_checks.check_together(
            queue.parameters, merged, version, in_given_vpc=network is not None
        ),
    ]


def _check_queue_name(queue: AgentQueue, names: Names) -> list[str]:
    if not isinstance(queue.name, str) or not _QUEUE_NAME.fullmatch(queue.name):
        return [
            "name must be letters, digits and hyphens, starting with a letter, as CloudFormation "
            f"wants its stack's name, got {queue.name!r}"
        ]
    if queue.name == _TAKEN_BY_CDKTF:
        return [
            f"name must not be {queue.name!r}, which CDKTF keeps for the stack's backend: take "
            f"another, such as '{queue.name}-builds'"
        ]
    problems = []
    for what, name, longest in (
        ("IAM role", names.instance_role(queue.name), _LONGEST_ROLE_NAME),
        ("CloudFormation stack", names.stack(queue.name), _LONGEST_STACK_NAME),
    ):
        if len(name) > longest:
            problems.append(
                f"name is too long by {len(name) - longest}: its {what} {name!r} must be at most "
                f"{longest} characters, got {len(name)}"
            )
    return problems


def _check_numbers(queue: AgentQueue) -> list[str]:
    problems = []
    for field, (least, greatest) in _NUMBERS.items():
        value = getattr(queue, field)
        if field == "idle_minutes" and value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            problems.append(f"{field} must be a whole number, got {value!r}")
        elif value < least:
            problems.append(f"{field} must be at least {least}, got {value}")
        elif greatest is not None and value > greatest:
            problems.append(f"{field} must be at most {greatest}, got {value}")
    if not problems and queue.min_size > queue.max_size:
        problems.append(
            f"min_size must be at most max_size, got {queue.min_size} and {queue.max_size}"
        )
    elif not problems and queue.min_size == queue.max_size:
        problems.append(
            f"min_size must be less than max_size, got {queue.min_size} for both: "
            "with these equal the stack has no scaler, and its agents never scale"
        )
    return problems


def _check_instance_types(queue: AgentQueue) -> list[str]:
    if not isinstance(queue.more_instance_types, list | tuple):
        return [f"more_instance_types must be a list, got {queue.more_instance_types!r}"]
    architectures = (instance_types.AMD64, instance_types.ARM64)
    if queue.architecture not in architectures:
        return [
            f"architecture must be {' or '.join(map(repr, architectures))}, "
            f"got {queue.architecture!r}"
        ]
    problems = []
    for field, instance_type in [
        ("instance_type", queue.instance_type),
        *(("more_instance_types", more) for more in queue.more_instance_types),
    ]:
        problem = _check_instance_type(instance_type, queue)
        if problem:
            problems.append(f"{field}: {problem}")
    return problems


def _check_instance_type(instance_type: str, queue: AgentQueue) -> str | None:
    if not isinstance(instance_type, str):
        return f"must be text, such as 'm5.4xlarge', got {instance_type!r}"
    unknown = instance_types.problem(instance_type)
    if unknown and not (queue.architecture_is_said and _NEW_TYPE.fullmatch(instance_type)):
        return f"{unknown}; for a newer one, say its architecture"
    architecture = instance_types.architecture(instance_type)
    if architecture != queue.architecture:
        return (
            f"{instance_type!r} is {architecture}, and the queue is {queue.architecture}: "
            "all instance types of a queue share one machine image"
        )
    if (
        architecture == instance_types.ARM64
        and queue.stack_version in elastic_ci_stack.known_versions()
    ):
        version = elastic_ci_stack.load(queue.stack_version)
        if instance_types.family(instance_type) not in version.arm64_instance_families:
            return (
                f"Elastic CI Stack {version.version} does not know that "
                f"{instance_types.family(instance_type)!r} is arm64 and would boot an amd64 image "
                "on it: choose another instance type or stack version"
            )
    return None
