"""``python -m buildkite_agents.elastic_ci_stack``: see :mod:`.catalogue`."""

import sys

from buildkite_agents.elastic_ci_stack.catalogue import main

if __name__ == "__main__":
    sys.exit(main())
