"""Rules over recipes: parent image, components, volumes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cdk_ami.checks import builds, commands, components, distribution, documents, volumes
from cdk_ami.checks.regions import PARTITION_OF
from cdk_ami.checks.rule import Problem
from cdk_ami.checks.template.places import Place, Resource
from cdk_ami.checks.template.registry import Family, below, bind, template_rule
from cdk_ami.checks.template.sources import facts_of
from cdk_ami.checks.template.subjects.components import document_at
from cdk_ami.checks.template.types import (
    COMPONENT,
    CONTAINER_RECIPE,
    DISTRIBUTION,
    IMAGE,
    LAUNCH_TEMPLATE,
    PIPELINE,
    RECIPE,
)
from cdk_ami.limits import LOOKED_UP_AMI
from cdk_ami.source.platform import Platform

_IB: Final = "https://docs.aws.amazon.com/imagebuilder/latest/APIReference/"
_CREATE: Final = f"{_IB}API_CreateImageRecipe.html"
_AL2023: Final = "ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
_PARENT: Final = (
    r"arn:aws[^:]*:imagebuilder:[^:]+:(?:[0-9]{12}|aws(?:-[a-z-]+)?|third-party):image/[a-z0-9-_]+"
    r"/(?:x|[0-9]+)\.(?:x|[0-9]+)\.(?:x|[0-9]+)(?:/[0-9]+)?"
    r"|ami-(?:[0-9a-f]{8}|[0-9a-f]{17})"
    r"|ssm:(?:arn:aws[^:]*:ssm:[^:]+:[0-9]{12}:parameter)?/?[A-Za-z0-9_.\-/]+(?::[A-Za-z0-9_.\-]+)?"
    r"|prod-[a-z0-9]{13}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
_ARN: Final = re.compile(r"arn:(?P<partition>aws[^:]*):imagebuilder:(?P<region>[a-z0-9-]+):(?P<account>[^:]+):")
_PINNED: Final = re.compile(r":aws(?:-[a-z-]+)?:image/[^/]+/[0-9]+\.[0-9]+\.[0-9]+(?:/[0-9]+)?$")
_VOLUME: Final = "BlockDeviceMappings[].Ebs"
_LAUNCH_VOLUME: Final = "LaunchTemplateData.BlockDeviceMappings[].Ebs"
_ROOTS: Final = ("/dev/xvda", "/dev/sda1", "xvda", "/dev/sda")


def _recipe(
    ebs: str = "Encrypted: true", *, parent: str = f"'{_AL2023}'", more: str = "", device: str = "/dev/xvda"
) -> str:
    tail = f", {more}" if more else ""
    return (
        f"{{Name: web, Version: 1.0.x, ParentImage: {parent}, "
        f"BlockDeviceMappings: [{{DeviceName: {device}, Ebs: {{{ebs}}}}}]{tail}}}"
    )


_GOOD: Final = _recipe("Encrypted: true, VolumeType: gp3, VolumeSize: 20, Iops: 4000, Throughput: 500")
_UNKNOWN: Final = _recipe(
    "Encrypted: !Ref E, VolumeType: !Ref T, VolumeSize: !Ref S, Iops: !Ref I", parent="!Ref Parent"
)


@template_rule(
    "ParentImage",
    family=Family.FAILS,
    on=(RECIPE,),
    why="The service refuses the recipe.",
    source=f"{_CREATE}#imagebuilder-CreateImageRecipe-request-parentImage",
    bad=(
        _recipe(parent="al2023"),
        _recipe(parent="ami-0123"),
        _recipe(parent="'arn:aws:imagebuilder:us-east-1:aws:image/amazon-linux-2023-x86'"),
        _recipe(parent="'/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64'"),
    ),
    good=(
        _GOOD,
        _UNKNOWN,
        _recipe(parent="'arn:aws:imagebuilder:us-east-1:aws:image/amazon-linux-2023-x86/x.x.x'"),
        _recipe(parent="ami-0123456789abcdef0"),
        _recipe(parent="prod-abcdefgh12345"),
    ),
)
def parent_image(it: Resource) -> Iterator[Problem]:
    """A parent image is an image's ARN, an AMI id, a Marketplace product or ssm: and a parameter."""
    parent = it.get("ParentImage")
    if parent.text not in (None, LOOKED_UP_AMI) and not re.fullmatch(_PARENT, parent.text or ""):
        yield parent.problem("is no parent image", fix="give an ARN with its version, an AMI id, or ssm:/PARAMETER")


