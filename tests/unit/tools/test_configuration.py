"""docs/configuration.md."""

import re

from support.tools import load_tool

from buildkite_agents import AgentQueue
from buildkite_agents.names import Names
from buildkite_agents.queue import TEMPLATE_INSTANCE_TYPE


def test_it_is_what_the_docstrings_and_the_catalogue_say() -> None:
    tool = load_tool("configuration")
    assert tool.DOCUMENT.read_text() == tool.render(), "run: python tools/configuration.py"


def test_each_option_and_variable_has_a_type_a_default_and_a_description() -> None:
    lines = load_tool("configuration").render().splitlines()
    heads = [
        n for n, line in enumerate(lines) if line.endswith("| type | default | what it does |")
    ]
    # The AgentStack, its classes and the variables.
    assert len(heads) >= 11
    for head in heads:
        rows = lines[head + 2 : lines.index("", head)]
        assert rows
        for row in rows:
            name, type_, default, what = re.split(r"(?<!\\) \| ", row.strip("| "))
            assert re.fullmatch(r"`\w+`", name)
            assert re.fullmatch(r"`.+`", type_)
            assert re.fullmatch(r".+[^.]", default)
            assert default.strip("`") not in {"None", '""', "()", "[]", "{}"}
            assert what.endswith(".")
            assert "By default" not in what, "the default has a column"


def test_the_described_defaults_are_those_of_the_code() -> None:
    names, prod = Names("PROJECT", "ENVIRONMENT"), Names("PROJECT", "prod")
    rows = re.findall(
        r"^\| `(\w+)` \| `[^`]+` \| (.+?) \| ", load_tool("configuration").render(), re.MULTILINE
    )
    for described in {
        "instance_type": f"that of the template, `{TEMPLATE_INSTANCE_TYPE}`",
        "stack_name": f"`{names.stack(AgentQueue(name='QUEUE'))}`",
        "parameter": f"`{names.token_parameter}`",
        "policy_name": f"`{names.agent_policy}`",
        "name": f"`{names.secrets_bucket}`",
        "folder": f"`{prod.default_folder}` in `prod`, `{names.default_folder}` elsewhere",
        "key": f"`{names.prefix}/terraform.tfstate`",
    }.items():
        assert described in rows
