"""Rules over distribution: targets, keys, accounts, launch permissions, launch templates, channels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from cdk_ami.checks.rule import Problem, rule
from cdk_ami.limits import (
    AMI_DESCRIPTION_MAX,
    AMI_ID,
    CHANNEL_NAME,
    FAST_LAUNCH_PARALLEL_MIN,
    FAST_LAUNCH_SNAPSHOTS,
    FAST_LAUNCHES_PER_REGION,
    KEY_ALIAS,
    KEY_POLICY_MAX_BYTES,
    KEY_WAITING_DAYS,
    LAUNCH_TEMPLATE_ID,
    LAUNCH_TEMPLATES_PER_REGION,
    LICENSE_CONFIGURATION_ARN,
    LICENSE_CONFIGURATIONS_PER_REGION,
    ORGANIZATION_ARN,
    ORGANIZATIONAL_UNIT_ARN,
    ORGANIZATIONS_MAX,
    TARGET_ACCOUNTS_MAX,
)
from cdk_ami.source.platform import Platform

_IB: Final = "https://docs.aws.amazon.com/imagebuilder/latest/APIReference/"
_SHARING: Final = "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/sharingamis-intro.html"
_FAST_LAUNCH: Final = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EnableFastLaunch.html"
_CROSS_ACCOUNT: Final = "https://docs.aws.amazon.com/imagebuilder/latest/userguide/cross-account-dist.html"
_KEYS: Final = "https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html"

_KEY_ARN: Final = r"arn:aws[a-z-]*:kms:(?P<region>[a-z0-9-]+):[0-9]{12}:(?:key/[A-Za-z0-9-]+|alias/[A-Za-z0-9/_-]+)"
_KEY_ID: Final = r"mrk-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@rule("DistributionTargets", source=f"{_IB}API_CreateDistributionConfiguration.html")
def targets_present(regions: Sequence[str]) -> Iterator[Problem]:
    """A distribution has at least one target."""
    if not regions:
        yield Problem(problem="is empty", got=list(regions), fix="name at least the Region of the build")


@rule("AmiDescription", source=f"{_IB}API_AmiDistributionConfiguration.html")
def ami_description(text: str) -> Iterator[Problem]:
    """A description of an AMI has 1 to 1,024 characters."""
    if not 1 <= len(text) <= AMI_DESCRIPTION_MAX:
        yield Problem(
            problem=f"has {len(text)} characters", got=text, fix=f"use 1 to {AMI_DESCRIPTION_MAX} characters, or None"
        )


@rule("TargetAccounts", source=f"{_IB}API_AmiDistributionConfiguration.html")
def account_list(accounts: Sequence[str]) -> Iterator[Problem]:
    """A list of accounts names each once, and at most 1,536."""
    if len(accounts) > TARGET_ACCOUNTS_MAX:
        yield Problem(
            problem=f"names {len(accounts)} accounts",
            got=len(accounts),
            fix=f"keep at most {TARGET_ACCOUNTS_MAX}: share with an organization or an organizational unit instead",
        )
    yield from _once(accounts, "names an account twice")


@rule("OrganizationArn", source=f"{_IB}API_LaunchPermissionConfiguration.html")
def organizations(arns: Sequence[str]) -> Iterator[Problem]:
    """Launch permissions name organizations by ARN, each once, and at most 25."""
    yield from _arns(
        arns, ORGANIZATION_ARN, "organization", "arn:aws:organizations::123456789012:organization/o-a1b2c3d4e5"
    )


@rule("OrganizationalUnitArn", source=f"{_IB}API_LaunchPermissionConfiguration.html")
def organizational_units(arns: Sequence[str]) -> Iterator[Problem]:
    """Launch permissions name organizational units by ARN, each once, and at most 25."""
    example = "arn:aws:organizations::123456789012:ou/o-a1b2c3d4e5/ou-ab12-c3d4e5f6"
    yield from _arns(arns, ORGANIZATIONAL_UNIT_ARN, "organizational unit", example)


@rule("LaunchPermissionEmpty", source=f"{_IB}API_LaunchPermissionConfiguration.html")
def permission_names_somebody(grantees: int) -> Iterator[Problem]:
    """A launch permission names somebody."""
    if not grantees:
        yield Problem(
            problem="permits nobody",
            got=grantees,
            fix="name accounts, organizations or organizational units, or leave it out",
        )


@rule("KmsKey", source=_KEYS)
def kms_key(key: str) -> Iterator[Problem]:
    """A key is named by ARN, alias ARN, alias or id."""
    if not (re.fullmatch(_KEY_ARN, key) or re.fullmatch(KEY_ALIAS, key) or re.fullmatch(_KEY_ID, key)):
        yield Problem(problem="names no KMS key", got=key, fix="give a key ARN, an alias ARN, 'alias/NAME' or a key id")


@rule("KmsKeyRegion", source="https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption.html")
def kms_key_region(key: str, region: str) -> Iterator[Problem]:
    """A key encrypts in its own Region only."""
    found = re.fullmatch(_KEY_ARN, key)
    if found and found["region"] != region:
        yield Problem(
            problem=f"is a key of {found['region']}, which cannot encrypt in {region}",
            got=key,
            fix=f"name a key of {region}, or an alias that exists there",
        )


@rule(
    "ManagedKeyShared",
    source="https://docs.aws.amazon.com/ebs/latest/userguide/ebs-modifying-snapshot-permissions.html",
)
def managed_key_shared(key: str) -> Iterator[Problem]:
    """A snapshot under the AWS managed EBS key cannot be shared: its key policy is AWS's."""
    if key.endswith("alias/aws/ebs"):
        yield Problem(
            problem="is the AWS managed EBS key, which other accounts can never use",
            got=key,
            fix="name a customer managed key of the target's Region",
        )


