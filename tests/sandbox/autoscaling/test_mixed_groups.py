"""Groups of a mixed instances policy: several types, AMIs, markets and weights in one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.groups import group_of, ids_of, states_of
from tests.support.happenings import Happenings

ARM = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
X86 = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


@pytest.fixture
def images(aws: Any) -> dict[str, str]:
    """The ids of a public AMI for each architecture."""
    found = {name: aws("ssm").get_parameter(Name=name)["Parameter"]["Value"] for name in (ARM, X86)}
    return {"arm64": found[ARM], "x86_64": found[X86]}


@pytest.fixture
def make_mixed(make_group: Callable[..., str]) -> Callable[..., str]:
    """Make a group of a mixed instances policy over the template ``web``."""

    def make(*overrides: Mapping[str, Any], distribution: Mapping[str, Any] | None = None, **request: Any) -> str:
        policy: dict[str, Any] = {
            "LaunchTemplate": {
                "LaunchTemplateSpecification": {"LaunchTemplateName": "web", "Version": "1"},
                "Overrides": list(overrides),
            }
        }
        if distribution:
            policy["InstancesDistribution"] = dict(distribution)
        return make_group(MixedInstancesPolicy=policy, **request)

    return make


def instances_of(aws: Any) -> list[dict[str, Any]]:
    found = aws("ec2").describe_instances(InstanceIds=ids_of(aws))["Reservations"]
    return [one for reservation in found for one in reservation["Instances"]]


def short(it: Happenings, instance_type: str) -> None:
    it.ask("autoscaling/capacity", {"region": "us-east-1", "instance_type": instance_type})


def test_one_group_runs_two_architectures_each_with_an_image_of_its_own(
    aws: Any, make_mixed: Any, images: dict[str, str], it: Happenings
) -> None:
    make_mixed(
        {"InstanceType": "t4g.small", "ImageId": images["arm64"]},
        {"InstanceType": "t3.small", "ImageId": images["x86_64"]},
        DesiredCapacity=2,
    )
    short(it, "t4g.small")

    aws("autoscaling").set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=3)

    assert Counter((one["InstanceType"], one["ImageId"], one["Architecture"]) for one in instances_of(aws)) == {
        ("t4g.small", images["arm64"], "arm64"): 2,
        ("t3.small", images["x86_64"], "x86_64"): 1,
    }


def test_an_override_may_have_a_template_of_its_own(aws: Any, make_mixed: Any, images: dict[str, str]) -> None:
    data = {"ImageId": images["arm64"], "InstanceType": "t4g.micro"}
    aws("ec2").create_launch_template(LaunchTemplateName="arm", LaunchTemplateData=data)
    own = {"LaunchTemplateName": "arm", "Version": "1"}

    make_mixed({"InstanceType": "t4g.medium", "LaunchTemplateSpecification": own}, DesiredCapacity=1)

    (instance,) = group_of(aws)["Instances"]
    assert (instance["InstanceType"], instance["LaunchTemplate"]["LaunchTemplateName"]) == ("t4g.medium", "arm")


def test_a_type_that_the_image_does_not_fit_is_refused_at_once(aws: Any, make_mixed: Any) -> None:
    with pytest.raises(ClientError, match="does not match the architecture"):
        make_mixed({"InstanceType": "t3.small"}, {"InstanceType": "t4g.small"})

    assert aws("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"] == []


def test_weights_count_towards_the_desired_capacity(aws: Any, make_mixed: Any, it: Happenings) -> None:
    make_mixed(
        {"InstanceType": "t3.xlarge", "WeightedCapacity": "4"},
        {"InstanceType": "t3.micro", "WeightedCapacity": "1"},
        DesiredCapacity=8,
    )
    weighed = [one["WeightedCapacity"] for one in group_of(aws)["Instances"]]
    short(it, "t3.xlarge")

    aws("autoscaling").set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=9)
    grown = sorted(one["WeightedCapacity"] for one in group_of(aws)["Instances"])
    aws("autoscaling").set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=5)

    assert (weighed, grown) == (["4", "4"], ["1", "4", "4"])
    assert sorted(one["WeightedCapacity"] for one in group_of(aws)["Instances"]) == ["1", "4"]


@pytest.mark.parametrize(
    ("distribution", "spot"),
    [
        ({"OnDemandBaseCapacity": 2, "OnDemandPercentageAboveBaseCapacity": 0}, 4),
        ({"OnDemandPercentageAboveBaseCapacity": 50}, 3),
        ({"OnDemandBaseCapacity": 1}, 0),
    ],
)
def test_spot_instances_have_their_share(aws: Any, make_mixed: Any, distribution: dict[str, int], spot: int) -> None:
    make_mixed({"InstanceType": "t3.micro"}, distribution=distribution, DesiredCapacity=6)

    markets = Counter(one.get("InstanceLifecycle", "on-demand") for one in instances_of(aws))

    assert (markets["spot"], markets["on-demand"]) == (spot, 6 - spot)


def test_requirements_choose_the_smallest_type_that_meets_them(aws: Any, make_mixed: Any, it: Happenings) -> None:
    requirements = {
        "VCpuCount": {"Min": 2, "Max": 2},
        "MemoryMiB": {"Min": 3000, "Max": 8192},
        "BurstablePerformance": "required",
        "CpuManufacturers": ["intel"],
        "InstanceGenerations": ["current"],
        "ExcludedInstanceTypes": ["t2.*"],
    }
    make_mixed({"InstanceRequirements": requirements}, DesiredCapacity=1)
    short(it, "t3.medium")

    aws("autoscaling").set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=2)

    first, second = (one["InstanceType"] for one in group_of(aws)["Instances"])
    assert (first, second) == ("t3.medium", "t3.large")
    kept = group_of(aws)["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"][0]["InstanceRequirements"]
    assert kept["MemoryMiB"] == {"Min": 3000, "Max": 8192}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"InstanceRequirements": {"VCpuCount": {"Min": 5000}, "MemoryMiB": {"Min": 1}}}, "No instance type meets"),
        (
            {"InstanceRequirements": {"VCpuCount": {"Min": 1}, "MemoryMiB": {"Min": 1}, "AcceleratorNames": ["a100"]}},
            "does not judge the instance requirements AcceleratorNames",
        ),
        (
            {
                "InstanceType": "t3.micro",
                "InstanceRequirements": {"VCpuCount": {"Min": 1}, "MemoryMiB": {"Min": 1}},
            },
            "either an InstanceType or InstanceRequirements",
        ),
    ],
)
def test_overrides_that_cannot_be_met_are_refused(make_mixed: Any, override: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        make_mixed(override)


def test_weights_are_for_all_or_for_none(make_mixed: Any) -> None:
    with pytest.raises(ClientError, match="WeightedCapacity for all instance types or for none"):
        make_mixed({"InstanceType": "t3.micro", "WeightedCapacity": "1"}, {"InstanceType": "t3.small"})


class Roots:
    """A group whose root volumes are replaced: two instances on the first of two images."""

    def __init__(self, aws: Any, make_mixed: Any, it: Happenings) -> None:
        self.aws, self.it, self.autoscaling = aws, it, aws("autoscaling")
        ec2 = aws("ec2")
        answer = ec2.run_instances(ImageId=f"resolve:ssm:{X86}", InstanceType="t3.micro", MinCount=1, MaxCount=1)
        instance = answer["Instances"][0]["InstanceId"]
        self.images = [ec2.create_image(InstanceId=instance, Name=f"golden-{n}")["ImageId"] for n in (1, 2)]
        ec2.terminate_instances(InstanceIds=[instance])
        make_mixed({"InstanceType": "t3.micro", "ImageId": self.images[0]}, DesiredCapacity=2)

    def desired(self, *, version: str = "1", **override: Any) -> dict[str, Any]:
        return {
            "MixedInstancesPolicy": {
                "LaunchTemplate": {
                    "LaunchTemplateSpecification": {"LaunchTemplateName": "web", "Version": version},
                    "Overrides": [{"InstanceType": "t3.micro", "ImageId": self.images[1], **override}],
                }
            }
        }

    def start(self, desired: dict[str, Any] | None = None, **preferences: Any) -> str:
        answer = self.autoscaling.start_instance_refresh(
            AutoScalingGroupName="web",
            Strategy="ReplaceRootVolume",
            DesiredConfiguration=self.desired() if desired is None else desired,
            Preferences=preferences,
        )
        self.it.settle()
        return str(answer["InstanceRefreshId"])

    def status(self) -> dict[str, Any]:
        (record,) = self.autoscaling.describe_instance_refreshes(AutoScalingGroupName="web")["InstanceRefreshes"]
        return dict(record)

    def volumes(self) -> dict[str, str]:
        """The snapshot of each instance's root volume."""
        found = {}
        for instance in instances_of(self.aws):
            (mapping,) = instance["BlockDeviceMappings"]
            (volume,) = self.aws("ec2").describe_volumes(VolumeIds=[mapping["Ebs"]["VolumeId"]])["Volumes"]
            found[instance["InstanceId"]] = volume["SnapshotId"]
        return found


