"""The Terraform stack of one environment: its queues and the resources that they share."""

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import cdktf
from constructs import Construct

from buildkite_agents import elastic_ci_stack, names
from buildkite_agents.aws.provider import AwsProvider, AwsProviderDefaultTags
from buildkite_agents.checks import risks
from buildkite_agents.checks.queue import check_queues, values_of
from buildkite_agents.checks.settings import check_settings, script_is_elsewhere
from buildkite_agents.errors import ConfigError
from buildkite_agents.names import Names
from buildkite_agents.queue import AgentQueue, ParameterValue
from buildkite_agents.resources import variables
from buildkite_agents.resources.agent_policy import AgentPolicy, partition_of
from buildkite_agents.resources.agent_token import TokenParameter
from buildkite_agents.resources.backend import create_backend
from buildkite_agents.resources.import_block import ImportBlock
from buildkite_agents.resources.queue_stack import QueueStack
from buildkite_agents.resources.secrets_bucket import Bucket
from buildkite_agents.resources.versions import required_versions
from buildkite_agents.settings import (
    AgentAccess,
    AgentToken,
    Deployment,
    Existing,
    Network,
    SecretsBucket,
)
from buildkite_agents.stack_parameters import Wiring, null_if_empty

_SESSION_MANAGER_POLICY = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"


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
        parameters: Mapping[str, ParameterValue] = {},  # it is only read
        tags: Mapping[str, str] | None = None,
        deployment: Deployment = Deployment(),  # noqa: B008
        keep_documented_layout: bool = False,
    ) -> None:
        """Check the arguments, then define the resources.

        Args:
            scope: The :class:`~buildkite_agents.AgentApp`, or another CDKTF app.
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
            parameters: Template parameters for all queues; a queue's own parameters override them.
                None omits a parameter.
            tags: Tags of all resources. By default Project and Environment, and ManagedBy as a
                default tag of the provider; setting tags replaces all of these.
            deployment: The Terraform root module: its folder, its state, and which files are
                written.
            keep_documented_layout: Keep the secrets bucket, the agents' policy and the stacks as
                in the documented ``terraform/`` layout: without hardening and with broad
                permissions. For adopting that layout without a change.

        Raises:
            ConfigError: the configuration is invalid; the error lists every problem of this stack.
                In an :class:`~buildkite_agents.AgentApp`, ``synth`` raises it instead, for all
                stacks together.
        """
        settings: dict[str, Any] = {
            "project": project,
            "environment": environment,
            "bootstrap_script": bootstrap_script,
            "token": token,
            "secrets_bucket": secrets_bucket,
            "access": access,
            "network": network,
            "parameters": parameters,
            "tags": tags,
            "deployment": deployment,
            "keep_documented_layout": keep_documented_layout,
        }
        self._names = Names(str(project), str(environment))
        problems = check_settings(settings)
        foreseen = _foreseen(settings, queues)
        problems += check_queues(queues, self._names, foreseen)
        if not problems and scope.node.try_find_child(self._names.prefix) is not None:
            problems.append(
                f"environment: there is a stack {self._names.prefix!r} already: give each another "
                "environment or project"
            )
        if problems:
            self._refuse(scope, problems)
            return

        super().__init__(scope, self._names.prefix)
        self.name = self._names.prefix
        """The stack's name: the prefix of all resource names, and the cdktf CLI's name for it."""
        self.deployment = deployment
        """The Terraform root module."""
        self.folder = Path(deployment.folder or self._names.default_folder)
        """The folder of the configuration for use without the cdktf CLI."""
        self.bootstrap_script = _local_script(bootstrap_script)
        """The local bootstrap script, or None where the script is a URL or there is none."""
        self.queues = tuple(queues)
        """The queues."""
        self._keys = names.keys(queues)
        self.warnings = {
            key: risks.warnings(queue, values_of(queue, self._names, foreseen))
            for key, queue in zip(self._keys, queues, strict=True)
        }
        """Warnings for valid but risky configuration, one line each, by queue."""
        self._keep_documented_layout = keep_documented_layout
        self._app_writes_bootstrap_script = getattr(scope, "writes_bootstrap_script", False)
        self._settings = settings
        own_tags = {"Project": project, "Environment": environment}
        self._tags = tags if tags is not None else own_tags
        self._default_tags = tags if tags is not None else {**own_tags, "ManagedBy": "terraform"}

        write_only = isinstance(token, AgentToken) and token.write_only_version is not None
        self.add_override("terraform", required_versions(write_only=write_only))
        self._has_backend = deployment.backend is not None
        if deployment.backend is not None:
            create_backend(self, deployment.backend, self._names)
        self._region = self._configure_provider(environment)
        self._bucket = self._make_bucket(secrets_bucket)
        self._token = self._make_token(token, write_only=write_only)
        self._policy = self._make_policy(access)
        wiring = self._wire(settings)
        made = [
            self._bucket.bootstrap_script if self._bucket else None,
            self._token,
            self._policy,
        ]
        self.queue_stacks: Mapping[str, QueueStack] = self._make_queue_stacks(
            wiring, depends_on=[one for one in made if one is not None]
        )
        """The CloudFormation stack of each queue, keyed by the queue's name, or by address where
        several stacks serve one queue."""
        self._move_from_existing_addresses()
        self._output()
        if deployment.inside_root_module:
            self._stand_in_for_existing_addresses()
        if deployment.import_account is not None:
            self._import(deployment.import_account)

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

    @property
    def own_names(self) -> Mapping[str, set[str]]:
        """The names of the variables and outputs that this stack itself defines, by kind."""
        return _own_names(self._settings)

    def prepare_stack(self) -> None:
        """Store the state beside the configuration, unless another backend was created."""
        self.ensure_backend()
        super().prepare_stack()

    def ensure_backend(self) -> None:
        """Create a local backend, unless the stack has a backend."""
        if not self._has_backend and self.node.try_find_child("backend") is None:
            create_backend(self, None, self._names)
        self._has_backend = True

    def _refuse(self, scope: Construct, problems: Sequence[str]) -> None:
        collect = getattr(scope, "collect_problems", None)
        if collect is None:
            raise ConfigError(*problems)
        # Not even a construct: each use of a refused stack raises its problems.
        self._problems = problems
        self.__jsii_ref__ = _Refused(problems)
        collect(self._names.prefix, problems)

    def __getattr__(self, name: str) -> Any:
        problems = self.__dict__.get("_problems")
        if problems:
            raise ConfigError(*problems)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _configure_provider(self, environment: str) -> str:
        queues = self._queues_with_the_stacks_image()
        versions = [elastic_ci_stack.load(queue.stack_version) for queue in queues]
        everywhere = frozenset.intersection(*(v.regions for v in versions)) if versions else ()
        region_variable = variables.aws_region(
            self,
            with_images=everywhere,
            architectures={queue.architecture for queue in queues},
        )
        region = f"${{{region_variable}}}"
        profile = variables.aws_profile(self)
        variables.environment(self, environment)
        AwsProvider(
            self,
            "aws_provider",
            region=region,
            profile=f'${{{profile} == "" ? null : {profile}}}',
            default_tags=[AwsProviderDefaultTags(tags=self._default_tags)],
        )
        return region

    def _queues_with_the_stacks_image(self) -> list[AgentQueue]:
        """The queues in the stack's own region that do not set an image."""
        images = ("ImageId", "ImageIdParameter")
        return [
            queue
            for queue in self.queues
            if queue.provider is None
            and not any(
                {**self._settings["parameters"], **queue.parameters}.get(name) for name in images
            )
        ]

    def _make_bucket(self, settings: SecretsBucket | Existing | None) -> Bucket | None:
        if not isinstance(settings, SecretsBucket):
            return None
        return Bucket(
            self,
            "secrets_bucket",
            settings=settings,
            name=settings.name or self._names.secrets_bucket,
            bootstrap_script=self.bootstrap_script,
            script_is_beside=self._app_writes_bootstrap_script,
            keep_documented_layout=self._keep_documented_layout,
            tags=self._tags,
        )

    def _make_token(
        self, settings: AgentToken | Existing | None, *, write_only: bool
    ) -> TokenParameter | None:
        if not isinstance(settings, AgentToken):
            return None
        token = settings.value
        if token is None:
            token = f"${{{variables.buildkite_agent_token(self, ephemeral=write_only)}}}"
        return TokenParameter(
            self,
            settings=settings,
            name=settings.parameter or self._names.token_parameter,
            token=token,
            tags=self._tags,
        )

    def _make_policy(self, settings: AgentAccess | Existing | None) -> AgentPolicy | None:
        if not isinstance(settings, AgentAccess):
            return None
        return AgentPolicy(
            self,
            name=settings.policy_name or self._names.agent_policy,
            settings=settings,
            secrets_bucket=self._bucket,
            token=self._token,
            region=self._region,
            keep_documented_layout=self._keep_documented_layout,
            tags=self._tags,
        )

    def _wire(self, settings: Mapping[str, Any]) -> Wiring:
        """The values that the queues' stacks share, with references to the created resources."""
        access: AgentAccess | Existing | None = settings["access"]
        policies = [_reference(self._policy, "arn")] if self._policy is not None else []
        boundary = None
        if isinstance(access, AgentAccess):
            if self._keep_documented_layout:
                # Wide: it permits ssm:GetParameter on everything, and the template's own role has
                # what Session Manager needs.
                policies.append(_SESSION_MANAGER_POLICY)
            policies += access.managed_policies
            boundary = access.permissions_boundary
        elif access is not None:
            policies.append(access.name)
        bucket = self._bucket
        script_url = bucket.bootstrap_script_url if bucket is not None else None
        if self.bootstrap_script is None and settings["bootstrap_script"] is not None:
            script_url = settings["bootstrap_script"]
        vpc_id, subnets = self._network(settings["network"])
        architectures = {queue.architecture for queue in self.queues}
        return Wiring(
            vpc_id=vpc_id,
            subnets=subnets,
            amis=variables.buildkite_agent_amis(self, architectures),
            bootstrap_script_url=script_url,
            token_parameter=_reference(self._token, "name")
            if self._token is not None
            else _name_of(settings["token"]),
            managed_policy_arns=policies,
            permissions_boundary=boundary,
            secrets_bucket=_reference(bucket, "bucket")
            if bucket is not None
            else _name_of(settings["secrets_bucket"]),
            # That of an existing bucket may be another.
            secrets_bucket_region=self._region if bucket is not None else None,
            parameters=settings["parameters"],
            keep_documented_layout=self._keep_documented_layout,
            ecr_access=_ecr_access(settings),
        )

    def _network(self, network: Network | None) -> tuple[str, str]:
        if network is None:
            vpc_id = variables.vpc_id(self)
            subnet_ids = variables.subnet_ids(self)
            return null_if_empty(vpc_id), null_if_empty(f'join(",", {subnet_ids})')
        return network.vpc_id, _joined(network.subnet_ids)

    def _make_queue_stacks(
        self, wiring: Wiring, *, depends_on: Sequence[cdktf.ITerraformDependable]
    ) -> dict[str, QueueStack]:
        stacks = {}
        for key, queue in zip(self._keys, self.queues, strict=True):
            address = names.address(queue)
            # All other ids in this stack contain an underscore, or are one of these.
            is_free = "_" not in address and address not in {"backend", "environment"}
            stacks[key] = QueueStack(
                self,
                # With its address as the id, a resource needs no further call to CDKTF.
                address if is_free else f"queue {address}",
                queue=queue,
                names=self._names,
                wiring=wiring,
                keep_documented_layout=self._keep_documented_layout,
                tags=self._tags,
                depends_on=depends_on,
            )
        return stacks

    def _move_from_existing_addresses(self) -> None:
        # Not with the resource's move_from_id(): CDKTF then runs `terraform version`, and fails
        # where Terraform is not installed.
        moves = {
            names.moved_from(queue): f"aws_cloudformation_stack.{names.address(queue)}"
            for queue in sorted(self.queues, key=names.address)
        }
        blocks = [{"from": old, "to": new} for old, new in moves.items() if old != new]
        if blocks:
            self.add_override("moved", blocks)

    def _stand_in_for_existing_addresses(self) -> None:
        """Define a local for each ``for_each`` resource that stacks moved from.

        References elsewhere in the root module change from ``aws_cloudformation_stack.NAME`` to
        ``local.NAME``. ``local.buildkite_stacks``, which the documented layout defines, is kept.
        """
        locals_: dict[str, dict[str, str]] = defaultdict(dict)
        documented = {}
        for queue, stack in zip(self.queues, self.queue_stacks.values(), strict=True):
            resource, bracket, key = names.moved_from(queue).partition("[")
            if bracket and not resource.startswith("module."):
                instance = json.loads(f"[{key}")[0]
                locals_[resource.rpartition(".")[2]][instance] = f"${{{stack.address}}}"
            if queue.moved_from is None:
                documented[queue.name] = {"queue": queue.name}
        for name, stacks in locals_.items():
            cdktf.TerraformLocal(self, name, {str(key): fqn for key, fqn in stacks.items()})
        if documented:
            cdktf.TerraformLocal(self, "buildkite_stacks", documented)

    def _import(self, account: str) -> None:
        blocks: list[ImportBlock] = []
        if self._bucket is not None:
            blocks += self._bucket.import_blocks()
        if self._token is not None:
            blocks.append(self._token.import_block())
        if self._policy is not None:
            partition = partition_of(self._region)
            blocks.append(self._policy.import_block(account=account, partition=partition))
        blocks += [self.queue_stacks[name].import_block() for name in sorted(self.queue_stacks)]
        # Not with the resource's import_from(), for the same reason as for moves.
        self.add_override("import", [{"to": block.to, "id": block.id} for block in blocks])
        for block in blocks:
            if block.unreadable:
                self.add_override(
                    f"resource.{block.to}.lifecycle.ignore_changes", list(block.unreadable)
                )

    def _output(self) -> None:
        if self._bucket is not None:
            cdktf.TerraformOutput(
                self,
                "buildkite_secrets_bucket",
                description="The S3 bucket of the agents' secrets and their bootstrap script",
                value=_reference(self._bucket, "bucket"),
            )
        cdktf.TerraformOutput(
            self,
            "buildkite_agent_queues",
            description="The Buildkite queues",
            value=sorted({queue.name for queue in self.queues}),
        )
        cdktf.TerraformOutput(
            self,
            "buildkite_stack_names",
            description="The CloudFormation stack of each queue",
            value={key: _reference(stack, "name") for key, stack in self.queue_stacks.items()},
        )


