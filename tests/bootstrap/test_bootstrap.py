"""The bootstrap script, run as the stack runs it, on throw-away instances (Linux only)."""

import os
import re
import shlex
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from bootstrap.instance import AGENT_HOME, Instance, wait_for

ENV_FILE = "export CONBENCH_PASSWORD=planted-secret-b1946ac9\nexport GREETING='hello, world'\n"
STEPS = (
    "Miniconda",
    "packages",
    "CMake",
    "Docker",
    "git configuration",
    "file limits",
    "sudo rule",
    "network settings",
    "measurement settings",
    "files of the agent",
    "the queue's env file",
)
Boot = Callable[..., Instance]


def read(instance: Instance, path: str) -> str:
    return instance.read(path)


@pytest.mark.parametrize(
    ("architecture", "installer"),
    [("x86_64", "Linux-x86_64.sh"), ("aarch64", "Linux-aarch64.sh")],
)
def test_everything_is_set_up(boot: Boot, script: str, architecture: str, installer: str) -> None:
    instance = boot(architecture)
    status, output = instance.boot(script)
    assert status == 0, output
    calls = "\n".join(instance.calls())
    for package in ("gcc", "gcc-c++", "make", "ninja-build", "python3", "python3-pip", "gdb"):
        assert (instance.root / f"stand-ins/rpm-{package}").exists(), package
    assert (instance.root / "stand-ins/rpm-boost-devel").exists()
    assert f"Miniconda3-py313_26.7.1-1-{installer}" in calls
    assert "systemctl enable --now docker.service" in calls
    assert "usermod --append --groups docker buildkite-agent" in calls
    assert "systemctl daemon-reload" in calls
    assert "yum" not in calls
    assert "update" not in calls
    assert "LimitNOFILE=65536:1048576" in read(
        instance, "/etc/systemd/system/buildkite-agent.service.d/limits.conf"
    )
    settings = read(instance, "/etc/sysctl.d/90-benchmarks.conf").splitlines()
    assert "net.core.rmem_max = 16777216" in settings
    assert "net.ipv4.tcp_wmem = 4096 65536 16777216" in settings
    assert not any("tcp_rmem" in setting for setting in settings), "never less than it was"
    assert "sysctl --quiet --load=/etc/sysctl.d/90-benchmarks.conf" in calls
    assert "name = Arrow Benchmarks" in read(instance, f"{AGENT_HOME}/.gitconfig")


def test_each_step_is_announced_with_its_duration(boot: Boot, script: str) -> None:
    status, output = boot().boot(script)
    assert status == 0
    lines = output.splitlines()
    for step in STEPS:
        assert f"bootstrap: {step} ..." in lines
        assert any(line.startswith(f"bootstrap: {step}: done in ") for line in lines)
    assert lines[-1].startswith("bootstrap: done after ")


def test_conda_is_the_agents_and_usable_in_a_jobs_shell(boot: Boot, script: str) -> None:
    instance = boot()
    assert instance.boot(script)[0] == 0
    done = instance.run(
        "stat -c %U /opt/miniconda3/bin/conda && "
        "runuser -u buildkite-agent -- env -i PATH=/usr/local/bin:/usr/bin "
        "bash -c 'conda --version'"
    )
    assert done.stdout == "buildkite-agent\nconda 26.7.1\n"


def test_conda_is_where_the_benchmark_jobs_look_for_it(boot: Boot, script: str) -> None:
    instance = boot()
    assert instance.boot(script)[0] == 0
    job = f"runuser -u buildkite-agent -- env -i HOME={AGENT_HOME} PATH=/usr/bin:/bin bash -c"
    done = instance.run(f"{job} '\"$HOME/miniconda3/bin/conda\" --version'")
    assert done.stdout == "conda 26.7.1\n"
    assert instance.run(f"{job} 'touch ~/miniconda3/envs-of-jobs'").returncode == 0


