"""Generate the ``main.py`` for existing Elastic CI Stacks.

terraform plan -out=tfplan
terraform show -json tfplan > plan.json
python -m buildkite_agents.adopt plan.json --folder terraform --output main.py

aws cloudformation describe-stacks > stacks.json
python -m buildkite_agents.adopt stacks.json --output main.py
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from buildkite_agents.adopt import cloudformation, terraform
from buildkite_agents.adopt.found import Fleet
from buildkite_agents.adopt.program import program_of
from buildkite_agents.errors import ConfigError


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the existing stacks and write the program.

    Raises:
        ConfigError: the input is not readable or has no Elastic CI Stack, or the output exists.
    """
    parser = argparse.ArgumentParser(
        prog="python -m buildkite_agents.adopt",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "source",
        metavar="FILE",
        help="the output of `terraform show -json`, for a plan or a state, or of `aws "
        "cloudformation describe-stacks`; - for standard input",
    )
    parser.add_argument(
        "--output", type=Path, help="the program to write (default: standard output)"
    )
    parser.add_argument(
        "--folder", default="terraform", help="the root module (default: terraform)"
    )
    parser.add_argument("--project", help="the project (default: derived from the stacks' names)")
    parser.add_argument(
        "--environment", help="the environment (default: derived from the stacks' names)"
    )
    given = parser.parse_args(arguments)
    program = program_of(
        _fleet(given.source),
        project=given.project,
        environment=given.environment,
        folder=given.folder,
    )
    if given.output is None:
        print(program.text, end="")
    else:
        _write(given.output, program.text)
    for note in program.notes:
        print(f"note: {note}", file=sys.stderr)


def _fleet(source: str) -> Fleet:
    content = _read(source)
    if "Stacks" in content:
        return cloudformation.fleet_of(content)
    if "format_version" in content:
        return terraform.fleet_of(content)
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
            f"{source} is not JSON: use the output of `terraform show -json`, not a plan file"
        ) from None
    if not isinstance(content, dict):
        raise ConfigError(f"{source}: a JSON object was expected, got {type(content).__name__}")
    return content


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConfigError(
            f"{path} exists; refusing to overwrite it: set another --output"
        ) from None
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None


if __name__ == "__main__":
    main()
