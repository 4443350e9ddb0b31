"""Exact copies of one server in named zones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import jsii
from aws_cdk import Annotations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk_ami.checks import fleet as rules
from cdk_ami.checks.rule import is_token
from cdk_ami.distribution.channel import Tracking
from cdk_ami.distribution.channel_image import ChannelImage
from cdk_ami.errors import Faults
from cdk_ami.fleet.launch_template import Launch, RenderedLaunch, render_launch
from cdk_ami.fleet.placement import place
from cdk_ami.fleet.zones import find_zone_faults, zone_label
from cdk_ami.home import region_of, stack_of
from cdk_ami.limits import TAG_VALUE_MAX
from cdk_ami.recipe.volume import Volume, check_volumes

if TYPE_CHECKING:
    from aws_cdk import aws_logs as logs
    from constructs import IDependable

    from cdk_ami.fleet.hardware import CpuOptions


class Replacement(StrEnum):
    """What happens to zonal instances when a deployment finds another AMI."""

    INSTANCES = "instances"
    """CloudFormation starts a new instance for each, and ends the old ones when all are there: everything on them is
    gone, and addresses change."""

    ROOT_VOLUME = "root-volume"
    """Each instance keeps its identity, addresses, interfaces and data volumes, and gets the new AMI's root volume: one
    instance after another, each a reboot of a few minutes.  One that does not pass its status checks afterwards
    fails the deployment, whose rollback gives those already done the AMI before; the others are never touched.  Each
    replaced root volume stays in the account, detached, until somebody deletes it.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/replace-root.html"""


@jsii.implements(ec2.IConnectable, iam.IGrantable)
class ZonalInstances(Construct):
    """One or more instances of one image in each named zone, each a resource of its own.

    For servers that are told apart: a primary in one zone and its exact copy in another.  Nobody replaces one that
    dies; where any instance will do, an `ImageFleet` is the better choice.

    What another AMI does depends on the image:

    - pinned (``channel.pinned({...})``): nothing happens until the code names another AMI.  For servers with state.
    - at deploy (``channel.machine_image()``): the first deployment after the channel moved **replaces every instance**,
      its disks included: the new ones start before the old ones go, under other addresses.  A warning says so.
    - at launch: instances stay as they are, and only new ones get the new AMI.

    With ``replacement=Replacement.ROOT_VOLUME`` instances are kept and only their root volumes are replaced, one after
    another.  Then they may have data volumes, fixed addresses and interfaces of their own, and follow a channel without
    losing any of it.  What else their launch template says stays as at their first launch; type, role and security
    groups follow the code.

    An instance is identified by its zone and its number there: adding or reordering zones replaces nothing.

    Example:
        ::

            image = ImageChannel.from_name("db").pinned({"us-east-1": "ami-0123456789abcdef0"})
            twins = ZonalInstances(stack, "Db", image=image, vpc=vpc, zones=["us-east-1a", "us-east-1b"])

    Args:
        scope: The stack, or a construct in it.
        construct_id: Id in ``scope``.
        image: What to run, see above.
        vpc: Network.
        zones: Availability Zones by name, such as ``us-east-1a``, at least one.  Each has a subnet among those
            selected.
        instances_per_zone: Instances in each zone, at least 1 and no token.  Default: 1.
        subnets: Which subnets to choose from; the first of each zone is used.  Default: the CDK's, private subnets
            where the VPC has some, then isolated ones, then public ones.
        instance_type: Type of the instances, checked against the image's architecture.  Default: ``t3.micro`` or
            ``t4g.micro`` by the architecture; required for an image that does not tell it.
        volumes: Volumes of the instances.  One without a device is the root volume.  Default: those of the AMI, which a
            golden image has encrypted already; where the image tells its root device, that is encrypted gp3 in any
            case.
        user_data: Script of the first boot, at most 16 KiB.  Default: none.
        role: What the instances may do.  Default: a role of their own that allows what the next three say.
        session_manager: Whether the default role lets people open sessions.  Default: True.
        cloudwatch_agent: Whether the default role lets the CloudWatch agent report metrics in its own namespace,
            ``CWAgent``.  Default: True; metrics cost 0.30 USD a month each beyond the first ten.
        log_groups: Log groups that the default role may write.  Default: none.
        agent_log_prefix: What the names of the log groups begin with that the CloudWatch agent makes by itself, such as
            ``/golden-image/``, because its configuration in the image names them.  They outlive the stack; logs cost
            about 0.50 USD for each GB.  Default: none, the agent makes no log groups.
        security_groups: Security groups.  Default: one of its own, which lets everything out and nothing in.
        containers: Whether containers on the instances need the metadata service, one network hop further.
            Default: False.
        detailed_monitoring: Whether EC2's metrics come every minute.  Default: False, every five minutes and free;
            True costs about 2.10 USD a month and instance.
        cpu: Cores, threads and features of the processors.  Default: those of the type.
        replacement: What another AMI does to the instances.  Default: new instances.
        data_volumes: Volumes that each instance gets for itself, with device and size, encrypted.  They outlive
            instance and stack, and cost until somebody deletes them.  Default: none.
        private_addresses: Fixed addresses by zone, one for each instance there.  Default: any of the subnet.
        own_interfaces: Whether each instance has a network interface that is a resource of its own, so that its
            address and its MAC address outlive the instance.  Default: False.
        termination_protection: Whether EC2 refuses to terminate the instances.  Default: False.  True also stops
            CloudFormation from replacing or deleting them until the protection is taken off, so pin the image.
        tags: Tags of instances and volumes, at most 50.  Default: ``Name`` alone, the path of this construct and for
            each instance its zone and number.

    Raises:
        ConfigError: When AWS would refuse any of it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        image: ec2.IMachineImage,
        vpc: ec2.IVpc,
        zones: Sequence[str],
        instances_per_zone: int = 1,
        subnets: ec2.SubnetSelection | None = None,
        instance_type: ec2.InstanceType | str | None = None,
        volumes: Sequence[Volume] = (),
        user_data: ec2.UserData | str | None = None,
        role: iam.IRole | None = None,
        session_manager: bool = True,
        cloudwatch_agent: bool = True,
        log_groups: Sequence[logs.ILogGroup] = (),
        agent_log_prefix: str | None = None,
        security_groups: Sequence[ec2.ISecurityGroup] | None = None,
        containers: bool = False,
        detailed_monitoring: bool = False,
        cpu: CpuOptions | None = None,
        replacement: Replacement = Replacement.INSTANCES,
        data_volumes: Sequence[Volume] = (),
        private_addresses: Mapping[str, Sequence[str]] | None = None,
        own_interfaces: bool = False,
        termination_protection: bool = False,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        launch = Launch(
            image=image,
            vpc=vpc,
            instance_type=instance_type,
            volumes=tuple(volumes),
            user_data=user_data,
            role=role,
            session_manager=session_manager,
            cloudwatch_agent=cloudwatch_agent,
            log_groups=tuple(log_groups),
            agent_log_prefix=agent_log_prefix,
            security_groups=security_groups,
            containers=containers,
            detailed_monitoring=detailed_monitoring,
            termination_protection=termination_protection,
            tags=tags or {},
            cpu=cpu,
            groups_at_interface=own_interfaces,
        )
        keeps = replacement is Replacement.ROOT_VOLUME
        addresses = private_addresses or {}
        faults = Faults(scope, construct_id)
        launch.find_faults(faults, scope=scope)
        find_zone_faults(zones, region=region_of(stack_of(scope)), faults=faults)
        faults.check("instances_per_zone", rules.instances_per_zone(instances_per_zone))
        if is_token(instances_per_zone):
            faults.add(
                "instances_per_zone",
                "is known only to the deployment, and each instance is a resource of its own",
                got="a token",
                fix="write the number out, or use an ImageFleet, whose sizes may be tokens",
            )
        if keeps or data_volumes or addresses or own_interfaces:
            _find_faults_of_kept(
                faults,
                launch,
                keeps=keeps,
                data_volumes=data_volumes,
                addresses=addresses,
                own_interfaces=own_interfaces,
                zones=zones,
                each=instances_per_zone,
            )
        faults.raise_if_any()
        placed = place(vpc, subnets, zones, faults=faults)
        faults.raise_if_any()

        super().__init__(scope, construct_id)
        rendered = render_launch(self, launch)
        self.zones = placed.zones
        """Names of the zones, in the order given."""
        self._identity = rendered.identity
        self.launch_template = rendered.launch_template
        """The launch template of all instances."""
        template = rendered.launch_template
        version = ec2.CfnInstance.LaunchTemplateSpecificationProperty(
            launch_template_id=template.ref,
            # CloudFormation never moves the default version: an instance that is kept names the first for good.
            version=template.attr_default_version_number if keeps else template.attr_latest_version_number,
        )
        own = tags or {}
        name = own.get("Name", self.node.path)
        by_zone: dict[str, list[ec2.CfnInstance]] = {}
        labelled: dict[str, ec2.CfnInstance] = {}
        for position, subnet in enumerate(placed.subnets):
            fixed = addresses.get(subnet.zone, ())
            for number in range(1, instances_per_zone + 1):
                label = f"{zone_label(subnet.zone, position)}{number}"
                called = f"{name}/{label}"[-TAG_VALUE_MAX:]
                instance = ec2.CfnInstance(
                    self,
                    f"Instance{label}",
                    launch_template=version,
                    # Checkers read these two beside the instance, not in its launch template.
                    monitoring=detailed_monitoring or None,
                    disable_api_termination=termination_protection or None,
                    tags=[{"key": key, "value": value} for key, value in {**own, "Name": called}.items()],
                    **self._place(
                        label, subnet.subnet_id, fixed[number - 1] if fixed else None, called, alone=own_interfaces
                    ),
                    **self._follow(launch, rendered, alone=own_interfaces) if keeps else {},
                )
                if placed.network_ready is not None:
                    instance.node.add_dependency(placed.network_ready)
                by_zone.setdefault(subnet.zone, []).append(instance)
                labelled[label] = instance
                if data_volumes:
                    self._add_volumes(label, data_volumes, zone=subnet.zone, instance=instance, name=called)
        self._instances = {zone: tuple(found) for zone, found in by_zone.items()}
        self.replacer_role: iam.IRole | None = None
        """Who replaces root volumes, to grant it the key of an AMI that is encrypted with one of your own."""
        if keeps:
            self._replace_roots(launch, rendered, labelled)
        elif _is_read_at_deploy(image):
            Annotations.of(self).add_warning_v2(
                "cdk-ami::InstancesFollowChannel",
                "a deployment after the channel moved replaces every instance with its disks; pin the image, or set "
                "replacement=Replacement.ROOT_VOLUME",
            )

    def _place(self, label: str, subnet_id: str, address: str | None, name: str, *, alone: bool) -> dict[str, Any]:
        """Return the arguments that say where an instance stands; the interface of its own is made, where asked."""
        if not alone:
            return {"subnet_id": subnet_id, "private_ip_address": address}
        from cdk_ami.fleet.kept import render_interface  # noqa: PLC0415 - most instances have none of their own

        interface = render_interface(
            self,
            label,
            subnet_id=subnet_id,
            group_ids=self._identity.security_group_ids,
            address=address,
            name=name,
        )
        shape = ec2.CfnInstance.NetworkInterfaceProperty
        return {"network_interfaces": [shape(device_index="0", network_interface_id=interface.ref)]}

    def _follow(self, launch: Launch, rendered: RenderedLaunch, *, alone: bool) -> dict[str, Any]:
        """Return the arguments that change in place on an instance that is kept, whatever its launch template says."""
        groups = {} if alone else {"security_group_ids": self._identity.security_group_ids}
        return {
            "instance_type": launch.instance_type_name,
            "iam_instance_profile": rendered.profile_name,
            **groups,
        }

    def _add_volumes(
        self, label: str, volumes: Sequence[Volume], *, zone: str, instance: ec2.CfnInstance, name: str
    ) -> None:
        from cdk_ami.fleet.kept import render_data_volumes  # noqa: PLC0415 - most instances have none

        render_data_volumes(self, label, volumes, zone=zone, instance=instance, name=name)

    def _replace_roots(
        self, launch: Launch, rendered: RenderedLaunch, instances: Mapping[str, ec2.CfnInstance]
    ) -> None:
        from cdk_ami.fleet.kept import RootReplacer  # noqa: PLC0415 - most instances are replaced

        replacer = RootReplacer(self, key_arns=_root_keys(launch))
        self.replacer_role = replacer.role
        before: IDependable = replacer.allow(list(instances.values()))
        for label, instance in instances.items():
            root = replacer.render(label, instance=instance, image_id=rendered.image_id)
            root.node.add_dependency(before)
            before = root

    @property
    def instances(self) -> Mapping[str, tuple[ec2.CfnInstance, ...]]:
        """The instances of each zone, by the zone's name."""
        return self._instances

    @property
    def instance_ids(self) -> tuple[str, ...]:
        """Ids of all instances, zone by zone."""
        return tuple(instance.ref for found in self._instances.values() for instance in found)

    @property
    def role(self) -> iam.IRole:
        """What the instances may do.

        It takes grants and policies of this app.  For a policy that AWS manages, pass a ``role`` that has it.
        """
        return self._identity.role

    @property
    def connections(self) -> ec2.Connections:
        """The network interfaces, to allow traffic from and to."""
        return self._identity.connections

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """Whom a grant lets do things: the instances."""
        return self.role.grant_principal


