"""moto's server, corrected where the tests need it closer to AWS."""

from collections.abc import Callable
from typing import Any

from moto.iam.access_control import PermissionResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import FakeBucket, FakeKey
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server


def _ignore_bucket_policies(_bucket: FakeBucket, _action: str, _resource: str) -> PermissionResult:
    """Leave a bucket's policy out of the decision whether to permit a call.

    moto does not evaluate conditions, so it takes a policy that denies plain HTTP for one that
    denies everything. The bucket's policy is tested with an evaluator that does.
    """
    return PermissionResult.NEUTRAL


FakeBucket.get_permission = _ignore_bucket_policies  # type: ignore[method-assign,assignment]


_md5_etag = FakeKey.etag


def _etag(key: FakeKey) -> str:
    """An object's ETag, which is not the MD5 of an object that a KMS key encrypts."""
    etag = str(_md5_etag.fget(key))  # type: ignore[attr-defined]
    return f'"{etag[::-1][1:-1]}"' if key.encryption == "aws:kms" else etag


FakeKey.etag = property(_etag)  # type: ignore[assignment,method-assign]


class _SilentHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        """Log nothing."""


def application() -> Any:
    """The WSGI application of all services."""
    return DomainDispatcherApplication(create_backend_app)


def serve(respond: Callable[..., Any]) -> BaseWSGIServer:
    """A server of a WSGI application, on a free port of the loopback interface."""
    return make_server("127.0.0.1", 0, respond, threaded=True, request_handler=_SilentHandler)
