"""Alarms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, handles
from cdk_ami.sandbox.cloudformation.resources.mapping import api_parameters


@handles(
    "AWS::CloudWatch::Alarm",
    "ActionsEnabled AlarmActions AlarmDescription AlarmName ComparisonOperator DatapointsToAlarm Dimensions "
    "EvaluateLowSampleCountPercentile EvaluationPeriods ExtendedStatistic InsufficientDataActions MetricName Metrics "
    "Namespace OKActions Period Statistic Tags Threshold ThresholdMetricId TreatMissingData Unit",
)
class Alarm(Handler):
    """An alarm on a metric."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Put the alarm."""
        return self._put(context, new.get("AlarmName") or context.name(), new)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:  # noqa: ARG002
        """Put the alarm again."""
        return self._put(context, physical_id, new)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the alarm."""
        context.client("cloudwatch").delete_alarms(AlarmNames=[physical_id])

    def _put(self, context: Context, name: str, new: Mapping[str, Any]) -> Made:
        parameters = api_parameters("cloudwatch", "PutMetricAlarm", {**new, "AlarmName": name})
        parameters["Tags"] = context.tags(new.get("Tags"))
        context.client("cloudwatch").put_metric_alarm(**parameters)
        return Made(physical_id=name, attributes={"Arn": context.arn("cloudwatch", f"alarm:{name}")})
