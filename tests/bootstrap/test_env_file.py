"""A queue's env file: what jobs get of it, and what logs show (Linux only)."""

import re
import time
from collections.abc import Callable

import pytest
from bootstrap.agent import job_environment, job_log, run_hook
from bootstrap.instance import AGENT_HOME, CONFIGURATION, TOKEN, Instance

SECRET = "planted-secret-b1946ac9"  # noqa: S105
ENV_FILE = f"export CONBENCH_PASSWORD={SECRET}\nexport GREETING='hello, world'\n"
URL = "s3://conbench-prod-buildkite-secrets/queues/arm64-t4g-2xlarge-linux/env"
DOCUMENTED = """export ARROW_BCI_URL=https://your-arrow-bci-url
export CONBENCH_EMAIL=benchmark@example.com
export CONBENCH_PASSWORD=your-password
export CONBENCH_URL=https://conbench.arrow-dev.org
export GITHUB_PAT=your-github-token
"""
Boot = Callable[..., Instance]


def booted(boot: Boot, script: str, env_file: str) -> tuple[Instance, str]:
    """An instance that has booted with an env file, and its log."""
    instance = boot()
    instance.put_env(env_file)
    status, output = instance.boot(script)
    assert status == 0, output
    return instance, output


def test_a_queues_env_file_reaches_its_jobs(boot: Boot, script: str) -> None:
    instance, _ = booted(boot, script, ENV_FILE)
    assert any(f" {URL} " in call for call in instance.calls())
    environment = job_environment(instance)
    assert environment["CONBENCH_PASSWORD"] == SECRET
    assert environment["GREETING"] == "hello, world"
    assert environment["FROM_CFN_ENV"] == "yes"


def test_the_env_file_runs_for_each_job_with_its_variables(boot: Boot, script: str) -> None:
    instance, _ = booted(boot, script, 'export BRANCH="of $BUILDKITE_BRANCH"\n')
    assert job_environment(instance, BUILDKITE_BRANCH="main")["BRANCH"] == "of main"
    assert job_environment(instance, BUILDKITE_BRANCH="next")["BRANCH"] == "of next"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=1", "1"),
        ("declare A=1", "1"),
        ("A=1; export A", "1"),
        ('export A="$NOT_SET/x"', "/x"),
        ("export A='two\nlines'", "two\nlines"),
        ("export A=1\\", "1"),
        ("export A=$(printf %0131000d 0)", "0" * 131_000),
        ("read -r A <<<1", "1"),
        ("cd /tmp; umask 077; exec >/tmp/x; A=1", "1"),
        ("shopt -s extdebug; set -o posix; A=1", "1"),
        ("while getopts ab o; do :; done; [[ x =~ x ]]; A=1", "1"),
        ("A=$(printf '\\303\\244')", "ä"),
        ("export A='$(touch /tmp/p); `x` \"'", '$(touch /tmp/p); `x` "'),
    ],
    ids=lambda text: text[:20],
)
def test_each_variable_that_the_file_sets_reaches_jobs(
    boot: Boot, script: str, line: str, value: str
) -> None:
    instance, _ = booted(boot, script, line)
    assert job_environment(instance)["A"] == value


@pytest.mark.parametrize("name", ["OPTFLAGS", "BASH_ENV", "COLUMNS", "PS4", "queue_size", "a"])
def test_no_name_of_a_variable_is_special(boot: Boot, script: str, name: str) -> None:
    instance, _ = booted(boot, script, f"export {name}=of-the-file\n")
    assert job_environment(instance)[name] == "of-the-file"


def test_functions_and_the_shells_own_variables_stay_in_the_env_file(
    boot: Boot, script: str
) -> None:
    instance, output = booted(
        boot, script, "f() { local x; }\nexport -f f\nf\n[[ ab =~ (b) ]]\nA=1\n"
    )
    names = set(job_environment(instance))
    assert names - {"PWD", "SHLVL", "_", "HOME", "PATH"} == {
        *("A", "BUILDKITE_REDACTED_VARS", "FROM_CFN_ENV"),
        *("BUILDKITE_SECRETS_BUCKET", "BUILDKITE_SECRETS_BUCKET_REGION"),
    }
    assert "WARNING" not in output


