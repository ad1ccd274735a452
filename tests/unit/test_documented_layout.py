"""What stacks get where ``keep_documented_layout`` is set."""

from support.resolving import resolved

from buildkite_agents import AgentQueue

NAME = "conbench-prod-buildkite-amd64-m5-4xlarge-linux"


def test_the_parameters_are_those_of_the_documented_layout(bootstrap_script: object) -> None:
    queue = AgentQueue("m5.4xlarge", stack_version="v6.71.1")
    documented = resolved(queue, keep_documented_layout=True, bootstrap_script=bootstrap_script)
    assert documented.parameters == {
        "AgentsPerInstance": "1",
        "BootstrapScriptUrl": (
            "s3://${aws_s3_bucket.buildkite_secrets.bucket}/${aws_s3_object.bootstrap_script.key}"
        ),
        "BuildkiteAgentTags": "arch=amd64,os=linux,instance=m5-4xlarge",
        "BuildkiteAgentTokenParameterStorePath": "${aws_ssm_parameter.buildkite_agent_token.name}",
        "BuildkiteQueue": "amd64-m5-4xlarge-linux",
        "ECRAccessPolicy": "full",
        "ImageId": '${try(coalesce(var.buildkite_agent_amis["amd64-linux"]), null)}',
        "InstanceOperatingSystem": "linux",
        "InstanceRoleName": f"{NAME}-role",
        "InstanceTypes": "m5.4xlarge",
        "ManagedPolicyARNs": (
            "${aws_iam_policy.buildkite_agent.arn},"
            "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
        ),
        "MaxSize": "4",
        "MinSize": "0",
        "OnDemandPercentage": "100",
        "ScaleInIdlePeriod": "900",
        "SecretsBucket": "${aws_s3_bucket.buildkite_secrets.bucket}",
        "Subnets": '${try(coalesce(join(",", var.subnet_ids)), null)}',
        "VpcId": "${try(coalesce(var.vpc_id), null)}",
    }
    tags = {"Project": "conbench", "Environment": "prod", "Name": NAME, "Queue": queue.name}
    assert documented.tags == tags


def test_a_queue_can_set_what_the_documented_layout_leaves_out() -> None:
    queue = AgentQueue("m5.4xlarge", parameters={"IMDSv2Tokens": "required"})
    assert resolved(queue, keep_documented_layout=True).parameters["IMDSv2Tokens"] == "required"
