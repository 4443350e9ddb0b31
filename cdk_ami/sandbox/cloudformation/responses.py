"""The API of the service: each operation from botocore's model, answered in its shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Final

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse

from cdk_ami.sandbox.cloudformation import answers
from cdk_ami.sandbox.cloudformation.capabilities import required_capabilities
from cdk_ami.sandbox.cloudformation.errors import CloudFormationError
from cdk_ami.sandbox.cloudformation.intrinsics import as_text
from cdk_ami.sandbox.cloudformation.models import CloudFormationBackend, cloudformation_backends
from cdk_ami.sandbox.cloudformation.state import Record, Stack

PAGE: Final = 100
"""Events, stacks or resources on one page."""


class Fault(ServiceException):  # type: ignore[misc]  # the emulator library is typed in part
    """An error on the wire; the emulator library looks for its shape by the module that defines the class."""


Operation = Callable[["CloudFormationResponse", CloudFormationBackend, Mapping[str, Any]], Mapping[str, Any] | None]


def operation(method: Operation) -> Callable[[CloudFormationResponse], ActionResult]:
    """Return ``method`` as the emulator library calls it: parameters in, a result or a service's error out."""

    @wraps(method)
    def answer(self: CloudFormationResponse) -> ActionResult:
        backend = cloudformation_backends[self.current_account][self.region]
        try:
            return ActionResult(method(self, backend, self.params) or {})
        except CloudFormationError as error:
            raise Fault(error.code, error.message) from error

    return answer


def _page(items: Sequence[Any], request: Mapping[str, Any], name: str) -> dict[str, Any]:
    start = int(request.get("NextToken") or 0)
    answer: dict[str, Any] = {name: list(items[start : start + PAGE])}
    if start + PAGE < len(items):
        answer["NextToken"] = str(start + PAGE)
    return answer


def _refused(what: str) -> Operation:
    def refuse(_: CloudFormationResponse, __: CloudFormationBackend, ___: Mapping[str, Any]) -> Mapping[str, Any]:
        raise CloudFormationError(f"The sandbox does not support {what}")

    return refuse


