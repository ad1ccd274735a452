"""Random queues: valid ones have parameters, and invalid ones are reported by field.

A nightly run is ``HYPOTHESIS_PROFILE=nightly make test``, of 10,000 cases a property and more.
"""

import json
from dataclasses import fields
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.resolving import problems_of, resolved
from support.rule_examples import EXAMPLES

from buildkite_agents import AgentQueue, elastic_ci_stack
from buildkite_agents.checks.warnings import WARNINGS
from buildkite_agents.queue import FIELDS

QUEUE_FIELDS = sorted(field.name for field in fields(AgentQueue) if field.init)
# Parameters with a field, or whose values only some Linux distributions support.
SET_BY_FIELDS = {*FIELDS, "BuildkiteAgentToken", "BuildkiteQueue", "InstanceOperatingSystem"}


AMD_TYPES = ("m5.large", "c6a.4xlarge", "r7i.xlarge", "t3.small")
ARM_TYPES = ("t4g.2xlarge", "m7g.large", "c6gn.xlarge", "r6g.large")
SAFE_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters='"$`\\'),
    max_size=20,
)
# Combinations of parameters have their own tests.
SUBJECT_TO_OTHERS = {
    "EnableScheduledScaling",
    "PipelineSigningKMSKeySpec",
    "AgentEnvFileUrl",
    "SecurityGroupIds",
    "RootVolumeSize",
    "RootVolumeName",
    "NestedVirtualizationEnabled",
    "LinuxDistribution",
    "DockerIPv4AddressPool1",
    "DockerFixedCidrV4",
    "ImageIdParameter",
    "AssociatePublicIpAddress",
    "BuildkiteAgentTokenParameterStorePath",
    "ECRAccessPolicy",
    "EnableVpcEndpoints",
    "InstanceRoleName",
    "InstanceRolePermissionsBoundaryARN",
    "InstanceType",
    "ManagedPolicyARN",
    "ManagedPolicyARNs",
    "Subnets",
    "VpcId",
    "BuildkiteAgentCancelGracePeriod",
    "BuildkiteAgentSignalGracePeriod",
    "BuildkiteAgentTokenParameterStoreKMSKey",
    "InstanceRoleARN",
    "OnDemandBaseCapacity",
    "PipelineSigningKMSKeyId",
    "RootVolumeIops",
    "RootVolumeThroughput",
    "RootVolumeType",
    "ScaleDownMinSize",
    "ScaleUpMinSize",
}


def valid_value(name: str, spec: Any) -> st.SearchStrategy[Any]:
    if name in EXAMPLES:
        return st.sampled_from(EXAMPLES[name][0])
    if "AllowedValues" in spec:
        values = st.sampled_from(spec["AllowedValues"])
        return values | st.booleans() if spec["AllowedValues"] == ["true", "false"] else values
    if "AllowedPattern" in spec:
        return st.just(spec.get("Default"))
    if spec["Type"] == "Number":
        return st.integers(spec.get("MinValue", 0), spec.get("MaxValue", 10**6))
    return SAFE_TEXT


@st.composite
def valid_parameters(draw: st.DrawFn, version: str) -> dict[str, Any]:
    specs = elastic_ci_stack.load(version).parameters
    free = sorted(specs.keys() - SET_BY_FIELDS - SUBJECT_TO_OTHERS)
    names = draw(st.lists(st.sampled_from(free), unique=True, max_size=6))
    values = {name: draw(st.none() | valid_value(name, specs[name])) for name in names}
    # An empty value cannot replace a default of the template.
    return {
        name: None if value == "" and str(specs[name].get("Default", "")) else value
        for name, value in values.items()
    }


@st.composite
def valid_queues(draw: st.DrawFn) -> AgentQueue:
    version = draw(st.sampled_from(elastic_ci_stack.known_versions()))
    families = elastic_ci_stack.load(version).arm64_instance_families
    arm_types = tuple(name for name in ARM_TYPES if name.partition(".")[0] in families)
    types = draw(st.sampled_from([kinds for kinds in (AMD_TYPES, arm_types) if kinds]))
    specs = elastic_ci_stack.load(version).parameters
    # Before v6.0.0 the template does not accept a MaxSize of 0.
    max_size = draw(st.integers(1 if version.startswith("v5.") else 0, 1000))
    first = draw(st.sampled_from(types))
    others = st.sampled_from(types).filter(lambda each: each != first)
    return AgentQueue(
        first,
        name=draw(st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,34}\Z")),
        more_instance_types=draw(st.lists(others, unique=True, max_size=3)),
        min_size=draw(st.integers(0, max_size)),
        max_size=max_size,
        on_demand_percentage=draw(st.integers(0, 100)) if "OnDemandPercentage" in specs else 100,
        idle_minutes=draw(st.none() | st.integers(0, 10**6)),
        agents_per_instance=draw(st.integers(1, 100)),
        stack_version=version,
        parameters=draw(valid_parameters(version)),
    )


