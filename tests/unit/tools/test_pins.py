"""The tool that finds the newest Miniconda and CMake for the bootstrap script."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support.published import served
from support.tools import load_tool

from buildkite_agents import ConfigError

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "bootstrap" / "buildkite-bootstrap.sh"
tool = load_tool("pins")

CURRENT = "Miniconda3-py313_26.7.1-1"
PINNED = {
    "CONDA_RELEASE": CURRENT,
    "CONDA_SHA256_X86_64": "a" * 64,
    "CONDA_SHA256_AARCH64": "b" * 64,
}
PINNED_CMAKE = f"cmake==3.31.10\n  --hash=sha256:{'c' * 64}\n  --hash=sha256:{'d' * 64}"
TEXT = (
    "#!/usr/bin/env bash\n"
    + "".join(f"{name}={value}\n" for name, value in PINNED.items())
    + f'CMAKE_REQUIREMENT="{PINNED_CMAKE}"\nmain() {{ :; }}\n'
)


def index(*rows: tuple[str, str]) -> str:
    """A page as Anaconda's index of installers."""
    cells = "".join(
        f'<tr>\n<td><a href="{name}">{name}</a></td><td class="s">150.0M</td>'
        f"<td>2026-11-10 12:00:00</td><td>{checksum}</td>\n</tr>\n"
        for name, checksum in rows
    )
    return f"<html><table><tr><th>Filename</th><th>SHA256</th></tr>{cells}</table></html>"


def installers(release: str, x86_64: str, aarch64: str) -> list[tuple[str, str]]:
    return [
        (f"{release}-Linux-x86_64.sh", x86_64 * 64),
        (f"{release}-Linux-aarch64.sh", aarch64 * 64),
        (f"{release}-MacOSX-arm64.sh", "9" * 64),
    ]


KNOWN = installers(CURRENT, "a", "b")


def wheel(version: str, platform: str, digit: str, **more: Any) -> dict[str, Any]:
    name = f"cmake-{version}-py3-none-{platform}.whl"
    return {"filename": name, "digests": {"sha256": digit * 64}, "yanked": False, **more}


def wheels(version: str, x86_64: str, aarch64: str) -> list[dict[str, Any]]:
    return [
        wheel(version, "manylinux_2_12_x86_64.manylinux2010_x86_64", "8"),
        wheel(version, "manylinux_2_17_x86_64.manylinux2014_x86_64", x86_64),
        wheel(version, "manylinux_2_17_aarch64.manylinux2014_aarch64", aarch64),
        wheel(version, "manylinux_2_39_x86_64", "8"),
        wheel(version, "musllinux_1_1_x86_64", "8"),
        wheel(version, "macosx_10_10_universal2", "8"),
    ]


