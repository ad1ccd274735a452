"""The names that `make successor` writes."""

from pathlib import Path

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
        ("import cdktf \\\n  as tf", "import cdktn \\\n  as tf"),
        ("from cdktf \\\n  import App", "from cdktn \\\n  import App"),
        ('import_module("cdktf.testing")', 'import_module("cdktn.testing")'),
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
        ("import os as o, cdktf", "import os as o, cdktn as cdktf"),
        ('mock.patch("cdktf.Testing.app")', 'mock.patch("cdktn.Testing.app")'),
        ("pytest.importorskip('cdktf')", "pytest.importorskip('cdktn')"),
        ('import_module("cdktf._jsii")', 'import_module("cdktn._jsii")'),
        ('sys.modules["cdktf"]', 'sys.modules["cdktn"]'),
        (
            'import_module("cdktf_cdktf_provider_aws")',
            'import_module("cdktn_provider_aws")',
        ),
        (
            """install_requires=["cdktf[x]>=0.20; python_version<'3.13'"]""",
            """install_requires=["cdktn[x]>=0.24,<0.25; python_version<'3.13'"]""",
        ),
        # What stays: annotations, the CLI, its files, paths and addresses.
        ('def f(app: "cdktf.App"): ...', 'def f(app: "cdktf.App"): ...'),
        ('cast("cdktf.App", app)', 'cast("cdktf.App", app)'),
        ('run(["cdktf", "synth"])', 'run(["cdktf", "synth"])'),
        ('shutil.which("cdktf")', 'shutil.which("cdktf")'),
        ('open("cdktf.json")', 'open("cdktf.json")'),
        ('Path("cdktf.out")', 'Path("cdktf.out")'),
        (
            "https://github.com/cdktf/cdktf-cdktf-provider-aws/issues",
            "https://github.com/cdktf/cdktf-cdktf-provider-aws/issues",
        ),
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
cdktn-provider-random = {version = "*", markers = "x"}
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
  "cdktn-provider-aws",
  "cdktn-provider-random",
  "constructs>=10.6,<10.8"
]
packages = ["constructs/buildkite_agents"]
"""
    )
    assert (successor.in_list(pipfile), successor.in_list(pyproject)) == (pipfile, pyproject)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("Pipfile", '"cdktf" = ">=0.21"  # old', '"cdktn" = ">=0.24,<0.25"  # old'),
        (
            "Pipfile",
            """cdktf = {version = ">=0.21", extras = ["x"], markers = "x < '3.13'"}""",
            """cdktn = {version = ">=0.24,<0.25", extras = ["x"], markers = "x < '3.13'"}""",
        ),
        ("Pipfile", 'cdktf = {git = "https://x"}', 'cdktf = {git = "https://x"}'),
        (
            "pyproject.toml",
            'dependencies = ["cdktf>=0.20", "cdktf", "constructs>=10,<11", "six"]',
            'dependencies = ["cdktn>=0.24,<0.25", "cdktn", "constructs>=10.6,<10.8", "six"]',
        ),
        (
            "pyproject.toml",
            """x = ['cdktf >= 0.21 ; python_version < "3.13"']""",
            """x = ['cdktn>=0.24,<0.25 ; python_version < "3.13"']""",
        ),
        ("pyproject.toml", '["CDKTF==0.21"]', '["cdktn>=0.24,<0.25"]'),
        ("pyproject.toml", 'module = ["cdktf.*", "cdktf"]', 'module = ["cdktn.*", "cdktn"]'),
        (
            "pyproject.toml",
            'module = "cdktf_cdktf_provider_aws.*"',
            'module = "cdktn_provider_aws.*"',
        ),
        ("pyproject.toml", 'exclude = ["cdktf.out"]', 'exclude = ["cdktf.out"]'),
        ("pyproject.toml", 'known-third-party = ["constructs"]', None),
        (
            "pyproject.toml",
            '[tool.poetry]\ncdktf = "^0.21"',
            '[tool.poetry]\ncdktn = ">=0.24,<0.25"',
        ),
        ("setup.cfg", "[mypy-cdktf.*]", "[mypy-cdktn.*]"),
        ("setup.cfg", "  cdktf>=0.20", "  cdktn>=0.24,<0.25"),
        (
            "requirements-dev.txt",
            'cdktf[x]>=0.21; python_version<"3.13"  # why\r\ncdktf_cdktf_provider_aws==21.0\n',
            'cdktn[x]>=0.24,<0.25; python_version<"3.13"  # why\r\ncdktn_provider_aws>=25,<26\n',
        ),
        ("constraints.txt", "constructs\ncdktf", "constructs\ncdktn"),
        ("requirements.txt", "cdktf==0.21 --hash=sha256:aa", None),
        ("notes.txt", "cdktf", None),
    ],
)
def test_other_lists(name: str, before: str, after: str | None) -> None:
    converted = successor.converted(Path(name), before)
    assert converted == (before if after is None else after)
    assert successor.converted(Path(name), converted) == converted


def test_a_file_that_cannot_be_read_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret.py").touch()
    (tmp_path / "x.py").mkdir()
    (tmp_path / "link.py").symlink_to("nowhere")

    def read_bytes(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    monkeypatch.setattr(successor, "ROOT", tmp_path)
    monkeypatch.setattr(successor, "_git", lambda *_: ["secret.py", "x.py/", "link.py", "gone.py"])
    assert successor._texts() == ({}, ["secret.py: Permission denied"])  # noqa: SLF001


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("tox.ini", "deps = cdktf"),
        ("tox.ini", "  cdktf"),
        ("Makefile", "\tpip install six cdktf"),
        ("Makefile", "\tuv run --with cdktf main.py"),
        ("Dockerfile", "RUN pip install CDKTF==0.21"),
        ("environment.yml", "  - cdktf"),
        ("config.yaml", "packages: [six, cdktf]"),
        ("config.yaml", "package: cdktf"),
        ("uv.lock", 'name = "cdktf"'),
        ("poetry.lock", 'cdktf = ">=0.21"'),
        ("program.py", "import os, \\\n  cdktf"),
        ("program.py", 'f("cdktf.testing")'),
        ("program.py", 'f("cdktf")'),
    ],
)
def test_old_names_that_are_left_are_listed(name: str, line: str) -> None:
    text = successor.converted(Path(name), line)
    assert text == line
    assert any(successor._UNDECIDED.search(each) for each in text.splitlines())  # noqa: SLF001


@pytest.mark.parametrize(
    "line",
    [
        "app = cdktf.App()",
        "import cdktn as cdktf",
        '"""Errors of CDKTF, in plain words."""',
        "# Programs that import CDKTF first.",
        'f("the cdktf CLI")',
        'open("cdktf.json")',
        'os.environ["CDKTF_OUTDIR"]',
        "cdktf synth",
        "[CDKTF](https://example.com)",
        "rm -rf cdktf.out",
    ],
)
def test_what_stays_is_not_listed(line: str) -> None:
    assert not successor._UNDECIDED.search(line)  # noqa: SLF001


def test_a_program_is_not_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = "import cdktf . _jsii\n"
    (tmp_path / "program.py").write_text(program)
    (tmp_path / "Pipfile").touch()
    monkeypatch.setattr(successor, "ROOT", tmp_path)
    monkeypatch.setattr(
        successor, "_git", lambda command, *_: ["program.py"] if command == "ls-files" else []
    )
    monkeypatch.setattr(successor, "_is_locked", lambda _: True)
    successor.main()
    assert (tmp_path / "program.py").read_text() == program
    assert capsys.readouterr().out.endswith(
        "program.py: unchanged, because its imports are unusual\n"
    )