@rule("SharedKey", source=_CROSS_ACCOUNT)
def shared_key(key: str | None, *, encrypted: bool, region: str, needed: str) -> Iterator[Problem]:
    """An encrypted AMI that other accounts use or copy is encrypted with a customer managed key."""
    if encrypted and key is None:
        yield Problem(
            problem="is missing where other accounts use or copy an encrypted AMI, and the default EBS key cannot be "
            "shared",
            got=None,
            fix=f"name a customer managed key of {region}, whose policy holds {needed}",
        )


@rule("KeyForEachRegion", source=_CROSS_ACCOUNT)
def key_for_each_region(keyed: Sequence[str], regions: Sequence[str]) -> Iterator[Problem]:
    """Keys do not leave their Region, so keys by Region name one for each Region that receives the AMI."""
    missing = [region for region in regions if region not in keyed]
    if keyed and missing:
        yield Problem(
            problem=f"names no key for {', '.join(missing)}",
            got=list(keyed),
            fix="name a key of each Region, or give it to its target",
        )


@rule("KeyGoesNowhere", source=_CROSS_ACCOUNT)
def key_goes_somewhere(keyed: Sequence[str], regions: Sequence[str]) -> Iterator[Problem]:
    """Keys by Region name no Region that receives nothing, which is a Region misspelt or forgotten."""
    for region in keyed:
        if region not in regions:
            yield Problem(
                problem="names a key of a Region that is no target",
                got=region,
                fix="add a target for the Region, or drop its key",
                at=f"[{region!r}]",
            )


@rule("KeyAlias", source="https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateAlias.html")
def key_alias(alias: str) -> Iterator[Problem]:
    """An alias of a key of one's own is a path below alias/ that does not begin with aws/."""
    if not re.fullmatch(KEY_ALIAS, alias) or alias.startswith("alias/aws/"):
        yield Problem(
            problem="is no alias that a key of yours can have",
            got=alias,
            fix="begin with alias/, but not with alias/aws/, and use letters, digits and /_- only",
        )


@rule("KeyPolicySize", source="https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html")
def key_policy_size(size: int) -> Iterator[Problem]:
    """A key policy has at most 32 KiB, which a hundred accounts fill."""
    if size > KEY_POLICY_MAX_BYTES:
        yield Problem(
            problem=f"names so many accounts that the key policy has {size:,} bytes",
            got=size,
            fix=f"keep within {KEY_POLICY_MAX_BYTES:,}: share with an organization or an organizational unit instead",
        )


@rule("KeyWaitingDays", source="https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html")
def key_waiting_days(days: int) -> Iterator[Problem]:
    """A key that is deleted waits for 7 to 30 days."""
    low, high = KEY_WAITING_DAYS
    if not low <= days <= high:
        yield Problem(problem="is out of range", got=days, fix=f"give {low} to {high} days")


@rule("KeyArn", source="https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateGrant.html")
def key_arn(arn: str) -> Iterator[Problem]:
    """A grant for a key of another account names the key by its ARN, not by an alias."""
    if not re.fullmatch(_KEY_ARN, arn) or ":alias/" in arn:
        yield Problem(
            problem="is no ARN of a key",
            got=arn,
            fix="give the key's own ARN, such as 'arn:aws:kms:eu-west-1:123456789012:key/...', not an alias",
        )


