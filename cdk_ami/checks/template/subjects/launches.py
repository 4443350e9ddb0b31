"""Rules over how an image is launched: launch templates, groups, what replaces their instances."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cdk_ami.checks import fleet, instances, sources
from cdk_ami.checks.rule import Problem
from cdk_ami.checks.template.places import Place, Resource, plain_text
from cdk_ami.checks.template.registry import Family, Severity, below, template_rule
from cdk_ami.checks.template.types import (
    AUTO_SCALING_GROUP,
    INSTANCE,
    LAUNCH_CONFIGURATION,
    LAUNCH_TEMPLATE,
    RECIPE,
)
from cdk_ami.limits import AMI_ID, LOOKED_UP_AMI

_ASG: Final = "https://docs.aws.amazon.com/autoscaling/ec2/APIReference/"
_POLICY: Final = (
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-updatepolicy.html"
)
_LT: Final = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RequestLaunchTemplateData.html"
_DATA: Final = "LaunchTemplateData"
_UPDATE: Final = "UpdatePolicy"
_REFRESH: Final = "AutoScalingInstanceRefresh"
_ROLLING: Final = "AutoScalingRollingUpdate"
_SECONDS_MAX: Final = 172_800
_LIFETIME: Final = (86_400, 31_536_000)
_SPEC: Final = "LaunchTemplate: {LaunchTemplateId: !Ref T, Version: !GetAtt T.LatestVersionNumber}"
_ZONES: Final = "VPCZoneIdentifier: [subnet-0a, subnet-0b]"


def _group(more: str = "MinSize: 1, MaxSize: 3", spec: str = _SPEC, zones: str = _ZONES, policy: str = "") -> str:
    update = f", UpdatePolicy: {{{policy}}}" if policy else ""
    return f"Group: {{Type: AWS::AutoScaling::AutoScalingGroup{update}, Properties: {{{spec}, {zones}, {more}}}}}"


def _template(data: str) -> str:
    return f"T: {{Type: AWS::EC2::LaunchTemplate, Properties: {{LaunchTemplateData: {{{data}}}}}}}"


_IMDS: Final = "MetadataOptions: {HttpTokens: required}"
_GOOD: Final = _group()
_UNKNOWN: Final = _group(
    "MinSize: !Ref Min, MaxSize: !Ref Max, DesiredCapacity: 5", "LaunchTemplate: !Ref L", "VPCZoneIdentifier: !Ref S"
)
_GOOD_TEMPLATE: Final = _template(f"{_IMDS}, ImageId: ami-0123456789abcdef0, SecurityGroupIds: [sg-0a]")


def _specs(it: Resource) -> list[Place]:
    """Return the launch template specifications of a group."""
    mixed = "MixedInstancesPolicy.LaunchTemplate"
    found = [
        it.get("LaunchTemplate"),
        it.at(f"{mixed}.LaunchTemplateSpecification"),
        *it.all(f"{mixed}.Overrides[].LaunchTemplateSpecification"),
    ]
    return [place for place in found if not place.absent]


@template_rule(
    "LaunchTemplateVersion",
    family=Family.DRIFTS,
    severity=Severity.ERROR,
    on=(AUTO_SCALING_GROUP,),
    why="CloudFormation sees no change, replaces nothing and can roll back to nothing; a group of a stack takes numbers only.",
    source="https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/"
    "aws-properties-autoscaling-autoscalinggroup-launchtemplatespecification.html",
    bad=(
        _group(
            spec="MixedInstancesPolicy: {LaunchTemplate: {LaunchTemplateSpecification: {LaunchTemplateId: !Ref T, Version: '1'}, "
            "Overrides: [{LaunchTemplateSpecification: {LaunchTemplateId: !Ref U, Version: $Latest}}]}}"
        ),
        _group(spec="LaunchTemplate: {LaunchTemplateId: !Ref T, Version: $Latest}"),
        _group(spec="LaunchTemplate: {LaunchTemplateId: !Ref T, Version: $Default}"),
        _group(
            spec="MixedInstancesPolicy: {LaunchTemplate: {LaunchTemplateSpecification: {LaunchTemplateId: !Ref T, Version: $Latest}}}"
        ),
        _group(spec="LaunchTemplate: {LaunchTemplateId: !Ref T}"),
    ),
    good=(_GOOD, _UNKNOWN, _group(spec="LaunchTemplate: {LaunchTemplateId: !Ref T, Version: '3'}")),
)
def launch_template_version(it: Resource) -> Iterator[Problem]:
    """A group names a numbered version of its launch template."""
    for spec in _specs(it):
        version = spec.get("Version")
        if version.text in {"$Latest", "$Default"}:
            yield version.problem("moves behind the stack's back", fix="write !GetAtt TEMPLATE.LatestVersionNumber")
        elif version.absent:
            yield version.problem("is missing", fix="write !GetAtt TEMPLATE.LatestVersionNumber")


@template_rule(
    "LaunchTemplateGiven",
    family=Family.FAILS,
    on=(AUTO_SCALING_GROUP,),
    why="The group cannot be created.",
    source=f"{_ASG}API_CreateAutoScalingGroup.html",
    bad=(
        _group(spec="Cooldown: '300'"),
        _group(spec=f"{_SPEC}, LaunchConfigurationName: !Ref C"),
        _group(spec=f"{_SPEC}, MixedInstancesPolicy: {{LaunchTemplate: {{}}}}, InstanceId: i-0a"),
        _group(spec="LaunchTemplate: {LaunchTemplateId: !Ref T, LaunchTemplateName: web, Version: '1'}"),
        _group(spec="LaunchTemplate: {Version: '1'}"),
    ),
    good=(
        _GOOD,
        _UNKNOWN,
        _group(spec="LaunchConfigurationName: !Ref C"),
        "G: {Type: AWS::AutoScaling::AutoScalingGroup, Properties: !Ref E}",
    ),
)
def launch_template_given(it: Resource) -> Iterator[Problem]:
    """A group launches from one thing: a template by id or name, a mix, a configuration or an instance."""
    keys = ("LaunchTemplate", "MixedInstancesPolicy", "LaunchConfigurationName", "InstanceId")
    given = [key for key in keys if it.get(key).given]
    if all(it.get(key).absent for key in keys):
        yield it.get("LaunchTemplate").problem(
            "is missing, and nothing else says what to launch", fix="name a template"
        )
    elif len(given) > 1:
        yield it.get(given[1]).problem(f"is given beside {given[0]}", got=None, fix="keep one of them")
    for spec in _specs(it):
        name, by_id = spec.get("LaunchTemplateName"), spec.get("LaunchTemplateId")
        if name.given and by_id.given:
            yield name.problem("is given beside LaunchTemplateId", fix="keep one of the two")
        elif name.absent and by_id.absent:
            yield by_id.problem("is missing, and LaunchTemplateName is too", fix="name the launch template")


@template_rule(
    "LaunchConfiguration",
    family=Family.DRIFTS,
    on=(LAUNCH_CONFIGURATION,),
    why="Newer accounts cannot make one, and new instance types never come to them.",
    source="https://docs.aws.amazon.com/autoscaling/ec2/userguide/launch-configurations.html",
    bad=("Web: {Type: AWS::AutoScaling::LaunchConfiguration, Properties: {MetadataOptions: {HttpTokens: required}}}",),
    good=("Web: {Type: AWS::EC2::LaunchTemplate, Properties: {}}",),
)
def launch_configuration(it: Resource) -> Iterator[Problem]:
    """A group launches from a launch template."""
    yield Problem(problem="is a launch configuration", got=it.logical_id, fix="use AWS::EC2::LaunchTemplate", at="Type")


@template_rule(
    "GroupSizes",
    family=Family.FAILS,
    on=(AUTO_SCALING_GROUP,),
    why="The group cannot be created.",
    bad=(
        _group("MinSize: 3, MaxSize: 1"),
        _group("MinSize: '1', MaxSize: '3', DesiredCapacity: '4'"),
        _group("MinSize: 2, MaxSize: 3, DesiredCapacity: 1"),
        _group("MinSize: -1, MaxSize: 3"),
    ),
    good=(_GOOD, _UNKNOWN, _group("MinSize: 1, MaxSize: 3, DesiredCapacity: 3"), _group("MinSize: 0, MaxSize: 0")),
)
def group_sizes(it: Resource) -> Iterator[Problem]:
    """The desired size lies between the smallest and the largest."""
    least, most, wanted = it.get("MinSize"), it.get("MaxSize"), it.get("DesiredCapacity")
    for place in (least, most, wanted):
        if place.number is not None:
            yield from below(place, fleet.group_size(place.number))
    if least.number is not None and most.number is not None:
        desired = wanted.number if wanted.number is not None else least.number
        for found in fleet.group_sizes(least.number, desired, most.number):
            yield found._replace(at=(wanted if found.at == "desired_size" else least).path)


@template_rule(
    "GroupPlace",
    family=Family.FAILS,
    on=(AUTO_SCALING_GROUP,),
    why="The group cannot be created.",
    source=f"{_ASG}API_CreateAutoScalingGroup.html",
    bad=(
        _group(zones="Cooldown: '300'"),
        _group(zones="AvailabilityZones: [eu-west-1a, eu-west-1b]"),
        _group(zones="AvailabilityZones: [us-east-1a, us-east-1a]"),
    ),
    good=(
        _group(zones="AvailabilityZoneIds: [use1-az1, use1-az2]"),
        _GOOD,
        _UNKNOWN,
        _group(zones="AvailabilityZones: !GetAZs ''"),
        _group(zones="AvailabilityZones: [us-east-1a, us-east-1b]"),
    ),
)
def group_place(it: Resource) -> Iterator[Problem]:
    """A group has subnets, or zones of its Region, each once."""
    zones, subnets = it.get("AvailabilityZones"), it.get("VPCZoneIdentifier")
    if zones.absent and subnets.absent and it.get("AvailabilityZoneIds").absent:
        yield subnets.problem("is missing, and AvailabilityZones is too", fix="name a subnet in each zone")
    names = [place for place in zones.items() if place.text is not None]
    for found in fleet.zones([place.text or "" for place in names]) if names else ():
        yield found._replace(at=names[int(found.at.strip("[]"))].path)
    for place in names:
        yield from below(place, fleet.zone_name(place.text or ""))
        if it.template.region:
            yield from below(place, fleet.zone_region(place.text or "", it.template.region))


@template_rule(
    "OneZone",
    family=Family.DRIFTS,
    on=(AUTO_SCALING_GROUP,),
    why="When the zone fails, everything stands still.",
    source="https://docs.aws.amazon.com/autoscaling/ec2/userguide/auto-scaling-benefits.html",
    bad=(
        _group(zones="VPCZoneIdentifier: [subnet-0a]"),
        """
