"""What an operation would do: every fault found and every change named before anything starts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cdk_ami.sandbox.cloudformation import resources as _resources  # noqa: F401 - registers the handlers
from cdk_ami.sandbox.cloudformation.errors import CloudFormationError
from cdk_ami.sandbox.cloudformation.graph import dependencies, topological
from cdk_ami.sandbox.cloudformation.intrinsics import UNKNOWN, as_text, is_known, references, resolve
from cdk_ami.sandbox.cloudformation.resources.base import HANDLERS, handler_of, is_custom
from cdk_ami.sandbox.cloudformation.schemas import Schema, schema, update_policy_findings
from cdk_ami.sandbox.cloudformation.scope import StackScope
from cdk_ami.sandbox.cloudformation.state import Record
from cdk_ami.sandbox.cloudformation.template import Resource

REFUSED_TYPES: Final = {
    "AWS::CloudFormation::Macro": "macros",
    "AWS::CloudFormation::Stack": "nested stacks",
    "AWS::CloudFormation::StackSet": "stack sets",
}
"""Types that are no resources of a service, in plain words."""


MAX_SERVICE_TIMEOUT: Final = 3600
"""Most seconds that a custom resource may take.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How one resource differs from what is there.

    Attributes:
        names: Properties that differ.
        replacement: ``True``, ``False`` or ``Conditional``, as the API says it.
    """

    names: frozenset[str]
    replacement: str


@dataclass(slots=True, kw_only=True)
class Plan:
    """What an operation would do.

    Attributes:
        changes: One per resource that would change, in the API's form.
        outputs_changed: Whether outputs would differ although no resource does.
    """

    changes: list[dict[str, Any]] = field(default_factory=list)
    outputs_changed: bool = False


def make(scope: StackScope) -> Plan:
    """Return what applying the scope's definition to its stack would do.

    Raises:
        CloudFormationError: When the template has a fault that can be known now, all of them named.
    """
    resources = _active_resources(scope)
    _refuse_unknown_types(resources, scope.stack.region)
    _check_references(scope)
    _check_rules(scope)
    order = topological(dependencies(resources))
    faults: list[str] = []
    plan = Plan()
    for name in order:
        _plan_one(scope, resources[name], plan, faults)
    if faults:
        raise CloudFormationError("Properties validation failed: " + "; ".join(faults))
    records = scope.stack.records
    removed = topological({name: record.waits_for for name, record in records.items()})
    for name in reversed(removed):
        if name in records and name not in resources:
            plan.changes.append(_change("Remove", name, records[name].type, records[name].physical_id))
    plan.outputs_changed = outputs(scope) != scope.stack.outputs
    return plan


def checked(scope: StackScope, resource: Resource) -> tuple[dict[str, Any], list[str]]:
    """Return a resource's properties, resolved and typed, and their faults in words."""
    properties = resolve(dict(resource.properties), scope)
    if is_custom(resource.type):
        return properties, _custom_faults(resource, properties)
    found = schema(resource.type, scope.stack.region)
    handler = HANDLERS[resource.type]
    if found is not None:
        properties, findings = found.check(properties)
    else:
        findings = []
    where = f"{resource.logical_id} ({resource.type})"
    faults = [f"{where}: #/{finding.path}: {finding.message}" for finding in findings]
    unhandled = [name for name in properties if name not in handler.handles]
    if not faults:
        faults += [f"{where}: #/{name}: the sandbox does not support this property" for name in unhandled]
    if is_known(properties) and not faults:
        faults += [f"{where}: #/{problem}" for problem in handler.problems(properties)]
    return properties, faults


def _custom_faults(resource: Resource, properties: Mapping[str, Any]) -> list[str]:
    where = f"{resource.logical_id} ({resource.type})"
    timeout = properties.get("ServiceTimeout", 1)
    faults = [] if "ServiceToken" in properties else [f"{where}: #: required key [ServiceToken] not found"]
    if timeout is not UNKNOWN and not (as_text(timeout).isdigit() and 1 <= int(timeout) <= MAX_SERVICE_TIMEOUT):
        faults.append(
            f"{where}: #/ServiceTimeout: {timeout!r} is not a number of seconds from 1 to {MAX_SERVICE_TIMEOUT}"
        )
    return faults