@template_rule(
    "ParentImageRegion",
    family=Family.FAILS,
    on=(RECIPE,),
    why="Image Builder's resources are Regional: the service finds no such image, component or recipe.",
    source=_CREATE,
    bad=(
        _recipe(parent="'arn:aws:imagebuilder:eu-west-1:aws:image/amazon-linux-2023-x86/x.x.x'"),
        _recipe(more="Components: [{ComponentArn: 'arn:aws:imagebuilder:eu-west-1:aws:component/update-linux/x.x.x'}]"),
        _recipe(parent="'arn:aws-cn:imagebuilder:us-east-1:aws:image/amazon-linux-2023-x86/x.x.x'"),
    ),
    good=(
        _recipe(parent="'arn:aws:imagebuilder:us-east-1:aws:image/amazon-linux-2023-x86/x.x.x'"),
        _recipe(
            parent="!Sub 'arn:${AWS::Partition}:imagebuilder:${AWS::Region}:aws:image/amazon-linux-2023-x86/x.x.x'"
        ),
        _GOOD,
    ),
)
def parent_image_region(it: Resource) -> Iterator[Problem]:
    """What a recipe names by ARN lies in the recipe's Region."""
    for place in (it.get("ParentImage"), *it.all("Components[].ComponentArn")):
        found = _ARN.match(place.partial)
        region = it.template.region
        if found is None or region is None or "Token" in found[0]:
            continue
        if found["region"] != region:
            yield place.problem(f"is of {found['region']}, the stack of {region}", fix=f"name the one of {region}")
        elif found["partition"] != PARTITION_OF.get(region, found["partition"]):
            fix = "write it with ${AWS::Partition}"
            yield place.problem(f"is of the partition {found['partition']}, the stack is not", fix=fix)


@template_rule(
    "ParentImagePinned",
    family=Family.DRIFTS,
    on=(RECIPE, CONTAINER_RECIPE),
    why="Each build starts from the same old image, without the fixes that came since.",
    source="https://docs.aws.amazon.com/imagebuilder/latest/userguide/ibhow-semantic-versioning.html",
    bad=(
        _recipe(parent="ami-0123456789abcdef0"),
        _recipe(parent="'arn:aws:imagebuilder:us-east-1:aws:image/amazon-linux-2023-x86/2024.3.5/1'"),
        _recipe(parent="!Sub 'arn:${P}:imagebuilder:${R}:aws:image/amazon-linux-2023-x86/2024.3.5'"),
    ),
    good=(
        _GOOD,
        _UNKNOWN,
        _recipe(parent="'arn:aws:imagebuilder:us-east-1:aws:image/amazon-linux-2023-x86/2024.x.x'"),
        _recipe(parent="'arn:aws:imagebuilder:us-east-1:123456789012:image/base/1.0.0'"),
    ),
)
def parent_image_pinned(it: Resource) -> Iterator[Problem]:
    """A recipe starts from the newest release of its parent image."""
    parent = it.get("ParentImage")
    if parent.partial.startswith("ami-"):
        yield parent.problem("pins one AMI", fix="name the parameter that holds the newest, as ssm:/PARAMETER")
    elif _PINNED.search(parent.partial):
        yield parent.problem("pins one version", fix="write x.x.x, and a build takes the newest")


@template_rule(
    "ParentImageAtDeploy",
    family=Family.DRIFTS,
    on=(RECIPE,),
    why="A new parent image replaces the recipe at some deployment, and no build notices it before.",
    source=f"{_CREATE}#imagebuilder-CreateImageRecipe-request-parentImage",
    bad=(
        _recipe(parent="'{{resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64}}'"),
        """
Parameters: {Base: {Type: AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>, Default: /aws/service/x}}
Resources:
  Web: {Type: AWS::ImageBuilder::ImageRecipe, Properties: {Name: web, Version: 1.0.x, ParentImage: !Ref Base}}
""",
    ),
    good=(
        _GOOD,
        """
Parameters: {Base: {Type: String}}
Resources:
  Web: {Type: AWS::ImageBuilder::ImageRecipe, Properties: {Name: web, Version: 1.0.x, ParentImage: !Ref Base}}
""",
    ),
)
def parent_image_at_deploy(it: Resource) -> Iterator[Problem]:
    """A parameter in a recipe is read when a build starts, not when the stack is deployed."""
    parent = it.get("ParentImage")
    found = parent.reference
    kind = it.template.parameter_type(found.logical_id) if found else ""
    if kind.startswith("AWS::SSM::Parameter::Value") or parent.partial.startswith("${Token[resolve.ssm"):
        yield parent.problem("is read when the stack is deployed", got=None, fix="write ssm: and the parameter's name")


