"""Virtual networks, subnets and what stands in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, changed, handles, wait
from cdk_ami.sandbox.cloudformation.resources.ec2_tags import retag, specification

SUBNET_SWITCHES: Final = ("AssignIpv6AddressOnCreation", "EnableDns64", "MapPublicIpOnLaunch")
"""Subnet properties that are attributes of the same name."""


@handles("AWS::EC2::VPC", "CidrBlock EnableDnsHostnames EnableDnsSupport InstanceTenancy Tags")
class Vpc(Handler):
    """A virtual network."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the network."""
        client = context.client("ec2")
        options = {"InstanceTenancy": new["InstanceTenancy"]} if "InstanceTenancy" in new else {}
        made = client.create_vpc(CidrBlock=new["CidrBlock"], **options, **specification(context, "vpc", new))["Vpc"]
        context.began(made["VpcId"])
        self._switch(client, made["VpcId"], {}, new)
        return self._made(context, made["VpcId"])

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Set what differs."""
        self._switch(context.client("ec2"), physical_id, old, new)
        retag(context, physical_id, old, new)
        return self._made(context, physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the network."""
        context.client("ec2").delete_vpc(VpcId=physical_id)

    def _switch(self, client: Any, vpc: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        for name, unset in (("EnableDnsSupport", True), ("EnableDnsHostnames", False)):
            if new.get(name, unset) != old.get(name, unset):
                client.modify_vpc_attribute(VpcId=vpc, **{name: {"Value": new.get(name, unset)}})

    def _made(self, context: Context, vpc: str) -> Made:
        client = context.client("ec2")
        here = [{"Name": "vpc-id", "Values": [vpc]}]
        found = client.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]
        groups = client.describe_security_groups(Filters=[*here, {"Name": "group-name", "Values": ["default"]}])
        acls = client.describe_network_acls(Filters=[*here, {"Name": "default", "Values": ["true"]}])
        return Made(
            physical_id=vpc,
            attributes={
                "VpcId": vpc,
                "CidrBlock": found["CidrBlock"],
                "CidrBlockAssociations": [one["AssociationId"] for one in found.get("CidrBlockAssociationSet", [])],
                "DefaultSecurityGroup": groups["SecurityGroups"][0]["GroupId"],
                "DefaultNetworkAcl": acls["NetworkAcls"][0]["NetworkAclId"],
                "Ipv6CidrBlocks": [],
            },
        )