def _own_names(settings: Mapping[str, Any]) -> Mapping[str, set[str]]:
    variables_ = {"aws_profile", "aws_region", "buildkite_agent_amis", "environment"}
    outputs = {"buildkite_agent_queues", "buildkite_stack_names"}
    token = settings["token"]
    if isinstance(token, AgentToken) and token.value is None:
        variables_.add("buildkite_agent_token")
    if settings["network"] is None:
        variables_ |= {"vpc_id", "subnet_ids"}
    if isinstance(settings["secrets_bucket"], SecretsBucket):
        outputs.add("buildkite_secrets_bucket")
    return {"variable": variables_, "output": outputs}


def _foreseen(settings: Mapping[str, Any], queues: Any) -> Wiring:
    """The values that the stacks will share, as far as they can be checked beforehand."""
    later = "${later}"
    maybe = null_if_empty("later")
    network = settings["network"]
    script, token, bucket, access = (
        settings[name] for name in ("bootstrap_script", "token", "secrets_bucket", "access")
    )
    parameters = settings["parameters"]
    is_network = isinstance(network, Network)
    return Wiring(
        vpc_id=later if is_network else maybe,
        subnets=later if is_network else maybe,
        amis="later",
        bootstrap_script_url=None if script is None else later,
        token_parameter=None if token is None else later,
        managed_policy_arns=() if access is None else (later,),
        permissions_boundary=getattr(access, "permissions_boundary", None) and later,
        secrets_bucket=None if bucket is None else later,
        secrets_bucket_region=later if isinstance(bucket, SecretsBucket) else None,
        parameters=parameters if isinstance(parameters, Mapping) else {},
        keep_documented_layout=settings["keep_documented_layout"] is True,
        ecr_access=_ecr_access(settings),
        permitted=_permitted(access),
        script_needs_dnf=_needs_dnf(script),
        versions_of_image=_versions_of_image(parameters, queues),
    )


