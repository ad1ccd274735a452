"""The variables of the root module.

Each function defines a variable. Their scope is the stack itself,
because CDKTF changes the name of a variable inside another construct.
"""

from collections.abc import Collection, Mapping, Sequence

from cdktf import TerraformStack, TerraformVariable, TerraformVariableValidationConfig

from buildkite_agents import patterns


def _variable(
    stack: TerraformStack,
    name: str,
    type_: str,
    description: str,
    *,
    default: str | Sequence[str] | Mapping[str, str] | None = None,
    sensitive: bool | None = None,
    must: Sequence[tuple[str, str]] = (),
) -> TerraformVariable:
    """Define a variable. *must* holds validation conditions and their error messages."""
    return TerraformVariable(
        stack,
        name,
        type=type_,
        description=description,
        default=default,
        sensitive=sensitive,
        nullable=False,
        validation=[
            TerraformVariableValidationConfig(condition=f"${{{condition}}}", error_message=message)
            for condition, message in must
        ]
        or None,
    )


def _if_any(condition: str, message: str) -> list[tuple[str, str]]:
    return [(condition, message)] if condition else []


def aws_region(
    stack: TerraformStack, *, with_images: Collection[str], architectures: Collection[str]
) -> None:
    """The AWS region.

    In a region without images of the Elastic CI Stack, ``buildkite_agent_amis`` must have an image
    for each architecture of the queues.
    """
    given = " && ".join(
        f'lookup(var.buildkite_agent_amis, "{architecture}-linux", "") != ""'
        for architecture in sorted(architectures)
    )
    regions = ", ".join(f'"{region}"' for region in sorted(with_images))
    is_region = f'can(regex("^{patterns.REGION}$", var.aws_region))'
    has_images = (
        f"!{is_region} || contains([{regions}], var.aws_region) || ({given})"
        if architectures
        else ""
    )
    _variable(
        stack,
        "aws_region",
        "string",
        "AWS region",
        default="us-east-1",
        must=[
            (
                is_region,
                "aws_region must be the name of an AWS region, such as us-east-1.",
            ),
            *_if_any(
                has_images,
                "aws_region has no image of the Elastic CI Stack in the versions of these queues: "
                "set buildkite_agent_amis, or choose another region.",
            ),
        ],
    )


def aws_profile(stack: TerraformStack) -> None:
    """The AWS profile."""
    _variable(
        stack,
        "aws_profile",
        "string",
        "AWS profile, or empty for the default credentials",
        default="",
    )


def environment(stack: TerraformStack, environment: str) -> TerraformVariable:
    """The environment, which must be that of main.py."""
    return _variable(
        stack,
        "environment",
        "string",
        "Environment. Must equal `environment` in main.py",
        default=environment,
        must=[
            (
                f'var.environment == "{environment}"',
                f"This configuration is for the environment {environment}. For another "
                "environment, add an AgentStack with its own folder to main.py.",
            ),
        ],
    )


def require_default_workspace(environment: TerraformVariable) -> None:
    """Refuse other workspaces of Terraform: their resources would have the names of the first's."""
    environment.add_validation(
        # A condition must refer to its variable.
        condition='${terraform.workspace == "default" || var.environment == null}',
        error_message="This configuration is for the workspace default: another workspace would "
        "create resources with the same names. Add an AgentStack with another environment to "
        "main.py instead.",
    )


def buildkite_agent_token(stack: TerraformStack, *, ephemeral: bool) -> None:
    """The agent token, which is ephemeral if it is write-only.

    The SSM parameter checks it: before Terraform 1.15, the error of a variable's own validation
    contains its value, even if it is sensitive.
    """
    variable = _variable(
        stack,
        "buildkite_agent_token",
        "string",
        "Buildkite agent token; set it as TF_VAR_buildkite_agent_token",
        sensitive=True,
    )
    if ephemeral:
        # CDKTF's TerraformVariable does not have this argument.
        variable.add_override("ephemeral", True)


def buildkite_agent_amis(stack: TerraformStack, architectures: Collection[str]) -> None:
    """The images by architecture, limited to the architectures of the queues."""
    kinds = '["amd64-linux", "arm64-linux"]'
    served = [f'"{architecture}-linux"' for architecture in sorted(architectures)]
    _variable(
        stack,
        "buildkite_agent_amis",
        "map(string)",
        "AMI ids by architecture (amd64-linux, arm64-linux), built from the Elastic CI Stack's own "
        "image, which is the default",
        default={},
        must=[
            (
                f"alltrue([for key in keys(var.buildkite_agent_amis) : contains({kinds}, key)])",
                "The keys of buildkite_agent_amis must be amd64-linux or arm64-linux.",
            ),
            (
                "alltrue([for key in keys(var.buildkite_agent_amis) : "
                f"contains([{', '.join(served)}], key) || !contains({kinds}, key)])",
                "buildkite_agent_amis has an image for an architecture that no queue has: there "
                f"are queues for {' and '.join(served)} only.".replace('"', ""),
            ),
            (
                "alltrue([for ami in values(var.buildkite_agent_amis) : "
                f'ami == null ? false : can(regex("^({patterns.IMAGE_ID})?$", ami))])',
                "The values of buildkite_agent_amis must be AMI ids, such as "
                "ami-0123456789abcdef0, or empty for the stack's own image.",
            ),
        ],
    )


def vpc_id(stack: TerraformStack) -> None:
    """The VPC of the instances."""
    _variable(
        stack,
        "vpc_id",
        "string",
        "VPC of the instances. If empty, each queue's stack creates one",
        default="",
        must=[
            (
                f'can(regex("^({patterns.VPC_ID})?$", var.vpc_id))',
                "vpc_id must be the id of a VPC, such as vpc-0123456789abcdef0, or empty.",
            ),
        ],
    )


def subnet_ids(stack: TerraformStack) -> None:
    """The subnets of the instances, which are set together with the VPC."""
    _variable(
        stack,
        "subnet_ids",
        "list(string)",
        "Subnets of vpc_id, preferably two or more, or empty",
        default=[],
        must=[
            (
                '(var.vpc_id == "") == (length(var.subnet_ids) == 0)',
                "vpc_id and subnet_ids go together: set both, or neither.",
            ),
            (
                f'alltrue([for id in var.subnet_ids : can(regex("^{patterns.SUBNET_ID}$", id))])',
                "subnet_ids must be ids of subnets, such as subnet-0123456789abcdef0.",
            ),
        ],
    )
