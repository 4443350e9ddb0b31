"""What each option of a fleet's group and instances renders: fleets of one stack, synthesized once."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elb

from cdk_ami import (
    Architecture,
    BandwidthWeighting,
    CapacityUnit,
    CpuOptions,
    DeletionProtection,
    HealthCheck,
    ImageChannel,
    ImageFleet,
    InstanceChoice,
    InstanceNeeds,
    MixedInstances,
    NetworkOptions,
    OnDemandAllocation,
    Scaling,
    SpotAllocation,
    TerminationPolicy,
    Tracking,
    Volume,
    WarmPool,
    WarmPoolState,
    ZonalShift,
)
from cdk_ami.fleet.refresh import Refresh, RefreshStrategy
from cdk_ami.fleet.rollout import Rollout
from tests.fleet.network import network
from tests.support.synth import get_att, make_stack, resources_of, template_of

ROOT = "/dev/xvda"
X86 = ImageChannel.from_name("web").machine_image(root_device=ROOT)
ARM = ImageChannel.from_name("web-arm").machine_image(architecture=Architecture.ARM64, root_device=ROOT)
AT_LAUNCH = ImageChannel.from_name("web").machine_image(tracking=Tracking.AT_LAUNCH)


class Rendered:
    """The template of the stack of all fleets, and each fleet's part of it."""

    def __init__(self) -> None:
        stack = make_stack()
        vpc = network(stack)
        self.stack = stack
        self.fleets = make_fleets(stack, vpc)
        self.template = template_of(stack)

    def of(self, fleet: str, kind: str) -> dict[str, dict[str, Any]]:
        """Return the resources of a kind that belong to a fleet, by their logical ids."""
        found = resources_of(self.template, kind)
        return {name: one["Properties"] for name, one in found.items() if name.startswith(fleet)}

    def group(self, fleet: str) -> dict[str, Any]:
        (found,) = self.of(fleet, "AWS::AutoScaling::AutoScalingGroup").values()
        return found

    def launch_data(self, fleet: str) -> dict[str, Any]:
        found = self.of(fleet, "AWS::EC2::LaunchTemplate")
        data: dict[str, Any] = next(iter(found.values()))["LaunchTemplateData"]
        return data


def make_fleets(stack: cdk.Stack, vpc: ec2.IVpc) -> dict[str, ImageFleet]:
    """Make a fleet for each group of options that go together."""
    public = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC)
    balancer = elb.ApplicationLoadBalancer(stack, "Balancer", vpc=vpc, vpc_subnets=public)
    targets = elb.ApplicationTargetGroup(stack, "Targets", vpc=vpc, port=80, target_type=elb.TargetType.INSTANCE)
    balancer.add_listener("Http", port=80, default_target_groups=[targets])
    carts = cloudwatch.Metric(
        namespace="Shop", metric_name="Carts", dimensions_map={"Shop": "main"}, statistic=cloudwatch.Stats.SUM
    )
    options: dict[str, dict[str, Any]] = {
        "Guarded": {
            "zonal_shift": ZonalShift.IGNORE_UNHEALTHY,
            "skip_zonal_shift_validation": True,
            "deletion_protection": DeletionProtection.ALWAYS,
            "termination_policies": [TerminationPolicy.OLDEST_LAUNCH_TEMPLATE, TerminationPolicy.DEFAULT],
            "max_instance_lifetime": cdk.Duration.days(30),
            "scale_in_protection": True,
            "health_checks": [HealthCheck.VOLUMES],
            "group_metrics": True,
        },
        "Served": {
            "target_groups": [targets],
            "max_size": 9,
            "scaling": [
                Scaling.on_cpu(percent=60, scale_in=False),
                Scaling.on_network_in(bytes_a_minute=1e6),
                Scaling.on_network_out(bytes_a_minute=2e6, warmup=cdk.Duration.minutes(2)),
                Scaling.on_requests(targets, a_minute=600),
                Scaling.on_metric(carts, target=50),
            ],
        },
        "Warm": {
            "max_size": 9,
            "volumes": [Volume(size_gib=40, initialization_rate_mib=200)],
            "warm_pool": WarmPool(state=WarmPoolState.HIBERNATED, min_size=2, max_prepared=6, reuse=True),
        },
        "Tuned": {
            "cpu": CpuOptions(core_count=2, threads_per_core=1, amd_sev_snp=True),
            "network": NetworkOptions(bandwidth=BandwidthWeighting.VOLUMES, public_ip=False),
            "instance_type": "m6a.xlarge",
        },
        "Nested": {"cpu": CpuOptions(nested_virtualization=True), "instance_type": "m8i.large"},
        "Types": {
            "mixed": MixedInstances(
                choices=[
                    InstanceChoice(instance_type="m7g.large", weight=2, image=ARM),
                    InstanceChoice(instance_type="m7i.large", weight=2),
                    InstanceChoice(instance_type="c7g.medium", weight=1, image=ARM),
                ],
                on_demand_base=2,
                spot_percent=75,
                spot_allocation=SpotAllocation.CHEAPEST,
                spot_pools=3,
                spot_max_price_usd=0.08,
                rebalance_capacity=True,
            ),
            "desired_size": 4,
        },
        "Needs": {
            "mixed": MixedInstances(
                choices=[
                    InstanceNeeds(
                        min_vcpus=2,
                        max_vcpus=8,
                        min_memory_mib=4_096,
                        cpu_manufacturers=["intel", "amd"],
                        excluded_types=["t*.*"],
                        generations=["current"],
                        burstable="excluded",
                        bare_metal="excluded",
                        local_storage="required",
                        max_on_demand_price_over_lowest_percent=30,
                        max_spot_price_of_on_demand_percent=60,
                    )
                ],
                spot_percent=50,
                unit=CapacityUnit.VCPUS,
            ),
            "desired_size": 8,
        },
        "InPlace": {
            "mixed": MixedInstances(
                choices=[
                    InstanceChoice(instance_type="m7g.large", image=ARM),
                    InstanceChoice(instance_type="m7i.large"),
                ]
            ),
            "rollout": Rollout.in_deployment(refresh=Refresh(strategy=RefreshStrategy.ROOT_VOLUME)),
        },
        "Launched": {
            "image": AT_LAUNCH,
            "mixed": MixedInstances(
                choices=[InstanceChoice(instance_type="m7i.large")], on_demand_allocation=OnDemandAllocation.CHEAPEST
            ),
        },
    }
    usual: dict[str, Any] = {"image": X86, "vpc": vpc}
    return {name: ImageFleet(stack, name, **(usual | given)) for name, given in options.items()}


