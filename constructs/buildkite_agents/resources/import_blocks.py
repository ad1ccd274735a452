"""Terraform's ``import`` blocks, for a deployment whose state was lost."""

from collections.abc import Iterable
from dataclasses import dataclass

from buildkite_agents.names import Names

_HARDENING = (
    "aws_s3_bucket_ownership_controls",
    "aws_s3_bucket_versioning",
    "aws_s3_bucket_lifecycle_configuration",
    "aws_s3_bucket_policy",
)


@dataclass(frozen=True)
class ImportBlock:
    """An existing resource, to be taken into the state."""

    to: str
    """Its address."""

    id: str
    """What AWS knows it by, as the provider wants it."""

    unreadable: tuple[str, ...] = ()
    """The arguments that an import does not bring, and that a plan would so set anew.

    Of the tags, the provider takes those that are its default tags too for the default ones only.
    """


def import_blocks(
    names: Names,
    queues: Iterable[str],
    *,
    account: str,
    bootstrap_key: str,
    as_documented: bool = True,
) -> list[ImportBlock]:
    """A block for everything that a stack makes, in the AWS account *account*."""
    hardening = () if as_documented else _HARDENING
    bucket = names.secrets_bucket
    policy = f"arn:aws:iam::{account}:policy/{names.agent_policy}"
    return [
        ImportBlock("aws_s3_bucket.buildkite_secrets", bucket, ("force_destroy", "tags")),
        ImportBlock("aws_s3_bucket_public_access_block.buildkite_secrets", bucket),
        ImportBlock("aws_s3_bucket_server_side_encryption_configuration.buildkite_secrets", bucket),
        ImportBlock(
            "aws_s3_object.bootstrap_script",
            f"{bucket}/{bootstrap_key}",
            ("force_destroy", "source"),
        ),
        *(ImportBlock(f"{kind}.buildkite_secrets", bucket) for kind in hardening),
        ImportBlock("aws_ssm_parameter.buildkite_agent_token", names.token_parameter, ("tags",)),
        ImportBlock("aws_iam_policy.buildkite_agent", policy, ("tags",)),
        *(
            ImportBlock(
                f"aws_cloudformation_stack.{queue}",
                names.stack(queue),
                # The provider reads only the parameters that its state has, and that has none yet.
                ("capabilities", "parameters", "tags", "template_url"),
            )
            for queue in sorted(queues)
        ),
    ]
