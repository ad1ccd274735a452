"""Write the EC2 instance types of the installed botocore to the package's data.

Run it after updating botocore in the lock file: ``python tools/instance_types.py``.
"""

import json
from collections import defaultdict
from pathlib import Path

import botocore.session

DATA = (
    Path(__file__).parents[1]
    / "constructs"
    / "buildkite_agents"
    / "elastic_ci_stack"
    / "instance_types.json"
)


def render() -> str:
    """The sizes of each instance family, as JSON with a line for each family."""
    model = botocore.session.get_session().get_service_model("ec2")
    sizes = defaultdict(list)
    for instance_type in model.shape_for("InstanceType").enum:
        family, size = instance_type.split(".")
        sizes[family].append(size)
    lines = (f"  {json.dumps(f)}: {json.dumps(' '.join(sorted(sizes[f])))}" for f in sorted(sizes))
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    DATA.write_text(render())
