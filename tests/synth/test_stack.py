"""The configuration of a stack, argument by argument."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cdktf
import pytest

from buildkite_agents import (
    AgentAccess,
    AgentApp,
    AgentQueue,
    AgentStack,
    AgentToken,
    ConfigError,
    Deployment,
    Existing,
    Network,
    S3Backend,
    SecretsBucket,
)

Synthesize = Callable[..., dict[str, Any]]
TAGS = {"Project": "conbench", "Environment": "prod"}


def test_the_bucket(synthesize: Synthesize) -> None:
    assert synthesize()["resource"]["aws_s3_bucket"] == {
        "buildkite_secrets": {
            "bucket": "conbench-prod-buildkite-secrets",
            "tags": {**TAGS, "Name": "conbench-prod-buildkite-secrets"},
            "lifecycle": {"prevent_destroy": True},
        }
    }


@pytest.mark.parametrize(
    "name",
    [
        *("aws", "agent-policy", "agent-token", "backend", "buildkite-agent", "environment"),
        *("agent_token", "buildkite_agent_queues", "secrets_bucket", "vpc_id"),
    ],
)
def test_a_queue_can_have_the_name_of_another_construct(synthesize: Synthesize, name: str) -> None:
    resources = synthesize(queues=[AgentQueue("m5.4xlarge", name=name)])["resource"]
    assert list(resources["aws_cloudformation_stack"]) == [name]


def test_the_bucket_blocks_public_access(synthesize: Synthesize) -> None:
    assert synthesize()["resource"]["aws_s3_bucket_public_access_block"] == {
        "buildkite_secrets": {
            "bucket": "${aws_s3_bucket.buildkite_secrets.id}",
            "block_public_acls": True,
            "block_public_policy": True,
            "ignore_public_acls": True,
            "restrict_public_buckets": True,
        }
    }


def test_the_bucket_is_encrypted(synthesize: Synthesize) -> None:
    encryption = synthesize()["resource"]["aws_s3_bucket_server_side_encryption_configuration"]
    assert encryption["buildkite_secrets"]["rule"] == [
        {"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}
    ]


def test_a_customers_key_encrypts_bucket_and_script_and_agents_may_use_it_alone(
    synthesize: Synthesize,
) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
    resources = synthesize(secrets_bucket=SecretsBucket(kms_key_arn=key))["resource"]
    encryption = resources["aws_s3_bucket_server_side_encryption_configuration"]
    assert encryption["buildkite_secrets"]["rule"] == [
        {
            "apply_server_side_encryption_by_default": {
                "sse_algorithm": "aws:kms",
                "kms_master_key_id": key,
            },
            "bucket_key_enabled": True,
        }
    ]
    script = resources["aws_s3_object"]["bootstrap_script"]
    assert (script["server_side_encryption"], script["kms_key_id"]) == ("aws:kms", key)
    assert script["metadata"] == {
        "sha256": '${filesha256("${path.module}/buildkite-bootstrap.sh")}'
    }
    assert "etag" not in script
    statements = policy_statements(resources)
    assert statements["DecryptSecrets"] == {
        "Sid": "DecryptSecrets",
        "Effect": "Allow",
        "Action": ["kms:Decrypt"],
        "Resource": [key],
    }


def policy_statements(resources: dict[str, Any]) -> dict[str, Any]:
    document = json.loads(resources["aws_iam_policy"]["buildkite_agent"]["policy"])
    return {
        statement.get("Sid", str(i)): statement for i, statement in enumerate(document["Statement"])
    }


def test_the_bucket_keeps_versions_for_a_month(synthesize: Synthesize) -> None:
    resources = synthesize()["resource"]
    versioning = resources["aws_s3_bucket_versioning"]["buildkite_secrets"]
    assert versioning["versioning_configuration"] == {"status": "Enabled"}
    lifecycle = resources["aws_s3_bucket_lifecycle_configuration"]["buildkite_secrets"]
    assert lifecycle["rule"] == [
        {
            "id": "expire-replaced-secrets",
            "status": "Enabled",
            "filter": [{"prefix": ""}],
            "noncurrent_version_expiration": [{"noncurrent_days": 30}],
            "abort_incomplete_multipart_upload": [{"days_after_initiation": 7}],
        }
    ]


def test_the_bucket_owns_all_its_objects(synthesize: Synthesize) -> None:
    controls = synthesize()["resource"]["aws_s3_bucket_ownership_controls"]["buildkite_secrets"]
    assert controls["rule"] == {"object_ownership": "BucketOwnerEnforced"}


def test_the_bucket_is_changed_by_one_call_at_a_time(synthesize: Synthesize) -> None:
    resources = synthesize()["resource"]
    after = {
        f"{kind}.{name}": resource["depends_on"]
        for kind, named in resources.items()
        for name, resource in named.items()
        if kind.startswith("aws_s3_") and "depends_on" in resource
    }
    # In parallel with the object, because it takes a minute: no bucket change follows it.
    last = after.pop("aws_s3_bucket_lifecycle_configuration.buildkite_secrets")
    assert last == ["aws_s3_bucket_policy.buildkite_secrets"]
    order = ["aws_s3_object.bootstrap_script"]
    while order[-1] in after:
        order += after[order[-1]]
    assert order == [
        "aws_s3_object.bootstrap_script",
        "aws_s3_bucket_policy.buildkite_secrets",
        "aws_s3_bucket_versioning.buildkite_secrets",
        "aws_s3_bucket_ownership_controls.buildkite_secrets",
        "aws_s3_bucket_server_side_encryption_configuration.buildkite_secrets",
        "aws_s3_bucket_public_access_block.buildkite_secrets",
    ]


def test_the_bootstrap_script_is_read_when_terraform_runs(synthesize: Synthesize) -> None:
    script = synthesize()["resource"]["aws_s3_object"]["bootstrap_script"]
    del script["lifecycle"]
    assert script == {
        "bucket": "${aws_s3_bucket.buildkite_secrets.id}",
        "key": "bootstrap/setup_benchmark_machine.sh",
        "source": "${path.module}/buildkite-bootstrap.sh",
        "etag": '${filemd5("${path.module}/buildkite-bootstrap.sh")}',
        "server_side_encryption": "AES256",
        "depends_on": ["aws_s3_bucket_policy.buildkite_secrets"],
    }


def test_the_token(synthesize: Synthesize) -> None:
    configuration = synthesize(token=AgentToken(organization="arrow-dev.org"))
    token = configuration["resource"]["aws_ssm_parameter"]["buildkite_agent_token"]
    del token["lifecycle"]
    assert token == {
        "name": "/buildkite/agent-token",
        "description": "Buildkite Agent Token for arrow-dev.org organization",
        "type": "SecureString",
        "value": "${var.buildkite_agent_token}",
        "tags": {**TAGS, "Name": "buildkite-agent-token"},
    }


def test_the_policy(synthesize: Synthesize) -> None:
    policy = synthesize()["resource"]["aws_iam_policy"]["buildkite_agent"]
    del policy["policy"]
    assert policy == {
        "name": "conbench-prod-buildkite-agent-policy",
        "description": "IAM policy for Buildkite agents",
        "tags": TAGS,
        "lifecycle": {"create_before_destroy": True},
    }


def test_the_documented_policy(synthesize: Synthesize) -> None:
    resources = synthesize(keep_documented_layout=True)["resource"]
    document = json.loads(resources["aws_iam_policy"]["buildkite_agent"]["policy"])
    bucket = "${aws_s3_bucket.buildkite_secrets.arn}"
    assert document == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:ListBucket"],
                "Resource": [bucket, f"{bucket}/*"],
            },
            {
                "Effect": "Allow",
                "Action": [
                    "ecr:GetAuthorizationToken",
                    "ecr:BatchCheckLayerAvailability",
                    "ecr:GetDownloadUrlForLayer",
                    "ecr:BatchGetImage",
                    "ecr:PutImage",
                    "ecr:InitiateLayerUpload",
                    "ecr:UploadLayerPart",
                    "ecr:CompleteLayerUpload",
                ],
                "Resource": "*",
            },
            {
                "Effect": "Allow",
                "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": "arn:aws:logs:*:*:*",
            },
        ],
    }


def test_the_documented_layout_has_no_further_resources(
    synthesize: Synthesize,
) -> None:
    assert synthesize(keep_documented_layout=True)["resource"].keys() == {
        "aws_cloudformation_stack",
        "aws_iam_policy",
        "aws_s3_bucket",
        "aws_s3_bucket_public_access_block",
        "aws_s3_bucket_server_side_encryption_configuration",
        "aws_s3_object",
        "aws_ssm_parameter",
    }


def test_additional_access_is_added(synthesize: Synthesize) -> None:
    statement = {"Sid": "Own", "Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}
    access = AgentAccess(
        push_to_ecr_repositories=["arrow/*"],
        statements=[statement],
        managed_policies=["arn:aws:iam::aws:policy/ReadOnlyAccess"],
        permissions_boundary="arn:aws:iam::123456789012:policy/boundary",
    )
    resources = synthesize(access=access)["resource"]
    statements = policy_statements(resources)
    assert statements["Own"] == statement
    (images,) = statements["PushImages"]["Resource"]
    assert images.endswith(":repository/arrow/*")
    (stack,) = resources["aws_cloudformation_stack"].values()
    parameters = stack["parameters"]
    assert parameters["ManagedPolicyARNs"].endswith(",arn:aws:iam::aws:policy/ReadOnlyAccess")
    boundary = "arn:aws:iam::123456789012:policy/boundary"
    assert parameters["InstanceRolePermissionsBoundaryARN"] == boundary


def test_pushing_to_ecr_is_asked_for(synthesize: Synthesize) -> None:
    resources = synthesize()["resource"]
    assert "ecr:" not in resources["aws_iam_policy"]["buildkite_agent"]["policy"]
    (stack,) = resources["aws_cloudformation_stack"].values()
    assert stack["parameters"]["ECRAccessPolicy"] == "readonly"
    (stack,) = synthesize(access=AgentAccess(pull_from_ecr=False))["resource"][
        "aws_cloudformation_stack"
    ].values()
    assert stack["parameters"]["ECRAccessPolicy"] == "none"


def test_the_quotes_of_a_reference_in_a_policy_are_terraforms(synthesize: Synthesize) -> None:
    resource = '${aws_sqs_queue.all["results"].arn}'
    statement = {"Sid": "Own", "Effect": "Allow", "Action": "sqs:*", "Resource": resource}
    resources = synthesize(access=AgentAccess(statements=[statement]))["resource"]
    assert f'"Resource":"{resource}"' in resources["aws_iam_policy"]["buildkite_agent"]["policy"]


def test_the_token_is_checked_where_no_error_contains_it(synthesize: Synthesize) -> None:
    for settings in ({}, {"token": AgentToken(write_only_version=1)}):
        configuration = synthesize(**settings)
        assert "validation" not in configuration["variable"]["buildkite_agent_token"]
        parameter = configuration["resource"]["aws_ssm_parameter"]["buildkite_agent_token"]
        assert len(parameter["lifecycle"]["precondition"]) == 3


def test_a_write_only_token_is_in_no_argument_that_the_state_keeps(synthesize: Synthesize) -> None:
    configuration = synthesize(token=AgentToken(write_only_version=3))
    parameter = configuration["resource"]["aws_ssm_parameter"]["buildkite_agent_token"]
    assert parameter["value_wo"] == "${var.buildkite_agent_token}"
    assert parameter["value_wo_version"] == 3
    assert "value" not in parameter
    variable = configuration["variable"]["buildkite_agent_token"]
    assert (variable["ephemeral"], variable["sensitive"]) == (True, True)
    terraform = configuration["terraform"]
    assert terraform["required_version"] == ">= 1.11"
    assert terraform["required_providers"]["aws"]["version"].startswith(">= 5.87, < 7.0, ")


def test_a_queues_stack(synthesize: Synthesize) -> None:
    queue = "amd64-m5-4xlarge-linux"
    name = f"conbench-prod-buildkite-{queue}"
    stacks = synthesize()["resource"]["aws_cloudformation_stack"]
    del stacks[queue]["lifecycle"]
    stacks[queue]["tags"].pop("ElasticCIStack")
    assert stacks == {
        queue: {
            "timeouts": dict.fromkeys(("create", "update", "delete"), "90m"),
            "name": name,
            "template_url": "https://s3.amazonaws.com/buildkite-aws-stack/v7.13.0/aws-stack.yml",
            "capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            "tags": {**TAGS, "Name": name, "Queue": queue},
            "depends_on": [
                "aws_s3_object.bootstrap_script",
                "aws_ssm_parameter.buildkite_agent_token",
                "aws_iam_policy.buildkite_agent",
            ],
            "parameters": {
                "AgentsPerInstance": "1",
                "BootstrapScriptUrl": (
                    "s3://${aws_s3_bucket.buildkite_secrets.bucket}/"
                    "${aws_s3_object.bootstrap_script.key}"
                ),
                "BuildkiteAgentTags": "arch=amd64,os=linux,instance=m5-4xlarge",
                "BuildkiteAgentTokenParameterStorePath": (
                    "${aws_ssm_parameter.buildkite_agent_token.name}"
                ),
                "BuildkiteQueue": queue,
                "ECRAccessPolicy": "readonly",
                "IMDSv2Tokens": "required",
                "ImageId": ('${try(coalesce(var.buildkite_agent_amis["amd64-linux"]), null)}'),
                "InstanceCreationTimeout": "PT15M",
                "InstanceOperatingSystem": "linux",
                "InstanceRoleName": f"{name}-role",
                "InstanceTypes": "m5.4xlarge",
                "ManagedPolicyARNs": "${aws_iam_policy.buildkite_agent.arn}",
                "MaxSize": "4",
                "MinSize": "0",
                "OnDemandPercentage": "100",
                "RootVolumeEncrypted": "true",
                "ScaleInIdlePeriod": "900",
                "SecretsBucket": "${aws_s3_bucket.buildkite_secrets.bucket}",
                "SecretsBucketRegion": "${var.aws_region}",
                "Subnets": '${try(coalesce(join(",", var.subnet_ids)), null)}',
                "VpcId": "${try(coalesce(var.vpc_id), null)}",
            },
        }
    }


def test_an_arm64_queue_takes_the_arm64_image(synthesize: Synthesize) -> None:
    configuration = synthesize(queues=[AgentQueue("t4g.2xlarge", name="arm")])
    parameters = configuration["resource"]["aws_cloudformation_stack"]["arm"]["parameters"]
    assert parameters["ImageId"] == (
        '${try(coalesce(var.buildkite_agent_amis["arm64-linux"]), null)}'
    )


def test_a_queues_own_stack_version_is_its_template(synthesize: Synthesize) -> None:
    configuration = synthesize(queues=[AgentQueue("m5.large", name="old", stack_version="v6.21.0")])
    assert configuration["resource"]["aws_cloudformation_stack"]["old"]["template_url"] == (
        "https://s3.amazonaws.com/buildkite-aws-stack/v6.21.0/aws-stack.yml"
    )


def test_each_queue_is_moved_from_its_address_in_the_documented_layout(
    synthesize: Synthesize,
) -> None:
    queues = [AgentQueue("m5.large", name="b"), AgentQueue("m5.large", name="a")]
    assert synthesize(queues=queues)["moved"] == [
        {
            "from": f'aws_cloudformation_stack.buildkite_agents["{name}"]',
            "to": f"aws_cloudformation_stack.{name}",
        }
        for name in ("a", "b")
    ]


def test_the_order_of_the_queues_does_not_matter(synthesize: Synthesize) -> None:
    queues = [AgentQueue("m5.large"), AgentQueue("c6a.large"), AgentQueue("t4g.large")]
    assert synthesize(queues=queues) == synthesize(queues=queues[::-1])


def test_a_queue_changes_nothing_of_another(synthesize: Synthesize) -> None:
    one, two = AgentQueue("m5.large", name="one"), AgentQueue("c6a.large", name="two")
    alone = synthesize(queues=[one])["resource"]
    beside = synthesize(queues=[two, one])["resource"]
    del beside["aws_cloudformation_stack"]["two"]
    # The bucket's policy keeps queues apart.
    del alone["aws_s3_bucket_policy"], beside["aws_s3_bucket_policy"]
    assert alone == beside


@pytest.mark.parametrize(
    ("settings", "is_there"),
    [
        ({}, True),
        ({"stack_version": "v6.71.4"}, False),
        ({"parameters": {"ImageId": None}}, False),
        ({"parameters": {"ImageId": "ami-01234567"}, "image_stack_version": "v7.13.0"}, False),
    ],
)
def test_terraform_warns_of_images_in_its_variable_since_v7(
    synthesize: Synthesize, settings: dict[str, Any], is_there: bool
) -> None:
    configuration = synthesize(queues=[AgentQueue("m5.large", **settings)])
    assert ("check" in configuration) is is_there


def test_the_outputs(synthesize: Synthesize) -> None:
    queues = [AgentQueue("m5.large", name="b"), AgentQueue("m5.large", name="a")]
    outputs = synthesize(queues=queues)["output"]
    assert {name: output["value"] for name, output in outputs.items()} == {
        "buildkite_secrets_bucket": "${aws_s3_bucket.buildkite_secrets.bucket}",
        "buildkite_agent_queues": ["a", "b"],
        "buildkite_stack_names": {
            "a": "${aws_cloudformation_stack.a.name}",
            "b": "${aws_cloudformation_stack.b.name}",
        },
    }


def test_the_provider(synthesize: Synthesize) -> None:
    assert synthesize()["provider"] == {
        "aws": [
            {
                "region": "${var.aws_region}",
                "profile": '${var.aws_profile == "" ? null : var.aws_profile}',
                "default_tags": [{"tags": {**TAGS, "ManagedBy": "terraform"}}],
            }
        ]
    }


def test_versions_are_ranges(synthesize: Synthesize) -> None:
    terraform = synthesize()["terraform"]
    assert terraform["required_version"] == ">= 1.9"
    aws = terraform["required_providers"]["aws"]
    assert aws["source"] == "hashicorp/aws"
    assert aws["version"].startswith(">= 5.0, < 7.0, ")


def test_provider_versions_that_cannot_work_are_excluded(synthesize: Synthesize) -> None:
    version = synthesize()["terraform"]["required_providers"]["aws"]["version"]
    excluded = {v.removeprefix("!= ") for v in version.split(", ") if v.startswith("!= ")}
    assert {"5.86.0", "6.1.0", "6.22.0", "6.22.1", "6.39.0"} <= excluded
    assert not {"5.86.1", "5.100.0", "6.21.0", "6.40.0"} & excluded


def test_a_stacks_tag_contains_its_version_and_a_checksum_of_its_parameter_names(
    synthesize: Synthesize,
) -> None:
    def tag(**fields: Any) -> str:
        queue = AgentQueue("m5.4xlarge", name="q", **fields)
        stacks = synthesize(queues=[queue])["resource"]["aws_cloudformation_stack"]
        return str(stacks["q"]["tags"]["ElasticCIStack"])

    plain = tag()
    assert plain.startswith("v7.13.0 ")
    assert tag(parameters={"RootVolumeSize": 500}) != plain
    assert tag(parameters={"RootVolumeSize": 500}) == tag(parameters={"RootVolumeSize": 600})
    assert tag(stack_version="v6.21.0") == plain.replace("v7.13.0", "v6.21.0")


def test_the_documented_layout_has_no_further_tags(synthesize: Synthesize) -> None:
    (stack,) = synthesize(keep_documented_layout=True)["resource"][
        "aws_cloudformation_stack"
    ].values()
    assert stack["tags"].keys() == {*TAGS, "Name", "Queue"}


@pytest.mark.parametrize(
    ("props", "protected"),
    [
        ({}, True),
        ({"secrets_bucket": SecretsBucket(deletion_protection=False)}, False),
        ({"keep_documented_layout": True}, False),
    ],
)
def test_terraform_refuses_to_destroy_the_bucket_by_default(
    synthesize: Synthesize, props: dict[str, Any], protected: bool
) -> None:
    bucket = synthesize(**props)["resource"]["aws_s3_bucket"]["buildkite_secrets"]
    assert bucket.get("lifecycle", {}).get("prevent_destroy", False) is protected


def test_the_script_can_be_without_the_providers_default_tags(synthesize: Synthesize) -> None:
    resources = synthesize(secrets_bucket=SecretsBucket(default_tags_on_script=False))["resource"]
    assert resources["aws_s3_object"]["bootstrap_script"]["override_provider"] == {
        "default_tags": {"tags": {}}
    }


def test_state_is_beside_the_configuration_by_default(
    bootstrap_script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = AgentApp()
    queues = [AgentQueue("m5.4xlarge")]
    AgentStack(app, project="conbench", queues=queues, bootstrap_script=bootstrap_script)
    app.synth()
    terraform = json.loads(Path("terraform/main.tf.json").read_text())["terraform"]
    assert terraform["backend"] == {"local": {"path": "terraform.tfstate"}}


def test_state_in_s3_is_encrypted_and_locked(synthesize: Synthesize) -> None:
    backend = S3Backend(bucket="states", region="eu-west-1")
    assert synthesize(deployment=Deployment(backend=backend))["terraform"]["backend"] == {
        "s3": {
            "bucket": "states",
            "key": "conbench-prod/terraform.tfstate",
            "region": "eu-west-1",
            "encrypt": True,
            "use_lockfile": True,
        }
    }


def test_a_state_in_s3_has_its_own_profile_role_and_key(synthesize: Synthesize) -> None:
    role, key = "arn:aws:iam::123456789012:role/states", "arn:aws:kms:us-east-1:123456789012:key/k"
    backend = S3Backend(
        bucket="states", region="eu-west-1", profile="ops", role_arn=role, kms_key_arn=key
    )
    terraform = synthesize(deployment=Deployment(backend=backend))["terraform"]
    s3 = terraform["backend"]["s3"]
    assert (s3["profile"], s3["assume_role"], s3["kms_key_id"]) == ("ops", {"role_arn": role}, key)
    # Older versions have no lock files in S3.
    assert terraform["required_version"] == ">= 1.10"


def test_a_second_project_has_its_own_token_parameter(synthesize: Synthesize) -> None:
    def parameter(**settings: Any) -> str:
        resources = synthesize(**settings)["resource"]
        return str(resources["aws_ssm_parameter"]["buildkite_agent_token"]["name"])

    assert parameter(project="conbench") == "/buildkite/agent-token"
    assert parameter(project="conbench", environment="dev") == "/buildkite/dev/agent-token"
    assert parameter(project="acme") == "/buildkite/acme/prod/agent-token"
    assert parameter(project="acme", environment="dev") == "/buildkite/acme/dev/agent-token"


def test_a_script_is_uploaded_to_an_existing_bucket(synthesize: Synthesize) -> None:
    configuration = synthesize(
        secrets_bucket=Existing("theirs"), deployment=Deployment(import_account="123456789012")
    )
    resources = configuration["resource"]
    assert resources["aws_s3_object"]["bootstrap_script"]["bucket"] == "theirs"
    assert "aws_s3_bucket" not in resources
    (stack,) = resources["aws_cloudformation_stack"].values()
    url = "s3://theirs/${aws_s3_object.bootstrap_script.key}"
    assert stack["parameters"]["BootstrapScriptUrl"] == url
    assert "aws_s3_object.bootstrap_script" in stack["depends_on"]
    imported = {block["to"]: block["id"] for block in configuration["import"]}
    key = "bootstrap/setup_benchmark_machine.sh"
    assert imported["aws_s3_object.bootstrap_script"] == f"theirs/{key}"


def test_a_script_elsewhere_in_s3_is_permitted(synthesize: Synthesize) -> None:
    resources = synthesize(bootstrap_script="s3://elsewhere/a.sh")["resource"]
    (resource,) = policy_statements(resources)["ReadBootstrapScript"]["Resource"]
    assert resource.endswith(":s3:::elsewhere/a.sh")


def test_the_key_of_a_state_in_s3_can_be_set(synthesize: Synthesize) -> None:
    backend = S3Backend(bucket="states", region="eu-west-1", key="arrow.tfstate")
    assert (
        synthesize(deployment=Deployment(backend=backend))["terraform"]["backend"]["s3"]["key"]
        == "arrow.tfstate"
    )


def test_the_variables(synthesize: Synthesize) -> None:
    variables = synthesize()["variable"]
    assert {name: variable.get("default") for name, variable in variables.items()} == {
        "aws_profile": "",
        "aws_region": "us-east-1",
        "buildkite_agent_amis": {},
        "buildkite_agent_token": None,
        "environment": "prod",
        "subnet_ids": [],
        "vpc_id": "",
    }
    assert [name for name, variable in variables.items() if variable["nullable"]] == []


def test_the_token_variable_is_sensitive_and_required(synthesize: Synthesize) -> None:
    token = synthesize()["variable"]["buildkite_agent_token"]
    assert token["sensitive"] is True
    assert "default" not in token


def test_a_network_of_references_takes_the_place_of_the_variables(synthesize: Synthesize) -> None:
    subnets = ["${aws_subnet.public[0].id}", "${aws_subnet.public[1].id}"]
    configuration = synthesize(network=Network("${aws_vpc.main.id}", subnets))
    (stack,) = configuration["resource"]["aws_cloudformation_stack"].values()
    assert stack["parameters"]["VpcId"] == "${aws_vpc.main.id}"
    assert stack["parameters"]["Subnets"] == ",".join(subnets)
    assert not {"vpc_id", "subnet_ids"} & configuration["variable"].keys()


def test_another_environment_has_no_name_of_prod(synthesize: Synthesize) -> None:
    staging = synthesize(environment="staging")
    assert "conbench-prod" not in json.dumps(staging)
    name = staging["resource"]["aws_ssm_parameter"]["buildkite_agent_token"]["name"]
    assert name == "/buildkite/staging/agent-token"


def test_another_project_and_organization(synthesize: Synthesize) -> None:
    configuration = synthesize(project="acme", token=AgentToken(organization="acme-inc"))
    bucket = configuration["resource"]["aws_s3_bucket"]["buildkite_secrets"]["bucket"]
    assert bucket == "acme-prod-buildkite-secrets"
    description = configuration["resource"]["aws_ssm_parameter"]["buildkite_agent_token"][
        "description"
    ]
    assert description == "Buildkite Agent Token for acme-inc organization"


def test_a_mistake_leaves_no_partial_stack(bootstrap_script: Path) -> None:
    app = cdktf.Testing.app()
    with pytest.raises(ConfigError, match="max_size must be at least 0, got -1"):
        AgentStack(
            app,
            project="conbench",
            queues=[AgentQueue("m5.large", max_size=-1)],
            bootstrap_script=bootstrap_script,
        )
    assert list(app.node.children) == []


def test_the_output_names_nothing_of_the_machine(synthesize: Synthesize, root: Path) -> None:
    text = json.dumps(synthesize())
    assert str(root) not in text
    assert str(Path.home()) not in text