@template_rule(
    "SourceNearEndOfSupport",
    family=Family.DRIFTS,
    on=(RECIPE,),
    why="Its vendor mends no hole in it any more, or soon stops.",
    source="https://docs.aws.amazon.com/imagebuilder/latest/userguide/what-is-image-builder.html",
    bad=(
        _recipe(parent="'arn:aws:imagebuilder:us-east-1:aws:image/amazon-linux-2-x86/x.x.x'"),
        _recipe(parent="!Sub 'arn:aws:imagebuilder:${AWS::Region}:aws:image/ubuntu-server-18-lts-x86/x.x.x'"),
        _recipe(parent="ssm:/aws/service/canonical/ubuntu/server/20.04/stable/current/amd64/hvm/ebs-gp2/ami-id"),
        _recipe(parent="ssm:/aws/service/ami-windows-latest/Windows_Server-2016-English-Full-Base"),
    ),
    good=(_GOOD, _UNKNOWN, _recipe(parent="'arn:aws:imagebuilder:us-east-1:aws:image/ubuntu-server-24-lts-x86/x.x.x'")),
)
def source_near_end_of_support(it: Resource) -> Iterator[Problem]:
    """A recipe starts from a system that its vendor supports for a year and more."""
    ended = facts_of(it).ended
    if ended:
        title, day = ended
        yield it.get("ParentImage").problem(f"is {title}, whose support ends on {day}", fix="move to a newer release")


@template_rule(
    "SourceParameter",
    family=Family.FAILS,
    on=(RECIPE,),
    why="The build fails at its beginning: the service's own role may not read the parameter.",
    bad=(
        """
Web: {Type: AWS::ImageBuilder::ImageRecipe, Properties: {Name: web, Version: 1.0.x, ParentImage: 'ssm:/base/latest'}}
Line: {Type: AWS::ImageBuilder::ImagePipeline, Properties: {Name: w, ImageRecipeArn: !Ref Web}}
""",
    ),
    good=(
        _GOOD,
        """
Web: {Type: AWS::ImageBuilder::ImageRecipe, Properties: {Name: web, Version: 1.0.x, ParentImage: 'ssm:/base/latest'}}
Line: {Type: AWS::ImageBuilder::ImagePipeline, Properties: {Name: w, ImageRecipeArn: !Ref Web, ExecutionRole: r}}
""",
        """
Web: {Type: AWS::ImageBuilder::ImageRecipe, Properties: {Name: web, Version: 1.0.x, ParentImage: 'ssm:/imagebuilder/b'}}
Line: {Type: AWS::ImageBuilder::ImagePipeline, Properties: {Name: w, ImageRecipeArn: !Ref Web}}
""",
    ),
)
def source_parameter(it: Resource) -> Iterator[Problem]:
    """The service reads public parameters and those under /imagebuilder/; any other takes a role that may."""
    parent = it.get("ParentImage")
    name = (parent.text or "").removeprefix("ssm:")
    if (parent.text or "").startswith("ssm:/"):
        users = it.users("ImageRecipeArn", PIPELINE, IMAGE)
        if any(user.get("ExecutionRole").absent for user in users):
            yield from below(parent, builds.source_parameter(name.partition(":")[0], has_execution_role=False))


bind(
    components.component_arn,
    rule="ComponentArn",
    family=Family.FAILS,
    where={RECIPE: ("Components[].ComponentArn",), CONTAINER_RECIPE: ("Components[].ComponentArn",)},
    reads=lambda place: place.text,
    why="The service refuses the recipe.",
    bad=(
        _recipe(more="Components: [{ComponentArn: update-linux}]"),
        _recipe(more="Components: [{ComponentArn: 'arn:aws:imagebuilder:us-east-1:aws:component/update-linux'}]"),
    ),
    good=(
        _recipe(more="Components: [{ComponentArn: 'arn:aws:imagebuilder:us-east-1:aws:component/update-linux/x.x.x'}]"),
        _recipe(more="Components: [{ComponentArn: !GetAtt Apache.Arn}]"),
    ),
    module=__name__,
)


