"""Alarms that are looked at when data come and when a period ends, that tell each change and act on it."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from moto.cloudwatch.models import Alarm

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.activity import ACTIVITY
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.cloudwatch.evaluation import COMPARISONS, INSUFFICIENT, Condition, Sample, recent, state
from cdk_ami.sandbox.events.emit import emit

_LOG: Final = logging.getLogger("cdk_ami.sandbox")

ORIGINAL: Final[dict[str, Callable[..., Any]]] = {}
"""The emulator's own methods, by name."""

MISSING: Final = frozenset({"breaching", "notBreaching", "ignore", "missing"})
"""What TreatMissingData may say."""


class AlarmOperations:
    """Methods for the emulator's ``CloudWatchBackend``."""

    account_id: str
    region_name: str
    alarms: dict[str, Alarm]
    metric_data: list[Any]

    def put_metric_data(self, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        """Take data in, and look at the alarms on them."""
        for datum in metric_data:
            datum["Timestamp"] = datum.get("Timestamp") or _now()
        ORIGINAL["put_metric_data"](self, namespace, metric_data)
        names = {datum["MetricName"] for datum in metric_data}
        for alarm in list(self.alarms.values()):
            if alarm.namespace == namespace and alarm.metric_name in names:
                _evaluate(self, alarm)


def put_metric_alarm(backend: Any, name: str, **request: Any) -> Alarm:
    """Create or change an alarm: a new one knows nothing yet, a changed one keeps its state."""
    before = backend.alarms.get(name)
    made: Alarm = ORIGINAL["put_metric_alarm"](backend, name, **request)
    made.configuration_updated_timestamp = made.state_updated_timestamp = _now()
    made.state_value = INSUFFICIENT
    if before is not None:
        made.history = before.history
        for member in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp"):
            setattr(made, member, getattr(before, member))
    ACTIVITY.soon(0, f"evaluation of {name}", lambda: _evaluate(backend, made))
    return made


class AlarmMends:
    """Methods for the emulator's ``Alarm``."""

    def update_state(self, reason: str, reason_data: str, state_value: str) -> None:
        """Enter a state; a change is told and acted on."""
        before = (self.state_value, self.state_reason, self.state_reason_data, self.state_updated_timestamp)  # type: ignore[has-type]
        self.history.append(("StateUpdate", before[1], before[2], before[0], before[3]))  # type: ignore[attr-defined]
        self.state_reason, self.state_reason_data, self.state_value = reason, reason_data or "{}", state_value
        self.state_updated_timestamp = _now()
        if state_value != before[0]:
            _tell(self, before)
            _act(self, before[0])


def _now() -> datetime:
    """Return the time as the emulator keeps it: in UTC, without saying so."""
    return CLOCK.now().replace(tzinfo=None)


def _condition(alarm: Any) -> Condition | None:
    """Return what a plain alarm looks for, None for one of metric math, anomalies or other alarms."""
    statistic = alarm.statistic or alarm.extended_statistic
    if not (alarm.metric_name and alarm.namespace and statistic and alarm.comparison_operator in COMPARISONS):
        return None
    if alarm.threshold is None or alarm.metric_data_queries:
        return None
    periods = int(alarm.evaluation_periods)
    return Condition(
        statistic=statistic,
        period=int(alarm.period),
        periods=periods,
        needed=int(alarm.datapoints_to_alarm or periods),
        comparison=alarm.comparison_operator,
        threshold=float(alarm.threshold),
        missing=alarm.treat_missing_data if alarm.treat_missing_data in MISSING else "missing",
    )


def _samples(backend: Any, alarm: Any) -> list[Sample]:
    wanted = {(dimension.name, dimension.value) for dimension in alarm.dimensions}
    found = []
    for datum in list(backend.metric_data):
        if (
            datum.namespace == alarm.namespace
            and datum.name == alarm.metric_name
            and {(dimension.name, dimension.value) for dimension in datum.dimensions} == wanted
            and (not alarm.unit or datum.unit == alarm.unit)
        ):
            when = datum.timestamp.replace(tzinfo=datum.timestamp.tzinfo or UTC).timestamp()
            value = getattr(datum, "value", None)
            if value is None:
                sample = Sample(at=when, total=datum.sum, least=datum.min, most=datum.max, count=datum.sample_count)
            else:
                sample = Sample(at=when, total=value, least=value, most=value, count=1)
            found.append(sample)
    return found


def _evaluate(backend: Any, alarm: Any) -> None:
    """Look at an alarm, and again at the end of the period while there are data that will grow old."""
    condition = _condition(alarm)
    if condition is None or backend.alarms.get(alarm.name) is not alarm:
        return
    now = CLOCK.now().timestamp()
    points = recent(condition, _samples(backend, alarm), now)
    after = state(condition, points, alarm.state_value)
    if after != alarm.state_value:
        shown = ", ".join(f"{point:g}" for point in points)
        data = {
            "version": "1.0",
            "queryDate": _shown(CLOCK.now()),
            "statistic": condition.statistic,
            "period": condition.period,
            "recentDatapoints": points[::-1],
            "threshold": condition.threshold,
        }
        reason = f"{len(points)} of the last {condition.periods} data points [{shown}] were evaluated"
        alarm.update_state(f"Threshold Crossed: {reason}." if points else f"{reason}.", json.dumps(data), after)
    if pending := _PENDING.pop(alarm.alarm_arn, None):
        pending.cancel()
    if points:
        due = datetime.fromtimestamp((math.floor(now / condition.period) + 1) * condition.period, UTC)
        _PENDING[alarm.alarm_arn] = CLOCK.at(due, lambda: _evaluate(backend, alarm))


def _shown(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"


def _tell(alarm: Any, before: tuple[str, str, str, datetime]) -> None:
    """Emit the event of a change.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html, read 2026-11-28
    """
    value, reason, data, when = before
    metric = {
        "namespace": alarm.namespace,
        "name": alarm.metric_name,
        "dimensions": {dimension.name: dimension.value for dimension in alarm.dimensions},
    }
    measured = {"metric": metric, "period": alarm.period, "stat": alarm.statistic or alarm.extended_statistic}
    configuration = {"metrics": [{"id": "m1", "metricStat": measured, "returnData": True}]} if alarm.metric_name else {}
    detail = {
        "alarmName": alarm.name,
        "state": {
            "value": alarm.state_value,
            "reason": alarm.state_reason,
            "reasonData": alarm.state_reason_data,
            "timestamp": _shown(alarm.state_updated_timestamp),
        },
        "previousState": {"value": value, "reason": reason, "reasonData": data, "timestamp": _shown(when)},
        "configuration": {**configuration, **({"description": alarm.description} if alarm.description else {})},
    }
    account = alarm.alarm_arn.split(":")[4]
    emit(alarm.region_name, account, "aws.cloudwatch", "CloudWatch Alarm State Change", detail, [alarm.alarm_arn])


def _act(alarm: Any, before: str) -> None:
    """Do what the new state asks for: tell topics, invoke functions.  Other actions are kept and not done."""
    if not alarm.actions_enabled:
        return
    members = {"OK": "ok_actions", "ALARM": "alarm_actions", INSUFFICIENT: "insufficient_data_actions"}
    message = _message(alarm, before)
    for action in getattr(alarm, members[alarm.state_value]):
        sender = next((sender for kind, sender in _SENDERS.items() if action.startswith(f"arn:aws:{kind}:")), None)
        if sender is not None:
            ACTIVITY.soon(0, f"action {action}", _sending(sender, action, message))


def _sending(sender: Callable[[Any, str, Mapping[str, Any]], None], action: str, message: Mapping[str, Any]) -> Any:
    def send() -> None:
        _, _, service, region, account, *_ = action.split(":")
        try:
            sender(clients.client(service, region, account), action, message)
        except (ClientError, BotoCoreError) as error:
            _LOG.warning("the action %s of the alarm %s failed: %s", action, message["AlarmName"], error)

    return send


def _publish(sns: Any, topic: str, message: Mapping[str, Any]) -> None:
    subject = f'{message["NewStateValue"]}: "{message["AlarmName"]}" in {message["Region"]}'
    sns.publish(TopicArn=topic, Subject=subject[:100], Message=json.dumps(message))


def _invoke(functions: Any, function: str, message: Mapping[str, Any]) -> None:
    functions.invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(message).encode())


_SENDERS: Final[Mapping[str, Callable[[Any, str, Mapping[str, Any]], None]]] = {"sns": _publish, "lambda": _invoke}


def _message(alarm: Any, before: str) -> dict[str, Any]:
    """Return the message that a topic gets."""
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": alarm.alarm_arn.split(":")[4],
        "AlarmConfigurationUpdatedTimestamp": _shown(alarm.configuration_updated_timestamp),
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": _shown(alarm.state_updated_timestamp),
        "Region": alarm.region_name,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before,
        "OKActions": list(alarm.ok_actions),
        "AlarmActions": list(alarm.alarm_actions),
        "InsufficientDataActions": list(alarm.insufficient_data_actions),
        "Trigger": {
            "MetricName": alarm.metric_name,
            "Namespace": alarm.namespace,
            "StatisticType": "ExtendedStatistic" if alarm.extended_statistic else "Statistic",
            "Statistic": str(alarm.statistic or alarm.extended_statistic or "").upper(),
            "Unit": alarm.unit,
            "Dimensions": [{"name": dimension.name, "value": dimension.value} for dimension in alarm.dimensions],
            "Period": alarm.period,
            "EvaluationPeriods": alarm.evaluation_periods,
            "DatapointsToAlarm": alarm.datapoints_to_alarm,
            "ComparisonOperator": alarm.comparison_operator,
            "Threshold": alarm.threshold,
            "TreatMissingData": alarm.treat_missing_data or "missing",
            "EvaluateLowSampleCountPercentile": alarm.evaluate_low_sample_count_percentile or "",
        },
    }


def reset() -> None:
    """Forget which alarms are to be looked at; the clock has forgotten them too."""
    _PENDING.clear()


_PENDING: Final[dict[str, Any]] = {}
