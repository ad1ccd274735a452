"""docs/successor.md: the program on CDK Terrain gives the same configuration."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.documented import as_main_of
from support.documents import code_blocks
from support.golden import assert_golden

from buildkite_agents.output.folder_lock import folder_lock

REQUIREMENTS = Path(__file__).parent / "cdktn" / "requirements.txt"


@pytest.fixture
def successor_python(pytestconfig: pytest.Config) -> Path:
    """A Python with CDK Terrain's packages, by their hashes."""
    cache = pytestconfig.cache.mkdir("cdktn")
    wanted = REQUIREMENTS.read_bytes() + sys.version.encode()
    folder = cache / hashlib.sha256(wanted).hexdigest()[:12]
    python = folder / "bin" / "python"
    with folder_lock(cache):
        if not (folder / "complete").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            install = [
                "install",
                "--quiet",
                "--no-compile",
                "--require-hashes",
                "-r",
                str(REQUIREMENTS),
            ]
            subprocess.run([python, "-m", "pip", *install], check=True)
            (folder / "complete").touch()
    return python


@pytest.mark.skipif(sys.platform != "linux", reason="the document's sed is GNU's")
def test_the_documented_rename_gives_the_same_configuration(
    root: Path, tmp_path: Path, successor_python: Path
) -> None:
    for name in ("bootstrap", "constructs", "imports"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(root / name, tmp_path / name, ignore=ignored, symlinks=True)
    as_main_of(tmp_path)
    (rename,) = code_blocks("successor.md", "bash")
    subprocess.run(["bash", "-euc", rename], cwd=tmp_path, check=True)

    done = subprocess.run(
        [successor_python, "main.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "from cdktn-provider-aws, once" in done.stderr
    assert_golden(tmp_path / "terraform")