def update_policy(scope: StackScope, resource: Resource) -> tuple[dict[str, Any], list[str]]:
    """Return a resource's update policy, resolved and typed, and its faults in words."""
    if not resource.update_policy:
        return {}, []
    policy, findings = update_policy_findings(resource.type, resolve(dict(resource.update_policy), scope))
    where = f"{resource.logical_id} ({resource.type})"
    faults = [f"{where}: UpdatePolicy/{finding.path}: {finding.message}" for finding in findings]
    if not findings:
        handler = HANDLERS.get(resource.type)
        faults += [f"{where}: UpdatePolicy/{problem}" for problem in handler.policy_problems(policy)] if handler else []
    return policy, faults


def difference(record: Record, resource: Resource, new: Mapping[str, Any], region: str) -> Difference | None:
    """Return how ``new`` differs from what ``record`` has, None when it does not."""
    if record.type != resource.type:
        return Difference(names=frozenset({"Type"}), replacement="True")
    names = frozenset(name for name in {*record.compared, *new} if record.compared.get(name) != new.get(name))
    if not names:
        return None
    found = None if is_custom(resource.type) else schema(resource.type, region)
    if found is None:
        return Difference(names=names, replacement="False")
    return Difference(names=names, replacement=_replacement(found, names, record, new))


def outputs(scope: StackScope) -> list[dict[str, Any]]:
    """Return the stack's outputs in the API's form; what is not known yet is ``UNKNOWN``."""
    made = []
    for name, declared in scope.definition.template.section("Outputs").items():
        condition = declared.get("Condition")
        if condition is not None and not scope.condition(condition):
            continue
        value = resolve(declared.get("Value"), scope)
        output = {"OutputKey": name, "OutputValue": value if value is UNKNOWN else _output_text(name, value)}
        if "Description" in declared:
            output["Description"] = resolve(declared["Description"], scope)
        if "Export" in declared:
            output["ExportName"] = resolve(declared["Export"]["Name"], scope)
        made.append(output)
    return made


def _output_text(name: str, value: Any) -> str:
    if isinstance(value, dict | list):
        raise CloudFormationError(
            f"Template format error: The Value field of every Outputs member must evaluate to a String. ({name})"
        )
    return as_text(value)


def _active_resources(scope: StackScope) -> dict[str, Resource]:
    resources = scope.definition.template.resources
    return {name: resources[name] for name in scope.active()}


def _refuse_unknown_types(resources: Mapping[str, Resource], region: str) -> None:
    for resource in resources.values():
        if kind := REFUSED_TYPES.get(resource.type):
            raise CloudFormationError(
                f"Template format error: the sandbox does not support {kind}: {resource.logical_id} ({resource.type})"
            )
    unknown = sorted(
        {one.type for one in resources.values() if handler_of(one.type) is None and schema(one.type, region) is None}
    )
    if unknown:
        raise CloudFormationError(f"Template format error: Unrecognized resource types: [{', '.join(unknown)}]")
    beyond = [f"{one.logical_id} ({one.type})" for one in resources.values() if handler_of(one.type) is None]
    if beyond:
        raise CloudFormationError(
            f"Template format error: the sandbox does not support these resource types: {', '.join(beyond)}"
        )


def _check_references(scope: StackScope) -> None:
    template = scope.definition.template
    names = {*template.resources, *template.section("Parameters")}
    found = [
        name
        for resource in template.resources.values()
        for name, _ in references([resource.properties, resource.update_policy])
    ]
    found += [name for resource in template.resources.values() for name in resource.depends_on]
    found += [name for name, _ in references(template.section("Outputs"))]
    missing = list(dict.fromkeys(name for name in found if name not in names and not name.startswith("AWS::")))
    if missing:
        raise CloudFormationError(
            f"Template format error: Unresolved resource dependencies [{', '.join(missing)}] "
            "in the Resources block of the template"
        )


def _check_rules(scope: StackScope) -> None:
    for name, rule in scope.definition.template.section("Rules").items():
        if "RuleCondition" in rule and not resolve(rule["RuleCondition"], scope):
            continue
        for assertion in rule.get("Assertions", ()):
            if not resolve(assertion["Assert"], scope):
                text = assertion.get("AssertDescription", json.dumps(assertion["Assert"]))
                raise CloudFormationError(f"Template validation error: Rule {name} failed: {text}")


