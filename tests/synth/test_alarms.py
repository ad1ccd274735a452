"""The configuration of alarms."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from buildkite_agents import AgentQueue, Alarms, Deployment, Existing

Synthesize = Callable[..., dict[str, Any]]

EMAIL = "team@example.org"
TOPIC = "${aws_sns_topic.ours.arn}"
ALARM = "aws_cloudwatch_metric_alarm"
OURS = {ALARM, "aws_budgets_budget", "aws_kms_key", "aws_kms_key_policy"} | {
    f"aws_sns_topic{part}" for part in ("", "_policy", "_subscription")
}


def test_an_alarm_is_raised_by_all_of_its_periods(synthesize: Synthesize) -> None:
    queue = AgentQueue("m5.large", name="q")
    resources = synthesize(queues=[queue], alarms=Alarms("arrow-dev", topic=TOPIC))["resource"]
    jobs = {"period": 300, "namespace": "Buildkite"}
    jobs["dimensions"] = {"Org": "arrow-dev", "Queue": "q"}
    assert resources[ALARM]["q-jobs-wait"] == {
        "alarm_name": "conbench-prod-buildkite-q-jobs-wait",
        "alarm_description": "Jobs of the queue q have waited for 30 minutes while none ran. See "
        "docs/alarms.md, jobs-wait.",
        "comparison_operator": "GreaterThanOrEqualToThreshold",
        "threshold": 1,
        "evaluation_periods": 6,
        "datapoints_to_alarm": 6,
        "treat_missing_data": "ignore",
        "metric_query": [
            {
                "id": "alarm",
                "label": "jobs wait",
                "expression": "IF(scheduled > 0 AND running < 1, 1, 0)",
                "return_data": True,
            },
            {
                "id": "scheduled",
                "metric": {**jobs, "metric_name": "ScheduledJobsCount", "stat": "Minimum"},
            },
            {
                "id": "running",
                "metric": {**jobs, "metric_name": "RunningJobsCount", "stat": "Maximum"},
            },
        ],
        "alarm_actions": [TOPIC],
        "ok_actions": [TOPIC],
        "tags": {"Project": "conbench", "Environment": "prod"},
        "depends_on": ["aws_cloudformation_stack.q"],
    }


def test_only_the_alarms_of_instances_refer_to_an_output_of_the_stack(
    synthesize: Synthesize,
) -> None:
    alarms = synthesize(alarms=Alarms("arrow-dev", topic=TOPIC))["resource"][ALARM]
    referring = {name for name, alarm in alarms.items() if ".outputs[" in json.dumps(alarm)}
    assert referring == {"amd64-m5-4xlarge-linux-instances-without-jobs"}
    # The provider fails to update such an alarm together with the stack.
    assert {name: alarm["lifecycle"] for name, alarm in alarms.items() if "lifecycle" in alarm} == {
        "amd64-m5-4xlarge-linux-instances-without-jobs": {
            "replace_triggered_by": ["aws_cloudformation_stack.amd64-m5-4xlarge-linux"]
        }
    }


def test_an_existing_topic_gets_no_key_and_no_policy(synthesize: Synthesize) -> None:
    resources = synthesize(alarms=Alarms("arrow-dev", topic=TOPIC))["resource"]
    assert OURS & resources.keys() == {ALARM}


def test_only_cloudwatch_of_the_account_can_publish_and_use_the_key(
    synthesize: Synthesize,
) -> None:
    configuration = synthesize(alarms=Alarms("arrow-dev", email=EMAIL))
    resources = configuration["resource"]
    account = configuration["locals"]["buildkite_alarms_account"]
    assert account == '${element(split(":", aws_kms_key.buildkite_alarms.arn), 4)}'
    from_account = {"StringEquals": {"aws:SourceAccount": "${local.buildkite_alarms_account}"}}
    policy = json.loads(resources["aws_sns_topic_policy"]["buildkite_alarms"]["policy"])
    assert policy["Statement"] == [
        {
            "Sid": "PublishAlarms",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": ["sns:Publish"],
            "Resource": "${aws_sns_topic.buildkite_alarms.arn}",
            "Condition": from_account,
        }
    ]
    policy = json.loads(resources["aws_kms_key_policy"]["buildkite_alarms"]["policy"])
    assert policy["Statement"][1] == {
        "Sid": "EncryptAlarms",
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": "*",
        "Condition": from_account,
    }
    topic = resources["aws_sns_topic"]["buildkite_alarms"]
    assert topic["kms_master_key_id"] == "${aws_kms_key.buildkite_alarms.key_id}"


def test_each_provider_configuration_has_a_topic(synthesize: Synthesize) -> None:
    own = {"VpcId": None, "Subnets": None, "BuildkiteAgentTokenParameterStorePath": "/token"}
    queues = [
        AgentQueue("m5.large", name="east"),
        AgentQueue("m5.large", name="west", provider="aws.west", parameters=own),
    ]
    resources = synthesize(queues=queues, alarms=Alarms("arrow-dev", email=EMAIL))["resource"]
    for kind in OURS - {ALARM, "aws_budgets_budget"}:
        assert resources[kind].keys() == {"buildkite_alarms", "buildkite_alarms_west"}
        assert "provider" not in resources[kind]["buildkite_alarms"]
        assert resources[kind]["buildkite_alarms_west"]["provider"] == "aws.west"
    for name, alarm in resources[ALARM].items():
        is_west = name.startswith("west")
        assert alarm.get("provider") == ("aws.west" if is_west else None)
        topic = "buildkite_alarms_west" if is_west else "buildkite_alarms"
        assert alarm["alarm_actions"] == [f"${{aws_sns_topic.{topic}.arn}}"]


def test_a_paused_queue_keeps_the_topic_and_its_subscription(synthesize: Synthesize) -> None:
    queue = AgentQueue("m5.large", max_size=0)
    resources = synthesize(queues=[queue], alarms=Alarms("arrow-dev", email=EMAIL))["resource"]
    assert ALARM not in resources
    assert list(resources["aws_sns_topic_subscription"]) == ["buildkite_alarms"]


@pytest.mark.parametrize(
    ("alarms", "subscriber"),
    [
        (Alarms("a", email=EMAIL, monthly_budget=500), {"subscriber_email_addresses": [EMAIL]}),
        (Alarms("a", topic=TOPIC, monthly_budget=500), {"subscriber_sns_topic_arns": [TOPIC]}),
    ],
)
def test_the_budget_notifies_the_same_recipient(
    synthesize: Synthesize, alarms: Alarms, subscriber: dict[str, Any]
) -> None:
    budget = synthesize(alarms=alarms)["resource"]["aws_budgets_budget"]["buildkite"]
    assert (budget["limit_amount"], budget["limit_unit"]) == ("500", "USD")
    assert budget["cost_filter"] == [{"name": "TagKeyValue", "values": ["user:Project$conbench"]}]
    when = [(each["notification_type"], each["threshold"]) for each in budget["notification"]]
    assert when == [("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)]
    for notification in budget["notification"]:
        assert notification.items() >= subscriber.items()


def test_a_budget_for_a_tag_with_a_reference_does_not_escape_it(synthesize: Synthesize) -> None:
    alarms = Alarms("a", email=EMAIL, monthly_budget=5, budget_tag="Team")
    budget = synthesize(alarms=alarms, tags={"Team": "${var.team}"})["resource"]
    (values,) = budget["aws_budgets_budget"]["buildkite"]["cost_filter"]
    assert values["values"] == ['user:Team${"$"}${var.team}']


def test_a_name_of_a_queue_cannot_be_that_of_another_queues_alarm(synthesize: Synthesize) -> None:
    queues = [
        AgentQueue("m5.large", name=name) for name in ("q", "q-jobs-wait", "buildkite_alarms")
    ]
    resources = synthesize(queues=queues, alarms=Alarms("arrow-dev", email=EMAIL))["resource"]
    assert len(resources[ALARM]) == 9


def test_alarms_are_imported_with_the_other_resources(synthesize: Synthesize) -> None:
    configuration = synthesize(
        alarms=Alarms("arrow-dev", email=EMAIL, monthly_budget=500),
        deployment=Deployment(import_account="123456789012"),
    )
    imported = {block["to"]: block["id"] for block in configuration["import"]}
    assert imported["aws_budgets_budget.buildkite"] == "123456789012:conbench-prod-buildkite"
    topic = imported["aws_sns_topic.buildkite_alarms"]
    assert topic.endswith(":sns:${var.aws_region}:123456789012:conbench-prod-buildkite-alarms")
    # Their ids are not predictable.
    assert {
        "aws_kms_key.buildkite_alarms",
        "aws_sns_topic_subscription.buildkite_alarms",
    }.isdisjoint(imported)


def test_without_alarms_there_is_nothing_of_them(synthesize: Synthesize) -> None:
    assert OURS.isdisjoint(synthesize()["resource"])
    assert "alarm" not in json.dumps(synthesize(access=Existing("arn:aws:iam::aws:policy/a")))


def test_a_synthesis_without_alarms_loads_no_bindings_for_them(root: Path, tmp_path: Path) -> None:
    program = (
        "import runpy, sys\n"
        "runpy.run_path(sys.argv[1], run_name='__main__')\n"
        "print([name for name in sys.modules if 'sns' in name or 'alarm' in name])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, root / "tests" / "golden" / "main.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = done.stdout.splitlines()[-1]
    assert loaded == "['buildkite_agents.checks.alarms', 'buildkite_agents.alarms']"
