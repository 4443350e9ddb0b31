"""Rules over where images go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cdk_ami.checks import distribution, names
from cdk_ami.checks.rule import Problem
from cdk_ami.checks.template.places import Place, Resource
from cdk_ami.checks.template.registry import Family, Severity, below, bind, template_rule
from cdk_ami.checks.template.sources import facts_of
from cdk_ami.checks.template.types import (
    AUTO_SCALING_GROUP,
    DISTRIBUTION,
    IMAGE,
    KEY,
    LAUNCH_TEMPLATE,
    PARAMETER_STORE,
    PIPELINE,
    RECIPE,
)
from cdk_ami.checks.template.values import as_text
from cdk_ami.limits import ACCOUNT_ID, IMAGE_BUILDER_PARAMETER_PREFIX
from cdk_ami.source.platform import Platform

_IB: Final = "https://docs.aws.amazon.com/imagebuilder/latest/APIReference/"
_AMI: Final = "AmiDistributionConfiguration"
_PERMISSION: Final = f"{_AMI}.LaunchPermissionConfiguration"
_SHARING: Final = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/sharingamis-intro.html"
_BUILD_DATE: Final = "Name: 'web {{ imagebuilder:buildDate }}'"
_KEY: Final = "KmsKeyId: 'arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef'"
_OTHER: Final = "'210987654321'"
_OUTPUTS: Final = (
    _AMI,
    "ContainerDistributionConfiguration",
    "FastLaunchConfigurations",
    "LaunchTemplateConfigurations",
    "LicenseConfigurationArns",
    "SsmParameterConfigurations",
)


def _out(ami: str = _BUILD_DATE, *, more: str = "", region: str = "us-east-1") -> str:
    tail = f", {more}" if more else ""
    return f"{{Name: web, Distributions: [{{Region: {region}, AmiDistributionConfiguration: {{{ami}}}{tail}}}]}}"


_GOOD: Final = _out(f"{_BUILD_DATE}, {_KEY}, TargetAccountIds: [{_OTHER}]")
_UNKNOWN: Final = (
    "{Name: web, Distributions: [{Region: !Ref AWS::Region, AmiDistributionConfiguration: !Ref A}, !Ref More]}"
)


@template_rule(
    "DistributionTargets",
    family=Family.FAILS,
    on=(DISTRIBUTION,),
    why="The service refuses a configuration that distributes nothing.",
    bad=("{Name: web, Distributions: []}",),
    good=(_GOOD, _UNKNOWN),
)
def distribution_targets(it: Resource) -> Iterator[Problem]:
    """A distribution has at least one target."""
    place = it.get("Distributions")
    if isinstance(place.raw, list):
        yield from below(place, distribution.targets_present([str(item.path) for item in place.items()]))


@template_rule(
    "RegionOutputs",
    family=Family.FAILS,
    on=(DISTRIBUTION,),
    why="The service refuses the configuration: one or more outputs should be provided for each Region.",
    source=f"{_IB}API_Distribution.html",
    bad=(
        "{Name: web, Distributions: [{Region: us-east-1}]}",
        "{Name: web, Distributions: [{Region: us-east-1, AmiDistributionConfiguration: {}}]}",
    ),
    good=(_GOOD, _UNKNOWN, "{Name: web, Distributions: [{Region: us-east-1, LicenseConfigurationArns: !Ref L}]}"),
)
def region_outputs(it: Resource) -> Iterator[Problem]:
    """A target says what comes out in its Region."""
    for target in it.get("Distributions").items():
        if isinstance(target.raw, dict) and all(
            target.get(key).raw in ({}, []) or target.get(key).absent for key in _OUTPUTS
        ):
            yield target.problem(
                "says nothing of what comes out", got=target.get("Region").raw, fix=f"add {_AMI} with a name"
            )


bind(
    names.region,
    rule="Region",
    family=Family.FAILS,
    where={DISTRIBUTION: ("Distributions[].Region",)},
    reads=lambda place: place.text,
    why="The build runs to its end, and then the copy fails.",
    bad=(_out(region="us-est-1"), _out(region="us-east-1a")),
    good=(_GOOD, _UNKNOWN),
    module=__name__,
)


@template_rule(
    "RegionsOnce",
    family=Family.FAILS,
    on=(DISTRIBUTION,),
    why="The service refuses the configuration.",
    bad=(
        "{Name: web, Distributions: [{Region: us-east-1, LicenseConfigurationArns: [a]}, "
        "{Region: eu-west-1, LicenseConfigurationArns: [a]}, {Region: us-east-1, LicenseConfigurationArns: [a]}]}",
    ),
    good=(
        "{Name: web, Distributions: [{Region: !Ref R, LicenseConfigurationArns: [a]}, {Region: !Ref R, LicenseConfigurationArns: [a]}]}",
        _GOOD,
        _UNKNOWN,
    ),
)
def regions_once(it: Resource) -> Iterator[Problem]:
    """A list of Regions names each Region once."""
    places = [place for place in it.all("Distributions[].Region") if place.text is not None]
    for found in names.regions_once([place.text or "" for place in places]):
        yield found._replace(at=places[int(found.at.strip("[]"))].path)


@template_rule(
    "OnePartition",
    family=Family.FAILS,
    on=(DISTRIBUTION,),
    why="AMIs are not copied from one partition to another: the build fails at its end.",
    bad=(
        "{Name: web, Distributions: [{Region: us-east-1, LicenseConfigurationArns: [a]}, "
        "{Region: cn-north-1, LicenseConfigurationArns: [a]}]}",
        _out(region="us-gov-west-1"),
    ),
    good=(_GOOD, _UNKNOWN, _out(region="eu-west-1")),
)
def one_partition(it: Resource) -> Iterator[Problem]:
    """AMIs are not copied from one partition to another."""
    regions = [place.text for place in it.all("Distributions[].Region") if place.text is not None]
    home = [it.template.region] if it.template.region else []
    yield from below(it.get("Distributions"), names.one_partition([*home, *regions]))


bind(
    names.account_id,
    rule="AccountId",
    family=Family.FAILS,
    where={
        DISTRIBUTION: (
            f"Distributions[].{_AMI}.TargetAccountIds[]",
            f"Distributions[].{_PERMISSION}.UserIds[]",
            "Distributions[].LaunchTemplateConfigurations[].AccountId",
            "Distributions[].SsmParameterConfigurations[].AmiAccountId",
            "Distributions[].FastLaunchConfigurations[].AccountId",
        )
    },
    reads=lambda place: None if place.unknown else as_text(place.raw),
    why="The build runs to its end, and then nobody can be given the AMI.",
    bad=(
        _out("TargetAccountIds: ['12345678901']"),
        _out(f"{_BUILD_DATE}, {_KEY}, LaunchPermissionConfiguration: {{UserIds: [12345678901]}}"),
    ),
    good=(_GOOD, _UNKNOWN, _out("TargetAccountIds: [123456789012]")),
    module=__name__,
)

bind(
    distribution.account_list,
    rule="TargetAccounts",
    family=Family.FAILS,
    where={DISTRIBUTION: (f"Distributions[].{_AMI}.TargetAccountIds", f"Distributions[].{_PERMISSION}.UserIds")},
    reads=lambda place: place.texts,
    why="The service refuses the configuration.",
    bad=(_out(f"{_BUILD_DATE}, {_KEY}, TargetAccountIds: [{_OTHER}, {_OTHER}]"),),
    good=(_GOOD, _UNKNOWN),
    module=__name__,
)

bind(
    distribution.organizations,
    rule="OrganizationArn",
    family=Family.FAILS,
    where={DISTRIBUTION: (f"Distributions[].{_PERMISSION}.OrganizationArns",)},
    reads=lambda place: place.texts,
    why="The build runs to its end, and then nobody can be given the AMI.",
    bad=(_out(f"{_BUILD_DATE}, {_KEY}, LaunchPermissionConfiguration: {{OrganizationArns: [o-a1b2c3d4e5]}}"),),
    good=(
        _GOOD,
        _out(
            f"{_BUILD_DATE}, {_KEY}, LaunchPermissionConfiguration: "
            "{OrganizationArns: ['arn:aws:organizations::123456789012:organization/o-a1b2c3d4e5']}"
        ),
    ),
    module=__name__,
)

bind(
    distribution.organizational_units,
    rule="OrganizationalUnitArn",
    family=Family.FAILS,
    where={DISTRIBUTION: (f"Distributions[].{_PERMISSION}.OrganizationalUnitArns",)},
    reads=lambda place: place.texts,
    why="The build runs to its end, and then nobody can be given the AMI.",
    bad=(
        _out(f"{_BUILD_DATE}, {_KEY}, LaunchPermissionConfiguration: {{OrganizationalUnitArns: [ou-ab12-c3d4e5f6]}}"),
    ),
    good=(
        _GOOD,
        _out(
            f"{_BUILD_DATE}, {_KEY}, LaunchPermissionConfiguration: "
            "{OrganizationalUnitArns: ['arn:aws:organizations::123456789012:ou/o-a1b2c3d4e5/ou-ab12-c3d4e5f6']}"
        ),
    ),
    module=__name__,
)


@template_rule(
    "LaunchPermissionEmpty",
    family=Family.FAILS,
    on=(DISTRIBUTION,),
    why="The service refuses a permission that names nobody.",
    bad=(
        _out(f"{_BUILD_DATE}, LaunchPermissionConfiguration: {{}}"),
        _out("LaunchPermissionConfiguration: {UserIds: []}"),
    ),
    good=(_GOOD, _out(f"{_BUILD_DATE}, {_KEY}, LaunchPermissionConfiguration: {{UserIds: !Ref Accounts}}")),
)
def launch_permission_empty(it: Resource) -> Iterator[Problem]:
    """A launch permission names somebody."""
    for place in it.all(f"Distributions[].{_PERMISSION}"):
        if isinstance(place.raw, dict) and not any(place.get(key).raw for key in place.names()):
            yield from below(place, distribution.permission_names_somebody(0))


@template_rule(
    "PublicImage",
    family=Family.LEAKS,
    on=(DISTRIBUTION,),
    why="Everybody with an AWS account may start the image and read all that is in it.",
    source=_SHARING,
    bad=(
        _out(f"{_BUILD_DATE}, LaunchPermissionConfiguration: {{UserGroups: [all]}}"),
        _out(f"{_BUILD_DATE}, LaunchPermissionConfiguration: {{UserGroups: !If [C, [all], [all]]}}"),
    ),
    good=(_GOOD, _UNKNOWN, _out(f"{_BUILD_DATE}, {_KEY}, LaunchPermissionConfiguration: {{UserIds: [{_OTHER}]}}")),
)
def public_image(it: Resource) -> Iterator[Problem]:
    """An image is shared with those it is for, by name."""
    for place in it.all(f"Distributions[].{_PERMISSION}.UserGroups[]"):
        if place.text == "all":
            yield place.problem("shares the image with everybody", fix="name accounts, organizations or units instead")


@template_rule(
    "PublicEncrypted",
    family=Family.FAILS,
    on=(DISTRIBUTION,),
    why="The build runs to its end, and then EC2 refuses to make the AMI public.",
    bad=(_out(f"{_BUILD_DATE}, {_KEY}, LaunchPermissionConfiguration: {{UserGroups: [all]}}"),),
    good=(_GOOD, _out(f"{_BUILD_DATE}, LaunchPermissionConfiguration: {{UserGroups: [all]}}")),
)
def public_encrypted(it: Resource) -> Iterator[Problem]:
    """An AMI with an encrypted snapshot cannot be public."""
    for target in it.get("Distributions").items():
        key = target.at(f"{_AMI}.KmsKeyId")
        if key.given and any(group.text == "all" for group in target.all(f"{_PERMISSION}.UserGroups[]")):
            yield from below(key, distribution.public_encrypted("key"))


@template_rule(
    "SharedWithoutKey",
    family=Family.LEAKS,
    severity=Severity.WARNING,
    on=(DISTRIBUTION,),
    why="A copy takes the Region's EBS default key, with which the others can start nothing.",
    source="https://docs.aws.amazon.com/ebs/latest/userguide/ebs-modifying-snapshot-permissions.html",
    bad=(
        _out(f"{_BUILD_DATE}, TargetAccountIds: [{_OTHER}]"),
        _out(f"{_BUILD_DATE}, LaunchPermissionConfiguration: {{UserIds: [{_OTHER}]}}"),
        _out(f"{_BUILD_DATE}, LaunchPermissionConfiguration: {{OrganizationArns: !Ref O}}"),
    ),
    good=(
        _out(f"{_BUILD_DATE}, LaunchPermissionConfiguration: {{UserGroups: [all], UserIds: [{_OTHER}]}}"),
        _GOOD,
        _UNKNOWN,
        _out(f"{_BUILD_DATE}, {_KEY}, LaunchPermissionConfiguration: {{UserIds: [{_OTHER}]}}"),
        _out(),
    ),
)
def shared_without_key(it: Resource) -> Iterator[Problem]:
    """An image that others receive is encrypted with a key that they may use."""
    for target in it.get("Distributions").items():
        ami = target.get(_AMI)
        shared = [ami.get("TargetAccountIds"), *(ami.at(f"LaunchPermissionConfiguration.{key}") for key in _GRANTEES)]
        public = any(group.text == "all" for group in target.all(f"{_PERMISSION}.UserGroups[]"))
        if ami.get("KmsKeyId").absent and not public and any(place.given for place in shared):
            yield ami.get("KmsKeyId").problem(
                "is missing, and others receive the image", fix="name a customer managed key"
            )


_GRANTEES: Final = ("UserIds", "OrganizationArns", "OrganizationalUnitArns")


bind(
    distribution.managed_key_shared,
    rule="ManagedKeyShared",
    family=Family.FAILS,
    where={DISTRIBUTION: (f"Distributions[].{_AMI}.KmsKeyId",)},
    reads=lambda place: place.text,
    why="The build runs to its end, and then the snapshot cannot be shared.",
    bad=(_out(f"{_BUILD_DATE}, KmsKeyId: alias/aws/ebs, TargetAccountIds: [{_OTHER}]"),),
    good=(_GOOD, _UNKNOWN),
    module=__name__,
)


@template_rule(
    "KmsKeyRegion",
    family=Family.FAILS,
    on=(DISTRIBUTION, RECIPE),
    why="A copy seems to be made and fails at its end: keys are Regional.",
    bad=(
        _out(f"{_BUILD_DATE}, {_KEY}", region="eu-west-1"),
        """
