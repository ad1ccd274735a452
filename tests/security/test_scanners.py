"""Scanners of the configuration and of the source; each is shown to find a defect."""

import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import transient_settings
from support.checkout import copy_checkout
from support.golden import GOLDEN
from support.policies import resolved_policy

# The findings of checkov that are accepted, with reasons. Any other finding fails the test.
ACCEPTED = {
    # Nobody needs notifications of stack events: Terraform reports failures.
    "CKV_AWS_124": "CloudFormation stacks notify no SNS topic",
    # The AWS managed key is free, and a customer managed key would add no restriction.
    "CKV_AWS_337": "the token is encrypted with the AWS managed key",
    # Uploads trigger nothing: agents fetch files at boot.
    "CKV2_AWS_62": "the bucket notifies nobody",
    # Logging needs a second bucket; CloudTrail data events provide the same information.
    "CKV_AWS_18": "the bucket logs no access",
    # Secrets are better stored in one place, and are quickly uploaded again.
    "CKV_AWS_144": "the bucket is not replicated to another region",
    # AES256, as in the documented upload; kms_key_arn sets a customer managed key.
    "CKV_AWS_145": "the bucket is encrypted with S3's keys",
}


def checkov(folder: Path, root: Path, home: Path) -> dict[str, Any]:
    """Checkov's report on a folder. Checkov ignores blocks such as moved and import."""
    scanned = home / "scanned"
    shutil.copytree(folder, scanned)
    for name, block in (("buildkite.tf.json", "moved"), ("main.tf.json", "terraform")):
        path = scanned / name
        if path.exists():
            content = json.loads(path.read_text())
            del content[block]
            path.write_text(json.dumps(content, indent=2))
    arguments = ["--framework", "terraform_json", "--output", "json", "--skip-download"]
    done = subprocess.run(
        [
            root / ".checkov" / "bin" / "python",
            "-m",
            "checkov.main",
            *arguments,
            "--directory",
            scanned,
        ],
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_checkov_finds_only_what_is_accepted_with_a_reason(root: Path, tmp_path: Path) -> None:
    report = checkov(GOLDEN, root, tmp_path)
    summary = report["summary"]
    assert summary["parsing_errors"] == 0
    assert summary["passed"] + summary["failed"] == 27, "another number of checks was run"
    failed = {check["check_id"] for check in report["results"]["failed_checks"]}
    assert failed == ACCEPTED.keys()


def test_checkov_reports_an_open_bucket(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "open"
    shutil.copytree(GOLDEN, folder)
    path = folder / "buildkite.tf.json"
    path.write_text(
        path.read_text().replace('"block_public_acls": true', '"block_public_acls": false')
    )
    report = checkov(folder, root, tmp_path)
    failed = {check["check_id"] for check in report["results"]["failed_checks"]}
    assert failed > ACCEPTED.keys()


def test_checkov_on_an_empty_folder_does_not_pass(root: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    report = checkov(tmp_path / "empty", root, tmp_path)
    assert "summary" not in report
    assert report["passed"] == 0


def bandit(*paths: Path) -> dict[str, Any]:
    generated = "*/buildkite_agents/aws/*/*"
    options = ["-q", "-f", "json", "-s", "B404,B603,B607", "--exclude", generated]
    done = subprocess.run(
        # B404, B603, B607: the subprocesses run what this program names.
        [sys.executable, "-m", "bandit", *options, "-r", *paths],
        capture_output=True,
        text=True,
        check=False,
    )
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_bandit_finds_nothing_in_our_python(root: Path) -> None:
    ours = ("main.py", "constructs", "tools")
    report = bandit(*(root / path for path in ours))
    assert report["results"] == []
    assert report["metrics"]["_totals"]["loc"] > 1500


def zizmor(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("zizmor"), "--offline", "--no-progress", folder],
        capture_output=True,
        text=True,
        check=False,
    )


def test_zizmor_finds_nothing_in_the_workflows(root: Path) -> None:
    audited = zizmor(root / ".github")
    assert audited.returncode == 0, audited.stdout + audited.stderr


def test_zizmor_reports_an_injection(tmp_path: Path) -> None:
    workflow = tmp_path / ".github" / "workflows" / "bad.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text(
        "on: issues\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n"
        "      - run: echo ${{ github.event.issue.title }}\n"
    )
    assert "template-injection" in zizmor(tmp_path).stdout


def test_bandit_reports_a_shell(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import subprocess\nsubprocess.run('ls *', shell=True)\n")
    assert [r["test_id"] for r in bandit(tmp_path)["results"]] == ["B602"]


def secrets_in(*paths: Path) -> list[str]:
    plugins = (
        "ArtifactoryDetector",
        "AWSKeyDetector",
        "AzureStorageKeyDetector",
        "BasicAuthDetector",
        "GitHubTokenDetector",
        "GitLabTokenDetector",
        "JwtTokenDetector",
        "NpmDetector",
        "PrivateKeyDetector",
        "PypiTokenDetector",
        "SlackDetector",
        "StripeDetector",
        "TwilioKeyDetector",
    )
    with transient_settings({"plugins_used": [{"name": name} for name in plugins]}):
        found = SecretsCollection()
        for path in paths:
            found.scan_file(str(path))
    return [f"{name}:{secret.line_number}: {secret.type}" for name, secret in found]


def test_no_file_of_the_project_has_a_secret(root: Path, tmp_path: Path) -> None:
    copy_checkout(root, tmp_path / "checkout")
    files = [path for path in (tmp_path / "checkout").rglob("*") if path.is_file()]
    assert len(files) > 50
    assert secrets_in(*files) == []


def test_a_secret_in_a_file_is_reported(tmp_path: Path) -> None:
    planted = tmp_path / "env"
    planted.write_text("key = " + "AKIA" + "IOSFODNN7ABCDEFG" + "\n")
    assert secrets_in(planted) == [f"{planted}:1: AWS Access Key"]


@pytest.mark.parametrize(
    ("kind", "name"),
    [("aws_iam_policy", "buildkite_agent"), ("aws_s3_bucket_policy", "buildkite_secrets")],
)
def test_the_iam_linter_finds_nothing(kind: str, name: str) -> None:
    assert lint(resolved_policy(kind, name)) == []


def test_the_iam_linter_reports_an_action_that_does_not_exist() -> None:
    policy = resolved_policy("aws_iam_policy", "buildkite_agent")
    assert lint(policy.replace("s3:GetObject", "s3:FetchObject")) != []


def lint(policy: str) -> list[str]:
    with warnings.catch_warnings():
        # parliament does not close its data files.
        warnings.simplefilter("ignore")
        import parliament
    findings = parliament.analyze_policy_string(policy).findings
    # Its list of condition keys is older than the one for TLS versions.
    return [str(f) for f in findings if "s3:TlsVersion" not in str(f)]
