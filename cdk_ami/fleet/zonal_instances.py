"""Exact copies of one server in named zones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import jsii
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk_ami.checks import fleet as rules
from cdk_ami.checks.rule import is_token
from cdk_ami.errors import Faults
from cdk_ami.fleet.launch_template import Launch, render_launch
from cdk_ami.fleet.placement import place
from cdk_ami.fleet.zones import find_zone_faults, zone_label
from cdk_ami.home import region_of, stack_of
from cdk_ami.limits import TAG_VALUE_MAX
from cdk_ami.recipe.volume import Volume

if TYPE_CHECKING:
    from aws_cdk import aws_logs as logs


@jsii.implements(ec2.IConnectable, iam.IGrantable)
class ZonalInstances(Construct):
    """One or more instances of one image in each named zone, each a resource of its own.

    For servers that are told apart: a primary in one zone and its exact copy in another.  Nobody replaces one that
    dies; where any instance will do, an `ImageFleet` is the better choice.

    What another AMI does depends on the image:

    - pinned (``channel.pinned({...})``): nothing happens until the code names another AMI.  For servers with state.
    - at deploy (``channel.machine_image()``): the first deployment after the channel moved **replaces every instance**,
      its disks included: the new ones start before the old ones go, under other addresses.
    - at launch: instances stay as they are, and only new ones get the new AMI.

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
        )
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
        version = ec2.CfnInstance.LaunchTemplateSpecificationProperty(
            launch_template_id=rendered.launch_template.ref,
            version=rendered.launch_template.attr_latest_version_number,
        )
        own = tags or {}
        name = own.get("Name", self.node.path)
        by_zone: dict[str, list[ec2.CfnInstance]] = {}
        for position, subnet in enumerate(placed.subnets):
            for number in range(1, instances_per_zone + 1):
                label = f"{zone_label(subnet.zone, position)}{number}"
                instance = ec2.CfnInstance(
                    self,
                    f"Instance{label}",
                    launch_template=version,
                    subnet_id=subnet.subnet_id,
                    # Checkers read these two beside the instance, not in its launch template.
                    monitoring=detailed_monitoring or None,
                    disable_api_termination=termination_protection or None,
                    tags=[
                        {"key": key, "value": value}
                        for key, value in {**own, "Name": f"{name}/{label}"[-TAG_VALUE_MAX:]}.items()
                    ],
                )
                if placed.network_ready is not None:
                    instance.node.add_dependency(placed.network_ready)
                by_zone.setdefault(subnet.zone, []).append(instance)
        self._instances = {zone: tuple(found) for zone, found in by_zone.items()}

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
