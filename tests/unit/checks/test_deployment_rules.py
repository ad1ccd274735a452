"""Rules for queues together with the resources that their AgentStack defines."""

from collections.abc import Callable
from typing import Any

import pytest
from support.resolving import QUEUE, problems_of, resolved

from buildkite_agents import (
    AgentAccess,
    AgentQueue,
    AgentToken,
    Deployment,
    Existing,
    Network,
    SecretsBucket,
)

SECRET = "/aws/reference/secretsmanager/buildkite/token"  # noqa: S105
READS = AgentAccess(
    statements=[
        {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "arn:aws:x"}
    ]
)
POLICY = {"ScalerManagedPolicyARNs": "arn:aws:iam::123456789012:policy/reads-the-secret"}


def problems(parameters: dict[str, Any] | None = None, **settings: Any) -> list[str]:
    fields = settings.pop("fields", {})
    queue = AgentQueue("m5.large", name="q", parameters=parameters or {}, **fields)
    return [p.removeprefix("queue 'q': ") for p in problems_of(queue, **settings)]


@pytest.mark.parametrize(
    ("bucket", "artifacts"),
    [
        (SecretsBucket(), "conbench-prod-buildkite-secrets"),
        (SecretsBucket(name="ours"), "ours"),
        (SecretsBucket(), "${aws_s3_bucket.buildkite_secrets.id}"),
        (SecretsBucket(), '${aws_s3_bucket.buildkite_secrets["bucket"]}'),
        (SecretsBucket(), "${aws_s3_bucket_policy.buildkite_secrets.bucket}"),
        (Existing("${aws_s3_bucket.x.id}"), "${aws_s3_bucket.x.bucket}"),
        (Existing("theirs"), "theirs"),
        (Existing("${aws_s3_bucket.x.id}"), "${aws_s3_bucket.x.id}"),
    ],
)
def test_artifacts_in_the_secrets_bucket_are_refused(bucket: Any, artifacts: str) -> None:
    (problem,) = problems({"ArtifactsBucket": artifacts}, secrets_bucket=bucket)
    assert problem.startswith("parameters['ArtifactsBucket'] must not be the secrets bucket")


def test_artifacts_in_the_scripts_bucket_are_refused() -> None:
    script = "s3://scripts/boot.sh"
    (problem,) = problems({"ArtifactsBucket": "scripts"}, bootstrap_script=script)
    assert "or that of the bootstrap script" in problem
    assert problems({"ArtifactsBucket": "artifacts"}, bootstrap_script=script) == []
    assert problems({"ArtifactsBucket": "${aws_s3_bucket.artifacts.id}"}) == []


def test_artifacts_in_another_bucket_are_accepted() -> None:
    assert problems({"ArtifactsBucket": "artifacts"}) == []


def test_a_secret_needs_permissions_for_instances_and_scaler() -> None:
    token = Existing(SECRET)
    instances, scaler = problems(token=token)
    assert "which the instances cannot read" in instances
    assert "which the scaler cannot read" in scaler
    assert problems(POLICY, token=token, access=READS) == []
    # Other policies can permit it.
    assert problems(POLICY, token=token, access=Existing("${aws_iam_policy.x.arn}")) == []


def test_a_fixed_fleet_has_no_scaler_that_reads_a_secret() -> None:
    fixed = {"min_size": 2, "max_size": 2}
    assert problems(token=Existing(SECRET), access=READS, fields=fixed) == []


def test_a_version_whose_scaler_cannot_be_permitted_is_named() -> None:
    (problem,) = problems(token=Existing(SECRET), access=READS, fields={"stack_version": "v6.30.0"})
    assert "with a stack_version that has it, unlike v6.30.0" in problem


def test_a_queue_in_another_region_has_its_own_network_and_token() -> None:
    network = Network("vpc-01234567", ["subnet-01234567"])
    names = ["VpcId", "Subnets", "BuildkiteAgentTokenParameterStorePath"]
    own = {"VpcId": None, "Subnets": None}

    def west(**parameters: Any) -> AgentQueue:
        return AgentQueue("m5.large", name="west", provider="aws.west", parameters=parameters)

    east = AgentQueue("m5.large", name="east")
    found = problems_of(east, west(), network=network)
    assert all(f"parameters[{n!r}] is required" in p for n, p in zip(names, found, strict=True))
    assert problems_of(east, west(**own, **{names[2]: "/token"}), network=network) == []
    assert problems_of(east, west(**own), network=network, token=Existing("/token")) == []
    # A parameter of all queues is that of the first region too.
    everywhere = {"VpcId": "vpc-01234567", "Subnets": "subnet-01234567"}
    assert len(problems_of(east, west(), parameters=everywhere, token=Existing("/token"))) == 2
    # All queues are in the other region.
    assert problems_of(west(), network=network, token=Existing("/token")) == []


