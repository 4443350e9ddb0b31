"""State as the API shows it: plain data in the shapes of botocore's model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cdk_ami.sandbox.cloudformation.parameters import Parameter
from cdk_ami.sandbox.cloudformation.state import ChangeSet, Event, Record, Stack

DRIFT = {"StackDriftStatus": "NOT_CHECKED"}


def tags(found: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as a list."""
    return [{"Key": key, "Value": value} for key, value in found.items()]


def without_none(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``answer`` without what is None."""
    return {key: value for key, value in answer.items() if value is not None}


def _parameters(found: Iterable[Parameter]) -> list[dict[str, Any]]:
    return [parameter.answer() for parameter in found]


def stack(one: Stack) -> dict[str, Any]:
    """Return a stack as DescribeStacks does."""
    definition = one.definition
    return without_none(
        {
            "StackId": one.arn,
            "StackName": one.name,
            "ChangeSetId": one.last_change_set,
            "Description": definition.template.description if definition else None,
            "Parameters": _parameters(definition.parameters.values()) if definition else [],
            "CreationTime": one.created,
            "DeletionTime": one.deleted,
            "LastUpdatedTime": one.updated,
            "RollbackConfiguration": {},
            "StackStatus": one.status,
            "StackStatusReason": one.reason,
            "DisableRollback": one.disable_rollback,
            "DeploymentConfig": one.deployment_config,
            "NotificationARNs": list(definition.notification_arns) if definition else [],
            "Capabilities": list(definition.capabilities) if definition else [],
            "Outputs": one.outputs,
            "RoleARN": definition.role_arn if definition else None,
            "Tags": tags(definition.tags) if definition else [],
            "EnableTerminationProtection": one.protected,
            "DriftInformation": DRIFT,
        }
    )


def summary(one: Stack) -> dict[str, Any]:
    """Return a stack as ListStacks does."""
    shown = stack(one)
    names = ("StackId", "StackName", "CreationTime", "LastUpdatedTime", "DeletionTime", "StackStatus")
    answer = {name: shown.get(name) for name in (*names, "StackStatusReason", "DriftInformation")}
    return without_none({**answer, "TemplateDescription": shown.get("Description")})


def event(one: Stack, found: Event) -> dict[str, Any]:
    """Return an event as DescribeStackEvents does."""
    return without_none(
        {
            "StackId": one.arn,
            "EventId": found.event_id,
            "StackName": one.name,
            "OperationId": found.operation_id,
            "LogicalResourceId": found.logical_id,
            "PhysicalResourceId": found.physical_id,
            "ResourceType": found.type,
            "Timestamp": found.time,
            "ResourceStatus": found.status,
            "ResourceStatusReason": found.reason,
            "ClientRequestToken": found.token,
        }
    )


def operation_event(one: Stack, found: Event) -> dict[str, Any]:
    """Return an event as DescribeEvents does."""
    answer = event(one, found)
    answer.pop("StackName")
    answer["EventType"] = "STACK_EVENT"
    return answer


def resource(one: Stack, record: Record) -> dict[str, Any]:
    """Return a resource as DescribeStackResources does."""
    return without_none(
        {
            "StackName": one.name,
            "StackId": one.arn,
            "LogicalResourceId": record.logical_id,
            "PhysicalResourceId": record.physical_id or None,
            "ResourceType": record.type,
            "Timestamp": record.changed,
            "ResourceStatus": record.status,
            "ResourceStatusReason": record.reason,
            "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
        }
    )


def resource_detail(one: Stack, record: Record) -> dict[str, Any]:
    """Return a resource as DescribeStackResource does."""
    answer = resource(one, record)
    answer["LastUpdatedTimestamp"] = answer.pop("Timestamp")
    return answer


def resource_summary(one: Stack, record: Record) -> dict[str, Any]:
    """Return a resource as ListStackResources does."""
    answer = resource_detail(one, record)
    del answer["StackName"], answer["StackId"]
    return answer


def change_set(one: Stack, found: ChangeSet) -> dict[str, Any]:
    """Return a change set as DescribeChangeSet does, all its changes in it."""
    definition = found.definition
    return without_none(
        {
            "ChangeSetName": found.name,
            "ChangeSetId": found.arn,
            "StackId": one.arn,
            "StackName": one.name,
            "Description": found.description,
            "Parameters": _parameters(definition.parameters.values()),
            "CreationTime": found.created,
            "ExecutionStatus": found.execution_status,
            "Status": found.status,
            "StatusReason": found.reason,
            "NotificationARNs": list(definition.notification_arns),
            "RollbackConfiguration": {},
            "Capabilities": list(definition.capabilities),
            "Tags": tags(definition.tags),
            "Changes": found.changes,
            "IncludeNestedStacks": found.include_nested,
            "OnStackFailure": found.on_failure,
            "DeploymentConfig": found.deployment_config,
        }
    )


def change_set_summary(one: Stack, found: ChangeSet) -> dict[str, Any]:
    """Return a change set as ListChangeSets does."""
    shown = change_set(one, found)
    names = ("StackId", "StackName", "ChangeSetId", "ChangeSetName", "ExecutionStatus", "Status", "StatusReason")
    return without_none({name: shown.get(name) for name in (*names, "CreationTime", "Description")})