Key: {Type: AWS::KMS::Key, Properties: {}}
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties:
    Name: web
    Distributions: [{Region: eu-west-1, AmiDistributionConfiguration: {KmsKeyId: !GetAtt Key.Arn}}]
""",
        """
Web:
  Type: AWS::ImageBuilder::ImageRecipe
  Properties:
    Name: web
    Version: 1.0.x
    ParentImage: !Ref P
    BlockDeviceMappings:
      - {DeviceName: /dev/xvda, Ebs: {Encrypted: true, KmsKeyId: 'arn:aws:kms:eu-west-1:123456789012:alias/golden'}}
""",
    ),
    good=(_GOOD, _UNKNOWN, _out(f"{_BUILD_DATE}, KmsKeyId: alias/golden", region="eu-west-1")),
)
def kms_key_region(it: Resource) -> Iterator[Problem]:
    """A key encrypts in its own Region only."""
    home = it.template.region
    if it.type == RECIPE:
        for key in it.all("BlockDeviceMappings[].Ebs.KmsKeyId"):
            if key.text is not None and home is not None:
                yield from below(key, distribution.kms_key_region(key.text, home))
        return
    for target in it.get("Distributions").items():
        key, region = target.at(f"{_AMI}.KmsKeyId"), target.get("Region").text
        if region is None:
            continue
        if key.text is not None:
            yield from below(key, distribution.kms_key_region(key.text, region))
        elif it.target(key, KEY) is not None and home is not None and region != home:
            fix = f"name a key of {region}, by ARN or alias"
            yield key.problem(f"is a key of this stack, in {home}, and cannot encrypt in {region}", got=None, fix=fix)


@template_rule(
    "KeyNotShared",
    family=Family.FAILS,
    on=(DISTRIBUTION,),
    why="The other account receives the image and can start nothing from it: it may not use the key.",
    source="https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html",
    bad=(
        """