@template_rule(
    "ComponentsOnce",
    family=Family.FAILS,
    on=(RECIPE, CONTAINER_RECIPE),
    why="The service refuses the recipe.",
    bad=(
        _recipe(more="Components: [{ComponentArn: !Ref A}, {ComponentArn: !Ref B}, {ComponentArn: !Ref A}]"),
        _recipe(
            more="Components: [{ComponentArn: 'arn:aws:imagebuilder:us-east-1:aws:component/update-linux/x.x.x'}, "
            "{ComponentArn: 'arn:aws:imagebuilder:us-east-1:aws:component/update-linux/1.x.x'}]"
        ),
    ),
    good=(_recipe(more="Components: [{ComponentArn: !Ref A}, {ComponentArn: !Ref B}]"),),
)
def components_once(it: Resource) -> Iterator[Problem]:
    """A recipe names each component once, whatever its version."""
    seen: list[str] = []
    for place in it.all("Components[].ComponentArn"):
        found = place.reference
        identity = found.logical_id if found else (place.text or "").rpartition("/")[0]
        if identity and identity in seen:
            yield place.problem("is named before", fix="keep one of them: a recipe runs a component once")
        seen.append(identity)


@template_rule(
    "ComponentsPerRecipe",
    family=Family.FAILS,
    on=(RECIPE, CONTAINER_RECIPE),
    why="The service refuses the recipe.",
    bad=(_recipe(more=f"Components: [{', '.join(f'{{ComponentArn: !Ref C{i}}}' for i in range(21))}]"),),
    good=(_recipe(more=f"Components: [{', '.join(f'{{ComponentArn: !Ref C{i}}}' for i in range(20))}]"),),
)
def components_per_recipe(it: Resource) -> Iterator[Problem]:
    """A recipe has at most 20 components."""
    yield from below(it.get("Components"), components.components_count(len(it.get("Components").items())))


_PARAMETRIZED: Final = """
Apache:
  Type: AWS::ImageBuilder::Component
  Properties:
    Name: apache
    Version: 1.0.0
    Platform: %s
    Data: |
      schemaVersion: 1.0
      parameters: [{Package: {type: string}}]
      phases: [{name: build, steps: [{name: A, action: ExecuteBash, inputs: {commands: ["echo {{ Package }}"]}}]}]
Web:
  Type: AWS::ImageBuilder::ImageRecipe
  Properties:
    Name: web
    Version: 1.0.x
    ParentImage: arn:aws:imagebuilder:us-east-1:aws:image/amazon-linux-2023-x86/x.x.x
    Components: [{ComponentArn: !Ref Apache%s}]
"""


@template_rule(
    "ComponentParameters",
    family=Family.FAILS,
    on=(RECIPE,),
    why="The service refuses the recipe, or the build fails at the first step that needs the value.",
    bad=(
        _PARAMETRIZED % ("Linux", ""),
        _PARAMETRIZED % ("Linux", ", Parameters: [{Name: Packages, Value: [httpd]}, {Name: Package, Value: [httpd]}]"),
    ),
    good=(
        _PARAMETRIZED % ("Linux", ", Parameters: [{Name: Package, Value: [httpd]}]"),
        _PARAMETRIZED % ("Linux", ", Parameters: !Ref Given"),
    ),
)
def component_parameters(it: Resource) -> Iterator[Problem]:
    """A recipe sets only parameters that the component declares, and all that have no default."""
    for entry in it.get("Components").items():
        component = it.target(entry.get("ComponentArn"), COMPONENT)
        sealed = document_at(component) if component else None
        parameters = entry.get("Parameters")
        names = [place.get("Name").text for place in parameters.items()]
        if sealed is None or parameters.unknown or None in names:
            continue
        given = {str(name): place.get("Value").raw for name, place in zip(names, parameters.items(), strict=True)}
        yield from below(parameters, components.parameters_declared(given, documents.defaults(sealed.mapping)))


