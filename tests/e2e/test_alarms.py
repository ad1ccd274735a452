"""Alarms in AWS: created, changed, destroyed, and unchanged by a second plan."""

from collections.abc import Callable
from typing import Any

import pytest
from support.deployment import LiveDeployment
from support.loopback_aws import LoopbackAws

from buildkite_agents import AgentQueue, Alarms, SecretsBucket

pytestmark = pytest.mark.usefixtures("only_since_provider_5")

QUEUE = AgentQueue("m5.4xlarge", name="nightly")
FIXED = AgentQueue("m5.large", name="fixed", min_size=2, max_size=2)
PREFIX = "conbench-prod-buildkite"
UNPROTECTED = SecretsBucket(deletion_protection=False)


def alarms_in(aws: LoopbackAws) -> dict[str, Any]:
    found = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    return {alarm["AlarmName"].removeprefix(f"{PREFIX}-"): alarm for alarm in found}


def test_alarms_from_creation_to_destruction(
    deployment: LiveDeployment, aws: LoopbackAws
) -> None:
    alarms = Alarms("arrow-dev", email="team@example.org", monthly_budget=500)
    with_alarms: dict[str, Any] = {"queues": [QUEUE, FIXED], "secrets_bucket": UNPROTECTED}
    tf = deployment.synthesize(**with_alarms, alarms=alarms)
    tf.apply()
    assert alarms_in(aws).keys() == {
        "nightly-jobs-wait",
        "nightly-scaler-silent",
        "nightly-instances-without-jobs",
        "fixed-instances-missing",
    }
    assert tf.would_change_nothing()
