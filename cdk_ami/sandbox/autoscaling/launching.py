"""How a group launches and terminates its instances: each in the zone that has the fewest or the most."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError
from moto.autoscaling.models import ASG_NAME_TAG, InstanceState
from moto.core.exceptions import ServiceException
from moto.moto_api._internal import mock_random

from cdk_ami.sandbox.ec2.launch import merge_request


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a group launches.

    Attributes:
        template: ``LaunchTemplateId`` or ``LaunchTemplateName``, and ``Version``; empty with a launch configuration.
        override: What a mixed instances policy puts over the template, such as ``InstanceType``.
        configuration: A launch configuration of the emulator's, or None.
    """

    template: dict[str, Any]
    override: dict[str, Any]
    configuration: Any = None


class LaunchError(Exception):
    """An instance that could not be launched."""


def refuse(message: str, code: str = "ValidationError") -> AutoscalingClientError:
    """Return the error to raise."""
    return AutoscalingClientError(code, message)


def recipe_of(group: Any, desired: dict[str, Any] | None = None) -> Recipe:
    """Return what ``group`` launches, or would with a refresh's ``DesiredConfiguration``."""
    if desired and desired.get("LaunchTemplate"):
        return Recipe(template=dict(desired["LaunchTemplate"]), override={})
    policy = (desired or {}).get("MixedInstancesPolicy") or group.mixed_instances_policy
    if policy and policy.get("LaunchTemplate"):
        overrides = policy["LaunchTemplate"].get("Overrides") or [{}]
        first, common = overrides[0], policy["LaunchTemplate"]["LaunchTemplateSpecification"]
        specification = first.get("LaunchTemplateSpecification") or common
        override = {key: first[key] for key in ("InstanceType", "ImageId") if first.get(key)}
        return Recipe(template=dict(specification), override=override)
    if group.ec2_launch_template is not None:
        template = {"LaunchTemplateId": group.ec2_launch_template.id, "Version": group.launch_template_version}
        return Recipe(template=template, override={})
    return Recipe(template={}, override={}, configuration=group.launch_config)


def launch_request(group: Any, recipe: Recipe, subnet_id: str | None, zone: str | None) -> dict[str, Any]:
    """Return the RunInstances request for one instance of ``group``."""
    request: dict[str, Any] = {"MinCount": 1, "MaxCount": 1}
    if recipe.configuration is not None:
        request |= _of_configuration(recipe.configuration)
    else:
        request["LaunchTemplate"] = recipe.template
        request |= recipe.override
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


def check_recipe(group: Any, recipe: Recipe) -> None:
    """Refuse what could not be launched, as Auto Scaling does when it is told about it."""
    try:
        subnet_id, zone = place(group)
        group.ec2_backend.sandbox_check_launch(launch_request(group, recipe, subnet_id, zone))
    except ServiceException as error:
        raise refuse(f"You must use a valid fully-formed launch template. {error.message}") from error


def place(group: Any) -> tuple[str | None, str]:
    """Return the subnet and the zone for the next instance: the zone with the fewest, the first of these."""
    counts = dict.fromkeys(group.availability_zones, 0)
    by_subnet: dict[str | None, int] = {}
    for state in group.instance_states:
        counts[state.availability_zone] = counts.get(state.availability_zone, 0) + 1
        by_subnet[state.instance.subnet_id] = by_subnet.get(state.instance.subnet_id, 0) + 1
    zone = min(group.availability_zones, key=lambda name: counts[name])
    subnets = [each for each in subnets_of(group) if each.availability_zone == zone]
    if not subnets:
        return None, zone
    return min(subnets, key=lambda subnet: by_subnet.get(subnet.id, 0)).id, zone


def subnets_of(group: Any) -> list[Any]:
    """Return the subnets of a group, in the order it names them."""
    names = (group.vpc_zone_identifier or "").split(",")
    return [group.ec2_backend.get_subnet(name.strip()) for name in names if name.strip()]


