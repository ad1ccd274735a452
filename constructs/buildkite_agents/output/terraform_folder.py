"""A synthesized configuration as the files of a Terraform root module, split by concern."""

import json
from collections.abc import Collection, Mapping
from typing import Any

STATE = "terraform.tfstate"
"""The state's file beside the configuration, where there is no other backend."""

_FILES = {
    "provider": "main.tf.json",
    "terraform": "main.tf.json",
    "variable": "variables.tf.json",
    "output": "outputs.tf.json",
}
_RESOURCES = "buildkite.tf.json"

_TFVARS_EXAMPLE = """\
# Copy to terraform.tfvars, which is yours: it is never written to and not for git.
# The agent token is best kept out of files:
#   export TF_VAR_buildkite_agent_token="..."

aws_region = "us-east-1"

# Empty for the default credentials.
aws_profile = ""

# Images of your own, built from the Elastic CI Stack's image for the version in use.
# Without one, the stack picks its own image. Plain Amazon Linux images have no agent on them.
# buildkite_agent_amis = {
#   "amd64-linux" = "ami-0123456789abcdef0"
#   "arm64-linux" = "ami-0123456789abcdef1"
# }
"""

_TFVARS_NETWORK_EXAMPLE = """
# A VPC and its subnets, best two or more. Without them, each queue's stack makes a VPC of its own.
# vpc_id     = "vpc-0123456789abcdef0"
# subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
"""


def terraform_folder(
    configuration: Mapping[str, Any],
    *,
    only_resources: bool = False,
    own_names: Mapping[str, Collection[str]] = {"output": (), "variable": ()},
) -> dict[str, bytes]:
    """The files' contents, by name, for what CDKTF synthesized.

    Args:
        configuration: The content of CDKTF's ``cdk.tf.json``.
        only_resources: Leave out what a root module has of its own: this program's terraform block,
            provider, variables and outputs. Others, which a user has added to the stack, stay.
        own_names: The names of the outputs and variables that are this program's.
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


def _added_by_the_user(
    configuration: Mapping[str, Any], own_names: Mapping[str, Collection[str]]
) -> dict[str, Any]:
    """The blocks for the root module itself that are not this program's."""
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
    return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