def _versions_of_image(parameters: Any, queues: Any) -> Mapping[str, set[str]]:
    versions: dict[str, set[str]] = defaultdict(set)
    for queue in queues if isinstance(queues, list | tuple) else ():
        mappings = [parameters, getattr(queue, "parameters", None)]
        given = [each.get("ImageId") for each in mappings if isinstance(each, Mapping)]
        images = [image for image in given if isinstance(image, str)]
        if images and isinstance(queue.stack_version, str):
            versions[images[-1]].add(queue.stack_version)
    return versions


def _ecr_access(settings: Mapping[str, Any]) -> str | None:
    """The template's ECR policy: it permits logging in; the agents' policy permits pushing.

    The template attaches AWS managed policies, which apply to all repositories: the one for full
    access permits deleting them.
    """
    if settings["keep_documented_layout"]:
        return "full"
    access = settings["access"]
    if not isinstance(access, AgentAccess):
        return None
    return "readonly" if access.ecr_repositories else "none"


def _permitted(access: Any) -> list[str] | None:
    """The actions that this program's policy permits; None where other policies apply too."""
    if not isinstance(access, AgentAccess) or access.managed_policies:
        return None
    actions: list[str] = []
    # The settings have not been checked yet.
    for statement in access.statements if isinstance(access.statements, list | tuple) else ():
        action = statement.get("Action") if isinstance(statement, Mapping) else None
        if not isinstance(action, str | list | tuple):
            return None
        actions += [action] if isinstance(action, str) else map(str, action)
    return actions


