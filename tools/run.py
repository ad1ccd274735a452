"""Run a tool of this folder with a supported Python: ``python tools/run.py environment synth``.

Any Python can read this file, also 2.7, to say in one line that it is not supported.
"""

import sys

if not (3, 11) <= sys.version_info[:2] <= (3, 14):
    sys.exit(
        "error: Python 3.11 to 3.14 is required, and %s is Python %d.%d: install one, such as "  # noqa: UP031
        "python3.12, and name it: `make synth PYTHON=python3.12`"
        % (sys.executable, sys.version_info[0], sys.version_info[1])
    )

try:
    import runpy
    from pathlib import Path

    # As the tools and the Python package of this project are no installed packages.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    tool = sys.argv.pop(1)
    runpy.run_module("tools." + tool, run_name="__main__", alter_sys=True)
except OSError as error:
    sys.exit(
        "error: %s: if this file is not yours, `make clean` removes all that the set-up created"  # noqa: UP031
        % error
    )
except KeyboardInterrupt:
    sys.exit("error: interrupted: run the same command again, which completes it")
