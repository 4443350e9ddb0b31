"""Rules over where an image is built."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cdk_ami.checks import builds, instances
from cdk_ami.checks.rule import Problem
from cdk_ami.checks.template.places import Resource
from cdk_ami.checks.template.registry import Family, Severity, below, bind, template_rule
from cdk_ami.checks.template.sources import facts_of
from cdk_ami.checks.template.types import (
    BUCKET,
    CONTAINER_RECIPE,
    IMAGE,
    INFRASTRUCTURE,
    INSTANCE,
    INSTANCE_PROFILE,
    LAUNCH_CONFIGURATION,
    LAUNCH_TEMPLATE,
    PIPELINE,
    RECIPE,
    ROLE,
    TOPIC,
)
from cdk_ami.source.platform import Architecture

_CREATE: Final = (
    "https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_CreateInfrastructureConfiguration.html"
)
_IMDS: Final = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html"
_METADATA: Final = "InstanceMetadataOptions: {HttpTokens: required}"


def _infra(more: str, metadata: str = _METADATA) -> str:
    return f"{{Name: web, InstanceProfileName: !Ref Profile, {metadata}, {more}}}"


_GOOD: Final = _infra("InstanceTypes: [m7i.large], SubnetId: subnet-0a, SecurityGroupIds: [sg-0a]")
_UNKNOWN: Final = "{Name: web, InstanceProfileName: !Ref P, InstanceMetadataOptions: !Ref O, InstanceTypes: !Ref T, KeyPair: !Ref AWS::NoValue}"


@template_rule(
    "SubnetWithGroup",
    family=Family.FAILS,
    on=(INFRASTRUCTURE,),
    why="The service refuses a subnet without a security group.",
    source=f"{_CREATE}#imagebuilder-CreateInfrastructureConfiguration-request-subnetId",
    bad=(_infra("SubnetId: subnet-0a"), _infra("SubnetId: !Ref Subnet, SecurityGroupIds: []")),
    good=(
        _GOOD,
        _UNKNOWN,
        _infra("SubnetId: !Ref Subnet, SecurityGroupIds: !Ref Groups"),
        _infra("SubnetId: !If [Own, subnet-0a, !Ref AWS::NoValue]"),
    ),
)
def subnet_with_group(it: Resource) -> Iterator[Problem]:
    """A build in a subnet has a security group."""
    subnet, groups = it.get("SubnetId"), it.get("SecurityGroupIds")
    if subnet.given and (groups.absent or groups.raw == []):
        yield groups.problem("is missing beside SubnetId", fix="name a security group of the subnet's VPC")


@template_rule(
    "GroupWithSubnet",
    family=Family.FAILS,
    severity=Severity.WARNING,
    on=(INFRASTRUCTURE,),
    why="The build starts in the default VPC, where a group of another VPC is refused.",
    source=f"{_CREATE}#imagebuilder-CreateInfrastructureConfiguration-request-securityGroupIds",
    bad=(_infra("SecurityGroupIds: [sg-0a]"),),
    good=(_GOOD, _infra("SubnetId: !If [C, a, b], SecurityGroupIds: [sg-0a]")),
)
def group_with_subnet(it: Resource) -> Iterator[Problem]:
    """A build with a security group says in which subnet."""
    subnet, groups = it.get("SubnetId"), it.get("SecurityGroupIds")
    if subnet.absent and groups.items():
        yield subnet.problem("is missing beside SecurityGroupIds", fix="name a subnet of the groups' VPC")


@template_rule(
    "ImdsV2",
    family=Family.LEAKS,
    on=(INFRASTRUCTURE, LAUNCH_TEMPLATE, LAUNCH_CONFIGURATION, INSTANCE),
    why="Whoever makes the instance fetch a URL for him reads the credentials of its role.",
    source=_IMDS,
    bad=(
        "{Name: web, InstanceProfileName: !Ref Profile}",
        _infra("InstanceTypes: [m7i.large]", "InstanceMetadataOptions: {HttpTokens: optional}"),
        _infra("InstanceTypes: [m7i.large]", "InstanceMetadataOptions: {HttpPutResponseHopLimit: 2}"),
        "Web: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {ImageId: ami-0123456789abcdef0}}}",
        "Web: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {MetadataOptions: {HttpTokens: optional}}}}",
        "Web: {Type: AWS::AutoScaling::LaunchConfiguration, Properties: {InstanceType: m7i.large}}",
        "Web: {Type: AWS::EC2::Instance, Properties: {MetadataOptions: {HttpTokens: optional}}}",
    ),
    good=(
        _GOOD,
        _UNKNOWN,
        "Web: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {MetadataOptions: {HttpTokens: required}}}}",
        "Web: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {MetadataOptions: {HttpEndpoint: disabled}}}}",
        "Web: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: !Ref Data}}",
        "Web: {Type: AWS::EC2::Instance, Properties: {InstanceType: m7i.large}}",
    ),
)
def imds_v2(it: Resource) -> Iterator[Problem]:
    """The metadata service answers to session tokens only, IMDSv2."""
    where = {INFRASTRUCTURE: "InstanceMetadataOptions", LAUNCH_TEMPLATE: "LaunchTemplateData.MetadataOptions"}
    options = it.at(where.get(it.type, "MetadataOptions"))
    tokens = options.get("HttpTokens")
    if tokens.text is not None and tokens.text.lower() == "optional":
        yield tokens.problem("answers without a session token", fix="set it to required")
    elif tokens.absent and options.get("HttpEndpoint").text != "disabled" and _says_nothing_elsewhere(it):
        yield tokens.problem(
            "is missing, which lets IMDSv1 in wherever the AMI does not forbid it", fix="set it to required"
        )


def _says_nothing_elsewhere(it: Resource) -> bool:
    # An instance may have its options from a launch template.
    return it.type != INSTANCE or not it.get("MetadataOptions").absent


bind(
    builds.hop_limit,
    rule="HopLimit",
    family=Family.FAILS,
    where={
        INFRASTRUCTURE: ("InstanceMetadataOptions.HttpPutResponseHopLimit",),
        LAUNCH_TEMPLATE: ("LaunchTemplateData.MetadataOptions.HttpPutResponseHopLimit",),
        LAUNCH_CONFIGURATION: ("MetadataOptions.HttpPutResponseHopLimit",),
    },
    reads=lambda place: place.number,
    why="EC2 refuses to start the instance.",
    bad=(
        _infra("InstanceTypes: [a]", "InstanceMetadataOptions: {HttpTokens: required, HttpPutResponseHopLimit: 0}"),
        _infra("InstanceTypes: [a]", "InstanceMetadataOptions: {HttpTokens: required, HttpPutResponseHopLimit: '65'}"),
    ),
    good=(
        _GOOD,
        _infra("InstanceTypes: [a]", "InstanceMetadataOptions: {HttpTokens: required, HttpPutResponseHopLimit: 1}"),
        _infra("InstanceTypes: [a]", "InstanceMetadataOptions: {HttpTokens: required, HttpPutResponseHopLimit: 64}"),
    ),
    module=__name__,
)


@template_rule(
    "KeyPair",
    family=Family.LEAKS,
    on=(INFRASTRUCTURE, LAUNCH_TEMPLATE, LAUNCH_CONFIGURATION, INSTANCE),
    why="Whoever holds the private key logs in, unseen by IAM, and a key of a build instance may stay in its image.",
    source="https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager.html",
    bad=(
        _infra("KeyPair: ops"),
        _infra("KeyPair: !Ref Key"),
        "Web: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {KeyName: ops}}}",
        "Web: {Type: AWS::EC2::Instance, Properties: {KeyName: ops}}",
    ),
    good=(_GOOD, _UNKNOWN, _infra("KeyPair: !If [Debug, ops, !Ref AWS::NoValue]")),
    severity=Severity.WARNING,
)
def key_pair(it: Resource) -> Iterator[Problem]:
    """Nobody logs in with a key pair."""
    where = {INFRASTRUCTURE: "KeyPair", LAUNCH_TEMPLATE: "LaunchTemplateData.KeyName"}
    place = it.at(where.get(it.type, "KeyName"))
    if place.text is not None or place.reference is not None:
        yield place.problem("lets the holder of a key in", fix="drop it, and use Session Manager")


@template_rule(
    "KeptOnFailure",
    family=Family.COSTS,
    on=(INFRASTRUCTURE,),
    why="Each failed build leaves an instance running that nobody looks at.",
    source=f"{_CREATE}#imagebuilder-CreateInfrastructureConfiguration-request-terminateInstanceOnFailure",
    bad=(_infra("TerminateInstanceOnFailure: false"), _infra("TerminateInstanceOnCompletion: 'false'")),
    good=(_GOOD, _UNKNOWN, _infra("TerminateInstanceOnFailure: true")),
)
def kept_on_failure(it: Resource) -> Iterator[Problem]:
    """A build instance is terminated, whatever becomes of the build."""
    for key in ("TerminateInstanceOnFailure", "TerminateInstanceOnCompletion"):
        place = it.get(key)
        if place.flag is False:
            yield place.problem("leaves the build instance running", fix=f"set {key}: true, and read the logs instead")


bind(
    instances.instance_type,
    rule="InstanceType",
    family=Family.FAILS,
    where={
        INFRASTRUCTURE: ("InstanceTypes[]",),
        LAUNCH_TEMPLATE: ("LaunchTemplateData.InstanceType",),
        LAUNCH_CONFIGURATION: ("InstanceType",),
        INSTANCE: ("InstanceType",),
    },
    reads=lambda place: place.text,
    why="EC2 refuses to start the instance.",
    bad=(_infra("InstanceTypes: [m7i]"), _infra("InstanceTypes: [m7i.large, m7i.larg]")),
    good=(_GOOD, _UNKNOWN, _infra("InstanceTypes: [u-6tb1.metal, m7i.metal-24xl]")),
    module=__name__,
)

bind(
    instances.no_mac,
    rule="MacInstance",
    family=Family.FAILS,
    where={INFRASTRUCTURE: ("InstanceTypes[]",)},
    reads=lambda place: place.text,
    why="The build fails at its beginning.",
    bad=(_infra("InstanceTypes: [mac2.metal]"),),
    good=(_GOOD, _UNKNOWN),
    module=__name__,
)

_PROCESSORS: Final = """
Build:
  Type: AWS::ImageBuilder::InfrastructureConfiguration
  Properties: {Name: web, InstanceProfileName: p, InstanceTypes: [%s]}
