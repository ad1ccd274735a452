"""An AWS on loopback, by moto, with the Elastic CI Stack's templates published in it."""

import io
import json
import threading
import urllib.request
from typing import Any

import boto3
from moto.iam.access_control import PermissionResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import FakeBucket
from werkzeug.serving import WSGIRequestHandler, make_server

from buildkite_agents import catalogue

REGION = "us-east-1"
ACCOUNT = "123456789012"
TEMPLATES_BUCKET = "buildkite-aws-stack"


def _ignore_bucket_policies(_bucket: FakeBucket, _action: str, _resource: str) -> PermissionResult:
    """Whether a bucket's policy permits a call: it says nothing of it.

    moto does not read a policy's conditions, so that it takes a refusal of plain HTTP for one of
    everything. What our bucket's policy refuses is tested against an evaluator that reads them.
    """
    return PermissionResult.NEUTRAL


FakeBucket.get_permission = _ignore_bucket_policies  # type: ignore[method-assign,assignment]


class _SilentHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


class Fault:
    """Something that happens to requests, as long as it is set."""

    def __init__(self, action: str, *, status: str, code: str, times: int) -> None:
        """Answer the next *times* requests that have *action* in them by an error."""
        self._action = action
        self._status = status
        self._code = code
        self._left = times
        self._lock = threading.Lock()

    def answer(self, request: bytes) -> tuple[str, bytes] | None:
        """The status and body to answer *request* by, or None to let it through."""
        with self._lock:
            if self._left == 0 or self._action.encode() not in request:
                return None
            self._left -= 1
        body = (
            f"<ErrorResponse><Error><Type>Sender</Type><Code>{self._code}</Code>"
            f"<Message>{self._code}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
        )
        return self._status, body.encode()

    @property
    def happened(self) -> bool:
        """Whether it has come to its end."""
        return self._left == 0


class LoopbackAws:
    """A server of this process, with an account of its own that can be emptied."""

    def __init__(self) -> None:
        """Start it, on a free port."""
        self.faults: list[Fault] = []
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(
            "127.0.0.1", 0, self._respond, threaded=True, request_handler=_SilentHandler
        )
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def _respond(self, environ: Any, start_response: Any) -> Any:
        if self.faults:
            length = int(environ.get("CONTENT_LENGTH") or 0)
            body = environ["wsgi.input"].read(length)
            environ["wsgi.input"] = io.BytesIO(body)
            named = (
                environ["REQUEST_METHOD"],
                environ["PATH_INFO"],
                environ.get("HTTP_X_AMZ_TARGET"),
            )
            request = f"{named}".encode() + body
            for fault in self.faults:
                answer = fault.answer(request)
                if answer is not None:
                    start_response(answer[0], [("Content-Type", "text/xml")])
                    return [answer[1]]
        return self._moto(environ, start_response)

    def reset(self) -> None:
        """Empty the account, but for what Buildkite publishes; end all faults."""
        self.faults.clear()
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
        self._server.shutdown()


def _template(version: str) -> dict[str, Any]:
    """A small template with a version's parameters: moto cannot run the whole one.

    A list among the parameters is text here, as moto gives the value of a list back in Python's
    notation. Of the resources it has the instances' role, and one instance with the tag that all
    of them get from the stack.
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
            "Instance": {
                "Type": "AWS::EC2::Instance",
                "Properties": {
                    "ImageId": "ami-12c6146b",
                    "InstanceType": {"Ref": "InstanceTypes"},
                    "Tags": [{"Key": "Queue", "Value": {"Ref": "BuildkiteQueue"}}],
                },
            },
        },
        "Outputs": {"InstanceRoleName": {"Value": {"Ref": "IAMRole"}}},
    }
