"""What a group launches: a launch template, the overrides of a mixed instances policy, or a launch configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from math import ceil
from typing import Any, Final

from moto.core.exceptions import ServiceException

from cdk_ami.sandbox.autoscaling.errors import refuse
from cdk_ami.sandbox.autoscaling.members import Member, counted
from cdk_ami.sandbox.autoscaling.requirements import fitting_types
from cdk_ami.sandbox.ec2.launch import merge_request
from cdk_ami.sandbox.ec2.parameters import resolve_image_id
from cdk_ami.sandbox.ec2.visibility import find_image

ALL_ON_DEMAND: Final = 100
"""Per cent of on-demand instances above the base, unless a policy says another.

https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_InstancesDistribution.html
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One way to launch an instance.

    Attributes:
        template: ``LaunchTemplateId`` or ``LaunchTemplateName``, and ``Version``; empty with a launch configuration.
        override: What stands over the template: ``InstanceType``, ``ImageId``.
        requirements: What the type must have, where no type is named.
        weight: What the instance counts for, as the policy writes it; None where it writes nothing.
        configuration: A launch configuration of the emulator's, or None.
    """

    template: Mapping[str, Any]
    override: Mapping[str, Any] = field(default_factory=dict)
    requirements: Mapping[str, Any] | None = None
    weight: str | None = None
    configuration: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a group launches.

    Attributes:
        choices: The ways, in the order in which they are tried.
        distribution: How much of it is bought on demand; None without a mixed instances policy.
    """

    choices: tuple[Choice, ...]
    distribution: Mapping[str, Any] | None = None


def recipe_of(group: Any, desired: Mapping[str, Any] | None = None) -> Recipe:
    """Return what ``group`` launches, or would with a refresh's ``DesiredConfiguration``."""
    if desired and desired.get("LaunchTemplate"):
        return Recipe(choices=(Choice(template=_named_once(desired["LaunchTemplate"])),))
    policy = (desired or {}).get("MixedInstancesPolicy") or group.mixed_instances_policy
    if policy and policy.get("LaunchTemplate"):
        return _mixed(policy)
    if group.ec2_launch_template is not None:
        template = {"LaunchTemplateId": group.ec2_launch_template.id, "Version": group.launch_template_version}
        return Recipe(choices=(Choice(template=template),))
    return Recipe(choices=(Choice(template={}, configuration=group.launch_config),))


def _mixed(policy: Mapping[str, Any]) -> Recipe:
    part = policy["LaunchTemplate"]
    common = part["LaunchTemplateSpecification"]
    choices = tuple(
        Choice(
            template=_named_once(override.get("LaunchTemplateSpecification") or common),
            override={key: override[key] for key in ("InstanceType", "ImageId") if override.get(key)},
            requirements=override.get("InstanceRequirements"),
            weight=override.get("WeightedCapacity"),
        )
        for override in part.get("Overrides") or [{}]
    )
    return Recipe(choices=choices, distribution=policy.get("InstancesDistribution") or {})


def _named_once(specification: Mapping[str, Any]) -> dict[str, Any]:
    """Return a launch template's specification without the name where it has the id: EC2 takes one of the two."""
    left_out = "LaunchTemplateName" if specification.get("LaunchTemplateId") else ""
    return {key: value for key, value in specification.items() if key != left_out}


def launch_request(
    group: Any, choice: Choice, subnet_id: str | None = None, zone: str | None = None, *, spot: bool = False
) -> dict[str, Any]:
    """Return the RunInstances request for one instance of ``group``."""
    request: dict[str, Any] = {"MinCount": 1, "MaxCount": 1}
    if choice.configuration is not None:
        request |= _of_configuration(choice.configuration)
    else:
        request |= {"LaunchTemplate": dict(choice.template), **choice.override}
    if spot:
        request["InstanceMarketOptions"] = {"MarketType": "spot"}
    interfaces = merge_request(group.ec2_backend, request)[0].get("NetworkInterfaces")
    if interfaces and subnet_id:
        request["NetworkInterfaces"] = [
            {**each, "SubnetId": subnet_id} if int(each.get("DeviceIndex") or 0) == 0 else each
            for each in deepcopy(interfaces)
        ]
    elif subnet_id:
        request["SubnetId"] = subnet_id
    elif zone:
        request["Placement"] = {"AvailabilityZone": zone}
    return request