@pytest.mark.parametrize(
    "line",
    [
        '[ -n "${NOT_SET-}" ] && export OTHER=1',
        "set -x",
        "set -e; [ -n '' ] && true",
        "set -o noclobber; set -f; IFS=x",
        "set -u; trap 'exit 5' EXIT",
        "echo printed; echo printed >&2",
        "readonly HOME; unset PATH",
        'eval "$(ssh-agent -s)"',
        "/bin/sleep 99 &",
        "f() { return 1; }; if f; then :; fi",
    ],
)
def test_an_env_file_cannot_break_or_alter_the_hook(boot: Boot, script: str, line: str) -> None:
    started = time.monotonic()
    instance, output = booted(boot, script, f"{ENV_FILE}{line}\n")
    environment = job_environment(instance)
    assert environment["CONBENCH_PASSWORD"] == SECRET
    assert environment["PATH"] == "/usr/local/bin:/usr/bin:/bin"
    assert "printed" not in output + str(environment)
    assert time.monotonic() - started < 30


def test_an_env_file_from_windows_has_no_carriage_returns_in_its_values(
    boot: Boot, script: str
) -> None:
    instance, _ = booted(boot, script, "export A=1\r\nexport B='two words'\r\n")
    assert {"A": "1", "B": "two words"}.items() <= job_environment(instance).items()


def test_the_agent_redacts_what_looks_secret_and_nothing_else(boot: Boot, script: str) -> None:
    instance, output = booted(boot, script, DOCUMENTED)
    printed = "https://conbench.arrow-dev.org benchmark@example.com your-password your-github-token"
    assert job_log(instance, printed) == (
        "https://conbench.arrow-dev.org benchmark@example.com [REDACTED] [REDACTED]"
    )
    assert "bootstrap: the agent redacts in job logs: CONBENCH_PASSWORD GITHUB_PAT\n" in output
    assert TOKEN in instance.read(CONFIGURATION)


@pytest.mark.parametrize(
    "variable",
    [
        *("GITHUB_PAT=123456", "PGPASSWORD=123456", "db_pass=123456", "NPM_TOKEN_2=123456"),
        *("SECRET_KEY_BASE=123456", "DOCKER_AUTH_CONFIG=123456", "SLACK_WEBHOOK_URL=123456"),
        *("DATABASE_URL=postgres://u:123456@h/d", "SENTRY_DSN=123456", "SSH_KEY=123456"),
        *("AWS_CREDENTIALS=123456", "PUSHER=ghp_123456", "APIKEY=123456", "OPENAI_API_KEY=123456"),
    ],
)
def test_a_name_or_value_of_a_secret_is_redacted(boot: Boot, script: str, variable: str) -> None:
    instance, _ = booted(boot, script, f"export {variable}\n")
    assert job_log(instance, variable.split("=", 1)[1]) == "[REDACTED]"


@pytest.mark.parametrize(
    "variable",
    [
        *(
            "CI=true-or-not",
            "CONBENCH_URL=https://conbench.org",
            "AUTHOR=somebody",
            "MONKEY=banana",
        ),
        *("PYTHONPATH=/opt/lib", "TOKENIZERS_PARALLELISM=falsefalse", "CACHE_KEY=arrow-1"),
        *("SSH_KEY_FILE=/etc/key", "BYPASS_CACHE=always", "TOKEN_URL=https://h/token"),
    ],
)
def test_what_is_no_secret_is_not_redacted(boot: Boot, script: str, variable: str) -> None:
    instance, _ = booted(boot, script, f"export {variable}\n")
    value = variable.split("=", 1)[1]
    assert job_log(instance, value) == value


def test_other_names_are_redacted_on_request(boot: Boot, script: str) -> None:
    instance, _ = booted(
        boot,
        script,
        'export PLAIN=123456\nexport BUILDKITE_REDACTED_VARS="$BUILDKITE_REDACTED_VARS,PLA*"\n',
    )
    assert job_log(instance, "123456") == "[REDACTED]"
    assert "*_TOKEN" in job_environment(instance)["BUILDKITE_REDACTED_VARS"]


def test_the_agents_own_default_patterns_stay(boot: Boot, script: str) -> None:
    instance, _ = booted(boot, script, DOCUMENTED)
    assert job_log(instance, "of-a-plugin", MY_CONNECTION_STRING="of-a-plugin") == "[REDACTED]"


