"""moto's server, corrected where the tests need it closer to AWS."""

import json
from collections.abc import Callable
from typing import Any

from moto.budgets.responses import BudgetsResponse
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


def _update_budget(self: BudgetsResponse) -> str:
    """Replace a budget, and keep its notifications."""
    account, new = self._get_param("AccountId"), self._get_param("NewBudget")
    budget = self.backend.budgets[account][new["BudgetName"]]
    budget.budget = {**budget.budget, **new}
    return "{}"


def _describe_subscribers(self: BudgetsResponse) -> str:
    """List whom a notification of a budget notifies."""
    account, name = self._get_param("AccountId"), self._get_param("BudgetName")
    wanted = self._get_param("Notification")
    (found,) = [
        notification.subscribers
        for notification in self.backend.budgets[account][name].notifications
        if notification.details["NotificationType"] == wanted["NotificationType"]
        and notification.details["Threshold"] == wanted["Threshold"]
    ]
    return json.dumps({"Subscribers": found})


_budget_tags: dict[str, Any] = {}
_create_budget = BudgetsResponse.create_budget


def _create_tagged_budget(self: BudgetsResponse) -> str:
    """Create a budget, and keep its tags."""
    answer = _create_budget(self)
    name = self._get_param("Budget")["BudgetName"]
    _budget_tags[name] = self._get_param("ResourceTags", [])
    return answer


def _list_tags(self: BudgetsResponse) -> str:
    """List the tags that a budget was created with."""
    name = self._get_param("ResourceARN").rpartition("/")[2]
    return json.dumps({"ResourceTags": _budget_tags[name]})


# What the AWS provider uses and moto does not implement.
# https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_Operations_AWS_Budgets.html
BudgetsResponse.create_budget = _create_tagged_budget  # type: ignore[method-assign]
BudgetsResponse.update_budget = _update_budget  # type: ignore[attr-defined]
BudgetsResponse.describe_subscribers_for_notification = _describe_subscribers  # type: ignore[attr-defined]
BudgetsResponse.list_tags_for_resource = _list_tags  # type: ignore[attr-defined]


class _SilentHandler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        """Log nothing."""


def application() -> Any:
    """The WSGI application of all services."""
    return DomainDispatcherApplication(create_backend_app)


def serve(respond: Callable[..., Any]) -> BaseWSGIServer:
    """A server of a WSGI application, on a free port of the loopback interface."""
    return make_server("127.0.0.1", 0, respond, threaded=True, request_handler=_SilentHandler)
