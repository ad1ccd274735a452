"""Alarms in AWS: created, changed, destroyed, imported, and unchanged by a second plan."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.deployment import LiveDeployment
from support.loopback_aws import ACCOUNT, REGION, LoopbackAws

from buildkite_agents import AgentQueue, Alarms, Deployment, Network

pytestmark = pytest.mark.usefixtures("only_since_provider_5")

PREFIX = "conbench-prod-buildkite"
QUEUE = AgentQueue("m5.4xlarge", name="nightly")
FIXED = AgentQueue("m5.large", name="fixed", min_size=2, max_size=2)
ALARMS = Alarms("arrow-dev", email="team@example.org", monthly_budget=500)
# The provider waits for a minute until it considers a bucket's lifecycle rule stable.
NO_BUCKET: dict[str, Any] = {"secrets_bucket": None, "bootstrap_script": None}
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:{PREFIX}-alarms"
OF_TOPIC = {
    f"aws_{kind}.buildkite_alarms"
    for kind in ("kms_key", "kms_key_policy", "sns_topic", "sns_topic_policy")
} | {"aws_sns_topic_subscription.buildkite_alarms"}


def alarms_in(aws: LoopbackAws, region: str = REGION) -> dict[str, Any]:
    client = aws.client("cloudwatch", region)
    found = client.describe_alarms()["MetricAlarms"]
    return {alarm["AlarmName"].removeprefix(f"{PREFIX}-"): alarm for alarm in found}


def test_alarms_from_creation_to_destruction(deployment: LiveDeployment, aws: LoopbackAws) -> None:
    tf = deployment.synthesize(queues=[QUEUE, FIXED], alarms=ALARMS, **NO_BUCKET)
    tf.apply()
    alarms = alarms_in(aws)
    assert alarms.keys() == {
        "nightly-jobs-wait",
        "nightly-scaler-silent",
        "nightly-instances-without-jobs",
        "fixed-instances-missing",
    }
    for alarm in alarms.values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [TOPIC]
        assert alarm["ActionsEnabled"]
    groups = [
        metric["MetricStat"]["Metric"]["Dimensions"]
        for metric in alarms["fixed-instances-missing"]["Metrics"]
        if "MetricStat" in metric
    ]
    group = f"{PREFIX}-fixed-AgentAutoScaleGroup-1A2B3C4D5E6F"
    assert groups == [[{"Name": "AutoScalingGroupName", "Value": group}]] * 2
    assert tf.would_change_nothing()

    sns, kms, budgets = (aws.client(name) for name in ("sns", "kms", "budgets"))
    topic = sns.get_topic_attributes(TopicArn=TOPIC)["Attributes"]
    (publish,) = json.loads(topic["Policy"])["Statement"]
    assert publish["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert publish["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert publish["Resource"] == TOPIC
    key = topic["KmsMasterKeyId"]
    account, encrypt = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])[
        "Statement"
    ]
    assert account["Principal"] == {"AWS": ACCOUNT}
    assert encrypt["Principal"] == publish["Principal"]
    assert encrypt["Condition"] == publish["Condition"]
    (subscription,) = sns.list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "team@example.org")
    budget = {"AccountId": ACCOUNT, "BudgetName": PREFIX}
    described = budgets.describe_budget(**budget)["Budget"]
    assert described["CostFilters"] == {"TagKeyValue": ["user:Project$conbench"]}

    changed = Alarms("arrow-dev", email=ALARMS.email, jobs_wait_minutes=60, monthly_budget=750)
    larger = AgentQueue("m5.4xlarge", name="nightly", max_size=8)
    tf = deployment.synthesize(queues=[larger, FIXED], alarms=changed, **NO_BUCKET)
    plan = tf.plan()
    assert plan.updated == {
        "aws_budgets_budget.buildkite",
        "aws_cloudformation_stack.nightly",
        "aws_cloudwatch_metric_alarm.fixed-instances-missing",
        "aws_cloudwatch_metric_alarm.nightly-jobs-wait",
    }
    # Its metrics have an output of the changed stack.
    assert plan.deleted == {"aws_cloudwatch_metric_alarm.nightly-instances-without-jobs"}
    assert plan.created == set()
    tf.apply()
    assert alarms_in(aws)["nightly-jobs-wait"]["EvaluationPeriods"] == 12
    assert alarms_in(aws).keys() == alarms.keys()
    assert tf.would_change_nothing()

    tf.run("destroy", "-auto-approve")
    assert alarms_in(aws) == {}
    assert sns.list_topics()["Topics"] == []
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    assert budgets.describe_budgets(AccountId=ACCOUNT).get("Budgets", []) == []


def test_alarms_are_imported_when_the_state_is_lost(
    deployment: LiveDeployment, aws: LoopbackAws
) -> None:
    tf = deployment.synthesize(queues=[QUEUE], alarms=ALARMS, **NO_BUCKET)
    tf.apply()
    (tf.folder / "terraform.tfstate").unlink()
    importing = Deployment(import_account=ACCOUNT)
    tf = deployment.synthesize(queues=[QUEUE], alarms=ALARMS, deployment=importing, **NO_BUCKET)
    # Their ids are not predictable.
    new = {"aws_kms_key.buildkite_alarms", "aws_kms_key_policy.buildkite_alarms"}
    new.add("aws_sns_topic_subscription.buildkite_alarms")
    assert tf.plan().created == new
    tf.apply()
    assert len(alarms_in(aws)) == 3
    assert tf.would_change_nothing()


MAIN = """\
provider "aws" {
  region = "us-east-1"
}