Web:
  Type: AWS::ImageBuilder::ImageRecipe
  Properties:
    Name: web
    Version: 1.0.x
    ParentImage: !Sub 'arn:aws:imagebuilder:${AWS::Region}:aws:image/amazon-linux-2023-%s/x.x.x'
Line:
  Type: AWS::ImageBuilder::ImagePipeline
  Properties: {Name: web, ImageRecipeArn: !GetAtt Web.Arn, InfrastructureConfigurationArn: !GetAtt Build.Arn}
"""


@template_rule(
    "InstanceArchitecture",
    family=Family.FAILS,
    on=(INFRASTRUCTURE,),
    why="EC2 cannot start the image on the instance type: the build fails, or fails on some days only.",
    bad=(
        _PROCESSORS % ("m7g.large", "x86"),
        _PROCESSORS % ("m7i.large", "arm64"),
        _infra("InstanceTypes: [m7i.large, m7g.large]"),
    ),
    good=(_PROCESSORS % ("m7g.large, c7g.large", "arm64"), _PROCESSORS % ("m7i.large", "x86"), _UNKNOWN),
)
def instance_architecture(it: Resource) -> Iterator[Problem]:
    """An instance type has the processor that the image is for."""
    wanted = next((found for found in map(_architecture, _recipes(it)) if found is not None), None)
    for place in it.get("InstanceTypes").items():
        own = instances.architecture_of(place.text or "")
        wanted = wanted or own
        if own is not None and wanted is not None:
            yield from below(place, instances.instance_architecture(place.text or "", wanted))


def _architecture(recipe: Resource) -> Architecture | None:
    return facts_of(recipe).architecture


def _recipes(infrastructure: Resource) -> Iterator[Resource]:
    for user in infrastructure.users("InfrastructureConfigurationArn", PIPELINE, IMAGE):
        recipe = user.target(user.get("ImageRecipeArn"), RECIPE, CONTAINER_RECIPE)
        if recipe is not None:
            yield recipe


@template_rule(
    "InstanceProfile",
    family=Family.FAILS,
    on=(INFRASTRUCTURE,),
    why="The service finds no such instance profile: the build fails at its beginning.",
    source=f"{_CREATE}#imagebuilder-CreateInfrastructureConfiguration-request-instanceProfileName",
    bad=(
        """
Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {}}}
Build: {Type: AWS::ImageBuilder::InfrastructureConfiguration, Properties: {Name: web, InstanceProfileName: !Ref Role}}
""",
        """
