"""Move this checkout from CDKTF to CDK Terrain, its successor: ``make successor``.

It renames the packages in all Python files, the documents and the lists of packages, and locks
those of the successor. Run again, it completes a move that was interrupted, or does nothing.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tools.environment import ROOT, exclusive
from tools.lock import lock_pipfile, pipfile_hash, replace

_VERSIONS = {
    "cdktn": ">=0.24,<0.25",
    "cdktn-provider-aws": ">=25,<26",
    "constructs": ">=10.6,<10.8",
}
# Where code imports them, in a statement or in a string.
_IN_CODE = (
    (r"(?<![\w.])import ((?:\w+, *)*)cdktf as ", r"import \1cdktn as "),
    (r"(?<![\w.])import cdktf\.", "import cdktn."),
    (r"(?<![\w.])import ((?:\w+, *)*)cdktf\b", r"import \1cdktn as cdktf"),
    (r"(?<![\w.])from cdktf( import\b|\.)", r"from cdktn\1"),
    (r"\bcdktf_cdktf_provider_", "cdktn_provider_"),
    (r"\bcdktf-cdktf-provider-", "cdktn-provider-"),
    (r"@cdktf/provider-", "@cdktn/provider-"),
)
# Those that can name the packages, and not those that name both.
_FILES = ("*.py", "*.md", "Pipfile", "pyproject.toml")
_NOT = (
    *("CHANGELOG.md", "docs/successor.md", "tools/successor.py"),
    *("tests/e2e/test_successor.py", "tests/unit/tools/test_successor.py"),
)


def main() -> None:
    """Rename and lock what is not yet, if all of it is committed."""
    listed = _git("ls-files", "--cached", "--others", "--exclude-standard", "--", *_FILES)
    changed: dict[Path, str] = {}
    for path in (ROOT / name for name in listed if name not in _NOT):
        if path.is_file() and not path.is_symlink():
            text = path.read_text()
            new = in_code(text) if path.suffix in {".py", ".md"} else in_list(text)
            if new != text:
                changed[path] = new
    lock = ROOT / "Pipfile.lock"
    to_lock = ROOT / "Pipfile" in changed or not _is_locked()
    if not changed and not to_lock:
        print("This checkout uses CDK Terrain already.")
        return
    paths = map(str, [*changed, *([lock] if to_lock else [])])
    mixed = [entry[3:] for entry in _git("status", "--porcelain", "--", *paths)]
    if mixed:
        sys.exit(
            f"error: not committed, and `make successor` would change the same files: "
            f"{', '.join(mixed)}: commit or stash first"
        )
    for path, text in changed.items():
        replace(path, text)
    if to_lock:
        lock_pipfile(upgrade=False)
    print("This checkout uses CDK Terrain now: see `git diff`, and run `make synth`.")
    if any(path.is_dir() and path.name != "aws" for path in (ROOT / "imports").glob("[!._]*")):
        print(
            "Create your own bindings in imports/ again: `cdktn get`, of the npm package cdktn-cli."
        )


def _git(*arguments: str) -> list[str]:
    """The entries that git lists."""
    command, *options = arguments
    try:
        done = subprocess.run(
            ["git", command, "-z", *options], cwd=ROOT, capture_output=True, text=True, check=False
        )
        problem = done.stderr.strip() if done.returncode else ""
    except FileNotFoundError:
        problem = "git is not installed"
    if problem:
        sys.exit(f"error: this changes many files, and is only for a git checkout: {problem}")
    return done.stdout.split("\0")[:-1]


def in_code(text: str) -> str:
    """The code or the document *text*, with the successor's names."""
    for before, after in _IN_CODE:
        text = re.sub(before, after, text)
    return text


def in_list(text: str) -> str:
    """The packages of a Pipfile, or the dependencies of pyproject.toml, with the successor's."""

    def renamed(line: re.Match[str]) -> str:
        start, name, equals, rest = line.groups()
        new = re.sub(r"^cdktf-cdktf-", "cdktn-", name).replace("cdktf", "cdktn")
        if new == name != "constructs":
            return line[0]
        version = _VERSIONS.get(new, "*" if equals else "")
        return f'{start}{new}{equals}"{version}"' if equals else f'{start}{new}{version}"{rest}'

    names = r"(cdktf(?:-cdktf-provider-[\w-]+)?|constructs)"
    text = re.sub(rf'^(){names}( *= *)(".*"|\{{.*\}})', renamed, text, flags=re.MULTILINE)
    return re.sub(rf'^( *"){names}()(?:[ \[<>=~!][^"]*)?"(,?)$', renamed, text, flags=re.MULTILINE)


def _is_locked() -> bool:
    pipfile = tomllib.loads((ROOT / "Pipfile").read_text())
    lock = json.loads((ROOT / "Pipfile.lock").read_text())
    return bool(lock["_meta"]["hash"]["sha256"] == pipfile_hash(pipfile))


if __name__ == "__main__":
    with exclusive():
        main()