Parameters: {Subnet: {Type: 'AWS::EC2::Subnet::Id'}}
Resources:
  Group: {Type: AWS::AutoScaling::AutoScalingGroup, Properties: {VPCZoneIdentifier: [!Ref Subnet], MinSize: 1, MaxSize: 2}}
""",
        _group(zones="AvailabilityZones: [us-east-1a]"),
        """
A: {Type: AWS::EC2::Subnet, Properties: {AvailabilityZone: us-east-1a}}
B: {Type: AWS::EC2::Subnet, Properties: {AvailabilityZone: us-east-1a}}
Group:
  Type: AWS::AutoScaling::AutoScalingGroup
  Properties: {MinSize: 1, MaxSize: 2, VPCZoneIdentifier: [!Ref A, !Ref B]}
""",
    ),
    good=(
        _GOOD,
        _UNKNOWN,
        _group(zones="AvailabilityZones: !GetAZs ''"),
        _group("MinSize: 1, MaxSize: 1", zones="VPCZoneIdentifier: [subnet-0a]"),
        """
A: {Type: AWS::EC2::Subnet, Properties: {AvailabilityZone: us-east-1a}}
B: {Type: AWS::EC2::Subnet, Properties: {AvailabilityZone: us-east-1b}}
Group:
  Type: AWS::AutoScaling::AutoScalingGroup
  Properties: {MinSize: 1, MaxSize: 2, VPCZoneIdentifier: [!Ref A, !Ref B]}
