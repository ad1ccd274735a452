"""Find the newest releases of what the bootstrap script pins: Miniconda and CMake.

    python tools/pins.py            # print the differences
    python tools/pins.py --write    # and write them to the script

Releases and checksums are those that the publishers state: Anaconda's index of installers, and
PyPI. Only newer releases for the same Python (py313) and of the same major version of CMake are
taken, and only if both architectures have them.
"""

import argparse
import html
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "constructs"))

from buildkite_agents.elastic_ci_stack.download import download  # noqa: E402
from buildkite_agents.errors import ConfigError  # noqa: E402

SCRIPT = ROOT / "bootstrap" / "buildkite-bootstrap.sh"
CONDA_URL = "https://repo.anaconda.com/miniconda/"
PYPI_URL = "https://pypi.org/pypi/cmake/json"
ARCHITECTURES = ("x86_64", "aarch64")
# Amazon Linux 2023. https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html
NEWEST_GLIBC = 34
_LEGACY = {"manylinux1": 5, "manylinux2010": 12, "manylinux2014": 17}
_LARGEST = 64 * 1024 * 1024

_RELEASE = re.compile(r"(Miniconda3-py[0-9]+)_([0-9.]+)-([0-9]+)")
_SHA256 = re.compile(r"\b[0-9a-f]{64}\b")
_CMAKE = re.compile(r'^CMAKE_REQUIREMENT="cmake==([0-9.]+)\n[^"]*"$', re.MULTILINE)


def newest_conda(page: str, current: str) -> dict[str, str]:
    """The newest Miniconda for the Python of the *current* release, as assignments of the script.

    Args:
        page: Anaconda's index: a table with a row for each installer, with its SHA-256.
        current: The current release, such as ``Miniconda3-py313_26.7.1-1``.
    """
    kind = _release(current)[0]
    checksums: dict[str, dict[str, str]] = {}
    for row in re.split(r"(?i)<tr\b", page):
        cells = html.unescape(re.sub(r"<[^>]*>", " ", row))
        for architecture in ARCHITECTURES:
            name = re.search(rf"\b({_RELEASE.pattern})-Linux-{architecture}\.sh\b", cells)
            checksum = _SHA256.search(cells)
            if name and checksum and name[2] == kind:
                checksums.setdefault(name[1], {})[architecture] = checksum[0]
    complete = [name for name, of in checksums.items() if of.keys() == {*ARCHITECTURES}]
    if not complete:
        raise ConfigError(f"Anaconda's index has no {kind} for {' and '.join(ARCHITECTURES)}")
    newest = max(complete, key=_release)
    if _release(newest) < _release(current):
        raise ConfigError(f"Anaconda's index ends at {newest}, before {current}")
    return {
        "CONDA_RELEASE": newest,
        **{f"CONDA_SHA256_{one.upper()}": checksums[newest][one] for one in ARCHITECTURES},
    }


def _release(name: str) -> tuple[str, list[int], int]:
    found = _RELEASE.fullmatch(name)
    if found is None:
        raise ConfigError(f"CONDA_RELEASE must be such as Miniconda3-py313_26.7.1-1, got {name!r}")
    return found[1], _numbers(found[2]), int(found[3])


def newest_cmake(project: Mapping[str, Any], current: str) -> str:
    """The requirement of the newest CMake of the *current* major version, with its hashes.

    Args:
        project: PyPI's JSON of the project.
        current: The current version, such as ``3.31.10``.
    """
    candidates = {
        version: [file for file in files if not file.get("yanked")]
        for version, files in project["releases"].items()
        if re.fullmatch(r"[0-9]+(\.[0-9]+)+", version)
        and _numbers(current) <= _numbers(version)
        and _numbers(version)[0] == _numbers(current)[0]
    }
    for version in sorted(candidates, key=_numbers, reverse=True):
        hashes = [_hash(candidates[version], architecture) for architecture in ARCHITECTURES]
        if None not in hashes:
            return "\n".join([f"cmake=={version}", *(f"  --hash=sha256:{one}" for one in hashes)])
    raise ConfigError(
        f"PyPI has no wheels of CMake {current} or newer for {' and '.join(ARCHITECTURES)}"
    )


