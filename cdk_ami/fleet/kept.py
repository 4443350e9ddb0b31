"""What a zonal instance keeps when its image changes: data volumes, interfaces, and itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aws_cdk import CustomResource, Duration, RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct, IDependable

from cdk_ami.home import account_of, partition_of, region_of, stack_of
from cdk_ami.policies import allow, policy

if TYPE_CHECKING:
    from cdk_ami.recipe.volume import Volume

_HANDLER: Final = Path(__file__).parents[1] / "runtime" / "replace_root.py"
_TIMEOUT: Final = Duration.minutes(15)
"""Longest that a function may run.  https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

_LOOK: Final = ("ec2:DescribeInstanceStatus", "ec2:DescribeInstances", "ec2:DescribeReplaceRootVolumeTasks")
"""Actions that take no resource."""

_KEY_ACTIONS: Final = ("kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext")
"""What a volume of a key of one's own needs from whoever makes it.
https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html"""


def render_data_volumes(
    scope: Construct, label: str, volumes: Sequence[Volume], *, zone: str, instance: ec2.CfnInstance, name: str
) -> list[ec2.CfnVolume]:
    """Add the data volumes of an instance to ``scope``: they outlive it, and the stack.

    Args:
        scope: The instances.
        label: What tells the instance from the others.
        volumes: The volumes, checked before.
        zone: Zone of the instance.
        instance: The instance.
        name: Name of the instance, for its volumes' tags.
    """
    made = []
    for volume in volumes:
        device = str(volume.device)
        place = re.sub(r"[^A-Za-z0-9]", "", device.removeprefix("/dev/")).capitalize()
        rendered = ec2.CfnVolume(
            scope,
            f"Volume{label}{place}",
            availability_zone=zone,
            size=volume.size_gib,
            volume_type=volume.type,
            iops=volume.iops,
            throughput=volume.throughput_mib,
            encrypted=volume.encrypted,
            kms_key_id=_key_id(volume),
            tags=[{"key": "Name", "value": f"{name} {device}"}],
        )
        rendered.apply_removal_policy(RemovalPolicy.RETAIN)
        ec2.CfnVolumeAttachment(
            scope, f"Attachment{label}{place}", device=device, instance_id=instance.ref, volume_id=rendered.ref
        )
        made.append(rendered)
    return made


def _key_id(volume: Volume) -> str | None:
    key = volume.kms_key
    return key if key is None or isinstance(key, str) else key.key_ref.key_arn


def render_interface(
    scope: Construct, label: str, *, subnet_id: str, group_ids: Sequence[str], address: str | None, name: str
) -> ec2.CfnNetworkInterface:
    """Add the network interface of an instance to ``scope``.

    Args:
        scope: The instances.
        label: What tells the instance from the others.
        subnet_id: Its subnet.
        group_ids: Its security groups.
        address: Its address, None for any.
        name: Name of the instance.
    """
    return ec2.CfnNetworkInterface(
        scope,
        f"Interface{label}",
        subnet_id=subnet_id,
        group_set=list(group_ids),
        private_ip_address=address,
        description=f"Of {name}",
        tags=[{"key": "Name", "value": name}],
    )


class RootReplacer:
    """A function that gives instances the root volume of another AMI, and a resource for each instance that asks it to.

    Args:
        scope: The instances.
        key_arns: Keys of root volumes, as far as they are known.
    """

    def __init__(self, scope: Construct, *, key_arns: Sequence[str]) -> None:
        self._scope = scope
        log_group = logs.LogGroup(
            scope, "ReplacerLog", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        self.role = iam.Role(scope, "ReplacerRole", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(self.role)
        if key_arns:
            self.role.add_to_policy(iam.PolicyStatement(actions=list(_KEY_ACTIONS), resources=list(key_arns)))
        self._function = lambda_.Function(
            scope,
            "Replacer",
            description="Gives instances the root volume of another AMI",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            code=lambda_.Code.from_inline(_HANDLER.read_text(encoding="utf-8")),
            timeout=_TIMEOUT,
            role=self.role,
            log_group=log_group,
        )

    def allow(self, instances: Sequence[ec2.CfnInstance]) -> IDependable:
        """Let the function replace root volumes of ``instances`` and of no others; return what grants it."""
        stack = stack_of(self._scope)
        here = f"arn:{partition_of(stack)}:ec2:{region_of(stack)}"
        own = f"{here}:{account_of(stack)}"
        targets = [f"{own}:instance/{instance.ref}" for instance in instances]
        return iam.CfnPolicy(
            self._scope,
            "ReplacerPolicy",
            policy_name="ReplaceRootVolumes",
            roles=[self.role.role_name],
            policy_document=_policy(own, here, targets),
        )

    def render(self, label: str, *, instance: ec2.CfnInstance, image_id: str) -> CustomResource:
        """Add what keeps the AMI of an instance at ``image_id``.

        Args:
            label: What tells the instance from the others.
            instance: The instance.
            image_id: What stands for the AMI in the template.
        """
        return CustomResource(
            self._scope,
            f"Root{label}",
            service_token=self._function.function_arn,
            resource_type="Custom::RootVolume",
            service_timeout=Duration.minutes(20),
            properties={"InstanceId": instance.ref, "ImageId": image_id},
        )


def _policy(own: str, here: str, targets: Sequence[str]) -> dict[str, Any]:
    parts = [f"{own}:replace-root-volume-task/*", f"{own}:volume/*", f"{here}::image/*", f"{here}::snapshot/*"]
    return policy(
        [
            allow("Replace", ["ec2:CreateReplaceRootVolumeTask"], [*targets, *parts]),
            allow("Note", ["ec2:CreateTags"], targets),
            allow("Look", _LOOK, ["*"]),
        ]
    )
