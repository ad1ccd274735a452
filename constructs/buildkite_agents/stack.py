"""Queues of one environment, and all that they need, as a Terraform root module."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cdktf
from constructs import Construct

from buildkite_agents import elastic_ci_stack
from buildkite_agents.agent_access import AgentAccess
from buildkite_agents.backend import S3Backend
from buildkite_agents.checks import risks
from buildkite_agents.checks import settings as checks
from buildkite_agents.errors import ConfigError
from buildkite_agents.imports.aws.provider import AwsProvider, AwsProviderDefaultTags
from buildkite_agents.names import Names
from buildkite_agents.network import Network
from buildkite_agents.queue import AgentQueue
from buildkite_agents.resources import variables
from buildkite_agents.resources.agent_policy import AgentPolicy
from buildkite_agents.resources.agent_token import AgentToken
from buildkite_agents.resources.import_blocks import ImportBlock, import_blocks
from buildkite_agents.resources.queue_stack import AgentQueueStack
from buildkite_agents.resources.secrets_bucket import BOOTSTRAP_KEY, SecretsBucket
from buildkite_agents.stack_parameters import SSM_AGENT_POLICY, Wiring, null_if_empty

# 1.9 is the first whose variable validations may refer to other variables.
TERRAFORM_VERSIONS = ">= 1.9"
# The bindings pin one version exactly. Which one is used is for the users' own lock file to say.
AWS_PROVIDER_VERSIONS = ">= 5.0, < 7.0"
# What cannot work: the versions, and why.
_BAD_AWS_PROVIDER_VERSIONS = (
    # "Provider produced inconsistent result" for a lifecycle rule for all of a bucket:
    # https://github.com/hashicorp/terraform-provider-aws/issues/41268
    ("5.86.0",),
    # Withdrawn: https://github.com/hashicorp/terraform-provider-aws/issues/43213
    ("6.1.0",),
    # An encryption rule that does not say blocked_encryption_types, which older versions do not
    # know, changes at each apply: https://github.com/hashicorp/terraform-provider-aws/issues/47320
    tuple(f"6.{minor}.{patch}" for minor in range(22, 40) for patch in (0, 1)),
)
# The first with write-only arguments, and with that of an SSM parameter.
WRITE_ONLY_TERRAFORM_VERSIONS = ">= 1.11"
WRITE_ONLY_AWS_PROVIDER_VERSIONS = ">= 5.87, < 7.0"


class AgentStack(cdktf.TerraformStack):
    """An environment: its queues' stacks, the secrets bucket, the token and the policy.

    Everything is at the addresses and under the names of the hand-written root module that this
    program takes the place of, so that its state is carried on. The stack is called
    ``PROJECT-ENVIRONMENT``.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        queues: Sequence[AgentQueue],
        bootstrap_script: Path | str,
        environment: str = "prod",
        project: str = "conbench",
        organization: str = "arrow-dev.org",
        network: Network | None = None,
        backend: S3Backend | None = None,
        folder: Path | str | None = None,
        inside_root_module: bool = False,
        token_parameter: str | None = None,
        token_version: int | None = None,
        kms_key_arn: str | None = None,
        access: AgentAccess | None = None,
        deletion_protection: bool = True,
        default_tags_on_script: bool = True,
        as_documented: bool = False,
        import_account: str | None = None,
    ) -> None:
        """Check everything, then define it.

        Args:
            scope: The :class:`~buildkite_agents.AgentApp`.
            queues: The queues.
            bootstrap_script: The script that each new instance runs as root.
            environment: Part of every name. An AWS account can have several environments.
            project: The start of every name. Bucket names are unique among all of AWS, so
                ``conbench`` is for the owners of that project only.
            organization: The Buildkite organization, for the token's description.
            network: The VPC of the instances. By default Terraform's variables decide.
            backend: Where Terraform keeps its state. By default ``terraform.tfstate`` beside it.
            folder: Where the configuration is written for use without the cdktf CLI. By default
                ``terraform``, and for an environment other than ``prod``
                ``terraform-ENVIRONMENT``.
            inside_root_module: Whether the folder is an existing root module, which has a provider,
                variables, and outputs of its own: only ``buildkite.tf.json`` and the bootstrap
                script are then written to it.
            token_parameter: The name of the SSM parameter with the agent token. By default
                ``/buildkite/agent-token``, and for an environment other than ``prod``
                ``/buildkite/ENVIRONMENT/agent-token``.
            token_version: Keep the token out of Terraform's state and plans: it is passed on
                write-only, and written when this number changes. Needs Terraform 1.11 and AWS
                provider 5.87. By default the state has the token.
            kms_key_arn: A customer's KMS key for the secrets bucket, which agents may then decrypt
                with. By default S3 encrypts with keys of its own (AES256).
            access: What the agents' instances may do besides what every agent needs.
            deletion_protection: Have Terraform refuse to destroy the secrets bucket, before it
                destroys anything. Taking it all down begins with setting this to False. Without it,
                a bucket with files in it loses its policy and its other protections before S3
                refuses to delete it.
            default_tags_on_script: Whether the bootstrap script's object gets the default tags of
                the provider. S3 takes ten tags of an object; a provider of your own that has more
                default tags needs False here, and AWS provider 5.24.
            as_documented: Leave the secrets bucket and the agents' policy as the documented layout
                has them: without hardening, and wide. For adopting it without a change.
            import_account: The id of the AWS account that has all of this already, where the state
                was lost: Terraform then imports it. For one apply; take it out again after that.

        Raises:
            ConfigError: something given cannot work; every problem of this stack is in it. In an
                :class:`~buildkite_agents.AgentApp` it is its ``synth`` that raises it, for all
                stacks together.
        """
        names = Names(project, environment, token_parameter)
        bootstrap_script = Path(bootstrap_script)
        access = access or AgentAccess()
        problems = [
            *checks.check_names(names),
            *checks.check_bootstrap_script(bootstrap_script),
            *checks.check_network(network),
            *checks.check_account(import_account),
            *checks.check_token_version(token_version),
            *checks.check_access(access, kms_key_arn),
            *checks.check_token_parameter(names),
            *checks.check_organization(organization),
            *checks.check_queues(queues, names, network=network),
        ]
        if not problems and scope.node.try_find_child(names.prefix) is not None:
            problems.append(
                f"environment: there is a stack {names.prefix!r} already: give each another "
                "environment or project"
            )
        if problems:
            self._refuse(scope, names, problems)
            return

        super().__init__(scope, names.prefix)
        self.name = names.prefix
        """The stack's name, for the cdktf CLI and in the names of all that it makes."""
        self.folder = Path(folder or _default_folder(environment))
        """Where the configuration is written for use without the cdktf CLI."""
        self.inside_root_module = inside_root_module
        """Whether only the resources are written there."""
        self.bootstrap_script = bootstrap_script
        """The script that each new instance runs."""
        self.queues = tuple(queues)
        """The queues."""
        self.warnings = {
            queue.name: risks.warnings(queue, elastic_ci_stack.load(queue.stack_version))
            for queue in queues
        }
        """What is legal and may not be meant, a line each, by queue."""

        tags = {"Project": project, "Environment": environment}
        self._require_versions(write_only=token_version is not None)
        self._keep_state(backend, names)
        region = f"${{{variables.aws_region(self)}}}"
        self._configure_provider(region, variables.aws_profile(self), tags)
        variables.environment(self, environment)
        amis = variables.buildkite_agent_amis(self, {queue.architecture for queue in queues})
        vpc_id, subnets = self._network(network)

        # The ids have an underscore, which a queue's name cannot have: that is an id here too.
        secrets_bucket = SecretsBucket(
            self,
            "secrets_bucket",
            name=names.secrets_bucket,
            bootstrap_script=bootstrap_script,
            script_is_beside=getattr(scope.node.root, "writes_bootstrap_script", False),
            kms_key_arn=kms_key_arn,
            deletion_protection=deletion_protection and not as_documented,
            default_tags_on_script=default_tags_on_script,
            as_documented=as_documented,
            tags=tags,
        )
        agent_token = variables.buildkite_agent_token(self, ephemeral=token_version is not None)
        token = AgentToken(
            self,
            name=names.token_parameter,
            organization=organization,
            token=f"${{{agent_token}}}",
            write_only_version=token_version,
            tags=tags,
        )
        policy = AgentPolicy(
            self,
            name=names.agent_policy,
            secrets_bucket=secrets_bucket,
            token=token,
            region=region,
            access=access,
            as_documented=as_documented,
            tags=tags,
        )
        wiring = Wiring(
            vpc_id=vpc_id,
            subnets=subnets,
            amis=amis,
            bootstrap_script_url=secrets_bucket.bootstrap_script_url,
            token_parameter=token.name,
            managed_policy_arns=",".join([policy.arn, SSM_AGENT_POLICY, *access.managed_policies]),
            permissions_boundary=access.permissions_boundary,
            secrets_bucket=secrets_bucket.name,
            region=region,
        )
        stacks = {
            queue.name: AgentQueueStack(
                self,
                queue=queue,
                names=names,
                wiring=wiring,
                as_documented=as_documented,
                tags=tags,
                depends_on=[secrets_bucket.bootstrap_script, token, policy],
            )
            for queue in queues
        }
        self.secrets_bucket = secrets_bucket
        """The secrets bucket: its name, ARN and bootstrap script."""
        self.token = token
        """The SSM parameter with the agent token."""
        self.policy = policy
        """The IAM policy of the agents."""
        self.queue_stacks: Mapping[str, AgentQueueStack] = stacks
        """The CloudFormation stack of each queue, by the queue's name."""
        self._move_from_documented_layout(stacks)
        self._output(secrets_bucket, stacks)
        if inside_root_module:
            self._stand_in_for_documented_address(stacks)
        if import_account is not None:
            self._import(
                import_blocks(
                    names,
                    stacks,
                    account=import_account,
                    bootstrap_key=BOOTSTRAP_KEY,
                    as_documented=as_documented,
                )
            )

    def _refuse(self, scope: Construct, names: Names, problems: Sequence[str]) -> None:
        collect = getattr(scope, "collect_problems", None)
        if collect is None:
            raise ConfigError(*problems)
        # Not even a construct: whatever is asked of this stack is answered with its problems.
        self._problems = problems
        self.__jsii_ref__ = _Refused(problems)
        collect(names.prefix, problems)

    def __getattr__(self, name: str) -> Any:
        problems = self.__dict__.get("_problems")
        if problems:
            raise ConfigError(*problems)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _require_versions(self, *, write_only: bool) -> None:
        terraform, provider = TERRAFORM_VERSIONS, AWS_PROVIDER_VERSIONS
        if write_only:
            terraform, provider = WRITE_ONLY_TERRAFORM_VERSIONS, WRITE_ONLY_AWS_PROVIDER_VERSIONS
        excluded = [f"!= {v}" for versions in _BAD_AWS_PROVIDER_VERSIONS for v in versions]
        provider = ", ".join([provider, *excluded])
        self.add_override(
            "terraform",
            {
                "required_version": terraform,
                "required_providers": {"aws": {"source": "hashicorp/aws", "version": provider}},
            },
        )

    def _keep_state(self, backend: S3Backend | None, names: Names) -> None:
        # Always said: CDKTF's own default is an absolute path of the machine it runs on.
        if backend is None:
            cdktf.LocalBackend(self, path="terraform.tfstate")
            return
        cdktf.S3Backend(
            self,
            bucket=backend.bucket,
            key=backend.key or f"{names.prefix}/terraform.tfstate",
            region=backend.region,
            encrypt=True,
        )
        # Newer than CDKTF's own S3Backend.
        self.add_override("terraform.backend.s3.use_lockfile", True)

    def _configure_provider(
        self,
        region: str,
        profile: str,
        tags: dict[str, str],
    ) -> None:
        AwsProvider(
            self,
            "aws_provider",
            region=region,
            profile=f'${{{profile} == "" ? null : {profile}}}',
            default_tags=[AwsProviderDefaultTags(tags={**tags, "ManagedBy": "terraform"})],
        )

    def _network(self, network: Network | None) -> tuple[str, str]:
        if network is not None:
            return network.vpc_id, ",".join(network.subnet_ids)
        vpc_id = variables.vpc_id(self)
        subnet_ids = variables.subnet_ids(self)
        return null_if_empty(vpc_id), null_if_empty(f'join(",", {subnet_ids})')

    def _move_from_documented_layout(self, stacks: dict[str, AgentQueueStack]) -> None:
        # Not by the resource's move_from_id(): with it, CDKTF asks a `terraform` on the machine for
        # its version, and refuses to synthesize where there is none.
        self.add_override(
            "moved",
            [
                {
                    "from": f'aws_cloudformation_stack.buildkite_agents["{queue}"]',
                    "to": f"aws_cloudformation_stack.{queue}",
                }
                for queue in sorted(stacks)
            ],
        )

    def _stand_in_for_documented_address(self, stacks: dict[str, AgentQueueStack]) -> None:
        # What else in that root module names aws_cloudformation_stack.buildkite_agents has only to
        # name local.buildkite_agents.
        cdktf.TerraformLocal(
            self,
            "buildkite_agents",
            {queue: stack.fqn for queue, stack in stacks.items()},
        )

    def _import(self, blocks: Iterable[ImportBlock]) -> None:
        # Not by the resource's import_from(), for the same reason as with the moves.
        self.add_override("import", [{"to": block.to, "id": block.id} for block in blocks])
        for block in blocks:
            if block.unreadable:
                self.add_override(
                    f"resource.{block.to}.lifecycle.ignore_changes", list(block.unreadable)
                )

    def _output(self, secrets_bucket: SecretsBucket, stacks: dict[str, AgentQueueStack]) -> None:
        cdktf.TerraformOutput(
            self,
            "buildkite_secrets_bucket",
            description="The S3 bucket of the agents' secrets and their bootstrap script",
            value=secrets_bucket.name,
        )
        cdktf.TerraformOutput(
            self,
            "buildkite_agent_queues",
            description="The Buildkite queues",
            value=sorted(stacks),
        )
        cdktf.TerraformOutput(
            self,
            "buildkite_stack_names",
            description="The CloudFormation stack of each queue",
            value={queue: stack.name for queue, stack in stacks.items()},
        )


class _Refused:
    """In the place of a reference to a construct in Node.js, where there is none.

    jsii asks for it once, as it notes the new object. Whatever asks again would use the construct.
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


def _default_folder(environment: str) -> str:
    return "terraform" if environment == "prod" else f"terraform-{environment}"