""",
        """
Parameters: {Subnets: {Type: 'List<AWS::EC2::Subnet::Id>'}}
Resources:
  Group: {Type: AWS::AutoScaling::AutoScalingGroup, Properties: {VPCZoneIdentifier: [!Ref Subnets], MinSize: 1, MaxSize: 2}}
""",
    ),
)
def one_zone(it: Resource) -> Iterator[Problem]:
    """A group of several instances spreads over several zones."""
    if it.get("MaxSize").number in (0, 1):
        return
    zones, subnets = it.get("AvailabilityZones"), it.get("VPCZoneIdentifier")
    places = subnets if subnets.given else zones
    members = places.items()
    if len(members) == 1 and _is_one(it, members[0]):
        yield places.problem("names one zone", got=None, fix="name a subnet in each of at least two zones")
    elif subnets.given and len(members) > 1:
        made = [it.target(member, "AWS::EC2::Subnet") for member in members]
        found = [subnet.get("AvailabilityZone") for subnet in made if subnet is not None]
        if (
            len(found) == len(members)
            and len({str(zone.raw) for zone in found}) == 1
            and all(zone.given for zone in found)
        ):
            yield subnets.problem(
                "names subnets of one zone", got=found[0].raw, fix="put the subnets into different zones"
            )


_ONE: Final = ("AWS::EC2::Subnet::Id", "AWS::EC2::AvailabilityZone::Name")


def _is_one(it: Resource, member: Place) -> bool:
    found = member.reference
    kind = it.template.parameter_type(found.logical_id) if found else ""
    if found is not None:
        return found.logical_id in it.template.resources or kind in _ONE
    return bool(member.text) and "," not in str(member.text)


def _launch_templates(it: Resource) -> Iterator[tuple[Place, Resource | None]]:
    for spec in _specs(it):
        place = spec.get("LaunchTemplateId")
        yield place, it.target(place, LAUNCH_TEMPLATE) or it.target(spec.get("LaunchTemplateName"), LAUNCH_TEMPLATE)


@template_rule(
    "RollbackNeedsImage",
    family=Family.FAILS,
    on=(AUTO_SCALING_GROUP,),
    why="A refresh cannot roll back to, nor from, a template that looks its image up: the deployment is stuck half way.",
    source="https://docs.aws.amazon.com/autoscaling/ec2/userguide/instance-refresh-rollback.html",
    bad=(
        _group(
            spec="LaunchTemplate: {LaunchTemplateId: !Ref T, Version: $Default}",
            policy="AutoScalingInstanceRefresh: {Strategy: Rolling}",
        ),
        _group(
            spec="LaunchTemplate: {LaunchTemplateName: !Ref T, Version: '1'}",
            policy="AutoScalingInstanceRefresh: {Strategy: Rolling}",
        )
        + "\n"
        + _template(f"{_IMDS}, ImageId: 'resolve:ssm:/imagebuilder/web/latest'"),
        _group(policy="AutoScalingInstanceRefresh: {Strategy: Rolling}")
        + "\n"
        + _template(f"{_IMDS}, ImageId: 'resolve:ssm:/imagebuilder/web/latest'"),
        _group(policy="AutoScalingRollingUpdate: {MaxBatchSize: 1}")
        + "\n"
        + _template(f"{_IMDS}, ImageId: !Sub 'resolve:ssm:/imagebuilder/${{AWS::StackName}}/latest'"),
        _group(
            spec="LaunchTemplate: {LaunchTemplateId: !Ref T, Version: $Latest}",
            policy="AutoScalingInstanceRefresh: {Strategy: Rolling}",
        ),
    ),
    good=(
        _GOOD,
        _group(policy="AutoScalingInstanceRefresh: {Strategy: Rolling}") + "\n" + _GOOD_TEMPLATE,
        _group() + "\n" + _template(f"{_IMDS}, ImageId: 'resolve:ssm:/imagebuilder/web/latest'"),
        _group(policy="AutoScalingInstanceRefresh: {Strategy: Rolling}")
        + "\n"
        + _template(f"{_IMDS}, ImageId: !Ref Ami"),
    ),
)
def rollback_needs_image(it: Resource) -> Iterator[Problem]:
    """A group whose instances are replaced launches a concrete image in a numbered version."""
    policy = it.attributes[_UPDATE]
    refreshed = policy.get(_REFRESH).given
    if not refreshed and not policy.get(_ROLLING).given:
        return
    for place, template in _launch_templates(it):
        image = template.at(f"{_DATA}.ImageId") if template else None
        if image is not None and image.partial.startswith("resolve:ssm:"):
            yield place.problem(
                "names a template that looks its image up at launch",
                got=image.text,
                fix="read the parameter at deploy, by a template parameter of the type AWS::SSM::Parameter::Value",
            )
    for spec in _specs(it) if refreshed else ():
        if spec.get("Version").text in {"$Latest", "$Default"}:
            yield spec.get("Version").problem("can be rolled back to nothing", fix="write the number of a version")


@template_rule(
    "ImageMovesAlone",
    family=Family.DRIFTS,
    on=(AUTO_SCALING_GROUP,),
    why="The image moves with each deployment, and the instances that run stay as they are until they die.",
    source=_POLICY,
    bad=(
        """
