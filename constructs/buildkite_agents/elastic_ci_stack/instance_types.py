"""What EC2's instance types are called, and which architecture each has."""

import difflib
import json
import re
from functools import cache
from pathlib import Path

AMD64 = "amd64"
ARM64 = "arm64"

_DATA = Path(__file__).with_name("instance_types.json")

# A family's letters after its generation say what it has: g is a Graviton processor (t4g, c7gn,
# im4gn). The first Graviton family, and NVIDIA's Grace, are named otherwise.
_GRAVITON = re.compile(r"[a-z]+[0-9]+[a-z]*g[a-z]*")
_OTHER_ARM64 = frozenset({"a1", "p6e-gb200"})


def family(instance_type: str) -> str:
    """The family of an instance type: ``t4g`` of ``t4g.2xlarge``."""
    return instance_type.partition(".")[0]


def architecture(instance_type: str) -> str:
    """The architecture of an instance type, ``arm64`` or ``amd64``, by its family's name."""
    name = family(instance_type)
    return ARM64 if name in _OTHER_ARM64 or _GRAVITON.fullmatch(name) else AMD64


def problem(instance_type: str) -> str | None:
    """What is wrong with an instance type, or None when EC2 has it and Linux runs on it."""
    if family(instance_type).startswith("mac"):
        return f"{instance_type!r} is a Mac, which the Elastic CI Stack does not run on"
    known = _known()
    if instance_type in known:
        return None
    close = difflib.get_close_matches(instance_type, known, n=3, cutoff=0.7)
    return f"unknown EC2 instance type {instance_type!r}" + (
        f" (did you mean {' or '.join(close)}?)" if close else ""
    )


@cache
def _known() -> frozenset[str]:
    sizes: dict[str, str] = json.loads(_DATA.read_text())
    return frozenset(f"{name}.{size}" for name in sizes for size in sizes[name].split())