@pytest.fixture(scope="module")
def rendered() -> Rendered:
    return Rendered()


def test_shift_protection_age_and_metrics_of_a_group_are_rendered(rendered: Rendered) -> None:
    group = rendered.group("Guarded")

    assert group["AvailabilityZoneImpairmentPolicy"] == {
        "ZonalShiftEnabled": True,
        "ImpairedZoneHealthCheckBehavior": "IgnoreUnhealthy",
    }
    assert group["SkipZonalShiftValidation"] is True
    assert group["DeletionProtection"] == "prevent-all-deletion"
    assert group["TerminationPolicies"] == ["OldestLaunchTemplate", "Default"]
    assert group["MaxInstanceLifetime"] == 2_592_000
    assert group["NewInstancesProtectedFromScaleIn"] is True
    assert group["HealthCheckType"] == "EBS"
    assert group["MetricsCollection"] == [{"Granularity": "1Minute"}]


def test_target_groups_judge_the_health_and_reach_the_instances(rendered: Rendered) -> None:
    group = rendered.group("Served")

    (targets,) = resources_of(rendered.template, "AWS::ElasticLoadBalancingV2::TargetGroup")
    assert group["TargetGroupARNs"] == [{"Ref": targets}]
    assert group["HealthCheckType"] == "ELB"
    (ingress,) = resources_of(rendered.template, "AWS::EC2::SecurityGroupIngress").values()
    (own,) = rendered.of("Served", "AWS::EC2::SecurityGroup")
    assert ingress["Properties"]["GroupId"] == get_att(own, "GroupId")
    assert (ingress["Properties"]["FromPort"], ingress["Properties"]["ToPort"]) == (80, 80)


def test_each_scaling_policy_follows_its_metric(rendered: Rendered) -> None:
    policies = rendered.of("Served", "AWS::AutoScaling::ScalingPolicy")

    targets = {name[6:14]: one["TargetTrackingConfiguration"] for name, one in policies.items()}
    (group,) = rendered.of("Served", "AWS::AutoScaling::AutoScalingGroup")
    assert {one["AutoScalingGroupName"]["Ref"] for one in policies.values()} == {group}
    assert {one["PolicyType"] for one in policies.values()} == {"TargetTrackingScaling"}
    assert targets["Scaling1"] == {
        "TargetValue": 60,
        "DisableScaleIn": True,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
    }
    assert targets["Scaling2"]["PredefinedMetricSpecification"] == {"PredefinedMetricType": "ASGAverageNetworkIn"}
    assert targets["Scaling3"]["PredefinedMetricSpecification"] == {"PredefinedMetricType": "ASGAverageNetworkOut"}
    assert targets["Scaling5"]["CustomizedMetricSpecification"] == {
        "MetricName": "Carts",
        "Namespace": "Shop",
        "Statistic": "Sum",
        "Dimensions": [{"Name": "Shop", "Value": "main"}],
    }
    assert [one["EstimatedInstanceWarmup"] for one in policies.values() if "EstimatedInstanceWarmup" in one] == [120]


