"""Rules for a queue's parameters together with the resources that its AgentStack defines."""

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from buildkite_agents import names
from buildkite_agents.checks.combinations import rule
from buildkite_agents.expressions import is_reference
from buildkite_agents.resolved import ResolvedQueue, ResolvedStack
from buildkite_agents.settings import AgentToken, SecretsBucket

# A bucket or a part of it, such as its policy, which has the bucket's name too.
_S3_RESOURCE = re.compile(r"\baws_s3_bucket\w*\.([\w-]+)")
_SECRETS_MANAGER = "/aws/reference/secretsmanager/"
_READ_SECRET = "secretsmanager:getsecretvalue"  # noqa: S105 # nosec B105
_SCALERS_POLICIES = "ScalerManagedPolicyARNs"
_TOKEN = "BuildkiteAgentTokenParameterStorePath"  # noqa: S105 # nosec B105


@rule(
    ("ArtifactsBucket", "SecretsBucket"),
    "These buckets must be different: each job can write to `ArtifactsBucket`, and `SecretsBucket` "
    "contains the bootstrap script, which runs as root.",
    "https://buildkite.com/docs/agent/self-hosted/aws/elastic-ci-stack/ec2-linux-and-windows/"
    "security",
)
def _artifacts(queue: ResolvedQueue, stack: ResolvedStack) -> Iterator[str]:
    artifacts, secrets = queue.value("ArtifactsBucket"), queue.value("SecretsBucket")
    if not artifacts:
        return
    is_ours = isinstance(stack.settings.secrets_bucket, SecretsBucket)
    script = queue.text("BootstrapScriptUrl") or ""
    buckets = {secrets, script.removeprefix("s3://").partition("/")[0] or None}
    if is_ours:
        buckets |= {stack.secrets_bucket_name, f"${{{names.SECRETS_BUCKET}.id}}"}
    same = artifacts in buckets or bool(_resources([artifacts]) & _resources(buckets))
    if same:
        yield (
            f"{queue.field('ArtifactsBucket')} must not be the secrets bucket or that of the "
            "bootstrap script: each job could overwrite the script, which runs as root on later "
            "instances"
        )


def _resources(buckets: Iterable[Any]) -> set[str]:
    """The names of the S3 resources that references to buckets begin with."""
    references = [str(bucket) for bucket in buckets if is_reference(bucket)]
    return {name for text in references for name in _S3_RESOURCE.findall(text)}


@rule(
    (_TOKEN, _SCALERS_POLICIES),
    "A token in Secrets Manager (`/aws/reference/secretsmanager/...`) requires the permission "
    "`secretsmanager:GetSecretValue` for the instances and for the scaler.",
    "https://docs.aws.amazon.com/systems-manager/latest/userguide/"
    "integration-ps-secretsmanager.html",
)
def _secrets_manager(queue: ResolvedQueue, _stack: ResolvedStack) -> Iterator[str]:
    if not (queue.text(_TOKEN) or "").startswith(_SECRETS_MANAGER):
        return
    actions = queue.role_actions
    if (
        actions is not None
        and not queue.is_given("InstanceRoleARN")
        and not any(fnmatchcase(_READ_SECRET, action.lower()) for action in actions)
    ):
        yield (
            f"{queue.field(_TOKEN)} is in Secrets Manager, which the instances cannot read: permit "
            "secretsmanager:GetSecretValue on the secret by AgentAccess(statements=[...])"
        )
    has_scaler = queue.number("MinSize") is None or queue.number("MinSize") != queue.number(
        "MaxSize"
    )
    if has_scaler and not queue.is_given(_SCALERS_POLICIES):
        yield (
            f"{queue.field(_TOKEN)} is in Secrets Manager, which the scaler cannot read: set "
            f"{_SCALERS_POLICIES} to the ARN of a policy that permits "
            "secretsmanager:GetSecretValue on the secret"
            + (
                ""
                if queue.version.has(_SCALERS_POLICIES)
                else f", with a stack_version that has it, unlike {queue.version.version}"
            )
        )


@rule(
    ("VpcId", "Subnets", _TOKEN),
    "A queue with another `provider` requires values of its own: those of the AgentStack are in "
    "another region or account.",
    "https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/"
    "regional-services.html",
)
def _other_provider(queue: ResolvedQueue, stack: ResolvedStack) -> Iterator[str]:
    if queue.queue.provider in {None, "aws"}:
        return
    # The network is that of all queues, if all of them have the same provider.
    is_shared = len({other.queue.provider for other in stack.queues}) == 1
    missing = [name for name in ("VpcId", "Subnets") if not is_shared and _is_others(queue, name)]
    token = queue.settings.get(_TOKEN)
    if isinstance(stack.settings.token, AgentToken) and token and not token.is_explicit:
        missing.append(_TOKEN)
    for name in missing:
        yield (
            f"parameters[{name!a}] is required with provider {queue.queue.provider!a}: the "
            "AgentStack's own is in another region or account"
            + ("; None has the stack create a VPC" if name != _TOKEN else "")
        )


def _is_others(queue: ResolvedQueue, name: str) -> bool:
    """Whether an argument of the AgentStack gives the stack a parameter, or can give it one."""
    setting = queue.settings.get(name)
    return setting is not None and setting.value is not None and setting.is_shared
