"""The documents: their code runs, and their links are valid."""

import re
from pathlib import Path

import pytest
from support.documents import code_blocks

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*.md"))]
# Languages that tests run or read, those that are only shown, and sh for what needs AWS.
LANGUAGES = {"bash", "python", "yaml", "hcl", "mermaid", "text", "sh"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_code_block_says_what_it_is(document: Path) -> None:
    fences = re.findall(r"^ *```(.*)$", document.read_text(), re.MULTILINE)
    assert set(fences[::2]) <= LANGUAGES
    assert set(fences[1::2]) <= {""}


def test_the_readmes_commands_are_those_that_tests_run() -> None:
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"^```bash\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    commands = [line.partition("#")[0].strip() for block in blocks for line in block.splitlines()]
    # CI runs the first two, and a test the others, which are in docs/operations.md.
    assert commands == [
        "make synth",
        "make test",
        'export TF_VAR_buildkite_agent_token="..."',
        "cd terraform",
        "terraform init",
        "terraform apply",
    ]


def test_bash_blocks_are_in_documents_whose_commands_are_run() -> None:
    having = {path.name for path in DOCUMENTS if "```bash\n" in path.read_text()}
    assert having == {
        "README.md",
        "adopting.md",
        "contributing.md",
        "operations.md",
        "successor.md",
    }


@pytest.mark.parametrize(
    ("document", "block"),
    [
        (path.name, block)
        for path in DOCUMENTS
        if path.parent.name == "docs"
        for block in code_blocks(path.name, "python")
    ],
)
def test_python_blocks_run(
    document: str,
    block: str,
    bootstrap_script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import buildkite_agents

    monkeypatch.chdir(tmp_path)
    (tmp_path / "infra" / "terraform").mkdir(parents=True)
    (tmp_path / "program").mkdir()
    script = tmp_path / "infra" / "terraform" / "buildkite-bootstrap.sh"
    script.write_bytes(bootstrap_script.read_bytes())
    monkeypatch.chdir(tmp_path / "program")
    names = {name: getattr(buildkite_agents, name) for name in buildkite_agents.__all__}
    # Three dots stand for the required arguments.
    code = re.sub(
        r"^    \.\.\.\n",
        '    project="acme",\n    queues=[AgentQueue("m5.4xlarge")],\n'
        f"    bootstrap_script={str(script)!r},\n",
        block,
        flags=re.MULTILINE,
    )
    app = buildkite_agents.AgentApp()
    exec(compile(code, document, "exec"), {**names, "app": app})  # noqa: S102
    app.synth()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_within_the_project_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", document.read_text()):
        path, _, anchor = target.partition("#")
        linked = (document.parent / path) if path else document
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in slugs, target
