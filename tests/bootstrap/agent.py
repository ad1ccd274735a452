"""What the Buildkite agent does with an environment hook and the log of a job.

By the source of the agent at v3.50.3, v3.73.1, v3.137.0 and v4, which agree but for the default
patterns (https://github.com/buildkite/agent/blob/v3.137.0/):

- ``cliconfig/loader.go``, ``setFieldValueFromCLI``: ``redacted-vars`` is the agent's environment
  variable ``BUILDKITE_REDACTED_VARS`` if that is not empty, or else the line of the configuration
  file, or else the default. One replaces the other.
- ``agent/job_runner.go``, ``createEnvironment``: each job has that list as
  ``BUILDKITE_REDACTED_VARS``, whatever the job's own environment says.
- ``clicommand/bootstrap.go``: the job executor reads the variable once, when it starts. The field
  ``RedactedVars`` of ``internal/job/config.go`` has no ``env`` tag: no hook can change it.
- ``internal/job/executor.go``, ``applyEnvironmentChanges``: after a hook, the values of all
  variables whose names match are added to what the log hides.
- ``internal/redact/redact.go``: a pattern is one of Go's ``path.Match``; values of fewer than six
  bytes are left out.
"""

import fnmatch
import re
import subprocess

from bootstrap.instance import AGENT_HOME, CONFIGURATION, HOOK, Instance

_DEFAULT_OF_3_50 = "*_PASSWORD,*_SECRET,*_TOKEN,*_PRIVATE_KEY,*_ACCESS_KEY,*_SECRET_KEY"
_SHORTEST = 6


def patterns(instance: Instance) -> list[str]:
    """The names whose values the agent redacts, as it reads them when it starts."""
    found = re.findall(r"(?m)^redacted-vars=(.*)$", instance.read(CONFIGURATION))
    environment = instance.run(f"cat {AGENT_HOME}/env").stdout
    own = re.findall(r'(?m)^BUILDKITE_REDACTED_VARS="?([^"\n]*)"?$', environment)
    chosen = [*own[-1:], *found[-1:], _DEFAULT_OF_3_50]
    return [pattern for pattern in next(filter(None, chosen)).split(",") if pattern]


def run_hook(instance: Instance, **of_job: str) -> subprocess.CompletedProcess[str]:
    """Run the environment hook, and print the environment after it, ended by NUL."""
    variables = {
        "HOME": AGENT_HOME,
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        **of_job,
        "BUILDKITE_REDACTED_VARS": ",".join(patterns(instance)),
    }
    return instance.run(
        'exec runuser -u buildkite-agent -- env -i "${@}" '
        f"bash -c '. {HOOK} >/dev/null; exec /usr/bin/env --null'",
        arguments=[f"{name}={value}" for name, value in variables.items()],
    )


def job_environment(instance: Instance, **of_job: str) -> dict[str, str]:
    """The variables of a job after the environment hook."""
    done = run_hook(instance, **of_job)
    assert done.returncode == 0, done.stderr
    return dict(pair.split("=", 1) for pair in done.stdout.split("\0") if pair)


def job_log(instance: Instance, printed: str, **of_job: str) -> str:
    """What the log of a job has in the place of *printed*."""
    executor = patterns(instance)
    for name, value in job_environment(instance, **of_job).items():
        matches = any(fnmatch.fnmatchcase(name, pattern) for pattern in executor)
        if matches and len(value.encode()) >= _SHORTEST:
            printed = printed.replace(value, "[REDACTED]")
    return printed
