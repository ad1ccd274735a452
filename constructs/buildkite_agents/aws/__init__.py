"""AWS bindings for the resource types that this package uses.

``import cdktf_cdktf_provider_aws`` loads some 1,500 modules and 224 MB of JavaScript for a handful
of resource types (hashicorp/terraform-cdk issue 3753). So the submodules of this package are carved
out of that one, on first use and again when an input changes. Names are those of ``cdktf get``::

    from buildkite_agents.aws.s3_bucket import S3Bucket
"""

from pathlib import Path

from buildkite_agents.bindings import ensure_bindings
from buildkite_agents.loading import load

load("cdktf")  # with its Node.js, before the submodules import it
__path__ = [str(ensure_bindings(Path(__file__).parent))]