def test_a_job_creates_and_activates_an_environment_as_the_benchmarks_do(
    boot: Boot, script: str
) -> None:
    instance = boot()
    assert instance.boot(script)[0] == 0
    job = (
        'eval "$("$HOME/miniconda3/bin/conda" shell.bash hook)"; '
        "conda create --yes --name arrow python=3.13; conda activate arrow; which-environment; "
        'cat "$HOME/miniconda3/envs/arrow/channels"'
    )
    done = instance.run(
        f"runuser -u buildkite-agent -- env -i HOME={AGENT_HOME} PATH=/usr/bin:/bin bash -c "
        f"{shlex.quote(job)}"
    )
    assert done.stdout.splitlines()[:3] == ["arrow", "channels:", "  - conda-forge"], done


def test_an_existing_conda_of_the_agent_is_kept(boot: Boot, script: str) -> None:
    instance = boot()
    instance.run(f"mkdir {AGENT_HOME}/miniconda3; touch {AGENT_HOME}/miniconda3/theirs", check=True)
    assert instance.boot(script)[0] == 0
    assert instance.run(f"ls {AGENT_HOME}/miniconda3").stdout == "theirs\n"


def test_roots_login_shells_run_nothing_that_jobs_can_write(boot: Boot, script: str) -> None:
    instance = boot()
    assert instance.boot(script)[0] == 0
    found = instance.run("find -L /etc/profile.d -user buildkite-agent")
    assert found.stdout == ""


def test_sudo_is_for_dropping_caches_alone_and_checked(boot: Boot, script: str) -> None:
    instance = boot()
    assert instance.boot(script)[0] == 0
    path = instance.root / "etc/sudoers.d/50-benchmarks"
    assert path.read_text() == (
        "buildkite-agent ALL=(root) NOPASSWD: /usr/bin/tee /proc/sys/vm/drop_caches\n"
    )
    assert path.stat().st_mode & 0o777 == 0o440
    assert any(call.startswith("visudo --check") for call in instance.calls())


@pytest.mark.parametrize(
    ("call", "step"),
    [
        ("dnf install*", "packages"),
        ("python3 -m pip*", "CMake"),
        ("curl*", "Miniconda"),
        ("systemctl enable*", "Docker"),
        ("usermod*", "Docker"),
        ("docker ps*", "Docker"),
        ("systemctl daemon-reload", "file limits"),
        ("visudo*", "sudo rule"),
    ],
)
def test_a_required_step_that_fails_ends_the_boot_by_its_name(
    boot: Boot, script: str, call: str, step: str
) -> None:
    instance = boot()
    instance.fail(call)
    status, output = instance.boot(script)
    assert status != 0
    assert output.splitlines()[-1] == f"bootstrap: FAILED: {step}"


@pytest.mark.parametrize(
    ("call", "step"),
    [("sysctl*", "network settings")],
)
def test_an_optional_step_that_fails_is_a_warning(
    boot: Boot, script: str, call: str, step: str
) -> None:
    instance = boot()
    instance.fail(call)
    status, output = instance.boot(script)
    assert status == 0
    assert f"bootstrap: WARNING: {step}: failed" in output


def test_cmake_is_new_enough_for_arrow_and_found_by_jobs(boot: Boot, script: str) -> None:
    instance = boot()
    assert instance.boot(script)[0] == 0
    done = instance.run(
        "runuser -u buildkite-agent -- env -i PATH=/usr/local/bin:/usr/bin bash -c "
        "'cmake --version; touch /opt/cmake/cmake/data/bin/cmake'"
    )
    assert done.stdout == "cmake version 3.31.10\n"
    assert done.returncode != 0, "no job can change it"
    (pip,) = [call for call in instance.calls() if " pip " in call]
    assert "--require-hashes" in pip


def test_a_cmake_that_does_not_run_fails_the_boot(boot: Boot, script: str) -> None:
    instance = boot()
    (instance.root / "stand-ins/cmake-version").write_text("3.31.10; exit 1\n")
    status, output = instance.boot(script)
    assert status != 0
    assert output.splitlines()[-1] == "bootstrap: FAILED: CMake"


