"""Move this checkout from CDKTF to CDK Terrain, its successor: ``make successor``.

It renames the packages in programs, documents and lists of packages, locks those of the successor,
and lists the lines that it cannot decide. Run again, it completes a move, or does nothing.
"""

import ast
import json
import re
import subprocess
import sys
import warnings
from pathlib import Path

from tools.environment import ROOT, exclusive
from tools.lock import locked, parsed_pipfile, pipfile_hash, write_all

_VERSIONS = {
    "cdktn": ">=0.24,<0.25",
    "cdktn-provider-aws": ">=25,<26",
    "constructs": ">=10.6,<10.8",
}
_PROVIDER = r"cdktf([-_.])cdktf[-_.]provider(?=[-_.])"
_NAME = r"((?i:cdktf(?:[-_.]cdktf[-_.]provider[-_.][\w-]+)?)|constructs)"
_MEMBER = r"\.(?!(?:json|out)\b)\w"  # not a file of the CLI's
_EXTRAS = r"(\[[^]\n]*\])?"
_VERSION = r"( *\(?[<>=~!][\w.,<>=~!*() ]*)"
# What imports a module or finds a package by its name.
_BY_NAME = (
    r"(?:load|patch|setattr|delattr|importorskip|import_module|find_spec|__import__|resolve_name"
    r"|version|distribution|metadata|files)\(\s*|\bmodules\["
)
_EACH_PROVIDER = (rf"(?<![/\w.-]){_PROVIDER}", r"cdktn\1provider")
_IN_CODE = (
    (r"(?<![\w.])import +((?:[\w.]+(?: as \w+)?, *)*)cdktf(?=[\s\\]+as\b|\.)", r"import \1cdktn"),
    (r"(?<![\w.])import +((?:[\w.]+(?: as \w+)?, *)*)cdktf\b", r"import \1cdktn as cdktf"),
    (r"(?<![\w.])from +cdktf(?=[\s\\]+import\b|\.)", "from cdktn"),
    (rf"""\b({_BY_NAME})(["'])cdktf(?=\2|{_MEMBER})""", r"\1\2cdktn"),
    _EACH_PROVIDER,
    (r"@cdktf/provider-", "@cdktn/provider-"),
)
_IN_SETTINGS = (
    (rf"""(["'])cdktf(?=\.\*|{_MEMBER})""", r"\1cdktn"),
    (r"(?m)^\[mypy-cdktf\b", "[mypy-cdktn"),
    _EACH_PROVIDER,
)
# Old names that the user has to decide on: not the CLI's commands and files, prose, and what
# Python's names are after `import cdktn as cdktf`.
_UNDECIDED = re.compile(
    r"""(?i)^(?! *keywords).*["']cdktf["'](?!s\b)"""
    rf"""|(?<=\w)(?<!cast)(?<!TypeVar)\(["']cdktf{_MEMBER}"""
    r"""|(?<![/\w.-])cdktf[-_.]cdktf[-_.]"""
    r"""|(?<![\w./-])cdktf(?:\[[^]]*\])? *(?:[<>=~!]=|@ )|(?-i:\b(?:import|from)[ \\]+cdktf\b)"""
    r"""|^["']?cdktf["']? *= *[{"']|\.cdktf\]|(?:^| )--?[\w-]+[ =]cdktf(?![\w./-])"""
    r"""|(?:^|[=:]|^ *-|\b(?:install|add)\b.*) *\bcdktf *(?:$|[\\#&|;])"""
    r"""|\[(?:[\w.-]+, *)*cdktf(?:, *[\w.-]+)*\](?!\()"""
)
# Files that name both, or that other programs write.
_NOT = (
    *("Pipfile.lock", "CHANGELOG.md", "docs/successor.md", "tools/successor.py"),
    *("tests/e2e/test_successor.py", "tests/unit/tools/test_successor.py"),
)


def main() -> None:
    """Rename and lock what is not yet, if all of it is committed."""
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # a file's name
    texts, unread = _texts()
    new = {path: converted(path, text) for path, text in texts.items()}
    for path, text in texts.items():
        if path.suffix == ".py" and _parses(text) and not _parses(new[path]):
            new[path] = text
            unread.append(f"{path.relative_to(ROOT)}: unchanged, because its imports are unusual")
    changed = {path: new[path] for path in texts if new[path] != texts[path]}
    pipfile, lock = ROOT / "Pipfile", ROOT / "Pipfile.lock"
    packages = new[pipfile] if pipfile in new else pipfile.read_text()
    to_lock = pipfile in changed or not _is_locked(packages)
    paths = map(str, [*changed, *([lock] if to_lock else [])])
    mixed = [entry[3:] for entry in _git("status", "--porcelain", "--", *paths)]
    if mixed and (changed or to_lock):
        sys.exit(
            f"error: not committed, and `make successor` would change the same files: "
            f"{', '.join(mixed)}: commit or stash first"
        )
    if to_lock:
        changed[lock] = locked(packages, upgrade=False)
    write_all(changed)
    if changed:
        print("This checkout uses CDK Terrain now: see `git diff`, and run `make synth`.")
    else:
        print("This checkout uses CDK Terrain already.")
    if changed and any(p.is_dir() and p.name != "aws" for p in (ROOT / "imports").glob("[!._]*")):
        print(
            "Create your own bindings in imports/ again: `cdktn get`, of the npm package cdktn-cli."
        )
    left = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path, text in new.items()
        for number, line in enumerate(text.splitlines(), 1)
        if _UNDECIDED.search(line)
    ]
    if left + unread:
        print(
            "Look at these yourself, as they may name CDKTF's packages:", *left, *unread, sep="\n"
        )


