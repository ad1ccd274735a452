"""The edges of the checks: what is just accepted beside what is just refused.

Mutations of the checks survived the other tests here.
"""

from typing import Any

import pytest
from support.resolving import problems_of, problems_with, resolved

from buildkite_agents import AgentAccess, AgentQueue, Existing, SecretsBucket, elastic_ci_stack
from buildkite_agents.checks import warnings
from buildkite_agents.resolved import ResolvedStack
from buildkite_agents.settings import StackSettings

V6 = "v6.71.1"
ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
POLICY = "arn:aws:iam::123456789012:policy/p"
ROLE = "arn:aws:iam::123456789012:role/agent"


def queue(**settings: Any) -> AgentQueue:
    return AgentQueue(settings.pop("instance_type", "m5.large"), name="q", **settings)


def warned_of(name: str, one: AgentQueue) -> str | None:
    stack = ResolvedStack(StackSettings("conbench"), [resolved(one)])
    (warning,) = (each for each in warnings.WARNINGS if each.name == name)
    return warning.found(stack.queues[0], stack)


@pytest.mark.parametrize(
    "settings",
    [
        # What only Terraform knows is not compared.
        {
            "stack_version": V6,
            "parameters": {
                "BuildkiteAgentCancelGracePeriod": 10,
                "BuildkiteAgentSignalGracePeriod": "${var.seconds}",
            },
        },
        {
            "stack_version": V6,
            "parameters": {
                "BuildkiteAgentCancelGracePeriod": 10,
                "BuildkiteAgentSignalGracePeriod": -1,
            },
        },
        {
            "parameters": {
                "BuildkiteAgentToken": "${var.token}",
                "BuildkiteAgentTokenParameterStorePath": None,
            }
        },
        # An existing role, or a policy, can permit reading parameters.
        {"parameters": {"AgentEnvFileUrl": "ssm:/env", "InstanceRoleARN": ROLE}},
        {"parameters": {"AgentEnvFileUrl": "ssm:/env", "ManagedPolicyARNs": POLICY}},
        {
            "stack_version": "v5.22.5",
            "parameters": {"AgentEnvFileUrl": "ssm:/env", "ManagedPolicyARN": POLICY},
        },
        {"parameters": {"RootVolumeName": "/dev/sda1", "LinuxDistribution": "ubuntu2404"}},
        {"parameters": {"WarmPoolEnabled": True, "WarmPoolMinSize": "${var.size}"}},
        {"parameters": {"WarmPoolEnabled": True, "WarmPoolMinSize": 4}},
        {"ignore_changes": ["parameters", 'tags["owner"]', "tags.owner-1"]},
        {"provider": "aws"},
        {"moved_from": 'module.ci["a"].module.b.aws_cloudformation_stack.agents[0]'},
        {"tags": {"k" * 128: "v" * 256, "long": "${var.long}" + "v" * 256}},
    ],
    ids=str,
)
def test_it_is_accepted(settings: dict[str, Any]) -> None:
    assert problems_of(queue(**settings)) == []


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"tags": {"k" * 129: "v"}}, "tags: keys must be 1 to 128 characters"),
        ({"tags": {"AWS:k": "v"}}, "tags: keys must be 1 to 128 characters and not aws:"),
        ({"tags": {"k": "v" * 257}}, "tags: the value of 'k' must be at most 256 characters"),
        # Terraform's timeouts and a duration in other units cannot be references.
        ({"timeout_minutes": "${var.minutes}"}, "timeout_minutes must be a whole number"),
        ({"idle_minutes": -1.5e300}, "idle_minutes must be"),
        ({"max_size": 2**65}, "max_size must be a whole number"),
        ({"parameters": {"RootVolumeSize": 2**65}}, "parameters['RootVolumeSize'] must be "),
        (
            {"parameters": {"ImageIdParameter": "/image"}},
            "parameters['ImageIdParameter']: image_stack_version is required with v7.13.0",
        ),
        (
            {"parameters": {"WarmPoolEnabled": True, "WarmPoolMinSize": 5}},
            "parameters['WarmPoolMinSize'] must be at most WarmPoolMaxGroupPreparedCapacity",
        ),
        (
            {
                "parameters": {
                    "WarmPoolEnabled": True,
                    "WarmPoolMinSize": 3,
                    "WarmPoolMaxGroupPreparedCapacity": 2,
                }
            },
            "parameters['WarmPoolMinSize'] must be at most WarmPoolMaxGroupPreparedCapacity",
        ),
        (
            {
                "stack_version": "v5.22.5",
                "parameters": {"ManagedPolicyARN": ",".join(f"{POLICY}{n}" for n in range(11))},
            },
            "parameters['ManagedPolicyARN",
        ),
        ({"ignore_changes": ["tags owner"]}, "ignore_changes must be arguments"),
        ({"provider": "aws.us-east-1.x"}, "provider must be aws or an alias such as aws.us_east_1"),
        ({"moved_from": "aws_s3_bucket.b"}, "moved_from must be the address of a stack"),
        (
            {"image_stack_version": "v7.13.0"},
            "image_stack_version requires an image: set ImageId or ImageIdParameter",
        ),
    ],
)
def test_it_is_refused_by_the_name_of_its_field(settings: dict[str, Any], problem: str) -> None:
    (found,) = problems_of(queue(**settings))
    assert found.removeprefix("queue 'q': ").startswith(problem)