@template_rule(
    "ComponentPlatform",
    family=Family.FAILS,
    on=(RECIPE,),
    why="The service refuses the recipe.",
    bad=(_PARAMETRIZED % ("Windows", ", Parameters: [{Name: Package, Value: [x]}]"),),
    good=(_PARAMETRIZED % ("Linux", ", Parameters: [{Name: Package, Value: [x]}]"), _GOOD),
)
def component_platform(it: Resource) -> Iterator[Problem]:
    """A component runs on the operating system of the image."""
    platform = facts_of(it).platform
    for place in it.all("Components[].ComponentArn"):
        component = it.target(place, COMPONENT)
        own = component.get("Platform").text if component else _managed_platform(place.partial)
        if platform is not None and own in tuple(Platform):
            yield from below(place, components.component_platform(str(own), platform))


def _managed_platform(arn: str) -> str | None:
    name = arn.partition(":component/")[2].partition("/")[0]
    words = name.split("-")
    return "Windows" if "windows" in words else "Linux" if "linux" in words else None


@template_rule(
    "WorkingDirectory",
    family=Family.FAILS,
    on=(RECIPE,),
    why="The build fails when the first document is put there.",
    bad=(_recipe(more="WorkingDirectory: build"), _recipe(more="WorkingDirectory: 'C:/build'")),
    good=(
        _recipe(more="WorkingDirectory: /var/tmp"),
        _recipe(parent="!Ref P", more="WorkingDirectory: 'C:/build'"),
        _GOOD,
    ),
)
def working_directory(it: Resource) -> Iterator[Problem]:
    """A working directory is an absolute path of the image's operating system."""
    place = it.get("WorkingDirectory")
    if place.text is not None:
        platform = facts_of(it).platform
        both = [builds.working_directory(place.text, one) for one in ((platform,) if platform else tuple(Platform))]
        if all(both):
            yield from below(place, both[0])


@template_rule(
    "ImageEncryption",
    family=Family.LEAKS,
    on=(RECIPE,),
    why="The snapshots of the AMI hold the image in the clear, and so do the volumes made from them.",
    source="https://docs.aws.amazon.com/imagebuilder/latest/userguide/data-protection.html",
    bad=(
        _recipe("Encrypted: false"),
        _recipe("VolumeSize: 20"),
        f"{{Name: web, Version: 1.0.x, ParentImage: '{_AL2023}'}}",
    ),
    good=(
        _GOOD,
        _UNKNOWN,
        "{Name: web, Version: 1.0.x, ParentImage: !Ref P, BlockDeviceMappings: !Ref Mappings}",
        _recipe().replace("}]}", "}, {DeviceName: /dev/sdb, NoDevice: ''}]}"),
        f"""
Web: {{Type: AWS::ImageBuilder::ImageRecipe, Properties: {{Name: web, Version: 1.0.x, ParentImage: '{_AL2023}'}}}}
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties:
    Name: web
    Distributions:
      - Region: us-east-1
        AmiDistributionConfiguration: {{LaunchPermissionConfiguration: {{UserGroups: [all]}}}}
""",
    ),
)
def image_encryption(it: Resource) -> Iterator[Problem]:
    """A recipe says that the volumes of its image are encrypted."""
    if is_public(it):
        return  # EC2 shares no encrypted AMI with everybody; that it is public is a finding of its own
    mappings = it.get("BlockDeviceMappings")
    if mappings.absent:
        yield mappings.problem(
            "is missing, so the image is encrypted only if its parent is",
            fix="add the root device with Encrypted: true",
        )
    for place in mappings.items():
        encrypted = place.at("Ebs.Encrypted")
        if not place.get("Ebs").absent and (encrypted.absent or encrypted.flag is False):
            yield encrypted.problem("does not say that the volume is encrypted", fix="set Encrypted: true")


def is_public(it: Resource) -> bool:
    """Tell whether the template shares an image with everybody."""
    groups = "Distributions[].AmiDistributionConfiguration.LaunchPermissionConfiguration.UserGroups[]"
    return it.template.once(
        "public",
        lambda: any(place.text == "all" for found in it.template.of_type(DISTRIBUTION) for place in found.all(groups)),
    )


