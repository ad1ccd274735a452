"""The package as somebody else's library."""

import json
import subprocess
import sys
from pathlib import Path

import cdktf
import pytest

from buildkite_agents import AgentApp, AgentQueue, AgentStack
from buildkite_agents.imports.aws.provider import AwsProvider
from buildkite_agents.imports.aws.s3_bucket import S3Bucket
from buildkite_agents.output.terraform_folder import OWN_NAMES

QUEUES = [AgentQueue("m5.4xlarge", name="q")]


@pytest.fixture(params=["AgentApp", "App", "Testing.app"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> cdktf.App:
    """Each kind of app that a stack can be in."""
    if request.param == "AgentApp":
        return AgentApp(outdir=tmp_path / "cdktf.out")
    if request.param == "App":
        return cdktf.App(outdir=str(tmp_path / "cdktf.out"))
    return cdktf.Testing.app()


def test_what_is_synthesized_in_a_plain_app_has_the_script_beside_it(
    bootstrap_script: Path, tmp_path: Path
) -> None:
    app = cdktf.App(outdir=str(tmp_path / "cdktf.out"))
    AgentStack(app, queues=QUEUES, bootstrap_script=bootstrap_script)
    app.synth()
    check_script(tmp_path / "cdktf.out" / "stacks" / "conbench-prod", bootstrap_script)


def test_so_has_a_full_synth_of_a_test(bootstrap_script: Path) -> None:
    stack = AgentStack(cdktf.Testing.app(), queues=QUEUES, bootstrap_script=bootstrap_script)
    folder = Path(cdktf.Testing.full_synth(stack))
    check_script(folder / "stacks" / "conbench-prod", bootstrap_script)


def check_script(folder: Path, bootstrap_script: Path) -> None:
    configuration = json.loads((folder / "cdk.tf.json").read_text())
    script = configuration["resource"]["aws_s3_object"]["bootstrap_script"]
    path = script["source"].replace("${path.module}", str(folder))
    assert Path(path).read_bytes() == bootstrap_script.read_bytes()
    assert script["etag"] == f'${{filemd5("{script["source"]}")}}'


def test_what_it_makes_can_be_referred_to(bootstrap_script: Path, app: cdktf.App) -> None:
    stack = AgentStack(app, queues=QUEUES, bootstrap_script=bootstrap_script)
    for name, value in {
        "bucket": stack.secrets_bucket.arn,
        "token": stack.token.arn,
        "policy": stack.policy.arn,
        "stack": stack.queue_stacks["q"].id,
    }.items():
        cdktf.TerraformOutput(stack, name, value=value)
    outputs = json.loads(cdktf.Testing.synth(stack, True))["output"]
    assert {name: outputs[name]["value"] for name in ("bucket", "token", "policy", "stack")} == {
        "bucket": "${aws_s3_bucket.buildkite_secrets.arn}",
        "token": "${aws_ssm_parameter.buildkite_agent_token.arn}",
        "policy": "${aws_iam_policy.buildkite_agent.arn}",
        "stack": "${aws_cloudformation_stack.q.id}",
    }


def test_what_a_user_adds_is_written_inside_a_root_module_too(
    bootstrap_script: Path, tmp_path: Path
) -> None:
    app = AgentApp(outdir=tmp_path / "cdktf.out")
    stack = AgentStack(
        app,
        queues=QUEUES,
        bootstrap_script=bootstrap_script,
        folder=tmp_path / "infra",
        inside_root_module=True,
    )
    cdktf.TerraformVariable(stack, "team", type="string")
    cdktf.TerraformOutput(stack, "arn", value=stack.policy.arn)
    AwsProvider(stack, "west", alias="west", region="us-west-2")
    S3Bucket(stack, "more", bucket="more")
    stack.add_override("terraform.required_providers.random", {"source": "hashicorp/random"})
    app.synth()
    written = json.loads((tmp_path / "infra" / "buildkite.tf.json").read_text())
    assert written["variable"] == {"team": {"type": "string"}}
    assert written["output"] == {"arn": {"value": "${aws_iam_policy.buildkite_agent.arn}"}}
    assert written["provider"] == {"aws": [{"alias": "west", "region": "us-west-2"}]}
    assert written["terraform"] == {
        "required_providers": {"random": {"source": "hashicorp/random"}}
    }
    assert "more" in written["resource"]["aws_s3_bucket"]


def test_the_names_that_are_known_as_this_programs_are_all_that_it_makes(
    bootstrap_script: Path, tmp_path: Path
) -> None:
    app = AgentApp(outdir=tmp_path / "cdktf.out")
    stack = AgentStack(app, queues=QUEUES, bootstrap_script=bootstrap_script)
    configuration = json.loads(cdktf.Testing.synth(stack))
    for block, names in OWN_NAMES.items():
        assert configuration[block].keys() == names


def test_an_app_takes_context(tmp_path: Path) -> None:
    app = AgentApp(outdir=tmp_path, context={"fleet": "small"})
    assert app.node.try_get_context("fleet") == "small"


def run_python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_importing_it_changes_nothing_of_the_process(tmp_path: Path) -> None:
    code = """
import gc, os, sys
def process():
    collector = gc.isenabled(), gc.get_threshold(), gc.get_freeze_count()
    return sys.excepthook, collector, dict(os.environ)
before = process()
from buildkite_agents import AgentApp, AgentStack
assert process() == before
"""
    done = run_python(code, tmp_path)
    assert done.returncode == 0, done.stderr


def test_an_error_can_be_caught_like_any_other_exception(tmp_path: Path) -> None:
    code = """
from buildkite_agents import ConfigError
try:
    raise ConfigError("first", "second")
except Exception as error:
    assert error.problems == ("first", "second")
    print(error)
"""
    assert run_python(code, tmp_path).stdout == "error: first\nerror: second\n"


def test_uncaught_it_is_its_message_alone_and_a_status(tmp_path: Path) -> None:
    code = "from buildkite_agents import ConfigError\nraise ConfigError('first', 'second')\n"
    done = run_python(code, tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: first\nerror: second\n"
