"""Add releases of the Elastic CI Stack to this checkout's history, compare versions, and verify it.

    python tools/catalogue.py latest
    python tools/catalogue.py --compare v6.71.1 v7.13.0
    python tools/catalogue.py --verify

``python tools/catalogue.py --help`` describes all arguments. Where the package is installed, its
history is not changed: ``python -m buildkite_agents.elastic_ci_stack --history FILE`` writes
releases to a file, which programs read by the environment variable BUILDKITE_AGENTS_HISTORY.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "constructs"))

from buildkite_agents.elastic_ci_stack import HISTORY
from buildkite_agents.elastic_ci_stack.catalogue import main

if __name__ == "__main__":
    sys.exit(main(default=HISTORY))