@rule("PublicEncrypted", source=_SHARING)
def public_encrypted(key: str) -> Iterator[Problem]:
    """An AMI with an encrypted snapshot cannot be public."""
    if key:
        yield Problem(
            problem="encrypts an AMI that is to be public, which EC2 refuses",
            got=key,
            fix="drop the key and the encryption of the recipe's volumes, or public=True",
        )


@rule("PublicVolumes", source=_SHARING)
def public_volumes(*, encrypted: bool) -> Iterator[Problem]:
    """An image for everybody has no encrypted volume."""
    if encrypted:
        yield Problem(
            problem="are encrypted, and an AMI with an encrypted snapshot cannot be public",
            got="encrypted",
            fix="give the root volume and every other one as Volume(encrypted=False), or drop public=True",
        )


@rule("LaunchTemplateId", source=f"{_IB}API_LaunchTemplateConfiguration.html")
def launch_template_id(template_id: str) -> Iterator[Problem]:
    """Distribution knows launch templates by id."""
    if not re.fullmatch(LAUNCH_TEMPLATE_ID, template_id):
        yield Problem(
            problem="is no launch template id",
            got=template_id,
            fix="give the id, such as lt-0123456789abcdef0, not the name",
        )


@rule("LaunchTemplates", source=f"{_IB}API_Distribution.html")
def launch_templates(template_ids: Sequence[str]) -> Iterator[Problem]:
    """A target updates each launch template once, and at most 100."""
    if len(template_ids) > LAUNCH_TEMPLATES_PER_REGION:
        yield Problem(
            problem=f"names {len(template_ids)} launch templates",
            got=len(template_ids),
            fix=f"keep at most {LAUNCH_TEMPLATES_PER_REGION} in a Region: let the others read the channel",
        )
    yield from _once(template_ids, "names a launch template twice")


@rule("LicenseConfiguration", source=f"{_IB}API_Distribution.html")
def license_configuration(arn: str, region: str) -> Iterator[Problem]:
    """A license configuration is named by its ARN, and belongs to the Region of the AMI."""
    found = re.fullmatch(LICENSE_CONFIGURATION_ARN, arn)
    if found is None:
        yield Problem(
            problem="is no ARN of a license configuration",
            got=arn,
            fix="copy it from License Manager: arn:aws:license-manager:REGION:ACCOUNT:license-configuration:lic-...",
        )
    elif found["region"] != region:
        yield Problem(
            problem=f"is a license configuration of {found['region']}",
            got=arn,
            fix=f"name one of {region}: license configurations do not leave their Region",
        )


@rule("LicenseConfigurations", source=f"{_IB}API_Distribution.html")
def license_configurations(arns: Sequence[str]) -> Iterator[Problem]:
    """A target names each license configuration once, and at most 50."""
    if len(arns) > LICENSE_CONFIGURATIONS_PER_REGION:
        yield Problem(
            problem=f"names {len(arns)} license configurations",
            got=len(arns),
            fix=f"keep at most {LICENSE_CONFIGURATIONS_PER_REGION} in a Region",
        )
    yield from _once(arns, "names a license configuration twice")


@rule("FastLaunchPlatform", source=_FAST_LAUNCH)
def fast_launch_platform(platform: Platform) -> Iterator[Problem]:
    """Fast launch is for Windows alone."""
    if platform is not Platform.WINDOWS:
        yield Problem(
            problem="is given for an image that is not Windows", got=str(platform), fix="drop it: Linux needs none"
        )


@rule("FastLaunchParallel", source=_FAST_LAUNCH)
def fast_launch_parallel(count: int) -> Iterator[Problem]:
    """At least 6 instances at a time prepare fast launch."""
    if count < FAST_LAUNCH_PARALLEL_MIN:
        yield Problem(
            problem="is too small", got=count, fix=f"give {FAST_LAUNCH_PARALLEL_MIN} or more, or leave it out"
        )


@rule("FastLaunchSnapshots", source=f"{_IB}API_FastLaunchSnapshotConfiguration.html")
def fast_launch_snapshots(count: int) -> Iterator[Problem]:
    """Fast launch keeps 1 to 10,000 prepared snapshots."""
    low, high = FAST_LAUNCH_SNAPSHOTS
    if not low <= count <= high:
        yield Problem(problem="is out of range", got=count, fix=f"give {low} to {high:,} snapshots")


