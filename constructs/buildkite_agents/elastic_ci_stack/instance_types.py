"""The names and architectures of EC2 instance types."""

import json
import re
from functools import cache
from pathlib import Path

from buildkite_agents.errors import did_you_mean

AMD64 = "amd64"
ARM64 = "arm64"

_DATA = Path(__file__).with_name("instance_types.json")

# A letter g after the generation means a Graviton processor (t4g, c7gn, im4gn). The first Graviton
# family and NVIDIA Grace have other names.
_GRAVITON = re.compile(r"[a-z]+[0-9]+[a-z]*g[a-z]*")
_OTHER_ARM64 = frozenset({"a1", "p6e-gb200"})


def family(instance_type: str) -> str:
    """The family of an instance type, such as ``t4g`` for ``t4g.2xlarge``."""
    return instance_type.partition(".")[0]


def architecture(instance_type: str) -> str:
    """The architecture of an instance type, ``arm64`` or ``amd64``, derived from its family."""
    name = family(instance_type)
    return ARM64 if name in _OTHER_ARM64 or _GRAVITON.fullmatch(name) else AMD64


def problem(instance_type: str) -> str | None:
    """Return the problem of an instance type, or None if EC2 has it and it runs Linux."""
    if family(instance_type).startswith("mac"):
        return f"{instance_type!a} is a Mac, which the Elastic CI Stack does not support"
    known = _known()
    if instance_type in known:
        return None
    return f"unknown EC2 instance type {instance_type!a}{did_you_mean(instance_type, known)}"


@cache
def _known() -> frozenset[str]:
    sizes: dict[str, str] = json.loads(_DATA.read_text())
    return frozenset(f"{name}.{size}" for name in sizes for size in sizes[name].split())
