"""The launch template of a fleet, with the role and the security group that it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from aws_cdk import Fn
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk_ami.checks import fleet as rules
from cdk_ami.checks import instances, names
from cdk_ami.distribution.channel import Tracking
from cdk_ami.distribution.channel_image import ChannelImage
from cdk_ami.errors import Faults
from cdk_ami.fleet.identity import Identity, render_role, render_security_group
from cdk_ami.fleet.volumes import find_volume_faults, volume_mappings
from cdk_ami.home import region_of, stack_of
from cdk_ami.limits import TAG_VALUE_MAX
from cdk_ami.recipe.volume import Volume
from cdk_ami.source.platform import Architecture

if TYPE_CHECKING:
    from aws_cdk import aws_logs as logs

    from cdk_ami.fleet.hardware import CpuOptions, NetworkOptions
    from cdk_ami.fleet.mixed import MixedInstances

RESOLVED_AT_LAUNCH: Final = "resolve:ssm:"
"""Prefix of an image id that EC2 looks up at each launch.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/create-launch-template.html"""

_SMALL: Final = {Architecture.X86_64: "t3.micro", Architecture.ARM64: "t4g.micro"}


class Launch(NamedTuple):
    """How the instances of a fleet start: what `ImageFleet` and `ZonalInstances` have in common.

    The attributes are the arguments of those two, and are described there.  The last says that an interface of its own
    has the security groups, which a launch template must not name then.
    """

    image: ec2.IMachineImage
    vpc: ec2.IVpc
    instance_type: ec2.InstanceType | str | None
    volumes: Sequence[Volume]
    user_data: ec2.UserData | str | None
    role: iam.IRole | None
    session_manager: bool
    cloudwatch_agent: bool
    log_groups: Sequence[logs.ILogGroup]
    agent_log_prefix: str | None
    security_groups: Sequence[ec2.ISecurityGroup] | None
    containers: bool
    detailed_monitoring: bool
    termination_protection: bool = False
    tags: Mapping[str, str] = MappingProxyType({})
    cpu: CpuOptions | None = None
    network: NetworkOptions | None = None
    hibernation: bool = False
    mixed: MixedInstances | None = None
    groups_at_interface: bool = False

    @property
    def architecture(self) -> Architecture | None:
        """Processor of the image, None where the image does not tell."""
        return architecture_of(self.image)

    @property
    def root_device(self) -> str | None:
        """Root device of the image, None where the image does not tell."""
        return root_device_of(self.image)

    @property
    def choice_images(self) -> tuple[ec2.IMachineImage, ...]:
        """What each choice of a mixed fleet runs."""
        return tuple(choice.image or self.image for choice in self.mixed.choices) if self.mixed else ()

    @property
    def instance_type_name(self) -> str | None:
        """Name of the instance type.

        None where choices name theirs, and where there is neither one nor an architecture that tells a default.
        """
        if self.mixed is not None:
            return None
        if self.instance_type is None:
            return _SMALL.get(self.architecture) if self.architecture else None
        return self.instance_type if isinstance(self.instance_type, str) else self.instance_type.to_string()

    def find_faults(self, faults: Faults, *, scope: Construct) -> None:
        """Record in ``faults`` what AWS would refuse, a pinned image without an AMI in the stack's Region included."""
        self._find_faults_of_type(faults)
        keyed = any(volume.kms_key is not None for volume in self.volumes)
        region = region_of(stack_of(scope)) if keyed else None
        for root_device in dict.fromkeys(map(root_device_of, (self.image, *self.choice_images))):
            find_volume_faults(self.volumes, root_device=root_device, region=region, faults=faults)
        if isinstance(self.user_data, str):
            faults.check("user_data", rules.user_data_size(self.user_data))
        faults.check("tags", names.tags(self.tags))
        if isinstance(self.image, ChannelImage):
            self.image.find_faults(faults, scope=scope)
        if self.security_groups is not None and not self.security_groups:
            faults.add("security_groups", "is empty", got=[], fix="leave it out for a group of its own, or name one")
        if self.agent_log_prefix is not None:
            faults.check("agent_log_prefix", rules.agent_log_prefix(self.agent_log_prefix))
        for prop, given in (("log_groups", self.log_groups), ("agent_log_prefix", self.agent_log_prefix)):
            if self.role is not None and given:
                fix = "grant the role what it needs instead"
                faults.add(prop, "has no effect beside role", got="both", fix=fix)
        if self.cpu is not None:
            self.cpu.find_faults(faults, instance_type=self.instance_type_name)
        if self.mixed is not None:
            self._find_faults_of_choices(self.mixed, faults, scope=scope)

    def _find_faults_of_choices(self, mixed: MixedInstances, faults: Faults, *, scope: Construct) -> None:
        mixed.find_faults(faults, architectures=[architecture_of(image) for image in self.choice_images])
        at_launch = _is_read_at_launch(self.image)
        for index, image in enumerate(self.choice_images):
            prop = f"mixed.choices[{index}].image"
            if image is not self.image and isinstance(image, ChannelImage):
                image.find_faults(faults, scope=scope, prop=prop)
            if _is_read_at_launch(image) != at_launch:
                fix = "give both machine_image() calls the same tracking"
                faults.add(prop, "is read at another time than the fleet's image", got=_tracking_of(image), fix=fix)

    def _find_faults_of_type(self, faults: Faults) -> None:
        if self.mixed is not None:
            if self.instance_type is not None:
                fix = "name it among the choices"
                faults.add("instance_type", "has no effect beside mixed", got=str(self.instance_type), fix=fix)
            return
        name = self.instance_type_name
        if name is None:
            fix = "name one that fits the image's architecture, such as 't3.micro'"
            faults.add(
                "instance_type", "has no default for an image that does not tell its architecture", got=None, fix=fix
            )
            return
        faults.check("instance_type", instances.instance_type(name))
        faults.check("instance_type", instances.no_mac(name))
        if self.architecture is not None:
            faults.check("instance_type", instances.instance_architecture(name, self.architecture))


