"""What the publishers publish, on a server on loopback."""

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from buildkite_agents import elastic_ci_stack
from buildkite_agents.elastic_ci_stack import StackVersion, releases


@contextlib.contextmanager
def served(pages: Mapping[str, str]) -> Iterator[str]:
    """The URL of a server with *pages*, by path; like S3, it answers others with 403."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path)
            content = (page if page is not None else "AccessDenied").encode()
            self.send_response(403 if page is None else 200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            """Keep the tests' output free of requests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def template(version: StackVersion) -> str:
    """A template that declares what a version has, in JSON, which is YAML as well."""
    family = {"Fn::Select": [0, {"Fn::Split": [".", {"Ref": "InstanceTypes"}]}]}

    def one_of(families: frozenset[str]) -> dict[str, Any]:
        return {"Fn::Or": [{"Fn::Equals": [family, one]} for one in sorted(families)]}

    content = {
        "Description": f"Buildkite stack {version.version}",
        "Parameters": {
            name: {"Description": "Not part of the declaration.", **spec}
            for name, spec in version.parameters.items()
        },
        "Mappings": {
            "AWSRegion2AMI": {region: {"linuxamd64": "ami-1"} for region in version.regions}
        },
        "Conditions": {
            "UsingArmInstances": one_of(version.arm64_instance_families),
            "UseBurstable": one_of(version.burstable_instance_families),
        },
        "Resources": {},
    }
    return json.dumps(content)


def newer(version: str = "v99.0.0") -> StackVersion:
    """A release that adds, changes and removes a parameter of the newest known one."""
    newest = elastic_ci_stack.load(elastic_ci_stack.known_versions()[-1])
    parameters = {
        **newest.parameters,
        "Added": {"Type": "String", "Default": ""},
        "MaxSize": {**newest.parameters["MaxSize"], "Default": 7},
    }
    del parameters["KeyName"]
    return replace(
        newest, version=version, parameters=parameters, inferred="", uncertain=frozenset()
    )


def history_of(versions: Sequence[str], inferred: Sequence[str]) -> dict[str, Any]:
    """A history of a few known versions."""
    history: dict[str, Any] = {"versions": [], "inferred": {}, "parameters": {}}
    history |= {name: [] for name in releases.LISTS}
    for version in versions:
        content = releases.release(elastic_ci_stack.load(version))
        history = releases.insert(history, version, content)
    return {**history, "inferred": dict.fromkeys(inferred, "everything")}
