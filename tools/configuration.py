"""Write docs/configuration.md from the docstrings and the catalogue.

Run it after a change of either: ``python tools/configuration.py``.
"""

import ast
import inspect
import re
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT), str(ROOT / "constructs")]

from buildkite_agents import AgentStack, elastic_ci_stack  # noqa: E402
from buildkite_agents.agent_access import AgentAccess  # noqa: E402
from buildkite_agents.backend import S3Backend  # noqa: E402
from buildkite_agents.checks.risks import RISKS  # noqa: E402
from buildkite_agents.network import Network  # noqa: E402
from buildkite_agents.queue import DEFAULT_STACK_VERSION, AgentQueue  # noqa: E402
from buildkite_agents.resources import variables  # noqa: E402
from buildkite_agents.stack_parameters import (  # noqa: E402
    OWNERS,
    Wiring,
    default_parameters,
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
    "Network": """\
Network("vpc-0123456789abcdef0", ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"])
""",
    "S3Backend": """\
S3Backend(bucket="acme-terraform-states", region="us-east-1")
""",
    "AgentAccess": """\
AgentAccess(ecr_repositories=["arrow/*"])
""",
}


def render() -> str:
    """The document."""
    parts = [
        "# Configuration\n",
        "Made from the docstrings by `python tools/configuration.py`. What is wrong with a value "
        "is told when it is synthesized, by queue and field.\n",
        _stack(),
        *(_values(cls) for cls in (AgentQueue, Network, S3Backend, AgentAccess)),
        _variables(),
        _risks(),
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
        default = ast.unparse(field.value) if field.value else "required"
        if default == "DEFAULT_STACK_VERSION":
            default = repr(DEFAULT_STACK_VERSION)
        default = "{}" if "default_factory=dict" in default else default
        rows.append(f"| `{field.target.id}` | `{default}` | {_text(str(after.value.value))} |")
    return "\n".join(
        [
            f"## {cls.__name__}\n",
            f"{_text(str(cls.__doc__))}\n",
            f"```python\n{_EXAMPLES[cls.__name__]}```\n",
            "| field | default | |",
            "| --- | --- | --- |",
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
        default = signature.parameters[name].default
        shown = "required" if default is inspect.Parameter.empty else repr(default)
        rows.append(f"| `{name}` | `{shown}` | {_text(text)} |")
    return "\n".join(
        [
            "## AgentStack\n",
            f"{_text(str(AgentStack.__doc__))}\n",
            "| argument | default | |",
            "| --- | --- | --- |",
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
            "What is decided when Terraform runs, in `terraform.tfvars` or as `TF_VAR_NAME`.\n",
            "| variable | |",
            "| --- | --- |",
            *rows,
            "",
        ]
    )


def _risks() -> str:
    return "\n".join(
        [
            "## Warnings\n",
            "What works, and should be meant. `accepted_risks` of a queue silences them by name.\n",
            "| name | why |",
            "| --- | --- |",
            *(f"| `{risk.name}` | {risk.reason} |" for risk in RISKS),
            "",
        ]
    )


def _parameters() -> str:
    version = elastic_ci_stack.load(DEFAULT_STACK_VERSION)
    wiring = Wiring("", "", "", "", "", "", None, "", "the region")
    ours = {k: v for k, v in default_parameters(wiring).items() if v is not None}
    rows = []
    for name, spec in sorted(version.parameters.items()):
        if name in OWNERS:
            how = f"set by {OWNERS[name]}"
        else:
            default = ours.get(name, spec.get("Default", ""))
            how = f"`{default}`" if default != "" else "empty"
            if "AllowedValues" in spec:
                values = ", ".join(f"`{value}`" for value in spec["AllowedValues"] if value != "")
                how += f"; one of {values}"
        rows.append(f"| `{name}` | {how} |")
    return "\n".join(
        [
            f"## Parameters of the stack, {DEFAULT_STACK_VERSION}\n",
            "For `parameters` of a queue, and with their defaults here. What each does is in the "
            "[Elastic CI Stack's documentation]"
            "(https://buildkite.com/docs/agent/v3/aws/elastic-ci-stack).\n",
            "| parameter | default |",
            "| --- | --- |",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    DOCUMENT.write_text(render())