@handles(
    "AWS::EC2::Subnet",
    f"AvailabilityZone AvailabilityZoneId CidrBlock Ipv6CidrBlock Tags VpcId {' '.join(SUBNET_SWITCHES)}",
    updates=f"Tags {' '.join(SUBNET_SWITCHES)}",
)
class Subnet(Handler):
    """A subnet of one zone."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the subnet."""
        client = context.client("ec2")
        names = ("AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "Ipv6CidrBlock", "VpcId")
        options = {name: new[name] for name in names if name in new}
        made = client.create_subnet(**options, **specification(context, "subnet", new))["Subnet"]
        context.began(made["SubnetId"])
        self._switch(client, made["SubnetId"], {}, new)
        return self._made(context, made["SubnetId"])

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Set what differs."""
        self._switch(context.client("ec2"), physical_id, old, new)
        retag(context, physical_id, old, new)
        return self._made(context, physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the subnet."""
        context.client("ec2").delete_subnet(SubnetId=physical_id)

    def _switch(self, client: Any, subnet: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        for name in SUBNET_SWITCHES:
            if new.get(name, False) != old.get(name, False):
                client.modify_subnet_attribute(SubnetId=subnet, **{name: {"Value": new.get(name, False)}})

    def _made(self, context: Context, subnet: str) -> Made:
        client = context.client("ec2")
        found = client.describe_subnets(SubnetIds=[subnet])["Subnets"][0]
        here = [{"Name": "association.subnet-id", "Values": [subnet]}]
        acls = client.describe_network_acls(Filters=here)["NetworkAcls"]
        associations = [one for acl in acls for one in acl["Associations"] if one["SubnetId"] == subnet]
        return Made(
            physical_id=subnet,
            attributes={
                "SubnetId": subnet,
                "AvailabilityZone": found["AvailabilityZone"],
                "AvailabilityZoneId": found.get("AvailabilityZoneId", ""),
                "CidrBlock": found["CidrBlock"],
                "VpcId": found["VpcId"],
                "Ipv6CidrBlocks": [],
                "NetworkAclAssociationId": associations[0]["NetworkAclAssociationId"] if associations else "",
            },
        )


@handles("AWS::EC2::EIP", "Domain InstanceId NetworkBorderGroup Tags", updates="InstanceId Tags")
class ElasticIp(Handler):
    """A public address."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Take an address, and give it to an instance when told."""
        client = context.client("ec2")
        made = client.allocate_address(Domain=new.get("Domain", "vpc"), **specification(context, "elastic-ip", new))
        context.began(made["PublicIp"])
        if "InstanceId" in new:
            client.associate_address(AllocationId=made["AllocationId"], InstanceId=new["InstanceId"])
        return self._made(made)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Give the address to another instance."""
        client = context.client("ec2")
        found = client.describe_addresses(PublicIps=[physical_id])["Addresses"][0]
        if "InstanceId" in changed(old, new):
            if "AssociationId" in found:
                client.disassociate_address(AssociationId=found["AssociationId"])
            if "InstanceId" in new:
                client.associate_address(AllocationId=found["AllocationId"], InstanceId=new["InstanceId"])
        retag(context, found["AllocationId"], old, new)
        return self._made(found)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Give the address back."""
        client = context.client("ec2")
        found = client.describe_addresses(PublicIps=[physical_id])["Addresses"][0]
        if "AssociationId" in found:
            client.disassociate_address(AssociationId=found["AssociationId"])
        client.release_address(AllocationId=found["AllocationId"])

    def _made(self, found: Mapping[str, Any]) -> Made:
        attributes = {"AllocationId": found["AllocationId"], "PublicIp": found["PublicIp"]}
        return Made(physical_id=found["PublicIp"], attributes=attributes)


@handles("AWS::EC2::NatGateway", "AllocationId ConnectivityType PrivateIpAddress SubnetId Tags", updates="Tags")
class NatGateway(Handler):
    """A gateway for subnets without public addresses."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the gateway and wait for it."""
        client = context.client("ec2")
        names = ("AllocationId", "ConnectivityType", "PrivateIpAddress", "SubnetId")
        options = {name: new[name] for name in names if name in new}
        gateway = client.create_nat_gateway(**options, **specification(context, "natgateway", new))["NatGateway"]
        name = gateway["NatGatewayId"]
        context.began(name)
        wait(lambda: _nat_state(client, name) == "available", what=name)
        return self._made(name)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Change the tags."""
        retag(context, physical_id, old, new)
        return self._made(physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the gateway and wait until it is gone."""
        client = context.client("ec2")
        client.delete_nat_gateway(NatGatewayId=physical_id)
        wait(lambda: _nat_state(client, physical_id) == "deleted", what=physical_id)

    def _made(self, name: str) -> Made:
        return Made(physical_id=name, attributes={"NatGatewayId": name})


def _nat_state(client: Any, name: str) -> str:
    found = client.describe_nat_gateways(Filters=[{"Name": "nat-gateway-id", "Values": [name]}])["NatGateways"]
    return str(found[0]["State"]) if found else "deleted"


@handles(
    "AWS::EC2::FlowLog",
    "DeliverLogsPermissionArn LogDestination LogDestinationType LogFormat LogGroupName MaxAggregationInterval "
    "ResourceId ResourceType Tags TrafficType",
    updates="Tags",
)
class FlowLog(Handler):
    """A record of the traffic of a network, subnet or interface."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Begin to record."""
        names = ("DeliverLogsPermissionArn", "LogDestination", "LogDestinationType", "LogFormat", "LogGroupName")
        options = {name: new[name] for name in (*names, "ResourceType", "TrafficType") if name in new}
        if "MaxAggregationInterval" in new:
            options["MaxAggregationInterval"] = int(new["MaxAggregationInterval"])
        answer = context.client("ec2").create_flow_logs(
            ResourceIds=[new["ResourceId"]], **options, **specification(context, "vpc-flow-log", new)
        )
        if answer.get("Unsuccessful"):
            raise ValueError(json.dumps(answer["Unsuccessful"]))
        name = answer["FlowLogIds"][0]
        return Made(physical_id=name, attributes={"Id": name})

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Change the tags."""
        retag(context, physical_id, old, new)
        return Made(physical_id=physical_id, attributes={"Id": physical_id})

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Stop to record."""
        context.client("ec2").delete_flow_logs(FlowLogIds=[physical_id])


@handles(
    "AWS::EC2::VPCEndpoint",
    "PolicyDocument PrivateDnsEnabled RouteTableIds SecurityGroupIds ServiceName SubnetIds Tags VpcEndpointType VpcId",
)
class VpcEndpoint(Handler):
    """A private way to a service."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the endpoint."""
        names = ("PrivateDnsEnabled", "RouteTableIds", "SecurityGroupIds", "ServiceName", "SubnetIds")
        options = {name: new[name] for name in (*names, "VpcEndpointType", "VpcId") if name in new}
        if "PolicyDocument" in new:
            options["PolicyDocument"] = json.dumps(new["PolicyDocument"])
        answer = context.client("ec2").create_vpc_endpoint(**options, **specification(context, "vpc-endpoint", new))
        return self._made(answer["VpcEndpoint"])

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Add and remove what differs."""
        client = context.client("ec2")
        options: dict[str, Any] = {}
        for name, one in (
            ("RouteTableIds", "RouteTableIds"),
            ("SecurityGroupIds", "SecurityGroupIds"),
            ("SubnetIds", "SubnetIds"),
        ):
            before, after = old.get(name, []), new.get(name, [])
            if add := [item for item in after if item not in before]:
                options[f"Add{one}"] = add
            if remove := [item for item in before if item not in after]:
                options[f"Remove{one}"] = remove
        if "PolicyDocument" in changed(old, new):
            document = new.get("PolicyDocument")
            options |= {"PolicyDocument": json.dumps(document)} if document else {"ResetPolicy": True}
        if "PrivateDnsEnabled" in changed(old, new):
            options["PrivateDnsEnabled"] = new.get("PrivateDnsEnabled", False)
        if options:
            client.modify_vpc_endpoint(VpcEndpointId=physical_id, **options)
        retag(context, physical_id, old, new)
        return self._made(client.describe_vpc_endpoints(VpcEndpointIds=[physical_id])["VpcEndpoints"][0])

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the endpoint."""
        context.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[physical_id])

    def _made(self, found: Mapping[str, Any]) -> Made:
        return Made(
            physical_id=found["VpcEndpointId"],
            attributes={
                "Id": found["VpcEndpointId"],
                "NetworkInterfaceIds": found.get("NetworkInterfaceIds", []),
                "DnsEntries": [
                    f"{entry.get('HostedZoneId', '')}:{entry.get('DnsName', '')}"
                    for entry in found.get("DnsEntries", [])
                ],
            },
        )
