"""The package as a library."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cdktf
import jsii
import pytest
from constructs import IConstruct

import buildkite_agents
from buildkite_agents import (
    AgentApp,
    AgentQueue,
    AgentStack,
    AgentToken,
    ConfigError,
    Deployment,
    Existing,
    Network,
    S3Backend,
)
from buildkite_agents.aws.provider import AwsProvider
from buildkite_agents.aws.s3_bucket import S3Bucket

QUEUES = [AgentQueue("m5.4xlarge", name="q")]


@pytest.fixture(params=["AgentApp", "App", "Testing.app"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> cdktf.App:
    """Each kind of app that a stack can be in."""
    if request.param == "AgentApp":
        return AgentApp(outdir=tmp_path / "cdktf.out")
    if request.param == "App":
        return cdktf.App(outdir=str(tmp_path / "cdktf.out"))
    return cdktf.Testing.app()


def test_a_plain_app_writes_the_script_beside_the_configuration(
    bootstrap_script: Path, tmp_path: Path
) -> None:
    app = cdktf.App(outdir=str(tmp_path / "cdktf.out"))
    AgentStack(app, project="conbench", queues=QUEUES, bootstrap_script=bootstrap_script)
    app.synth()
    check_script(tmp_path / "cdktf.out" / "stacks" / "conbench-prod", bootstrap_script)


def test_so_has_a_full_synth_of_a_test(bootstrap_script: Path) -> None:
    stack = AgentStack(
        cdktf.Testing.app(), project="conbench", queues=QUEUES, bootstrap_script=bootstrap_script
    )
    folder = Path(cdktf.Testing.full_synth(stack))
    check_script(folder / "stacks" / "conbench-prod", bootstrap_script)


def check_script(folder: Path, bootstrap_script: Path) -> None:
    configuration = json.loads((folder / "cdk.tf.json").read_text())
    script = configuration["resource"]["aws_s3_object"]["bootstrap_script"]
    path = script["source"].replace("${path.module}", str(folder))
    assert Path(path).read_bytes() == bootstrap_script.read_bytes()
    assert script["etag"] == f'${{filemd5("{script["source"]}")}}'


def test_its_resources_can_be_referred_to(bootstrap_script: Path, app: cdktf.App) -> None:
    stack = AgentStack(app, project="conbench", queues=QUEUES, bootstrap_script=bootstrap_script)
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


def test_the_types_of_its_resources_are_exported_for_annotations(
    bootstrap_script: Path, app: cdktf.App
) -> None:
    stack = AgentStack(app, project="conbench", queues=QUEUES, bootstrap_script=bootstrap_script)
    types = buildkite_agents
    assert type(stack.secrets_bucket) is types.Bucket
    assert type(stack.token) is types.TokenParameter
    assert type(stack.policy) is types.AgentPolicy
    assert type(stack.queue_stacks["q"]) is types.QueueStack


def test_a_users_additions_are_written_inside_a_root_module_too(
    bootstrap_script: Path, tmp_path: Path
) -> None:
    (tmp_path / "infra").mkdir()
    app = AgentApp(outdir=tmp_path / "cdktf.out")
    stack = AgentStack(
        app,
        project="conbench",
        queues=QUEUES,
        bootstrap_script=bootstrap_script,
        deployment=Deployment(folder=tmp_path / "infra", inside_root_module=True),
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


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"token": Existing("/token"), "secrets_bucket": None, "bootstrap_script": None},
        {"token": AgentToken(value="${var.theirs}")},
        {"network": Network("vpc-12345678", ["subnet-12345678"])},
    ],
    ids=["defaults", "existing", "token of theirs", "network"],
)
def test_the_names_that_are_known_as_this_programs_are_all_that_it_makes(
    settings: dict[str, Any], bootstrap_script: Path, tmp_path: Path
) -> None:
    app = AgentApp(outdir=tmp_path / "cdktf.out")
    given = {"bootstrap_script": bootstrap_script, **settings}
    stack = AgentStack(app, project="conbench", queues=QUEUES, **given)
    configuration = json.loads(cdktf.Testing.synth(stack))
    for block, names in stack.own_names.items():
        assert configuration[block].keys() == names


def test_a_users_variable_that_this_program_does_not_define_is_written(
    tmp_path: Path,
) -> None:
    (tmp_path / "infra").mkdir()
    app = AgentApp(outdir=tmp_path / "cdktf.out")
    stack = AgentStack(
        app,
        project="acme",
        queues=QUEUES,
        token=Existing("/token"),
        deployment=Deployment(folder=tmp_path / "infra", inside_root_module=True),
    )
    cdktf.TerraformVariable(stack, "buildkite_agent_token", type="string")
    app.synth()
    written = json.loads((tmp_path / "infra" / "buildkite.tf.json").read_text())
    assert written["variable"] == {"buildkite_agent_token": {"type": "string"}}


def test_an_app_takes_context(tmp_path: Path) -> None:
    app = AgentApp(outdir=tmp_path, context={"fleet": "small"})
    assert app.node.try_get_context("fleet") == "small"


def test_a_problem_says_where_and_what(bootstrap_script: Path) -> None:
    app = AgentApp()
    bad = [AgentQueue("m5.large", name="q", max_size=-1)]
    for environment in ("prod", "staging"):
        AgentStack(
            app,
            project="acme",
            environment=environment,
            queues=bad,
            bootstrap_script=bootstrap_script,
        )
    with pytest.raises(ConfigError) as refused:
        app.synth()
    problem = refused.value.problems[1]
    assert problem.where == "acme-staging: queue 'q'"
    assert problem.what == "max_size must be at least 0, got -1"


def two_stacks(tmp_path: Path, script: Path, backend: S3Backend | None) -> Path:
    """The folder of a stack that refers to another with a local state or one in S3."""
    app = AgentApp(outdir=tmp_path / "cdktf.out")
    first, second = (
        AgentStack(
            app,
            project="acme",
            environment=environment,
            queues=QUEUES,
            bootstrap_script=script,
            deployment=Deployment(folder=tmp_path / environment, backend=backend),
        )
        for environment in ("prod", "staging")
    )
    cdktf.TerraformOutput(second, "of_the_other", value=first.secrets_bucket.arn)
    app.synth()
    return tmp_path / "staging"


def test_a_stack_refers_to_another_by_the_state_beside_its_own(
    bootstrap_script: Path, tmp_path: Path
) -> None:
    folder = two_stacks(tmp_path, bootstrap_script, None)
    data = json.loads((folder / "buildkite.tf.json").read_text())["data"]
    (remote,) = data["terraform_remote_state"].values()
    assert remote == {"backend": "local", "config": {"path": "../prod/terraform.tfstate"}}
    output = json.loads((folder / "outputs.tf.json").read_text())["output"]["of_the_other"]
    assert output["value"].startswith("${data.terraform_remote_state.")
    shared = json.loads((tmp_path / "prod" / "outputs.tf.json").read_text())["output"]
    assert "${aws_s3_bucket.buildkite_secrets.arn}" in [each["value"] for each in shared.values()]


def test_a_stack_refers_to_another_by_the_state_in_s3(
    bootstrap_script: Path, tmp_path: Path
) -> None:
    folder = two_stacks(tmp_path, bootstrap_script, S3Backend("states", "eu-west-1"))
    data = json.loads((folder / "buildkite.tf.json").read_text())["data"]
    (remote,) = data["terraform_remote_state"].values()
    assert remote["backend"] == "s3"
    assert remote["config"]["key"] == "acme-prod/terraform.tfstate"
    assert remote["config"]["bucket"] == "states"


def test_a_reference_to_a_stack_of_another_app_is_refused(tmp_path: Path) -> None:
    first, second = (
        AgentStack(
            AgentApp(outdir=tmp_path / f"cdktf.out.{name}"),
            project=name,
            queues=QUEUES,
            deployment=Deployment(folder=tmp_path / name / "terraform"),
        )
        for name in ("first", "second")
    )
    cdktf.TerraformOutput(second, "of_the_other", value=first.policy.arn)
    with pytest.raises(ConfigError, match=r"^error: second-prod refers to first-prod, a stack of"):
        second.node.root.synth()  # type: ignore[attr-defined]
    assert not (tmp_path / "second" / "terraform").exists()


@pytest.mark.parametrize(
    ("create", "block"),
    [
        (
            lambda stack: cdktf.GcsBackend(stack, bucket="states"),
            {"backend": {"gcs": {"bucket": "states"}}},
        ),
        (
            lambda stack: cdktf.HttpBackend(stack, address="https://states"),
            {"backend": {"http": {"address": "https://states"}}},
        ),
    ],
    ids=["gcs", "http"],
)
@pytest.mark.parametrize("inside_root_module", [False, True])
def test_any_cdktf_backend_replaces_the_local_one(
    create: Callable[[AgentStack], object],
    block: dict[str, object],
    inside_root_module: bool,
    bootstrap_script: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "t").mkdir()
    app = AgentApp(outdir=tmp_path / "cdktf.out")
    stack = AgentStack(
        app,
        project="acme",
        queues=QUEUES,
        bootstrap_script=bootstrap_script,
        deployment=Deployment(folder=tmp_path / "t", inside_root_module=inside_root_module),
    )
    create(stack)
    app.synth()
    name = "buildkite.tf.json" if inside_root_module else "main.tf.json"
    terraform = json.loads((tmp_path / "t" / name).read_text())["terraform"]
    assert block.items() <= terraform.items()
    assert len({"backend", "cloud"} & terraform.keys()) == 1


def test_an_aspect_sees_each_resource(bootstrap_script: Path, tmp_path: Path) -> None:
    app = AgentApp(outdir=tmp_path / "cdktf.out")
    stack = AgentStack(app, project="acme", queues=QUEUES, bootstrap_script=bootstrap_script)
    seen = []

    @jsii.implements(cdktf.IAspect)
    class AddTag:
        def visit(self, node: IConstruct) -> None:
            if isinstance(node, cdktf.TerraformResource):
                seen.append(node.friendly_unique_id)
                node.add_override("tags.CostCenter", "benchmarks")

    cdktf.Aspects.of(stack).add(AddTag())
    resources = json.loads(cdktf.Testing.synth(stack, True))["resource"]
    assert len(seen) == sum(len(each) for each in resources.values())
    assert resources["aws_cloudformation_stack"]["q"]["tags"]["CostCenter"] == "benchmarks"


def test_a_stack_keeps_its_conditions_and_dependencies_beside_those_of_its_user(
    tmp_path: Path,
) -> None:
    app = AgentApp(outdir=tmp_path / "cdktf.out")
    stack = AgentStack(app, project="acme", queues=[AgentQueue("m5.large", name="q")])
    stack.queue_stacks["q"].lifecycle = cdktf.TerraformResourceLifecycle(prevent_destroy=True)
    stack.queue_stacks["q"].depends_on = ["aws_vpc.own"]

    configuration = json.loads(cdktf.Testing.synth(stack))
    made = configuration["resource"]["aws_cloudformation_stack"]["q"]
    assert made["lifecycle"]["prevent_destroy"] is True
    assert "postcondition" in made["lifecycle"]
    assert made["depends_on"][0] == "aws_vpc.own"
    assert "aws_iam_policy.buildkite_agent" in made["depends_on"]


def test_a_backend_beside_that_of_the_deployment_is_refused(
    bootstrap_script: Path, app: cdktf.App
) -> None:
    stack = AgentStack(
        app,
        project="acme",
        queues=QUEUES,
        bootstrap_script=bootstrap_script,
        deployment=Deployment(backend=S3Backend("states", "eu-west-1")),
    )
    cdktf.GcsBackend(stack, bucket="states")
    with pytest.raises(ConfigError, match=r"^error: deployment\.backend: the stack has another"):
        app.synth()


def test_skipping_validations_skips_no_check_of_this_package(tmp_path: Path) -> None:
    app = cdktf.App(outdir=str(tmp_path / "cdktf.out"), skip_validation=True)
    with pytest.raises(ConfigError, match="max_size must be at least 0"):
        AgentStack(app, project="acme", queues=[AgentQueue("m5.large", name="q", max_size=-1)])
    stack = AgentStack(app, project="acme", queues=QUEUES)
    S3Bucket(stack, "mine", bucket="mine").override_logical_id("buildkite_secrets")
    with pytest.raises(ConfigError, match="two resources have this address"):
        app.synth()
