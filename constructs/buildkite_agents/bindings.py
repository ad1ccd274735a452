"""The maker of ``buildkite_agents.aws``: it carves a few submodules out of a prebuilt package.

The prebuilt package is a jsii assembly: a tarball with JavaScript and a description of its types
(``.jsii``), and Python modules that name these types. The carved package is an assembly with
another name, so that one process can load both.
"""

import contextlib
import gzip
import hashlib
import importlib
import importlib.metadata
import io
import json
import os
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from buildkite_agents.errors import ConfigError
from buildkite_agents.loading import checkout, not_installed, user_cache
from buildkite_agents.output.folder_lock import folder_lock

AWS_SUBMODULES = (
    "budgets_budget",
    "cloudformation_stack",
    "cloudwatch_metric_alarm",
    "iam_policy",
    "kms_key",
    "kms_key_policy",
    "provider",
    "s3_bucket",
    "s3_bucket_lifecycle_configuration",
    "s3_bucket_ownership_controls",
    "s3_bucket_policy",
    "s3_bucket_public_access_block",
    "s3_bucket_server_side_encryption_configuration",
    "s3_bucket_versioning",
    "s3_object",
    "sns_topic",
    "sns_topic_policy",
    "sns_topic_subscription",
    "ssm_parameter",
)
"""The provider's Python submodules that this package imports."""

ASSEMBLY = "buildkite-agents-aws"
"""The carved assembly's name, without dots: jsii splits a type's name at the first dot."""

_DISTRIBUTION = "cdktf-cdktf-provider-aws"
_STAMP = "_jsii/carved-from.txt"
_SHARED = '"""The bindings of buildkite_agents.aws'
# typeguard's checks of each argument, which mypy and jsii (in Node.js) repeat. Removing them makes
# a synthesis 5 % faster.
_TYPE_CHECK = re.compile(r"^( +)if __debug__:\n(?:\1    .*\n)+", re.MULTILINE)
_SOURCE_MAP = re.compile(rb"^//# sourceMappingURL=.*$", re.MULTILINE)


def ensure_bindings(own: Path) -> Path:
    """Create the bindings unless they are current; return their folder.

    That is *own*, the folder of the package ``buildkite_agents.aws``, or a cache folder of the user
    where *own* is read-only, because another user installed the package.

    Raises:
        ConfigError: see :func:`carve`, or there is no writable folder.
    """
    folder = own
    if not _is_current(own, _stamp(_installed(_DISTRIBUTION), AWS_SUBMODULES)):
        if not os.access(own, os.W_OK | os.X_OK):
            folder = _cache_folder(own)
        carve(folder)
    root = checkout()
    if root:
        share(root / "imports")
    return folder


def _cache_folder(own: Path) -> Path:
    # Named after the package's path, so that two installations do not overwrite each other's.
    place = hashlib.sha256(str(own).encode()).hexdigest()[:12]
    folder = user_cache() / "bindings" / place
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"neither {own} nor {folder} can be written to ({error.strerror}): set XDG_CACHE_HOME "
            "to a folder that can"
        ) from None
    return folder


def share(imports: Path) -> None:
    """Make the same classes importable from ``imports.aws``, the usual place in a CDKTF project.

    An ``imports.aws`` that ``cdktf get`` created is not changed, and a folder that cannot be
    written to is not an error, because this package itself does not use ``imports``.
    """
    folder = imports / "aws"
    text = f'{_SHARED}: {", ".join(AWS_SUBMODULES)}."""\n'
    try:
        there = (folder / "__init__.py").read_text()
    except OSError:
        there = ""
    if there == text or (folder.exists() and not there.startswith(_SHARED)):
        return
    with contextlib.suppress(OSError):
        imports.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".aws-", dir=imports) as workspace:
            new = Path(workspace) / "aws"
            for name in AWS_SUBMODULES:
                (new / name).mkdir(parents=True)
                module = f"from buildkite_agents.aws.{name} import *\n"
                (new / name / "__init__.py").write_text(module)
            (new / "__init__.py").write_text(text)
            shutil.rmtree(folder, ignore_errors=True)
            new.rename(folder)


def carve(
    target: Path,
    submodules: Sequence[str] = AWS_SUBMODULES,
    distribution: str = _DISTRIBUTION,
) -> None:
    """Fill the folder *target* with only *submodules* of *distribution*, unless it is current.

    Safe to call from several processes: one creates the submodules and the others wait. Files in
    *target* are kept, and its subfolders are replaced.

    Raises:
        ConfigError: *distribution* is not installed, has an unexpected structure, or *target* is
            not writable.
    """
    installed = _installed(distribution)
    stamp = _stamp(installed, submodules)
    if _is_current(target, stamp):
        return
    try:
        with folder_lock(target):
            if not _is_current(target, stamp):
                print(
                    f"Creating {target} from {distribution}, once ...", file=sys.stderr, flush=True
                )
                _make(installed, submodules, target, stamp)
    except OSError as error:
        raise ConfigError(f"cannot create {target}: {error}") from error
    importlib.invalidate_caches()


def _installed(distribution: str) -> importlib.metadata.Distribution:
    try:
        return importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        raise ConfigError(not_installed(distribution)) from None


def _stamp(installed: importlib.metadata.Distribution, submodules: Sequence[str]) -> str:
    carver = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    return "\n".join([installed.name, installed.version, carver, *sorted(submodules), ""])


def _is_current(target: Path, stamp: str) -> bool:
    try:
        return (target / _STAMP).read_text() == stamp + _sizes(target)
    except OSError:
        return False


