"""What a job can change for later jobs, and for root (Linux only)."""

from collections.abc import Callable

import pytest
from bootstrap.agent import job_environment
from bootstrap.instance import AGENT_HOME, CONFIGURATION, Instance

Boot = Callable[..., Instance]
ENV_FILE = "export CONBENCH_PASSWORD=planted-secret\n"


def as_job(instance: Instance, command: str) -> bool:
    """Whether a command of a job succeeds."""
    done = instance.run(f"exec runuser -u buildkite-agent -- /bin/bash -c '{command}'")
    return done.returncode == 0


@pytest.fixture
def instance(boot: Boot, script: str) -> Instance:
    made: Instance = boot()
    made.put_env(ENV_FILE)
    status, output = made.boot(script)
    assert status == 0, output
    return made


@pytest.mark.parametrize(
    "path",
    [
        "/etc/buildkite-agent/queue-env",
        "/etc/buildkite-agent/queue-env.bash",
        "/etc/buildkite-agent/cfn-env",
        "/etc/buildkite-agent/hooks/environment",
        CONFIGURATION,
        "/usr/local/buildkite-aws-stack/plugins/secrets/hooks/environment",
        "/etc/systemd/system/queue-env.service",
    ],
)
def test_a_job_reads_but_cannot_change_what_later_jobs_and_root_run(
    instance: Instance, path: str
) -> None:
    assert as_job(instance, f"cat {path}")
    assert not as_job(instance, f"echo >>{path}")
    assert not as_job(instance, f"mv {path} {path}.old")
    assert not as_job(instance, f"rm --force {path}")


def test_a_replaced_cfn_env_of_a_job_has_no_effect(instance: Instance) -> None:
    assert as_job(
        instance, f"mv {AGENT_HOME}/cfn-env /tmp; echo export EVIL=1 >{AGENT_HOME}/cfn-env"
    )
    environment = job_environment(instance)
    assert environment["FROM_CFN_ENV"] == "yes"
    assert "EVIL" not in environment
    stopping = instance.run("bash -x /usr/local/bin/stop-agent-gracefully")
    assert stopping.returncode == 0
    assert "EVIL" not in stopping.stderr


def test_a_file_of_jobs_in_the_agents_home_does_not_reach_the_unit_of_root(
    instance: Instance,
) -> None:
    unit = instance.read("/etc/systemd/system/queue-env.service")
    assert "EnvironmentFile" not in unit
    assert AGENT_HOME not in unit


def test_the_token_is_readable_for_the_agent_and_its_jobs_alone(instance: Instance) -> None:
    assert as_job(instance, f"cat {CONFIGURATION}"), "the agent itself reads it as this user"
    assert instance.run(f"runuser -u nobody -- cat {CONFIGURATION}").returncode != 0


def test_jobs_still_write_to_their_home(instance: Instance) -> None:
    assert as_job(
        instance, f"touch {AGENT_HOME}/of-a-job; HOME={AGENT_HOME} git config --global a.b c"
    )