def test_a_policy_that_counts_requests_names_balancer_and_targets_by_the_listener_which_so_is_there_before(
    rendered: Rendered,
) -> None:
    found = resources_of(rendered.template, "AWS::AutoScaling::ScalingPolicy")
    ((_, policy),) = [(name, one) for name, one in found.items() if name.startswith("ServedScaling4")]

    metric = policy["Properties"]["TargetTrackingConfiguration"]["PredefinedMetricSpecification"]
    assert metric["PredefinedMetricType"] == "ALBRequestCountPerTarget"
    *balancer, full_name = metric["ResourceLabel"]["Fn::Join"][1]
    (targets,) = resources_of(rendered.template, "AWS::ElasticLoadBalancingV2::TargetGroup")
    (listener,) = resources_of(rendered.template, "AWS::ElasticLoadBalancingV2::Listener")
    assert full_name == get_att(targets, "TargetGroupFullName")
    assert f"'Ref': '{listener}'" in str(balancer)


def test_a_warm_pool_hibernates_what_was_filled_at_a_rate(rendered: Rendered) -> None:
    (pool,) = rendered.of("Warm", "AWS::AutoScaling::WarmPool").values()

    (group,) = rendered.of("Warm", "AWS::AutoScaling::AutoScalingGroup")
    assert pool == {
        "AutoScalingGroupName": {"Ref": group},
        "PoolState": "Hibernated",
        "MinSize": 2,
        "MaxGroupPreparedCapacity": 6,
        "InstanceReusePolicy": {"ReuseOnScaleIn": True},
    }
    data = rendered.launch_data("Warm")
    assert data["HibernationOptions"] == {"Configured": True}
    (root,) = data["BlockDeviceMappings"]
    assert (root["Ebs"]["VolumeInitializationRate"], root["Ebs"]["Encrypted"]) == (200, True)


def test_processor_and_network_are_rendered_and_the_interface_has_the_security_groups(rendered: Rendered) -> None:
    data = rendered.launch_data("Tuned")

    assert data["CpuOptions"] == {"CoreCount": 2, "ThreadsPerCore": 1, "AmdSevSnp": "enabled"}
    assert data["NetworkPerformanceOptions"] == {"BandwidthWeighting": "ebs-1"}
    (own,) = rendered.of("Tuned", "AWS::EC2::SecurityGroup")
    assert data["NetworkInterfaces"] == [
        {
            "DeviceIndex": 0,
            "AssociatePublicIpAddress": False,
            "DeleteOnTermination": True,
            "Groups": [get_att(own, "GroupId")],
        }
    ]
    assert "SecurityGroupIds" not in data
    assert rendered.launch_data("Nested")["CpuOptions"] == {"NestedVirtualization": "enabled"}


def test_both_architectures_share_a_group_and_each_image_has_its_launch_template(rendered: Rendered) -> None:
    templates = rendered.of("Types", "AWS::EC2::LaunchTemplate")
    policy = rendered.group("Types")["MixedInstancesPolicy"]

    x86, arm = templates
    assert [one["LaunchTemplateData"]["ImageId"]["Ref"][:-8] for one in templates.values()] == [
        "ChannelWebLatest",
        "ChannelWebArmLatest",
    ]
    assert not [one for one in templates.values() if "InstanceType" in one["LaunchTemplateData"]]
    specification = {"LaunchTemplateId": {"Ref": arm}, "Version": get_att(arm, "LatestVersionNumber")}
    assert policy["LaunchTemplate"] == {
        "LaunchTemplateSpecification": {
            "LaunchTemplateId": {"Ref": x86},
            "Version": get_att(x86, "LatestVersionNumber"),
        },
        "Overrides": [
            {"InstanceType": "m7g.large", "WeightedCapacity": "2", "LaunchTemplateSpecification": specification},
            {"InstanceType": "m7i.large", "WeightedCapacity": "2"},
            {"InstanceType": "c7g.medium", "WeightedCapacity": "1", "LaunchTemplateSpecification": specification},
        ],
    }
    assert "LaunchTemplate" not in rendered.group("Types")