def test_patterns_in_the_agents_own_environment_are_extended(boot: Boot, script: str) -> None:
    instance = boot()
    instance.put_env(DOCUMENTED)
    instance.run(
        f"echo 'BUILDKITE_REDACTED_VARS=\"*_MINE\"' >{AGENT_HOME}/env; "
        f"chown buildkite-agent: {AGENT_HOME}/env",
        check=True,
    )
    assert instance.boot(script)[0] == 0
    assert job_log(instance, "your-github-token own-value", A_MINE="own-value") == (
        "[REDACTED] [REDACTED]"
    )


def test_a_value_too_short_to_be_redacted_is_named(boot: Boot, script: str) -> None:
    _, output = booted(boot, script, "export A_PIN_PASSWORD=12345\nexport B_TOKEN=123456\n")
    (warning,) = re.findall(r"(?m)^bootstrap: WARNING: not redacted.*$", output)
    assert warning.endswith("fewer than 6 bytes: A_PIN_PASSWORD")


def test_a_missing_env_file_is_accepted_and_logged(boot: Boot, script: str) -> None:
    instance = boot()
    status, output = instance.boot(script)
    assert status == 0
    assert f"bootstrap: there is no {URL}" in output
    assert job_environment(instance)["FROM_CFN_ENV"] == "yes"


@pytest.mark.parametrize(
    ("env_file", "message"),
    [
        (f"export B=1\nexport A='{SECRET}\n", "fails in line 2"),
        (f"export A={SECRET}\nno-such-{SECRET} x\n", "fails in line 2"),
        (f"export A={SECRET}\n\nexport A=$(false)\nexport B=2\n", "fails in line 3"),
        ("f() {\n  false\n}\nf\nexport A=1\n", "fails in line 2"),
        ("export A=1\nread B\n", "fails in line 2"),
        ("export A=1\ncat <<END\nx\n", "fails in line"),
        (
            f"export A={SECRET}\nexit 0\nexport B=1\n",
            "ends before its last line, by exit or return in line 2",
        ),
        (
            "export A=1\nreturn\nexport B=1\n",
            "ends before its last line, by exit or return in line 2",
        ),
        ("", "exports no variables"),
        ("# nothing\n", "exports no variables"),
        ("export A=$(printf %0140000d 0)\n", "exports no variables"),
    ],
)
def test_an_env_file_that_cannot_be_used_fails_the_boot(
    boot: Boot, script: str, env_file: str, message: str
) -> None:
    instance = boot()
    instance.put_env(env_file)
    status, output = instance.boot(script)
    assert status != 0
    assert f"bootstrap: the queue's env file {message}" in output
    assert output.splitlines()[-1] == "bootstrap: FAILED: the queue's env file"
    assert SECRET not in output


@pytest.mark.parametrize(
    "line",
    ["while :; do :; done", "/bin/sleep 99 & wait", "trap '' TERM; while :; do /bin/sleep 1; done"],
)
def test_an_env_file_that_does_not_end_fails_the_boot_with_its_line(
    boot: Boot, script: str, line: str
) -> None:
    instance = boot()
    instance.put_env(f"export A=1\n\n{line}\n")
    changed = script.replace("--kill-after=5 60", "--kill-after=1 2")
    assert changed != script
    status, output = instance.boot(changed)
    assert status != 0
    assert "env file does not finish within a minute: it was in line 3" in output


@pytest.mark.parametrize("call", ["aws s3 cp*", "aws s3api*"])
def test_an_env_file_that_cannot_be_fetched_fails_the_boot(
    boot: Boot, script: str, call: str
) -> None:
    instance = boot()
    instance.put_env(ENV_FILE)
    instance.fail(call)
    status, output = instance.boot(script)
    assert status != 0
    assert output.splitlines()[-1] == "bootstrap: FAILED: the queue's env file"


def test_a_file_that_fails_for_one_job_fails_that_job_with_its_line(
    boot: Boot, script: str
) -> None:
    instance, _ = booted(boot, script, 'export A=1\n[ "${BUILDKITE_BRANCH-}" != broken ]\n:\n')
    assert job_environment(instance)["A"] == "1"
    done = run_hook(instance, BUILDKITE_BRANCH="broken")
    assert done.returncode == 53
    assert "the queue's env file fails in line 2: " in done.stderr


