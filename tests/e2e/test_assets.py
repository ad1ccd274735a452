"""A user's assets and local modules, applied from each folder."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.loopback_aws import LoopbackAws
from support.provider import Provider
from support.terraform import Terraform

PROGRAM = """
import cdktf
from buildkite_agents import AgentApp, AgentQueue, AgentStack
from buildkite_agents.aws.s3_object import S3Object
app = AgentApp()
fleet = AgentStack(app, project="acme", queues=[AgentQueue("m5.large", name="builds")])
types = cdktf.AssetType
for name, path, type_ in (
    ("file", "site/run", types.FILE), ("archive", "site", types.ARCHIVE),
):
    asset = cdktf.TerraformAsset(fleet, name, path=path, type=type_)
    S3Object(
        fleet, f"{name}_object", bucket=fleet.secrets_bucket.name, key=f"site/{name}",
        source=f"${{path.module}}/{asset.path}"
    )
cdktf.TerraformHclModule(fleet, "network", source="./modules/network")
app.synth()
"""


@pytest.mark.usefixtures("only_since_provider_5")
def test_both_folders_apply(
    terraform: Callable[[Path], Terraform],
    aws: LoopbackAws,
    aws_provider: Provider,
    tmp_path: Path,
) -> None:
    for name, text in {
        "site/run": "#!/bin/sh\n",
        "modules/network/main.tf": 'module "names" {\n  source = "../names"\n}\n',
        "modules/names/main.tf": 'output "vpc" {\n  value = "vpc-12345678"\n}\n',
        "cdktf.json": json.dumps({"terraformModules": ["./modules/network", "./modules/names"]}),
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    environment = {"PATH": ""}  # without `node`
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, env=environment, check=True)
    for folder in (tmp_path / "cdktf.out" / "stacks" / "acme-prod", tmp_path / "terraform"):
        # The assets' paths are relative to the working directory of the provider.
        deployment = Terraform(terraform(folder).folder, aws_provider, kept_provider=False)
        deployment.init()
        deployment.run("validate")
        assert {"aws_s3_object.file_object", "aws_s3_object.archive_object"} <= (
            deployment.plan().created
        )
    deployment.apply()
    assert deployment.would_change_nothing()
    uploaded = aws.client("s3").get_object(Bucket="acme-prod-buildkite-secrets", Key="site/file")
    assert uploaded["Body"].read() == b"#!/bin/sh\n"