def project(releases: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    return {"releases": {"3.31.10": wheels("3.31.10", "c", "d"), **releases}}


def test_the_newest_installers_of_the_same_python_are_taken() -> None:
    page = index(
        *KNOWN,
        *installers("Miniconda3-py313_26.10.0-1", "1", "2"),
        *installers("Miniconda3-py313_26.9.4-1", "3", "4"),
        *installers("Miniconda3-py314_26.11.0-1", "5", "6"),
        *installers("Miniconda3-latest", "7", "8"),
    )
    assert tool.newest_conda(page, CURRENT) == {
        "CONDA_RELEASE": "Miniconda3-py313_26.10.0-1",
        "CONDA_SHA256_X86_64": "1" * 64,
        "CONDA_SHA256_AARCH64": "2" * 64,
    }


def test_a_release_for_one_architecture_is_not_taken() -> None:
    page = index(*KNOWN, installers("Miniconda3-py313_26.10.0-1", "1", "2")[0])
    assert tool.newest_conda(page, CURRENT) == PINNED


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("", "has no Miniconda3-py313"),
        ("<html>moved</html>", "has no Miniconda3-py313"),
        (index(*installers("Miniconda3-py313_26.1.0-1", "1", "2")), "ends at .*26.1.0-1, before"),
    ],
)
def test_an_index_without_the_installers_is_refused(page: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tool.newest_conda(page, CURRENT)


def test_the_newest_cmake_of_the_same_major_version_is_taken() -> None:
    releases = {
        "3.31.12": wheels("3.31.12", "1", "2"),
        "3.31.11": wheels("3.31.11", "3", "4"),
        "3.31.9": wheels("3.31.9", "3", "4"),
        "4.4.2": wheels("4.4.2", "5", "6"),
        "3.32.0rc1": wheels("3.32.0rc1", "5", "6"),
    }
    assert tool.newest_cmake(project(releases), "3.31.10") == (
        f"cmake==3.31.12\n  --hash=sha256:{'1' * 64}\n  --hash=sha256:{'2' * 64}"
    )


@pytest.mark.parametrize(
    "files",
    [
        [],
        wheels("3.31.11", "1", "2")[:2],
        [{**file, "yanked": True} for file in wheels("3.31.11", "1", "2")],
        [{**file, "digests": {"sha256": "x"}} for file in wheels("3.31.11", "1", "2")],
    ],
)
def test_a_cmake_without_usable_wheels_is_not_taken(files: list[dict[str, Any]]) -> None:
    assert tool.newest_cmake(project({"3.31.11": files}), "3.31.10") == PINNED_CMAKE


def test_the_pins_of_the_real_script_are_found_and_replaced() -> None:
    before = SCRIPT.read_text()
    release = re.findall(r"^CONDA_RELEASE=(.*)$", before, re.MULTILINE)[0]
    version = re.findall(r"cmake==([0-9.]+)", before)[0]
    newer, cmake = f"{release.rpartition('_')[0]}_99.1.0-1", f"{version}.1"
    page = index(*installers(newer, "1", "2"))
    after = tool.updated(before, page, {"releases": {cmake: wheels(cmake, "3", "4")}})
    assert f"CONDA_RELEASE={newer}\n" in after
    assert f"CONDA_SHA256_X86_64={'1' * 64}\n" in after
    assert f"CONDA_SHA256_AARCH64={'2' * 64}\n" in after
    assert f'CMAKE_REQUIREMENT="cmake=={cmake}\n  --hash=sha256:{"3" * 64}\n' in after
    assert f'  --hash=sha256:{"4" * 64}"\n' in after
    changed = [
        new for old, new in zip(before.splitlines(), after.splitlines(), strict=True) if old != new
    ]
    assert len(changed) == 6


@pytest.mark.parametrize(
    ("page", "pypi"),
    [
        (index(*installers(CURRENT, "a", "0")), project({})),
        (index(*KNOWN), {"releases": {"3.31.10": wheels("3.31.10", "c", "0")}}),
    ],
)
def test_another_checksum_for_the_pinned_release_is_refused(page: str, pypi: Any) -> None:
    with pytest.raises(ConfigError, match="is published with another checksum"):
        tool.updated(TEXT, page, pypi)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT.replace("CONDA_RELEASE", "RELEASE"), "must assign CONDA_RELEASE once"),
        (TEXT.replace("CONDA_SHA256_AARCH64", "SUM"), "must assign CONDA_SHA256_AARCH64 once"),
        (TEXT.replace("cmake==", "cmake>="), "no CMAKE_REQUIREMENT of one version"),
        (TEXT.replace("py313_26", "py313-26"), "CONDA_RELEASE must be such as"),
    ],
)
def test_a_script_with_other_pins_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tool.updated(text, index(*KNOWN), project({}))


def run(script: Path, page: str, pypi: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    with served({"/miniconda/": page, "/pypi/cmake/json": pypi}) as url:
        return subprocess.run(
            [
                sys.executable,
                ROOT / "tools" / "pins.py",
                *("--script", script, "--conda-url", f"{url}/miniconda/"),
                *("--pypi-url", f"{url}/pypi/cmake/json", *arguments),
            ],
            capture_output=True,
            text=True,
            check=False,
        )


def test_the_differences_are_printed_and_written_on_request(tmp_path: Path) -> None:
    script = tmp_path / "script.sh"
    script.write_text(TEXT)
    script.chmod(0o755)
    page = index(*KNOWN, *installers("Miniconda3-py313_26.9.4-1", "1", "2"))
    answers = (page, json.dumps(project({})))
    shown = run(script, *answers)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"-CONDA_RELEASE={CURRENT}" in shown.stdout
    assert "+CONDA_RELEASE=Miniconda3-py313_26.9.4-1" in shown.stdout
    assert "cmake" not in shown.stdout
    assert script.read_text() == TEXT
    assert run(script, *answers, "--write").stdout == shown.stdout
    assert "CONDA_RELEASE=Miniconda3-py313_26.9.4-1\n" in script.read_text()
    assert script.stat().st_mode & 0o777 == 0o755
    assert run(script, *answers).stdout == "Miniconda and CMake are the newest\n"


@pytest.mark.parametrize("pypi", ["{", "[]", "{}", '{"releases": {"3.31.10": [{}]}}'])
def test_an_unexpected_answer_changes_nothing(tmp_path: Path, pypi: str) -> None:
    script = tmp_path / "script.sh"
    script.write_text(TEXT)
    done = run(script, index(*KNOWN), pypi, "--write")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: http://127.0.0.1:")
    assert "is not PyPI's JSON of a project" in done.stderr
    assert script.read_text() == TEXT