@pytest.fixture
def roots(aws: Any, make_mixed: Any, it: Happenings) -> Roots:
    """Two instances on the first of two images."""
    return Roots(aws, make_mixed, it)


def test_root_volumes_are_replaced_and_instances_stay(roots: Roots) -> None:
    before = roots.volumes()

    roots.start()

    after = roots.volumes()
    assert (roots.status()["Status"], roots.status()["Strategy"]) == ("Successful", "ReplaceRootVolume")
    assert set(after) == set(before)
    assert len({*after.values(), *before.values()}) == 2
    assert {one["ImageId"] for one in instances_of(roots.aws)} == {roots.images[1]}
    assert {one["ImageId"] for one in group_of(roots.aws)["Instances"]} == {roots.images[1]}
    overrides = group_of(roots.aws)["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"]
    assert [one["ImageId"] for one in overrides] == [roots.images[1]]
    assert len(roots.aws("ec2").describe_volumes()["Volumes"]) == 2


def test_hooks_hold_an_instance_before_its_root_volume_goes_and_after(roots: Roots) -> None:
    for name, transition in (("before", "TERMINATING"), ("after", "LAUNCHING")):
        roots.autoscaling.put_lifecycle_hook(
            AutoScalingGroupName="web",
            LifecycleHookName=name,
            LifecycleTransition=f"autoscaling:EC2_INSTANCE_{transition}",
            DefaultResult="CONTINUE",
        )

    roots.start()
    seen = [states_of(roots.aws)]
    for _ in range(2):
        roots.it.advance(3601)
        seen.append(states_of(roots.aws))

    assert seen[:2] == [{"InService": 1, "ReplacingRootVolume:Wait": 1}, {"InService": 1, "Pending:Wait": 1}]
    leaving, *_ = roots.it.log("EC2 Instance-terminate Lifecycle Action")
    entering, *_ = roots.it.log("EC2 Instance-launch Lifecycle Action")
    for event in (leaving, entering):
        detail = event["detail"]
        assert (detail["Action"], detail["Origin"], detail["Destination"]) == (
            "ReplaceRootVolume",
            "AutoScalingGroup",
            "AutoScalingGroup",
        )


