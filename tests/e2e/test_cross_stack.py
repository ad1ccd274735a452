"""References between an AgentStack and another stack of the program."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.loopback_aws import LoopbackAws
from support.provider import Provider
from support.terraform import Terraform

PROGRAM = """
import cdktf
from buildkite_agents import AgentApp, AgentQueue, AgentStack
app = AgentApp()
network = cdktf.TerraformStack(app, "network")
{backend}
team = cdktf.TerraformVariable(network, "team", type="string", default="compiler")
AgentStack(
    app, project="acme", queues=[AgentQueue("m5.large", name="builds")],
    tags={{"Team": team.string_value}},
)
app.synth()
"""


@pytest.mark.usefixtures("only_since_provider_5")
@pytest.mark.parametrize(
    "backend", ["", "cdktf.LocalBackend(network, path='network.tfstate')"], ids=["default", "local"]
)
def test_the_state_of_another_stack_is_found_from_each_folder(
    backend: str, aws: LoopbackAws, aws_provider: Provider, tmp_path: Path
) -> None:
    program = PROGRAM.format(backend=backend)
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    assert str(tmp_path) not in (tmp_path / "terraform" / "buildkite.tf.json").read_text()
    stacks = tmp_path / "cdktf.out" / "stacks"
    network = Terraform(stacks / "network", aws_provider)
    network.init()
    network.apply()
    for folder in (stacks / "acme-prod", tmp_path / "terraform"):
        aws_provider.prepare(folder, aws.endpoint)
        agents = Terraform(folder, aws_provider)
        agents.init()
        assert "aws_cloudformation_stack.builds" in agents.plan().created
    agents.apply()
    (stack,) = aws.client("cloudformation").describe_stacks()["Stacks"]
    assert {"Key": "Team", "Value": "compiler"} in stack["Tags"]