def _of_configuration(configuration: Any) -> dict[str, Any]:
    request = {
        "ImageId": configuration.image_id,
        "InstanceType": configuration.instance_type,
        "KeyName": configuration.key_name,
        "UserData": configuration.user_data,
        "SecurityGroupIds": [name for name in configuration.security_groups or [] if name.startswith("sg-")],
        "AssociatePublicIpAddress": configuration.associate_public_ip_address,
        "BlockDeviceMappings": configuration.block_device_mapping_dict or [],
        "MetadataOptions": configuration.metadata_options or {},
    }
    profile = configuration.instance_profile_name
    if profile:
        request["IamInstanceProfile"] = {"Arn" if profile.startswith("arn:") else "Name": profile}
    return {key: value for key, value in request.items() if value not in (None, [], {})}


def merged(group: Any, choice: Choice) -> tuple[dict[str, Any], Any]:
    """Return what a choice asks of EC2, its template filled in, and the version of that template."""
    return merge_request(group.ec2_backend, launch_request(group, choice))


def concrete(group: Any, recipe: Recipe) -> Iterator[Choice]:
    """Return the choices of ``recipe``, requirements turned into the types that meet them.

    Raises:
        ServiceException: When an AMI or a template is not there, or no type fits.
    """
    for choice in recipe.choices:
        request, _ = merged(group, choice)
        requirements = choice.requirements or (
            None if request.get("InstanceType") else request.get("InstanceRequirements")
        )
        if requirements is None:
            yield choice
            continue
        backend = group.ec2_backend
        image_id = resolve_image_id(backend, request.get("ImageId", ""))
        architecture = find_image(backend.region_name, backend.account_id, image_id).architecture
        for name in fitting_types(requirements, architecture):
            yield Choice(
                template=choice.template, override={**choice.override, "InstanceType": name}, weight=choice.weight
            )


def spot_next(group: Any, recipe: Recipe) -> bool:
    """Tell whether the next instance of ``group`` is a Spot Instance by its policy's shares."""
    if recipe.distribution is None:
        return False
    base = int(recipe.distribution.get("OnDemandBaseCapacity") or 0)
    share = recipe.distribution.get("OnDemandPercentageAboveBaseCapacity")
    share = ALL_ON_DEMAND if share is None else int(share)
    members = counted(group)
    own = sum(member.weight for member in members if member.instance.lifecycle != "spot")
    total = sum(member.weight for member in members) + 1
    return own >= base + ceil(max(0, total - base) * share / 100)


def check_recipe(group: Any, recipe: Recipe, subnet_id: str | None, zone: str) -> None:
    """Refuse what could not be launched, as Auto Scaling does when it is told about it."""
    try:
        for choice in concrete(group, recipe):
            request, _ = merged(group, choice)
            if recipe.distribution is not None and request.get("InstanceMarketOptions"):
                raise refuse(
                    "Incompatible launch template: You cannot use a launch template that is set to request Spot "
                    "Instances (InstanceMarketOptions) when you configure an Auto Scaling group with a mixed "
                    "instances policy."
                )
            group.ec2_backend.sandbox_check_launch(launch_request(group, choice, subnet_id, zone))
    except ServiceException as error:
        if error.code == "ValidationError":
            raise
        raise refuse(f"You must use a valid fully-formed launch template. {error.message}") from error


def matches(group: Any, member: Member, recipe: Recipe) -> bool:
    """Tell whether an instance is just what ``recipe`` would launch."""
    return any(_is_of(group, member, choice) for choice in concrete(group, recipe))


def _is_of(group: Any, member: Member, choice: Choice) -> bool:
    request, version = merged(group, choice)
    if _numbered(getattr(member.instance, "sandbox_version", None)) != _numbered(version):
        return False
    instance = member.instance
    return bool(
        instance.image_id == resolve_image_id(group.ec2_backend, request.get("ImageId", ""))
        and instance.instance_type == request.get("InstanceType", instance.instance_type)
    )


def _numbered(version: Any) -> tuple[str, int] | None:
    return None if version is None else (version.template.id, version.number)


def template_of(member: Any) -> dict[str, Any] | None:
    """Return the launch template, with the concrete version, that an instance of a group was launched from."""
    version = getattr(member.instance, "sandbox_version", None)
    if version is None:
        return None
    return {
        "LaunchTemplateId": version.template.id,
        "LaunchTemplateName": version.template.name,
        "Version": str(version.number),
    }