@pytest.mark.parametrize(
    "line",
    ["export LONG=$(printf %0140000d 0)", "LONG=(1 2)", "LONG=1; export -n LONG"],
)
def test_variables_that_jobs_cannot_get_are_named(boot: Boot, script: str, line: str) -> None:
    instance, output = booted(boot, script, f"export A=1\n{line}\n")
    assert re.search(r"(?m)^bootstrap: WARNING: jobs do not get .*: LONG $", output)
    environment = job_environment(instance)
    assert environment["A"] == "1"
    assert "LONG" not in environment


def test_a_job_that_has_the_same_values_already_runs(boot: Boot, script: str) -> None:
    instance, _ = booted(boot, script, "export CI=true\n")
    assert job_environment(instance, CI="true")["CI"] == "true"


def test_the_log_names_the_variables_and_has_no_value(boot: Boot, script: str) -> None:
    instance, output = booted(boot, script, ENV_FILE)
    assert f"bootstrap: jobs run {URL}\n" in output
    assert "bootstrap: jobs get: CONBENCH_PASSWORD GREETING\n" in output
    assert SECRET not in output + "\n".join(instance.calls())


WATCH = """
while [[ ! -e /stand-ins/booted ]]; do
  for folder in /tmp/tmp.*; do
    [[ -n $(ls -A "$folder" 2>/dev/null) ]] && stat -c 'on its way: %a of %U' "$folder"
  done
  stat -c 'there: %a of %U:%G' /etc/buildkite-agent/queue-env
done 2>/dev/null
"""


def test_nobody_but_the_agent_can_read_the_env_file_from_its_first_byte(
    boot: Boot, script: str
) -> None:
    instance = boot()
    instance.put_env("export FILLER=1\n" * 20 + ENV_FILE)
    watch = instance.watch(WATCH)
    status, output = instance.boot(script)
    (instance.root / "stand-ins/booted").touch()
    seen, _ = watch.communicate()
    assert status == 0, output
    lines = set(seen.splitlines())
    assert "on its way: 700 of root" in lines
    assert "there: 640 of root:buildkite-agent" in lines
    assert {line for line in lines if not re.search(r": ([0-7]00|640) of ", line)} == set()


def refresh(instance: Instance) -> tuple[int, str]:
    """What systemd runs before the agent starts."""
    unit = instance.read("/etc/systemd/system/queue-env.service")
    (command,) = re.findall(r"(?m)^ExecStart=(.*)$", unit)
    done = instance.run(f"exec env -i HOME=/root PATH=/stand-ins:/usr/sbin:/usr/bin {command} 2>&1")
    return done.returncode, done.stdout


def test_an_agent_that_starts_later_has_the_env_file_of_that_time(boot: Boot, script: str) -> None:
    instance, _ = booted(boot, script, ENV_FILE)
    instance.put_env("export NEW_API_TOKEN=new-value\n")
    assert refresh(instance) == (0, ""), "the boot has just fetched it"
    instance.run("rm /run/queue-env", check=True)  # as after a stop
    status, output = refresh(instance)
    assert status == 0, output
    environment = job_environment(instance)
    assert environment["NEW_API_TOKEN"] == "new-value"  # noqa: S105
    assert "CONBENCH_PASSWORD" not in environment
    assert job_log(instance, "new-value") == "[REDACTED]"


def test_an_env_file_that_is_broken_by_then_keeps_the_agent_from_starting(
    boot: Boot, script: str
) -> None:
    instance, _ = booted(boot, script, ENV_FILE)
    instance.put_env(f"export A={SECRET}\nfalse\n")
    instance.run("rm /run/queue-env", check=True)
    status, output = refresh(instance)
    assert status != 0
    assert "the queue's env file fails in line 2: correct it and upload it again\n" in output
    assert SECRET not in output


def test_the_unit_runs_before_the_agent_and_stops_the_instance_if_it_fails(
    boot: Boot, script: str
) -> None:
    instance = boot()
    assert instance.boot(script)[0] == 0
    assert "systemctl enable queue-env.service" in instance.calls()
    unit = instance.read("/etc/systemd/system/queue-env.service").splitlines()
    assert {
        "RequiredBy=buildkite-agent.service",
        "Before=buildkite-agent.service",
        "OnFailure=poweroff.target",
        "Type=oneshot",
    } <= set(unit)
