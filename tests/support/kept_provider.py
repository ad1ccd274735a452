"""Processes of the AWS provider that keep running between runs of Terraform.

Starting the provider takes three seconds of CPU time, and so does the first request of each run,
for the schemas of 1,500 resource types. So a provider keeps running and Terraform attaches to it
through a proxy, as for debugging a provider (``TF_REATTACH_PROVIDERS``). A process has one
configuration, so each configuration in a run has a process. The proxy forwards all calls unchanged
except for two:

* It answers ``GetSchema`` from memory, with only the resource types that the tests use.
* It answers ``PrepareProviderConfig``, for which the provider would validate all of its schemas
  again, with the unchanged configuration, which Terraform has validated against the schema.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from support.protobuf import fields

_TYPES = re.compile(
    rb"aws_(cloudformation_stack|iam_policy|kms_key|s3_bucket.*|s3_object|ssm_parameter"
    rb"|security_group|subnet|vpc)"
)
_GET_SCHEMA = "/tfplugin5.Provider/GetSchema"
_PREPARE = "/tfplugin5.Provider/PrepareProviderConfig"
_CONFIGURE = "/tfplugin5.Provider/Configure"
# The fields of GetProviderSchema's response that map the names of types to their schemas.
_SCHEMAS_BY_NAME = {2, 3}
# The fields for functions, ephemeral resources and later additions, which the tests do not use.
_OTHER_SCHEMAS = range(7, 20)
_UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_REATTACH = re.compile(r"TF_REATTACH_PROVIDERS='(.*)'")


class _Process:
    """A process of the provider."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._process = subprocess.Popen(
            [program, "-debug"],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "GOGC": "400"},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self.reattach = self._read_reattach()
        (provider,) = self.reattach.values()
        address = provider["Addr"]
        target = f"unix:{address['String']}" if address["Network"] == "unix" else address["String"]
        self.channel = grpc.insecure_channel(target, options=_UNLIMITED)

    def _read_reattach(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            found = _REATTACH.search(line)
            if found:
                answer: dict[str, Any] = json.loads(found[1])
                return answer
        raise RuntimeError(f"the provider ended with status {self._process.wait()}")

    def stop(self) -> None:
        self.channel.close()
        self._process.kill()
        self._process.communicate()


class KeptProvider:
    """A provider that keeps running, for one run of Terraform at a time."""

    def __init__(self, program: Path) -> None:
        """Start the provider's executable *program*, and the proxy."""
        # The provider opens files by relative paths: Terraform starts it in the root module.
        self._folder = Path(tempfile.mkdtemp(prefix="kept-provider-"))
        self._proxy = _Proxy(lambda: _Process(program, self._folder))
        self._server = grpc.server(ThreadPoolExecutor(max_workers=32), options=_UNLIMITED)
        self._server.add_generic_rpc_handlers([self._proxy])
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        reattach = self._proxy.processes[0].reattach
        (provider,) = reattach.values()
        provider["Addr"] = {"Network": "tcp", "String": f"127.0.0.1:{port}"}
        self._environment = {"TF_REATTACH_PROVIDERS": json.dumps(reattach)}

    def attach(self, root_module: Path) -> Mapping[str, str]:
        """The environment variables with which Terraform in *root_module* uses this provider."""
        self._proxy.begin_run()
        for file in self._folder.iterdir():
            file.unlink()
        for script in root_module.glob("*.sh"):
            (self._folder / script.name).symlink_to(script)
        return self._environment

    def stop(self) -> None:
        """Stop its processes."""
        self._server.stop(None)
        for process in self._proxy.processes:
            process.stop()
        shutil.rmtree(self._folder)


def _as_it_is(message: bytes) -> bytes:
    return message


class _Proxy(grpc.GenericRpcHandler):  # type: ignore[misc] # grpc has no types
    def __init__(self, start: Callable[[], _Process]) -> None:
        self._start = start
        self.processes = [start()]
        self._schema: bytes | None = None
        self._configurations: list[bytes] = []
        self._process_of: dict[str, _Process] = {}
        self._lock = threading.Lock()

    def begin_run(self) -> None:
        """Forget the configurations and connections of the previous run."""
        with self._lock:
            self._configurations.clear()
            self._process_of.clear()

    def service(self, handler_call_details: Any) -> Any:
        """Handle the calls of the provider's own service, except Stop."""
        method: str = handler_call_details.method
        handlers: dict[str, Callable[[bytes, Any], bytes]] = {
            _GET_SCHEMA: self._get_schema,
            _PREPARE: _prepare,
            _CONFIGURE: self._configure,
        }
        if not method.startswith("/tfplugin5.Provider/") or method.endswith("/Stop"):
            # Terraform works without the other services, and the provider must keep running.
            return None
        return grpc.unary_unary_rpc_method_handler(
            handlers.get(method, self._pass_on(method)),
            request_deserializer=_as_it_is,
            response_serializer=_as_it_is,
        )

    def _pass_on(self, method: str) -> Callable[[bytes, Any], bytes]:
        def handle(request: bytes, context: Any) -> bytes:
            # Terraform opens a connection for each configuration of a provider.
            process = self._process_of.get(context.peer(), self.processes[0])
            call = process.channel.unary_unary(
                method, request_serializer=_as_it_is, response_deserializer=_as_it_is
            )
            try:
                answer: bytes = call(request)
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())
            return answer

        return handle

    def _configure(self, request: bytes, context: Any) -> bytes:
        with self._lock:
            if request not in self._configurations:
                self._configurations.append(request)
            index = self._configurations.index(request)
            if index == len(self.processes):
                self.processes.append(self._start())
            self._process_of[context.peer()] = self.processes[index]
        return self._pass_on(_CONFIGURE)(request, context)

    def _get_schema(self, request: bytes, context: Any) -> bytes:
        if self._schema is None:
            self._schema = only_our_types(self._pass_on(_GET_SCHEMA)(request, context))
        return self._schema


def _prepare(request: bytes, _context: Any) -> bytes:
    # The first field of both messages is the configuration.
    return request


def only_our_types(response: bytes) -> bytes:
    """Remove the schemas that no test uses from a GetProviderSchema response."""
    kept = bytearray()
    for number, whole, content in fields(response):
        if number in _OTHER_SCHEMAS:
            continue
        if number in _SCHEMAS_BY_NAME:
            name = next(value for field, _, value in fields(content) if field == 1)
            if not _TYPES.fullmatch(name):
                continue
        kept += whole
    return bytes(kept)
