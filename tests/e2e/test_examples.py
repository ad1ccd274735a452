"""Each example, synthesized and applied."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.loopback_aws import LoopbackAws
from support.provider import Provider
from support.terraform import Terraform, terraform_in

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))
LAYOUT = Path(__file__).parent / "documented-layout"
STATES = "acme-terraform-states"


def backend_on_loopback(endpoint: str) -> list[str]:
    settings = {
        "endpoints": f'{{s3="{endpoint}"}}',
        "use_path_style": "true",
        "skip_credentials_validation": "true",
        "skip_requesting_account_id": "true",
        "skip_metadata_api_check": "true",
        "access_key": "testing",
        "secret_key": "testing",
    }
    return [f"-backend-config={name}={value}" for name, value in settings.items()]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_it_applies_clean(
    example: Path, root: Path, aws: LoopbackAws, aws_provider: Provider, tmp_path: Path
) -> None:
    synthesized = tmp_path / "synthesized"
    synthesized.mkdir()
    if example.stem == "inside_root_module":
        (synthesized / "terraform").mkdir()
    done = subprocess.run(
        [sys.executable, example],
        cwd=synthesized,
        env={"PYTHONPATH": f"{root}:{root / 'constructs'}", "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    folders = [path for path in synthesized.iterdir() if path.name != "cdktf.out"]
    assert folders
    applied = []
    for folder in folders:
        if example.stem == "inside_root_module":
            for name in ("main.tf", "variables.tf", "vpc.tf"):
                (folder / name).write_text((LAYOUT / name).read_text())
        applied.append(apply(folder, tmp_path / "applied" / folder.name, aws, aws_provider))
    # After all of them, because their resources must have different names.
    assert all(tf.would_change_nothing() for tf in applied)


def test_a_mistake_in_the_toml_file_is_reported_in_one_line(root: Path, tmp_path: Path) -> None:
    shutil.copy(root / "examples" / "teams_from_toml.py", tmp_path)
    queues = (root / "examples" / "teams.toml").read_text()
    none = "teams.toml: expected a [[queue]] for each queue"
    for text, expected in (
        (queues.replace("max_size", "maxsize"), "teams.toml: queue 'compiler-amd64': "),
        (queues.replace("max_size", "max size"), "teams.toml cannot be read: "),
        (b"\xff", "teams.toml cannot be read: "),
        (None, "teams.toml cannot be read: "),
        ("", none),
        ("[queue]", none),
        ("queue = [1]", none),
    ):
        (tmp_path / "teams.toml").unlink(missing_ok=True)
        if text is not None:
            content = text if isinstance(text, bytes) else text.encode()
            (tmp_path / "teams.toml").write_bytes(content)
        done = subprocess.run(
            [sys.executable, tmp_path / "teams_from_toml.py"],
            cwd=tmp_path,
            env={"PYTHONPATH": f"{root}:{root / 'constructs'}", "PATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert done.stderr.startswith(f"error: {expected}"), done.stderr
        assert done.stderr.count("\n") == 1
        assert ("(did you mean max_size?)" in done.stderr) == ("'compiler-amd64'" in expected)


def apply(source: Path, folder: Path, aws: LoopbackAws, aws_provider: Provider) -> Terraform:
    arguments: list[str] = []
    if '"s3"' in "".join(path.read_text() for path in source.glob("main.tf.json")):
        aws.client("s3").create_bucket(Bucket=STATES)
        arguments = backend_on_loopback(aws.endpoint)
    tf = terraform_in(folder, source, aws, aws_provider, *arguments)
    tf.apply()
    if arguments:
        state = aws.client("s3").list_objects_v2(Bucket=STATES)["Contents"]
        assert [entry["Key"] for entry in state] == ["conbench-prod/terraform.tfstate"]
    return tf
