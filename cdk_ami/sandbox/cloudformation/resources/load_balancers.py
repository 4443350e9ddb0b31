"""Load balancers, their target groups and listeners."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cdk_ami.sandbox.cloudformation.intrinsics import as_text
from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, changed, handles, wait
from cdk_ami.sandbox.cloudformation.resources.mapping import api_parameters

LONGEST_NAME: Final = 32
"""Characters of a name.
https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html"""

SERVICE: Final = "elbv2"

ACTIONS: Final = ("fixed-response", "forward", "redirect")
"""What a listener does here; users that sign in need a provider that the sandbox has not."""

HEALTH: Final = (
    "HealthCheckEnabled",
    "HealthCheckIntervalSeconds",
    "HealthCheckPath",
    "HealthCheckPort",
    "HealthCheckProtocol",
    "HealthCheckTimeoutSeconds",
    "HealthyThresholdCount",
    "Matcher",
    "UnhealthyThresholdCount",
)
"""Properties of a target group that change in place."""


def _name(context: Context, new: Mapping[str, Any]) -> str:
    """Return the name that is given, or one of the stack's and the resource's, without two hyphens in a row."""
    return str(new.get("Name") or re.sub("-+", "-", context.name(longest=LONGEST_NAME)))


def _attributes(new: Mapping[str, Any], name: str) -> list[dict[str, str]]:
    return [{"Key": one["Key"], "Value": as_text(one["Value"])} for one in new.get(name, ())]


def _retag(context: Context, arn: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    put, remove = context.retag(old.get("Tags"), new.get("Tags"))
    client = context.client(SERVICE)
    if put:
        client.add_tags(ResourceArns=[arn], Tags=[{"Key": key, "Value": value} for key, value in put.items()])
    if remove:
        client.remove_tags(ResourceArns=[arn], TagKeys=remove)


def _tags(context: Context, new: Mapping[str, Any]) -> dict[str, Any]:
    tags = context.tags(new.get("Tags"))
    return {"Tags": tags} if tags else {}


@handles(
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "IpAddressType LoadBalancerAttributes Name Scheme SecurityGroups Subnets Tags Type",
    updates="IpAddressType LoadBalancerAttributes SecurityGroups Subnets Tags",
)
class LoadBalancer(Handler):
    """A load balancer; done when it is active."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the load balancer."""
        client = context.client(SERVICE)
        own = {name: new[name] for name in new if name not in {"LoadBalancerAttributes", "Name", "Tags"}}
        made = client.create_load_balancer(
            Name=_name(context, new),
            **api_parameters(SERVICE, "CreateLoadBalancer", own),
            **_tags(context, new),
        )["LoadBalancers"][0]
        arn = str(made["LoadBalancerArn"])
        context.began(arn)
        self._set(client, arn, new)
        wait(lambda: self._describe(client, arn)["State"]["Code"] == "active", what=arn)
        return self._made(client, arn)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Set what differs."""
        client, differ = context.client(SERVICE), changed(old, new)
        if "SecurityGroups" in differ:
            client.set_security_groups(LoadBalancerArn=physical_id, SecurityGroups=new.get("SecurityGroups", []))
        if "Subnets" in differ:
            client.set_subnets(LoadBalancerArn=physical_id, Subnets=new.get("Subnets", []))
        if "IpAddressType" in differ:
            client.set_ip_address_type(LoadBalancerArn=physical_id, IpAddressType=new.get("IpAddressType", "ipv4"))
        if "LoadBalancerAttributes" in differ:
            self._set(client, physical_id, new)
        _retag(context, physical_id, old, new)
        return self._made(client, physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the load balancer."""
        context.client(SERVICE).delete_load_balancer(LoadBalancerArn=physical_id)

    def _set(self, client: Any, arn: str, new: Mapping[str, Any]) -> None:
        attributes = _attributes(new, "LoadBalancerAttributes")
        if attributes:
            client.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=attributes)

    def _describe(self, client: Any, arn: str) -> dict[str, Any]:
        found: dict[str, Any] = client.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]
        return found

    def _made(self, client: Any, arn: str) -> Made:
        found = self._describe(client, arn)
        return Made(
            physical_id=arn,
            attributes={
                "CanonicalHostedZoneID": found.get("CanonicalHostedZoneId", ""),
                "DNSName": found["DNSName"],
                "LoadBalancerArn": arn,
                "LoadBalancerFullName": arn.partition(":loadbalancer/")[2],
                "LoadBalancerName": found["LoadBalancerName"],
                "SecurityGroups": found.get("SecurityGroups", []),
            },
        )


