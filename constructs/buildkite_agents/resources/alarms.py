"""The CloudWatch alarms of the queues, the SNS topics that they notify, and the budget."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cdktf import (
    TerraformElement,
    TerraformLocal,
    TerraformResource,
    TerraformResourceLifecycle,
    TerraformStack,
)
from constructs import Construct

from buildkite_agents.alarms import Alarm, actions_enabled, alarms_of
from buildkite_agents.aws.budgets_budget import (
    BudgetsBudget,
    BudgetsBudgetCostFilter,
    BudgetsBudgetNotification,
)
from buildkite_agents.aws.cloudwatch_metric_alarm import (
    CloudwatchMetricAlarm,
    CloudwatchMetricAlarmMetricQuery,
    CloudwatchMetricAlarmMetricQueryMetric,
)
from buildkite_agents.aws.kms_key import KmsKey
from buildkite_agents.aws.kms_key_policy import KmsKeyPolicy
from buildkite_agents.aws.sns_topic import SnsTopic
from buildkite_agents.aws.sns_topic_policy import SnsTopicPolicy
from buildkite_agents.aws.sns_topic_subscription import SnsTopicSubscription
from buildkite_agents.expressions import Reference
from buildkite_agents.permissions import policy_document
from buildkite_agents.resolved import REGION, ResolvedQueue, ResolvedStack
from buildkite_agents.resources.agent_policy import PARTITION
from buildkite_agents.resources.fixed_address import fix_address
from buildkite_agents.resources.import_block import ImportBlock
from buildkite_agents.resources.queue_stack import QueueStack
from buildkite_agents.settings import Alarms

_NAME = "buildkite_alarms"
_BUDGET = "buildkite"
# Notifications at these percentages of the budget.
_THRESHOLDS = (("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100))


class QueueAlarms(Construct):
    """The alarms of all queues of a stack, with a topic for each provider configuration."""

    def __init__(
        self,
        scope: TerraformStack,
        resolved: ResolvedStack,
        settings: Alarms,
        queue_stacks: Mapping[str, QueueStack],
    ) -> None:
        """Define the alarms, and the topics unless they exist."""
        super().__init__(scope, _NAME)
        self._resolved = resolved
        self._budget = settings.monthly_budget is not None
        self._alarms: dict[str, str] = {}
        self._topics: dict[str, str] = (
            {"aws": settings.topic}
            if isinstance(settings.topic, str)
            else dict(settings.topic or {})
        )
        for queue in resolved.queues:
            provider = queue.queue.provider or "aws"
            if settings.email is not None and provider not in self._topics:
                # Even without an alarm: a queue that is paused must not lose its subscription.
                self._topics[provider] = self._make_topic(provider, settings.email)
            for alarm in alarms_of(queue, settings):
                self._make_alarm(queue, alarm, queue_stacks[queue.key])
        if settings.monthly_budget is not None:
            self._make_budget(settings, settings.monthly_budget)
        self._makes_default_topic = settings.email is not None and "aws" in self._topics

    def import_blocks(self, *, account: str) -> Iterator[ImportBlock]:
        """The import blocks of what has a predictable id in the AWS account *account*.

        A key and a subscription do not; nor does the region of a topic of another provider
        configuration than the default one.
        """
        for address, name in self._alarms.items():
            yield ImportBlock(address, name, ("tags",))
        if self._makes_default_topic:
            topic = f"arn:{PARTITION}:sns:{REGION}:{account}:{self._topic_name('aws')}"
            yield ImportBlock(f"aws_sns_topic.{_NAME}", topic, ("tags",))
            yield ImportBlock(f"aws_sns_topic_policy.{_NAME}", topic)
        if self._budget:
            name = f"{account}:{self._budget_name}"
            yield ImportBlock(f"aws_budgets_budget.{_BUDGET}", name)

    @property
    def _budget_name(self) -> str:
        return f"{self._resolved.names.prefix}-buildkite"

    def _topic_name(self, provider: str) -> str:
        return f"{self._resolved.names.prefix}-buildkite-alarms{_suffix(provider, '-')}"

    def _make_alarm(self, queue: ResolvedQueue, alarm: Alarm, stack: QueueStack) -> None:
        topic = self._topics[queue.queue.provider or "aws"]
        resource_name = f"{queue.resource_name}-{alarm.kind}"
        name = f"{queue.stack_name}-{alarm.kind}"
        made = CloudwatchMetricAlarm(
            self,
            resource_name,
            alarm_name=name,
            alarm_description=alarm.description,
            comparison_operator="GreaterThanOrEqualToThreshold",
            threshold=1,
            evaluation_periods=alarm.periods,
            datapoints_to_alarm=alarm.periods,
            treat_missing_data=alarm.missing,
            metric_query=[*_queries(alarm)],
            alarm_actions=[topic],
            ok_actions=[topic],
            tags=self._resolved.settings.common_tags,
            # Not before the scaler exists, whose silence would raise an alarm.
            depends_on=[stack],
            lifecycle=_replaced_with_its_stack(queue) if alarm.follows_group else None,
        )
        enabled = actions_enabled(queue)
        if enabled is not None:
            made.add_override("actions_enabled", enabled)
        _place(made, resource_name, queue.queue.provider)
        self._alarms[f"aws_cloudwatch_metric_alarm.{resource_name}"] = name

    def _make_topic(self, provider: str, email: str) -> str:
        """Define an encrypted topic to which only CloudWatch can publish; return its ARN."""
        name = f"{_NAME}{_suffix(provider, '_')}"
        tags = {**self._resolved.settings.common_tags, "Name": self._topic_name(provider)}
        key = Reference(f"aws_kms_key.{name}.key_id")
        arn = f"aws_kms_key.{name}.arn"
        topic = Reference(f"aws_sns_topic.{name}.arn")
        account = f"{name}_account"
        # A local, because a policy's JSON cannot contain an expression with quotes.
        local = TerraformLocal(
            self, f"{name} account", str(Reference(f'element(split(":", {arn}), 4)'))
        )
        local.override_logical_id(account)
        account = Reference(f"local.{account}")
        made: Sequence[TerraformResource] = (
            KmsKey(
                self,
                f"{name} key",
                description=f"The alarms of the Buildkite queues of {self._resolved.names.prefix}",
                enable_key_rotation=True,
                # The shortest: the key encrypts only messages that are delivered within minutes.
                deletion_window_in_days=7,
                tags=tags,
            ),
            # A resource of its own, because the account is a part of the key's ARN.
            KmsKeyPolicy(self, f"{name} key policy", key_id=key, policy=_key_policy(account)),
            SnsTopic(
                self,
                f"{name} topic",
                name=self._topic_name(provider),
                kms_master_key_id=key,
                tags=tags,
            ),
            SnsTopicPolicy(
                self, f"{name} topic policy", arn=topic, policy=_topic_policy(topic, account)
            ),
            SnsTopicSubscription(
                self, f"{name} email", topic_arn=topic, protocol="email", endpoint=email
            ),
        )
        for resource in made:
            _place(resource, name, provider if provider != "aws" else None)
        return topic

    def _make_budget(self, settings: Alarms, limit: int) -> None:
        key = settings.budget_tag
        value = self._resolved.settings.common_tags[key]
        # `$${` would be the characters `${`.
        dollar = '${"$"}' if value.startswith(("$", "{")) else "$"
        topic = self._topics.get("aws") or next(iter(self._topics.values()))
        recipient: dict[str, Any] = (
            {"subscriber_email_addresses": [settings.email]}
            if settings.email is not None
            else {"subscriber_sns_topic_arns": [topic]}
        )
        budget = BudgetsBudget(
            self,
            "budget",
            name=self._budget_name,
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=str(limit),
            limit_unit="USD",
            cost_filter=[
                BudgetsBudgetCostFilter(name="TagKeyValue", values=[f"user:{key}{dollar}{value}"])
            ],
            notification=[
                BudgetsBudgetNotification(
                    notification_type=kind,
                    comparison_operator="GREATER_THAN",
                    threshold=percentage,
                    threshold_type="PERCENTAGE",
                    **recipient,
                )
                for kind, percentage in _THRESHOLDS
            ],
        )
        _place(budget, _BUDGET, None)


def _suffix(provider: str, separator: str) -> str:
    """The end of the names of a provider configuration's resources: none for the default one."""
    alias = provider.removeprefix("aws").removeprefix(".")
    return f"{separator}{alias}" if alias else ""