def _texts() -> tuple[dict[Path, str], list[str]]:
    """The texts of the repository, and the files that cannot be read."""
    texts: dict[Path, str] = {}
    unread = []
    for name in _git("ls-files", "--cached", "--others", "--exclude-standard"):
        path = ROOT / name
        if name in _NOT or path.suffix == ".json" or path.is_symlink():
            continue
        try:
            content = path.read_bytes() if path.is_file() else b"\0"
        except OSError as error:
            unread.append(f"{name}: {error.strerror}")
            continue
        if b"\0" not in content:
            texts[path] = content.decode("utf-8", "surrogateescape")  # any encoding is kept
    return texts, unread


def _git(*arguments: str) -> list[str]:
    """The entries that git lists."""
    command, *options = arguments
    try:
        done = subprocess.run(
            ["git", command, "-z", *options], cwd=ROOT, capture_output=True, check=False
        )
        problem = done.stderr.decode(errors="replace").strip() if done.returncode else ""
    except FileNotFoundError:
        problem = "git is not installed"
    if problem:
        sys.exit(f"error: this changes many files, and is only for a git checkout: {problem}")
    return done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]


def converted(path: Path, text: str) -> str:
    """The text of the file *path*, with the successor's names."""
    if path.suffix in {".py", ".pyi", ".md", ".ipynb"}:
        return in_code(text)
    if path.name == "Pipfile" or path.suffix in {".toml", ".cfg", ".ini"}:
        return in_list(text)
    if path.suffix in {".txt", ".in"} and re.search("requirement|constraint", str(path)):
        return in_requirements(text)
    return text


def _parses(program: str) -> bool:
    try:
        with warnings.catch_warnings(action="ignore"):
            ast.parse(program.encode("utf-8", "surrogateescape"))
    except (SyntaxError, ValueError):
        return False
    return True


def in_code(text: str) -> str:
    """The program or the document *text*, with the successor's names."""
    text = re.sub(rf"""(["']){_NAME}{_EXTRAS}{_VERSION}(?=\1| *;)""", _requirement, text)
    for before, after in _IN_CODE:
        text = re.sub(before, after, text)
    return text


def in_list(text: str) -> str:
    """The Pipfile, the pyproject.toml or another file of settings, with the successor's names."""
    parts = re.split(r"(?m)(^ *keywords *= *\[[^]]*\])", text)
    return "".join(part if number % 2 else _in_settings(part) for number, part in enumerate(parts))


def _in_settings(text: str) -> str:
    key = (
        rf"""(?m)^( *)(["']?){_NAME}\2( *= *)("[*<>=~!^\d][^"\n]*"|'[*<>=~!^\d][^'\n]*'|\{{.*\}})"""
    )
    text = re.sub(key, _entry, text)
    text = re.sub(rf"""(["']){_NAME}{_EXTRAS}{_VERSION}?(?=\1| *;)""", _requirement, text)
    text = re.sub(rf"(?m)^( +){_NAME}{_EXTRAS}{_VERSION}(?= *(?:;|#|$))", _requirement, text)
    for before, after in _IN_SETTINGS:
        text = re.sub(before, after, text)
    return text


def in_requirements(text: str) -> str:
    """A list of requirements, a line each, with the successor's names."""
    return re.sub(rf"(?m)^( *){_NAME}{_EXTRAS}{_VERSION}?(?=\s*(?:;|#|$))", _requirement, text)


def _requirement(found: re.Match[str]) -> str:
    start, name, extras, version = found.groups()
    new, known = _renamed(name)
    if version:
        space = version[len(version.rstrip()) :]
        version = known + space
    return f"{start}{new}{extras or ''}{version or ''}"


def _entry(found: re.Match[str]) -> str:
    """An entry of a Pipfile, such as ``cdktf = {version = ">=0.21", markers = "..."}``."""
    start, quote, name, equals, value = found.groups()
    new, known = _renamed(name)
    version = f'"{known or "*"}"'
    if value.startswith("{"):
        value, versions = re.subn(
            r"""(\bversion *= *)("[^"]*"|'[^']*')""", rf"\g<1>{version}", value
        )
        if not versions:
            return found[0]  # of a repository or a folder
    else:
        value = version
    return f"{start}{quote}{new}{quote}{equals}{value}"


def _renamed(name: str) -> tuple[str, str]:
    """The successor's name of a package, and its versions, if they are known."""
    new = re.sub(_PROVIDER, r"cdktn\1provider", name.lower()).replace("cdktf", "cdktn")
    return new, _VERSIONS.get(re.sub(r"[-_.]", "-", new), "")


def _is_locked(pipfile: str) -> bool:
    try:
        lock = json.loads((ROOT / "Pipfile.lock").read_text())
        return bool(lock["_meta"]["hash"]["sha256"] == pipfile_hash(parsed_pipfile(pipfile)))
    except (OSError, ValueError, KeyError):
        return False


if __name__ == "__main__":
    with exclusive():
        main()