def _find_faults_of_kept(
    faults: Faults,
    launch: Launch,
    *,
    keeps: bool,
    data_volumes: Sequence[Volume],
    addresses: Mapping[str, Sequence[str]],
    own_interfaces: bool,
    zones: Sequence[str],
    each: int,
) -> None:
    from cdk_ami.checks import zonal  # noqa: PLC0415 - most instances keep nothing

    kept = {"data_volumes": data_volumes, "private_addresses": addresses, "own_interfaces": own_interfaces}
    for prop, given in kept.items():
        if given:
            faults.check(prop, zonal.kept(prop, replaces_instances=not keeps))
    faults.check("image", zonal.root_volume_image(at_launch=keeps and _tracking(launch.image) is Tracking.AT_LAUNCH))
    faults.check("private_addresses", zonal.private_addresses(addresses, list(zones), each))
    for index, volume in enumerate(data_volumes):
        if volume.device is None:
            fix = "name one that no other volume has, such as '/dev/sdf'"
            faults.add(f"data_volumes[{index}].device", "is missing for a data volume", got=None, fix=fix)
    check_volumes(faults, data_volumes, root_device="", prop="data_volumes")
    taken = {volume.device for volume in launch.volumes} | {launch.root_device}
    for index, volume in enumerate(data_volumes):
        if volume.device is not None and volume.device in taken:
            at = f"data_volumes[{index}].device"
            faults.add(at, "is the device of another volume", got=volume.device, fix="give each its own")


def _tracking(image: ec2.IMachineImage) -> Tracking | None:
    return image.tracking if isinstance(image, ChannelImage) else None


def _is_read_at_deploy(image: ec2.IMachineImage) -> bool:
    return _tracking(image) is Tracking.AT_DEPLOY


def _root_keys(launch: Launch) -> list[str]:
    """Return the ARNs of keys of root volumes; of an alias nobody knows the key."""
    roots = [volume for volume in launch.volumes if volume.device in {None, launch.root_device}]
    given = [volume.kms_key for volume in roots if volume.kms_key is not None]
    keys = [key if isinstance(key, str) else key.key_ref.key_arn for key in given]
    return [key for key in keys if ":key/" in key or is_token(key)]
