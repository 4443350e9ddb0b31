"""A group of servers that all run one golden image, balanced over zones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import jsii
from aws_cdk import Annotations, Duration
from aws_cdk import aws_autoscaling as autoscaling
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk_ami.checks import fleet as rules
from cdk_ami.checks.rule import is_token
from cdk_ami.errors import Faults
from cdk_ami.fleet.group import (
    DeletionProtection,
    GroupOptions,
    HealthCheck,
    TerminationPolicy,
    ZonalShift,
    ZoneBalance,
    render_group,
)
from cdk_ami.fleet.launch_template import Launch, render_launch
from cdk_ami.fleet.placement import place
from cdk_ami.fleet.sizes import plan_sizes
from cdk_ami.fleet.update_policy import update_policy
from cdk_ami.fleet.volumes import is_root_encrypted
from cdk_ami.fleet.zones import find_zone_faults, spread
from cdk_ami.home import belongs_to, region_of, stack_of
from cdk_ami.recipe.volume import Volume

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_elasticloadbalancingv2 as elb
    from aws_cdk import aws_logs as logs
    from aws_cdk import aws_sns as sns

    from cdk_ami.fleet.hardware import CpuOptions, NetworkOptions
    from cdk_ami.fleet.mixed import MixedInstances
    from cdk_ami.fleet.rollout import Rollout
    from cdk_ami.fleet.rollout_resources import RolloutResources
    from cdk_ami.fleet.scaling import Scaling
    from cdk_ami.fleet.warm_pool import WarmPool

ImageT = TypeVar("ImageT", bound=ec2.IMachineImage)


@jsii.implements(ec2.IConnectable, iam.IGrantable)
class ImageFleet(Construct):
    """Instances of one golden image in an Auto Scaling group that is balanced over zones.

    The launch template has numbered versions, and the group runs the newest.  When the image is read at deploy (or
    pinned), a deployment that finds another AMI replaces the instances through an instance refresh, launching before it
    terminates; a refresh that fails fails the stack's update, whose rollback returns to the AMI before.  When the image
    is resolved at launch, running instances are left alone and only later launches get the new AMI.

    Instances require version 2 of the metadata service, have no inbound rule and no SSH key: Session Manager opens
    shells.

    Costs: the instances and their volumes; detailed monitoring and a NAT gateway, where there is one, cost extra.

    Example:
        ::

            image = ImageChannel.from_name("web").machine_image(root_device="/dev/xvda")
            fleet = ImageFleet(stack, "Fleet", image=image, vpc=vpc, instance_type="t3.small", max_size=6)
            fleet.connections.allow_from_any_ipv4(ec2.Port.tcp(443))

    Args:
        scope: The stack, or a construct in it.
        construct_id: Id in ``scope``.
        image: What to run.  Usually ``ImageChannel.from_name("web").machine_image()``.
        vpc: Network.
        zones: Availability Zones by name, such as ``us-east-1a``.  Each has a subnet among those selected.
            Default: every zone of the selected subnets.
        subnets: Which subnets to choose from; the first of each zone is used.  Default: the CDK's, private subnets
            where the VPC has some, then isolated ones, then public ones.
        instance_type: Type of the instances, checked against the image's architecture.  Default: ``t3.micro`` or
            ``t4g.micro`` by the architecture; required for an image that does not tell it.
        mixed: Several types instead, both architectures and Spot Instances among them.  Default: one type, on demand.
        min_size: Fewest instances.  Default: the desired size.
        max_size: Most instances.  Default: the desired size.
        desired_size: Instances to begin with.  Default: one in each zone, within the other two.  A deployment that does
            not change the sizes leaves a group alone that has scaled since.
        volumes: Volumes of the instances.  One without a device is the root volume.  Default: those of the AMI, which a
            golden image has encrypted already; where the image tells its root device, that is encrypted gp3 in any
            case.
        user_data: Script of the first boot, at most 16 KiB, kept short because the image already holds the software.
            Default: none.
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
        network: Public addresses and bandwidth.  Default: as the subnets and the type have it.
        zone_balance: What to do when a zone cannot launch.  Default: launch elsewhere.
        zonal_shift: Lets operators and zonal autoshift lead the fleet away from a zone that is impaired, and says what
            becomes of unhealthy instances there.  Default: no shifts.
        skip_zonal_shift_validation: Whether to allow shifts although a load balancer does not balance across zones, so
            that what remains may be overloaded.  Default: False, Auto Scaling refuses.
        min_healthy_percent: Least share of the group that stays healthy while instances are replaced, 0 to 100.
            Default: 100, launch before terminating.
        max_healthy_percent: Largest share of the group that exists meanwhile, 100 to 200.  Default: 110, so a group of
            up to ten grows by one.
        warmup: Time that a new instance needs before it counts, which each step of a replacement waits for.
            Default: one minute.
        health_checks: Who may call an instance unhealthy besides EC2.  Default: the load balancers, where there are
            target groups.
        health_check_grace: Time after a launch in which a failed health check is not held against an instance.
            Default: one minute.
        notifications: Topic that learns of every launch and termination.  Default: none.
        target_groups: Target groups that send requests to the instances, of target type ``INSTANCE``.  An application
            load balancer's gets through the security groups by itself.  Default: none.
        scaling: How the fleet grows and shrinks by metrics between ``min_size`` and ``max_size``.  Default: not.
        warm_pool: Instances that wait, booted before.  Default: none.
        termination_policies: Which instance goes first when the fleet shrinks.  Default: AWS's own order.
        scale_in_protection: Whether new instances stay when the fleet shrinks, until somebody takes that away.
            Default: False.
        max_instance_lifetime: How old instances may grow before they are replaced, a day to a year.  Default: any age.
        deletion_protection: Who may delete the group.  Default: who has the permission.
        group_metrics: Whether the group's own metrics, such as the instances in service, come every minute, for free.
            Default: False.
        rollout: What happens when the channel moves.  Default: the next deployment replaces instances, or the next
            launch brings the AMI where the image is resolved at launch.
        tags: Tags of instances and volumes, at most 50.  Default: ``Name`` alone, the path of this construct.

    Raises:
        ConfigError: When AWS would refuse any of it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        image: ImageT,
        vpc: ec2.IVpc,
        zones: Sequence[str] | None = None,
        subnets: ec2.SubnetSelection | None = None,
        instance_type: ec2.InstanceType | str | None = None,
        mixed: MixedInstances | None = None,
        min_size: int | None = None,
        max_size: int | None = None,
        desired_size: int | None = None,
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
        network: NetworkOptions | None = None,
        zone_balance: ZoneBalance = ZoneBalance.BEST_EFFORT,
        zonal_shift: ZonalShift | None = None,
        skip_zonal_shift_validation: bool = False,
        min_healthy_percent: int = 100,
        max_healthy_percent: int = 110,
        warmup: Duration | None = None,
        health_checks: Sequence[HealthCheck] | None = None,
        health_check_grace: Duration | None = None,
        notifications: sns.ITopic | None = None,
        target_groups: Sequence[elb.ITargetGroup] = (),
        scaling: Sequence[Scaling] = (),
        warm_pool: WarmPool | None = None,
        termination_policies: Sequence[TerminationPolicy] = (),
        scale_in_protection: bool = False,
        max_instance_lifetime: Duration | None = None,
        deletion_protection: DeletionProtection | None = None,
        group_metrics: bool = False,
        rollout: Rollout[ImageT] | None = None,
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
            tags=tags or {},
            cpu=cpu,
            network=network,
            hibernation=warm_pool is not None and warm_pool.state == "Hibernated",
            mixed=mixed,
        )
        stack = stack_of(scope)
        faults = Faults(scope, construct_id)
        launch.find_faults(faults, scope=scope)
        if zones is not None:
            find_zone_faults(zones, region=region_of(stack), faults=faults)
        for prop, size in (("min_size", min_size), ("max_size", max_size), ("desired_size", desired_size)):
            if size is not None:
                faults.check(prop, rules.group_size(size))
        faults.check("", rules.healthy_percent(min_healthy_percent, max_healthy_percent))
        options = GroupOptions(
            zone_balance=zone_balance,
            min_healthy_percent=min_healthy_percent,
            max_healthy_percent=max_healthy_percent,
            warmup=warmup,
            health_checks=_health_checks(health_checks, target_groups),
            health_check_grace=health_check_grace,
            notifications=notifications,
            target_groups=tuple(target_groups),
            zonal_shift=zonal_shift,
            skip_zonal_shift_validation=skip_zonal_shift_validation,
            deletion_protection=deletion_protection,
            termination_policies=tuple(termination_policies),
            max_instance_lifetime=max_instance_lifetime,
            scale_in_protection=scale_in_protection,
            group_metrics=group_metrics,
            mixed=mixed,
            names_images=rollout is not None and rollout.refresh.strategy == "ReplaceRootVolume",
        )
        options.find_faults(faults)
        _find_scaling_faults(scaling, target_groups, faults)
        if rollout is not None:
            rollout.find_faults(faults, image=image, nested=stack.nested_stack_parent is not None)
        faults.raise_if_any()
        placed = place(vpc, subnets, zones, faults=faults)
        faults.raise_if_any()
        sizes = plan_sizes(min_size, desired_size, max_size, zones=len(placed.subnets))
        faults.check("", rules.group_sizes(sizes.smallest, sizes.desired, sizes.largest))
        if warm_pool is not None:
            warm_pool.find_faults(
                faults,
                smallest=sizes.smallest,
                spot=mixed is not None and mixed.spot_percent > 0,
                root_device=launch.root_device,
                root_encrypted=is_root_encrypted(launch.volumes, root_device=launch.root_device),
            )
        faults.raise_if_any()

        super().__init__(scope, construct_id)
        belongs_to(self, stack)
        self.zones = placed.zones
        """Names of the zones in use, in order."""
        rendered = render_launch(self, launch)
        self._identity = rendered.identity
        self.launch_template = rendered.launch_template
        """The launch template; its newest version is what the group runs."""
        self._group = render_group(self, options, sizes=sizes, launch=rendered, placed=placed)
        self._group.cfn_options.update_policy = update_policy(
            None if rendered.resolves_at_launch else (min_healthy_percent, max_healthy_percent),
            None if rollout is None else rollout.refresh,
        )
        self._rollouts: tuple[RolloutResources, ...] = ()
        if rollout is not None and rollout.reports:
            self._rollouts = self._render_rollouts(rollout, (image, *launch.choice_images))
        self._group_for_cdk: autoscaling.IAutoScalingGroup | None = None
        if warm_pool is not None or scaling or target_groups:
            self._render_additions(warm_pool, scaling, target_groups)
        known = not is_token(sizes.desired) and (mixed is None or mixed.counts_instances)
        self.expected_instances = dict(spread(sizes.desired, self.zones)) if known else {}
        """How many instances each zone holds when none is short of capacity; empty while the size is not known."""
        if known and sizes.desired < len(self.zones):
            Annotations.of(self).add_warning_v2(
                "cdk-ami::FewerInstancesThanZones",
                f"{sizes.desired} instances leave some of {len(self.zones)} zones empty; "
                "raise desired_size or drop zones",
            )
        if scaling and sizes.smallest == sizes.largest:
            Annotations.of(self).add_warning_v2(
                "cdk-ami::NoRoomToScale",
                f"min_size and max_size are both {sizes.largest}, so scaling changes nothing; raise max_size",
            )

    def _render_additions(
        self, warm_pool: WarmPool | None, scaling: Sequence[Scaling], target_groups: Sequence[elb.ITargetGroup]
    ) -> None:
        from cdk_ami.fleet import additions  # noqa: PLC0415 - most fleets have none

        if warm_pool is not None:
            additions.render_warm_pool(self, warm_pool, self._group.ref)
        additions.render_scaling(self, scaling, self._group.ref)
        for target_group in target_groups:
            # Only an application load balancer has security groups of its own to get through.
            if hasattr(target_group, "register_connectable"):
                target_group.register_connectable(self)

    def _render_rollouts(
        self, rollout: Rollout[Any], images: Sequence[ec2.IMachineImage]
    ) -> tuple[RolloutResources, ...]:
        """Follow each channel that an image of the fleet is read from."""
        from cdk_ami.distribution.channel_image import DeployedImage  # noqa: PLC0415 - loaded before, with the image
        from cdk_ami.fleet.rollout_resources import RolloutResources  # noqa: PLC0415 - most fleets have none

        by_channel = {image.parameter_id: image for image in images if isinstance(image, DeployedImage)}
        return tuple(
            RolloutResources(
                self,
                "Rollout" if number == 1 else f"Rollout{number}",
                rollout=rollout,
                image=image,
                group_name=self._group.ref,
                group_id=self._group.logical_id,
            )
            for number, image in enumerate(by_channel.values(), start=1)
        )

    @property
    def rollout_parameters(self) -> tuple[str, ...]:
        """Names of the parameters that hold the state of the fleet's rollout, one for each channel that it follows.

        Empty where the fleet does not report.
        """
        return tuple(found.state_parameter for found in self._rollouts)

    @property
    def rollout_state_machine_arns(self) -> tuple[str, ...]:
        """ARNs of the state machines of the fleet's rollout, one for each channel that it follows."""
        return tuple(found.state_machine_arn for found in self._rollouts)

    @staticmethod
    def from_auto_scaling_group_name(
        scope: Construct, construct_id: str, auto_scaling_group_name: str
    ) -> autoscaling.IAutoScalingGroup:
        """Return the group of a fleet that another stack owns.

        Args:
            scope: The stack, or a construct in it.
            construct_id: Id in ``scope``.
            auto_scaling_group_name: Name of the group, which the other stack gives out.
        """
        return autoscaling.AutoScalingGroup.from_auto_scaling_group_name(scope, construct_id, auto_scaling_group_name)

    @property
    def auto_scaling_group_name(self) -> str:
        """Name of the Auto Scaling group."""
        return self._group.ref

    @property
    def auto_scaling_group(self) -> autoscaling.IAutoScalingGroup:
        """The group for the CDK's own methods: scaling by metric or schedule, lifecycle hooks."""
        if self._group_for_cdk is None:
            imported = autoscaling.AutoScalingGroup.from_auto_scaling_group_name(self, "Group", self._group.ref)
            self._group_for_cdk = imported
        return self._group_for_cdk

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

    def metric(
        self,
        name: str,
        *,
        namespace: str = "AWS/EC2",
        statistic: str = "Average",
        period: Duration | None = None,
    ) -> cloudwatch.Metric:
        """Return a metric of the whole group.

        Args:
            name: Name of the metric, such as ``NetworkIn``.
            namespace: ``AWS/EC2`` for what instances report, ``AWS/AutoScaling`` for what the group does.
            statistic: Statistic over the period.
            period: Length of a period.  Default: five minutes.
        """
        from aws_cdk import aws_cloudwatch as cloudwatch  # noqa: PLC0415 - most fleets ask for no metric

        return cloudwatch.Metric(
            namespace=namespace,
            metric_name=name,
            dimensions_map={"AutoScalingGroupName": self.auto_scaling_group_name},
            statistic=statistic,
            period=period or Duration.minutes(5),
        )

    def metric_cpu_utilization(self, *, period: Duration | None = None) -> cloudwatch.Metric:
        """Return the average use of the processors, in percent."""
        return self.metric("CPUUtilization", period=period)

    def metric_network_in(self, *, period: Duration | None = None) -> cloudwatch.Metric:
        """Return what an instance receives, in bytes."""
        return self.metric("NetworkIn", period=period)

    def metric_network_out(self, *, period: Duration | None = None) -> cloudwatch.Metric:
        """Return what an instance sends, in bytes."""
        return self.metric("NetworkOut", period=period)

    def metric_status_check_failed(self, *, period: Duration | None = None) -> cloudwatch.Metric:
        """Return whether any instance fails a check of EC2."""
        return self.metric("StatusCheckFailed", statistic="Maximum", period=period)

    def metric_in_service(self, *, period: Duration | None = None) -> cloudwatch.Metric:
        """Return the instances in service; there are data where ``group_metrics`` is set."""
        return self.metric("GroupInServiceInstances", namespace="AWS/AutoScaling", statistic="Minimum", period=period)


def _find_scaling_faults(scaling: Sequence[Scaling], target_groups: Sequence[elb.ITargetGroup], faults: Faults) -> None:
    if scaling:
        from cdk_ami.fleet.scaling import find_scaling_faults  # noqa: PLC0415 - most fleets do not scale

        find_scaling_faults(scaling, target_groups=target_groups, faults=faults)


def _health_checks(
    given: Sequence[HealthCheck] | None, target_groups: Sequence[elb.ITargetGroup]
) -> tuple[HealthCheck, ...]:
    if given is None:
        return (HealthCheck.LOAD_BALANCER,) if target_groups else ()
    return tuple(dict.fromkeys(given))
