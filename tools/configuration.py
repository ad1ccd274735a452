"""Write docs/configuration.md from the docstrings and the catalogue.

Run it after a change of either: ``python tools/configuration.py``.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "constructs")]

from buildkite_agents import AgentStack, elastic_ci_stack  # noqa: E402
from buildkite_agents.checks.combinations import COMBINED_RULES  # noqa: E402
from buildkite_agents.checks.rules import RULES  # noqa: E402
from buildkite_agents.checks.warnings import WARNINGS  # noqa: E402
from buildkite_agents.queue import DEFAULT_STACK_VERSION, FIELDS, AgentQueue  # noqa: E402
from buildkite_agents.resolve import resolve  # noqa: E402
from buildkite_agents.resources import variables  # noqa: E402
from buildkite_agents.settings import (  # noqa: E402
    AgentAccess,
    AgentToken,
    Alarms,
    Deployment,
    Existing,
    Network,
    S3Backend,
    SecretsBucket,
    StackSettings,
)

DOCUMENT = ROOT / "docs" / "configuration.md"

_EXAMPLES = {
    "AgentQueue": """\
AgentQueue(
    "m5.4xlarge",
    name="nightly",
    more_instance_types=["m5a.4xlarge"],
    max_size=8,
    idle_minutes=30,
    parameters={"RootVolumeSize": 500},
)
""",
    "AgentToken": """\
AgentToken(organization="acme", write_only_version=1)
""",
    "SecretsBucket": """\
SecretsBucket(
    kms_key_arn="arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
)
""",
    "Existing": """\
Existing("/buildkite/shared-agent-token")
""",
    "Network": """\