@given(valid_queues())
def test_a_valid_queue_has_only_parameters_of_its_version(queue: AgentQueue) -> None:
    assert problems_of(queue) == []
    version = elastic_ci_stack.load(queue.stack_version)
    parameters = resolved(queue).parameters
    assert parameters.keys() <= version.parameters.keys()
    assert all(isinstance(value, str) for value in parameters.values())


def replaced(queue: AgentQueue, **changes: Any) -> AgentQueue:
    settings = {field.name: getattr(queue, field.name) for field in fields(queue) if field.init}
    # Derived from the instance type; an explicit value would permit unknown instance types.
    del settings["architecture"]
    instance_type = changes.pop("instance_type", settings.pop("instance_type"))
    settings.pop("instance_type", None)
    return AgentQueue(instance_type, **{**settings, **changes})


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
# Random strings include those in the program's source.
NO_VERSION_OR_TYPE = st.text(max_size=8).filter(lambda text: "." not in text)
NO_ARCHITECTURE = st.text(min_size=1, max_size=8).filter(lambda text: not text.endswith("64"))
NO_RISK = st.text(max_size=8).filter(lambda text: text not in {risk.name for risk in WARNINGS})
BAD_FIELDS = {
    "name": st.from_regex(r"\A[_ .-][a-z]{0,5}\Z"),
    "min_size": st.integers(max_value=-1) | st.text(max_size=3) | st.floats(min_value=-1e9),
    "max_size": st.integers(max_value=-1) | st.text(max_size=3),
    "on_demand_percentage": st.integers(min_value=101) | st.integers(max_value=-1),
    "idle_minutes": st.integers(max_value=-1) | st.text(max_size=3),
    "agents_per_instance": st.integers(max_value=0) | st.text(max_size=3),
    "stack_version": NO_VERSION_OR_TYPE,
    "architecture": NO_ARCHITECTURE,
    "instance_type": NO_VERSION_OR_TYPE,
    "more_instance_types": st.lists(NO_VERSION_OR_TYPE, min_size=1, max_size=3),
    "accepted_warnings": st.lists(NO_RISK, min_size=1, max_size=3),
}


@given(valid_queues(), st.data())
def test_a_bad_field_is_refused_by_its_name(queue: AgentQueue, data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(sorted(BAD_FIELDS)))
    value = data.draw(BAD_FIELDS[field])
    problems = problems_of(replaced(queue, **{field: value}))
    assert any(field in problem for problem in problems), problems


@given(valid_queues(), st.data())
def test_a_bad_parameter_is_refused_by_its_name(queue: AgentQueue, data: st.DataObject) -> None:
    specs = elastic_ci_stack.load(queue.stack_version).parameters
    mutations = {
        **{
            n: st.sampled_from(["no such", 10**9]) for n, s in specs.items() if "AllowedValues" in s
        },
        **{n: st.just("\n") for n, s in specs.items() if "AllowedPattern" in s},
        **{
            n: st.text(max_size=5).filter(lambda t: t.strip("+-.0123456789") != "")
            for n, s in specs.items()
            if s["Type"] == "Number"
        },
        **{n: st.sampled_from(['"', "$(id)", "`", "\\"]) for n in specs},
        "BuildkiteQueue": st.just("q"),
        "InstanceTypes": st.just("m5.large"),
    }
    name = data.draw(st.sampled_from(sorted(mutations)) | st.text(max_size=10))
    value = data.draw(mutations.get(name, st.just("1")))
    problems = problems_of(replaced(queue, parameters={**queue.parameters, name: value}))
    assert any(ascii(name) in problem for problem in problems), problems


@given(st.dictionaries(st.sampled_from(QUEUE_FIELDS), ANYTHING), ANYTHING)
def test_no_value_causes_a_traceback(settings: dict[str, Any], instance_type: Any) -> None:
    settings.pop("instance_type", None)
    for problem in problems_of(AgentQueue(instance_type, **settings)):
        assert "\n" not in problem
        json.dumps(problem)
