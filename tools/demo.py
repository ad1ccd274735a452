"""Deploy main.py's queues to a simulated AWS, with real Terraform, and wait: ``make demo``.

For trying this program without an AWS account. Everything is in a temporary folder and in this
process, and is removed when it stops.
"""

import importlib.util
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT), str(ROOT / "constructs"), str(ROOT / "tests")]

from support.loopback_aws import REGION, LoopbackAws  # noqa: E402
from support.provider import TERRAFORM_CLI, Provider  # noqa: E402
from support.provider_source import Source, source  # noqa: E402
from support.terraform import Terraform, terraform_in  # noqa: E402

_CACHE = ROOT / ".demo-cache"

_LOOK_AROUND = """
Look around, in another terminal:

  export AWS_ENDPOINT_URL={endpoint} AWS_DEFAULT_REGION={region}
  export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing PATH="{bin}:$PATH"
  aws cloudformation list-stacks --query 'StackSummaries[].[StackName,StackStatus]' --output text
  aws s3 ls s3://conbench-prod-buildkite-secrets/ --recursive
  aws ssm describe-parameters --query 'Parameters[].Name'
  aws iam list-policies --scope Local --query 'Policies[].PolicyName'

The configuration is in {folder}. To plan again, after an edit of it:

  cd {folder} && . ./demo-environment && {terraform} plan

Press Ctrl-C to stop it and remove everything.
"""


def main() -> None:
    """Deploy, print instructions, and wait for an interrupt."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    temporary = Path(tempfile.mkdtemp(prefix="buildkite-agents-demo-"))
    aws = LoopbackAws()
    _CACHE.mkdir(exist_ok=True)
    chosen = source()
    if chosen.kind == "wheel" and importlib.util.find_spec("cloudrail") is None:
        chosen = Source("registry")  # PyPI has the provider for Linux on x86_64 only
    aws_provider = Provider(_CACHE, chosen)
    try:
        _say("Synthesizing main.py ...")
        subprocess.run([sys.executable, ROOT / "main.py"], cwd=temporary, check=True)
        terraform = _deploy(temporary, aws, aws_provider)
        print(terraform.run("output", "-no-color").stdout)
        python = Path(sys.executable)
        print(
            _LOOK_AROUND.format(
                endpoint=aws.endpoint,
                region=REGION,
                bin=python.parent,
                folder=shlex.quote(str(terraform.folder)),
                terraform=shlex.join([str(python), str(TERRAFORM_CLI)]),
            ),
            flush=True,
        )
        signal.pause()
    except KeyboardInterrupt:
        _say("\nStopping.")
    finally:
        aws_provider.stop()
        aws.stop()
        shutil.rmtree(temporary)


def _deploy(temporary: Path, aws: LoopbackAws, aws_provider: Provider) -> Terraform:
    _say("Installing the AWS provider ...")
    aws.reset()
    terraform = terraform_in(temporary / "applied", temporary / "terraform", aws, aws_provider)
    terraform.variables["buildkite_agent_token"] = "demo"  # noqa: S105  # nosec B105
    _say("Applying, which takes about a minute ...")
    terraform.apply()
    settings = {k: v for k, v in terraform.environment.items() if k.startswith("TF_")}
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items())
    (terraform.folder / "demo-environment").write_text(exports)
    return terraform


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
