"""What a program no longer defines stays in AWS, and what it renames is replaced in order."""

from typing import Any

import pytest
from support.deployment import BUCKET, SCRIPT_KEY, LiveDeployment
from support.loopback_aws import ACCOUNT, Fault, LoopbackAws

from buildkite_agents import AgentAccess, AgentQueue, AgentToken, Deployment, Existing

QUEUES = [AgentQueue("m5.4xlarge", name="q")]
PARAMETER = "/buildkite/agent-token"
POLICY = "conbench-prod-buildkite-agent-policy"

pytestmark = pytest.mark.usefixtures("only_since_provider_5")


class Requests(Fault):
    """Records requests and forwards them."""

    def __init__(self, *actions: str) -> None:
        """Record the requests of *actions*, such as ``DeletePolicy``."""
        super().__init__("", status="", code="", times=0)
        self._actions = actions
        self.seen: list[str] = []

    def answer(self, request: bytes) -> None:
        """Record the action of a request."""
        self.seen += [
            action
            for action in self._actions
            if f"Action={action}&".encode() in request or f"AmazonSSM.{action}'".encode() in request
        ]


def parameters(aws: LoopbackAws) -> set[str]:
    described = aws.client("ssm").describe_parameters()["Parameters"]
    return {parameter["Name"] for parameter in described}


def policies(aws: LoopbackAws) -> set[str]:
    return {p["PolicyName"] for p in aws.client("iam").list_policies(Scope="Local")["Policies"]}


@pytest.fixture
def deployed(deployment: LiveDeployment) -> LiveDeployment:
    """One deployed queue."""
    deployment.synthesize(queues=QUEUES).apply()
    return deployment


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        (
            {
                "secrets_bucket": Existing(BUCKET),
                "bootstrap_script": f"s3://{BUCKET}/{SCRIPT_KEY}",
            },
            {
                "aws_s3_bucket.buildkite_secrets",
                "aws_s3_bucket_lifecycle_configuration.buildkite_secrets",
                "aws_s3_bucket_ownership_controls.buildkite_secrets",
                "aws_s3_bucket_policy.buildkite_secrets",
                "aws_s3_bucket_public_access_block.buildkite_secrets",
                "aws_s3_bucket_server_side_encryption_configuration.buildkite_secrets",
                "aws_s3_bucket_versioning.buildkite_secrets",
                "aws_s3_object.bootstrap_script",
            },
        ),
        ({"token": Existing(PARAMETER)}, {"aws_ssm_parameter.buildkite_agent_token"}),
        ({"access": None}, {"aws_iam_policy.buildkite_agent"}),
        ({"bootstrap_script": None}, {"aws_s3_object.bootstrap_script"}),
    ],
    ids=["bucket", "token", "policy", "script"],
)
def test_what_is_handed_over_leaves_the_state_and_stays_in_aws(
    deployed: LiveDeployment, aws_server: LoopbackAws, settings: dict[str, Any], left: set[str]
) -> None:
    before = deployed.terraform.state_addresses()
    tf = deployed.synthesize(queues=QUEUES, **settings)
    assert tf.plan().deleted == set()
    tf.apply()
    assert before - tf.state_addresses() == left
    assert tf.would_change_nothing()
    client = aws_server.client("s3")
    assert client.get_bucket_policy(Bucket=BUCKET)["Policy"]
    assert client.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    assert client.head_object(Bucket=BUCKET, Key=SCRIPT_KEY)["ContentLength"] > 0
    assert parameters(aws_server) == {PARAMETER}
    assert policies(aws_server) == {POLICY}


def test_destroying_what_is_unused_is_asked_for(
    deployed: LiveDeployment, aws_server: LoopbackAws
) -> None:
    tf = deployed.synthesize(
        queues=QUEUES,
        token=Existing("/buildkite/another"),
        deployment=Deployment(destroy_unused=True),
    )
    assert tf.plan().deleted == {"aws_ssm_parameter.buildkite_agent_token"}
    tf.apply()
    assert parameters(aws_server) == set()


def test_a_renamed_policy_is_deleted_after_the_stacks_have_changed(
    deployed: LiveDeployment, aws_server: LoopbackAws
) -> None:
    tf = deployed.synthesize(queues=QUEUES, access=AgentAccess(policy_name="renamed"))
    requests = Requests("CreatePolicy", "UpdateStack", "DeletePolicy")
    aws_server.faults.append(requests)
    tf.apply()
    assert requests.seen == ["CreatePolicy", "UpdateStack", "DeletePolicy"]
    assert policies(aws_server) == {"renamed"}
    assert tf.would_change_nothing()


def test_a_renamed_token_is_deleted_only_after_the_stacks_have_changed(
    deployed: LiveDeployment, aws_server: LoopbackAws
) -> None:
    tf = deployed.synthesize(queues=QUEUES, token=AgentToken(parameter="/buildkite/renamed"))
    refused = Fault("Action=UpdateStack", status="400 Bad Request", code="ValidationError", times=1)
    aws_server.faults.append(refused)
    assert tf.run("apply", "-auto-approve", check=False).returncode == 1
    assert refused.happened
    assert parameters(aws_server) == {PARAMETER, "/buildkite/renamed"}
    tf.apply()
    assert parameters(aws_server) == {"/buildkite/renamed"}


def test_what_was_handed_over_can_be_imported_again(
    deployed: LiveDeployment, aws_server: LoopbackAws
) -> None:
    deployed.synthesize(queues=QUEUES, token=Existing(PARAMETER)).apply()
    tf = deployed.synthesize(queues=QUEUES)
    tf.run("import", "aws_ssm_parameter.buildkite_agent_token", PARAMETER)
    plan = tf.plan()
    assert (plan.created, plan.deleted) == (set(), set())
    tf.apply()
    assert tf.would_change_nothing()
    assert parameters(aws_server) == {PARAMETER}


def test_a_second_workspace_is_refused_in_words(deployment: LiveDeployment) -> None:
    tf = deployment.synthesize(queues=QUEUES)
    tf.run("workspace", "new", "second")
    done = tf.run("plan", "-no-color", check=False)
    assert done.returncode == 1
    assert "This configuration is for the workspace default" in done.stderr


def test_further_arguments_of_the_provider_are_its_own(
    deployment: LiveDeployment,
) -> None:
    arguments: dict[str, Any] = {
        "allowed_account_ids": [ACCOUNT],
        "ignore_tags": [{"keys": ["Owner"]}],
    }
    tf = deployment.synthesize(queues=QUEUES, deployment=Deployment(provider=arguments))
    tf.apply()
    assert tf.would_change_nothing()