provider "aws" {
  alias  = "west"
  region = "us-west-2"
}

variable "aws_region" {
  default = "us-east-1"
}

variable "buildkite_agent_token" {
  sensitive = true
}

variable "buildkite_agent_amis" {
  default = {}
}

variable "maximum" {
  default = 0
}
"""


def test_a_fleet_in_two_regions_gets_alarms_without_another_change(
    deployment: LiveDeployment, aws: LoopbackAws, tmp_path: Path
) -> None:
    (tmp_path / "synthesized").mkdir()
    (tmp_path / "synthesized" / "main.tf").write_text(MAIN)
    own = {"VpcId": None, "Subnets": None, "BuildkiteAgentTokenParameterStorePath": "/token"}
    fleet: dict[str, Any] = {
        **NO_BUCKET,
        "queues": [
            AgentQueue("m5.large", name="east", max_size="${var.maximum}"),
            AgentQueue("m5.large", name="west", provider="aws.west", parameters=own),
        ],
        "network": Network("vpc-0123456789abcdef0", ["subnet-0123456789abcdef0"]),
        "deployment": Deployment(inside_root_module=True),
    }
    tf = deployment.synthesize(**fleet)
    tf.apply()
    alarms = Alarms("arrow-dev", email="team@example.org")
    tf = deployment.synthesize(**fleet, alarms=alarms)
    plan = tf.plan()
    kinds = ("jobs-wait", "scaler-silent", "instances-without-jobs")
    assert plan.created == OF_TOPIC | {f"{address}_west" for address in OF_TOPIC} | {
        f"aws_cloudwatch_metric_alarm.{queue}-{kind}"
        for queue in ("east", "west")
        for kind in kinds
    }
    assert plan.updated == plan.deleted == set()
    tf.apply()
    assert tf.would_change_nothing()
    for region, queue in ((REGION, "east"), ("us-west-2", "west")):
        found = alarms_in(aws, region)
        assert found.keys() == {f"{queue}-{kind}" for kind in kinds}
        for alarm in found.values():
            assert [arn.split(":")[3] for arn in alarm["AlarmActions"]] == [region]
            # The variable pauses that queue.
            assert alarm["ActionsEnabled"] == (queue == "west")
