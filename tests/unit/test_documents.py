"""The documents: their code runs, and their links are valid."""

import re
import runpy
import shlex
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import botocore.session
import jmespath
import pytest
from botocore import xform_name
from support import documented
from support.documents import code_blocks, is_program, pasted

import buildkite_agents
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
        # Tests run all but the third, which stands for a secret.
        "make synth",
        "cp -n terraform/terraform.tfvars.example terraform/terraform.tfvars",
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


def test_the_costs_are_those_of_their_formulas() -> None:
    section = (ROOT / "docs" / "operations.md").read_text().partition("## Cost\n")[2]
    formulas = re.findall(r"\| ([^|a-z]*\d[^|]*) \| ([\d.]+) \|$", section, re.MULTILINE)
    assert len(formulas) >= 15
    for formula, price in formulas:
        terms = re.sub(r" (s|GB)\b|,", "", formula).replace("\u00d7", "*")
        assert re.fullmatch(r"[\d.*/+() -]+", terms), formula
        decimals = len(price.partition(".")[2])
        assert f"{eval(terms):.{decimals}f}" == price, formula  # noqa: S307
    readme = re.findall(r"(?:about|or|up to) (\d+)\b", README.partition("**Cost**")[2])
    assert readme == ["23", "7", "186"]
    assert {*readme} <= {price for _, price in formulas}


def test_the_aws_commands_are_those_of_both_versions_of_the_cli() -> None:
    session = botocore.session.get_session()
    services = set(session.get_available_services())
    for path in DOCUMENTS:
        commands = re.findall(r"\baws ([a-z][a-z0-9-]+) ([a-z][a-z0-9-]+)\b", path.read_text())
        for name, command in commands:
            if name == "s3" or command == "wait":
                continue
            service = name.removesuffix("api")
            assert service in services, f"{path.name}: aws {name}"
            operations = session.get_service_model(service).operation_names
            # `logs tail`, for example, is no operation of the service but only in version 2.
            assert command in {xform_name(operation, "-") for operation in operations}, (
                f"{path.name}: aws {name} {command}"
            )


def test_the_list_of_stacks_leaves_out_nested_stacks_and_shows_each_status() -> None:
    (command,) = [b for b in code_blocks("operations.md", "bash") if "describe-stacks" in b]
    query = shlex.split(command)[shlex.split(command).index("--query") + 1]
    names = ("conbench-prod-buildkite-q", "conbench-prod-buildkite-q-Autoscaling-1X", "other")
    stacks = [{"StackName": name, "StackStatus": "UPDATE_ROLLBACK_COMPLETE"} for name in names]
    stacks[1]["ParentId"] = "arn:aws:cloudformation:us-east-1:123456789012:stack/..."
    assert jmespath.search(query, {"Stacks": stacks}) == [[names[0], "UPDATE_ROLLBACK_COMPLETE"]]


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


PYTHON_BLOCKS = [
    (path.name, block)
    for path in sorted((ROOT / "docs").glob("*.md"))
    for block in code_blocks(path.name, "python")
]


@pytest.mark.parametrize(("document", "block"), [b for b in PYTHON_BLOCKS if is_program(b[1])])
def test_documented_programs_run(
    document: str,
    block: str,
    bootstrap_script: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "infra" / "terraform").mkdir(parents=True)
    (tmp_path / "program").mkdir()
    script = tmp_path / "infra" / "terraform" / "buildkite-bootstrap.sh"
    script.write_bytes(bootstrap_script.read_bytes())
    monkeypatch.chdir(tmp_path / "program")
    exec(compile(block, document, "exec"), {})  # noqa: S102


@pytest.mark.parametrize(("document", "block"), [b for b in PYTHON_BLOCKS if not is_program(b[1])])
def test_what_readers_paste_into_main_synthesizes(
    document: str, block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bootstrap").symlink_to(ROOT / "bootstrap")
    documented.as_main_of(tmp_path)
    main = tmp_path / "main.py"
    before = main.read_text()
    main.write_text(pasted(block, before))
    runpy.run_path(str(main), run_name="__main__")
    assert list(tmp_path.glob("**/buildkite.tf.json")), document


def test_code_within_a_sentence_says_what_to_import_or_where_that_is_shown() -> None:
    imported = runpy.run_path(str(documented.GOLDEN_MAIN)).keys()
    others = "|".join(name for name in buildkite_agents.__all__ if name not in imported)
    missing = []
    for path in DOCUMENTS:
        if path.name in {"CHANGELOG.md", "configuration.md"}:
            continue  # the latter has an example with the import in each section
        text = re.sub(r"^ *```.*?^ *```$", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)
        for paragraph in re.split(r"\n\s*\n|^(?=[-|*] )", text, flags=re.MULTILINE):
            spans = re.findall(r"`([^`]+)`", paragraph)
            for name in (n for span in spans for n in re.findall(rf"\b({others})\(", span)[:1]):
                link = f"configuration.md#{name.lower()}"
                if link not in paragraph and not re.search(rf"import .*\b{name}\b", paragraph):
                    missing.append(f"{path.name}: {name}: {paragraph.strip()[:80]}")
    assert missing == []


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
