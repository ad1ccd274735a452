"""Generate the program that defines existing Elastic CI Stacks.

terraform plan -out=tfplan
terraform show -json tfplan | python -m buildkite_agents.adopt - --folder . --output main.py

aws cloudformation describe-stacks --output json |
  python -m buildkite_agents.adopt - --output main.py

The JSON has every secret of the root module. A file with it must be deleted, tfplan too.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from buildkite_agents.adopt import cloudformation, terraform
from buildkite_agents.adopt.found import Fleet, grouped
from buildkite_agents.adopt.program import Program, program_of
from buildkite_agents.errors import ConfigError


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the existing stacks and write the program.

    Raises:
        ConfigError: the input is not readable or has no Elastic CI Stack that can be adopted, the
            output exists, or the check found a difference.
    """
    given = _parsed(arguments)
    fleet = _fleet(given.source, given.folder, dict(given.provider))
    program = program_of(
        fleet,
        folder=given.folder,
        output=str(given.output or "main.py"),
    )
    if given.output is None:
        print(program.text, end="")
    else:
        _write(given.output, program.text)
    is_checked = given.check and given.output is not None
    _report(given, program, _check(given.output, program.fleet) if is_checked else None)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m buildkite_agents.adopt",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "source",
        metavar="FILE",
        help="the output of `terraform show -json`, for a plan or a state, or of `aws "
        "cloudformation describe-stacks`; - for standard input",
    )
    add("--output", type=Path, help="the program to write (default: standard output)")
    add("--folder", default="terraform", help="the root module (default: terraform)")
    add(
        "--provider",
        action="append",
        default=[],
        type=_region_and_provider,
        metavar="REGION=PROVIDER",
        help="the provider configuration of a region, such as us-west-2=aws.west, for a state, "
        "which does not name it",
    )
    add(
        "--check",
        action="store_true",
        help="synthesize the program, and compare each argument of each stack with the input",
    )
    return parser.parse_args(arguments)


def _region_and_provider(text: str) -> tuple[str, str]:
    region, equals, provider = text.partition("=")
    if not (region and equals and provider.split(".")[0] == "aws"):
        raise argparse.ArgumentTypeError(f"must be such as us-west-2=aws.west, got {text!r}")
    return region, provider


def _check(output: Path, fleet: Fleet) -> int:
    # It loads CDKTF, which takes seconds.
    from buildkite_agents.adopt.check import check
    from buildkite_agents.loading import load

    load("buildkite_agents.app")
    return check(output, fleet)


def _report(given: argparse.Namespace, program: Program, compared: int | None) -> None:
    """Print the result and the next steps."""
    fleet, count, left_out = program.fleet, len(program.fleet.stacks), program.fleet.left_out
    lines = [f"found {_counted(count + len(left_out), 'stack')}: {count} adopted"]
    lines[0] += f", {len(left_out)} left out" if left_out else ""
    whys = grouped(f"{name}: {why}" for name, why in left_out.items())
    lines += [f"  left out: {why}" for why in whys]
    lines += [f"note: {note}" for note in fleet.notes]
    if compared is not None:
        shown = "the input" if given.source == "-" else given.source
        arguments, stacks = _counted(compared, "argument"), _counted(count, "stack")
        lines.append(f"checked: {arguments} of {stacks} equal to {shown}")
    edits = fleet.edits(program.addresses, [*fleet.lost], program.text)
    steps = [*dict.fromkeys([*fleet.steps, *edits])]
    if given.output is not None:
        terraform_in = f"terraform -chdir={given.folder}"
        steps += [f"python {given.output}", *([f"{terraform_in} init"] if fleet.account else [])]
        imported = f"{count} to import, " if fleet.account else ""
        steps.append(f"{terraform_in} plan  # {imported}0 to add, 0 to change, 0 to destroy")
    if given.source != "-":
        steps.append(f"rm {given.source}  # it can have secrets, as the plan file")
    lines += ["next:", *(f"  {number}. {step}" for number, step in enumerate(steps, 1))]
    print("\n".join(lines), file=sys.stderr)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _fleet(source: str, folder: str, providers: Mapping[str, str]) -> Fleet:
    content = _read(source)
    if "Stacks" in content:
        return cloudformation.fleet_of(content)
    if "format_version" in content:
        if not Path(folder).is_dir():
            raise ConfigError(f"--folder: there is no folder {folder!r} with the root module")
        return terraform.fleet_of(content, folder=folder, providers=providers)
    raise ConfigError(
        f"{source}: this is neither the output of `terraform show -json` nor of `aws "
        "cloudformation describe-stacks`"
    )


def _read(source: str) -> Mapping[str, Any]:
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8-sig")
        content = json.loads(text)
    except OSError as error:
        raise ConfigError(f"cannot read {source}: {error.strerror}") from None
    except ValueError:
        raise ConfigError(
            f"{source} is not JSON: use the output of `terraform show -json`, not a plan file, or "
            "of `aws cloudformation describe-stacks --output json`"
        ) from None
    if not isinstance(content, dict):
        raise ConfigError(f"{source}: a JSON object was expected, got {type(content).__name__}")
    return content


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(f"{path} exists, and is not overwritten: set another --output") from None
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None


if __name__ == "__main__":
    main()
