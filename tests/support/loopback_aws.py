"""An AWS on loopback, by moto, with the Elastic CI Stack's templates published in it."""

import json
import urllib.request
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from buildkite_agents import catalogue

REGION = "us-east-1"
TEMPLATES_BUCKET = "buildkite-aws-stack"


class LoopbackAws:
    """A server of this process, with an account of its own that can be emptied."""

    def __init__(self) -> None:
        """Start it, on a free port."""
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.endpoint = f"http://{host}:{port}"

    def reset(self) -> None:
        """Empty the account, but for what Buildkite publishes."""
        request = urllib.request.Request(f"{self.endpoint}/moto-api/reset", method="POST")  # noqa: S310
        with urllib.request.urlopen(request):  # noqa: S310
            pass
        s3 = self.client("s3")
        s3.create_bucket(Bucket=TEMPLATES_BUCKET)
        for version in catalogue.known_versions():
            s3.put_object(
                Bucket=TEMPLATES_BUCKET,
                Key=f"{version}/aws-stack.yml",
                Body=json.dumps(_template(version)).encode(),
            )

    def client(self, service: str) -> Any:
        """A boto3 client of this AWS."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",  # noqa: S106
        )

    def stop(self) -> None:
        """End it."""
        self._server.stop()


def _template(version: str) -> dict[str, Any]:
    """A small template with a version's parameters: moto cannot run the whole one.

    A list among the parameters is text here, as moto gives the value of a list back in Python's
    notation. Of the resources it has the instances' role.
    """
    parameters = {
        name: {**spec, "Type": "String" if spec["Type"] == "CommaDelimitedList" else spec["Type"]}
        for name, spec in catalogue.load(version).parameters.items()
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"A stand-in for the Elastic CI Stack {version}",
        "Parameters": parameters,
        "Resources": {
            "IAMRole": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "RoleName": {"Ref": "InstanceRoleName"},
                    "AssumeRolePolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Principal": {"Service": "ec2.amazonaws.com"},
                                "Action": "sts:AssumeRole",
                            }
                        ],
                    },
                },
            },
        },
        "Outputs": {"InstanceRoleName": {"Value": {"Ref": "IAMRole"}}},
    }