Parameters: {Ami: {Type: AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>, Default: /imagebuilder/web/latest}}
Resources:
  T: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {ImageId: !Ref Ami}}}
  G: {Type: AWS::AutoScaling::AutoScalingGroup, Properties: {LaunchTemplate: {LaunchTemplateId: !Ref T, Version: '1'}}}
""",
        """
T: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {ImageId: '{{resolve:ssm:/imagebuilder/web/latest}}'}}}
G: {Type: AWS::AutoScaling::AutoScalingGroup, Properties: {LaunchTemplate: {LaunchTemplateId: !Ref T, Version: '1'}}}
""",
    ),
    good=(
        """
Parameters: {Ami: {Type: AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>, Default: /imagebuilder/web/latest}}
Resources:
  T: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {ImageId: !Ref Ami}}}
  G:
    Type: AWS::AutoScaling::AutoScalingGroup
    UpdatePolicy: {AutoScalingRollingUpdate: {MaxBatchSize: 1}}
    Properties: {LaunchTemplate: {LaunchTemplateId: !Ref T, Version: '1'}}
""",
        _group() + "\n" + _GOOD_TEMPLATE,
    ),
)
def image_moves_alone(it: Resource) -> Iterator[Problem]:
    """A group whose image moves at deploy replaces its instances."""
    policy = it.attributes[_UPDATE]
    if not policy.absent:
        return
    for _, template in _launch_templates(it):
        image = template.at(f"{_DATA}.ImageId") if template else None
        if image is not None and _moves_at_deploy(it, image):
            fix = "add AutoScalingInstanceRefresh or AutoScalingRollingUpdate"
            yield policy.problem("is missing, while the image comes from a parameter", fix=fix)
            return


def _moves_at_deploy(it: Resource, image: Place) -> bool:
    found = image.reference
    kind = it.template.parameter_type(found.logical_id) if found else ""
    return kind.startswith("AWS::SSM::Parameter::Value") or image.partial.startswith("${Token[resolve.ssm")


@template_rule(
    "OneUpdatePolicy",
    family=Family.FAILS,
    on=(AUTO_SCALING_GROUP,),
    why="CloudFormation refuses the two together.",
    source=_POLICY,
    bad=(
        _group(policy="AutoScalingInstanceRefresh: {Strategy: Rolling}, AutoScalingRollingUpdate: {MaxBatchSize: 1}"),
        _group(policy="AutoScalingReplacingUpdate: {WillReplace: true}, AutoScalingRollingUpdate: {MaxBatchSize: 1}"),
    ),
    good=(_GOOD, _group(policy="AutoScalingRollingUpdate: {MaxBatchSize: 1}, AutoScalingScheduledAction: {}")),
)
def one_update_policy(it: Resource) -> Iterator[Problem]:
    """A group's instances are replaced in one way."""
    policy = it.attributes[_UPDATE]
    given = [policy.get(key) for key in (_REFRESH, _ROLLING, "AutoScalingReplacingUpdate") if policy.get(key).given]
    replaces = policy.at("AutoScalingReplacingUpdate.WillReplace").flag
    ways = [place for place in given if not place.path.endswith("ReplacingUpdate") or replaces]
    if len(ways) > 1:
        yield ways[1].problem("is given beside another way to replace", got=None, fix="keep one of them")


