"""Packages and downloads of the bootstrap script, and the network in trouble (Linux only)."""

import re
from collections.abc import Callable

import pytest
from bootstrap.instance import Instance

Boot = Callable[..., Instance]


def test_all_packages_come_in_one_transaction(boot: Boot, script: str) -> None:
    instance = boot()
    assert instance.boot(script)[0] == 0
    (transaction,) = [call for call in instance.calls() if call.startswith("dnf ")]
    assert " gcc-c++ " in transaction
    assert " boost-devel " in transaction


def test_each_package_that_is_missing_is_named(boot: Boot, script: str) -> None:
    instance = boot()
    for package in ("flex", "gdb"):
        (instance.root / f"stand-ins/no-{package}").touch()
    status, output = instance.boot(script)
    assert status == 0
    assert (
        "bootstrap: WARNING: these packages could not be installed, and the agent starts without: "
        "flex gdb\n"
    ) in output


def test_optional_packages_that_fail_a_transaction_do_not_fail_the_boot(
    boot: Boot, script: str
) -> None:
    instance = boot()
    instance.fail("dnf install* flex *")
    status, output = instance.boot(script)
    assert status == 0, output
    assert (instance.root / "stand-ins/rpm-gcc").exists()
    assert "the agent starts without: autoconf bison " in output
    assert not any(call.startswith("sleep") for call in instance.calls())


def test_a_required_package_that_is_missing_fails_the_boot_by_its_name(
    boot: Boot, script: str
) -> None:
    instance = boot()
    (instance.root / "stand-ins/no-ninja-build").touch()
    status, output = instance.boot(script)
    assert status != 0
    assert "bootstrap: these packages could not be installed: ninja-build\n" in output


def test_conda_is_installed_beside_the_packages(boot: Boot, script: str) -> None:
    instance = boot()
    # Each waits for the other to have begun.
    for name, other in (("curl", "dnf"), ("dnf", "curl")):
        path = instance.root / "stand-ins" / name
        began, awaited = f"/stand-ins/began-{name}", f"/stand-ins/began-{other}"
        wait = f"touch {began}; while [[ ! -e {awaited} ]]; do /bin/sleep 0.05; done"
        path.write_text(path.read_text().replace("cat >/dev/null", f"cat >/dev/null; {wait}"))
    status, output = instance.boot(script)
    assert status == 0, output


def test_another_installer_of_conda_is_a_url_with_its_checksums(boot: Boot, script: str) -> None:
    instance = boot("aarch64")
    url = "https://example.com/Miniforge3-26.1.0-0-Linux-@ARCHITECTURE@.sh"
    changed = re.sub(r"(?m)^CONDA_URL=.*$", f"CONDA_URL={url}", script)
    assert instance.boot(changed)[0] == 0
    assert any("Miniforge3-26.1.0-0-Linux-aarch64.sh" in call for call in instance.calls())


def test_a_wrong_checksum_fails_the_boot_and_installs_nothing(boot: Boot, script: str) -> None:
    instance = boot()
    status, output = instance.boot(re.sub(r"(?m)^(CONDA_SHA256_\w+)=.*$", r"\1=0", script))
    assert status != 0
    assert output.splitlines()[-1] == "bootstrap: FAILED: Miniconda"
    assert not (instance.root / "opt/miniconda3").exists()


def test_an_architecture_without_miniconda_fails_the_boot(boot: Boot, script: str) -> None:
    status, output = boot("riscv64").boot(script)
    assert status != 0
    assert "bootstrap: there is no conda for riscv64" in output


def test_network_steps_are_tried_until_the_deadline(boot: Boot, script: str) -> None:
    instance = boot()
    instance.fail("curl*")
    status, output = instance.boot(script)
    assert status != 0
    pauses = [int(call.split()[1]) for call in instance.calls() if call.startswith("sleep ")]
    assert pauses[:5] == [5, 10, 20, 40, 80]
    assert 500 < sum(pauses) < 600
    assert "bootstrap: no time is left for: download https://repo.anaconda.com/" in output