def _needs_dnf(script: Any) -> bool:
    """Whether a bootstrap script is a local file that runs dnf, Amazon Linux's package manager."""
    if script is None or script_is_elsewhere(script):
        return False
    try:
        text = Path(script).read_text(encoding="utf-8", errors="replace")
    except (OSError, TypeError, ValueError):
        return False
    return re.search(r"\bdnf\b", text) is not None and "apt-get" not in text


_Made = TypeVar("_Made")


def _local_script(script: Path | str | None) -> Path | None:
    return None if script is None or script_is_elsewhere(script) else Path(script)


def _made(argument: str, made: _Made | None) -> _Made:
    if made is None:
        raise ConfigError(f"{argument} is None or Existing, and so this stack does not make it")
    return made


def _reference(resource: Bucket | TokenParameter | AgentPolicy | QueueStack, attribute: str) -> str:
    """A reference within the stack, written out: CDKTF's own is a round trip to Node.js."""
    return f"${{{resource.address}.{attribute}}}"


def _name_of(existing: Existing | None) -> str | None:
    return existing.name if existing is not None else None


def _joined(subnet_ids: Sequence[str] | str) -> str:
    return subnet_ids if isinstance(subnet_ids, str) else ",".join(subnet_ids)


class _Refused:
    """A stand-in for the reference to a construct in Node.js, where no construct exists.

    jsii reads it once, when it registers the new object. A further read is a use of the construct.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self._problems = problems
        self._noted = False

    @property
    def ref(self) -> str:
        if self._noted:
            raise ConfigError(*self._problems)
        self._noted = True
        return f"refused-{id(self)}"
