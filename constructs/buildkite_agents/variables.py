"""The root module's variables: what is decided when Terraform runs, and not before.

Each is made in the stack itself, as CDKTF mangles the name of a variable inside a construct.
"""

from collections.abc import Collection

import cdktf
from cdktf import TerraformStack, TerraformVariable, TerraformVariableValidationConfig

TOKEN_PLACEHOLDER = "your-buildkite-agent-token-here"  # noqa: S105  # nosec B105
"""What the documents show in the place of a token."""


def _must(condition: str, message: str) -> TerraformVariableValidationConfig:
    return TerraformVariableValidationConfig(condition=f"${{{condition}}}", error_message=message)


def aws_region(stack: TerraformStack) -> TerraformVariable:
    """The region that everything is in."""
    return TerraformVariable(
        stack,
        "aws_region",
        type=cdktf.VariableType.STRING,
        description="AWS region",
        default="us-east-1",
        nullable=False,
        validation=[
            _must(
                'can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]+$", var.aws_region))',
                "aws_region must be the name of an AWS region, such as us-east-1.",
            )
        ],
    )


def aws_profile(stack: TerraformStack) -> TerraformVariable:
    """The profile of the credentials."""
    return TerraformVariable(
        stack,
        "aws_profile",
        type=cdktf.VariableType.STRING,
        description="AWS profile; empty for the default credentials",
        default="",
        nullable=False,
    )


def environment(stack: TerraformStack, environment: str) -> TerraformVariable:
    """The environment, which main.py decides: another one in terraform.tfvars is a mistake."""
    return TerraformVariable(
        stack,
        "environment",
        type=cdktf.VariableType.STRING,
        description="Environment; main.py decides it, and any other value is refused",
        default=environment,
        nullable=False,
        validation=[
            _must(
                f'var.environment == "{environment}"',
                f"This configuration is for the environment {environment}. Another environment is "
                "another AgentStack in main.py, with a folder of its own.",
            )
        ],
    )


def buildkite_agent_token(stack: TerraformStack, *, ephemeral: bool) -> TerraformVariable:
    """The token that agents register with; an *ephemeral* one is in no state and no plan."""
    variable = TerraformVariable(
        stack,
        "buildkite_agent_token",
        type=cdktf.VariableType.STRING,
        description="Buildkite agent token, best given as TF_VAR_buildkite_agent_token",
        sensitive=True,
        nullable=False,
        validation=[
            _must(
                'trimspace(var.buildkite_agent_token) != ""',
                "buildkite_agent_token must not be empty: set TF_VAR_buildkite_agent_token to an "
                "agent token of your Buildkite organization.",
            ),
            _must(
                f'var.buildkite_agent_token != "{TOKEN_PLACEHOLDER}"',
                "buildkite_agent_token is still the placeholder of the documentation: set "
                "TF_VAR_buildkite_agent_token to an agent token of your Buildkite organization.",
            ),
            _must(
                '!can(regex("\\\\s", trimspace(var.buildkite_agent_token))) && '
                "trimspace(var.buildkite_agent_token) == var.buildkite_agent_token",
                "buildkite_agent_token must be the token alone, without spaces or line breaks.",
            ),
        ],
    )
    if ephemeral:
        # Newer than CDKTF's own variables.
        variable.add_override("ephemeral", True)
    return variable


def buildkite_agent_amis(
    stack: TerraformStack, architectures: Collection[str]
) -> TerraformVariable:
    """The machine images, by architecture; one that no queue has is a mistake."""
    served = [f'"{architecture}-linux"' for architecture in sorted(architectures)]
    return TerraformVariable(
        stack,
        "buildkite_agent_amis",
        type=cdktf.VariableType.MAP_STRING,
        description=(
            "AMI for each of amd64-linux and arm64-linux, built from the Elastic CI Stack's own "
            "image; where one is not set, the stack uses its own image"
        ),
        default={},
        nullable=False,
        validation=[
            _must(
                "alltrue([for key in keys(var.buildkite_agent_amis) : "
                'contains(["amd64-linux", "arm64-linux"], key)])',
                "The keys of buildkite_agent_amis must be amd64-linux or arm64-linux.",
            ),
            _must(
                "alltrue([for key in keys(var.buildkite_agent_amis) : "
                f'contains([{", ".join(served)}], key) || !endswith(key, "64-linux")])',
                "buildkite_agent_amis has an image for an architecture that no queue has: there "
                f"are queues for {' and '.join(served)} only.".replace('"', ""),
            ),
            _must(
                "alltrue([for ami in values(var.buildkite_agent_amis) : "
                'ami == null ? false : can(regex("^(ami-[0-9a-f]{8,17})?$", ami))])',
                "The values of buildkite_agent_amis must be AMI ids, such as "
                "ami-0123456789abcdef0, or empty for the stack's own image.",
            ),
        ],
    )


def vpc_id(stack: TerraformStack) -> TerraformVariable:
    """The VPC that the agents run in."""
    return TerraformVariable(
        stack,
        "vpc_id",
        type=cdktf.VariableType.STRING,
        description="VPC of the agents; empty: each queue's stack makes one of its own",
        default="",
        nullable=False,
        validation=[
            _must(
                'can(regex("^(vpc-[0-9a-f]{8,17})?$", var.vpc_id))',
                "vpc_id must be the id of a VPC, such as vpc-0123456789abcdef0, or empty.",
            )
        ],
    )


def subnet_ids(stack: TerraformStack, vpc_id: TerraformVariable) -> TerraformVariable:
    """The subnets that the agents run in: with the VPC, or not at all."""
    return TerraformVariable(
        stack,
        "subnet_ids",
        type=cdktf.VariableType.LIST_STRING,
        description="Subnets of vpc_id, two or more; empty when that is empty",
        default=[],
        nullable=False,
        validation=[
            _must(
                f'({vpc_id.fqn} == "") == (length(var.subnet_ids) == 0)',
                "vpc_id and subnet_ids go together: set both, or neither.",
            ),
            _must(
                "length(var.subnet_ids) != 1",
                "subnet_ids must be two or more, which the Elastic CI Stack needs.",
            ),
            _must(
                'alltrue([for id in var.subnet_ids : can(regex("^subnet-[0-9a-f]{8,17}$", id))])',
                "subnet_ids must be ids of subnets, such as subnet-0123456789abcdef0.",
            ),
        ],
    )
