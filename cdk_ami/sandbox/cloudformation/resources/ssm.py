"""Parameters of the parameter store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cdk_ami.sandbox.cloudformation.errors import ResourceError
from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, handles, wait
from cdk_ami.sandbox.ssm import checks


@handles("AWS::SSM::Parameter", "AllowedPattern DataType Description Name Tags Tier Type Value")
class Parameter(Handler):
    """One parameter."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Put the parameter, which must not exist."""
        name = new.get("Name") or f"CFN-{context.name()}"
        tags = context.tags(new.get("Tags"))
        context.client("ssm").put_parameter(Name=name, Overwrite=False, Tags=tags, **self._options(new))
        self._stands(context, name, new)
        return self._made(context, name, new)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Put another value over it."""
        client = context.client("ssm")
        client.put_parameter(Name=physical_id, Overwrite=True, **self._options(new))
        self._stands(context, physical_id, new)
        put, remove = context.retag(old.get("Tags"), new.get("Tags"))
        if put:
            tags = [{"Key": key, "Value": value} for key, value in put.items()]
            client.add_tags_to_resource(ResourceType="Parameter", ResourceId=physical_id, Tags=tags)
        if remove:
            client.remove_tags_from_resource(ResourceType="Parameter", ResourceId=physical_id, TagKeys=remove)
        return self._made(context, physical_id, new)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the parameter."""
        context.client("ssm").delete_parameter(Name=physical_id)

    def _stands(self, context: Context, name: str, new: Mapping[str, Any]) -> None:
        """Return when the value stands, which one of data type ``aws:ec2:image`` does after a check only."""
        if new.get("DataType") != "aws:ec2:image":
            return
        wait(lambda: not checks.waiting(context.account, context.region, name), what=f"the parameter {name}")
        found = context.client("ssm").get_parameters(Names=[name])["Parameters"]
        if [one["Value"] for one in found] != [new["Value"]]:
            raise ResourceError(
                f"the parameter {name} does not hold {new['Value']}: no such AMI exists in {context.region} for the "
                f"account {context.account}"
            )

    def _options(self, new: Mapping[str, Any]) -> dict[str, Any]:
        names = ("AllowedPattern", "DataType", "Description", "Tier", "Type", "Value")
        return {name: new[name] for name in names if name in new}

    def _made(self, context: Context, name: str, new: Mapping[str, Any]) -> Made:
        arn = context.arn("ssm", f"parameter/{name.removeprefix('/')}")
        return Made(physical_id=name, attributes={"Arn": arn, "Type": new["Type"], "Value": new["Value"]})


@handles(
    "AWS::SSM::Document",
    "Content DocumentFormat DocumentType Name Tags TargetType UpdateMethod VersionName",
    updates="Content UpdateMethod VersionName",
)
class Document(Handler):
    """A document of Systems Manager, such as a command that a workflow of Image Builder runs."""

    def replaces(self, changed: frozenset[str], old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Make another document unless the definition asks for new versions."""
        return bool(new.get("UpdateMethod", "Replace") != "NewVersion")

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the document."""
        name = new.get("Name") or context.name(longest=128)
        options = {key: new[key] for key in ("DocumentType", "TargetType", "VersionName") if key in new}
        if tags := context.tags(new.get("Tags")):
            options["Tags"] = tags
        context.client("ssm").create_document(Name=name, **self._content(new), **options)
        return Made(physical_id=name)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Make a new version and let it be the default."""
        client = context.client("ssm")
        if old["Content"] != new["Content"]:
            options = {"VersionName": new["VersionName"]} if "VersionName" in new else {}
            made = client.update_document(Name=physical_id, DocumentVersion="$LATEST", **self._content(new), **options)[
                "DocumentDescription"
            ]
            client.update_document_default_version(Name=physical_id, DocumentVersion=made["DocumentVersion"])
        return Made(physical_id=physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the document."""
        context.client("ssm").delete_document(Name=physical_id)

    def _content(self, new: Mapping[str, Any]) -> dict[str, Any]:
        content = new["Content"]
        if isinstance(content, str):
            return {"Content": content, "DocumentFormat": new.get("DocumentFormat", "JSON")}
        return {"Content": json.dumps(content), "DocumentFormat": "JSON"}