@pytest.mark.parametrize(
    ("setting", "call"),
    [
        ("QUIET_QUEUES", "systemctl disable --now docker-gc.timer docker-low-disk-gc.timer"),
        ("PROFILING_QUEUES", "sysctl --quiet --load=/etc/sysctl.d/91-profiling.conf"),
    ],
)
@pytest.mark.parametrize(("patterns", "applies"), [("", False), ("x86-* arm64-*", True)])
def test_a_measurement_setting_is_for_the_queues_that_it_names(
    boot: Boot, script: str, setting: str, call: str, patterns: str, applies: bool
) -> None:
    instance = boot()
    changed = re.sub(rf'(?m)^{setting}=""', f'{setting}="{patterns}"', script)
    assert (changed != script) is bool(patterns)
    status, output = instance.boot(changed)
    assert status == 0, output
    assert (call in instance.calls()) is applies


def test_for_an_image_what_belongs_to_a_queue_is_left_out(boot: Boot, script: str) -> None:
    instance = boot()
    status, output = instance.boot(script, IMAGE_ONLY="yes")
    assert status == 0, output
    assert not any(call.startswith("aws ") for call in instance.calls())
    assert "measurement settings" not in output


def test_an_instance_of_such_an_image_installs_nothing_again(boot: Boot, script: str) -> None:
    instance = boot()
    assert instance.boot(script, IMAGE_ONLY="yes")[0] == 0
    before = len(instance.calls())
    assert instance.boot(script)[0] == 0
    again = instance.calls()[before:]
    assert not any(call.startswith(("dnf ", "curl ", "python3 ")) for call in again)


def test_docker_is_verified_as_a_job_uses_it(boot: Boot, script: str) -> None:
    instance = boot()
    assert instance.boot(script)[0] == 0
    assert "docker ps --quiet by buildkite-agent" in instance.calls()


@pytest.mark.parametrize("variable", ["BUILDKITE_QUEUE", "BUILDKITE_SECRETS_BUCKET"])
def test_a_stack_without_queue_or_bucket_fails_the_boot(
    boot: Boot, script: str, variable: str
) -> None:
    status, output = boot().boot(script, **{variable: ""})
    assert status != 0
    assert variable in output


def test_run_twice_it_changes_nothing(boot: Boot, script: str) -> None:
    instance = boot()
    instance.put_env(ENV_FILE)
    assert instance.boot(script)[0] == 0
    first = instance.tree()
    (instance.root / "stand-ins/calls").write_text("")
    assert instance.boot(script)[0] == 0
    assert instance.tree() == first
    assert not any(call.startswith(("dnf", "curl")) for call in instance.calls())


@pytest.mark.parametrize("at", ["curl*", "usermod*", "systemctl daemon-reload", "aws s3 cp*"])
def test_after_an_interruption_a_second_run_has_the_same_result(
    boot: Boot, script: str, at: str
) -> None:
    whole, killed = boot(), boot()
    for instance in (whole, killed):
        instance.put_env(ENV_FILE)
    assert whole.boot(script)[0] == 0
    process = killed.start(script)
    beginning = at.rstrip("*")
    wait_for(lambda: any(call.startswith(beginning) for call in killed.calls()))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert killed.boot(script)[0] == 0
    assert killed.tree() == whole.tree()


def test_a_truncated_script_does_nothing(boot: Boot, script: str) -> None:
    instance = boot()
    before = instance.tree()
    lines = script.splitlines(keepends=True)
    for count in range(0, len(lines), 7):
        instance.boot("".join(lines[:count]))
    instance.boot(script.rstrip("\n").removesuffix('main "$@" </dev/null'))
    assert instance.calls() == []
    assert instance.tree() == before


def test_nothing_is_piped_from_the_network_into_a_shell(script: str) -> None:
    assert not re.search(r"\| *(ba)?sh\b", script)
    assert "NOPASSWD:ALL" not in script.replace(" ", "")


def test_this_machine_is_not_touched(boot: Boot, script: str) -> None:
    assert boot().boot(script)[0] == 0
    for path in (
        "/etc/sudoers.d/50-benchmarks",
        "/opt/miniconda3",
        "/etc/sysctl.d/90-benchmarks.conf",
    ):
        assert not Path(path).exists()