Network("vpc-0123456789abcdef0", ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"])
""",
    "S3Backend": """\
S3Backend(bucket="acme-terraform-states", region="us-east-1")
""",
    "AgentAccess": """\
AgentAccess(push_to_ecr_repositories=["arrow/*"])
""",
    "Alarms": """\
Alarms(organization="acme", email="team@example.org", monthly_budget=500)
""",
    "Deployment": """\
Deployment(folder="terraform", backend=S3Backend("acme-terraform-states", "us-east-1"))
""",
}


_WORDS = {
    "BootstrapScriptUrl": "the AgentStack's `bootstrap_script`",
    "BuildkiteAgentTags": "the queue's `arch`, `os` and `instance`",
    "BuildkiteAgentTokenParameterStorePath": "the AgentStack's `token`",
    "BuildkiteQueue": "the queue's `name`; cannot be set here",
    "ImageId": "Terraform's variable `buildkite_agent_amis`",
    "InstanceRoleName": "the stack's name and `-role`",
    "InstanceRolePermissionsBoundaryARN": "the AgentStack's `access`",
    "ManagedPolicyARNs": "the AgentStack's `access`",
    "SecretsBucket": "the AgentStack's `secrets_bucket`",
    "SecretsBucketRegion": "the region",
    "Subnets": "the AgentStack's `network`, or Terraform's variable `subnet_ids`",
    "VpcId": "the AgentStack's `network`, or Terraform's variable `vpc_id`",
}
"""Descriptions of the defaults that depend on the deployment."""


def render() -> str:
    """Generate the document."""
    parts = [
        "# Configuration\n",
        "Generated from the docstrings by `python tools/configuration.py`. A synthesis reports "
        "each invalid value by queue and field.\n",
        _stack(),
        *(
            _values(cls)
            for cls in (
                AgentQueue,
                AgentToken,
                SecretsBucket,
                AgentAccess,
                Existing,
                Network,
                Alarms,
                Deployment,
                S3Backend,
            )
        ),
        _variables(),
        _warnings(),
        _rules(),
        _parameters(),
    ]
    return "\n".join(parts)


def _text(docstring: str) -> str:
    """A docstring as Markdown, on one line."""
    text = " ".join(inspect.cleandoc(docstring).split())
    text = re.sub(r":(?:class|func|mod):`~?([^`]+)`", lambda m: f"`{m[1].split('.')[-1]}`", text)
    return text.replace("``", "`").replace("|", "\\|")


def _values(cls: type) -> str:
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    (definition,) = tree.body
    if not isinstance(definition, ast.ClassDef):
        raise TypeError(f"{cls} is no class")
    rows = []
    for field, after in zip(definition.body, definition.body[1:], strict=False):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if "init=False" in ast.unparse(field):
            continue
        if not isinstance(after, ast.Expr) or not isinstance(after.value, ast.Constant):
            continue
        text = _text(str(after.value.value))
        rows.append(f"| `{field.target.id}` | {text if field.value else 'Required. ' + text} |")
    return "\n".join(
        [
            f"## {cls.__name__}\n",
            f"{_text(str(cls.__doc__))}\n",
            f"```python\n{_EXAMPLES[cls.__name__]}```\n",
            "| field | |",
            "| --- | --- |",
            *rows,
            "",
        ]
    )


def _stack() -> str:
    signature = inspect.signature(AgentStack.__init__)
    documented = inspect.cleandoc(str(AgentStack.__init__.__doc__))
    arguments = documented.partition("Args:\n")[2].partition("\nRaises:")[0]
    rows = []
    for name, text in re.findall(
        r"^    (\w+): (.*?)(?=^    \w+: |\Z)", arguments, re.MULTILINE | re.DOTALL
    ):
        required = signature.parameters[name].default is inspect.Parameter.empty
        rows.append(f"| `{name}` | {'Required. ' if required else ''}{_text(text)} |")
    return "\n".join(
        [
            "## AgentStack\n",
            f"{_text(str(AgentStack.__doc__))}\n",
            "| argument | |",
            "| --- | --- |",
            *rows,
            "",
        ]
    )


def _variables() -> str:
    names = (
        "buildkite_agent_token",
        "buildkite_agent_amis",
        "aws_region",
        "aws_profile",
        "vpc_id",
        "subnet_ids",
        "environment",
    )
    rows = [f"| `{name}` | {_text(str(getattr(variables, name).__doc__))} |" for name in names]
    return "\n".join(
        [
            "## Terraform's variables\n",
            "Set these in `terraform.tfvars` or as environment variables `TF_VAR_NAME`.\n",
            "| variable | |",
            "| --- | --- |",
            *rows,
            "",
        ]
    )


def _warnings() -> str:
    return "\n".join(
        [
            "## Warnings\n",
            "Valid settings that are often a mistake. To accept a warning, add its name to the "
            "queue's `accepted_warnings`.\n",
            *(f"### {warning.name}\n\n{warning.explanation}\n" for warning in WARNINGS),
        ]
    )


def _rules() -> str:
    rows = [
        f"| {_names(rule.parameters)} | Must {_text(rule.must)}. | [source]({rule.source}) |"
        for rule in RULES
    ]
    rows += [
        f"| {_names(rule.parameters)} | {_text(rule.rule)} | [source]({rule.source}) |"
        for rule in COMBINED_RULES
    ]
    return "\n".join(
        [
            "## Rules for parameters\n",
            "Rules beyond those that a version's template declares. CloudFormation accepts values "
            "that break them, and the deployment fails later.\n",
            "| parameter | rule | |",
            "| --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _names(parameters: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in parameters)


def _parameters() -> str:
    version = elastic_ci_stack.load(DEFAULT_STACK_VERSION)
    (queue,) = resolve(StackSettings("project"), [(AgentQueue("m5.large"), version)]).queues
    rows = []
    for name, spec in sorted(version.parameters.items()):
        if name in FIELDS:
            how = f"the field `{FIELDS[name]}`"
        elif name in _WORDS:
            how = _WORDS[name]
        else:
            default = queue.parameters.get(name, spec.get("Default", ""))
            how = f"`{default}`" if default != "" else "empty"
            if "AllowedValues" in spec:
                values = ", ".join(f"`{value}`" for value in spec["AllowedValues"] if value != "")
                how += f"; one of {values}"
        rows.append(f"| `{name}` | {how} |")
    return "\n".join(
        [
            f"## Parameters of the stack, {DEFAULT_STACK_VERSION}\n",
            "The names for `parameters` of a queue or of the AgentStack, and their defaults. The "
            "[Elastic CI Stack's documentation]"
            "(https://buildkite.com/docs/agent/v3/aws/elastic-ci-stack) describes them.\n",
            "| parameter | default |",
            "| --- | --- |",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    DOCUMENT.write_text(render())
