"""Deploy main.py's queues to a simulated AWS, with real Terraform, and wait: ``make demo``.

For trying this program without an AWS account. Everything is in a temporary folder and in this
process, and is removed when it stops.
"""

import importlib.util
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT), str(ROOT / "constructs"), str(ROOT / "tests")]

from support.checkout import copy_checkout  # noqa: E402
from support.loopback_aws import REGION, LoopbackAws  # noqa: E402
from support.provider import TERRAFORM_CLI, Provider  # noqa: E402
from support.provider_source import Source, source  # noqa: E402
from support.terraform import Terraform, TerraformError  # noqa: E402

_CACHE = ROOT / ".demo-cache"

_LOOK_AROUND = """
Look around, in another terminal:

  export AWS_ENDPOINT_URL={endpoint} AWS_DEFAULT_REGION={region}
  export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing PATH="{bin}:$PATH"
  aws cloudformation describe-stacks --query 'Stacks[].[StackName,StackStatus]' --output text
{buckets}
  aws ssm describe-parameters --query 'Parameters[].Name'
  aws iam list-policies --scope Local --query 'Policies[].PolicyName'

To plan again, after an edit of the configuration in that folder:

{plans}

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
        folders = _synthesize(temporary / "checkout")
        deployed = _deploy(folders, temporary / "applied", aws, aws_provider)
        for terraform in deployed:
            print(terraform.run("output", "-no-color").stdout)
        print(_look_around(deployed, aws), flush=True)
        signal.pause()
    except KeyboardInterrupt:
        _say("\nStopping.")
    except TerraformError as error:
        sys.exit(str(error))
    finally:
        aws_provider.stop()
        aws.stop()
        shutil.rmtree(temporary)


def _synthesize(checkout: Path) -> dict[str, Path]:
    """Run a copy of main.py, whose folders are then in the copy; return them by stack."""
    _say("Synthesizing main.py ...")
    copy_checkout(ROOT, checkout, terraform=True)
    for own in ("constructs", "imports"):
        # With the bindings, which were generated and are not copied.
        shutil.rmtree(checkout / own)
        (checkout / own).symlink_to(ROOT / own)
    folders = {}
    with subprocess.Popen(
        [sys.executable, checkout / "main.py"],
        cwd=checkout,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as program:
        for line in program.stdout or ():
            print(line, end="", file=sys.stderr, flush=True)
            written = re.fullmatch(r"(\S+) -> (.+)/\n", line)
            if written:
                folders[written[1]] = Path(written[2])
    if program.returncode != 0:
        sys.exit(program.returncode)  # it has printed why
    if not folders:
        sys.exit("error: main.py wrote no folder for Terraform: there is nothing to deploy")
    return folders


def _deploy(
    folders: dict[str, Path], applied: Path, aws: LoopbackAws, aws_provider: Provider
) -> list[Terraform]:
    _say("Installing the AWS provider ...")
    aws.reset()
    deployed = []
    for name, folder in folders.items():
        shutil.copytree(folder, applied / name)
        terraform = Terraform(applied / name, aws_provider)
        terraform.variables["buildkite_agent_token"] = "simulated-0123456789abcdef"  # noqa: S105  # nosec B105
        _use_local_state(terraform.folder)
        aws_provider.prepare(terraform.folder, aws.endpoint)
        terraform.init()
        deployed.append(terraform)
    _say(f"Applying, which takes about {_minutes(len(deployed))} ...")
    for terraform in deployed:
        terraform.apply()
        settings = {k: v for k, v in terraform.environment.items() if k.startswith("TF_")}
        exports = "".join(f"export {k}={shlex.quote(v)}\n" for k, v in settings.items())
        (terraform.folder / "demo-environment").write_text(exports)
    return deployed


def _minutes(stacks: int) -> str:
    return "a minute" if stacks == 1 else f"{stacks} minutes"


def _use_local_state(folder: Path) -> None:
    """Replace a backend, which would need an account."""
    for file in folder.glob("*.tf.json"):
        backends = json.loads(file.read_text()).get("terraform", {}).get("backend", {})
        for kind in backends.keys() - {"local"}:
            _say(f"The state of {folder.name} is in a file here, and not in its backend, {kind}.")
    (folder / "demo_override.tf.json").write_text('{"terraform": {"backend": {"local": {}}}}')


def _look_around(deployed: Sequence[Terraform], aws: LoopbackAws) -> str:
    buckets = [terraform.outputs().get("buildkite_secrets_bucket") for terraform in deployed]
    terraform_command = shlex.join([sys.executable, str(TERRAFORM_CLI)])
    return _LOOK_AROUND.format(
        endpoint=aws.endpoint,
        region=REGION,
        bin=Path(sys.executable).parent,
        buckets="\n".join(f"  aws s3 ls s3://{b}/ --recursive" for b in buckets if b),
        plans="\n".join(
            f"  cd {shlex.quote(str(t.folder))} && . ./demo-environment && {terraform_command} plan"
            for t in deployed
        ),
    )


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
