"""Whether a build instance reaches the services that it needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore.exceptions import ClientError

from cdk_ami.runtime.preflight.model import Check, Finding, NotSeenError, Status, call

if TYPE_CHECKING:
    from cdk_ami.runtime.preflight.accounts import Accounts
    from cdk_ami.runtime.preflight.needs import NetworkNeed

ENDPOINTS: Final = ("ec2messages", "imagebuilder", "logs", "s3", "ssm", "ssmmessages")
"""Services that a build instance calls.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/vpc-interface-endpoints.html, read 2026-11-28"""

_HTTPS: Final = 443


class _Way(NamedTuple):
    """How a subnet leads out: the target of its default route, and the endpoints that are reached without one."""

    default_route: str
    broken: bool
    public_addresses: bool
    endpoints: tuple[str, ...]


def _look(need: NetworkNeed, accounts: Accounts) -> Iterator[Finding]:
    if need.unknown:
        raise NotSeenError(need.unknown, fix="name the subnet, or see yourself that it leads to the services")
    ec2 = accounts.client("ec2", need.account, need.region)
    if not need.subnet:
        found = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
        if found:
            yield _finding(need, Status.OK, f"is {found[0]['VpcId']}, whose subnets are public")
        else:
            yield _finding(
                need,
                Status.FAIL,
                "does not exist in the Region, and the image names no network",
                "name one: environment=BuildEnvironment(vpc=...)",
            )
        return
    if need.made is not None:
        made = need.made
        way: _Way | None = _Way(made.default_route, False, made.public_addresses, made.endpoints)  # noqa: FBT003 - its names stand above
    else:
        way = _way(ec2, need.subnet)
    if way is None:
        yield _finding(need, Status.FAIL, "does not exist in the Region", "name a subnet of the build's Region")
        return
    yield _judged(need, way)
    yield from _groups(need, ec2)


def _judged(need: NetworkNeed, way: _Way) -> Finding:
    missing = [one for one in ENDPOINTS if one not in way.endpoints]
    by_endpoints = "reaches every service by endpoints of its VPC"
    if not missing:
        return _finding(need, Status.OK, by_endpoints)
    lacks = f"and without endpoints for {', '.join(missing)}"
    fix = f"route it to a NAT gateway, or make endpoints for {', '.join(missing)}"
    if not way.default_route:
        return _finding(need, Status.FAIL, f"has no route out {lacks}: the build would time out", fix)
    if way.broken:
        return _finding(need, Status.FAIL, f"routes to {way.default_route}, which is gone, {lacks}", fix)
    if way.default_route.startswith("igw") and not way.public_addresses:
        return _finding(
            need,
            Status.FAIL,
            f"routes to {way.default_route} and gives instances no public address, {lacks}: nothing would answer",
            "let the subnet give public addresses, or use one behind a NAT gateway",
        )
    return _finding(need, Status.OK, f"leads out by {way.default_route}")


def _way(ec2: Any, subnet_id: str) -> _Way | None:
    try:
        subnet = ec2.describe_subnets(SubnetIds=[subnet_id])["Subnets"][0]
    except ClientError as error:
        if not error.response["Error"]["Code"].startswith("InvalidSubnetID"):
            raise
        return None
    vpc = [{"Name": "vpc-id", "Values": [subnet["VpcId"]]}]
    tables = [
        one for page in ec2.get_paginator("describe_route_tables").paginate(Filters=vpc) for one in page["RouteTables"]
    ]
    table = _table(tables, subnet_id)
    routes = [one for one in table.get("Routes", ()) if one.get("DestinationCidrBlock") == "0.0.0.0/0"]
    target, broken = "", False
    if routes:
        ways = (
            "GatewayId",
            "NatGatewayId",
            "TransitGatewayId",
            "NetworkInterfaceId",
            "InstanceId",
            "VpcPeeringConnectionId",
        )
        target = next((str(routes[0][way]) for way in ways if routes[0].get(way)), "something else")
        broken = routes[0].get("State") == "blackhole"
    pages = ec2.get_paginator("describe_vpc_endpoints").paginate(Filters=vpc)
    endpoints = [one for page in pages for one in page["VpcEndpoints"] if _serves(one, table)]
    services = sorted({one["ServiceName"].rpartition(".")[2] for one in endpoints})
    return _Way(target, broken, subnet.get("MapPublicIpOnLaunch", False), tuple(services))


def _table(tables: Sequence[dict[str, Any]], subnet_id: str) -> dict[str, Any]:
    """Return the route table of a subnet: its own, else the main one of the VPC."""
    for table in tables:
        if any(one.get("SubnetId") == subnet_id for one in table.get("Associations", ())):
            return table
    return next((one for one in tables if any(link.get("Main") for link in one.get("Associations", ()))), {})


def _serves(endpoint: dict[str, Any], table: dict[str, Any]) -> bool:
    if endpoint.get("State", "available").lower() != "available":
        return False
    if endpoint.get("VpcEndpointType", "Gateway") == "Gateway":
        return table.get("RouteTableId") in endpoint.get("RouteTableIds", ())
    return bool(endpoint.get("PrivateDnsEnabled", True))


def _groups(need: NetworkNeed, ec2: Any) -> Iterator[Finding]:
    closed = [group.name for group in need.made_groups if not group.lets_https_out]
    if need.groups:
        found = ec2.describe_security_groups(Filters=[{"Name": "group-id", "Values": list(need.groups)}])[
            "SecurityGroups"
        ]
        known = {one["GroupId"]: one for one in found}
        absent = [group for group in need.groups if group not in known]
        if absent:
            yield _finding(
                need, Status.FAIL, f"security groups {', '.join(absent)} do not exist there", "name groups of its VPC"
            )
        closed += [name for name, one in known.items() if not any(map(_lets_https, one.get("IpPermissionsEgress", ())))]
    # One group that lets it out is enough: what they allow adds up.
    if closed and len(closed) == len(need.groups) + len(need.made_groups):
        yield _finding(
            need, Status.FAIL, f"security groups {', '.join(closed)} let no HTTPS out", "allow TCP 443 to leave"
        )


def _lets_https(rule: dict[str, Any]) -> bool:
    protocol = rule.get("IpProtocol")
    return protocol == "-1" or (
        protocol in {"tcp", "6"} and rule.get("FromPort", 0) <= _HTTPS <= rule.get("ToPort", 65_535)
    )


def _finding(need: NetworkNeed, status: Status, message: str, fix: str = "") -> Finding:
    return Finding(
        check="network",
        account=need.account,
        region=need.region,
        subject=f"{need.image}: {need.subject}",
        status=status,
        message=message,
        fix=fix,
    )


CHECK: Final = Check(
    name="network",
    about="The subnet of each build leads to the services that a build calls, and its groups let HTTPS out.",
    source="https://docs.aws.amazon.com/imagebuilder/latest/userguide/vpc-interface-endpoints.html",
    calls=(
        call("ec2:DescribeVpcs", "where the image names no network"),
        call("ec2:DescribeSubnets", "where the subnet exists already"),
        call("ec2:DescribeRouteTables", "same"),
        call("ec2:DescribeVpcEndpoints", "same"),
        call("ec2:DescribeSecurityGroups", "same"),
    ),
    needs=lambda needs: needs.networks,
    look=_look,
)