class CloudFormationResponse(BaseResponse):  # type: ignore[misc]  # same
    """Answers the calls of CloudFormation's API."""

    def __init__(self) -> None:
        super().__init__(service_name="cloudformation")
        self.automated_parameter_parsing = True

    @operation
    def create_change_set(self, backend: CloudFormationBackend, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """CreateChangeSet."""
        made = backend.create_change_set(request)
        stack, _ = backend.change_set(made.arn, None)
        return {"Id": made.arn, "StackId": stack.arn}

    @operation
    def describe_change_set(self, backend: CloudFormationBackend, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """DescribeChangeSet."""
        stack, found = backend.change_set(request["ChangeSetName"], request.get("StackName"))
        return {**answers.change_set(stack, found), **_page(found.changes, request, "Changes")}

    @operation
    def list_change_sets(self, backend: CloudFormationBackend, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """ListChangeSets."""
        stack = backend.find(request["StackName"])
        found = [answers.change_set_summary(stack, one) for one in stack.change_sets.values()]
        return _page(found, request, "Summaries")

    @operation
    def delete_change_set(self, backend: CloudFormationBackend, request: Mapping[str, Any]) -> None:
        """DeleteChangeSet."""
        backend.delete_change_set(request["ChangeSetName"], request.get("StackName"))

    @operation
    def execute_change_set(self, backend: CloudFormationBackend, request: Mapping[str, Any]) -> None:
        """ExecuteChangeSet."""
        backend.execute_change_set(request)

    @operation
    def create_stack(self, backend: CloudFormationBackend, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """CreateStack."""
        return {"StackId": backend.create_stack(request).arn}

    @operation
    def update_stack(self, backend: CloudFormationBackend, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """UpdateStack."""
        return {"StackId": backend.update_stack(request).arn}

    @operation
    def delete_stack(self, backend: CloudFormationBackend, request: Mapping[str, Any]) -> None:
        """DeleteStack."""
        backend.delete_stack(request)

    @operation
    def rollback_stack(self, backend: CloudFormationBackend, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """RollbackStack."""
        stack = backend.roll_back_stack(request["StackName"])
        return {"StackId": stack.arn, "OperationId": stack.operation_id}

    @operation
    def continue_update_rollback(self, backend: CloudFormationBackend, request: Mapping[str, Any]) -> None:
        """ContinueUpdateRollback."""
        backend.continue_update_rollback(request["StackName"], request.get("ResourcesToSkip") or ())

    @operation
    def update_termination_protection(
        self, backend: CloudFormationBackend, request: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """UpdateTerminationProtection."""
        stack = backend.find(request["StackName"])
        stack.protected = bool(request["EnableTerminationProtection"])
        return {"StackId": stack.arn}

    @operation
    def describe_stacks(self, backend: CloudFormationBackend, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """DescribeStacks."""
        name = request.get("StackName")
        found = [backend.find(name)] if name else [one for one in backend.stacks() if not one.is_deleted]
        return _page([answers.stack(one) for one in found], request, "Stacks")

    @operation
    def list_stacks(self, backend: CloudFormationBackend, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """ListStacks."""
        wanted = request.get("StackStatusFilter")
        found = [answers.summary(one) for one in backend.stacks() if not wanted or one.status in wanted]
        return _page(found, request, "StackSummaries")

    @operation
    def describe_stack_events(self, backend: CloudFormationBackend, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """DescribeStackEvents, newest first."""
        stack = backend.find(request["StackName"])
        newest_first = sorted(stack.events, key=lambda event: event.time, reverse=True)
        return _page([answers.event(stack, one) for one in newest_first], request, "StackEvents")

    @operation
    def describe_events(self, backend: CloudFormationBackend, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """DescribeEvents, newest first."""
        if request.get("StackName"):
            stack = backend.find(request["StackName"])
        else:
            stack, _ = backend.change_set(request["ChangeSetName"], None)
        only_failed = (request.get("Filters") or {}).get("FailedEvents")
        # A change set that could fail at all was refused when it was made, so it has no events of its own.
        events = [] if request.get("ChangeSetName") else stack.events
        found = [
            answers.operation_event(stack, one)
            for one in sorted(events, key=lambda event: event.time, reverse=True)
            if request.get("OperationId") in {None, one.operation_id}
            and (not only_failed or one.status.endswith("FAILED"))
        ]
        return _page(found, request, "OperationEvents")

    @operation
    def describe_stack_resources(self, backend: CloudFormationBackend, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """DescribeStackResources."""
        wanted = request.get("LogicalResourceId")
        physical = request.get("PhysicalResourceId")
        name = request.get("StackName")
        stack = backend.find(name) if name else _owner(backend, physical)
        found = [
            answers.resource(stack, record)
            for record in list(stack.records.values())
            if wanted in {None, record.logical_id} and physical in {None, record.physical_id}
        ]
        return {"StackResources": found}

    @operation
    def describe_stack_resource(self, backend: CloudFormationBackend, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """DescribeStackResource."""
        stack = backend.find(request["StackName"])
        return {"StackResourceDetail": answers.resource_detail(stack, _record(stack, request["LogicalResourceId"]))}

    @operation
    def list_stack_resources(self, backend: CloudFormationBackend, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """ListStackResources."""
        stack = backend.find(request["StackName"])
        found = [answers.resource_summary(stack, record) for record in list(stack.records.values())]
        return _page(found, request, "StackResourceSummaries")

    @operation
    def get_template(self, backend: CloudFormationBackend, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """GetTemplate, of a stack or of a change set."""
        if request.get("ChangeSetName"):
            _, change_set = backend.change_set(request["ChangeSetName"], request.get("StackName"))
            text = change_set.definition.template.text
        else:
            stack = backend.find(request["StackName"])
            text = stack.definition.template.text if stack.definition else ""
        return {"TemplateBody": text, "StagesAvailable": ["Original", "Processed"]}

    @operation
    def get_template_summary(self, backend: CloudFormationBackend, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """GetTemplateSummary."""
        if request.get("StackName"):
            template = backend.template({"UsePreviousTemplate": True}, backend.find(request["StackName"]))
        else:
            template = backend.template(request)
        needed = required_capabilities(template)
        declared = [
            answers.without_none(
                {
                    "ParameterKey": name,
                    "DefaultValue": _text(one.get("Default")),
                    "ParameterType": one.get("Type"),
                    "NoEcho": as_text(one.get("NoEcho", False)).lower() == "true",
                    "Description": one.get("Description"),
                    "ParameterConstraints": {
                        "AllowedValues": [as_text(value) for value in one.get("AllowedValues", ())]
                    },
                }
            )
            for name, one in template.section("Parameters").items()
        ]
        return answers.without_none(
            {
                "Parameters": declared,
                "Description": template.description,
                "Capabilities": [needed] if needed else None,
                "ResourceTypes": sorted({resource.type for resource in template.resources.values()}),
                "Version": template.body.get("AWSTemplateFormatVersion"),
            }
        )

    @operation
    def validate_template(self, backend: CloudFormationBackend, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """ValidateTemplate."""
        template = backend.template(request)
        needed = required_capabilities(template)
        declared = [
            answers.without_none(
                {
                    "ParameterKey": name,
                    "DefaultValue": _text(one.get("Default")),
                    "NoEcho": as_text(one.get("NoEcho", False)).lower() == "true",
                    "Description": one.get("Description"),
                }
            )
            for name, one in template.section("Parameters").items()
        ]
        return answers.without_none(
            {
                "Parameters": declared,
                "Description": template.description,
                "Capabilities": [needed] if needed else None,
            }
        )

    @operation
    def list_exports(self, backend: CloudFormationBackend, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """ListExports."""
        found = [
            {"ExportingStackId": stack.arn, "Name": name, "Value": value}
            for stack in backend.stacks()
            if not stack.is_deleted
            for name, value in stack.exports.items()
        ]
        return _page(sorted(found, key=lambda export: export["Name"]), request, "Exports")

    @operation
    def list_imports(self, backend: CloudFormationBackend, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """ListImports."""
        users = backend.users(request["ExportName"])
        if not users:
            raise CloudFormationError(f"Export '{request['ExportName']}' is not imported by any stack.")
        return _page(users, request, "Imports")

    cancel_update_stack = operation(_refused("cancelling updates"))
    create_stack_set = operation(_refused("stack sets"))
    create_stack_instances = operation(_refused("stack sets"))
    set_stack_policy = operation(_refused("stack policies"))
    get_stack_policy = operation(_refused("stack policies"))
    detect_stack_drift = operation(_refused("drift detection"))
    detect_stack_resource_drift = operation(_refused("drift detection"))
    signal_resource = operation(_refused("signals"))
    create_stack_refactor = operation(_refused("stack refactoring"))
    start_resource_scan = operation(_refused("resource scans"))
    create_generated_template = operation(_refused("generated templates"))


def _text(value: Any) -> str | None:
    return None if value is None else as_text(value)


def _record(stack: Stack, logical_id: str) -> Record:
    if logical_id not in stack.records:
        raise CloudFormationError(f"Resource {logical_id} does not exist for stack {stack.name}")
    return stack.records[logical_id]


def _owner(backend: CloudFormationBackend, physical_id: str | None) -> Stack:
    for stack in backend.stacks():
        if any(record.physical_id == physical_id for record in stack.records.values()):
            return stack
    raise CloudFormationError(f"Stack for {physical_id} does not exist")