def _plan_one(scope: StackScope, resource: Resource, plan: Plan, faults: list[str]) -> None:
    name = resource.logical_id
    record = scope.stack.records.get(name)
    if record is not None and record.status == "CREATE_FAILED":
        record = None  # it is made anew
    properties, found = checked(scope, resource)
    faults += found
    _, found = update_policy(scope, resource)
    faults += found
    if resource.creation_policy:
        faults.append(f"{name} ({resource.type}): CreationPolicy: the sandbox does not support creation policies")
    if record is None:
        scope.unknown_refs.add(name)
        plan.changes.append(_change("Add", name, resource.type, None))
        return
    differs = difference(record, resource, properties, scope.stack.region)
    if differs is None:
        if _attributes_differ(record, resource):
            plan.changes.append(_change("Modify", name, resource.type, record.physical_id, scope=["Metadata"]))
        return
    scope.unknown_attributes.add(name)
    if differs.replacement != "False":
        scope.unknown_refs.add(name)
    else:
        faults += not_in_place(resource, differs)
    plan.changes.append(
        _change(
            "Modify",
            name,
            resource.type,
            record.physical_id,
            scope=["Properties"],
            replacement=differs.replacement,
            details=[_detail(one, record, properties, resource, scope.stack.region) for one in sorted(differs.names)],
        )
    )


def not_in_place(resource: Resource, differs: Difference) -> list[str]:
    """Return, in words, the changed properties that the sandbox cannot change in place."""
    handler = handler_of(resource.type)
    updates = handler.updates if handler else None
    where = f"{resource.logical_id} ({resource.type})"
    return [
        f"{where}: #/{name}: the sandbox does not support changing this property in place"
        for name in sorted(differs.names)
        if updates is not None and name not in updates
    ]


def _attributes_differ(record: Record, resource: Resource) -> bool:
    return (
        dict(record.metadata) != dict(resource.metadata)
        or dict(record.update_policy) != dict(resource.update_policy)
        or record.deletion_policy != (resource.deletion_policy or "Delete")
        or record.update_replace_policy != (resource.update_replace_policy or "Delete")
    )


def _replacement(found: Schema, names: frozenset[str], record: Record, new: Mapping[str, Any]) -> str:
    if names & found.create_only:
        return "True" if all(is_known(new.get(name)) for name in names & found.create_only) else "Conditional"
    conditional = names & found.conditional
    if conditional and HANDLERS[found.type].replaces(conditional, record.compared, new):
        return "True" if all(is_known(new.get(name)) for name in conditional) else "Conditional"
    return "False"


def _detail(name: str, record: Record, new: Mapping[str, Any], resource: Resource, region: str) -> dict[str, Any]:
    found = None if is_custom(resource.type) else schema(resource.type, region)
    recreation = "Never"
    if found and name in found.create_only:
        recreation = "Always"
    elif found and name in found.conditional:
        recreation = "Conditionally"
    before, after = record.compared.get(name), new.get(name)
    target = {"Attribute": "Properties", "Name": name, "RequiresRecreation": recreation, "Path": f"/Properties/{name}"}
    if before is not None:
        target["BeforeValue"] = _shown(before)
    if after is not None:
        target["AfterValue"] = _shown(after)
    target["AttributeChangeType"] = "Add" if before is None else "Remove" if after is None else "Modify"
    detail: dict[str, Any] = {"Target": target, "Evaluation": "Static" if is_known(after) else "Dynamic"}
    causes = list(references(resource.properties.get(name)))
    if not causes:
        detail["ChangeSource"] = "DirectModification"
    elif causes[0][1] is None:
        detail["ChangeSource"] = "ResourceReference"
        detail["CausingEntity"] = causes[0][0]
    else:
        detail["ChangeSource"] = "ResourceAttribute"
        detail["CausingEntity"] = f"{causes[0][0]}.{causes[0][1]}"
    return detail


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, default=lambda _: "{{changeSet:KNOWN_AFTER_APPLY}}")
    return "{{changeSet:KNOWN_AFTER_APPLY}}" if value is UNKNOWN else as_text(value)


def _change(
    action: str,
    name: str,
    type_name: str,
    physical_id: str | None,
    *,
    scope: list[str] | None = None,
    replacement: str | None = None,
    details: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    change: dict[str, Any] = {"Action": action, "LogicalResourceId": name, "ResourceType": type_name}
    if physical_id:
        change["PhysicalResourceId"] = physical_id
    if replacement:
        change["Replacement"] = replacement
        if replacement == "True":
            change["PolicyAction"] = "ReplaceAndDelete"
    change["Scope"] = scope or []
    change["Details"] = details or []
    return {"Type": "Resource", "ResourceChange": change}