Profile: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [build]}}
Build: {Type: AWS::ImageBuilder::InfrastructureConfiguration, Properties: {Name: w, InstanceProfileName: !GetAtt Profile.Arn}}
""",
        "{Name: web, InstanceProfileName: 'arn:aws:iam::123456789012:instance-profile/build'}",
    ),
    good=(
        _GOOD,
        """
Profile: {Type: AWS::IAM::InstanceProfile, Properties: {Roles: [build]}}
Build: {Type: AWS::ImageBuilder::InfrastructureConfiguration, Properties: {Name: web, InstanceProfileName: !Ref Profile}}
""",
    ),
)
def instance_profile(it: Resource) -> Iterator[Problem]:
    """An instance profile is given by its name."""
    place = it.get("InstanceProfileName")
    found = it.target(place, INSTANCE_PROFILE, ROLE)
    if place.text is not None and place.text.startswith("arn:"):
        yield place.problem("is an ARN", fix="give the name of the instance profile")
    elif found is not None and found.type == ROLE:
        yield place.problem(f"is the role {found.logical_id}", fix="make an AWS::IAM::InstanceProfile of it", got=None)
    elif found is not None and place.reference is not None and place.reference.attribute == "Arn":
        yield place.problem("is an ARN", fix=f"write !Ref {found.logical_id}", got=None)


@template_rule(
    "BuildTopic",
    family=Family.FAILS,
    on=(INFRASTRUCTURE,),
    why="Image Builder notifies standard topics of its Region only: the service refuses it, or nobody hears of a build.",
    source=f"{_CREATE}#imagebuilder-CreateInfrastructureConfiguration-request-snsTopicArn",
    bad=(
        """
