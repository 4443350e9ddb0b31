"""Shares of the Resource Access Manager."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, handles


@handles("AWS::RAM::ResourceShare", "AllowExternalPrincipals Name Principals ResourceArns")
class ResourceShare(Handler):
    """Resources that other accounts may use."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the share; those whom it names need not accept here."""
        made = context.client("ram").create_resource_share(
            name=new["Name"],
            resourceArns=new.get("ResourceArns", []),
            principals=new.get("Principals", []),
            allowExternalPrincipals=new.get("AllowExternalPrincipals", True),
        )["resourceShare"]
        return _made(made["resourceShareArn"])

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Rename the share, and add and take away what and whom it names."""
        client = context.client("ram")
        client.update_resource_share(
            resourceShareArn=physical_id,
            name=new["Name"],
            allowExternalPrincipals=new.get("AllowExternalPrincipals", True),
        )
        for act, more, less in (
            (client.associate_resource_share, new, old),
            (client.disassociate_resource_share, old, new),
        ):
            act(
                resourceShareArn=physical_id,
                resourceArns=_only(more, less, "ResourceArns"),
                principals=_only(more, less, "Principals"),
            )
        return _made(physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """End the share."""
        context.client("ram").delete_resource_share(resourceShareArn=physical_id)


def _made(arn: str) -> Made:
    return Made(physical_id=arn, attributes={"Arn": arn})


def _only(more: Mapping[str, Any], less: Mapping[str, Any], name: str) -> list[str]:
    return [one for one in more.get(name, []) if one not in less.get(name, [])]
