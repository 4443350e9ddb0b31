"""Roles, policies and instance profiles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, changed, handles

POLICY_VERSIONS: Final = 5
"""Versions of a managed policy that IAM keeps.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html, read 2026-11-22"""


def policy_text(value: Any) -> str:
    """Return a policy as JSON text."""
    return value if isinstance(value, str) else json.dumps(value)


@handles(
    "AWS::IAM::Role",
    "AssumeRolePolicyDocument Description ManagedPolicyArns MaxSessionDuration Path PermissionsBoundary Policies "
    "RoleName Tags",
)
class Role(Handler):
    """A role with its inline and managed policies."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the role and attach its policies."""
        client = context.client("iam")
        name = new.get("RoleName") or context.name(longest=64)
        options = {
            key: new[key] for key in ("Description", "MaxSessionDuration", "Path", "PermissionsBoundary") if key in new
        }
        made = client.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=policy_text(new["AssumeRolePolicyDocument"]),
            Tags=context.tags(new.get("Tags")),
            **options,
        )["Role"]
        context.began(name)
        for arn in new.get("ManagedPolicyArns", ()):
            client.attach_role_policy(RoleName=name, PolicyArn=arn)
        for policy in new.get("Policies", ()):
            client.put_role_policy(
                RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=policy_text(policy["PolicyDocument"])
            )
        return Made(physical_id=name, attributes={"Arn": made["Arn"], "RoleId": made["RoleId"]})

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Set what differs."""
        client = context.client("iam")
        differ = changed(old, new)
        if "AssumeRolePolicyDocument" in differ:
            client.update_assume_role_policy(
                RoleName=physical_id, PolicyDocument=policy_text(new["AssumeRolePolicyDocument"])
            )
        if differ & {"Description", "MaxSessionDuration"}:
            client.update_role(
                RoleName=physical_id,
                Description=new.get("Description", ""),
                MaxSessionDuration=int(new.get("MaxSessionDuration", 3600)),
            )
        if "PermissionsBoundary" in differ:
            self._bound(client, physical_id, new.get("PermissionsBoundary"))
        attached = {
            policy["PolicyArn"]
            for policy in client.list_attached_role_policies(RoleName=physical_id)["AttachedPolicies"]
        }
        before, after = set(old.get("ManagedPolicyArns", ())), set(new.get("ManagedPolicyArns", ()))
        for arn in sorted((before - after) & attached):
            client.detach_role_policy(RoleName=physical_id, PolicyArn=arn)
        for arn in sorted(after - attached):
            client.attach_role_policy(RoleName=physical_id, PolicyArn=arn)
        self._inline(client, physical_id, old, new)
        put, remove = context.retag(old.get("Tags"), new.get("Tags"))
        if put:
            client.tag_role(RoleName=physical_id, Tags=[{"Key": key, "Value": value} for key, value in put.items()])
        if remove:
            client.untag_role(RoleName=physical_id, TagKeys=remove)
        made = client.get_role(RoleName=physical_id)["Role"]
        return Made(physical_id=physical_id, attributes={"Arn": made["Arn"], "RoleId": made["RoleId"]})

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:
        """Detach what this resource has attached, then remove the role."""
        client = context.client("iam")
        attached = client.list_attached_role_policies(RoleName=physical_id)["AttachedPolicies"]
        own = set(properties.get("ManagedPolicyArns", ()))
        for policy in attached:
            if policy["PolicyArn"] in own:
                client.detach_role_policy(RoleName=physical_id, PolicyArn=policy["PolicyArn"])
        names = client.list_role_policies(RoleName=physical_id)["PolicyNames"]
        inline = {policy["PolicyName"] for policy in properties.get("Policies", ())}
        for name in names:
            if name in inline:
                client.delete_role_policy(RoleName=physical_id, PolicyName=name)
        client.delete_role(RoleName=physical_id)

    def _bound(self, client: Any, name: str, boundary: str | None) -> None:
        if boundary is None:
            client.delete_role_permissions_boundary(RoleName=name)
        else:
            client.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=boundary)

    def _inline(self, client: Any, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        before = {policy["PolicyName"]: policy["PolicyDocument"] for policy in old.get("Policies", ())}
        after = {policy["PolicyName"]: policy["PolicyDocument"] for policy in new.get("Policies", ())}
        for policy, document in after.items():
            if before.get(policy) != document:
                client.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=policy_text(document))
        for policy in before:
            if policy not in after:
                client.delete_role_policy(RoleName=name, PolicyName=policy)


def _unlink(client: Any, names: Mapping[str, list[str]], policy: str) -> None:
    for role in names["Roles"]:
        client.delete_role_policy(RoleName=role, PolicyName=policy)
    for user in names["Users"]:
        client.delete_user_policy(UserName=user, PolicyName=policy)
    for group in names["Groups"]:
        client.delete_group_policy(GroupName=group, PolicyName=policy)


@handles("AWS::IAM::Policy", "Groups PolicyDocument PolicyName Roles Users")
class Policy(Handler):
    """One inline policy, written into roles, users and groups."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Write the policy."""
        self._put(context.client("iam"), new)
        return Made(physical_id=context.name(longest=64), attributes={"Id": new["PolicyName"]})

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Write the policy again and remove it from whom it left."""
        client = context.client("iam")
        self._put(client, new)
        renamed = old["PolicyName"] != new["PolicyName"]
        gone = {
            kind: [name for name in old.get(kind, ()) if renamed or name not in new.get(kind, ())]
            for kind in ("Roles", "Users", "Groups")
        }
        _unlink(client, gone, old["PolicyName"])
        return Made(physical_id=physical_id, attributes={"Id": new["PolicyName"]})

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the policy from all."""
        names = {kind: list(properties.get(kind, ())) for kind in ("Roles", "Users", "Groups")}
        _unlink(context.client("iam"), names, properties["PolicyName"])

    def _put(self, client: Any, new: Mapping[str, Any]) -> None:
        policy = {"PolicyName": new["PolicyName"], "PolicyDocument": policy_text(new["PolicyDocument"])}
        for role in new.get("Roles", ()):
            client.put_role_policy(RoleName=role, **policy)
        for user in new.get("Users", ()):
            client.put_user_policy(UserName=user, **policy)
        for group in new.get("Groups", ()):
            client.put_group_policy(GroupName=group, **policy)


