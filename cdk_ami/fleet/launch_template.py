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
from cdk_ami.distribution.channel_image import ChannelImage
from cdk_ami.errors import Faults
from cdk_ami.fleet.identity import Identity, render_role, render_security_group
from cdk_ami.fleet.volumes import find_volume_faults, volume_mappings
from cdk_ami.limits import TAG_VALUE_MAX
from cdk_ami.recipe.volume import Volume
from cdk_ami.source.platform import Architecture

if TYPE_CHECKING:
    from aws_cdk import aws_logs as logs

RESOLVED_AT_LAUNCH: Final = "resolve:ssm:"
"""Prefix of an image id that EC2 looks up at each launch.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/create-launch-template.html"""

_SMALL: Final = {Architecture.X86_64: "t3.micro", Architecture.ARM64: "t4g.micro"}


class Launch(NamedTuple):
    """How the instances of a fleet start: what `ImageFleet` and `ZonalInstances` have in common.

    The attributes are the arguments of those two, and are described there.
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

    @property
    def architecture(self) -> Architecture | None:
        """Processor of the image, None where the image does not tell."""
        return self.image.architecture if isinstance(self.image, ChannelImage) else None

    @property
    def root_device(self) -> str | None:
        """Root device of the image, None where the image does not tell."""
        return self.image.root_device if isinstance(self.image, ChannelImage) else None

    @property
    def instance_type_name(self) -> str | None:
        """Name of the instance type, None where there is neither one nor an architecture that tells a default."""
        if self.instance_type is None:
            return _SMALL.get(self.architecture) if self.architecture else None
        return self.instance_type if isinstance(self.instance_type, str) else self.instance_type.to_string()

    def find_faults(self, faults: Faults, *, scope: Construct) -> None:
        """Record in ``faults`` what AWS would refuse, a pinned image without an AMI in the stack's Region included."""
        self._find_faults_of_type(faults)
        find_volume_faults(self.volumes, root_device=self.root_device, faults=faults)
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

    def _find_faults_of_type(self, faults: Faults) -> None:
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


class RenderedLaunch(NamedTuple):
    """The resources that a launch became.

    Attributes:
        launch_template: The launch template.
        identity: Role and security groups of the instances.
        image_id: What stands for the AMI in the template.
    """

    launch_template: ec2.CfnLaunchTemplate
    identity: Identity
    image_id: str

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
    image = launch.image
    image_id = image.image_id(scope) if isinstance(image, ChannelImage) else image.get_image(scope).image_id
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
    template = ec2.CfnLaunchTemplate(
        scope,
        "LaunchTemplate",
        launch_template_data=_template_data(
            launch,
            image_id=image_id,
            profile_arn=profile.attr_arn,
            group_ids=identity.security_group_ids,
            name=path[-TAG_VALUE_MAX:],
        ),
    )
    return RenderedLaunch(launch_template=template, identity=identity, image_id=image_id)


def _template_data(
    launch: Launch, *, image_id: str, profile_arn: str, group_ids: Sequence[str], name: str
) -> ec2.CfnLaunchTemplate.LaunchTemplateDataProperty:
    shape = ec2.CfnLaunchTemplate
    tags = [{"key": key, "value": value} for key, value in {"Name": name, **launch.tags}.items()]
    return shape.LaunchTemplateDataProperty(
        image_id=image_id,
        instance_type=launch.instance_type_name,
        iam_instance_profile=shape.IamInstanceProfileProperty(arn=profile_arn),
        security_group_ids=list(group_ids),
        block_device_mappings=volume_mappings(launch.volumes, root_device=launch.root_device) or None,
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


def _user_data(user_data: ec2.UserData | str | None) -> str | None:
    if user_data is None:
        return None
    return Fn.base64(user_data if isinstance(user_data, str) else user_data.render())