def _place(resource: TerraformElement, name: str, provider: str | None) -> None:
    """Give a resource its address, and the provider configuration of its queue."""
    resource.override_logical_id(name)
    fix_address(resource, f"{type(resource).__name__} {name}")
    if provider is not None:
        resource.add_override("provider", provider)


def _replaced_with_its_stack(queue: ResolvedQueue) -> TerraformResourceLifecycle:
    """Replace an alarm in each plan that changes its stack, whose outputs are then unknown.

    The provider fails to update an alarm whose metrics have an unknown dimension, with "Provider
    produced inconsistent final plan", and creates it correctly:
    https://github.com/hashicorp/terraform-provider-aws/issues/34661
    """
    return TerraformResourceLifecycle(replace_triggered_by=[queue.address])


def _queries(alarm: Alarm) -> Iterator[CloudwatchMetricAlarmMetricQuery]:
    label = alarm.kind.replace("-", " ")
    yield CloudwatchMetricAlarmMetricQuery(
        id="alarm", expression=alarm.expression, label=label, return_data=True
    )
    for metric in alarm.metrics:
        yield CloudwatchMetricAlarmMetricQuery(
            id=metric.id,
            metric=CloudwatchMetricAlarmMetricQueryMetric(
                namespace=metric.namespace,
                metric_name=metric.name,
                stat=metric.statistic,
                period=alarm.seconds,
                dimensions=dict(metric.dimensions),
            ),
        )


def _key_policy(account: str) -> str:
    """CloudWatch can encrypt for the topic, and the account's IAM policies apply.

    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
    """
    return _json(
        {
            "Sid": "AccountAccess",
            "Effect": "Allow",
            "Principal": {"AWS": account},
            "Action": "kms:*",
            "Resource": "*",
        },
        _cloudwatch("EncryptAlarms", ["kms:Decrypt", "kms:GenerateDataKey*"], "*", account),
    )


def _topic_policy(topic: str, account: str) -> str:
    """CloudWatch can publish the alarms of this account.

    https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html
    """
    return _json(_cloudwatch("PublishAlarms", ["sns:Publish"], topic, account))


def _cloudwatch(sid: str, actions: list[str], resource: str, account: str) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": actions,
        "Resource": resource,
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }


def _json(*statements: dict[str, Any]) -> str:
    return json.dumps(policy_document(statements), sort_keys=True, separators=(",", ":"))
