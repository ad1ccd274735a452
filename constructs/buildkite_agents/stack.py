"""The Terraform stack of one environment: its queues and the resources that they share."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import cdktf
from constructs import Construct

from buildkite_agents import blocks, names
from buildkite_agents.arguments import reports_mistaken_arguments
from buildkite_agents.checks import checked
from buildkite_agents.checks.warnings import warnings_of
from buildkite_agents.errors import ConfigError, shown
from buildkite_agents.expressions import Reference
from buildkite_agents.output.root_module import mentioned
from buildkite_agents.queue import AgentQueue, ParameterValue
from buildkite_agents.resolved import ResolvedStack
from buildkite_agents.resources.agent_policy import AgentPolicy
from buildkite_agents.resources.agent_token import TokenParameter
from buildkite_agents.resources.bootstrap_object import BootstrapObject
from buildkite_agents.resources.bootstrap_object import import_block as script_import_block
from buildkite_agents.resources.import_block import ImportBlock
from buildkite_agents.resources.preparation import Preparation, prepare_with
from buildkite_agents.resources.queue_stack import QueueStack, import_block, meta_arguments
from buildkite_agents.resources.root_module import complete_backend, define_root_module
from buildkite_agents.resources.secrets_bucket import Bucket
from buildkite_agents.resources.variables import require_default_workspace
from buildkite_agents.settings import (
    AgentAccess,
    AgentToken,
    Alarms,
    Deployment,
    Existing,
    Network,
    SecretsBucket,
    StackSettings,
)
from buildkite_agents.unwritten import synthesized

if TYPE_CHECKING:
    from buildkite_agents.resources.alarms import QueueAlarms

_NO_RESOURCES = (
    cdktf.TerraformBackend,
    cdktf.TerraformLocal,
    cdktf.TerraformOutput,
    cdktf.TerraformProvider,
    cdktf.TerraformVariable,
)


@reports_mistaken_arguments
class AgentStack(cdktf.TerraformStack):
    """An environment: its queues' stacks, the secrets bucket, the token and the policy.

    Resources keep the addresses and names of the hand-written root module that this program
    replaces, so that existing state remains valid. The CDKTF stack is named
    ``PROJECT-ENVIRONMENT``.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        project: str,
        queues: Sequence[AgentQueue],
        environment: str = "prod",
        bootstrap_script: Path | str | None = None,
        token: AgentToken | Existing | None = AgentToken(),  # noqa: B008 # it is frozen
        secrets_bucket: SecretsBucket | Existing | None = SecretsBucket(),  # noqa: B008
        access: AgentAccess | Existing | None = AgentAccess(),  # noqa: B008
        network: Network | None = None,
        alarms: Alarms | None = None,
        parameters: Mapping[str, ParameterValue] = {},  # it is only read
        tags: Mapping[str, str] | None = None,
        deployment: Deployment = Deployment(),  # noqa: B008
        keep_documented_layout: bool = False,
        template_defaults: bool = False,
    ) -> None:
        """Check the arguments, then define the resources.

        Args:
            scope: The :class:`~buildkite_agents.AgentApp`, or any construct of a CDKTF app.
            project: The prefix of every name. Bucket names are unique across all of AWS, so
                choose a project name that nobody else uses.
            queues: The queues.
            environment: Part of every name. An AWS account can have several environments.
            bootstrap_script: The script that each new instance runs as root: a file, which is
                uploaded to the secrets bucket, or the URL of one. By default none.
            token: The agent token: by default an SSM parameter with the value of Terraform's
                variable ``buildkite_agent_token``. ``Existing`` refers to an existing parameter, in
                SSM or, with ``/aws/reference/secretsmanager/...``, in Secrets Manager. With None,
                each queue sets its own among its parameters.
            secrets_bucket: The bucket for the jobs' secrets. ``Existing`` refers to an existing
                bucket. With None, the template creates a bucket for each queue, unless
                ``EnableSecretsPlugin`` is false.
            access: The agents' permissions, as an IAM policy. ``Existing`` refers to an existing
                policy. With None, the agents have only the permissions that the template grants.
            network: The VPC of the instances. By default Terraform's variables ``vpc_id`` and
                ``subnet_ids`` select it.
            alarms: CloudWatch alarms for each queue, and whom they notify. By default none.
            parameters: Template parameters for all queues, apart from those that a field of
                AgentQueue sets; a queue's own parameters override them. None omits a parameter.
            tags: Tags of all resources. By default Project and Environment, and ManagedBy as a
                default tag of the provider; setting tags replaces all of these.
            deployment: The Terraform root module: its folder, its state and its files.
            keep_documented_layout: Keep the secrets bucket, the agents' policy and the stacks as
                in the documented ``terraform/`` layout: without hardening and with broad
                permissions. For adopting that layout without a change.
            template_defaults: Leave out what this program sets in each stack by default, parameters
                and tags: a stack has only what its queue and the other arguments set, and the
                template's defaults apply otherwise. For adopting stacks without a change.

        Raises:
            ConfigError: the configuration is invalid; the error lists every problem of this stack.
                In an :class:`~buildkite_agents.AgentApp`, this raises nothing: ``synth`` raises
                it, for all stacks together.
        """
        settings = StackSettings(
            project=project,
            environment=environment,
            bootstrap_script=bootstrap_script,
            token=token,
            secrets_bucket=secrets_bucket,
            access=access,
            network=network,
            alarms=alarms,
            parameters=parameters,
            tags=tags,
            deployment=deployment,
            keep_documented_layout=keep_documented_layout,
            template_defaults=template_defaults,
        )
        resolved = self._checked(scope, settings, queues)
        if resolved is None:
            return
        name = resolved.names.prefix
        is_in_agent_app = hasattr(self._root, "refuse")
        try:
            super().__init__(scope, name)
        except RuntimeError as error:
            if "already a Construct" not in str(error):
                raise
            raise ConfigError(
                f"project and environment: the app has a construct {name!r} already"
            ) from None
        self.name = name
        """The stack's name: the prefix of all resource names, and the cdktf CLI's name for it."""
        self.resolved: ResolvedStack = resolved
        """What the resources and the queues' stacks get."""
        self.deployment = deployment
        """The Terraform root module."""
        self.folder = Path(deployment.folder or resolved.names.default_folder)
        """The folder of the configuration for use without the cdktf CLI."""
        self.queues = tuple(queues)
        """The queues."""
        self.warnings = {q.key: warnings_of(q, resolved) for q in resolved.queues}
        """Warnings for valid but risky configuration, one line each, by key of ``queue_stacks``."""
        self.is_prepared = False
        """Whether the stack is ready to be synthesized."""
        if not is_in_agent_app:
            prepare_with(self._root, name, self.prepare)
        self.node.add_validation(Preparation(self.prepare))
        self.own_names: dict[str, set[str]] = {}
        """The names of the variables and outputs that this stack itself defines, by kind."""

        self._environment, self.own_names["variable"] = define_root_module(self, resolved)
        self._bucket, self._token, self._policy = self._make_shared_resources(
            script_is_beside=is_in_agent_app
        )
        self._script = self._upload_script(script_is_beside=is_in_agent_app)
        self._depends_on = [
            address
            for made, address in (
                (self._script, names.BOOTSTRAP_OBJECT),
                (self._token, names.TOKEN_PARAMETER),
                (self._policy, names.AGENT_POLICY),
            )
            if made is not None
        ]
        self.queue_stacks: Mapping[str, QueueStack] = {
            queue.key: QueueStack(self, queue) for queue in resolved.queues
        }
        """The CloudFormation stack of each queue, keyed by the queue's name, or by resource name
        where several stacks serve one queue."""
        self.add_override(
            "resource.aws_cloudformation_stack", meta_arguments(resolved.queues, self._depends_on)
        )
        self._alarms = self._make_alarms(alarms)
        # Not with the resources' move_from_id() and import_from(): CDKTF then runs `terraform
        # version`, and fails where Terraform is not installed.
        self._add_blocks(check=blocks.image_check(resolved), moved=blocks.moved(resolved))
        self._output()
        if deployment.inside_root_module:
            for local, values in blocks.stand_ins(resolved).items():
                # A queue can have the same name.
                cdktf.TerraformLocal(self, f"local {local}", values).override_logical_id(local)
        if deployment.import_account is not None:
            self._import(deployment.import_account)

    def _checked(
        self, scope: Construct, settings: StackSettings, queues: Sequence[AgentQueue]
    ) -> ResolvedStack | None:
        """What the resources get; None where an AgentApp reports the problems later."""
        if not isinstance(scope, Construct):
            raise ConfigError(f"scope must be an AgentApp or another construct, got {shown(scope)}")
        name = f"{settings.project}-{settings.environment}"
        # The root of an app of cdktf.Testing is another object at each use.
        root: Any = scope if isinstance(scope, cdktf.App) else scope.node.root
        self._root = root
        try:
            resolved = checked(settings, queues)
            if hasattr(root, "refuse"):  # an AgentApp
                root.register(name, self)
        except ConfigError as error:
            if not hasattr(root, "refuse"):
                raise
            # An empty construct, so that further stacks are checked too. It has none of the
            # attributes of others: each use of one, and a synthesis, raises the problems.
            self._problems = error.problems
            super().__init__(scope, root.refuse(name, error.problems))
            return None
        return resolved

    @property
    def secrets_bucket(self) -> Bucket:
        """The secrets bucket: its name, ARN and bootstrap script.

        Raises:
            ConfigError: this stack does not create one.
        """
        return _made("secrets_bucket", self._bucket)

    @property
    def token(self) -> TokenParameter:
        """The SSM parameter with the agent token.

        Raises:
            ConfigError: this stack does not create one.
        """
        return _made("token", self._token)

    @property
    def policy(self) -> AgentPolicy:
        """The IAM policy of the agents.

        Raises:
            ConfigError: this stack does not create one.
        """
        return _made("access", self._policy)

    def prepare_stack(self) -> None:
        """Store the state beside the configuration, unless another backend was created.

        Raises:
            ConfigError: the stack was refused.
        """
        self.prepare()
        super().prepare_stack()

    def prepare(self) -> None:
        """Create a local backend, unless the stack has a backend, and check all addresses.

        Raises:
            ConfigError: the stack has two backends, or several resources have one address, which
                CDKTF would merge.
        """
        synthesized(self._root)
        if self.is_prepared:
            return
        is_ours = complete_backend(self, self.deployment.backend)
        if is_ours and not self.deployment.inside_root_module:
            require_default_workspace(self._environment)
        addresses = [*self._addresses()]
        twice = [address for address, count in Counter(addresses).items() if count > 1]
        if twice:
            what = "two resources have this address: change your id"
            raise ConfigError(*(f"{address}: {what}" for address in twice))
        if not self.deployment.destroy_unused:
            settings = (repr(self.resolved.settings), repr(self.queues))
            elsewhere = mentioned(names.SHARED, self.folder, *settings)
            self._add_blocks(removed=blocks.removed({*addresses, *elsewhere}))
        self.is_prepared = True

    def _add_blocks(self, **content: Any) -> None:
        """Add the blocks of each kind that has any."""
        for kind, kinds_blocks in content.items():
            if kinds_blocks:
                self.add_override(kind, kinds_blocks)

    def fixed_addresses(self) -> Iterator[str]:
        """The addresses of the queues' stacks and of the resources that they share."""
        yield from (queue.address for queue in self.resolved.queues)
        yield from self._depends_on
        if self._bucket is not None:
            yield from self._bucket.addresses

    def _addresses(self) -> Iterator[str]:
        """The addresses of the stack's resources, its user's own included."""
        yield from self.fixed_addresses()
        made = [self._bucket, self._script, self._token, self._policy, *self.queue_stacks.values()]
        ours = {id(construct) for construct in made}
        for child in self.node.children:
            if id(child) in ours or isinstance(child, _NO_RESOURCES):
                continue
            for element in child.node.find_all():
                if isinstance(element, cdktf.TerraformStack):
                    break  # another stack, with addresses of its own
                if isinstance(element, cdktf.TerraformResource):
                    yield f"{element.terraform_resource_type}.{element.friendly_unique_id}"

    def __getattr__(self, name: str) -> Any:
        problems = self.__dict__.get("_problems")
        if problems:
            raise ConfigError(*problems)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _make_shared_resources(
        self, *, script_is_beside: bool
    ) -> tuple[Bucket | None, TokenParameter | None, AgentPolicy | None]:
        resolved, settings = self.resolved, self.resolved.settings
        bucket = token = policy = None
        if isinstance(settings.secrets_bucket, SecretsBucket):
            bucket = Bucket(
                self,
                "secrets_bucket",
                settings=settings.secrets_bucket,
                name=resolved.secrets_bucket_name,
                script=resolved.local_script,
                script_is_beside=script_is_beside,
                keep_documented_layout=settings.keep_documented_layout,
                tags=settings.common_tags,
                isolated_roles=resolved.isolated_roles,
            )
        if isinstance(settings.token, AgentToken):
            token = TokenParameter(
                self,
                settings=settings.token,
                name=resolved.token_parameter_name,
                token=settings.token.value or str(Reference("var.buildkite_agent_token")),
                tags=settings.common_tags,
            )
        if isinstance(settings.access, AgentAccess):
            policy = AgentPolicy(self, access=settings.access, resolved=resolved)
        return bucket, token, policy

    def _make_alarms(self, settings: Alarms | None) -> "QueueAlarms | None":
        if settings is None:
            return None
        # Loaded on use: a synthesis without alarms needs none of these bindings.
        from buildkite_agents.resources.alarms import QueueAlarms

        return QueueAlarms(self, self.resolved, settings, self.queue_stacks)

    def _upload_script(self, *, script_is_beside: bool) -> BootstrapObject | None:
        """The local script's object: the bucket's own, or one in an existing bucket."""
        bucket, script = self.resolved.settings.secrets_bucket, self.resolved.local_script
        if self._bucket is not None:
            return self._bucket.bootstrap_script
        if script is None or not isinstance(bucket, Existing):
            return None
        return BootstrapObject(self, bucket=bucket.name, script=script, is_beside=script_is_beside)

    def _output(self) -> None:
        outputs = blocks.outputs(self.resolved)
        for output, (description, value) in outputs.items():
            cdktf.TerraformOutput(self, output, description=description, value=value)
        self.own_names["output"] = set(outputs)

    def _import(self, account: str) -> None:
        imports: list[ImportBlock] = []
        if self._bucket is not None:
            imports += self._bucket.import_blocks()
        if self._script is not None:
            imports.append(script_import_block(self.resolved.secrets_bucket_name))
        if self._token is not None:
            imports.append(self._token.import_block())
        if self._policy is not None:
            imports.append(self._policy.import_block(account=account))
        if self._alarms is not None:
            imports += self._alarms.import_blocks(account=account)
        imports += map(import_block, sorted(self.resolved.queues, key=lambda queue: queue.key))
        self.add_override("import", [{"to": block.to, "id": block.id} for block in imports])
        for block in imports:
            if block.unreadable:
                self.add_override(
                    f"resource.{block.to}.lifecycle.ignore_changes", list(block.unreadable)
                )


_Made = TypeVar("_Made")


def _made(argument: str, made: _Made | None) -> _Made:
    if made is None:
        raise ConfigError(f"{argument} is None or Existing, and so this stack does not make it")
    return made
