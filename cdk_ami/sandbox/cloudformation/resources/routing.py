"""Gateways, route tables and routes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, handles
from cdk_ami.sandbox.cloudformation.resources.ec2_tags import retag, specification

DESTINATIONS: Final = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
TARGETS: Final = (
    "EgressOnlyInternetGatewayId",
    "GatewayId",
    "InstanceId",
    "NatGatewayId",
    "NetworkInterfaceId",
    "TransitGatewayId",
    "VpcEndpointId",
    "VpcPeeringConnectionId",
)


@handles("AWS::EC2::InternetGateway", "Tags")
class InternetGateway(Handler):
    """A network's door to the internet."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the gateway."""
        answer = context.client("ec2").create_internet_gateway(**specification(context, "internet-gateway", new))
        return self._made(answer["InternetGateway"]["InternetGatewayId"])

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Change the tags."""
        retag(context, physical_id, old, new)
        return self._made(physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the gateway."""
        context.client("ec2").delete_internet_gateway(InternetGatewayId=physical_id)

    def _made(self, name: str) -> Made:
        return Made(physical_id=name, attributes={"InternetGatewayId": name})


@handles("AWS::EC2::VPCGatewayAttachment", "InternetGatewayId VpcId")
class VpcGatewayAttachment(Handler):
    """The tie of a gateway to a network."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Attach the gateway."""
        context.client("ec2").attach_internet_gateway(InternetGatewayId=new["InternetGatewayId"], VpcId=new["VpcId"])
        return Made(physical_id=f"IGW|{new['VpcId']}", attributes={"AttachmentType": "IGW"})

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Detach one gateway and attach another."""
        self.delete(context, physical_id, old)
        return self.create(context, new)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Detach the gateway."""
        context.client("ec2").detach_internet_gateway(
            InternetGatewayId=properties["InternetGatewayId"], VpcId=properties["VpcId"]
        )


@handles("AWS::EC2::RouteTable", "Tags VpcId")
class RouteTable(Handler):
    """A table of routes."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the table."""
        answer = context.client("ec2").create_route_table(
            VpcId=new["VpcId"], **specification(context, "route-table", new)
        )
        return self._made(answer["RouteTable"]["RouteTableId"])

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Change the tags."""
        retag(context, physical_id, old, new)
        return self._made(physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the table."""
        context.client("ec2").delete_route_table(RouteTableId=physical_id)

    def _made(self, name: str) -> Made:
        return Made(physical_id=name, attributes={"RouteTableId": name})


def _destination(properties: Mapping[str, Any]) -> dict[str, str]:
    return {name: properties[name] for name in DESTINATIONS if name in properties}


@handles("AWS::EC2::Route", f"RouteTableId {' '.join(DESTINATIONS)} {' '.join(TARGETS)}")
class Route(Handler):
    """One route."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the route."""
        context.client("ec2").create_route(**self._parameters(new))
        return self._made(new)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:  # noqa: ARG002
        """Point the route elsewhere."""
        context.client("ec2").replace_route(**self._parameters(new))
        return self._made(new)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the route."""
        context.client("ec2").delete_route(RouteTableId=properties["RouteTableId"], **_destination(properties))

    def _parameters(self, new: Mapping[str, Any]) -> dict[str, Any]:
        return {name: new[name] for name in ("RouteTableId", *DESTINATIONS, *TARGETS) if name in new}

    def _made(self, new: Mapping[str, Any]) -> Made:
        block = next(iter(_destination(new).values()))
        return Made(physical_id=f"{new['RouteTableId']}|{block}", attributes={"CidrBlock": block})


@handles("AWS::EC2::SubnetRouteTableAssociation", "RouteTableId SubnetId")
class SubnetRouteTableAssociation(Handler):
    """The tie of a subnet to its routes."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Tie them."""
        answer = context.client("ec2").associate_route_table(RouteTableId=new["RouteTableId"], SubnetId=new["SubnetId"])
        return Made(physical_id=answer["AssociationId"], attributes={"Id": answer["AssociationId"]})

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Untie them."""
        context.client("ec2").disassociate_route_table(AssociationId=physical_id)
