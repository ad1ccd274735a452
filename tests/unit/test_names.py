"""The names that existing deployments have."""

from buildkite_agents.names import Names


def test_names_are_the_documented_ones() -> None:
    names = Names("conbench", "prod")
    assert names.secrets_bucket == "conbench-prod-buildkite-secrets"
    assert names.agent_policy == "conbench-prod-buildkite-agent-policy"
    assert names.token_parameter == "/buildkite/agent-token"  # noqa: S105
    assert names.stack("q") == "conbench-prod-buildkite-q"
    assert names.instance_role("q") == "conbench-prod-buildkite-q-role"


def test_no_name_of_one_environment_is_anothers() -> None:
    prod, staging = Names("conbench", "prod"), Names("conbench", "staging")
    for name in ("prefix", "secrets_bucket", "agent_policy", "token_parameter"):
        assert getattr(prod, name) != getattr(staging, name)
