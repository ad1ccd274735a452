"""Warnings: what works, and should be meant."""

from typing import Any

import pytest
from support import documented

from buildkite_agents import AgentQueue, elastic_ci_stack
from buildkite_agents.checks.risks import RISKS, warnings

RISKY: dict[str, tuple[str, dict[str, Any]]] = {
    "always-on": ("m5.large", {"min_size": 1}),
    "shared-instance": ("m5.large", {"agents_per_instance": 2}),
    "spot": ("m5.large", {"on_demand_percentage": 99}),
    "burstable": ("m5.large", {"more_instance_types": ["t3.large"]}),
    "gp3-iops": ("m5.large", {"stack_version": "v6.21.0"}),
}


def warnings_of(queue: AgentQueue) -> list[str]:
    return warnings(queue, elastic_ci_stack.load(queue.stack_version))


@pytest.mark.parametrize("risk", RISKS, ids=lambda risk: risk.name)
def test_a_risk_is_told_with_its_reason_until_it_is_accepted(risk: Any) -> None:
    instance_type, settings = RISKY[risk.name]
    (warning,) = warnings_of(AgentQueue(instance_type, name="q", **settings))
    assert warning == (f"queue 'q': {risk.reason} (accepted_risks=['{risk.name}'] accepts it)")
    accepted = AgentQueue(instance_type, name="q", accepted_risks=[risk.name], **settings)
    assert warnings_of(accepted) == []


def test_a_burstable_type_with_its_credits_said_is_no_risk() -> None:
    assert warnings_of(AgentQueue("t4g.large", parameters={"CpuCredits": "unlimited"})) == []


def test_the_documented_queues_give_no_warning() -> None:
    assert [warning for queue in documented.QUEUES for warning in warnings_of(queue)] == []