@rule(
    "FastLaunchTemplate",
    source="https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_FastLaunchLaunchTemplateSpecificationRequest.html",
)
def fast_launch_template(*, has_id: bool, version: str | None) -> Iterator[Problem]:
    """A launch template for fast launch and its version are given together."""
    if has_id != (version is not None):
        yield Problem(
            problem="and the launch template's id need each other",
            got=version,
            fix="give both: launch_template_id='lt-...', launch_template_version='1'",
        )


@rule("FastLaunches", source=f"{_IB}API_Distribution.html")
def fast_launches(accounts: Sequence[str]) -> Iterator[Problem]:
    """A target sets up fast launch once in each account, and at most 1,000 times."""
    if len(accounts) > FAST_LAUNCHES_PER_REGION:
        yield Problem(
            problem=f"sets up fast launch {len(accounts)} times",
            got=len(accounts),
            fix=f"keep at most {FAST_LAUNCHES_PER_REGION} in a Region",
        )
    yield from _once(accounts, "sets up fast launch in an account twice")


@rule("TargetAccountOf", source=f"{_IB}API_LaunchTemplateConfiguration.html")
def among_target_accounts(account: str, accounts: Sequence[str]) -> Iterator[Problem]:
    """What another account receives needs a copy of the AMI in that account."""
    if account not in accounts:
        yield Problem(
            problem="is no target account of this Region", got=account, fix="add it to the accounts of the same target"
        )


@rule(
    "ChannelName",
    source="https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html",
)
def channel_name(channel: str) -> Iterator[Problem]:
    """A channel's name is the last part of a parameter name."""
    if not re.fullmatch(CHANNEL_NAME, channel):
        yield Problem(
            problem="is no channel name",
            got=channel,
            fix="use letters, digits and _.- only, such as 'latest' or 'stable'",
        )


@rule("ChannelsOnce", source=f"{_IB}API_SsmParameterConfiguration.html")
def channels_once(channels: Sequence[str], entry: str) -> Iterator[Problem]:
    """A target writes each channel once, the entry channel of the distribution among them."""
    for index, channel in enumerate(channels):
        if channel == entry:
            fix = "drop it: every target writes the entry channel"
            yield Problem(problem="names the entry channel again", got=channel, fix=fix, at=f"[{index}]")
    yield from _once(channels, "names a channel twice")


@rule(
    "SharedChannels",
    source="https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-shared-parameters.html",
)
def shared_channels(channels: Sequence[tuple[str, str | None]]) -> Iterator[Problem]:
    """An account shares channels of its own, each once and at least one."""
    if not channels:
        yield Problem(problem="is empty", got=[], fix="name the channels that the others are to read")
    for index, (name, owner) in enumerate(channels):
        if owner is not None:
            fix = "share it in a stack of that account, by ImageChannel.from_name"
            yield Problem(
                problem=f"is a channel of {owner}, which alone can share it", got=name, fix=fix, at=f"[{index}]"
            )
    yield from _once([name for name, _ in channels], "names a channel twice")


@rule("SharedWithNamed", source="https://docs.aws.amazon.com/ram/latest/userguide/getting-started-sharing.html")
def shared_with_named(*, names_others: bool) -> Iterator[Problem]:
    """A parameter is shared with accounts, organizations or organizational units, never with everybody."""
    if not names_others:
        fix = "name accounts, organizations or organizational units; everybody else keeps a copy of the AMI id"
        yield Problem(problem="names nobody whom a parameter can be shared with", got="public", fix=fix)


@rule("AmiId", source="https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Image.html")
def ami_id(value: str) -> Iterator[Problem]:
    """An AMI id is ami- and 8 or 17 hexadecimal digits."""
    if not re.fullmatch(AMI_ID, value):
        yield Problem(problem="is no AMI id", got=value, fix="give an id such as ami-0123456789abcdef0")


def _arns(arns: Sequence[str], form: str, noun: str, example: str) -> Iterator[Problem]:
    if len(arns) > ORGANIZATIONS_MAX:
        yield Problem(
            problem=f"names {len(arns)} {noun}s",
            got=len(arns),
            fix=f"keep at most {ORGANIZATIONS_MAX}: share one level up",
        )
    for index, arn in enumerate(arns):
        if not re.fullmatch(form, arn):
            yield Problem(
                problem=f"is no ARN of an {noun}", got=arn, fix=f"give one such as {example}", at=f"[{index}]"
            )
    yield from _once(arns, f"names an {noun} twice")


def _once(values: Sequence[str], problem: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, value in enumerate(values):
        if value in seen:
            yield Problem(problem=problem, got=value, fix="drop one of the two", at=f"[{index}]")
        seen.add(value)
