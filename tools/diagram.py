"""Draw the resources of a synthesized folder as Mermaid: ``python tools/diagram.py terraform``."""

import json
import re
import sys
from pathlib import Path
from typing import Any

# The parameters of a stack that refer to other resources, and how its agents use them.
_USES = {
    "BootstrapScriptUrl": "runs at boot",
    "BuildkiteAgentTokenParameterStorePath": "registers with",
    "SecretsBucket": "reads secrets of",
    "ManagedPolicyARNs": "is granted",
}
_SHAPES = {
    "aws_s3_bucket": '{id}[("S3 bucket<br>{label}")]',
    "aws_s3_object": '{id}["bootstrap script<br>{label}"]',
    "aws_ssm_parameter": '{id}["SSM parameter<br>{label}"]',
    "aws_iam_policy": '{id}["IAM policy<br>{label}"]',
}
_LABELS = {"aws_s3_bucket": "bucket", "aws_s3_object": "key"}


def diagram(folder: Path) -> str:
    """The Mermaid text for the configuration in *folder*."""
    content = json.loads((folder / "buildkite.tf.json").read_text())
    resources: dict[str, Any] = content["resource"]
    lines = ["flowchart LR"]
    for kind, shape in _SHAPES.items():
        for name, resource in resources[kind].items():
            label = resource[_LABELS.get(kind, "name")]
            lines.append("  " + shape.format(id=_id(kind, name), label=label))
    for object_name, resource in resources["aws_s3_object"].items():
        lines += _edges("aws_s3_object", object_name, resource["bucket"], "is in")
    for name, resource in resources["aws_iam_policy"].items():
        lines += _edges("aws_iam_policy", name, resource["policy"], "permits reading")
    for queue, stack in resources["aws_cloudformation_stack"].items():
        parameters = stack["parameters"]
        stack_id = _id("aws_cloudformation_stack", queue)
        lines += [
            f'  queue_{_word(queue)}(["queue<br>{queue}"]) --> {stack_id}',
            f'  {stack_id}["CloudFormation stack, {stack["template_url"].split("/")[-2]}<br>'
            f'{parameters["MinSize"]}-{parameters["MaxSize"]} x {parameters["InstanceTypes"]}"]',
        ]
        for parameter, what in _USES.items():
            lines += _edges("aws_cloudformation_stack", queue, parameters[parameter], what)
    return "\n".join(lines) + "\n"


def _edges(kind: str, name: str, text: str, what: str) -> list[str]:
    """Draw an arrow to each resource that a value refers to; an object replaces its bucket."""
    targets = dict.fromkeys(re.findall(r"\$\{(aws_\w+)\.([\w-]+)\.", text))
    if len(targets) > 1:
        targets = {t: None for t in targets if t[0] != "aws_s3_bucket" or kind == "aws_iam_policy"}
    return [f"  {_id(kind, name)} -- {what} --> {_id(*target)}" for target in targets]


def _id(kind: str, name: str) -> str:
    return f"{kind.removeprefix('aws_')}_{_word(name)}"


def _word(name: str) -> str:
    return name.replace("-", "_")


if __name__ == "__main__":
    if len(sys.argv) != 2 or not (Path(sys.argv[1]) / "buildkite.tf.json").is_file():
        sys.exit("error: name a synthesized folder, such as terraform")
    print(diagram(Path(sys.argv[1])), end="")
