"""Stacks for tests: small templates, deployed and waited for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.sandbox import wait_until

CAPABILITIES = ["CAPABILITY_NAMED_IAM"]


@dataclass(frozen=True)
class Stacks:
    """Stacks of one account and Region."""

    client: Any
    ids: dict[str, str] = field(default_factory=dict)

    def create(
        self, name: str, resources: Mapping[str, Any], *, parameters: Mapping[str, str] | None = None, **options: Any
    ) -> str:
        """Create a stack and return the status it ends in."""
        body = json.dumps({"Resources": resources, **options.pop("sections", {})})
        self.ids[name] = self.client.create_stack(
            StackName=name,
            TemplateBody=body,
            Capabilities=CAPABILITIES,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in (parameters or {}).items()],
            **options,
        )["StackId"]
        return self.settled(name)

    def update(self, name: str, resources: Mapping[str, Any], **options: Any) -> str:
        """Update a stack and return the status it ends in."""
        body = json.dumps({"Resources": resources, **options.pop("sections", {})})
        self.client.update_stack(StackName=name, TemplateBody=body, Capabilities=CAPABILITIES, **options)
        return self.settled(name)

    def delete(self, name: str, **options: Any) -> str:
        """Delete a stack and return the status it ends in."""
        self.client.delete_stack(StackName=name, **options)
        return self.settled(name)

    def settled(self, name: str) -> str:
        """Return the status of a stack when nothing goes on any more."""
        where = self.ids.get(name, name)

        def status() -> str:
            return str(self.client.describe_stacks(StackName=where)["Stacks"][0]["StackStatus"])

        wait_until(lambda: not status().endswith("IN_PROGRESS"), seconds=60)
        return status()

    def physical_id(self, name: str, logical_id: str) -> str:
        """Return the physical id of a resource."""
        found = self.client.describe_stack_resource(StackName=self.ids.get(name, name), LogicalResourceId=logical_id)
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def outputs(self, name: str) -> dict[str, str]:
        """Return the outputs of a stack."""
        stack = self.client.describe_stacks(StackName=name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def history(self, name: str) -> list[tuple[str, str]]:
        """Return what happened, oldest first: logical ids with statuses."""
        where = self.ids.get(name, name)
        pages = self.client.get_paginator("describe_stack_events").paginate(StackName=where)
        events = [event for page in pages for event in page["StackEvents"]]
        return [(event["LogicalResourceId"], event["ResourceStatus"]) for event in reversed(events)]

    def reasons(self, name: str) -> list[str]:
        """Return why resources failed, oldest first."""
        events = self.client.describe_stack_events(StackName=self.ids.get(name, name))["StackEvents"]
        return [
            event["ResourceStatusReason"] for event in reversed(events) if event["ResourceStatus"].endswith("FAILED")
        ]


def resource(kind: str, properties: Mapping[str, Any] | None = None, **attributes: Any) -> dict[str, Any]:
    """Return a resource of a template; the type without ``AWS::``."""
    return {"Type": f"AWS::{kind}", "Properties": dict(properties or {}), **attributes}


def parameter(name: str, value: Any = "one", **attributes: Any) -> dict[str, Any]:
    """Return an SSM parameter, the cheapest resource there is."""
    return resource("SSM::Parameter", {"Name": name, "Type": "String", "Value": value}, **attributes)


def trust(service: str = "ec2.amazonaws.com") -> dict[str, Any]:
    """Return a trust policy."""
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def names(resources: Sequence[Mapping[str, Any]], key: str) -> list[str]:
    """Return one member of each, sorted."""
    return sorted(one[key] for one in resources)
