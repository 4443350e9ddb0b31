"""What names mean in one stack, during the plan and during the deployment."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.cloudformation.errors import CloudFormationError
from cdk_ami.sandbox.cloudformation.intrinsics import NO_VALUE, UNKNOWN, resolve
from cdk_ami.sandbox.cloudformation.resources.base import is_custom
from cdk_ami.sandbox.cloudformation.schemas import schema
from cdk_ami.sandbox.cloudformation.state import Definition, Record, Stack

DYNAMIC: Final = re.compile(r"\{\{resolve:(ssm|ssm-secure|secretsmanager):([^}]+)\}\}")
"""Dynamic references.  https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html"""


class StackScope:
    """The names of one stack under one definition.

    Args:
        stack: The stack; its records say which resources exist.
        definition: The template and parameters that are being applied.
        exported: Returns the exports of the stack's account and Region.
    """

    def __init__(self, stack: Stack, definition: Definition, exported: Callable[[], Mapping[str, str]]) -> None:
        self.stack, self.definition, self._exported = stack, definition, exported
        self.unknown_refs: set[str] = set()
        self.unknown_attributes: set[str] = set()
        self.imported: dict[str, None] = {}
        self._conditions: dict[str, bool] = {}

    @property
    def mappings(self) -> Mapping[str, Any]:
        """The template's mappings."""
        return self.definition.template.section("Mappings")

    def ref(self, name: str) -> Any:
        """Return what ``Ref`` of ``name`` is."""
        if name.startswith("AWS::"):
            return self._pseudo(name)
        if name in self.definition.parameters:
            return self.definition.parameters[name].resolved
        if name not in self.definition.template.resources:
            raise CloudFormationError(
                f"Template format error: Unresolved resource dependencies [{name}] "
                "in the Resources block of the template"
            )
        return UNKNOWN if name in self.unknown_refs else self._record(name).physical_id

    def get_att(self, logical_id: str, attribute: str) -> Any:
        """Return an attribute of a resource."""
        resource = self.definition.template.resources.get(logical_id)
        if resource is None:
            raise CloudFormationError(
                "Template error: instance of Fn::GetAtt references undefined resource " + logical_id
            )
        custom = is_custom(resource.type)
        if not custom:
            self._check_attribute(resource.type, attribute, logical_id)
        if logical_id in self.unknown_refs or logical_id in self.unknown_attributes:
            return UNKNOWN
        record = self._record(logical_id)
        if attribute in record.attributes:
            return record.attributes[attribute]
        if custom:
            raise CloudFormationError(
                f"CustomResource attribute error: Vendor response doesn't contain {attribute} attribute "
                f"in object {logical_id}"
            )
        found: Any = record.properties
        for part in attribute.split("."):
            if not isinstance(found, Mapping) or part not in found:
                raise CloudFormationError(
                    f"Template error: the sandbox does not know the attribute {attribute} of {record.type} {logical_id}"
                )
            found = found[part]
        return found

    def condition(self, name: str) -> bool:
        """Return whether the condition ``name`` holds."""
        if name not in self._conditions:
            conditions = self.definition.template.section("Conditions")
            if name not in conditions:
                raise CloudFormationError(f"Template error: unresolved condition dependency {name}")
            self._conditions[name] = bool(resolve(conditions[name], self))
        return self._conditions[name]

    def import_value(self, name: str) -> Any:
        """Return the export ``name`` of this account and Region."""
        exports = self._exported()
        if name not in exports:
            raise CloudFormationError(f"No export named {name} found.")
        self.imported[name] = None
        return exports[name]

    def stack_output(self, stack: str, output: str, *, region: str | None, role: str | None) -> Any:
        """Return an output of another stack, of the role's account when there is a role."""
        account = role.split(":")[4] if role else self.stack.account
        client = clients.client("cloudformation", region or self.stack.region, account)
        try:
            found = client.describe_stacks(StackName=stack)["Stacks"][0]
        except client.exceptions.ClientError as error:
            raise CloudFormationError(f"Fn::GetStackOutput: {error.response['Error']['Message']}") from error
        for one in found.get("Outputs", []):
            if one["OutputKey"] == output:
                return one["OutputValue"]
        raise CloudFormationError(f"Fn::GetStackOutput: stack {stack} has no output {output}")

    def zones(self, region: str) -> list[str]:
        """Return the names of the zones of ``region``."""
        answer = clients.client("ec2", region, self.stack.account).describe_availability_zones()
        return sorted(zone["ZoneName"] for zone in answer["AvailabilityZones"])

    def dynamic(self, value: Any) -> Any:
        """Return ``value`` with its dynamic references replaced by what they point at now."""
        if isinstance(value, dict):
            return {key: self.dynamic(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.dynamic(item) for item in value]
        if isinstance(value, str) and "{{resolve:" in value:
            return DYNAMIC.sub(lambda match: self._look_up(match[1], match[2]), value)
        return value

    def active(self) -> list[str]:
        """Return the logical ids of the resources whose conditions hold."""
        resources = self.definition.template.resources
        return [name for name, one in resources.items() if one.condition is None or self.condition(one.condition)]

    def _pseudo(self, name: str) -> Any:
        values: dict[str, Any] = {
            "AWS::AccountId": self.stack.account,
            "AWS::NoValue": NO_VALUE,
            "AWS::NotificationARNs": list(self.definition.notification_arns),
            "AWS::Partition": "aws",
            "AWS::Region": self.stack.region,
            "AWS::StackId": self.stack.arn,
            "AWS::StackName": self.stack.name,
            "AWS::URLSuffix": "amazonaws.com",
        }
        if name not in values:
            raise CloudFormationError(f"Template format error: Unrecognized pseudo parameter {name}")
        return values[name]

    def _record(self, name: str) -> Record:
        if name not in self.stack.records:
            raise CloudFormationError(f"Template error: {name} is referred to, but its condition does not hold")
        return self.stack.records[name]

    def _check_attribute(self, type_name: str, attribute: str, logical_id: str) -> None:
        found = schema(type_name, self.stack.region)
        top = attribute.partition(".")[0]
        if found and top not in found.body.get("properties", {}) and top not in found.read_only:
            raise CloudFormationError(
                f"Template error: resource {logical_id} does not support attribute type {attribute} in Fn::GetAtt"
            )

    def _look_up(self, service: str, key: str) -> str:
        region, account = self.stack.region, self.stack.account
        if service == "secretsmanager":
            return _secret(clients.client("secretsmanager", region, account), key)
        client = clients.client("ssm", region, account)
        found = client.get_parameters(Names=[key], WithDecryption=service == "ssm-secure")
        if not found["Parameters"]:
            raise CloudFormationError(
                f"Parameters: [{key}] cannot be found. "
                f"Unable to fetch parameters [{key}] from parameter store for this account."
            )
        return str(found["Parameters"][0]["Value"])


def _secret(client: Any, key: str) -> str:
    import json  # noqa: PLC0415 - rare

    name, _, rest = key.partition(":SecretString")
    field = rest.strip(":").partition(":")[0]
    text = client.get_secret_value(SecretId=name)["SecretString"]
    return str(json.loads(text)[field]) if field else str(text)


def read_parameters(region: str, account: str) -> Callable[[Sequence[str]], Mapping[str, str]]:
    """Return a function that reads SSM parameters of one account and Region, leaving out what does not exist."""

    def read(names: Sequence[str]) -> Mapping[str, str]:
        client = clients.client("ssm", region, account)
        wanted = list(dict.fromkeys(names))
        found: dict[str, str] = {}
        batch = 10
        for start in range(0, len(wanted), batch):
            answer = client.get_parameters(Names=wanted[start : start + batch])
            # Parameters of other accounts are asked for by their ARNs, and answered under their names.
            found |= {one[key]: one["Value"] for one in answer["Parameters"] for key in ("Name", "ARN")}
        return {name: found[name] for name in wanted if name in found}

    return read