Key:
  Type: AWS::KMS::Key
  Properties:
    KeyPolicy: {Statement: [{Effect: Allow, Principal: {AWS: !Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:root'}, Action: 'kms:*', Resource: '*'}]}
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties:
    Name: web
    Distributions:
      - {Region: us-east-1, AmiDistributionConfiguration: {KmsKeyId: alias/other, TargetAccountIds: ['210987654321']}}
      - {Region: us-east-1, AmiDistributionConfiguration: {KmsKeyId: !Ref Key, TargetAccountIds: ['210987654321']}}
""",
        """
Key:
  Type: AWS::KMS::Key
  Properties:
    KeyPolicy: {Statement: [{Effect: Allow, Principal: {AWS: 'arn:aws:iam::123456789012:root'}, Action: 'kms:*', Resource: '*'}]}
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties:
    Name: web
    Distributions:
      - Region: us-east-1
        AmiDistributionConfiguration:
          KmsKeyId: !GetAtt Key.Arn
          LaunchPermissionConfiguration: {UserIds: ['210987654321']}
""",
    ),
    good=(
        """
Key:
  Type: AWS::KMS::Key
  Properties:
    KeyPolicy: {Statement: [{Effect: Allow, Principal: {AWS: '*'}, Action: 'kms:*', Resource: '*', Condition: {}}]}
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties:
    Name: web
    Distributions: [{Region: us-east-1, AmiDistributionConfiguration: {KmsKeyId: !Ref Key, TargetAccountIds: ['210987654321']}}]
""",
        _GOOD,
        """
Key:
  Type: AWS::KMS::Key
  Properties:
    KeyPolicy: {Statement: [{Effect: Allow, Principal: {AWS: !Sub 'arn:aws:iam::210987654321:root'}, Action: 'kms:*', Resource: '*'}]}
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties:
    Name: web
    Distributions:
      - Region: us-east-1
        AmiDistributionConfiguration: {KmsKeyId: !GetAtt Key.Arn, TargetAccountIds: ['210987654321', '123456789012']}
""",
        """
Key:
  Type: AWS::KMS::Key
  Properties:
    KeyPolicy: {Statement: [{Effect: Allow, Principal: {AWS: !Ref Principals}, Action: 'kms:*', Resource: '*'}]}
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties:
    Name: web
    Distributions:
      - Region: us-east-1
        AmiDistributionConfiguration: {KmsKeyId: !GetAtt Key.Arn, TargetAccountIds: ['210987654321']}
""",
    ),
)
def key_not_shared(it: Resource) -> Iterator[Problem]:
    """A key's policy lets the accounts in that receive what it encrypts."""
    for target in it.get("Distributions").items():
        key = it.target(target.at(f"{_AMI}.KmsKeyId"), KEY)
        if key is None or key.get("KeyPolicy").absent or _open_ended(key):
            continue
        allowed = " ".join(text.partial for text in key.get("KeyPolicy").strings())
        for place in (*target.all(f"{_AMI}.TargetAccountIds[]"), *target.all(f"{_PERMISSION}.UserIds[]")):
            account = place.text or ""
            if (
                re.fullmatch(ACCOUNT_ID, account)
                and account != it.template.environment.account
                and account not in allowed
            ):
                fix = f"let the account use {key.logical_id} in its policy"
                yield place.problem("is not let in by the key's policy", fix=fix)


def _open_ended(key: Resource) -> bool:
    principals = [text for place in key.all("KeyPolicy.Statement[].Principal") for text in place.strings()]
    return any(text.partial == "*" or (text.unknown and not _is_own_root(text)) for text in principals)


def _is_own_root(place: Place) -> bool:
    return place.partial.endswith(":iam::${Token[Ref.AWS::AccountId]}:root")


bind(
    distribution.launch_template_id,
    rule="LaunchTemplateId",
    family=Family.FAILS,
    where={DISTRIBUTION: ("Distributions[].LaunchTemplateConfigurations[].LaunchTemplateId",)},
    reads=lambda place: place.text,
    why="The service refuses the configuration, or the build fails at its end.",
    bad=(_out(more="LaunchTemplateConfigurations: [{LaunchTemplateId: web}]"),),
    good=(
        _out(more="LaunchTemplateConfigurations: [{LaunchTemplateId: lt-0123456789abcdef0}]"),
        _out(more="LaunchTemplateConfigurations: [{LaunchTemplateId: !Ref Template}]"),
    ),
    module=__name__,
)


@template_rule(
    "LaunchTemplates",
    family=Family.FAILS,
    on=(DISTRIBUTION,),
    why="The service refuses the configuration.",
    bad=(
        _out(
            more="LaunchTemplateConfigurations: [{LaunchTemplateId: lt-0123456789abcdef0}, "
            "{LaunchTemplateId: lt-0123456789abcdef0}]"
        ),
    ),
    good=(_out(more="LaunchTemplateConfigurations: [{LaunchTemplateId: lt-0123456789abcdef0}]"), _GOOD),
)
def launch_templates(it: Resource) -> Iterator[Problem]:
    """A target updates each launch template once, and at most 100."""
    for place in it.all("Distributions[].LaunchTemplateConfigurations"):
        ids = [entry.get("LaunchTemplateId").text for entry in place.items()]
        yield from below(place, distribution.launch_templates([text for text in ids if text is not None]))


@template_rule(
    "LaunchTemplateWriters",
    family=Family.DRIFTS,
    on=(DISTRIBUTION,),
    why="Each build adds a version that the stack knows nothing of: the next deployment goes back to the image of its own.",
    source=f"{_IB}API_LaunchTemplateConfiguration.html",
    bad=(
        """
Fleet: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {MetadataOptions: {HttpTokens: required}}}}
Group:
  Type: AWS::AutoScaling::AutoScalingGroup
  Properties: {LaunchTemplate: {LaunchTemplateId: !Ref Fleet, Version: !GetAtt Fleet.LatestVersionNumber}}
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties: {Name: web, Distributions: [{Region: us-east-1, LaunchTemplateConfigurations: [{LaunchTemplateId: !Ref Fleet}]}]}
""",
        """
Fleet: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {ImageId: ami-0123456789abcdef0}}}
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties: {Name: web, Distributions: [{Region: us-east-1, LaunchTemplateConfigurations: [{LaunchTemplateId: !Ref Fleet}]}]}
""",
    ),
    good=(
        _out(more="LaunchTemplateConfigurations: [{LaunchTemplateId: lt-0123456789abcdef0}]"),
        """
Fleet: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {MetadataOptions: {HttpTokens: required}}}}
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties: {Name: web, Distributions: [{Region: us-east-1, LaunchTemplateConfigurations: [{LaunchTemplateId: !Ref Fleet}]}]}
""",
        _GOOD,
    ),
)
def launch_template_writers(it: Resource) -> Iterator[Problem]:
    """A launch template has one writer: the stack, or the distribution."""
    for place in it.all("Distributions[].LaunchTemplateConfigurations[].LaunchTemplateId"):
        written = it.target(place, LAUNCH_TEMPLATE)
        if written is None:
            continue
        groups = [group for group in it.template.of_type(AUTO_SCALING_GROUP) if _uses(group, written.logical_id)]
        if groups or not written.at("LaunchTemplateData.ImageId").absent:
            reader = (
                f"the group {groups[0].logical_id} takes the stack's version"
                if groups
                else "the stack sets its ImageId"
            )
            fix = "let the stack read the image from a parameter, or the distribution alone own the template"
            yield place.problem(f"is written by builds, and {reader}", got=written.logical_id, fix=fix)


def _uses(group: Resource, logical_id: str) -> bool:
    return any(text.mentions(logical_id) for text in group.strings())


@template_rule(
    "TargetAccountOf",
    family=Family.FAILS,
    on=(DISTRIBUTION,),
    why="The build runs to its end, and then the account has no such AMI.",
    bad=(
        _out(more=f"SsmParameterConfigurations: [{{ParameterName: /imagebuilder/web, AmiAccountId: {_OTHER}}}]"),
        _out(more=f"LaunchTemplateConfigurations: [{{LaunchTemplateId: lt-0123456789abcdef0, AccountId: {_OTHER}}}]"),
    ),
    good=(
        _out(
            f"{_BUILD_DATE}, {_KEY}, TargetAccountIds: [{_OTHER}]",
            more=f"SsmParameterConfigurations: [{{ParameterName: /imagebuilder/web, AmiAccountId: {_OTHER}}}]",
        ),
        _out(
            more="LaunchTemplateConfigurations: [{LaunchTemplateId: lt-0123456789abcdef0, AccountId: '123456789012'}]"
        ),
        _GOOD,
    ),
)
def target_account_of(it: Resource) -> Iterator[Problem]:
    """What another account receives needs a copy of the AMI in that account."""
    own = it.template.environment.account
    for target in it.get("Distributions").items():
        accounts = target.at(f"{_AMI}.TargetAccountIds")
        if own is None or accounts.unknown:
            continue
        for path in ("LaunchTemplateConfigurations[].AccountId", "SsmParameterConfigurations[].AmiAccountId"):
            for place in target.all(path):
                if place.text is not None:
                    known = [own, *(accounts.texts or ())]
                    yield from below(place, distribution.among_target_accounts(place.text, known))


@template_rule(
    "ParameterOutsidePrefix",
    family=Family.FAILS,
    on=(DISTRIBUTION,),
    why="The service's own role writes under /imagebuilder/ only: the build fails at its end.",
    source="https://docs.aws.amazon.com/imagebuilder/latest/userguide/image-builder-service-linked-role.html",
    bad=(
        """
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties: {Name: web, Distributions: [{Region: us-east-1, SsmParameterConfigurations: [{ParameterName: /golden/web}]}]}
Line:
  Type: AWS::ImageBuilder::ImagePipeline
  Properties: {Name: web, ImageRecipeArn: !Ref R, DistributionConfigurationArn: !GetAtt Out.Arn}
""",
    ),
    good=(
        """
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties: {Name: web, Distributions: [{Region: us-east-1, SsmParameterConfigurations: [{ParameterName: /golden/web}]}]}
Line:
  Type: AWS::ImageBuilder::ImagePipeline
  Properties: {Name: web, ImageRecipeArn: !Ref R, DistributionConfigurationArn: !GetAtt Out.Arn, ExecutionRole: build}
""",
        """
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties: {Name: web, Distributions: [{Region: us-east-1, SsmParameterConfigurations: [{ParameterName: /imagebuilder/web}]}]}
Line:
  Type: AWS::ImageBuilder::ImagePipeline
  Properties: {Name: web, ImageRecipeArn: !Ref R, DistributionConfigurationArn: !GetAtt Out.Arn}
""",
    ),
)
def parameter_outside_prefix(it: Resource) -> Iterator[Problem]:
    """A parameter that a build writes lies under /imagebuilder/, or the build has a role that may write it."""
    users = it.users("DistributionConfigurationArn", PIPELINE, IMAGE)
    if any(user.get("ExecutionRole").absent for user in users):
        for place in it.all("Distributions[].SsmParameterConfigurations[].ParameterName"):
            if place.text is not None and not place.text.startswith(IMAGE_BUILDER_PARAMETER_PREFIX):
                fix = f"move it under {IMAGE_BUILDER_PARAMETER_PREFIX}, or give the pipeline an ExecutionRole"
                yield place.problem("is a parameter that the service may not write", fix=fix)


@template_rule(
    "ParameterWriters",
    family=Family.DRIFTS,
    on=(DISTRIBUTION,),
    why="Each deployment that touches the parameter sets it back to what the template says.",
    source=f"{_IB}API_SsmParameterConfiguration.html",
    bad=(
        """
Channel: {Type: AWS::SSM::Parameter, Properties: {Name: /imagebuilder/web, Type: String, Value: ami-0123456789abcdef0}}
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties: {Name: web, Distributions: [{Region: us-east-1, SsmParameterConfigurations: [{ParameterName: /imagebuilder/web}]}]}
""",
        """
Channel: {Type: AWS::SSM::Parameter, Properties: {Type: String, Value: ami-0123456789abcdef0}}
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties: {Name: web, Distributions: [{Region: us-east-1, SsmParameterConfigurations: [{ParameterName: !Ref Channel}]}]}
""",
    ),
    good=(
        """
Channel: {Type: AWS::SSM::Parameter, Properties: {Name: /imagebuilder/web/size, Type: String, Value: large}}
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties: {Name: web, Distributions: [{Region: us-east-1, SsmParameterConfigurations: [{ParameterName: /imagebuilder/web}]}]}
""",
    ),
)
def parameter_writers(it: Resource) -> Iterator[Problem]:
    """A parameter has one writer: the stack, or the distribution."""
    for place in it.all("Distributions[].SsmParameterConfigurations[].ParameterName"):
        for parameter in it.template.of_type(PARAMETER_STORE):
            same = place.text is not None and place.text == parameter.get("Name").text
            if same or place.mentions(parameter.logical_id):
                fix = "drop the resource: the first build creates the parameter"
                yield place.problem(f"is written by builds and by {parameter.logical_id}", got=None, fix=fix)


@template_rule(
    "ParameterDataType",
    family=Family.DRIFTS,
    on=(DISTRIBUTION,),
    why="Nobody checks what is written into it, and EC2 does not see that the parameter uses the image.",
    source=f"{_IB}API_SsmParameterConfiguration.html",
    bad=(_out(more="SsmParameterConfigurations: [{ParameterName: /imagebuilder/web, DataType: text}]"),),
    good=(
        _out(more="SsmParameterConfigurations: [{ParameterName: /imagebuilder/web, DataType: 'aws:ec2:image'}]"),
        _out(more="SsmParameterConfigurations: [{ParameterName: /imagebuilder/web}]"),
    ),
)
def parameter_data_type(it: Resource) -> Iterator[Problem]:
    """A parameter that holds an AMI id has the data type aws:ec2:image."""
    for place in it.all("Distributions[].SsmParameterConfigurations[].DataType"):
        if place.text == "text":
            yield place.problem("is not checked to be an AMI", fix="use aws:ec2:image")


@template_rule(
    "ParameterOnce",
    family=Family.FAILS,
    on=(DISTRIBUTION,),
    why="The service refuses the configuration, or one value overwrites the other.",
    source=f"{_IB}API_SsmParameterConfiguration.html",
    bad=(
        _out(
            more="SsmParameterConfigurations: [{ParameterName: /imagebuilder/web, AmiAccountId: '1'}, {ParameterName: /imagebuilder/web, AmiAccountId: '1'}]"
        ),
        _out(
            more="SsmParameterConfigurations: [{ParameterName: /imagebuilder/web}, {ParameterName: /imagebuilder/web}]"
        ),
    ),
    good=(
        _out(
            more="SsmParameterConfigurations: [{ParameterName: /imagebuilder/web, AmiAccountId: '1'}, {ParameterName: /imagebuilder/web, AmiAccountId: '2'}]"
        ),
        _out(more="SsmParameterConfigurations: [{ParameterName: !Ref A}, {ParameterName: !Ref A}]"),
        _out(
            more="SsmParameterConfigurations: [{ParameterName: /imagebuilder/web}, {ParameterName: /imagebuilder/db}]"
        ),
    ),
)
def parameter_once(it: Resource) -> Iterator[Problem]:
    """A target writes each parameter of an account once."""
    for target in it.get("Distributions").items():
        seen: list[tuple[str | None, object]] = []
        for entry in target.get("SsmParameterConfigurations").items():
            name = entry.get("ParameterName")
            key = (name.text, entry.get("AmiAccountId").raw if not entry.get("AmiAccountId").absent else None)
            if name.text is not None and key in seen:
                yield name.problem("is written twice", fix="drop one of the two")
            seen.append(key)


@template_rule(
    "FastLaunch",
    family=Family.FAILS,
    on=(DISTRIBUTION,),
    why="EC2 refuses it, and the build fails at its end.",
    source="https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/win-ami-config-fast-launch.html",
    bad=(
        _out(more="FastLaunchConfigurations: [{Enabled: true, MaxParallelLaunches: 5}]"),
        """
Web:
  Type: AWS::ImageBuilder::ImageRecipe
  Properties: {Name: w, Version: 1.0.x, ParentImage: 'arn:aws:imagebuilder:us-east-1:aws:image/amazon-linux-2023-x86/x.x.x'}
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties: {Name: web, Distributions: [{Region: us-east-1, FastLaunchConfigurations: [{Enabled: true}]}]}
Line:
  Type: AWS::ImageBuilder::ImagePipeline
  Properties: {Name: web, ImageRecipeArn: !GetAtt Web.Arn, DistributionConfigurationArn: !GetAtt Out.Arn}
""",
    ),
    good=(
        """
Web:
  Type: AWS::ImageBuilder::ImageRecipe
  Properties: {Name: w, Version: 1.0.x, ParentImage: 'arn:aws:imagebuilder:us-east-1:aws:image/amazon-linux-2023-x86/x.x.x'}
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties: {Name: web, Distributions: [{Region: us-east-1, FastLaunchConfigurations: [{Enabled: false}]}]}
Line:
  Type: AWS::ImageBuilder::ImagePipeline
  Properties: {Name: web, ImageRecipeArn: !GetAtt Web.Arn, DistributionConfigurationArn: !GetAtt Out.Arn}
""",
        """
Web:
  Type: AWS::ImageBuilder::ImageRecipe
  Properties: {Name: w, Version: 1.0.x, ParentImage: 'arn:aws:imagebuilder:us-east-1:aws:image/windows-server-2022-english-full-base-x86/x.x.x'}
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties: {Name: web, Distributions: [{Region: us-east-1, FastLaunchConfigurations: [{Enabled: true}]}]}
Line:
  Type: AWS::ImageBuilder::ImagePipeline
  Properties: {Name: web, ImageRecipeArn: !GetAtt Web.Arn, DistributionConfigurationArn: !GetAtt Out.Arn}
""",
        _out(more="FastLaunchConfigurations: [{Enabled: true, MaxParallelLaunches: 6}]"),
        _GOOD,
    ),
)
def fast_launch(it: Resource) -> Iterator[Problem]:
    """Fast launch is for Windows, with at least six launches at a time."""
    users = it.users("DistributionConfigurationArn", PIPELINE, IMAGE)
    recipes = [recipe for user in users if (recipe := user.target(user.get("ImageRecipeArn"), RECIPE))]
    linux = any(facts_of(recipe).platform == Platform.LINUX for recipe in recipes)
    for entry in it.all("Distributions[].FastLaunchConfigurations[]"):
        parallel = entry.get("MaxParallelLaunches")
        if parallel.number is not None and parallel.number < 6:  # noqa: PLR2004 - said in the docstring
            yield parallel.problem("is less than EC2 takes", fix="give 6 or more")
        if linux and entry.get("Enabled").flag:
            yield entry.get("Enabled").problem("speeds up Windows only, and the image is of Linux", fix="drop it")


@template_rule(
    "ContainerOutput",
    family=Family.FAILS,
    on=(DISTRIBUTION,),
    why="The service refuses the pipeline.",
    source=f"{_IB}API_Distribution.html",
    bad=(
        """
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties: {Name: web, Distributions: [{Region: us-east-1, AmiDistributionConfiguration: {Name: 'web {{ imagebuilder:buildDate }}'}}]}
Line:
  Type: AWS::ImageBuilder::ImagePipeline
  Properties: {Name: web, ContainerRecipeArn: !GetAtt Web.Arn, DistributionConfigurationArn: !GetAtt Out.Arn}
""",
        """
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties: {Name: web, Distributions: [{Region: us-east-1, ContainerDistributionConfiguration: {TargetRepository: !Ref R}}]}
Line:
  Type: AWS::ImageBuilder::ImagePipeline
  Properties: {Name: web, ImageRecipeArn: !GetAtt Web.Arn, DistributionConfigurationArn: !GetAtt Out.Arn}
""",
    ),
    good=(
        """
Out:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties: {Name: web, Distributions: [{Region: us-east-1, ContainerDistributionConfiguration: {TargetRepository: !Ref R}}]}
Line:
  Type: AWS::ImageBuilder::ImagePipeline
  Properties: {Name: web, ContainerRecipeArn: !GetAtt Web.Arn, DistributionConfigurationArn: !GetAtt Out.Arn}
""",
        _GOOD,
    ),
)
def container_output(it: Resource) -> Iterator[Problem]:
    """An AMI is distributed as an AMI, a container as a container."""
    users = it.users("DistributionConfigurationArn", PIPELINE, IMAGE)
    pairs = (("ImageRecipeArn", "ContainerDistributionConfiguration"), ("ContainerRecipeArn", _AMI))
    for recipe, output in pairs:
        if any(not user.get(recipe).absent for user in users):
            for place in it.all(f"Distributions[].{output}"):
                yield place.problem(
                    f"is for what no {recipe.removesuffix('RecipeArn').lower()} is", got=None, fix="drop it"
                )