@template_rule(
    "RefreshSettings",
    family=Family.FAILS,
    on=(AUTO_SCALING_GROUP,),
    why="The deployment fails when it comes to the group.",
    source=f"{_ASG}API_RefreshPreferences.html",
    bad=(
        _group(
            policy="AutoScalingInstanceRefresh: {Preferences: {MinHealthyPercentage: 100, MaxHealthyPercentage: 100}}"
        ),
        _group(policy="AutoScalingInstanceRefresh: {Preferences: {CheckpointPercentages: [0]}}"),
        _group(policy="AutoScalingInstanceRefresh: {Preferences: {CheckpointPercentages: [50, 50]}}"),
        _group(policy="AutoScalingInstanceRefresh: {Preferences: {MinHealthyPercentage: -2}}"),
        _group(
            policy="AutoScalingInstanceRefresh: {Preferences: {MinHealthyPercentage: 50, MaxHealthyPercentage: 200}}"
        ),
        _group(policy="AutoScalingInstanceRefresh: {Preferences: {MinHealthyPercentage: 101}}"),
        _group(policy="AutoScalingInstanceRefresh: {Preferences: {BakeTime: 172801}}"),
        _group(policy="AutoScalingInstanceRefresh: {Preferences: {CheckpointDelay: -1}}"),
        _group(policy="AutoScalingInstanceRefresh: {Strategy: BlueGreen}"),
        _group(policy="AutoScalingInstanceRefresh: {Preferences: {CheckpointPercentages: [50, 20, 100]}}"),
        _group(policy="AutoScalingInstanceRefresh: {Preferences: {CheckpointPercentages: [50, 120]}}"),
        _group(
            "MinSize: 1, MaxSize: 2, InstanceMaintenancePolicy: {MinHealthyPercentage: 10, MaxHealthyPercentage: 190}"
        ),
    ),
    good=(
        _group(
            policy="AutoScalingInstanceRefresh: {Strategy: Rolling, Preferences: {MinHealthyPercentage: 0, CheckpointPercentages: [1, 100]}}"
        ),
        _group(policy="AutoScalingInstanceRefresh: {Preferences: {MinHealthyPercentage: 100}}"),
        _GOOD,
        _group(
            policy="AutoScalingInstanceRefresh: {Strategy: ReplaceRootVolume, Preferences: {MinHealthyPercentage: 100, "
            "MaxHealthyPercentage: 200, BakeTime: 172800, CheckpointDelay: 0, CheckpointPercentages: [20, 50, 100]}}"
        ),
        _group(
            "MinSize: 1, MaxSize: 2, InstanceMaintenancePolicy: {MinHealthyPercentage: -1, MaxHealthyPercentage: -1}"
        ),
        _group(
            policy="AutoScalingInstanceRefresh: {Preferences: {MinHealthyPercentage: !Ref M, MaxHealthyPercentage: 200}}"
        ),
    ),
)
def refresh_settings(it: Resource) -> Iterator[Problem]:
    """A refresh keeps 0 to 100 and at most 100 to 200 percent, bakes two days at most, and stops at rising percentages."""
    refresh = it.attributes[_UPDATE].get(_REFRESH)
    preferences = refresh.get("Preferences")
    strategy = refresh.get("Strategy")
    if strategy.text not in (None, "Rolling", "ReplaceRootVolume"):
        yield strategy.problem("is no strategy of a refresh", fix="use Rolling or ReplaceRootVolume")
    for healthy in (preferences, it.get("InstanceMaintenancePolicy")):
        yield from _healthy(healthy)
    for key in ("BakeTime", "CheckpointDelay"):
        place = preferences.get(key)
        if place.number is not None and not 0 <= place.number <= _SECONDS_MAX:
            yield place.problem("is out of range", fix=f"give 0 to {_SECONDS_MAX:,} seconds")
    stops = [place for place in preferences.get("CheckpointPercentages").items() if place.number is not None]
    for before, place in zip([None, *stops], stops, strict=False):
        number = place.number or 0
        if not 1 <= number <= 100 or (before is not None and number <= (before.number or 0)):  # noqa: PLR2004 - percent
            yield place.problem("is no next checkpoint", fix="give rising percentages up to 100")


def _healthy(place: Place) -> Iterator[Problem]:
    least, most = place.get("MinHealthyPercentage"), place.get("MaxHealthyPercentage")
    if least.number == -1 or most.number == -1 or least.unknown or most.unknown:
        return
    if least.number is None:
        return
    highest = most.number if most.number is not None else max(100, least.number)
    for found in fleet.healthy_percent(least.number, highest):
        if most.number is None and least.number == 100:  # noqa: PLR2004 - all
            return  # the service launches before it terminates where nothing else is said
        yield found._replace(at=(least if found.at == "min_healthy_percent" else most).path)


@template_rule(
    "RollingUpdateStuck",
    family=Family.FAILS,
    on=(AUTO_SCALING_GROUP,),
    why="No instance may go, so none is ever replaced: the deployment fails.",
    source=_POLICY,
    bad=(
        _group("MinSize: 1, MaxSize: 2", policy="AutoScalingRollingUpdate: {MinInstancesInService: 2}"),
        _group("MinSize: 1, MaxSize: '2'", policy="AutoScalingRollingUpdate: {MinInstancesInService: '3'}"),
        _group("MinSize: 1, MaxSize: 2", policy="AutoScalingRollingUpdate: {WaitOnResourceSignals: true}"),
    ),
    good=(
        _GOOD,
        _group("MinSize: 1, MaxSize: 2", policy="AutoScalingRollingUpdate: {MinInstancesInService: 1}"),
        _group("MinSize: 1, MaxSize: !Ref M", policy="AutoScalingRollingUpdate: {MinInstancesInService: 9}"),
        _group(
            "MinSize: 1, MaxSize: 2", policy="AutoScalingRollingUpdate: {WaitOnResourceSignals: true, PauseTime: PT10M}"
        ),
    ),
)
def rolling_update_stuck(it: Resource) -> Iterator[Problem]:
    """A rolling update leaves room to replace an instance, and time to hear of it."""
    rolling = it.attributes[_UPDATE].get(_ROLLING)
    service, most = rolling.get("MinInstancesInService"), it.get("MaxSize").number
    if service.number is not None and most is not None and service.number >= most:
        yield service.problem(f"is not less than MaxSize, which is {most}", fix="lower it, or raise MaxSize")
    if rolling.get("WaitOnResourceSignals").flag and rolling.get("PauseTime").absent:
        yield rolling.get("PauseTime").problem(
            "is missing beside WaitOnResourceSignals", fix="say how long, such as PT10M"
        )


