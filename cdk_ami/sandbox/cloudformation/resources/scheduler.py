"""Schedules of EventBridge Scheduler and their groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, handles
from cdk_ami.sandbox.cloudformation.resources.mapping import api_parameters


@handles(
    "AWS::Scheduler::Schedule",
    "Description EndDate FlexibleTimeWindow GroupName KmsKeyArn Name ScheduleExpression ScheduleExpressionTimezone "
    "StartDate State Target",
)
class Schedule(Handler):
    """One schedule."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the schedule."""
        name = new.get("Name") or context.name(longest=64)
        request = api_parameters("scheduler", "CreateSchedule", {**new, "Name": name})
        arn = context.client("scheduler").create_schedule(**request)["ScheduleArn"]
        return Made(physical_id=name, attributes={"Arn": arn})

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:  # noqa: ARG002
        """Set everything again."""
        request = api_parameters("scheduler", "UpdateSchedule", {**new, "Name": physical_id})
        arn = context.client("scheduler").update_schedule(**request)["ScheduleArn"]
        return Made(physical_id=physical_id, attributes={"Arn": arn})

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:
        """Remove the schedule."""
        group = {"GroupName": properties["GroupName"]} if "GroupName" in properties else {}
        context.client("scheduler").delete_schedule(Name=physical_id, **group)


@handles("AWS::Scheduler::ScheduleGroup", "Name Tags", updates="Tags")
class ScheduleGroup(Handler):
    """A group of schedules."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the group."""
        name = new.get("Name") or context.name(longest=64)
        arn = context.client("scheduler").create_schedule_group(Name=name, Tags=context.tags(new.get("Tags")))
        return Made(physical_id=name, attributes={"Arn": arn["ScheduleGroupArn"], "State": "ACTIVE"})

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Change the tags."""
        client = context.client("scheduler")
        arn = client.get_schedule_group(Name=physical_id)["Arn"]
        put, remove = context.retag(old.get("Tags"), new.get("Tags"))
        if put:
            client.tag_resource(ResourceArn=arn, Tags=[{"Key": key, "Value": value} for key, value in put.items()])
        if remove:
            client.untag_resource(ResourceArn=arn, TagKeys=remove)
        return Made(physical_id=physical_id, attributes={"Arn": arn, "State": "ACTIVE"})

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the group, and the schedules in it."""
        context.client("scheduler").delete_schedule_group(Name=physical_id)
