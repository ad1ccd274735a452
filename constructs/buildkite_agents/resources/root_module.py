"""The root module around the resources: versions, the backend, the provider and the variables."""

from typing import Any

import cdktf
from constructs import Construct

from buildkite_agents.aws.provider import AwsProvider, AwsProviderDefaultTags
from buildkite_agents.errors import ConfigError
from buildkite_agents.output.terraform_folder import STATE
from buildkite_agents.resolved import REGION, ResolvedStack
from buildkite_agents.resources import variables
from buildkite_agents.settings import AgentToken, S3Backend, StackSettings

# The validation of a variable can refer to other variables since 1.9.
_TERRAFORM = ">= 1.9"
# The S3 backend has lock files since 1.10.
_TERRAFORM_S3_BACKEND = ">= 1.10"
# Write-only arguments exist since Terraform 1.11, and value_wo since AWS provider 5.87.
_TERRAFORM_WRITE_ONLY = ">= 1.11"
_AWS_PROVIDER_WRITE_ONLY = ">= 5.87, < 7.0"
# The bindings pin one version exactly; here a range, because the user's lock file pins a version.
_AWS_PROVIDER = ">= 5.0, < 7.0"
# Versions that cannot work.
_BAD_AWS_PROVIDER_VERSIONS = (
    # "Provider produced inconsistent result" for a lifecycle rule for a whole bucket:
    # https://github.com/hashicorp/terraform-provider-aws/issues/41268
    "5.86.0",
    # Withdrawn: https://github.com/hashicorp/terraform-provider-aws/issues/43213
    "6.1.0",
    # An encryption rule that does not set blocked_encryption_types, which older versions do not
    # know, changes at each apply: https://github.com/hashicorp/terraform-provider-aws/issues/47320
    *(f"6.{minor}.{patch}" for minor in range(22, 40) for patch in (0, 1)),
)


def define_root_module(
    stack: cdktf.TerraformStack, resolved: ResolvedStack
) -> tuple[cdktf.TerraformVariable, set[str]]:
    """Define the root module; return the variable of the environment, and all variables' names."""
    settings = resolved.settings
    backend = settings.deployment.backend
    stack.add_override("terraform", _required_versions(settings))
    if backend is not None:
        _create_backend(stack, backend, prefix=resolved.names.prefix)
    with_stack_image = resolved.queues_with_stack_image
    regions = [queue.version.regions for queue in with_stack_image]
    variables.aws_region(
        stack,
        with_images=frozenset.intersection(*regions) if regions else (),
        architectures={queue.queue.architecture for queue in with_stack_image},
    )
    variables.aws_profile(stack)
    environment = variables.environment(stack, settings.environment)
    variables.buildkite_agent_amis(stack, resolved.architectures)
    defined = {"aws_region", "aws_profile", "environment", "buildkite_agent_amis"}
    if isinstance(settings.token, AgentToken) and settings.token.value is None:
        variables.buildkite_agent_token(stack, ephemeral=settings.is_write_only)
        defined.add("buildkite_agent_token")
    if settings.network is None:
        variables.vpc_id(stack)
        variables.subnet_ids(stack)
        defined |= {"vpc_id", "subnet_ids"}
    provider = AwsProvider(
        stack,
        "aws_provider",
        region=str(REGION),
        profile='${var.aws_profile == "" ? null : var.aws_profile}',
        default_tags=[AwsProviderDefaultTags(tags=settings.default_tags)],
    )
    for name, value in settings.deployment.provider.items():
        provider.add_override(name, value)
    return environment, defined


def complete_backend(stack: cdktf.TerraformStack, settings: S3Backend | None) -> bool:
    """Define a file beside the configuration as the backend of *stack*, unless it has another.

    Returns whether the backend is this program's.

    Raises:
        ConfigError: the stack has two backends.
    """
    is_theirs = stack.node.try_find_child("backend") is not None
    if settings is not None and is_theirs:
        raise ConfigError(
            "deployment.backend: the stack has another backend, which was created on it: remove "
            "one of the two"
        )
    if settings is None and not is_theirs:
        # CDKTF's own default is an absolute path on the machine that synthesizes.
        _StateFile(stack, path=STATE)
    return not is_theirs


def _create_backend(stack: cdktf.TerraformStack, settings: S3Backend, *, prefix: str) -> None:
    """Define the backend of *stack* in S3; the *prefix* begins the default key of the state."""
    cdktf.S3Backend(
        # Not the stack itself, where the user may create another one, of the same id.
        Construct(stack, "deployment.backend"),
        bucket=settings.bucket,
        key=settings.key or f"{prefix}/terraform.tfstate",
        region=settings.region,
        encrypt=True,
        profile=settings.profile,
        kms_key_id=settings.kms_key_arn,
    )
    if settings.role_arn is not None:
        stack.add_override("terraform.backend.s3.assume_role.role_arn", settings.role_arn)
    # CDKTF's S3Backend does not have this argument.
    stack.add_override("terraform.backend.s3.use_lockfile", True)


class _StateFile(cdktf.LocalBackend):
    """A state file beside the configuration, which other stacks refer to by a relative path."""

    def get_remote_state_data_source(
        self, scope: Construct, name: str, from_stack: str
    ) -> cdktf.TerraformRemoteState:
        """Define the remote state in another stack, with the path relative to that stack."""
        config: dict[str, Any] = {"path": f"../{from_stack}/{STATE}"}
        return cdktf.DataTerraformRemoteStateLocal(scope, name, **config)


def _required_versions(settings: StackSettings) -> dict[str, Any]:
    terraform = _TERRAFORM if settings.deployment.backend is None else _TERRAFORM_S3_BACKEND
    provider = _AWS_PROVIDER
    if settings.is_write_only:
        terraform, provider = _TERRAFORM_WRITE_ONLY, _AWS_PROVIDER_WRITE_ONLY
    excluded = [f"!= {version}" for version in _BAD_AWS_PROVIDER_VERSIONS]
    version = ", ".join([provider, *excluded])
    return {
        "required_version": terraform,
        "required_providers": {"aws": {"source": "hashicorp/aws", "version": version}},
    }