def launch(group: Any, recipe: Recipe, *, where: tuple[str | None, str] | None = None) -> InstanceState:
    """Launch one instance into ``group`` and return its state there.

    Raises:
        LaunchError: When EC2 refuses; the group's activities say why.
    """
    subnet_id, zone = where or place(group)
    activity = note(group, "Launching a new EC2 instance", f"an instance was started in {zone} to keep the capacity")
    try:
        reservation = group.ec2_backend.sandbox_launch(launch_request(group, recipe, subnet_id, zone))
    except ServiceException as error:
        activity |= {"StatusCode": "Failed", "StatusMessage": f"{error.message} Launching EC2 instance failed."}
        raise LaunchError(error.message) from error
    (instance,) = reservation.instances
    activity |= {"StatusCode": "Successful", "Description": f"Launching a new EC2 instance: {instance.id}"}
    instance.autoscaling_group = group
    instance.add_tags({**group.get_propagated_tags(), ASG_NAME_TAG: group.name})
    state = InstanceState(instance, protected_from_scale_in=group.new_instances_protected_from_scale_in)
    group.instance_states.append(state)
    return state


def terminate(group: Any, state: InstanceState) -> None:
    """Terminate one instance of ``group``."""
    activity = note(group, f"Terminating EC2 instance: {state.instance.id}", "an instance was taken out of service")
    group.instance_states = [each for each in group.instance_states if each is not state]
    if state.instance.state != "terminated":
        state.instance.disable_api_termination = False
        group.ec2_backend.terminate_instances([state.instance.id])
    activity["StatusCode"] = "Successful"


def fill(group: Any, count: int) -> None:
    """Launch ``count`` instances into ``group``; stop at the first that fails, which its activities then show."""
    if any(process["ProcessName"] == "Launch" for process in group.suspended_processes):
        return
    recipe = recipe_of(group)
    for _ in range(count):
        try:
            launch(group, recipe)
        except LaunchError:
            return


def shrink(group: Any, count: int) -> None:
    """Terminate ``count`` unprotected instances, always of the zone that has the most."""
    for _ in range(count):
        open_to_it = [state for state in group.active_instances() if not state.protected_from_scale_in]
        if not open_to_it:
            return
        counts: dict[str, int] = {}
        for state in group.active_instances():
            counts[state.availability_zone] = counts.get(state.availability_zone, 0) + 1
        most = max(counts[state.availability_zone] for state in open_to_it)
        fullest = [state for state in open_to_it if counts[state.availability_zone] == most]
        terminate(group, _chosen(group, fullest))


def _chosen(group: Any, states: list[InstanceState]) -> InstanceState:
    """Return the instance that the group's first termination policy picks."""
    policy = (group.termination_policies or ["Default"])[0]
    if policy == "NewestInstance":
        return max(states, key=lambda state: state.instance.launch_time)
    if policy == "OldestInstance":
        return min(states, key=lambda state: state.instance.launch_time)
    # Default and the rest: the oldest launch template first, the oldest instance among equals.
    return min(states, key=lambda state: (_version_number(state), state.instance.launch_time))


def _version_number(state: InstanceState) -> int:
    version = getattr(state.instance, "sandbox_version", None)
    return version.number if version is not None else 0


def template_of(state: Any) -> dict[str, Any] | None:
    """Return the launch template, with the concrete version, that an instance of a group was launched from."""
    version = getattr(state.instance, "sandbox_version", None)
    if version is None:
        return None
    return {
        "LaunchTemplateId": version.template.id,
        "LaunchTemplateName": version.template.name,
        "Version": str(version.number),
    }


def note(group: Any, description: str, cause: str) -> dict[str, Any]:
    """Add a scaling activity to ``group`` and return it, to be completed."""
    now = datetime.now(UTC).replace(tzinfo=None)
    activity = {
        "ActivityId": str(mock_random.uuid4()),
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
        "Description": description,
        "Cause": f"At {now:%Y-%m-%dT%H:%M:%SZ} {cause}",
        "StartTime": now,
        "EndTime": now,
        "StatusCode": "InProgress",
        "Progress": 100,
        "Details": "{}",
    }
    group.__dict__.setdefault("sandbox_activities", []).append(activity)
    return activity