def _volumes(it: Resource) -> Iterator[tuple[Place, Place]]:
    path = "BlockDeviceMappings" if it.type == RECIPE else "LaunchTemplateData.BlockDeviceMappings"
    for mapping in it.at(path).items():
        if not mapping.get("Ebs").absent:
            yield mapping.get("DeviceName"), mapping.get("Ebs")


bind(
    volumes.device_name,
    rule="DeviceName",
    family=Family.FAILS,
    where={RECIPE: ("BlockDeviceMappings[].DeviceName",)},
    reads=lambda place: place.text,
    why="EC2 refuses to start the build instance.",
    bad=(_recipe(device="sda"), _recipe(device="/dev/sdf16")),
    good=(_GOOD, _recipe(device="!Ref Device"), _recipe(device="/dev/sda1")),
    module=__name__,
)


@template_rule(
    "DevicesOnce",
    family=Family.FAILS,
    on=(RECIPE, LAUNCH_TEMPLATE),
    why="EC2 refuses to start the instance.",
    bad=(
        """
Name: web
Version: 1.0.x
ParentImage: !Ref P
BlockDeviceMappings: [{DeviceName: /dev/sdf, Ebs: {Encrypted: true}}, {DeviceName: /dev/xvdf, Ebs: {Encrypted: true}}]
""",
    ),
    good=(_GOOD,),
)
def devices_once(it: Resource) -> Iterator[Problem]:
    """Each volume has a device of its own; /dev/sdf and /dev/xvdf are one device."""
    places = [device for device, _ in _volumes(it) if device.text is not None]
    for found in volumes.devices_once([place.text or "" for place in places]):
        index = int(found.at.removeprefix("[").partition("]")[0])
        yield found._replace(at=places[index].path, problem="has the device of another volume")


bind(
    volumes.volume_type,
    rule="VolumeType",
    family=Family.FAILS,
    where={RECIPE: (f"{_VOLUME}.VolumeType",), LAUNCH_TEMPLATE: (f"{_LAUNCH_VOLUME}.VolumeType",)},
    reads=lambda place: place.text,
    why="EC2 refuses to start the instance.",
    bad=(_recipe("Encrypted: true, VolumeType: gp4"),),
    good=(_GOOD, _UNKNOWN),
    module=__name__,
)


@template_rule(
    "VolumeSize",
    family=Family.FAILS,
    on=(RECIPE,),
    why="EC2 refuses to start the build instance.",
    bad=(
        _recipe("Encrypted: true, VolumeSize: 0"),
        _recipe("Encrypted: true, VolumeSize: 16001"),
        _recipe("Encrypted: true, VolumeType: io2, Iops: 100, VolumeSize: 3"),
    ),
    good=(_GOOD, _UNKNOWN, _recipe("Encrypted: true, VolumeSize: 1"), _recipe("Encrypted: true, VolumeSize: '16000'")),
)
def volume_size(it: Resource) -> Iterator[Problem]:
    """A volume's size lies within what its type and Image Builder allow."""
    for _, ebs in _volumes(it):
        kind, size = ebs.get("VolumeType"), ebs.get("VolumeSize")
        if size.number is not None and not kind.unknown:
            yield from below(size, volumes.volume_size(kind.text or "", size.number))


@template_rule(
    "VolumeIops",
    family=Family.FAILS,
    on=(RECIPE,),
    why="EC2 refuses to start the build instance.",
    bad=(
        _recipe("Encrypted: true, VolumeType: io2"),
        _recipe("Encrypted: true, VolumeType: gp2, Iops: 3000"),
        _recipe("Encrypted: true, VolumeType: gp3, Iops: 2999"),
    ),
    good=(
        _GOOD,
        _UNKNOWN,
        _recipe("Encrypted: true, VolumeType: io2, Iops: !Ref I"),
        _recipe("Encrypted: true, VolumeType: st1"),
    ),
)
def volume_iops(it: Resource) -> Iterator[Problem]:
    """IOPS are provisioned for gp3, io1 and io2 only, must be for io1 and io2, and lie within the type's range."""
    for _, ebs in _volumes(it):
        kind, iops = ebs.get("VolumeType").text, ebs.get("Iops")
        if kind is not None and (iops.absent or iops.number is not None):
            yield from below(iops, volumes.volume_iops(kind, iops.number))


