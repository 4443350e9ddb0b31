"""The mixed instances policy of a group, rendered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aws_cdk import aws_autoscaling as autoscaling

from cdk_ami.fleet.mixed import InstanceChoice, InstanceNeeds, MixedInstances, OnDemandAllocation, SpotAllocation

if TYPE_CHECKING:
    from aws_cdk import aws_ec2 as ec2

    from cdk_ami.fleet.launch_template import RenderedLaunch

_SHAPE = autoscaling.CfnAutoScalingGroup


def mixed_policy(
    mixed: MixedInstances, launch: RenderedLaunch, *, names_images: bool
) -> autoscaling.CfnAutoScalingGroup.MixedInstancesPolicyProperty:
    """Return the mixed instances policy of ``mixed``.

    A choice with an image of its own has a launch template of its own: an instance refresh that skips what matches
    goes by templates, versions and types, and would not see that an AMI in an override has changed.
    https://docs.aws.amazon.com/autoscaling/ec2/userguide/asg-instance-refresh-skip-matching.html

    Args:
        mixed: The choices, checked before.
        launch: The launch templates.
        names_images: Whether each override names its AMI besides, which a refresh that replaces root volumes goes by.
            https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_LaunchTemplateOverrides.html
    """
    own = launch.launch_template
    return _SHAPE.MixedInstancesPolicyProperty(
        launch_template=_SHAPE.LaunchTemplateProperty(
            launch_template_specification=_specification(own),
            overrides=[
                _override(choice, None if template is own else template, image_id if names_images else None)
                for choice, template, image_id in zip(
                    mixed.choices, launch.choice_templates, launch.choice_image_ids, strict=True
                )
            ],
        ),
        instances_distribution=_distribution(mixed),
    )


def _specification(
    template: ec2.CfnLaunchTemplate,
) -> autoscaling.CfnAutoScalingGroup.LaunchTemplateSpecificationProperty:
    return _SHAPE.LaunchTemplateSpecificationProperty(
        launch_template_id=template.ref, version=template.attr_latest_version_number
    )


def _override(
    choice: InstanceChoice | InstanceNeeds, template: ec2.CfnLaunchTemplate | None, image_id: str | None
) -> autoscaling.CfnAutoScalingGroup.LaunchTemplateOverridesProperty:
    specification = None if template is None else _specification(template)
    if isinstance(choice, InstanceChoice):
        return _SHAPE.LaunchTemplateOverridesProperty(
            instance_type=choice.instance_type,
            weighted_capacity=None if choice.weight is None else str(choice.weight),
            launch_template_specification=specification,
            image_id=image_id,
        )
    return _SHAPE.LaunchTemplateOverridesProperty(
        instance_requirements=_requirements(choice), launch_template_specification=specification, image_id=image_id
    )


def _requirements(needs: InstanceNeeds) -> autoscaling.CfnAutoScalingGroup.InstanceRequirementsProperty:
    return _SHAPE.InstanceRequirementsProperty(
        v_cpu_count=_SHAPE.VCpuCountRequestProperty(min=needs.min_vcpus, max=needs.max_vcpus),
        memory_mib=_SHAPE.MemoryMiBRequestProperty(min=needs.min_memory_mib, max=needs.max_memory_mib),
        cpu_manufacturers=list(needs.cpu_manufacturers) or None,
        allowed_instance_types=list(needs.allowed_types) or None,
        excluded_instance_types=list(needs.excluded_types) or None,
        instance_generations=list(needs.generations) or None,
        burstable_performance=needs.burstable,
        bare_metal=needs.bare_metal,
        local_storage=needs.local_storage,
        on_demand_max_price_percentage_over_lowest_price=needs.max_on_demand_price_over_lowest_percent,
        max_spot_price_as_percentage_of_optimal_on_demand_price=needs.max_spot_price_of_on_demand_percent,
    )


def _distribution(mixed: MixedInstances) -> autoscaling.CfnAutoScalingGroup.InstancesDistributionProperty:
    spot: Mapping[str, Any] = {}
    if mixed.spot_percent:
        price = mixed.spot_max_price_usd
        spot = {
            "spot_allocation_strategy": (mixed.spot_allocation or SpotAllocation.PRICE_CAPACITY).value,
            "spot_instance_pools": mixed.spot_pools,
            "spot_max_price": None if price is None else str(price),
        }
    by_needs = any(isinstance(choice, InstanceNeeds) for choice in mixed.choices)
    usual = OnDemandAllocation.CHEAPEST if by_needs else OnDemandAllocation.IN_ORDER
    return _SHAPE.InstancesDistributionProperty(
        on_demand_base_capacity=mixed.on_demand_base,
        on_demand_percentage_above_base_capacity=100 - mixed.spot_percent,
        on_demand_allocation_strategy=(mixed.on_demand_allocation or usual).value,
        **spot,
    )