def _sizes(folder: Path) -> str:
    """The sizes of the files, which tell whether they are complete."""
    files = sorted([*folder.glob("*/__init__.py"), *folder.glob("_jsii/*.tgz")])
    return "".join(f"{path.relative_to(folder)} {path.stat().st_size}\n" for path in files)


def _make(
    installed: importlib.metadata.Distribution,
    submodules: Sequence[str],
    target: Path,
    stamp: str,
) -> None:
    source = Path(str(installed.locate_file(installed.name.replace("-", "_"))))
    # The provider of CDKTF's successor refers to its functions, which are a submodule.
    functions = [f"{name}_functions" for name in submodules]
    submodules = [*submodules, *(name for name in functions if (source / name).is_dir())]
    workspace = Path(tempfile.mkdtemp(prefix=".new-", dir=target))
    try:
        for folder in ("_jsii", *submodules):
            (workspace / folder).mkdir()
        tarball = f"{ASSEMBLY}@{installed.version}.jsii.tgz"
        original = _carve_assembly(source, submodules, workspace / "_jsii" / tarball)
        for submodule in submodules:
            module = f"{submodule}/__init__.py"
            _carve_module(source / module, workspace / module, original)
        (workspace / "_jsii" / "__init__.py").write_text(
            "import cdktf._jsii\n"
            "import constructs._jsii\n"
            "import jsii\n\n"
            f'jsii.JSIIAssembly.load("{ASSEMBLY}", "{installed.version}", '
            f'__name__[: -len("._jsii")], "{tarball}")\n'
        )
        (workspace / _STAMP).write_text(stamp + _sizes(workspace))
        # _jsii is removed first and created last: its stamp says that all are complete.
        shutil.rmtree(target / "_jsii", ignore_errors=True)
        for old in target.iterdir():
            if old.is_dir() and old != workspace:
                shutil.rmtree(old)
        for folder in (*submodules, "_jsii"):
            (workspace / folder).rename(target / folder)
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


def _carve_assembly(source: Path, submodules: Sequence[str], carved: Path) -> str:
    """Write an assembly tarball that contains only *submodules*; return the original's name."""
    tarballs = list((source / "_jsii").glob("*.jsii.tgz"))
    if len(tarballs) != 1:
        raise ConfigError(f"expected one jsii tarball in {source / '_jsii'}, got {len(tarballs)}")
    folders = {submodule.replace("_", "-") for submodule in submodules}
    contents: dict[str, bytes] = {}
    with tarfile.open(tarballs[0]) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            wanted = path.parent.name in folders and path.name == "index.js"
            if wanted or member.name in {"package/.jsii", "package/package.json"}:
                file = tar.extractfile(member)
                if file is None:
                    raise ConfigError(f"{member.name} in {tarballs[0]} is not a regular file")
                contents[member.name] = file.read()

    description = json.loads(contents.pop("package/.jsii"))
    original = str(description["name"])
    package = json.loads(contents.pop("package/package.json"))
    missing = sorted(folders - {PurePosixPath(name).parent.name for name in contents})
    if missing:
        raise ConfigError(f"{original} {description['version']} has no {', '.join(missing)}")

    scripts = {
        name: _SOURCE_MAP.sub(b"", text).replace(original.encode(), ASSEMBLY.encode())
        for name, text in contents.items()
    }
    scripts["package/lib/index.js"] = "".join(
        f'Object.defineProperty(exports, "{_camel_case(folder)}", '
        f'{{ enumerable: true, get: () => require("./{folder}") }});\n'
        for folder in sorted(folders)
    ).encode()
    scripts["package/.jsii"] = _carve_description(description, folders)
    scripts["package/package.json"] = json.dumps(
        {
            "name": ASSEMBLY,
            "version": package["version"],
            "license": package["license"],
            "main": package["main"],
            "jsii": package["jsii"],
            "peerDependencies": package["peerDependencies"],
        }
    ).encode()
    _write_tarball(carved, scripts)
    return original


def _carve_description(description: dict[str, Any], folders: set[str]) -> bytes:
    original = description["name"]
    modules = {f"{original}.{_camel_case(folder)}" for folder in folders}
    description["types"] = {
        fqn: spec for fqn, spec in description["types"].items() if fqn.rsplit(".", 1)[0] in modules
    }
    description["submodules"] = {
        fqn: spec for fqn, spec in description["submodules"].items() if fqn in modules
    }
    del description["readme"]
    text = json.dumps(description)
    kept = description["types"].keys() | modules
    dangling = set(re.findall(rf'"({re.escape(original)}\.[^"]+)"', text)) - kept
    if dangling:
        raise ConfigError(
            f"the submodules depend on others that are not listed: {', '.join(sorted(dangling))}"
        )
    return text.replace(original, ASSEMBLY).encode()


def _camel_case(folder: str) -> str:
    first, *rest = folder.split("-")
    return first + "".join(word.capitalize() for word in rest)


def _write_tarball(path: Path, contents: dict[str, bytes]) -> None:
    # Times are zero for identical bytes, by which jsii's cache is keyed.
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for name in sorted(contents):
            member = tarfile.TarInfo(name)
            member.size = len(contents[name])
            tar.addfile(member, io.BytesIO(contents[name]))


def _carve_module(source: Path, target: Path, original: str) -> None:
    text = source.read_text().replace(f'"{original}.', f'"{ASSEMBLY}.')
    text = _TYPE_CHECK.sub("", text)
    # Avoids evaluating thousands of annotations, which nothing else uses.
    text = text.replace("from pkgutil", "from __future__ import annotations\nfrom pkgutil", 1)
    target.write_text(text)