@handles(
    "AWS::ElasticLoadBalancingV2::TargetGroup",
    f"IpAddressType Name Port Protocol ProtocolVersion Tags TargetGroupAttributes Targets TargetType VpcId "
    f"{' '.join(HEALTH)}",
    updates=f"Tags TargetGroupAttributes Targets {' '.join(HEALTH)}",
)
class TargetGroup(Handler):
    """A target group with the targets of its own definition; those of Auto Scaling come by themselves."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the target group."""
        client = context.client(SERVICE)
        left = {"Name", "Tags", "TargetGroupAttributes", "Targets"}
        own = {name: new[name] for name in new if name not in left}
        made = client.create_target_group(
            Name=_name(context, new),
            **api_parameters(SERVICE, "CreateTargetGroup", own),
            **_tags(context, new),
        )["TargetGroups"][0]
        arn = str(made["TargetGroupArn"])
        context.began(arn)
        self._set(client, arn, {}, new)
        return self._made(client, arn)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Set what differs."""
        client = context.client(SERVICE)
        health = {name: new[name] for name in sorted(changed(old, new) & set(HEALTH)) if name in new}
        if health:
            parameters = api_parameters(SERVICE, "ModifyTargetGroup", health)
            client.modify_target_group(TargetGroupArn=physical_id, **parameters)
        self._set(client, physical_id, old, new)
        _retag(context, physical_id, old, new)
        return self._made(client, physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the target group."""
        context.client(SERVICE).delete_target_group(TargetGroupArn=physical_id)

    def _set(self, client: Any, arn: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        attributes = _attributes(new, "TargetGroupAttributes")
        if attributes and "TargetGroupAttributes" in changed(old, new):
            client.modify_target_group_attributes(TargetGroupArn=arn, Attributes=attributes)
        before, after = old.get("Targets", []), new.get("Targets", [])
        gone, come = [one for one in before if one not in after], [one for one in after if one not in before]
        if gone:
            client.deregister_targets(**api_parameters(SERVICE, "DeregisterTargets", self._targets(arn, gone)))
        if come:
            client.register_targets(**api_parameters(SERVICE, "RegisterTargets", self._targets(arn, come)))

    def _targets(self, arn: str, targets: list[Any]) -> dict[str, Any]:
        return {"TargetGroupArn": arn, "Targets": targets}

    def _made(self, client: Any, arn: str) -> Made:
        found = client.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"][0]
        return Made(
            physical_id=arn,
            attributes={
                "LoadBalancerArns": found.get("LoadBalancerArns", []),
                "TargetGroupArn": arn,
                "TargetGroupFullName": arn.rpartition(":")[2],
                "TargetGroupName": found["TargetGroupName"],
            },
        )


@handles(
    "AWS::ElasticLoadBalancingV2::Listener",
    "Certificates DefaultActions LoadBalancerArn Port Protocol SslPolicy",
)
class Listener(Handler):
    """A listener that forwards, redirects or answers by itself."""

    def problems(self, properties: Mapping[str, Any]) -> Iterable[str]:
        """Return what a listener does that the sandbox does not."""
        for at, action in enumerate(properties.get("DefaultActions", ())):
            if action["Type"] not in ACTIONS:
                yield f"DefaultActions/{at}/Type: the sandbox does not support {action['Type']}"

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the listener."""
        parameters = api_parameters(SERVICE, "CreateListener", new)
        made = context.client(SERVICE).create_listener(**parameters)["Listeners"][0]["ListenerArn"]
        return Made(physical_id=made, attributes={"ListenerArn": made})

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:  # noqa: ARG002
        """Set all of it again."""
        own = {name: value for name, value in new.items() if name != "LoadBalancerArn"}
        parameters = api_parameters(SERVICE, "ModifyListener", own)
        context.client(SERVICE).modify_listener(ListenerArn=physical_id, **parameters)
        return Made(physical_id=physical_id, attributes={"ListenerArn": physical_id})

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the listener."""
        context.client(SERVICE).delete_listener(ListenerArn=physical_id)
