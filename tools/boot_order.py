"""Measures a boot with the steps of the bootstrap script in parallel and in sequence.

The bootstrap script runs on a simulated instance, as in its tests, where each stand-in sleeps for a
fraction of the time that the real program takes. Only the ratio is a result.
"""

import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests")]

from bootstrap.instance import Instance  # noqa: E402

SHARE = 1 / 5
SECONDS = {
    # Downloading the metadata of dnf's repositories, which the image does not contain.
    "metadata": 16,
    # The overhead of each transaction, and the installation of all packages.
    "transaction": 4,
    "packages": 12,
    # Downloading (148 MB) and installing Miniconda.
    "download": 8,
    "conda": 14,
    # CMake's wheel.
    "pip": 2,
}
_PACKAGES = 25


def one_after_the_other(script: str) -> str:
    """The script with its steps in sequence, and a dnf transaction for each group of packages."""
    groups = ("gcc gcc-c++ git make ninja-build", "python3 python3-pip", "${OPTIONAL_PACKAGES[*]}")
    transactions = "\n".join(
        f'  required "packages" retry dnf install --assumeyes {group}' for group in groups
    )
    changes = {
        '  begin "Miniconda" install_conda\n': "",
        '  required "packages" install_packages\n': f"{transactions}\n",
        '  required "CMake" install_cmake\n': (
            '  required "CMake" install_cmake\n  required "Miniconda" install_conda\n'
        ),
        "  finish\n": "",
    }
    for old, new in changes.items():
        if script.count(old) != 1:
            raise ValueError(f"the script must have this once: {old!r}")
        script = script.replace(old, new)
    return script


def boot_seconds(script: str) -> float:
    """The duration of a boot with a script, scaled to the seconds of an instance."""
    with tempfile.TemporaryDirectory() as folder:
        instance = Instance(Path(folder))
        try:
            _slow_down(instance)
            started = time.perf_counter()
            status, output = instance.boot(script)
            seconds = time.perf_counter() - started
        finally:
            instance.close()
    if status != 0:
        sys.exit(f"error: the bootstrap script of the benchmark failed:\n{output}")
    return seconds / SHARE


def _slow_down(instance: Instance) -> None:
    pauses = {
        "dnf": f"""if mkdir /stand-ins/metadata 2>/dev/null; then {_sleep("metadata")}; fi
{_sleep("transaction")}
for p in "$@"; do [[ $p == -* || $p == install ]] || {_sleep("packages", _PACKAGES)}; done""",
        "curl": _sleep("download"),
        "python3": _sleep("pip"),
        "miniconda.sh": _sleep("conda"),
    }
    for name, pause in pauses.items():
        path = instance.root / "stand-ins" / name
        first, rest = path.read_text().split("\n", 1)
        path.write_text(f"{first}\n{pause}\n{rest}")


def _sleep(what: str, parts: int = 1) -> str:
    return f"/bin/sleep {SECONDS[what] * SHARE / parts:.4f}"


def main() -> None:
    """Measure both, and print the table."""
    script = (ROOT / "bootstrap" / "buildkite-bootstrap.sh").read_text()
    parallel = boot_seconds(script)
    row = boot_seconds(one_after_the_other(script))
    print("| order of the boot          |       s |    ratio |")
    print("| -------------------------- | ------: | -------: |")
    print(f"| in sequence                | {row:7.0f} |     1.00 |")
    print(f"| in parallel                | {parallel:7.0f} | {parallel / row:8.2f} |")


if __name__ == "__main__":
    main()