@template_rule(
    "InstanceLifetime",
    family=Family.FAILS,
    on=(AUTO_SCALING_GROUP,),
    why="The group cannot be created.",
    source=f"{_ASG}API_CreateAutoScalingGroup.html",
    bad=(
        _group("MinSize: 1, MaxSize: 2, MaxInstanceLifetime: 3600"),
        _group("MinSize: 1, MaxSize: 2, MaxInstanceLifetime: 31536001"),
    ),
    good=(
        _GOOD,
        _group("MinSize: 1, MaxSize: 2, MaxInstanceLifetime: 86400"),
        _group("MinSize: 1, MaxSize: 2, MaxInstanceLifetime: 31536000"),
        _group("MinSize: 1, MaxSize: 2, MaxInstanceLifetime: 0"),
    ),
)
def instance_lifetime(it: Resource) -> Iterator[Problem]:
    """An instance lives for a day to a year, or without end."""
    place = it.get("MaxInstanceLifetime")
    low, high = _LIFETIME
    if place.number is not None and place.number != 0 and not low <= place.number <= high:
        yield place.problem("is out of range", fix=f"give {low:,} to {high:,} seconds")


@template_rule(
    "HealthByBalancer",
    family=Family.DRIFTS,
    on=(AUTO_SCALING_GROUP,),
    why="An instance whose service has died stays, as long as its machine is up, and a bad image is rolled out to the end.",
    source="https://docs.aws.amazon.com/autoscaling/ec2/userguide/health-checks-overview.html",
    bad=(
        _group("MinSize: 1, MaxSize: 2, LoadBalancerNames: [!Ref L]"),
        _group("MinSize: 1, MaxSize: 2, TargetGroupARNs: [!Ref G]"),
        _group("MinSize: 1, MaxSize: 2, TargetGroupARNs: [!Ref G], HealthCheckType: EC2"),
    ),
    good=(
        _GOOD,
        _group("MinSize: 1, MaxSize: 2, TargetGroupARNs: [!Ref G], HealthCheckType: ELB"),
        _group("MinSize: 1, MaxSize: 2, TargetGroupARNs: [!Ref G], HealthCheckType: 'EC2,ELB'"),
        _group("MinSize: 1, MaxSize: 2, TargetGroupARNs: [!Ref G], HealthCheckType: !Ref H"),
    ),
)
def health_by_balancer(it: Resource) -> Iterator[Problem]:
    """A group behind a load balancer asks it which instances are healthy."""
    kind = it.get("HealthCheckType")
    behind = any(it.get(key).items() for key in ("TargetGroupARNs", "LoadBalancerNames"))
    if behind and (kind.absent or kind.text == "EC2"):
        yield kind.problem("looks at the machine alone", fix="set it to ELB, with a grace period")


@template_rule(
    "MixedProcessors",
    family=Family.FAILS,
    on=(AUTO_SCALING_GROUP,),
    why="One image runs on one processor: launches of the other types fail.",
    source="https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-mixed-instances-groups.html",
    bad=(
        _group(
            spec="MixedInstancesPolicy: {LaunchTemplate: {LaunchTemplateSpecification: {LaunchTemplateId: !Ref T, Version: '1'}, "
            "Overrides: [{InstanceType: m7i.large}, {InstanceType: m7g.large}]}}"
        ),
    ),
    good=(
        _group(
            spec="MixedInstancesPolicy: {LaunchTemplate: {LaunchTemplateSpecification: {LaunchTemplateId: !Ref T, Version: '1'}, "
            "Overrides: [{InstanceType: m7i.large}, {InstanceType: m7g.large, LaunchTemplateSpecification: {LaunchTemplateId: !Ref U}}]}}"
        ),
        _GOOD,
        _group(
            spec="MixedInstancesPolicy: {LaunchTemplate: {LaunchTemplateSpecification: {LaunchTemplateId: !Ref T, Version: '1'}, "
            "Overrides: [{InstanceType: m7i.large}, {InstanceType: m7g.large, ImageId: !Ref Arm}]}}"
        ),
        _group(
            spec="MixedInstancesPolicy: {LaunchTemplate: {LaunchTemplateSpecification: {LaunchTemplateId: !Ref T, Version: '1'}, "
            "Overrides: [{InstanceType: m7i.large}, {InstanceType: m6i.large}]}}"
        ),
    ),
)
def mixed_processors(it: Resource) -> Iterator[Problem]:
    """The types of a mixed group have one processor, or an image for each."""
    first = None
    for entry in it.all("MixedInstancesPolicy.LaunchTemplate.Overrides[]"):
        kind = entry.get("InstanceType")
        own = instances.architecture_of(kind.text or "")
        if own is None or not (entry.get("ImageId").absent and entry.get("LaunchTemplateSpecification").absent):
            continue
        first = first or own
        yield from below(kind, instances.instance_architecture(kind.text or "", first))


