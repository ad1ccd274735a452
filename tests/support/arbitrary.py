"""Arbitrary values for the arguments of all public classes."""

from dataclasses import fields
from typing import Any

from hypothesis import strategies as st

from buildkite_agents import (
    AgentAccess,
    AgentQueue,
    AgentToken,
    Deployment,
    Existing,
    Network,
    S3Backend,
    SecretsBucket,
    elastic_ci_stack,
)

TEXT = st.text(max_size=12) | st.sampled_from(
    (
        *("https://host/script.sh", "s3://bucket/key", "${var.x}", "a\0b", "../x", "vpc-12345678"),
        *("\ud800", "a" * 300, "${", "%{", "$${a}", "${a", '${"}', "ami-12345678", "10.0.0.0/8"),
    )
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | TEXT
    | st.builds(object),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(TEXT | st.integers(), inner, max_size=2)
    ),
    max_leaves=4,
)


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """A settings value with arbitrary values in some of its fields."""
    names = [field.name for field in fields(kind)]
    required = {"name": "n", "vpc_id": "v", "subnet_ids": (), "bucket": "b", "region": "r"}
    return st.dictionaries(st.sampled_from(names), ANYTHING, max_size=2).map(
        lambda given: kind(**{**{n: v for n, v in required.items() if n in names}, **given})
    )


KINDS = (AgentAccess, AgentToken, Deployment, Existing, Network, S3Backend, SecretsBucket)
PARAMETERS = sorted(elastic_ci_stack.load(AgentQueue().stack_version).parameters)
QUEUE_FIELDS = [field.name for field in fields(AgentQueue) if field.init]


def queue_of(given: dict[str, Any]) -> AgentQueue:
    return AgentQueue(**{"instance_type": "m5.large", **given})


QUEUES = (
    st.dictionaries(st.sampled_from(QUEUE_FIELDS), ANYTHING, max_size=2)
    | st.dictionaries(st.sampled_from(PARAMETERS), ANYTHING, max_size=3).map(
        lambda given: {"parameters": given}
    )
).map(queue_of)
VALUES = ANYTHING | st.one_of(*map(values_of, KINDS)) | st.lists(QUEUES | ANYTHING, max_size=2)
ARGUMENTS = (
    "access",
    "bootstrap_script",
    "deployment",
    "environment",
    "keep_documented_layout",
    "network",
    "parameters",
    "project",
    "queues",
    "secrets_bucket",
    "tags",
    "token",
)