def architecture_of(image: ec2.IMachineImage) -> Architecture | None:
    """Return the processor of ``image``, None where it does not tell."""
    return image.architecture if isinstance(image, ChannelImage) else None


def root_device_of(image: ec2.IMachineImage) -> str | None:
    """Return the root device of ``image``, None where it does not tell."""
    return image.root_device if isinstance(image, ChannelImage) else None


def _tracking_of(image: ec2.IMachineImage) -> str:
    return image.tracking.value if isinstance(image, ChannelImage) else type(image).__name__


def _is_read_at_launch(image: ec2.IMachineImage) -> bool:
    return _tracking_of(image) == Tracking.AT_LAUNCH.value


class RenderedLaunch(NamedTuple):
    """The resources that a launch became.

    Attributes:
        launch_template: The launch template.
        identity: Role and security groups of the instances.
        image_id: What stands for the AMI in the template.
        profile_name: Name of the instance profile.
        choice_templates: The launch template of each choice of a mixed fleet; those of one image share one.
        choice_image_ids: What stands for the AMI of each choice.
    """

    launch_template: ec2.CfnLaunchTemplate
    identity: Identity
    image_id: str
    profile_name: str
    choice_templates: Sequence[ec2.CfnLaunchTemplate] = ()
    choice_image_ids: Sequence[str] = ()

    @property
    def resolves_at_launch(self) -> bool:
        """Whether EC2 looks the AMI up at each launch."""
        return self.image_id.startswith(RESOLVED_AT_LAUNCH)