def test_a_root_volume_that_cannot_be_replaced_costs_the_instance(roots: Roots) -> None:
    before = set(ids_of(roots.aws))
    roots.start(CheckpointPercentages=[50, 100], CheckpointDelay=60)
    roots.aws("ec2").deregister_image(ImageId=roots.images[1])

    roots.it.advance(61)

    assert len(before & set(ids_of(roots.aws))) == 1
    assert roots.status()["Status"] != "Successful"


def test_replaced_root_volumes_are_rolled_back(roots: Roots) -> None:
    roots.start(BakeTime=600)

    roots.autoscaling.rollback_instance_refresh(AutoScalingGroupName="web")
    roots.it.settle()

    assert roots.status()["Status"] == "RollbackSuccessful"
    assert {one["ImageId"] for one in instances_of(roots.aws)} == {roots.images[0]}


def test_root_volumes_of_other_groups_are_not_replaced(roots: Roots) -> None:
    refused: dict[str, dict[str, Any]] = {
        "needs a mixed instances policy": {"LaunchTemplate": {"LaunchTemplateName": "web", "Version": "1"}},
        "ImageId in every override": {
            "MixedInstancesPolicy": {
                "LaunchTemplate": {
                    "LaunchTemplateSpecification": {"LaunchTemplateName": "web", "Version": "1"},
                    "Overrides": [{"InstanceType": "t3.micro"}],
                }
            }
        },
        "numbered launch template versions": roots.desired(version="$Latest"),
        "which the mixed instances policy does not have": roots.desired(InstanceType="t3.small"),
    }
    for message, desired in refused.items():
        with pytest.raises(ClientError, match=message):
            roots.start(desired)

    roots.autoscaling.put_warm_pool(AutoScalingGroupName="web", MinSize=0, MaxGroupPreparedCapacity=0)
    with pytest.raises(ClientError, match="has a warm pool"):
        roots.start()


def test_a_warm_pool_does_not_join_a_group_whose_root_volumes_are_being_replaced(roots: Roots) -> None:
    roots.start(BakeTime=600)

    with pytest.raises(ClientError, match="InstanceRefreshInProgress"):
        roots.autoscaling.put_warm_pool(AutoScalingGroupName="web")
