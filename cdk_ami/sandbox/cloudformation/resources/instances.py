"""Launch templates, instances and volumes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from cdk_ami.sandbox.cloudformation.resources.base import Context, Handler, Made, changed, handles, wait
from cdk_ami.sandbox.cloudformation.resources.ec2_tags import retag, specification
from cdk_ami.sandbox.cloudformation.resources.mapping import api_parameters, shaped


@handles("AWS::EC2::LaunchTemplate", "LaunchTemplateData LaunchTemplateName TagSpecifications VersionDescription")
class LaunchTemplate(Handler):
    """A launch template; each change of its data is a new version.

    CloudFormation never moves the default version.
    """

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the template with its first version."""
        options: dict[str, Any] = {}
        if "VersionDescription" in new:
            options["VersionDescription"] = new["VersionDescription"]
        specifications = self._tags(context, new)
        if specifications:
            options["TagSpecifications"] = specifications
        made = context.client("ec2").create_launch_template(
            LaunchTemplateName=new.get("LaunchTemplateName") or context.name(longest=128).replace("-", "_"),
            LaunchTemplateData=self._data(new),
            **options,
        )["LaunchTemplate"]
        return self._made(made)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Make a version, and change the template's own tags."""
        client = context.client("ec2")
        if changed(old, new) & {"LaunchTemplateData", "VersionDescription"}:
            described = {"VersionDescription": new["VersionDescription"]} if "VersionDescription" in new else {}
            client.create_launch_template_version(
                LaunchTemplateId=physical_id, LaunchTemplateData=self._data(new), **described
            )
        retag(context, physical_id, {"Tags": self._own_tags(old)}, {"Tags": self._own_tags(new)})
        return self._made(client.describe_launch_templates(LaunchTemplateIds=[physical_id])["LaunchTemplates"][0])

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the template with all versions."""
        context.client("ec2").delete_launch_template(LaunchTemplateId=physical_id)

    def problems(self, properties: Mapping[str, Any]) -> Iterable[str]:
        """Return where the tags are not the template's own."""
        for at, one in enumerate(properties.get("TagSpecifications", ())):
            if one.get("ResourceType") != "launch-template":
                yield f"TagSpecifications/{at}/ResourceType: must be launch-template"

    def _data(self, new: Mapping[str, Any]) -> Any:
        return shaped("ec2", "RequestLaunchTemplateData", new["LaunchTemplateData"])

    def _own_tags(self, properties: Mapping[str, Any]) -> list[dict[str, str]]:
        return [tag for one in properties.get("TagSpecifications", ()) for tag in one.get("Tags", ())]

    def _tags(self, context: Context, new: Mapping[str, Any]) -> list[dict[str, Any]]:
        tags = context.tags(self._own_tags(new))
        return [{"ResourceType": "launch-template", "Tags": tags}] if tags else []

    def _made(self, made: Mapping[str, Any]) -> Made:
        return Made(
            physical_id=made["LaunchTemplateId"],
            attributes={
                "LaunchTemplateId": made["LaunchTemplateId"],
                "LatestVersionNumber": str(made["LatestVersionNumber"]),
                "DefaultVersionNumber": str(made["DefaultVersionNumber"]),
            },
        )


DIRECT: Final = (
    "BlockDeviceMappings",
    "CpuOptions",
    "CreditSpecification",
    "DisableApiTermination",
    "EbsOptimized",
    "EnclaveOptions",
    "HibernationOptions",
    "ImageId",
    "InstanceInitiatedShutdownBehavior",
    "InstanceType",
    "KeyName",
    "LaunchTemplate",
    "MetadataOptions",
    "NetworkInterfaces",
    "PrivateIpAddress",
    "SecurityGroupIds",
    "SecurityGroups",
    "SubnetId",
    "UserData",
)
"""Properties of an instance that RunInstances takes by the same name."""

STOPPED_FIRST: Final = frozenset({"EbsOptimized", "InstanceType", "UserData"})
"""Properties that change in place, on a stopped instance."""

RENAMED_INTERFACE: Final = {
    "GroupSet": "Groups",
    "AssociatePublicIpAddress": "AssociatePublicIpAddress",
}
"""Names in an interface that differ between CloudFormation and the API."""