def render_launch(scope: Construct, launch: Launch) -> RenderedLaunch:
    """Add the launch template of ``launch``, its role, instance profile and security group to ``scope``.

    Instances answer metadata requests of version 2 only, have no inbound rule and no SSH key.

    Args:
        scope: The fleet.
        launch: How instances start, checked before.
    """
    image_id = _image_id(scope, launch.image)
    path = scope.node.path
    identity = Identity(
        scope,
        role=launch.role
        or render_role(
            scope,
            description=f"Instances of {path}",
            session_manager=launch.session_manager,
            cloudwatch_agent=launch.cloudwatch_agent,
            log_groups=launch.log_groups,
            agent_log_prefix=launch.agent_log_prefix,
        ),
        security_groups=launch.security_groups or render_security_group(scope, launch.vpc),
    )
    profile = iam.CfnInstanceProfile(scope, "InstanceProfile", roles=[identity.role_name])

    def template(construct_id: str, image: ec2.IMachineImage, its_id: str) -> ec2.CfnLaunchTemplate:
        data = _template_data(
            launch,
            image_id=its_id,
            root_device=root_device_of(image),
            profile_arn=profile.attr_arn,
            group_ids=identity.security_group_ids,
            name=path[-TAG_VALUE_MAX:],
        )
        return ec2.CfnLaunchTemplate(scope, construct_id, launch_template_data=data)

    own = template("LaunchTemplate", launch.image, image_id)
    by_image = {id(launch.image): (own, image_id)}
    for image in launch.choice_images:
        if id(image) not in by_image:
            its_id = _image_id(scope, image)
            by_image[id(image)] = (template(f"LaunchTemplate{len(by_image) + 1}", image, its_id), its_id)
    choices = [by_image[id(image)] for image in launch.choice_images]
    return RenderedLaunch(
        launch_template=own,
        identity=identity,
        image_id=image_id,
        profile_name=profile.ref,
        choice_templates=tuple(found for found, _ in choices),
        choice_image_ids=tuple(found for _, found in choices),
    )


def _image_id(scope: Construct, image: ec2.IMachineImage) -> str:
    return image.image_id(scope) if isinstance(image, ChannelImage) else image.get_image(scope).image_id


def _template_data(
    launch: Launch, *, image_id: str, root_device: str | None, profile_arn: str, group_ids: Sequence[str], name: str
) -> ec2.CfnLaunchTemplate.LaunchTemplateDataProperty:
    shape = ec2.CfnLaunchTemplate
    tags = [{"key": key, "value": value} for key, value in {"Name": name, **launch.tags}.items()]
    network = launch.network
    own_interface = network is not None and network.public_ip is not None
    return shape.LaunchTemplateDataProperty(
        image_id=image_id,
        instance_type=launch.instance_type_name,
        iam_instance_profile=shape.IamInstanceProfileProperty(arn=profile_arn),
        security_group_ids=None if own_interface or launch.groups_at_interface else list(group_ids),
        network_interfaces=[
            shape.NetworkInterfaceProperty(
                device_index=0,
                associate_public_ip_address=network.public_ip,
                groups=list(group_ids),
                delete_on_termination=True,
            )
        ]
        if network is not None and own_interface
        else None,
        network_performance_options=shape.NetworkPerformanceOptionsProperty(bandwidth_weighting=network.bandwidth.value)
        if network is not None and network.bandwidth
        else None,
        block_device_mappings=volume_mappings(launch.volumes, root_device=root_device) or None,
        cpu_options=_cpu_options(launch.cpu),
        hibernation_options=shape.HibernationOptionsProperty(configured=True) if launch.hibernation else None,
        metadata_options=shape.MetadataOptionsProperty(
            http_endpoint="enabled",
            http_tokens="required",
            http_put_response_hop_limit=2 if launch.containers else 1,
        ),
        monitoring=shape.MonitoringProperty(enabled=launch.detailed_monitoring),
        disable_api_termination=launch.termination_protection or None,
        tag_specifications=[
            shape.TagSpecificationProperty(resource_type=kind, tags=tags) for kind in ("instance", "volume")
        ],
        user_data=_user_data(launch.user_data),
    )


def _cpu_options(cpu: CpuOptions | None) -> ec2.CfnLaunchTemplate.CpuOptionsProperty | None:
    if cpu is None:
        return None
    return ec2.CfnLaunchTemplate.CpuOptionsProperty(
        core_count=cpu.core_count,
        threads_per_core=cpu.threads_per_core,
        amd_sev_snp="enabled" if cpu.amd_sev_snp else None,
        nested_virtualization="enabled" if cpu.nested_virtualization else None,
    )


def _user_data(user_data: ec2.UserData | str | None) -> str | None:
    if user_data is None:
        return None
    return Fn.base64(user_data if isinstance(user_data, str) else user_data.render())
