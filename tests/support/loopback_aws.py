"""A simulated AWS (moto) on loopback, with the Elastic CI Stack's templates published in it."""

import io
import json
import re
import threading
import urllib.request
from typing import Any

from buildkite_agents import elastic_ci_stack

REGION = "us-east-1"
ACCOUNT = "123456789012"
TEMPLATES_BUCKET = "buildkite-aws-stack"
_TEMPLATE_URL = re.compile(rb"buildkite-aws-stack%2F(v[0-9.]+)%2Faws-stack\.yml")


class Fault:
    """A fault that affects matching requests."""

    def __init__(self, action: str, *, status: str, code: str, times: int) -> None:
        """Answer the next *times* requests that contain *action* with an error."""
        self._action = action
        self._status = status
        self._code = code
        self._left = times
        self._lock = threading.Lock()

    def answer(self, request: bytes) -> tuple[str, bytes] | None:
        """The status and body of the answer to *request*, or None to forward it."""
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
        """Whether all of its errors were sent."""
        return self._left == 0


def _stack_id(element: str, stack: Any) -> bytes:
    return (
        f"<{element}Response><{element}Result><StackId>{stack.stack_id}</StackId>"
        f"</{element}Result></{element}Response>"
    ).encode()


class RolledBackUpdate(Fault):
    """CloudFormation accepts the next update of a stack and rolls it back."""

    def __init__(self, aws: "LoopbackAws", stack: str) -> None:
        """Roll back the next update of *stack*."""
        super().__init__("Action=UpdateStack", status="200 OK", code="", times=1)
        self._stack = aws.stack(stack)

    def answer(self, request: bytes) -> tuple[str, bytes] | None:
        """Change only the stack's status."""
        if self._stack.name.encode() not in request or super().answer(request) is None:
            return None
        self._stack.status = "UPDATE_ROLLBACK_COMPLETE"
        return "200 OK", _stack_id("UpdateStack", self._stack)


class _StuckRollbacks(Fault):
    """CloudFormation's treatment of UPDATE_ROLLBACK_FAILED, which moto does not implement."""

    def __init__(self, aws: "LoopbackAws") -> None:
        super().__init__("Action=", status="400 Bad Request", code="ValidationError", times=-1)
        self._aws = aws

    def answer(self, request: bytes) -> tuple[str, bytes] | None:
        """Refuse an update of the stack, and continue its rollback."""
        continued = b"Action=ContinueUpdateRollback" in request
        if not continued and b"Action=UpdateStack" not in request:
            return None
        for stack in self._aws.stacks():
            if stack.status == "UPDATE_ROLLBACK_FAILED" and stack.name.encode() in request:
                if not continued:
                    return super().answer(request)
                stack.status = "UPDATE_ROLLBACK_COMPLETE"
                return "200 OK", _stack_id("ContinueUpdateRollback", stack)
        return None


class LoopbackAws:
    """A server in this process, with an account that can be reset."""

    def __init__(self) -> None:
        """Start the server on a free port."""
        # Imported on use, because it takes two seconds.
        from support import moto_server

        self.faults: list[Fault] = []
        self._published: set[str] = set()
        self._publishing = threading.Lock()
        self._stuck_rollbacks = _StuckRollbacks(self)
        self._moto = moto_server.application()
        self._server = moto_server.serve(self._respond)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def _respond(self, environ: Any, start_response: Any) -> Any:
        if self.faults or environ["REQUEST_METHOD"] == "POST":
            length = int(environ.get("CONTENT_LENGTH") or 0)
            body = environ["wsgi.input"].read(length)
            environ["wsgi.input"] = io.BytesIO(body)
            named = (
                environ["REQUEST_METHOD"],
                environ["PATH_INFO"],
                environ.get("HTTP_X_AMZ_TARGET"),
            )
            request = f"{named}".encode() + body
            asked = _TEMPLATE_URL.search(request)
            if asked is not None and asked[1].decode() in elastic_ci_stack.known_versions():
                self._publish(asked[1].decode())
            for fault in (*self.faults, self._stuck_rollbacks):
                answer = fault.answer(request)
                if answer is not None:
                    start_response(answer[0], [("Content-Type", "text/xml")])
                    return [answer[1]]
        return self._moto(environ, start_response)

    def reset(self) -> None:
        """Delete everything in the account except Buildkite's templates, and remove all faults."""
        self.faults.clear()
        request = urllib.request.Request(f"{self.endpoint}/moto-api/reset", method="POST")  # noqa: S310
        with urllib.request.urlopen(request):  # noqa: S310
            pass
        self._published.clear()
        self._s3 = self.client("s3")
        self._s3.create_bucket(Bucket=TEMPLATES_BUCKET)

    def _publish(self, version: str) -> None:
        """Put a version's template where Buildkite publishes it, when it is first requested.

        Only then: moto closes the file of an object that is overwritten, while other requests, such
        as for another queue's stack, can be reading it.
        """
        with self._publishing:
            if version in self._published:
                return
            self._s3.put_object(
                Bucket=TEMPLATES_BUCKET,
                Key=f"{version}/aws-stack.yml",
                Body=json.dumps(_template(version)).encode(),
            )
            self._published.add(version)

    def stack(self, name: str) -> Any:
        """The server's record of a CloudFormation stack, for changing its status."""
        (found,) = [stack for stack in self.stacks() if stack.name == name]
        return found

    def stacks(self) -> list[Any]:
        """The server's records of all CloudFormation stacks that are not deleted."""
        from moto.cloudformation.models import cloudformation_backends

        return list(cloudformation_backends[ACCOUNT][REGION].stacks.values())

    def fail_creation(self, name: str) -> None:
        """Put a stack in the state that CloudFormation leaves after it rolled back the creation."""
        stack = self.stack(name)
        stack.output_map._output_json_map = {}  # noqa: SLF001
        stack.status = "ROLLBACK_COMPLETE"

    def client(self, service: str, region: str = REGION) -> Any:
        """A boto3 client of this AWS."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=region,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",  # noqa: S106
        )

    def stop(self) -> None:
        """Stop the server."""
        self._server.shutdown()


def _template(version: str) -> dict[str, Any]:
    """A small template with a version's parameters: moto cannot create the stack of the real one.

    List parameters are strings here, because moto returns lists in Python's notation. The resources
    are the instances' role, and one instance with the tag that the stack sets on all instances.
    """
    parameters = {
        name: {**spec, "Type": "String" if spec["Type"] == "CommaDelimitedList" else spec["Type"]}
        for name, spec in elastic_ci_stack.load(version).parameters.items()
    }
    types = "InstanceTypes" if "InstanceTypes" in parameters else "InstanceType"
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"A stand-in for Buildkite stack {version}",
        "Parameters": parameters,
        "Conditions": {
            "HasRoleName": {"Fn::Not": [{"Fn::Equals": [{"Ref": "InstanceRoleName"}, ""]}]}
        },
        "Resources": {
            "IAMRole": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "RoleName": {
                        "Fn::If": [
                            "HasRoleName",
                            {"Ref": "InstanceRoleName"},
                            {"Ref": "AWS::NoValue"},
                        ]
                    },
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
                    "InstanceType": {"Ref": types},
                    "Tags": [{"Key": "Queue", "Value": {"Ref": "BuildkiteQueue"}}],
                },
            },
        },
        "Outputs": {
            "AutoScalingGroupName": {
                "Value": {"Fn::Sub": "${AWS::StackName}-AgentAutoScaleGroup-1A2B3C4D5E6F"}
            },
            "InstanceRoleName": {"Value": {"Ref": "IAMRole"}},
        },
    }