@handles(
    "AWS::EC2::Instance",
    f"AvailabilityZone IamInstanceProfile Monitoring PropagateTagsToVolumeOnCreation SourceDestCheck Tags Tenancy "
    f"{' '.join(DIRECT)}",
    updates="DisableApiTermination EbsOptimized IamInstanceProfile InstanceInitiatedShutdownBehavior InstanceType "
    "MetadataOptions Monitoring SecurityGroupIds SourceDestCheck Tags UserData",
)
class Instance(Handler):
    """An instance."""

    def replaces(self, changed: frozenset[str], old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:  # noqa: ARG002
        """Replace unless the change can be made on the stopped instance."""
        return bool(changed - STOPPED_FIRST - {"SecurityGroupIds"})

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Start the instance and wait until it runs."""
        client = context.client("ec2")
        own = {name: new[name] for name in DIRECT if name in new}
        parameters = api_parameters("ec2", "RunInstances", own, renames=RENAMED_INTERFACE)
        if "IamInstanceProfile" in new:
            parameters["IamInstanceProfile"] = {"Name": new["IamInstanceProfile"]}
        placement = {
            key: new[name]
            for key, name in (("AvailabilityZone", "AvailabilityZone"), ("Tenancy", "Tenancy"))
            if name in new
        }
        if placement:
            parameters["Placement"] = placement
        if "Monitoring" in new:
            parameters["Monitoring"] = {"Enabled": new["Monitoring"]}
        tags = specification(context, "instance", new)
        if tags and new.get("PropagateTagsToVolumeOnCreation"):
            tags["TagSpecifications"] += [{**tags["TagSpecifications"][0], "ResourceType": "volume"}]
        answer = client.run_instances(MinCount=1, MaxCount=1, **parameters, **tags)
        name = answer["Instances"][0]["InstanceId"]
        context.began(name)
        wait(lambda: _state(client, name) == "running", what=name)
        if new.get("SourceDestCheck") is False:
            client.modify_instance_attribute(InstanceId=name, SourceDestCheck={"Value": False})
        return self._made(client, name)

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Set what differs, on the stopped instance where EC2 asks for it."""
        client = context.client("ec2")
        differ = changed(old, new)
        if differ & STOPPED_FIRST:
            client.stop_instances(InstanceIds=[physical_id])
            wait(lambda: _state(client, physical_id) == "stopped", what=physical_id)
            for name in sorted(differ & STOPPED_FIRST):
                client.modify_instance_attribute(InstanceId=physical_id, **{name: {"Value": new.get(name, "")}})
            client.start_instances(InstanceIds=[physical_id])
            wait(lambda: _state(client, physical_id) == "running", what=physical_id)
        for name in ("DisableApiTermination", "SourceDestCheck"):
            if name in differ:
                unset = name == "SourceDestCheck"
                client.modify_instance_attribute(InstanceId=physical_id, **{name: {"Value": new.get(name, unset)}})
        if "InstanceInitiatedShutdownBehavior" in differ:
            behavior = new.get("InstanceInitiatedShutdownBehavior", "stop")
            client.modify_instance_attribute(
                InstanceId=physical_id, InstanceInitiatedShutdownBehavior={"Value": behavior}
            )
        if "SecurityGroupIds" in differ:
            client.modify_instance_attribute(InstanceId=physical_id, Groups=new["SecurityGroupIds"])
        if "MetadataOptions" in differ:
            client.modify_instance_metadata_options(InstanceId=physical_id, **new.get("MetadataOptions", {}))
        if "Monitoring" in differ:
            switch = client.monitor_instances if new.get("Monitoring") else client.unmonitor_instances
            switch(InstanceIds=[physical_id])
        if "IamInstanceProfile" in differ:
            self._profile(client, physical_id, new.get("IamInstanceProfile"))
        retag(context, physical_id, old, new)
        return self._made(client, physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Terminate the instance."""
        client = context.client("ec2")
        client.terminate_instances(InstanceIds=[physical_id])
        wait(lambda: _state(client, physical_id) == "terminated", what=physical_id)

    def _profile(self, client: Any, instance: str, name: str | None) -> None:
        here = [{"Name": "instance-id", "Values": [instance]}]
        for one in client.describe_iam_instance_profile_associations(Filters=here)["IamInstanceProfileAssociations"]:
            client.disassociate_iam_instance_profile(AssociationId=one["AssociationId"])
        if name:
            client.associate_iam_instance_profile(IamInstanceProfile={"Name": name}, InstanceId=instance)

    def _made(self, client: Any, name: str) -> Made:
        found = client.describe_instances(InstanceIds=[name])["Reservations"][0]["Instances"][0]
        return Made(
            physical_id=name,
            attributes={
                "InstanceId": name,
                "AvailabilityZone": found["Placement"]["AvailabilityZone"],
                "PrivateDnsName": found.get("PrivateDnsName", ""),
                "PrivateIp": found.get("PrivateIpAddress", ""),
                "PublicDnsName": found.get("PublicDnsName", ""),
                "PublicIp": found.get("PublicIpAddress", ""),
                "VpcId": found.get("VpcId", ""),
                "State.Name": found["State"]["Name"],
                "State.Code": str(found["State"]["Code"]),
            },
        )


def _state(client: Any, name: str) -> str:
    reservations = client.describe_instances(InstanceIds=[name])["Reservations"]
    return str(reservations[0]["Instances"][0]["State"]["Name"]) if reservations else "terminated"


@handles(
    "AWS::EC2::Volume",
    "AvailabilityZone Encrypted Iops KmsKeyId Size SnapshotId Tags Throughput VolumeType",
    updates="Iops Size Tags Throughput VolumeType",
)
class Volume(Handler):
    """A volume of its own."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the volume and wait for it."""
        client = context.client("ec2")
        own = {name: value for name, value in new.items() if name != "Tags"}
        parameters = api_parameters("ec2", "CreateVolume", own)
        name = client.create_volume(**parameters, **specification(context, "volume", new))["VolumeId"]
        context.began(name)
        wait(lambda: client.describe_volumes(VolumeIds=[name])["Volumes"][0]["State"] == "available", what=name)
        return Made(physical_id=name, attributes={"VolumeId": name})

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Modify the volume."""
        differ = {name: new[name] for name in sorted(changed(old, new) - {"Tags"}) if name in new}
        if differ:
            parameters = api_parameters("ec2", "ModifyVolume", differ)
            context.client("ec2").modify_volume(VolumeId=physical_id, **parameters)
        retag(context, physical_id, old, new)
        return Made(physical_id=physical_id, attributes={"VolumeId": physical_id})

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the volume."""
        context.client("ec2").delete_volume(VolumeId=physical_id)


@handles("AWS::EC2::VolumeAttachment", "Device InstanceId VolumeId", updates="")
class VolumeAttachment(Handler):
    """A volume at an instance.  As with AWS, one that is replaced is attached anew before the old one is detached."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Attach the volume and wait for it."""
        client = context.client("ec2")
        client.attach_volume(**new)
        name = f"{new['VolumeId']}|{new['InstanceId']}"
        context.began(name)
        wait(lambda: _attachment(client, new["VolumeId"]) == "attached", what=name)
        return Made(physical_id=name)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Detach the volume and wait until it is free."""
        client = context.client("ec2")
        volume, _, instance = physical_id.partition("|")
        if _state(client, instance) in {"shutting-down", "terminated"}:
            return
        client.detach_volume(VolumeId=volume, InstanceId=instance)
        wait(lambda: _attachment(client, volume) == "detached", what=physical_id)


def _attachment(client: Any, volume: str) -> str:
    found = client.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"]
    return str(found[0]["State"]) if found else "detached"


INTERFACE: Final = ("Description", "PrivateIpAddress", "SubnetId")
"""Properties of a network interface that CreateNetworkInterface takes by the same name."""


@handles("AWS::EC2::NetworkInterface", f"GroupSet SourceDestCheck Tags {' '.join(INTERFACE)}")
class NetworkInterface(Handler):
    """A network interface of its own."""

    def create(self, context: Context, new: Mapping[str, Any]) -> Made:
        """Make the interface."""
        client = context.client("ec2")
        own = {name: new[name] for name in INTERFACE if name in new}
        groups = {"Groups": new["GroupSet"]} if "GroupSet" in new else {}
        tags = specification(context, "network-interface", new)
        found = client.create_network_interface(**own, **groups, **tags)["NetworkInterface"]
        context.began(found["NetworkInterfaceId"])
        if new.get("SourceDestCheck") is False:
            self._check_source(client, found["NetworkInterfaceId"], value=False)
        return self._made(client, found["NetworkInterfaceId"])

    def update(self, context: Context, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Made:
        """Set what differs."""
        client, differ = context.client("ec2"), changed(old, new)
        if "GroupSet" in differ:
            client.modify_network_interface_attribute(NetworkInterfaceId=physical_id, Groups=new["GroupSet"])
        if "SourceDestCheck" in differ:
            self._check_source(client, physical_id, value=new.get("SourceDestCheck", True))
        if "Description" in differ:
            description = {"Value": new.get("Description", "")}
            client.modify_network_interface_attribute(NetworkInterfaceId=physical_id, Description=description)
        retag(context, physical_id, old, new)
        return self._made(client, physical_id)

    def delete(self, context: Context, physical_id: str, properties: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Remove the interface."""
        context.client("ec2").delete_network_interface(NetworkInterfaceId=physical_id)

    def _check_source(self, client: Any, name: str, *, value: bool) -> None:
        client.modify_network_interface_attribute(NetworkInterfaceId=name, SourceDestCheck={"Value": value})

    def _made(self, client: Any, name: str) -> Made:
        found = client.describe_network_interfaces(NetworkInterfaceIds=[name])["NetworkInterfaces"][0]
        return Made(
            physical_id=name,
            attributes={
                "Id": name,
                "PrimaryPrivateIpAddress": found["PrivateIpAddress"],
                "SecondaryPrivateIpAddresses": [],
                "VpcId": found["VpcId"],
            },
        )
