"""Warnings about access, and about queues together."""

from buildkite_agents import names
from buildkite_agents.checks.rules import duration_seconds
from buildkite_agents.checks.warnings import warning
from buildkite_agents.resolved import ResolvedQueue, ResolvedStack
from buildkite_agents.settings import AgentAccess, Existing


@warning(
    "shared-queue",
    "Several stacks serve one queue. The scaler of each starts instances for each waiting job, so "
    "that there are several instances for a job.",
)
def _shared_queue(queue: ResolvedQueue, stack: ResolvedStack) -> str | None:
    count = stack.stacks_of_queues[queue.name]
    if count < 2:
        return None
    return f"{count} stacks serve this queue, and each starts instances for each waiting job"


@warning(
    "agent-tags",
    "`BuildkiteAgentTags` replaces the tags `arch`, `os` and `instance`, by which jobs can select "
    "agents. With a tag `queue` of another queue, the agents serve that one, and this queue's jobs "
    "wait while instances start for them.",
)
def _agent_tags(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    tags = queue.text("BuildkiteAgentTags")
    if not tags or not queue.is_explicit("BuildkiteAgentTags"):
        return None
    keys = {tag.partition("=")[0].strip() for tag in tags.split(",")}
    if "queue" in keys:
        return "BuildkiteAgentTags has the tag queue, which the stack sets: remove it"
    if "arch" in keys:
        return None
    return f"BuildkiteAgentTags replaces the tags {queue.queue.agent_tags}: add them to it"


@warning(
    "own-policies",
    "`ManagedPolicyARNs` replaces the agents' policy, which permits reading the secrets bucket, "
    "decrypting with its key and using images. `managed_policies` of `AgentAccess` adds policies.",
)
def _own_policies(queue: ResolvedQueue, stack: ResolvedStack) -> str | None:
    given = [n for n in ("ManagedPolicyARNs", "ManagedPolicyARN") if queue.is_explicit(n)]
    if not given or not isinstance(stack.settings.access, AgentAccess):
        return None
    if any(f"{names.AGENT_POLICY}." in str(queue.value(name)) for name in given):
        return None
    return (
        f"{given[0]} replaces the agents' policy: add ${{{names.AGENT_POLICY}.arn}} to it, or use "
        "managed_policies of AgentAccess"
    )


@warning(
    "unreadable-script",
    "The instances can read the secrets bucket only. With an `AgentAccess`, this program permits "
    "reading a `bootstrap_script` that is elsewhere in S3, but not one of `parameters`.",
)
def _unreadable_script(queue: ResolvedQueue, stack: ResolvedStack) -> str | None:
    url, access = queue.text("BootstrapScriptUrl") or "", stack.settings.access
    if not url.startswith("s3://") or url.split("/")[2] == queue.text("SecretsBucket"):
        return None
    if any(map(queue.is_explicit, ("ManagedPolicyARNs", "ManagedPolicyARN", "InstanceRoleARN"))):
        return None
    if url == stack.script_url_to_permit and isinstance(access, AgentAccess):
        return None
    if isinstance(access, Existing) or (access and (access.statements or access.managed_policies)):
        return None
    return f"no policy permits the instances to read {url}: set access, or make it readable"


@warning(
    "plain-token",
    "With `BuildkiteAgentToken`, the template stores the token in an SSM parameter of type String, "
    "which is not encrypted. `token` of the AgentStack stores it as a SecureString.",
)
def _plain_token(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    if not queue.is_given("BuildkiteAgentToken"):
        return None
    return "BuildkiteAgentToken is stored unencrypted, in an SSM parameter of type String"


@warning(
    "boot-timeout",
    "The bootstrap script allows itself more time than `InstanceCreationTimeout`: where "
    "the network is slow, CloudFormation rolls an update back while instances still start.",
)
def _boot_timeout(queue: ResolvedQueue, stack: ResolvedStack) -> str | None:
    deadline = stack.script_deadline
    if deadline is None or not queue.uses_stacks_script:
        return None
    text = queue.text("InstanceCreationTimeout")
    # Without a value, the template waits five minutes.
    timeout = duration_seconds("PT5M" if text == "" else text or "")
    if timeout is not None and timeout <= deadline:
        return (
            f"InstanceCreationTimeout is {timeout} seconds, and the bootstrap script can take "
            f"{deadline}: set parameters={{'InstanceCreationTimeout': 'PT15M'}}"
        )
    pool = queue.number("WarmPoolBootstrapTimeout")
    if queue.text("WarmPoolEnabled") == "true" and pool is not None and pool <= deadline:
        return (
            f"WarmPoolBootstrapTimeout is {pool:g} seconds, and the bootstrap script can take "
            f"{deadline}: set parameters={{'WarmPoolBootstrapTimeout': 900}}"
        )
    return None


@warning(
    "sudo",
    "A job that can run any command as root can change the instance for all later jobs.",
)
def _sudo(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    permitted = (queue.text("BuildkiteAdditionalSudoPermissions") or "").split(",")
    if "ALL" not in {one.strip().rpartition(" ")[2] for one in permitted}:
        return None
    return "BuildkiteAdditionalSudoPermissions lets each job run any command as root"


@warning(
    "imdsv1",
    "With `IMDSv2Tokens` of `optional`, the template's default, an attacker who tricks a job's "
    "program into sending a request (SSRF) can read the credentials of the instance role.",
)
def _imdsv1(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    if queue.text("IMDSv2Tokens") != "optional":
        return None
    return "IMDSv2Tokens is 'optional': set 'required'"


@warning(
    "experimental-scaler",
    "The scaler's experimental mode can change with each version of the stack.",
)
def _experimental_scaler(queue: ResolvedQueue, _stack: ResolvedStack) -> str | None:
    name = "ScalerEnableExperimentalElasticCIMode"
    return f"{name} is experimental" if queue.text(name) == "true" else None