@template_rule(
    "ImageId",
    family=Family.FAILS,
    on=(LAUNCH_TEMPLATE, LAUNCH_CONFIGURATION, INSTANCE),
    why="Nothing can be launched.",
    source=_LT,
    bad=(
        "Web: {Type: AWS::EC2::Instance, Properties: {ImageId: 'resolve:ssm:/imagebuilder/web'}}",
        _template(f"{_IMDS}, ImageId: ami-web"),
        _template(f"{_IMDS}, ImageId: 'ssm:/imagebuilder/web'"),
    ),
    good=(
        _GOOD_TEMPLATE,
        _template(f"{_IMDS}, ImageId: !Ref Ami"),
        _template(f"{_IMDS}, ImageId: ami-1234"),
        _template(f"{_IMDS}, ImageId: 'resolve:ssm:/imagebuilder/web/latest'"),
        _template(f"{_IMDS}, ImageId: '{{{{resolve:ssm:/imagebuilder/web/latest}}}}'"),
    ),
)
def image_id(it: Resource) -> Iterator[Problem]:
    """What is launched is an AMI by its id, or resolve:ssm: and a parameter in a launch template."""
    image = it.at(f"{_DATA}.ImageId" if it.type == LAUNCH_TEMPLATE else "ImageId")
    resolves = it.type == LAUNCH_TEMPLATE and (image.text or "").startswith("resolve:ssm:")
    if image.text in (None, LOOKED_UP_AMI) or resolves:
        return
    if not re.fullmatch(AMI_ID, image.text or ""):
        yield image.problem(
            "is no AMI", fix="give an id such as ami-0123456789abcdef0, or resolve:ssm: and a parameter"
        )


@template_rule(
    "GroupsAndInterfaces",
    family=Family.FAILS,
    on=(LAUNCH_TEMPLATE,),
    why="EC2 takes security groups of the interfaces, or of the instance, not both.",
    source=f"{_LT}",
    bad=(
        _template(f"{_IMDS}, SecurityGroups: [web], NetworkInterfaces: [{{DeviceIndex: 0}}]"),
        _template(f"{_IMDS}, SecurityGroupIds: [sg-0a], NetworkInterfaces: [{{DeviceIndex: 0}}]"),
    ),
    good=(_GOOD_TEMPLATE, _template(f"{_IMDS}, NetworkInterfaces: [{{DeviceIndex: 0, Groups: [sg-0a]}}]")),
)
def groups_and_interfaces(it: Resource) -> Iterator[Problem]:
    """Security groups stand at the network interfaces where there are any."""
    data = it.get(_DATA)
    groups = next((data.get(key) for key in ("SecurityGroupIds", "SecurityGroups") if data.get(key).given), None)
    if groups is not None and data.get("NetworkInterfaces").items():
        yield groups.problem("is given beside NetworkInterfaces", got=None, fix="move the groups to the interface")


@template_rule(
    "TypeOrRequirements",
    family=Family.FAILS,
    on=(LAUNCH_TEMPLATE,),
    why="EC2 takes a type, or what a type must have, not both.",
    source=_LT,
    bad=(_template(f"{_IMDS}, InstanceType: m7i.large, InstanceRequirements: {{VCpuCount: {{Min: 2}}}}"),),
    good=(_GOOD_TEMPLATE, _template(f"{_IMDS}, InstanceType: m7i.large")),
)
def type_or_requirements(it: Resource) -> Iterator[Problem]:
    """A launch template has an instance type, or requirements of one."""
    data = it.get(_DATA)
    if data.get("InstanceType").given and data.get("InstanceRequirements").given:
        yield data.get("InstanceRequirements").problem(
            "is given beside InstanceType", got=None, fix="keep one of the two"
        )


@template_rule(
    "ProfileOnce",
    family=Family.FAILS,
    on=(LAUNCH_TEMPLATE,),
    why="EC2 takes the name of an instance profile or its ARN, not both.",
    source=_LT,
    bad=(_template(f"{_IMDS}, IamInstanceProfile: {{Arn: !GetAtt P.Arn, Name: !Ref P}}"),),
    good=(_GOOD_TEMPLATE, _template(f"{_IMDS}, IamInstanceProfile: {{Arn: !GetAtt P.Arn}}")),
)
def profile_once(it: Resource) -> Iterator[Problem]:
    """An instance profile is named once."""
    profile = it.at(f"{_DATA}.IamInstanceProfile")
    if profile.get("Arn").given and profile.get("Name").given:
        yield profile.get("Name").problem("is given beside Arn", got=None, fix="keep one of the two")