def test_overrides_name_their_amis_where_a_refresh_replaces_root_volumes(rendered: Rendered) -> None:
    overrides = rendered.group("InPlace")["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"]

    assert [one["ImageId"]["Ref"][:-8] for one in overrides] == ["ChannelWebArmLatest", "ChannelWebLatest"]
    assert "ImageId" not in str(rendered.group("Types")["MixedInstancesPolicy"])


def test_spot_shares_are_rendered_and_weights_leave_the_number_of_instances_open(rendered: Rendered) -> None:
    group = rendered.group("Types")

    assert group["MixedInstancesPolicy"]["InstancesDistribution"] == {
        "OnDemandBaseCapacity": 2,
        "OnDemandPercentageAboveBaseCapacity": 25,
        "OnDemandAllocationStrategy": "prioritized",
        "SpotAllocationStrategy": "lowest-price",
        "SpotInstancePools": 3,
        "SpotMaxPrice": "0.08",
    }
    assert group["CapacityRebalance"] is True
    assert rendered.fleets["Types"].expected_instances == {}
    assert sum(rendered.fleets["Launched"].expected_instances.values()) == 3


def test_what_instances_need_is_rendered_with_the_unit_of_the_sizes(rendered: Rendered) -> None:
    group = rendered.group("Needs")

    assert group["DesiredCapacityType"] == "vcpu"
    ((override,),) = [group["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"]]
    assert override == {
        "InstanceRequirements": {
            "VCpuCount": {"Min": 2, "Max": 8},
            "MemoryMiB": {"Min": 4_096},
            "CpuManufacturers": ["intel", "amd"],
            "ExcludedInstanceTypes": ["t*.*"],
            "InstanceGenerations": ["current"],
            "BurstablePerformance": "excluded",
            "BareMetal": "excluded",
            "LocalStorage": "required",
            "OnDemandMaxPricePercentageOverLowestPrice": 30,
            "MaxSpotPriceAsPercentageOfOptimalOnDemandPrice": 60,
        }
    }
    assert group["MixedInstancesPolicy"]["InstancesDistribution"] == {
        "OnDemandBaseCapacity": 0,
        "OnDemandPercentageAboveBaseCapacity": 50,
        "OnDemandAllocationStrategy": "lowest-price",
        "SpotAllocationStrategy": "price-capacity-optimized",
    }


def test_a_mixed_fleet_that_reads_its_image_at_launch_is_not_refreshed(rendered: Rendered) -> None:
    (group,) = [
        one
        for name, one in resources_of(rendered.template, "AWS::AutoScaling::AutoScalingGroup").items()
        if name.startswith("Launched")
    ]

    assert set(group["UpdatePolicy"]) == {"AutoScalingScheduledAction"}
    distribution = group["Properties"]["MixedInstancesPolicy"]["InstancesDistribution"]
    assert distribution["OnDemandAllocationStrategy"] == "lowest-price"


@pytest.mark.parametrize(
    ("method", "name", "namespace", "statistic"),
    [
        ("metric_cpu_utilization", "CPUUtilization", "AWS/EC2", "Average"),
        ("metric_network_in", "NetworkIn", "AWS/EC2", "Average"),
        ("metric_network_out", "NetworkOut", "AWS/EC2", "Average"),
        ("metric_status_check_failed", "StatusCheckFailed", "AWS/EC2", "Maximum"),
        ("metric_in_service", "GroupInServiceInstances", "AWS/AutoScaling", "Minimum"),
    ],
)
def test_a_metric_is_that_of_the_group(
    rendered: Rendered, method: str, name: str, namespace: str, statistic: str
) -> None:
    fleet = rendered.fleets["Guarded"]

    metric: cloudwatch.Metric = getattr(fleet, method)(period=cdk.Duration.minutes(1))

    assert (metric.metric_name, metric.namespace, metric.statistic) == (name, namespace, statistic)
    assert metric.dimensions == {"AutoScalingGroupName": fleet.auto_scaling_group_name}
    assert metric.period.to_seconds() == 60


def test_scaling_without_room_is_a_warning() -> None:
    stack = make_stack()

    fleet = ImageFleet(stack, "Fleet", image=X86, vpc=network(stack), scaling=[Scaling.on_cpu(percent=60)])

    (warning,) = [str(entry.data) for entry in fleet.node.metadata if "warn" in entry.type]
    assert "cdk-ami::NoRoomToScale" in warning
    assert "max_size are both 3" in warning
