"""A cheaper fleet, not for benchmarks: Spot Instances, several types, one instance by day.

It writes to the current folder: run it in a folder of its own, with the checkout's Python, such as
`mkdir example && cd example && ../.venv/bin/python ../examples/cheap_fleet.py`.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "constructs"))  # where buildkite_agents is not installed

from buildkite_agents import AgentApp, AgentQueue, AgentStack, AgentToken  # noqa: E402

app = AgentApp()
AgentStack(
    app,
    project="acme",
    token=AgentToken(organization="acme-inc"),
    queues=[
        AgentQueue(
            "m5.xlarge",
            name="tests",
            more_instance_types=["m5a.xlarge", "m6i.xlarge", "m6a.xlarge"],
            on_demand_percentage=0,
            max_size=20,
            idle_minutes=5,
            parameters={
                "EnableScheduledScaling": True,
                "ScheduleTimezone": "Europe/Berlin",
                "ScaleUpSchedule": "0 8 * * MON-FRI",
                "ScaleUpMinSize": 1,
                "ScaleDownSchedule": "0 18 * * MON-FRI",
                "ScaleDownMinSize": 0,
            },
            accepted_warnings=["always-on", "spot"],
        )
    ],
    bootstrap_script=ROOT / "bootstrap" / "buildkite-bootstrap.sh",
)
app.synth()
