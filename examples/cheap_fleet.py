"""A cheaper fleet, not for benchmarks: Spot Instances, several types, one instance by day."""

from pathlib import Path

from buildkite_agents import AgentApp, AgentQueue, AgentStack, AgentToken

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
    bootstrap_script=Path(__file__).parents[1] / "bootstrap" / "buildkite-bootstrap.sh",
)
app.synth()