@template_rule(
    "VolumeInTheClear",
    family=Family.LEAKS,
    on=(LAUNCH_TEMPLATE, LAUNCH_CONFIGURATION, INSTANCE),
    why="The volume and its snapshots hold what the instance writes in the clear.",
    source="https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption.html",
    bad=(
        _template(f"{_IMDS}, BlockDeviceMappings: [{{DeviceName: /dev/xvda, Ebs: {{Encrypted: false}}}}]"),
        "Web: {Type: AWS::EC2::Instance, Properties: {BlockDeviceMappings: [{Ebs: {Encrypted: 'false'}}]}}",
        _template(f"{_IMDS}, BlockDeviceMappings: [{{DeviceName: /dev/sdf, Ebs: {{VolumeSize: 20}}}}]"),
    ),
    good=(
        _template(
            f"{_IMDS}, BlockDeviceMappings: [{{DeviceName: /dev/sda1, Ebs: {{VolumeSize: 9}}}}, {{DeviceName: /dev/sda, Ebs: {{VolumeSize: 9}}}}, {{DeviceName: xvda, Ebs: {{VolumeSize: 9}}}}]"
        ),
        _template(f"{_IMDS}, BlockDeviceMappings: [{{DeviceName: /dev/sdf, NoDevice: ''}}]"),
        _GOOD_TEMPLATE,
        _template(f"{_IMDS}, BlockDeviceMappings: [{{DeviceName: /dev/xvda, Ebs: {{Encrypted: true}}}}]"),
        _template(f"{_IMDS}, BlockDeviceMappings: [{{DeviceName: /dev/xvda, Ebs: {{VolumeSize: 20}}}}]"),
        _template(f"{_IMDS}, BlockDeviceMappings: [{{DeviceName: /dev/sdf, Ebs: {{SnapshotId: !Ref S}}}}]"),
    ),
)
def volume_in_the_clear(it: Resource) -> Iterator[Problem]:
    """A volume that an instance gets is encrypted."""
    prefix = f"{_DATA}." if it.type == LAUNCH_TEMPLATE else ""
    for mapping in it.at(f"{prefix}BlockDeviceMappings").items():
        ebs, device = mapping.get("Ebs"), mapping.get("DeviceName")
        encrypted = ebs.get("Encrypted")
        root = device.text is None or device.text in {"/dev/xvda", "/dev/sda1", "/dev/sda", "xvda"}
        if ebs.absent:
            continue
        if encrypted.flag is False:
            yield encrypted.problem("leaves the volume in the clear", fix="set Encrypted: true")
        elif encrypted.absent and not root and ebs.get("SnapshotId").absent:
            yield encrypted.problem("is missing for a volume that no image encrypts", fix="set Encrypted: true")


@template_rule(
    "UserDataSize",
    family=Family.FAILS,
    on=(LAUNCH_TEMPLATE, LAUNCH_CONFIGURATION, INSTANCE),
    why="EC2 refuses to start the instance.",
    bad=(
        "Web: {Type: AWS::EC2::Instance, Properties: {UserData: {'Fn::Base64': '" + "#" * 16_385 + "'}}}",
        _template(f"{_IMDS}, UserData: {{'Fn::Base64': '{'#' * 16_385}'}}"),
    ),
    good=(_template(f"{_IMDS}, UserData: {{'Fn::Base64': '{'#' * 16_384}'}}"), _GOOD_TEMPLATE),
)
def user_data_size(it: Resource) -> Iterator[Problem]:
    """User data has at most 16 KiB."""
    place = it.at(f"{_DATA}.UserData" if it.type == LAUNCH_TEMPLATE else "UserData")
    yield from below(place, fleet.user_data_size(plain_text(place)))


@template_rule(
    "UserDataEncoded",
    family=Family.FAILS,
    on=(LAUNCH_TEMPLATE, LAUNCH_CONFIGURATION, INSTANCE),
    why="EC2 refuses user data that is no base64.",
    source="https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html",
    bad=(
        "Web: {Type: AWS::EC2::Instance, Properties: {UserData: '#cloud-config'}}",
        _template(f"{_IMDS}, UserData: <powershell>"),
        _template(f"{_IMDS}, UserData: '#!/bin/sh hostname'"),
        _template(f"{_IMDS}, UserData: !Sub '#!/bin/sh ${{A}}'"),
    ),
    good=(
        _template(f"{_IMDS}, UserData: !Base64 '#!/bin/sh hostname'"),
        _template(f"{_IMDS}, UserData: IyEvYmluL3NoCg=="),
        _template(f"{_IMDS}, UserData: !Ref U"),
        _GOOD_TEMPLATE,
    ),
)
def user_data_encoded(it: Resource) -> Iterator[Problem]:
    """User data is written as Fn::Base64."""
    place = it.at(f"{_DATA}.UserData" if it.type == LAUNCH_TEMPLATE else "UserData")
    if re.match(r"#!|<powershell>|<script>|#cloud-config|MIME-Version", place.partial):
        yield place.problem("is no base64", got=place.partial[:30], fix="wrap it in Fn::Base64")


@template_rule(
    "LookupOwners",
    family=Family.LEAKS,
    on=(LAUNCH_TEMPLATE, LAUNCH_CONFIGURATION, INSTANCE, RECIPE),
    why="Anybody can publish an AMI under the name, and is found first when it is the newest.",
    bad=(
        _template(f"{_IMDS}, ImageId: ami-0fedcba9876543210"),
        "Web: {Type: AWS::ImageBuilder::ImageRecipe, Properties: {Name: w, ParentImage: ami-0fedcba9876543210}}",
    ),
    good=(_GOOD_TEMPLATE, _template(f"{_IMDS}, ImageId: !Ref Ami")),
)
def lookup_owners(it: Resource) -> Iterator[Problem]:
    """A look-up by name says whose AMIs it trusts: anybody can publish an AMI under any name."""
    where = {LAUNCH_TEMPLATE: f"{_DATA}.ImageId", RECIPE: "ParentImage"}
    image = it.at(where.get(it.type, "ImageId"))
    if image.text in it.template.environment.unowned:
        for found in sources.lookup_owners(()):
            yield found._replace(got=it.template.environment.unowned[image.text or ""], at=image.path)
