"""Users, groups, identity providers and the roles of services: what a template has beside the roles of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, handles
from cdk_ami.sandbox.cloudformation.resources.iam import policy_text


class _Identity(Handler):
    """A user or a group with its policies.

    Attributes:
        noun: ``user`` or ``group``, as the operations name it.
    """

    noun: ClassVar[str]

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the identity and give it its policies."""
        name = new.get(f"{self.noun.title()}Name") or context.name(longest=64)
        made = self.make(context, name, new)
        context.began(name)
        self._police(context, name, {}, new)
        return Made(physical_id=name, attributes={"Arn": made["Arn"]})

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Give it other policies."""
        self._police(context, physical_id, old, new)
        client = context.client("iam")
        found = getattr(client, f"get_{self.noun}")(**self._named(physical_id))[self.noun.title()]
        return Made(physical_id=physical_id, attributes={"Arn": found["Arn"]})

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:
        """Take its policies and remove it."""
        self._police(context, physical_id, properties, {})
        getattr(context.client("iam"), f"delete_{self.noun}")(**self._named(physical_id))

    def make(self, context: Context, name: str, new: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make the identity itself."""
        raise NotImplementedError

    def _named(self, name: str) -> dict[str, str]:
        return {f"{self.noun.title()}Name": name}

    def _police(self, context: Context, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        client = context.client("iam")
        before, after = old.get("ManagedPolicyArns", []), new.get("ManagedPolicyArns", [])
        for arn in after:
            if arn not in before:
                getattr(client, f"attach_{self.noun}_policy")(PolicyArn=arn, **self._named(name))
        for arn in before:
            if arn not in after:
                getattr(client, f"detach_{self.noun}_policy")(PolicyArn=arn, **self._named(name))
        own = {one["PolicyName"]: one["PolicyDocument"] for one in new.get("Policies", ())}
        for policy, text in own.items():
            put = getattr(client, f"put_{self.noun}_policy")
            put(PolicyName=policy, PolicyDocument=policy_text(text), **self._named(name))
        for one in old.get("Policies", ()):
            if one["PolicyName"] not in own:
                getattr(client, f"delete_{self.noun}_policy")(PolicyName=one["PolicyName"], **self._named(name))


@handles("AWS::IAM::Group", "GroupName ManagedPolicyArns Path Policies", updates="ManagedPolicyArns Policies")
class Group(_Identity):
    """A group of users."""

    noun = "group"

    def make(self, context: Context, name: str, new: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make the group."""
        made: Mapping[str, Any] = context.client("iam").create_group(GroupName=name, Path=new.get("Path", "/"))["Group"]
        return made


@handles(
    "AWS::IAM::User",
    "Groups ManagedPolicyArns Path Policies Tags UserName",
    updates="Groups ManagedPolicyArns Policies",
)
class User(_Identity):
    """A user without a password."""

    noun = "user"

    def make(self, context: Context, name: str, new: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make the user and put it into its groups."""
        client = context.client("iam")
        made: Mapping[str, Any] = client.create_user(
            UserName=name, Path=new.get("Path", "/"), Tags=context.tags(new.get("Tags"))
        )["User"]
        self._join(context, name, {}, new)
        return made

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Put it into other groups, and give it other policies."""
        self._join(context, physical_id, old, new)
        return super().update(context, physical_id, old, new)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:
        """Take it out of its groups and remove it."""
        self._join(context, physical_id, properties, {})
        super().delete(context, physical_id, properties)

    def _join(self, context: Context, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        client = context.client("iam")
        before, after = old.get("Groups", []), new.get("Groups", [])
        for group in after:
            if group not in before:
                client.add_user_to_group(GroupName=group, UserName=name)
        for group in before:
            if group not in after:
                client.remove_user_from_group(GroupName=group, UserName=name)


@handles("AWS::IAM::OIDCProvider", "ClientIdList Tags ThumbprintList Url", updates="ThumbprintList")
class OidcProvider(Handler):
    """An identity provider, such as that of a forge's runners."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the provider."""
        arn = context.client("iam").create_open_id_connect_provider(
            Url=new["Url"],
            ClientIDList=new.get("ClientIdList", []),
            ThumbprintList=new.get("ThumbprintList", []),
            Tags=context.tags(new.get("Tags")),
        )["OpenIDConnectProviderArn"]
        return Made(physical_id=arn, attributes={"Arn": arn})

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:  # noqa: ARG002
        """Set the thumbprints."""
        context.client("iam").update_open_id_connect_provider_thumbprint(
            OpenIDConnectProviderArn=physical_id, ThumbprintList=new.get("ThumbprintList", [])
        )
        return Made(physical_id=physical_id, attributes={"Arn": physical_id})

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the provider."""
        context.client("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=physical_id)


@handles("AWS::IAM::ServiceLinkedRole", "AWSServiceName CustomSuffix Description", updates="")
class ServiceLinkedRole(Handler):
    """The role that a service makes for itself."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the role."""
        name = context.client("iam").create_service_linked_role(**new)["Role"]["RoleName"]
        return Made(physical_id=name, attributes={"RoleName": name})

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the role."""
        context.client("iam").delete_service_linked_role(RoleName=physical_id)