@pytest.mark.parametrize(
    ("script", "bucket", "permitted"),
    [
        ("s3://elsewhere/a/script.sh", SecretsBucket(), "s3://elsewhere/a/script.sh"),
        ("s3://conbench-prod-buildkite-secrets/script.sh", SecretsBucket(), None),
        ("s3://theirs/script.sh", Existing("theirs"), None),
        ("s3://theirs-too/script.sh", Existing("theirs"), "s3://theirs-too/script.sh"),
        ("https://host/script.sh", SecretsBucket(), None),
        (None, SecretsBucket(), None),
    ],
)
def test_a_script_outside_the_secrets_bucket_is_permitted(
    script: str | None, bucket: Any, permitted: str | None
) -> None:
    from buildkite_agents.resolve import resolve
    from buildkite_agents.settings import StackSettings

    stack = resolve(StackSettings("conbench", bootstrap_script=script, secrets_bucket=bucket), [])
    assert stack.script_url_to_permit == permitted
    assert resolved(AgentQueue("m5.large"), bootstrap_script=script).parameters.get(
        "BootstrapScriptUrl"
    ) == (script)


def test_queues_can_share_an_existing_role() -> None:
    role = {"InstanceRoleARN": "arn:aws:iam::123456789012:role/agents"}
    queues = [AgentQueue("m5.large", name=name) for name in "ab"]
    assert problems_of(*queues, parameters=role) == []


@pytest.mark.parametrize("block", [{"role_arn": "arn:aws:x"}, [{"role_arn": "arn:aws:x"}], True])
def test_an_argument_of_the_provider_is_anything_that_terraform_takes(block: Any) -> None:
    assert problems(deployment=Deployment(provider={"assume_role": block})) == []


@pytest.mark.parametrize("field", ["permissions_boundary", "managed_policies"])
def test_the_arn_of_a_role_is_not_that_of_a_policy(field: str) -> None:
    role = "arn:aws:iam::123456789012:role/p"
    access = AgentAccess(**{field: [role] if field == "managed_policies" else role})  # type: ignore[arg-type]
    (problem,) = problems(access=access)
    assert problem.startswith(f"access.{field} must be an ARN such as arn:aws:iam:...:policy/...")


@pytest.mark.parametrize(
    "settings",
    [
        {"secrets_bucket": Existing("conbench-prod-buildkite-secrets")},
        {"token": Existing("/buildkite/agent-token")},
    ],
)
def test_what_is_in_use_is_not_unused(settings: dict[str, Any]) -> None:
    (problem,) = problems(deployment=Deployment(destroy_unused=True), **settings)
    assert "remove destroy_unused" in problem
    assert not problems(deployment=Deployment(destroy_unused=True), secrets_bucket=Existing("own"))


@pytest.mark.parametrize(
    ("deployment", "expected"),
    [
        (Deployment(provider={"default_tags": []}), "set tags of the AgentStack"),
        (Deployment(provider={"default_tags.tags": {}}), "not an argument of a provider"),
        (Deployment(provider={"max_retries": 3}, inside_root_module=True), "has no effect"),
    ],
)
def test_arguments_that_the_provider_would_not_get_are_refused(
    deployment: Deployment, expected: str
) -> None:
    (problem,) = problems(deployment=deployment)
    assert expected in problem


@pytest.mark.parametrize(
    ("parameters", "fields"),
    [
        ({"BuildkiteAgentTags": "arch=amd64,t=${var.buildkite_agent_token}"}, {}),
        ({}, {"tags": {"a": "${var.buildkite_agent_token_west}"}}),
    ],
)
def test_the_tokens_variable_is_only_for_the_token(
    parameters: dict[str, Any], fields: dict[str, Any]
) -> None:
    (problem,) = problems(parameters, fields=fields)
    assert "must not contain the agent token" in problem


def test_a_statement_that_denies_reading_the_secret_does_not_permit_it() -> None:
    denies = AgentAccess(statements=[{**READS.statements[0], "Effect": "Deny"}])
    assert not problems(POLICY, token=Existing(SECRET), access=READS)
    (problem,) = problems(POLICY, token=Existing(SECRET), access=denies)
    assert "which the instances cannot read" in problem


@pytest.mark.parametrize("url", ["s3://scripts/a%{x", "s3://scripts/a${x"])
def test_a_scripts_url_that_terraform_cannot_read_is_refused(url: str) -> None:
    (problem,) = problems(bootstrap_script=url)
    assert problem.startswith("bootstrap_script ")


def planted(prefix: str) -> str:
    return f"{prefix}_{'a1' * 20}"


@pytest.mark.parametrize(
    "token",
    [
        AgentToken(value=f'${{"{planted("bkct")}"}}'),
        AgentToken(value=f"${{var.token}}{planted('bkct')}"),
        AgentToken(organization=planted("bkct")),
    ],
)
def test_a_token_in_the_settings_of_the_token_is_refused_and_not_shown(token: AgentToken) -> None:
    (problem,) = problems(token=token)
    assert problem.startswith("token.")
    assert planted("bkct") not in problem


@pytest.mark.parametrize("text", ['"', "`id`", "$(id)", "\n"])
@pytest.mark.parametrize(
    "settings",
    [
        lambda value: {"secrets_bucket": SecretsBucket(name=value)},
        lambda value: {"secrets_bucket": SecretsBucket(kms_key_arn=value)},
        lambda value: {"secrets_bucket": Existing(value)},
        lambda value: {"token": AgentToken(parameter=value)},
        lambda value: {"access": AgentAccess(policy_name=value)},
        lambda value: {"bootstrap_script": f"s3://{value}"},
    ],
)
def test_text_around_a_reference_is_checked(
    settings: Callable[[str], dict[str, Any]], text: str
) -> None:
    assert problems_of(QUEUE, **settings("${var.x}-a")) == []
    assert problems_of(QUEUE, **settings("${var.x}" + text))
