"""A synthesized configuration as the files of a Terraform root module, split by concern."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

STATE = "terraform.tfstate"
"""The file of the local state, beside the configuration."""

_FILES = {
    "provider": "main.tf.json",
    "terraform": "main.tf.json",
    "variable": "variables.tf.json",
    "output": "outputs.tf.json",
}
_RESOURCES = "buildkite.tf.json"

_ORIGIN = "Synthesized by buildkite_agents. Change the program, such as main.py, and not this file."

_TFVARS_EXAMPLE = """\
# Copy this file to terraform.tfvars, which synthesis never changes and git ignores.
# Keep the agent token out of files:
#   export TF_VAR_buildkite_agent_token="..."

aws_region = "us-east-1"

# Empty for the default credentials.
aws_profile = ""

# Images of your own, built from the Elastic CI Stack's image for the version in use.
# By default the stack uses its own image. Plain Amazon Linux images contain no agent.
# buildkite_agent_amis = {
#   "amd64-linux" = "ami-0123456789abcdef0"
#   "arm64-linux" = "ami-0123456789abcdef1"
# }
"""

_TFVARS_NETWORK_EXAMPLE = """
# A VPC and at least two subnets. By default each queue's stack creates a VPC.
# vpc_id     = "vpc-0123456789abcdef0"
# subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
"""


def terraform_folder(
    configuration: Mapping[str, Any],
    *,
    only_resources: bool = False,
    own_names: Mapping[str, Collection[str]] = {"output": (), "variable": ()},
) -> dict[str, bytes]:
    """Split CDKTF's configuration into files: their contents by name.

    Args:
        configuration: The content of CDKTF's ``cdk.tf.json``.
        only_resources: Whether to omit this program's ``terraform`` block, provider, variables and
            outputs, which an existing root module has. Those that a user has added are kept.
        own_names: The names of this program's outputs and variables.
    """
    split: dict[str, dict[str, Any]] = {}
    for block, content in _without_metadata(configuration).items():
        split.setdefault(_FILES.get(block, _RESOURCES), {})[block] = content
    if only_resources:
        added = _added_by_the_user(_without_metadata(configuration), own_names)
        return {_RESOURCES: _json({**split[_RESOURCES], **added})}
    example = _TFVARS_EXAMPLE
    if "vpc_id" in configuration["variable"]:
        example += _TFVARS_NETWORK_EXAMPLE
    return {
        **{name: _json(content) for name, content in split.items()},
        "terraform.tfvars.example": example.encode(),
    }


def stack_names(folder: Path) -> list[str]:
    """The names of the CloudFormation stacks that a folder's configuration defines."""
    try:
        resources = json.loads((folder / _RESOURCES).read_bytes()).get("resource", {})
    except (OSError, ValueError):
        return []
    stacks = resources.get("aws_cloudformation_stack", {}).values()
    return [str(stack.get("name")) for stack in stacks]


def replaced_deployment(folder: Path, former: Sequence[str], new: Sequence[str]) -> str | None:
    """A warning where a folder's *new* stacks are entirely others than its *former* ones."""
    if not former or {*former} & {*new}:
        return None
    was, now = (
        " and ".join(dict.fromkeys(name.partition("-buildkite-")[0] for name in names))
        for names in (former, new)
    )
    if was == now:
        was, now = " and ".join(former), " and ".join(new)
    return (
        f"{folder.absolute()}/ was of {was}, and is now of {now}: an apply there destroys the "
        "former stacks. Use another folder for another deployment"
    )


def _added_by_the_user(
    configuration: Mapping[str, Any], own_names: Mapping[str, Collection[str]]
) -> dict[str, Any]:
    """The user's own ``terraform``, provider, variable and output blocks."""
    added = {
        block: {
            name: content
            for name, content in configuration.get(block, {}).items()
            if name not in own_names[block]
        }
        for block in own_names
    }
    providers = configuration.get("provider", {})
    aliases = [provider for provider in providers.get("aws", []) if "alias" in provider]
    others = {name: content for name, content in providers.items() if name != "aws"}
    added["provider"] = {**others, **({"aws": aliases} if aliases else {})}
    terraform = configuration["terraform"]
    required = {k: v for k, v in terraform["required_providers"].items() if k != "aws"}
    own_backend = {"local": {"path": STATE}}
    added["terraform"] = {
        **({"required_providers": required} if required else {}),
        **(
            {"backend": terraform["backend"]}
            if terraform.get("backend", own_backend) != own_backend
            else {}
        ),
        **({"cloud": terraform["cloud"]} if "cloud" in terraform else {}),
    }
    return {block: content for block, content in added.items() if content}


def _without_metadata(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_metadata(item) for key, item in value.items() if key != "//"}
    if isinstance(value, list):
        return [_without_metadata(item) for item in value]
    return value


def _json(content: Mapping[str, Any]) -> bytes:
    # Terraform ignores this name, which comes first in the file:
    # https://developer.hashicorp.com/terraform/language/syntax/json#comment-properties
    content = {"//": _ORIGIN, **content}
    return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