def test_a_package_database_that_is_locked_for_a_minute_is_waited_for(
    boot: Boot, script: str
) -> None:
    instance = boot()
    (instance.root / "stand-ins/locked-for").write_text("60\n")
    status, output = instance.boot(script)
    assert status == 0, output
    assert output.count("failed, next attempt in") == 4
    assert (instance.root / "stand-ins/rpm-flex").exists(), "optional ones too"


def test_a_dnf_that_ignores_the_signal_to_terminate_is_killed(boot: Boot, script: str) -> None:
    instance = boot()
    (instance.root / "stand-ins/hangs").touch()
    changed = script.replace("--kill-after=10", "--kill-after=1").replace(
        "left > 180 ? 180", "1 ? 1"
    )
    assert changed != script
    status, output = instance.boot(changed)
    assert status == 0, output
    assert (instance.root / "stand-ins/rpm-gcc").exists()


def test_a_truncated_download_is_downloaded_again(boot: Boot, script: str) -> None:
    instance = boot()
    (instance.root / "stand-ins/truncated").touch()
    status, output = instance.boot(script)
    assert status == 0, output
    assert len([call for call in instance.calls() if call.startswith("curl ")]) == 2
    assert (instance.root / "opt/miniconda3/bin/conda").exists()


def test_cmake_is_installed_by_a_second_attempt_too(boot: Boot, script: str) -> None:
    instance = boot()
    path = instance.root / "stand-ins/python3"
    first, _, rest = path.read_text().partition("\n")
    # The pip that fails has read its requirements, too.
    once = """if [[ $* == *--requirement* && ! -e /stand-ins/pip-failed ]]; then
    cat "${!#}" >/stand-ins/pip-failed; exit 1; fi"""
    path.write_text(f"{first}\n{once}\n{rest}")
    status, output = instance.boot(script)
    assert status == 0, output
    assert "failed, next attempt in 5 s: python3 -m" in output


@pytest.mark.parametrize(("patterns", "installed"), [("", False), ("x86-* arm64-*", True)])
@pytest.mark.parametrize(("machine", "platform"), [("x86_64", "amd64"), ("aarch64", "arm64")])
def test_kubectl_is_for_the_queues_that_it_names(
    boot: Boot, script: str, machine: str, platform: str, patterns: str, installed: bool
) -> None:
    instance = boot(machine)
    changed = script.replace('KUBECTL_QUEUES=""', f'KUBECTL_QUEUES="{patterns}"')
    status, output = instance.boot(changed)
    assert status == 0, output
    urls = [call for call in instance.calls() if f"/bin/linux/{platform}/kubectl" in call]
    assert bool(urls) is installed
    done = instance.run("runuser -u buildkite-agent -- /usr/local/bin/kubectl version")
    assert (done.stdout == "Client Version: v1\n") is installed
    assert ("bootstrap: kubectl: done in " in output) is installed


def test_a_kubectl_with_a_wrong_checksum_is_not_installed(boot: Boot, script: str) -> None:
    instance = boot()
    changed = re.sub(r"(?m)^(KUBECTL_SHA256_\w+)=.*$", r"\1=0", script)
    status, output = instance.boot(changed.replace('KUBECTL_QUEUES=""', 'KUBECTL_QUEUES="*"'))
    assert status != 0
    assert output.splitlines()[-1] == "bootstrap: FAILED: kubectl"
    assert not (instance.root / "usr/local/bin/kubectl").exists()


def test_without_time_left_the_boot_fails(boot: Boot, script: str) -> None:
    instance = boot()
    instance.fail("dnf install*")
    status, output = instance.boot(script.replace("DEADLINE=600", "DEADLINE=5"))
    assert status != 0
    assert "bootstrap: no time is left for: dnf" in output