Topic: {Type: AWS::SNS::Topic, Properties: {FifoTopic: true, TopicName: a.fifo}}
Build: {Type: AWS::ImageBuilder::InfrastructureConfiguration, Properties: {Name: w, InstanceProfileName: p, SnsTopicArn: !Ref Topic}}
""",
        _infra("SnsTopicArn: 'arn:aws:sns:us-east-1:123456789012:builds.fifo'"),
        _infra("SnsTopicArn: 'arn:aws:sns:eu-west-1:123456789012:builds'"),
        _infra("SnsTopicArn: builds"),
    ),
    good=(
        _GOOD,
        _infra("SnsTopicArn: 'arn:aws:sns:us-east-1:123456789012:builds'"),
        """
Topic: {Type: AWS::SNS::Topic, Properties: {}}
Build: {Type: AWS::ImageBuilder::InfrastructureConfiguration, Properties: {Name: w, InstanceProfileName: p, SnsTopicArn: !Ref Topic}}
""",
    ),
)
def build_topic(it: Resource) -> Iterator[Problem]:
    """Builds are announced to a standard topic of their Region."""
    place = it.get("SnsTopicArn")
    topic = it.target(place, TOPIC)
    if (topic is not None and topic.get("FifoTopic").flag) or (place.text or "").endswith(".fifo"):
        yield from below(place, builds.standard_topic(fifo=True))
    elif place.text is not None:
        found = re.fullmatch(r"arn:aws[^:]*:sns:(?P<region>[^:]+):[0-9]{12}:[A-Za-z0-9_-]{1,256}", place.text)
        if found is None:
            yield place.problem("is no ARN of a topic", fix="write arn:aws:sns:REGION:ACCOUNT:NAME")
        elif it.template.region not in (None, found["region"]):
            yield place.problem(f"is a topic of {found['region']}", fix=f"name one of {it.template.region}")


@template_rule(
    "BuildPlacement",
    family=Family.FAILS,
    on=(INFRASTRUCTURE,),
    why="EC2 refuses to start the build instance.",
    source="https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_Placement.html",
    bad=(
        _infra("Placement: {HostId: h-0a, HostResourceGroupArn: !Ref G, Tenancy: host}"),
        _infra("Placement: {HostId: h-0a, Tenancy: dedicated}"),
        _infra("Placement: {AvailabilityZone: eu-west-1a}"),
    ),
    good=(
        _GOOD,
        _infra("Placement: {HostId: h-0a, Tenancy: host}"),
        _infra("Placement: {AvailabilityZone: us-east-1a, Tenancy: default}"),
    ),
)
def build_placement(it: Resource) -> Iterator[Problem]:
    """A build is placed on one host, or in one zone of its Region."""
    place = it.get("Placement")
    host, group, zone = place.get("HostId"), place.get("HostResourceGroupArn"), place.get("AvailabilityZone")
    if host.given and group.given:
        yield host.problem("is given beside HostResourceGroupArn", fix="keep one of them")
    elif host.given and place.get("Tenancy").text not in (None, "host"):
        yield place.get("Tenancy").problem("is no tenancy of a host", fix="write host")
    if zone.text is not None and it.template.region and not zone.text.startswith(it.template.region):
        yield zone.problem(f"is not in {it.template.region}", fix=f"name a zone of {it.template.region}")


bind(
    builds.log_prefix,
    rule="LogPrefix",
    family=Family.FAILS,
    where={INFRASTRUCTURE: ("Logging.S3Logs.S3KeyPrefix",)},
    reads=lambda place: place.text,
    why="Logs come to lie in a folder without a name, where nobody looks.",
    bad=(_infra("Logging: {S3Logs: {S3BucketName: b, S3KeyPrefix: /logs/}}"),),
    good=(_infra("Logging: {S3Logs: {S3BucketName: b, S3KeyPrefix: logs/web}}"), _GOOD),
    module=__name__,
    severity=Severity.WARNING,
)


@template_rule(
    "LogBucketExpires",
    family=Family.COSTS,
    on=(INFRASTRUCTURE,),
    why="The logs of every build are kept, and paid for, for ever.",
    source="https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html",
    bad=(
        """
Logs: {Type: AWS::S3::Bucket, Properties: {}}
Build:
  Type: AWS::ImageBuilder::InfrastructureConfiguration
  Properties: {Name: w, InstanceProfileName: p, Logging: {S3Logs: {S3BucketName: !Ref Logs}}}
""",
    ),
    good=(
        _GOOD,
        """
Logs: {Type: AWS::S3::Bucket, Properties: {LifecycleConfiguration: {Rules: [{Status: Enabled, ExpirationInDays: 90}]}}}
Build:
  Type: AWS::ImageBuilder::InfrastructureConfiguration
  Properties: {Name: w, InstanceProfileName: p, Logging: {S3Logs: {S3BucketName: !Ref Logs}}}
""",
    ),
)
def log_bucket_expires(it: Resource) -> Iterator[Problem]:
    """A bucket of build logs forgets them some day."""
    place = it.at("Logging.S3Logs.S3BucketName")
    bucket = it.target(place, BUCKET)
    if bucket is not None and bucket.get("LifecycleConfiguration").absent:
        fix = f"give {bucket.logical_id} a LifecycleConfiguration that expires objects"
        yield place.problem("is a bucket that keeps every log", got=bucket.logical_id, fix=fix)
