"""Write docs/configuration.md from the docstrings and the catalogue.

Run it after a change of either: ``python tools/configuration.py``.
"""

import ast
import dataclasses
import inspect
import itertools
import json
import re
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

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

_UNSET = {"None", '""', "()", "[]", "{}"}
"""Python's and Terraform's defaults that do not say what they mean."""


def _argument(name: str, value: str, *, imports: str = "") -> str:
    """An argument of the AgentStack, with the import that ``main.py`` does not have."""
    first = f"from buildkite_agents import {imports}\n\n" if imports else ""
    return f"{first}AgentStack(\n    app,\n    ...,\n    {name}={value},\n)\n"


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
    "AgentToken": _argument("token", 'AgentToken(organization="acme", write_only_version=1)'),
    "SecretsBucket": _argument(
        "secrets_bucket",
        "SecretsBucket(\n"
        '        kms_key_arn="arn:aws:kms:us-east-1:123456789012:'
        'key/01234567-89ab-cdef-0123-456789abcdef"\n'
        "    )",
        imports="SecretsBucket",
    ),
    "Existing": _argument("token", 'Existing("/buildkite/shared-agent-token")', imports="Existing"),
    "Network": _argument(
        "network",
        "Network(\n"
        '        "vpc-0123456789abcdef0",\n'
        '        ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],\n'
        "    )",
        imports="Network",
    ),
    "S3Backend": _argument(
        "deployment",
        'Deployment(backend=S3Backend("acme-terraform-states", "us-east-1"))',
        imports="Deployment, S3Backend",
    ),
    "AgentAccess": _argument(
        "access", 'AgentAccess(push_to_ecr_repositories=["arrow/*"])', imports="AgentAccess"
    ),
    "Alarms": _argument(
        "alarms",
        'Alarms(organization="acme", email="team@example.org", monthly_budget=500)',
        imports="Alarms",
    ),
    "Deployment": _argument(
        "deployment",
        'Deployment(folder="infra", backend=S3Backend("acme-terraform-states", "us-east-1"))',
        imports="Deployment, S3Backend",
    ),
}

_OTHER_DEFAULTS = {
    "bootstrap_script": "none",
    "network": "Terraform's variables `vpc_id` and `subnet_ids`",
    "alarms": "none",
    "parameters": "none",
    "tags": "Project and Environment, and ManagedBy as a default tag of the provider; "
    "`tags` replaces all of these",
    "aws_profile": "the default credentials",
    "buildkite_agent_amis": "the Elastic CI Stack's images",
    "subnet_ids": "those of the stack's VPC",
    "vpc_id": "a VPC for each stack",
}
"""What arguments of the AgentStack and Terraform's variables do if they are not set."""

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
        "each invalid value by queue and field. In the examples, three dots stand for the "
        "arguments that `main.py` has already.\n",
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
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    rows = []
    body = _definition(cls, ast.ClassDef).body
    for definition, after in itertools.pairwise(body):
        match definition, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name), annotation=annotation),
                ast.Expr(value=ast.Constant(value=str(text))),
            ) if name in fields:
                rows.append(_row(name, ast.unparse(annotation), _default(fields[name]), text))
    return "\n".join(
        [
            f"## {cls.__name__}\n",
            f"{_text(str(cls.__doc__))}\n",
            f"```python\n{_EXAMPLES[cls.__name__]}```\n",
            *_head("field"),
            *rows,
            "",
        ]
    )


def _default(field: "dataclasses.Field[Any]") -> str | None:
    """The default of a field as Python writes it, or None for a required one."""
    if field.default_factory is not dataclasses.MISSING:
        return repr(field.default_factory())
    if field.default is dataclasses.MISSING:
        return None
    return repr(field.default).replace("'", '"')


def _stack() -> str:
    arguments = _definition(AgentStack.__init__, ast.FunctionDef).args
    every = [
        (arguments.args[1], None),  # without self
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    documented = inspect.cleandoc(str(AgentStack.__init__.__doc__))
    documented = documented.partition("Args:\n")[2].partition("\nRaises:")[0]
    texts = dict(
        re.findall(r"^    (\w+): (.*?)(?=^    \w+: |\Z)", documented, re.MULTILINE | re.DOTALL)
    )
    rows = [
        _row(
            argument.arg,
            ast.unparse(argument.annotation) if argument.annotation else "",
            ast.unparse(default).replace("'", '"') if default else None,
            texts[argument.arg],
        )
        for argument, default in every
    ]
    return "\n".join(
        ["## AgentStack\n", f"{_text(str(AgentStack.__doc__))}\n", *_head("argument"), *rows, ""]
    )


_Definition = TypeVar("_Definition", ast.ClassDef, ast.FunctionDef)


def _definition(of: Any, kind: type[_Definition]) -> _Definition:
    (found,) = ast.parse(textwrap.dedent(inspect.getsource(of))).body
    if not isinstance(found, kind):
        raise TypeError(f"{of} is not a {kind.__name__}")
    return found


def _head(what: str) -> list[str]:
    return [f"| {what} | type | default | what it does |", "| --- | --- | --- | --- |"]


def _row(name: str, type_: str, default: str | None, text: str) -> str:
    # The default has a column. The docstring ends in it, for editors.
    what, _, described = _text(text).partition(" Default: ")
    shown = "required" if default is None else f"`{default}`"
    if default in _UNSET:
        shown = described.removesuffix(".") or _OTHER_DEFAULTS[name]
        what = re.sub(r"(?i)[.:;] By default .*?\.(?= |$)", ".", what)
    escaped = type_.replace("|", "\\|")
    return f"| `{name}` | `{escaped}` | {shown} | {what} |"


def _variables() -> str:
    import cdktf  # after buildkite_agents, which selects its Node.js

    stack = AgentStack(
        cdktf.Testing.app(), project="project", queues=[AgentQueue("m5.large")], token=AgentToken()
    )
    rows = []
    for name, declared in json.loads(cdktf.Testing.synth(stack))["variable"].items():
        default = json.dumps(declared["default"]) if "default" in declared else None
        more = _text(str(getattr(variables, name).__doc__)).partition(". ")[2]
        text = ". ".join(filter(None, [declared["description"], more])).rstrip(".")
        rows.append(_row(name, declared["type"], default, f"{text}."))
    return "\n".join(
        [
            "## Terraform's variables\n",
            "Set these in `terraform.tfvars` or as environment variables `TF_VAR_NAME`. "
            "`environment` has the AgentStack's environment as its default.\n",
            *_head("variable"),
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