def _hash(files: list[Mapping[str, Any]], architecture: str) -> str | None:
    """The hash of the wheel that pip installs: the one for the newest glibc up to the system's."""
    wheels = {
        glibc: str(file["digests"]["sha256"])
        for file in files
        if (glibc := _glibc(file["filename"], architecture)) is not None and glibc <= NEWEST_GLIBC
    }
    found = wheels[max(wheels)] if wheels else ""
    return found if _SHA256.fullmatch(found) else None


def _glibc(filename: str, architecture: str) -> int | None:
    """The least minor version of glibc 2 for a wheel, or None if it is for something else."""
    if not filename.endswith(f"_{architecture}.whl"):
        return None
    found = [int(minor) for minor in re.findall(rf"manylinux_2_([0-9]+)_{architecture}", filename)]
    found += [minor for name, minor in _LEGACY.items() if f"{name}_{architecture}" in filename]
    return min(found, default=None)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def updated(script: str, conda_page: str, pypi: Mapping[str, Any]) -> str:
    """The bootstrap script's text with the newest pins.

    Raises:
        ConfigError: the script has no such pins, or a publisher's page is not as expected.
    """
    release = _assigned(script, "CONDA_RELEASE")
    conda = newest_conda(conda_page, release)
    for name, value in conda.items():
        pinned = _assigned(script, name)
        if conda["CONDA_RELEASE"] == release and value != pinned:
            raise ConfigError(_another_checksum(release, pinned, value))
        script = re.sub(rf"^{name}=.*$", f"{name}={value}", script, flags=re.MULTILINE)
    cmake = _CMAKE.search(script)
    if cmake is None:
        raise ConfigError("the script has no CMAKE_REQUIREMENT of one version with hashes")
    requirement = newest_cmake(pypi, cmake[1])
    if requirement.startswith(f"cmake=={cmake[1]}\n") and requirement not in cmake[0]:
        raise ConfigError(_another_checksum(f"CMake {cmake[1]}", cmake[0], requirement))
    return script.replace(cmake[0], f'CMAKE_REQUIREMENT="{requirement}"')


def _another_checksum(what: str, pinned: str, published: str) -> str:
    return (
        f"{what} is published with another checksum than the pinned one, and a release should "
        f"never change: find out why before changing the script. Pinned: {pinned}. Published: "
        f"{published}"
    )


def _assigned(script: str, name: str) -> str:
    found = re.findall(rf"^{name}=(\S+)$", script, re.MULTILINE)
    if len(found) != 1:
        raise ConfigError(f"the script must assign {name} once")
    return str(found[0])


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="write the pins to the script")
    parser.add_argument("--script", type=Path, default=SCRIPT, help="the bootstrap script")
    parser.add_argument("--conda-url", default=CONDA_URL, help="Anaconda's index of installers")
    parser.add_argument("--pypi-url", default=PYPI_URL, help="PyPI's JSON of CMake")
    given = parser.parse_args()
    before = given.script.read_text(encoding="utf-8")
    try:
        pypi = json.loads(download(given.pypi_url, limit=_LARGEST))
        after = updated(before, download(given.conda_url, limit=_LARGEST), pypi)
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ConfigError(f"{given.pypi_url} is not PyPI's JSON of a project: {error}") from None
    old, new = before.splitlines(), after.splitlines()
    changes = [f"-{line}" for line in old if line not in new]
    changes += [f"+{line}" for line in new if line not in old]
    print("\n".join(changes) or "Miniconda and CMake are the newest")
    if given.write and after != before:
        # In place, so that the file keeps its mode.
        given.script.write_text(after, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