@handles("AWS::IAM::RolePolicy", "PolicyDocument PolicyName RoleName")
class RolePolicy(Handler):
    """One inline policy of one role."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Write the policy."""
        context.client("iam").put_role_policy(
            RoleName=new["RoleName"],
            PolicyName=new["PolicyName"],
            PolicyDocument=policy_text(new.get("PolicyDocument", {})),
        )
        return Made(physical_id=f"{new['PolicyName']}|{new['RoleName']}")

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:  # noqa: ARG002
        """Write the policy again."""
        return self.create(context, new)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the policy."""
        context.client("iam").delete_role_policy(RoleName=properties["RoleName"], PolicyName=properties["PolicyName"])


@handles("AWS::IAM::ManagedPolicy", "Description Groups ManagedPolicyName Path PolicyDocument Roles Users")
class ManagedPolicy(Handler):
    """A customer managed policy."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the policy and attach it."""
        client = context.client("iam")
        options = {key: new[key] for key in ("Description", "Path") if key in new}
        made = client.create_policy(
            PolicyName=new.get("ManagedPolicyName") or context.name(longest=128),
            PolicyDocument=policy_text(new["PolicyDocument"]),
            **options,
        )["Policy"]
        context.began(made["Arn"])
        self._attach(client, made["Arn"], {}, new)
        return self._made(made)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Make a new default version, and attach as told."""
        client = context.client("iam")
        if "PolicyDocument" in changed(old, new):
            versions = client.list_policy_versions(PolicyArn=physical_id)["Versions"]
            spare = [one["VersionId"] for one in versions if not one["IsDefaultVersion"]]
            if len(versions) >= POLICY_VERSIONS:
                client.delete_policy_version(PolicyArn=physical_id, VersionId=spare[-1])
            client.create_policy_version(
                PolicyArn=physical_id, PolicyDocument=policy_text(new["PolicyDocument"]), SetAsDefault=True
            )
        self._attach(client, physical_id, old, new)
        return self._made(client.get_policy(PolicyArn=physical_id)["Policy"])

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:
        """Detach the policy and remove all its versions."""
        client = context.client("iam")
        self._attach(client, physical_id, properties, {})
        for version in client.list_policy_versions(PolicyArn=physical_id)["Versions"]:
            if not version["IsDefaultVersion"]:
                client.delete_policy_version(PolicyArn=physical_id, VersionId=version["VersionId"])
        client.delete_policy(PolicyArn=physical_id)

    def _made(self, policy: Mapping[str, Any]) -> Made:
        names = ("PolicyId", "DefaultVersionId", "AttachmentCount", "IsAttachable")
        return Made(
            physical_id=policy["Arn"],
            attributes={"PolicyArn": policy["Arn"], **{name: policy[name] for name in names if name in policy}},
        )

    def _attach(self, client: Any, arn: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        for kind, parameter in (("Roles", "RoleName"), ("Users", "UserName"), ("Groups", "GroupName")):
            what = kind[:-1].lower()
            for name in new.get(kind, ()):
                if name not in old.get(kind, ()):
                    getattr(client, f"attach_{what}_policy")(PolicyArn=arn, **{parameter: name})
            for name in old.get(kind, ()):
                if name not in new.get(kind, ()):
                    getattr(client, f"detach_{what}_policy")(PolicyArn=arn, **{parameter: name})


@handles("AWS::IAM::InstanceProfile", "InstanceProfileName Path Roles")
class InstanceProfile(Handler):
    """A profile with its one role."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the profile."""
        client = context.client("iam")
        name = new.get("InstanceProfileName") or context.name(longest=128)
        made = client.create_instance_profile(InstanceProfileName=name, Path=new.get("Path", "/"))["InstanceProfile"]
        context.began(name)
        for role in new.get("Roles", ()):
            client.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
        return Made(physical_id=name, attributes={"Arn": made["Arn"]})

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Put another role in."""
        client = context.client("iam")
        for role in old.get("Roles", ()):
            if role not in new.get("Roles", ()):
                client.remove_role_from_instance_profile(InstanceProfileName=physical_id, RoleName=role)
        for role in new.get("Roles", ()):
            if role not in old.get("Roles", ()):
                client.add_role_to_instance_profile(InstanceProfileName=physical_id, RoleName=role)
        made = client.get_instance_profile(InstanceProfileName=physical_id)["InstanceProfile"]
        return Made(physical_id=physical_id, attributes={"Arn": made["Arn"]})

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Empty and remove the profile."""
        client = context.client("iam")
        for role in client.get_instance_profile(InstanceProfileName=physical_id)["InstanceProfile"]["Roles"]:
            client.remove_role_from_instance_profile(InstanceProfileName=physical_id, RoleName=role["RoleName"])
        client.delete_instance_profile(InstanceProfileName=physical_id)
