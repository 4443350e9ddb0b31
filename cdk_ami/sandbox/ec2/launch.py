"""RunInstances: a request merged with its launch template, checked as a whole, then launched."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, Final

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import MetadataOptions, StateReason
from moto.ec2.utils import filter_iam_instance_profiles, parse_user_data

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.ec2.capacity import check_capacity
from cdk_ami.sandbox.ec2.defaults import metadata_defaults
from cdk_ami.sandbox.ec2.image import Image
from cdk_ami.sandbox.ec2.keys import UnusableKeyError
from cdk_ami.sandbox.ec2.naming import tags_by_type
from cdk_ami.sandbox.ec2.parameters import resolve_image_id
from cdk_ami.sandbox.ec2.products import check_subscribed
from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.ec2.templates import find_template
from cdk_ami.sandbox.ec2.visibility import find_image
from cdk_ami.sandbox.ec2.volumes import attach_volumes, merge_mappings, plan_volumes
from cdk_ami.sandbox.iam.principals import account_principal, principal_of

ORIGINAL: Final[dict[str, Callable[..., Any]]] = {}
"""The emulator's own methods, by name."""

NEW: Final = frozenset({"sandbox_launch", "sandbox_check_launch"})
"""Methods that the emulator's class must not have yet."""

LAUNCH_TAGS: Final = (
    "instance",
    "volume",
    "network-interface",
    "spot-instances-request",
    "elastic-gpu",
    "launch-template",
)
"""Types of resources that RunInstances can tag."""

DEFAULT_TYPE: Final = "m1.small"
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html."""


class LaunchOperations:
    """Methods for the emulator's ``InstanceBackend``."""

    account_id: str
    region_name: str

    def sandbox_launch(self, request: dict[str, Any], caller: str | None = None) -> Any:
        """Launch instances and return the reservation.

        Args:
            request: As RunInstances takes it.
            caller: ARN of who launches; None is the account itself.
        """
        return _Launch(self, request, caller or account_principal(self.account_id, self.region_name)).run()

    def sandbox_check_launch(self, request: dict[str, Any], caller: str | None = None) -> Image:
        """Refuse what ``sandbox_launch`` would refuse, launch nothing, and return the AMI."""
        return _Launch(self, request, caller or account_principal(self.account_id, self.region_name)).image


class LaunchAnswers:
    """Methods for the emulator's ``InstanceResponse``."""

    ec2_backend: Any
    params: dict[str, Any]
    current_account: str
    region: str
    _get_param: Any
    error_on_dryrun: Any

    def run_instances(self) -> ActionResult:
        """Answer RunInstances."""
        request, caller = dict(self.params), principal_of(self)
        if request.get("DryRun"):
            self.ec2_backend.sandbox_check_launch(request, caller)
        self.error_on_dryrun()
        return ActionResult(self.ec2_backend.sandbox_launch(request, caller))

    def stop_instances(self) -> ActionResult:
        """Answer StopInstances; the groups of the instances hear of it."""
        from moto.autoscaling.models import autoscaling_backends  # noqa: PLC0415 - it imports EC2 itself

        answer: ActionResult = ORIGINAL["stop_instances"](self)
        groups = autoscaling_backends[self.current_account][self.region]
        groups.sandbox_notify_stopped(self._get_param("InstanceIds", []))
        return answer