@pytest.mark.parametrize("suffix", ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"])
@pytest.mark.parametrize("kind", [Existing, SecretsBucket])
def test_a_suffix_that_s3_reserves_is_refused(kind: Any, suffix: str) -> None:
    (problem,) = problems_with(secrets_bucket=kind(f"acme{suffix}"))
    assert problem.startswith("secrets_bucket.name must be ")


@pytest.mark.parametrize("prefix", ["xn--", "sthree-", "amzn-s3-demo-"])
def test_a_prefix_that_s3_reserves_is_refused(prefix: str) -> None:
    assert len(problems_with(secrets_bucket=SecretsBucket(f"{prefix}acme"))) == 1
    assert len(problems_with(project=f"{prefix}acme")) == 1


@pytest.mark.parametrize("name", ["token", "/a b", "/" + "a" * 1011])
def test_a_token_that_exists_is_refused_by_its_name(name: str) -> None:
    (problem,) = problems_with(token=Existing(name))
    assert problem.startswith("token.name must be the name of an SSM parameter")


@pytest.mark.parametrize(
    ("statement", "count"),
    [
        ({"Effect": "Allow", "NotAction": "s3:*", "NotResource": ["a", "b"]}, 0),
        ({**ALLOW, "Resource": ["arn:aws:s3:::a/*", "arn:aws:s3:::b/${bucket"]}, 1),
        ({**ALLOW, "Condition": {"StringLike": {"aws:x": ["${aws_vpc.main.id}"]}}}, 0),
        ({**ALLOW, "Condition": {"StringLike": {"aws:x": ["%{ if"]}}}, 1),
        ({"Action": "s3:GetObject", "Resource": "*"}, 1),
    ],
)
def test_a_statement_is_checked_at_any_depth(statement: dict[str, Any], count: int) -> None:
    assert len(problems_with(access=AgentAccess(statements=[statement]))) == count


@pytest.mark.parametrize(
    ("name", "settings", "is_warned_of"),
    [
        ("always-on", {"EnableScheduledScaling": True, "ScaleDownMinSize": 1}, True),
        ("always-on", {"EnableScheduledScaling": True, "ScaleUpMinSize": 0}, False),
        ("always-on", {"EnableScheduledScaling": False, "ScaleUpMinSize": 1}, False),
        ("one-subnet", {"Subnets": "subnet-01234567"}, True),
        ("one-subnet", {"Subnets": "subnet-01234567,subnet-01234568"}, False),
        ("one-subnet", {"Subnets": "${var.subnets}"}, False),
        (
            "no-effect",
            {"EnableCostAllocationTags": "${var.x}", "CostAllocationTagName": "t"},
            False,
        ),
        ("no-effect", {"EnableCostAllocationTags": True, "CostAllocationTagName": "t"}, False),
        ("no-effect", {"EnableCostAllocationTags": False, "CostAllocationTagName": "t"}, True),
        ("no-effect", {"SecretsBucketEncryption": True, "SecretsBucket": None}, False),
        ("no-effect", {"AvailabilityZones": "us-east-1a,us-east-1b"}, False),
        ("no-effect", {"AvailabilityZones": "us-east-1a", "VpcId": "vpc-01234567"}, True),
        ("burstable", {"CpuCredits": "${var.credits}"}, False),
    ],
)
def test_a_warning_is_given_where_it_applies_and_nowhere_else(
    name: str, settings: dict[str, Any], is_warned_of: bool
) -> None:
    found = warned_of(name, queue(instance_type="t3.large", parameters=settings))
    assert (found is not None) is is_warned_of, found


@pytest.mark.parametrize(
    ("idle", "size", "is_warned_of"), [(0, 4, True), (1, 4, False), (0, 0, False)]
)
def test_instances_that_never_terminate_are_warned_of_where_some_can_start(
    idle: int, size: int, is_warned_of: bool
) -> None:
    found = warned_of("never-terminates", queue(idle_minutes=idle, max_size=size))
    assert (found is not None) is is_warned_of


def test_a_stacks_name_that_is_too_long_is_refused_by_the_field_that_sets_it() -> None:
    role = {"InstanceRoleName": "agents"}
    long = AgentQueue("m5.large", name="q" * 110, parameters=role)
    given = queue(stack_name="s" * 129, parameters=role)
    assert [p.split(": ")[1] for p in problems_of(long, given)] == ["name", "stack_name"]
    assert problems_of(AgentQueue("m5.large", name="q" * 104, parameters=role)) == []


@pytest.mark.parametrize(
    ("capacity", "state", "expected"),
    [
        (-1, None, "up to 4 stopped instances without jobs, at the cost of their volumes"),
        (2, None, "up to 2 stopped instances without jobs, at the cost of their volumes"),
        (2, "Running", "up to 2 running instances without jobs, at their full cost"),
    ],
)
def test_a_warm_pools_cost_is_that_of_its_state_and_size(
    capacity: int, state: str | None, expected: str
) -> None:
    parameters = {
        "WarmPoolEnabled": True,
        "WarmPoolMaxGroupPreparedCapacity": capacity,
        "WarmPoolState": state,
    }
    assert expected in str(warned_of("warm-pool", queue(parameters=parameters)))


def test_the_parameters_and_values_that_warnings_name_exist() -> None:
    history = elastic_ci_stack.history()["parameters"]
    for (switch, on), names in warnings._SWITCHES.items():  # noqa: SLF001
        assert {switch, *names} <= history.keys()
        declared = [spec for _, spec in history[switch] if spec is not None]
        assert any(on in map(str, spec.get("AllowedValues", [on])) for spec in declared), switch
    for name, needed in warnings._NEEDS.items():  # noqa: SLF001
        assert {name, needed} <= history.keys()
