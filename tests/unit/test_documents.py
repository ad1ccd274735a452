"""The documents: their code runs, and their links are valid."""

import re
import runpy
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from support import documented
from support.documents import code_blocks

from buildkite_agents.names import Names

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [*sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("*.md"))]
# Languages that tests run or read, those that are only shown, and sh for what needs AWS.
LANGUAGES = {"bash", "python", "yaml", "hcl", "mermaid", "text", "sh"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_code_block_says_what_it_is(document: Path) -> None:
    fences = re.findall(r"^ *```(.*)$", document.read_text(), re.MULTILINE)
    assert set(fences[::2]) <= LANGUAGES
    assert set(fences[1::2]) <= {""}


def test_the_readmes_commands_are_those_of_the_operations_guide() -> None:
    (commands,) = re.findall(r"^```bash\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    assert commands.splitlines() == [
        # Tests run all but the second, which stands for a secret.
        "make synth",
        'export TF_VAR_buildkite_agent_token="..."',
        "cd terraform",
        "terraform init",
        "terraform apply",
    ]


def test_the_readmes_queues_are_those_of_the_documented_program() -> None:
    (queues,) = re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    assert queues in documented.GOLDEN_MAIN.read_text()


def test_the_readmes_output_is_that_of_a_synthesis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(documented.GOLDEN_MAIN), run_name="__main__")
    folder, *table = capsys.readouterr().out.splitlines()
    assert "\n".join(table) in README
    assert re.search(rf"^{folder.partition('/')[0]}/.*/terraform/$", README, re.MULTILINE)


def test_bash_blocks_are_in_documents_whose_commands_are_run() -> None:
    having = {path.name for path in DOCUMENTS if "```bash\n" in path.read_text()}
    assert having == {
        "README.md",
        "adopting.md",
        "contributing.md",
        "operations.md",
        "successor.md",
        "troubleshooting.md",
    }


@pytest.mark.parametrize("folder", ["terraform", "terraform-staging", "infra/agents"])
def test_git_ignores_of_a_deployments_folder_what_the_guide_says(
    folder: str, tmp_path: Path
) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    never = [
        *("terraform.tfstate", "terraform.tfstate.backup", "terraform.tfstate.1700000000.backup"),
        *(".terraform/providers", "terraform.tfvars", "eu.auto.tfvars", "crash.log"),
        *("crash.20261126.log", "tfplan", "agents.tfplan"),
    ]
    golden = ROOT / "tests" / "golden" / "terraform"
    synthesized = [path.name for path in golden.iterdir()]
    assert "buildkite.tf.json" in synthesized
    files = [*never, *synthesized, ".terraform.lock.hcl", "vpc.tf"]
    checked = subprocess.run(
        ["git", "check-ignore", *(f"{folder}/{file}" for file in files)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.stdout.split() == [f"{folder}/{file}" for file in never]


def test_the_picture_is_drawn_from_its_text() -> None:
    source = (ROOT / "docs" / "architecture.dot").read_text()
    picture = ET.parse(ROOT / "docs" / "architecture.svg").getroot()  # noqa: S314
    texts = [str(text.text) for text in picture.iter("{http://www.w3.org/2000/svg}text")]
    labels = re.findall(r'label="(.+?)"', source)
    assert sorted(texts) == sorted(line for label in labels for line in label.split("\\n"))
    titles = {title.text for title in picture.iter("{http://www.w3.org/2000/svg}title")}
    arrows = re.findall(r"^  (\w+) -> (\w+) (?!.*invis)", source, re.MULTILINE)
    assert {f"{start}->{end}" for start, end in arrows} == {t for t in titles if "->" in str(t)}


def test_the_pictures_names_are_those_of_the_documented_program() -> None:
    names = Names("conbench", "prod")
    queue = documented.QUEUES[0]
    source = (ROOT / "docs" / "architecture.dot").read_text()
    for name in (
        names.secrets_bucket,
        names.token_parameter,
        names.agent_policy,
        names.stack(queue),
        queue.name,
        f"{queue.instance_type} with an agent",
        f"{queue.min_size} to {queue.max_size} instances",
    ):
        assert name in source


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