@template_rule(
    "VolumeIopsPerGib",
    family=Family.FAILS,
    on=(RECIPE, LAUNCH_TEMPLATE),
    why="EC2 refuses to start the instance.",
    bad=(_recipe("Encrypted: true, VolumeType: gp3, VolumeSize: 10, Iops: 6000"),),
    good=(_GOOD, _UNKNOWN, _recipe("Encrypted: true, VolumeType: gp3, VolumeSize: 12, Iops: 6000")),
)
def volume_iops_per_gib(it: Resource) -> Iterator[Problem]:
    """IOPS stay within what the volume's size carries."""
    for _, ebs in _volumes(it):
        kind, size, iops = ebs.get("VolumeType").text, ebs.get("VolumeSize").number, ebs.get("Iops")
        if kind is not None and iops.number is not None:
            yield from below(iops, volumes.volume_iops_per_gib(kind, size, iops.number))


@template_rule(
    "VolumeThroughput",
    family=Family.FAILS,
    on=(RECIPE,),
    why="EC2 refuses to start the build instance.",
    bad=(
        _recipe("Encrypted: true, VolumeType: gp2, Throughput: 125"),
        _recipe("Encrypted: true, VolumeType: gp3, Throughput: 1001, Iops: 16000"),
        _recipe("Encrypted: true, VolumeType: gp3, Throughput: 1000"),
    ),
    good=(_GOOD, _UNKNOWN, _recipe("Encrypted: true, VolumeType: gp3, Throughput: 1000, Iops: !Ref I")),
)
def volume_throughput(it: Resource) -> Iterator[Problem]:
    """Throughput is set for gp3 only, from 125 to 1,000 MiB/s, and at most a quarter of the IOPS."""
    for _, ebs in _volumes(it):
        kind, throughput, iops = ebs.get("VolumeType").text, ebs.get("Throughput"), ebs.get("Iops")
        if kind is not None and throughput.number is not None and (iops.absent or iops.number is not None):
            yield from below(throughput, volumes.volume_throughput(kind, throughput.number, iops.number))


@template_rule(
    "RootVolumeType",
    family=Family.FAILS,
    on=(RECIPE,),
    why="EC2 refuses to start the build instance.",
    bad=(_recipe("Encrypted: true, VolumeType: st1, VolumeSize: 500"),),
    good=(_GOOD, _recipe("Encrypted: true, VolumeType: st1, VolumeSize: 500", device="/dev/sdf")),
)
def root_volume_type(it: Resource) -> Iterator[Problem]:
    """A root volume is no hard disk."""
    for device, ebs in _volumes(it):
        kind = ebs.get("VolumeType")
        if device.text in _ROOTS and kind.text is not None:
            yield from below(kind, volumes.root_volume_type(kind.text))


@template_rule(
    "ExtraVolumeSize",
    family=Family.FAILS,
    on=(RECIPE,),
    why="EC2 refuses to start the build instance.",
    bad=(_recipe("Encrypted: true", device="/dev/sdf"),),
    good=(
        _GOOD,
        _recipe("Encrypted: true", device="/dev/sda1"),
        _recipe("Encrypted: true, VolumeSize: 8", device="/dev/sdf"),
        _recipe("Encrypted: true, SnapshotId: snap-0123456789abcdef0", device="/dev/sdf"),
        _recipe("Encrypted: true", device="!Ref Device"),
    ),
)
def extra_volume_size(it: Resource) -> Iterator[Problem]:
    """A volume beside the root volume has a size: no snapshot lends it one."""
    for device, ebs in _volumes(it):
        size, snapshot = ebs.get("VolumeSize"), ebs.get("SnapshotId")
        if device.text is not None and device.text not in _ROOTS and size.absent and snapshot.absent:
            yield from below(size, volumes.extra_volume_size(device.text, None))


@template_rule(
    "VolumeKey",
    family=Family.FAILS,
    on=(RECIPE, LAUNCH_TEMPLATE),
    why="EC2 refuses a key for a volume that is not encrypted.",
    bad=(_recipe("Encrypted: false, KmsKeyId: alias/golden"), _recipe("KmsKeyId: alias/golden")),
    good=(
        _GOOD,
        _recipe("Encrypted: true, KmsKeyId: alias/golden"),
        _recipe("Encrypted: !Ref E, KmsKeyId: alias/golden"),
    ),
)
def volume_key(it: Resource) -> Iterator[Problem]:
    """A key encrypts an encrypted volume."""
    for _, ebs in _volumes(it):
        encrypted, key = ebs.get("Encrypted"), ebs.get("KmsKeyId")
        if key.given and (encrypted.absent or encrypted.flag is False):
            yield from below(key, volumes.volume_key(encrypted=False, has_key=True))


