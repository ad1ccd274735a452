"""A deployment that is synthesized repeatedly, with one state."""

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from support.loopback_aws import LoopbackAws
from support.provider import Provider
from support.terraform import Terraform

from buildkite_agents import AgentApp, AgentQueue, AgentStack, Deployment

ROOT = Path(__file__).parents[2]
ARM, AMD = "arm64-t4g-2xlarge-linux", "amd64-m5-4xlarge-linux"
BUCKET = "conbench-prod-buildkite-secrets"
SCRIPT_KEY = "bootstrap/setup_benchmark_machine.sh"
QUEUES = (AgentQueue("t4g.2xlarge"), AgentQueue("m5.4xlarge"))


def synthesize(folder: Path, **props: Any) -> None:
    """Synthesize a stack's folder, by default with two queues and the project's script."""
    props.setdefault("project", "conbench")
    props.setdefault("queues", QUEUES)
    props.setdefault("bootstrap_script", ROOT / "bootstrap" / "buildkite-bootstrap.sh")
    app = AgentApp(outdir=folder.with_name(f"{folder.name}-cdktf.out"))
    settings = props.pop("deployment", Deployment())
    AgentStack(app, deployment=replace(settings, folder=folder), **props)
    app.synth()


class LiveDeployment:
    """A stack, its folder, and Terraform in a copy of the folder, with the state."""

    def __init__(self, folder: Path, aws: LoopbackAws, aws_provider: Provider) -> None:
        """Keep everything in *folder*."""
        self._synthesized = folder / "synthesized"
        self._aws = aws
        self._provider = aws_provider
        self.terraform = Terraform(folder / "terraform", aws_provider)

    def synthesize(self, **props: Any) -> Terraform:
        """Synthesize, and return Terraform ready for it."""
        synthesize(self._synthesized, **props)
        new = not self.terraform.folder.exists()
        shutil.copytree(self._synthesized, self.terraform.folder, dirs_exist_ok=True)
        self._provider.prepare(self.terraform.folder, self._aws.endpoint)
        if new:
            self.terraform.init()
        return self.terraform


def everything_once(aws: LoopbackAws) -> None:
    """Assert that each resource of a deployment exists in AWS exactly once."""
    stacks = aws.client("cloudformation").describe_stacks()["Stacks"]
    assert Counter(s["StackName"] for s in stacks) == {
        f"conbench-prod-buildkite-{queue}": 1 for queue in (ARM, AMD)
    }
    buckets = {b["Name"] for b in aws.client("s3").list_buckets()["Buckets"]}
    assert buckets == {"buildkite-aws-stack", BUCKET}
    assert len(aws.client("ssm").describe_parameters()["Parameters"]) == 1
    assert len(aws.client("iam").list_policies(Scope="Local")["Policies"]) == 1