def merge_request(backend: Any, request: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """Return the request over its launch template, and the version of the template, if there is one."""
    specification = request.get("LaunchTemplate")
    if not specification:
        return dict(request), None
    version = find_template(backend, specification).get_version(specification.get("Version") or "$Default")
    data = deepcopy(version.data)
    merged = {**data, **request}
    merged["BlockDeviceMappings"] = merge_mappings(
        data.get("BlockDeviceMappings", []), request.get("BlockDeviceMappings", [])
    )
    merged["TagSpecifications"] = [*data.get("TagSpecifications", []), *request.get("TagSpecifications", [])]
    merged["MetadataOptions"] = {**data.get("MetadataOptions", {}), **request.get("MetadataOptions", {})}
    for key in ("SecurityGroupIds", "SecurityGroups"):
        if request.get("NetworkInterfaces") and key not in request:
            merged.pop(key, None)
    return merged, version


class _Launch:
    """One launch, wholly checked when it is made."""

    def __init__(self, backend: Any, request: dict[str, Any], caller: str) -> None:
        self.backend = backend
        self.request, self.version = merge_request(backend, request)
        self.image = self._image()
        self.instance_type = self._instance_type()
        self.subnet = self._subnet()
        self.groups = self._groups()
        self.profile = self._profile()
        self.volumes = plan_volumes(backend, self.image, self.request.get("BlockDeviceMappings", []), caller)
        self.metadata = self._metadata_options()
        self.tags = tags_by_type(self._tag_specifications(), allowed=LAUNCH_TAGS)
        if self.request.get("KeyName"):
            backend.describe_key_pairs(key_names=[self.request["KeyName"]])  # refuses what does not exist
        self.count = int(self.request.get("MaxCount") or 1)
        if not 1 <= int(self.request.get("MinCount") or 1) <= self.count:
            raise refusal("InvalidParameterValue", f"MinCount must be between 1 and MaxCount, which is {self.count}")

    def run(self) -> Any:
        """Launch and return the reservation."""
        request, backend = self.request, self.backend
        check_capacity(backend.region_name, self.subnet.availability_zone, self.instance_type)
        reservation = backend.run_instances(
            self.image.id,
            self.count,
            _user_data(request.get("UserData")),
            [],
            instance_type=self.instance_type,
            is_instance_type_default=not request.get("InstanceType"),
            placement=None,
            region_name=backend.region_name,
            subnet_id=self.subnet.id,
            key_name=request.get("KeyName"),
            security_group_ids=[group.id for group in self.groups],
            nics=self._interfaces(),
            private_ip=request.get("PrivateIpAddress"),
            associate_public_ip=request.get("AssociatePublicIpAddress"),
            tags={"instance": self.tags.get("instance", {})},
            ebs_optimized=request.get("EbsOptimized") or False,
            disable_api_stop=request.get("DisableApiStop") or False,
            disable_api_termination=request.get("DisableApiTermination") or False,
            instance_market_options=request.get("InstanceMarketOptions", {}).get("MarketType"),
            instance_initiated_shutdown_behavior=request.get("InstanceInitiatedShutdownBehavior"),
            hibernation_options=request.get("HibernationOptions", {}),
            monitoring_state="enabled" if request.get("Monitoring", {}).get("Enabled") else "disabled",
            metadata_options=self.metadata,
            client_token=request.get("ClientToken", ""),
            block_device_mappings=[],
        )
        failure = next((volume.failure for volume in self.volumes if volume.failure is not None), None)
        for instance in reservation.instances:
            self._finish(instance)
            if failure is None:
                attach_volumes(backend, instance, self.volumes, self.tags.get("volume", {}))
            else:
                self._fail(instance, failure)
        self.image.last_launched = CLOCK.now().replace(tzinfo=None)
        return reservation

    def _fail(self, instance: Any, failure: UnusableKeyError) -> None:
        """Let an instance end before it has begun: EC2 finds out about keys once it has answered."""
        instance.disable_api_termination = False
        self.backend.terminate_instances([instance.id])
        text = "Client error on launch" if failure.code == "Client.InternalError" else str(failure)
        instance.state_reason = StateReason(f"{failure.code}: {text}", failure.code)
        instance._reason = str(failure)  # noqa: SLF001 - moto's name of the reason of the transition

    def _finish(self, instance: Any) -> None:
        instance.metadata_options = MetadataOptions(self.metadata)
        instance.sandbox_version = self.version
        if self.version is not None:
            instance.add_tags(
                {
                    "aws:ec2launchtemplate:id": self.version.template.id,
                    "aws:ec2launchtemplate:version": str(self.version.number),
                }
            )
        for interface in instance.nics.values():
            interface.add_tags(self.tags.get("network-interface", {}))
        if self.profile is not None:
            self.backend.associate_iam_instance_profile(instance.id, iam_instance_profile_arn=self.profile.arn)

    def _image(self) -> Image:
        image_id = self.request.get("ImageId")
        if not image_id:
            raise refusal("MissingParameter", "The request must contain the parameter ImageId")
        resolved = resolve_image_id(self.backend, image_id)
        image = find_image(self.backend.region_name, self.backend.account_id, resolved)
        if image.state != "available":
            raise refusal(
                "InvalidAMIID.Unavailable", f"The image ID '{resolved}' is not available: it is {image.state}"
            )
        check_subscribed(image, self.backend.account_id)
        return image

    def _instance_type(self) -> str:
        instance_type = str(self.request.get("InstanceType") or DEFAULT_TYPE)
        known = INSTANCE_TYPES.get(instance_type)
        if known is None:
            raise refusal(
                "InvalidParameterValue",
                f"Invalid value '{instance_type}' for InstanceType: neither AWS nor the emulator's list has it.",
            )
        supported = known.get("ProcessorInfo", {}).get("SupportedArchitectures", [])
        if supported and self.image.architecture not in supported:
            raise refusal(
                "InvalidParameterValue",
                f"The architecture '{','.join(supported)}' of the specified instance type does not match the "
                f"architecture '{self.image.architecture}' of the specified AMI. Specify an instance type and an AMI "
                "that have matching architectures, and try again.",
            )
        return instance_type

    def _primary(self) -> dict[str, Any]:
        interfaces: list[dict[str, Any]] = self.request.get("NetworkInterfaces", [])
        return next((each for each in interfaces if int(each.get("DeviceIndex") or 0) == 0), {})

    def _subnet(self) -> Any:
        request, backend = self.request, self.backend
        if request.get("NetworkInterfaces"):
            if request.get("SubnetId"):
                raise refusal(
                    "InvalidParameterCombination",
                    "Network interfaces and an instance-level subnet ID may not be specified on the same request",
                )
            if request.get("SecurityGroupIds") or request.get("SecurityGroups"):
                raise refusal(
                    "InvalidParameterCombination",
                    "Network interfaces and an instance-level security groups may not be specified on the same request",
                )
        zone = request.get("Placement", {}).get("AvailabilityZone")
        zones = [each.name for each in backend.describe_availability_zones()]
        if zone and zone not in zones:
            raise refusal("InvalidParameterValue", f"Invalid availability zone: [{zone}]")
        subnet_id = request.get("SubnetId") or self._primary().get("SubnetId")
        if not subnet_id and self._primary().get("NetworkInterfaceId"):
            subnet_id = backend.get_network_interface(self._primary()["NetworkInterfaceId"]).subnet.id
        if subnet_id:
            subnet = backend.get_subnet(subnet_id)
            if zone and subnet.availability_zone != zone:
                raise refusal(
                    "InvalidParameterValue", f"The subnet {subnet_id} is in {subnet.availability_zone}, not in {zone}"
                )
            return subnet
        defaults = backend.get_default_subnets()
        chosen = defaults.get(zone) if zone else next((defaults[each] for each in zones if each in defaults), None)
        if chosen is None:
            raise refusal(
                "VPCIdNotSpecified", "No default VPC for this user. GroupName is only supported for default VPC."
            )
        return chosen

    def _groups(self) -> list[Any]:
        backend, groups = self.backend, []
        for group_id in [*self.request.get("SecurityGroupIds", []), *self._primary().get("Groups", [])]:
            group = backend.get_security_group_from_id(group_id)
            if group is None:
                raise refusal("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")
            groups.append(group)
        groups += [
            backend.get_security_group_by_name_or_id(name, self.subnet.vpc_id)
            for name in self.request.get("SecurityGroups", [])
        ]
        if any(group is None for group in groups):
            raise refusal("InvalidGroup.NotFound", f"There is no security group {self.request['SecurityGroups']}")
        for group in groups:
            if group.vpc_id != self.subnet.vpc_id:
                raise refusal(
                    "InvalidParameter",
                    f"Security group {group.id} and subnet {self.subnet.id} belong to different networks.",
                )
        if groups or self._primary().get("NetworkInterfaceId"):
            return groups
        return [backend.get_default_security_group(self.subnet.vpc_id)]

    def _interfaces(self) -> list[dict[str, Any]]:
        interfaces = deepcopy(self.request.get("NetworkInterfaces", [])) or [{"DeviceIndex": 0}]
        for interface in interfaces:
            interface["DeviceIndex"] = int(interface.get("DeviceIndex") or 0)
            interface.setdefault("DeleteOnTermination", True)
            if interface["DeviceIndex"] == 0:
                interface.pop("Groups", None)  # they are the instance's
                interface.setdefault("SubnetId", self.subnet.id)
        return interfaces

    def _profile(self) -> Any:
        wanted = self.request.get("IamInstanceProfile") or {}
        if not wanted:
            return None
        try:
            profile = filter_iam_instance_profiles(
                self.backend.account_id,
                partition=self.backend.partition,
                iam_instance_profile_arn=wanted.get("Arn"),
                iam_instance_profile_name=wanted.get("Name"),
            )
        except ServiceException:
            profile = None
        if profile is None:
            name = wanted.get("Name") or wanted.get("Arn")
            raise refusal(
                "InvalidParameterValue",
                f"Value ({name}) for parameter iamInstanceProfile is invalid. Invalid IAM Instance Profile",
            )
        return profile

    def _metadata_options(self) -> dict[str, Any]:
        """Return the metadata options: the request's, else the account's, else what the AMI asks for, else EC2's own.

        https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-options.html
        """
        if self.image.shape.imds_support == "v2.0":
            default = {"HttpTokens": "required", "HttpPutResponseHopLimit": 2}
        else:
            default = {"HttpTokens": "optional", "HttpPutResponseHopLimit": 1}
        account = metadata_defaults(self.backend)
        wanted = {**default, **account, **self.request.get("MetadataOptions", {}), "State": "applied"}
        enforced = wanted.pop("HttpTokensEnforced", "disabled") == "enabled"
        if enforced and wanted["HttpTokens"] != "required":
            raise refusal(
                "UnsupportedOperation",
                "You can't launch instances with IMDSv1 because httpTokensEnforced is enabled for this account. Either "
                "launch the instance with httpTokens=required or contact your account owner to disable "
                "httpTokensEnforced.",
            )
        return wanted

    def _tag_specifications(self) -> list[dict[str, Any]]:
        return [each for each in self.request.get("TagSpecifications", []) if each.get("Tags")]


def _user_data(value: Any) -> Base64EncodedString | None:
    # A template's is decoded already, a request's is not.
    return value if isinstance(value, Base64EncodedString) else parse_user_data(value)
