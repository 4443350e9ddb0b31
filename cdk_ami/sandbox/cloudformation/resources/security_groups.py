"""Security groups and their rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, handles
from cdk_ami.sandbox.cloudformation.resources.ec2_tags import retag, specification

RULE: Final = "CidrIp CidrIpv6 Description FromPort IpProtocol ToPort"
"""Properties that rules of both directions have."""

ANYWHERE: Final = {"CidrIp": "0.0.0.0/0", "IpProtocol": "-1"}
"""The outbound rule that EC2 gives a new group, and that a group with rules of its own loses."""


def permission(rule: Mapping[str, Any], direction: str) -> dict[str, Any]:
    """Return a rule as the API takes it; ``direction`` is ``Source`` or ``Destination``."""
    described = {"Description": rule["Description"]} if "Description" in rule else {}
    made: dict[str, Any] = {"IpProtocol": str(rule["IpProtocol"])}
    for name in ("FromPort", "ToPort"):
        if name in rule:
            made[name] = int(rule[name])
    if "CidrIp" in rule:
        made["IpRanges"] = [{"CidrIp": rule["CidrIp"], **described}]
    if "CidrIpv6" in rule:
        made["Ipv6Ranges"] = [{"CidrIpv6": rule["CidrIpv6"], **described}]
    if prefix := rule.get(f"{direction}PrefixListId"):
        made["PrefixListIds"] = [{"PrefixListId": prefix, **described}]
    if group := rule.get(f"{direction}SecurityGroupId"):
        owner = {"UserId": rule["SourceSecurityGroupOwnerId"]} if "SourceSecurityGroupOwnerId" in rule else {}
        made["UserIdGroupPairs"] = [{"GroupId": group, **owner, **described}]
    return made


@handles(
    "AWS::EC2::SecurityGroup",
    "GroupDescription GroupName SecurityGroupEgress SecurityGroupIngress Tags VpcId",
)
class SecurityGroup(Handler):
    """A group with the rules in its own definition."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the group."""
        client = context.client("ec2")
        options = {"VpcId": new["VpcId"]} if "VpcId" in new else {}
        group = client.create_security_group(
            GroupName=new.get("GroupName") or context.name(),
            Description=new["GroupDescription"],
            **options,
            **specification(context, "security-group", new),
        )["GroupId"]
        context.began(group)
        if new.get("SecurityGroupEgress"):
            client.revoke_security_group_egress(GroupId=group, IpPermissions=[permission(ANYWHERE, "Destination")])
        self._rules(client, group, {}, new)
        return self._made(context, group)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Add and remove the rules that differ."""
        client = context.client("ec2")
        had, has = bool(old.get("SecurityGroupEgress")), bool(new.get("SecurityGroupEgress"))
        anywhere = [permission(ANYWHERE, "Destination")]
        if has and not had:
            client.revoke_security_group_egress(GroupId=physical_id, IpPermissions=anywhere)
        self._rules(client, physical_id, old, new)
        if had and not has:
            client.authorize_security_group_egress(GroupId=physical_id, IpPermissions=anywhere)
        retag(context, physical_id, old, new)
        return self._made(context, physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the group."""
        context.client("ec2").delete_security_group(GroupId=physical_id)

    def _rules(self, client: Any, group: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        for kind, direction in (("ingress", "Source"), ("egress", "Destination")):
            name = f"SecurityGroup{kind.title()}"
            before, after = old.get(name, []), new.get(name, [])
            if gone := [permission(rule, direction) for rule in before if rule not in after]:
                getattr(client, f"revoke_security_group_{kind}")(GroupId=group, IpPermissions=gone)
            if added := [permission(rule, direction) for rule in after if rule not in before]:
                getattr(client, f"authorize_security_group_{kind}")(GroupId=group, IpPermissions=added)

    def _made(self, context: Context, group: str) -> Made:
        found = context.client("ec2").describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
        return Made(physical_id=group, attributes={"GroupId": group, "Id": group, "VpcId": found.get("VpcId", "")})


class _Rule(Handler):
    kind: str
    direction: str

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        authorize = getattr(context.client("ec2"), f"authorize_security_group_{self.kind}")
        answer = authorize(GroupId=new["GroupId"], IpPermissions=[permission(new, self.direction)])
        rules = answer.get("SecurityGroupRules") or [{}]
        name = rules[0].get("SecurityGroupRuleId") or context.name()
        return Made(physical_id=name, attributes={"Id": name})

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        # Only the description changes in place; the API has no other way that both directions share.
        self.delete(context, physical_id, old)
        return self.create(context, new)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        revoke = getattr(context.client("ec2"), f"revoke_security_group_{self.kind}")
        revoke(GroupId=properties["GroupId"], IpPermissions=[permission(properties, self.direction)])


@handles(
    "AWS::EC2::SecurityGroupIngress",
    f"GroupId SourcePrefixListId SourceSecurityGroupId SourceSecurityGroupOwnerId {RULE}",
)
class SecurityGroupIngress(_Rule):
    """One inbound rule."""

    kind = "ingress"
    direction = "Source"


@handles("AWS::EC2::SecurityGroupEgress", f"DestinationPrefixListId DestinationSecurityGroupId GroupId {RULE}")
class SecurityGroupEgress(_Rule):
    """One outbound rule."""

    kind = "egress"
    direction = "Destination"