bind(
    distribution.kms_key,
    rule="KmsKey",
    family=Family.FAILS,
    where={
        RECIPE: (f"{_VOLUME}.KmsKeyId",),
        LAUNCH_TEMPLATE: (f"{_LAUNCH_VOLUME}.KmsKeyId",),
        DISTRIBUTION: ("Distributions[].AmiDistributionConfiguration.KmsKeyId",),
        COMPONENT: ("KmsKeyId",),
    },
    reads=lambda place: place.text,
    why="A copy seems to be made and fails at its end: the key is looked up late.",
    bad=(
        _recipe("Encrypted: true, KmsKeyId: golden"),
        _recipe("Encrypted: true, KmsKeyId: 'arn:aws:kms:us-east-1:key/x'"),
    ),
    good=(
        _recipe("Encrypted: true, KmsKeyId: alias/golden"),
        _recipe("Encrypted: true, KmsKeyId: !GetAtt Key.Arn"),
        _recipe("Encrypted: true, KmsKeyId: 'arn:aws:kms:us-east-1:123456789012:alias/golden'"),
    ),
    module=__name__,
)


@template_rule(
    "VolumeKept",
    family=Family.COSTS,
    on=(RECIPE, LAUNCH_TEMPLATE),
    why="Each build, or each instance, leaves a volume behind that nobody uses and that is paid for.",
    source=f"{_IB}API_EbsInstanceBlockDeviceSpecification.html",
    bad=(
        _recipe("Encrypted: true, DeleteOnTermination: false"),
        """
Web:
  Type: AWS::EC2::LaunchTemplate
  Properties:
    LaunchTemplateData: {BlockDeviceMappings: [{DeviceName: /dev/xvda, Ebs: {DeleteOnTermination: 'false'}}]}
""",
    ),
    good=(_GOOD, _UNKNOWN, _recipe("Encrypted: true, DeleteOnTermination: true")),
)
def volume_kept(it: Resource) -> Iterator[Problem]:
    """A volume goes with its instance."""
    for _, ebs in _volumes(it):
        kept = ebs.get("DeleteOnTermination")
        if kept.flag is False:
            yield kept.problem("leaves the volume when the instance has gone", fix="set DeleteOnTermination: true")


bind(
    commands.override_user_data,
    rule="OverrideUserDataSize",
    family=Family.FAILS,
    where={RECIPE: ("AdditionalInstanceConfiguration.UserDataOverride",)},
    reads=lambda place: place.text,
    why="The service refuses the recipe.",
    bad=(_recipe(more=f"AdditionalInstanceConfiguration: {{UserDataOverride: {'QUJD' * 5462}}}"),),
    good=(_recipe(more=f"AdditionalInstanceConfiguration: {{UserDataOverride: {'QUJD' * 5461}}}"), _GOOD),
    module=__name__,
)


@template_rule(
    "WatermarkedPublic",
    family=Family.FAILS,
    on=(RECIPE,),
    why="EC2 refuses to make an AMI with a watermark public.",
    source="https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/sharingamis-intro.html",
    bad=(
        """
Web: {Type: AWS::ImageBuilder::ImageRecipe, Properties: {Name: web, Version: 1.0.x, ParentImage: !Ref P, AmiWatermarks: [web]}}
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties:
    Name: web
    Distributions:
      - Region: us-east-1
        AmiDistributionConfiguration: {LaunchPermissionConfiguration: {UserGroups: [all]}}
""",
    ),
    good=(_recipe(more="AmiWatermarks: [web]"), _GOOD),
)
def watermarked_public(it: Resource) -> Iterator[Problem]:
    """An AMI with a watermark is nobody's but those it is shared with by name."""
    if it.get("AmiWatermarks").given and is_public(it):
        yield it.get("AmiWatermarks").problem(
            "marks an AMI that is to be public", fix="drop the watermarks, or UserGroups"
        )
