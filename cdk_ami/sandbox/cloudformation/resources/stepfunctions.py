"""State machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from cdk_ami.sandbox.cloudformation.errors import ResourceError
from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, handles
from cdk_ami.sandbox.cloudformation.resources.mapping import shaped


@handles(
    "AWS::StepFunctions::StateMachine",
    "Definition DefinitionString DefinitionS3Location DefinitionSubstitutions LoggingConfiguration RoleArn "
    "StateMachineName StateMachineType Tags TracingConfiguration",
)
class StateMachine(Handler):
    """A state machine."""

    def problems(self, properties: Mapping[str, Any]) -> Iterable[str]:
        """Return what is missing of the definition, or stated twice."""
        stated = [name for name in ("Definition", "DefinitionString", "DefinitionS3Location") if properties.get(name)]
        if len(stated) != 1:
            yield f"DefinitionString: exactly one of the three definitions is stated, got {stated}"

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the machine."""
        arn = context.client("stepfunctions").create_state_machine(
            name=new.get("StateMachineName") or context.name(longest=80),
            type=new.get("StateMachineType", "STANDARD"),
            tags=[{"key": key, "value": value} for key, value in context.tag_map(new.get("Tags")).items()],
            **self._options(context, new),
        )["stateMachineArn"]
        return self._made(context, arn)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Set everything again."""
        client = context.client("stepfunctions")
        client.update_state_machine(stateMachineArn=physical_id, **self._options(context, new))
        put, remove = context.retag(old.get("Tags"), new.get("Tags"))
        if put:
            tags = [{"key": key, "value": value} for key, value in put.items()]
            client.tag_resource(resourceArn=physical_id, tags=tags)
        if remove:
            client.untag_resource(resourceArn=physical_id, tagKeys=remove)
        return self._made(context, physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the machine, which stops what runs."""
        context.client("stepfunctions").delete_state_machine(stateMachineArn=physical_id)

    def _options(self, context: Context, new: Mapping[str, Any]) -> dict[str, Any]:
        options = {"definition": _definition(context, new), "roleArn": new["RoleArn"]}
        for name in ("LoggingConfiguration", "TracingConfiguration"):
            if name in new:
                options[f"{name[0].lower()}{name[1:]}"] = shaped("stepfunctions", name, new[name])
        return options

    def _made(self, context: Context, arn: str) -> Made:
        found = context.client("stepfunctions").describe_state_machine(stateMachineArn=arn)
        attributes = {
            "Arn": arn,
            "Name": found["name"],
            "StateMachineRevisionId": found.get("revisionId", "INITIAL"),
        }
        return Made(physical_id=arn, attributes=attributes)


def _definition(context: Context, new: Mapping[str, Any]) -> str:
    """Return the definition with its substitutions made."""
    if "DefinitionS3Location" in new:
        where = new["DefinitionS3Location"]
        version = {"VersionId": where["Version"]} if "Version" in where else {}
        body = context.client("s3").get_object(Bucket=where["Bucket"], Key=where["Key"], **version)["Body"].read()
        text = str(body.decode())
    else:
        text = str(new.get("DefinitionString") or json.dumps(new["Definition"]))
    for name, value in (new.get("DefinitionSubstitutions") or {}).items():
        if isinstance(value, dict | list):
            raise ResourceError(f"DefinitionSubstitutions/{name} is a text, a number or true or false")
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        text = text.replace(f"${{{name}}}", shown)
    return text
