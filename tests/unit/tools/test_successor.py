"""The names that `make successor` writes."""

import pytest

from tools import successor


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import cdktf", "import cdktn as cdktf"),
        ("    import cdktf  # later", "    import cdktn as cdktf  # later"),
        ("import cdktf as tf", "import cdktn as tf"),
        ("import sys, cdktf, os", "import sys, cdktn as cdktf, os"),
        ('"import cdktf; cdktf.App()"', '"import cdktn as cdktf; cdktf.App()"'),
        ("import cdktf._jsii", "import cdktn._jsii"),
        ("from cdktf import App", "from cdktn import App"),
        ("from cdktf._jsii import x", "from cdktn._jsii import x"),
        (
            "from cdktf_cdktf_provider_random.pet import Pet",
            "from cdktn_provider_random.pet import Pet",
        ),
        ("import cdktf_helpers", "import cdktf_helpers"),
        ("import my_cdktf", "import my_cdktf"),
        ("from cdktf_helpers import x", "from cdktf_helpers import x"),
        ("from .cdktf import x", "from .cdktf import x"),
        ("cdktf.App()", "cdktf.App()"),
    ],
)
def test_imports(before: str, after: str) -> None:
    assert successor.in_code(before) == after
    assert successor.in_code(after) == after


PIPFILE = """[packages]
cdktf = ">=0.21,<0.22"
cdktf-cdktf-provider-aws = "*"
cdktf-cdktf-provider-random = {version = ">=12", markers = "x"}
constructs = ">=10.4.2,<11"
constructs-hub = "*"
"""
PYPROJECT = """keywords = ["aws", "cdktf"]
dependencies = [
  "cdktf>=0.21,<0.22",
  "cdktf-cdktf-provider-aws",
  "cdktf-cdktf-provider-random>=12",
  "constructs>=10.4.2,<11"
]
packages = ["constructs/buildkite_agents"]
"""


def test_lists_of_packages() -> None:
    pipfile = successor.in_list(PIPFILE)
    assert (
        pipfile
        == """[packages]
cdktn = ">=0.24,<0.25"
cdktn-provider-aws = ">=25,<26"
cdktn-provider-random = "*"
constructs = ">=10.6,<10.8"
constructs-hub = "*"
"""
    )
    pyproject = successor.in_list(PYPROJECT)
    assert (
        pyproject
        == """keywords = ["aws", "cdktf"]
dependencies = [
  "cdktn>=0.24,<0.25",
  "cdktn-provider-aws>=25,<26",
  "cdktn-provider-random",
  "constructs>=10.6,<10.8"
]
packages = ["constructs/buildkite_agents"]
"""
    )
    assert (successor.in_list(pipfile), successor.in_list(pyproject)) == (pipfile, pyproject)
