"""Bad inputs to distributions, their targets, permissions and channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import aws_cdk as cdk

from cdk_ami import (
    Distribution,
    FastLaunch,
    ImageChannel,
    ImageKey,
    ImageProducer,
    InstanceCapture,
    KeyGrant,
    LaunchPermission,
    LaunchTemplateUpdate,
    SharedChannel,
    SourceImage,
    Target,
    Tracking,
    Volume,
)
from tests.contract.refusals.row import Row, image

Call = Callable[[cdk.Stack], object]
ACCOUNT: Final = "210987654321"
DATE: Final = "{{ imagebuilder:buildDate }}"
MANY: Final = [f"{number:012}" for number in range(300)]
TEMPLATE: Final = "lt-0123456789abcdef0"
LICENSE: Final = (
    "arn:aws:license-manager:us-east-1:123456789012:license-configuration:lic-0123456789abcdef0123456789abcdef"
)


def sent(distribution: Distribution) -> Call:
    """Return the call that makes an image with this distribution."""
    return lambda stack: image(stack, distribution=distribution)


def to(**options: Any) -> Call:
    """Return the call that makes an image with one target, in the stack's Region."""
    return sent(Distribution(targets=[Target(region="us-east-1", **options)]))


def shared(**options: Any) -> Call:
    """Return the call that makes an image with one launch permission."""
    return to(launch_permission=LaunchPermission(**options), kms_key="alias/golden")


def updating(*template_ids: str, account: str | None = None) -> Call:
    """Return the call that makes an image which updates these launch templates."""
    return to(
        launch_templates=[
            LaunchTemplateUpdate(launch_template_id=one, set_default_version=False, account=account)
            for one in template_ids
        ]
    )


def windows(*fast_launches: FastLaunch) -> Call:
    """Return the call that makes a Windows image with these fast launches."""
    target = Target(region="us-east-1", fast_launches=fast_launches)
    source = SourceImage.windows_server(version="2025")
    return lambda stack: image(stack, source=source, distribution=Distribution(targets=[target]))


def key(**options: Any) -> Call:
    """Return the call that makes the key ``S/Key`` of an image, good but for ``options``."""
    given: dict[str, Any] = {
        "image": "web",
        "distribution": Distribution.to_regions("us-east-1"),
        "build_region": "us-east-1",
    }
    return lambda stack: ImageKey(stack, "Key", **(given | options))


ROWS: Final = (
    Row(
        "a distribution goes nowhere",
        sent(Distribution(targets=[])),
        "S/Web",
        "distribution.targets",
        [],
        "Region of the build",
        "DistributionTargets",
    ),
    Row(
        "a distribution names a Region twice",
        sent(Distribution.to_regions("us-east-1", "us-east-1")),
        "S/Web",
        "distribution.targets[1]",
        "us-east-1",
        "merge the two",
        "RegionsOnce",
    ),
    Row(
        "an AMI is to cross from one partition to another",
        sent(Distribution.to_regions("us-east-1", "cn-north-1")),
        "S/Web",
        "distribution.targets",
        ["us-east-1", "cn-north-1"],
        "build once in each partition",
        "OnePartition",
    ),
    Row(
        "a Region is misspelt",
        sent(Distribution.to_regions("eu-west-l")),
        "S/Web",
        "distribution.targets[0].region",
        "eu-west-l",
        "did you mean 'eu-west-",
        "Region",
    ),
    Row(
        "an AMI's name holds a slash",
        to(ami_name=f"web/{DATE}"),
        "S/Web",
        "distribution.targets[0].ami_name",
        f"web/{DATE}",
        "letters, digits",
        "AmiName",
    ),
    Row(
        "an AMI's name is the same for every build",
        to(ami_name="web"),
        "S/Web",
        "distribution.targets[0].ami_name",
        "web",
        DATE,
        "AmiNameBuildDate",
    ),
    Row(
        "an AMI's description is empty",
        to(description=""),
        "S/Web",
        "distribution.targets[0].description",
        "",
        "or None",
        "AmiDescription",
    ),
    Row(
        "an account's id has eleven digits",
        to(accounts=["12345678901"], kms_key="alias/golden"),
        "S/Web",
        "distribution.targets[0].accounts[0]",
        "12345678901",
        "twelve digits",
        "AccountId",
    ),
    Row(
        "a target names an account twice",
        to(accounts=[ACCOUNT, ACCOUNT], kms_key="alias/golden"),
        "S/Web",
        "distribution.targets[0].accounts[1]",
        ACCOUNT,
        "drop one",
        "TargetAccounts",
    ),
    Row(
        "a launch permission permits nobody",
        shared(),
        "S/Web",
        "distribution.targets[0].launch_permission",
        0,
        "leave it out",
        "LaunchPermissionEmpty",
    ),
    Row(
        "an organization is given by its id",
        shared(organizations=["o-a1b2c3d4e5"]),
        "S/Web",
        "distribution.targets[0].launch_permission.organizations[0]",
        "o-a1b2c3d4e5",
        "arn:aws:organizations::",
        "OrganizationArn",
    ),
    Row(
        "an organizational unit is given by its id",
        shared(organizational_units=["ou-ab12-c3d4e5f6"]),
        "S/Web",
        "distribution.targets[0].launch_permission.organizational_units[0]",
        "ou-ab12-c3d4e5f6",
        ":ou/o-",
        "OrganizationalUnitArn",
    ),
    Row(
        "a key is neither ARN nor alias nor id",
        to(kms_key="golden"),
        "S/Web",
        "distribution.targets[0].kms_key",
        "golden",
        "'alias/NAME'",
        "KmsKey",
    ),
    Row(
        "a key belongs to another Region",
        to(kms_key="arn:aws:kms:eu-west-1:123456789012:alias/golden"),
        "S/Web",
        "distribution.targets[0].kms_key",
        "arn:aws:kms:eu-west-1:123456789012:alias/golden",
        "a key of us-east-1",
        "KmsKeyRegion",
    ),
    Row(
        "a copy for another account is encrypted with AWS's own key",
        to(kms_key="alias/aws/ebs", accounts=[ACCOUNT]),
        "S/Web",
        "distribution.targets[0].kms_key",
        "alias/aws/ebs",
        "customer managed key",
        "ManagedKeyShared",
    ),
    Row(
        "an AMI for everybody is encrypted",
        lambda stack: image(
            stack,
            volumes=[Volume(encrypted=False)],
            distribution=Distribution(
                targets=[
                    Target(
                        region="us-east-1",
                        kms_key="alias/golden",
                        launch_permission=LaunchPermission(public=True),
                    )
                ]
            ),
        ),
        "S/Web",
        "distribution.targets[0].kms_key",
        "alias/golden",
        "drop the key",
        "PublicEncrypted",
    ),
    Row(
        "an AMI for everybody has the encrypted volume that is the default",
        to(launch_permission=LaunchPermission(public=True)),
        "S/Web",
        "volumes",
        "encrypted",
        "Volume(encrypted=False)",
        "PublicVolumes",
    ),
    Row(
        "a copy for another account is made under no key",
        to(accounts=[ACCOUNT]),
        "S/Web",
        "distribution.targets[0].kms_key",
        None,
        '{"Sid":"Copy","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::210987654321:root"}',
        "SharedKey",
    ),
    Row(
        "keys by Region forget a Region",
        sent(Distribution.to_regions("us-east-1", "eu-west-1", kms_keys={"us-east-1": "alias/golden"})),
        "S/Web",
        "distribution.kms_keys",
        ["us-east-1"],
        "a key of each Region",
        "KeyForEachRegion",
    ),
    Row(
        "keys by Region name a Region that receives nothing",
        sent(Distribution.to_regions("us-east-1", kms_keys={"us-east-1": "alias/golden", "eu-west-1": "alias/golden"})),
        "S/Web",
        "distribution.kms_keys['eu-west-1']",
        "eu-west-1",
        "add a target",
        "KeyGoesNowhere",
    ),
    Row(
        "an image's key has an alias of AWS's",
        key(alias="alias/aws/web"),
        "S/Key",
        "alias",
        "alias/aws/web",
        "not with alias/aws/",
        "KeyAlias",
    ),
    Row(
        "an image's key would be gone after three days",
        key(waiting_days=3),
        "S/Key",
        "waiting_days",
        3,
        "7 to 30 days",
        "KeyWaitingDays",
    ),
    Row(
        "an image's key is to admit more accounts than a key policy has room for",
        key(distribution=Distribution(targets=[Target(region="us-east-1", accounts=MANY)])),
        "S/Key",
        "distribution",
        111_792,
        "share with an organization",
        "KeyPolicySize",
    ),
    Row(
        "an image's key stands in a Region that receives no AMI",
        key(distribution=Distribution.to_regions("eu-west-1"), build_region="eu-west-1"),
        "S/Key",
        "distribution",
        "us-east-1",
        "one of the distribution's Regions",
    ),
    Row(
        "an image's key is to admit an account that only the deployment knows",
        key(
            distribution=Distribution(
                targets=[Target(region="us-east-1", accounts=cdk.Fn.split(",", cdk.Fn.import_value("Elsewhere")))]
            )
        ),
        "S/Key",
        "distribution.targets[0].accounts",
        "a token",
        "write it out",
    ),
    Row(
        "a grant for a key of another account names it by an alias",
        lambda stack: KeyGrant(stack, "Grant", key_arn="arn:aws:kms:us-east-1:210987654321:alias/golden"),
        "S/Grant",
        "key_arn",
        "arn:aws:kms:us-east-1:210987654321:alias/golden",
        "the key's own ARN",
        "KeyArn",
    ),
    Row(
        "fast launch is asked for Linux",
        to(fast_launches=[FastLaunch()]),
        "S/Web",
        "distribution.targets[0].fast_launches",
        "Linux",
        "drop it",
        "FastLaunchPlatform",
    ),
    Row(
        "fast launch prepares one instance at a time",
        windows(FastLaunch(parallel_launches=1)),
        "S/Web",
        "distribution.targets[0].fast_launches[0].parallel_launches",
        1,
        "6 or more",
        "FastLaunchParallel",
    ),
    Row(
        "fast launch keeps no snapshot",
        windows(FastLaunch(snapshots=0)),
        "S/Web",
        "distribution.targets[0].fast_launches[0].snapshots",
        0,
        "1 to 10,000",
        "FastLaunchSnapshots",
    ),
    Row(
        "fast launch names a launch template without a version",
        windows(FastLaunch(launch_template_id=TEMPLATE)),
        "S/Web",
        "distribution.targets[0].fast_launches[0].launch_template_version",
        None,
        "give both",
        "FastLaunchTemplate",
    ),
    Row(
        "fast launch is set up twice in one account",
        windows(FastLaunch(), FastLaunch(snapshots=9)),
        "S/Web",
        "distribution.targets[0].fast_launches[1]",
        "the build's account",
        "drop one",
        "FastLaunches",
    ),
    Row(
        "a license configuration belongs to another Region",
        to(license_configurations=[LICENSE.replace("us-east-1", "eu-west-1")]),
        "S/Web",
        "distribution.targets[0].license_configurations[0]",
        LICENSE.replace("us-east-1", "eu-west-1"),
        "name one of us-east-1",
        "LicenseConfiguration",
    ),
    Row(
        "a license configuration is named twice",
        to(license_configurations=[LICENSE, LICENSE]),
        "S/Web",
        "distribution.targets[0].license_configurations[1]",
        LICENSE,
        "drop one",
        "LicenseConfigurations",
    ),
    Row(
        "a launch template is given by its name",
        updating("web-servers"),
        "S/Web",
        "distribution.targets[0].launch_templates[0].launch_template_id",
        "web-servers",
        TEMPLATE,
        "LaunchTemplateId",
    ),
    Row(
        "a target updates one launch template twice",
        updating(TEMPLATE, TEMPLATE),
        "S/Web",
        "distribution.targets[0].launch_templates[1]",
        TEMPLATE,
        "drop one",
        "LaunchTemplates",
    ),
    Row(
        "a launch template belongs to an account that gets no copy",
        updating(TEMPLATE, account=ACCOUNT),
        "S/Web",
        "distribution.targets[0].launch_templates[0].account",
        ACCOUNT,
        "add it to the accounts",
        "TargetAccountOf",
    ),
    Row(
        "a further channel is the entry channel once more",
        to(channels=["latest"]),
        "S/Web",
        "distribution.targets[0].channels[0]",
        "latest",
        "every target writes the entry channel",
        "ChannelsOnce",
    ),
    Row(
        "further channels are a list of which only the deployment knows the length",
        to(channels=cdk.Fn.split(",", cdk.Fn.import_value("Elsewhere"))),
        "S/Web",
        "distribution.targets[0].channels",
        "a token",
        "one by one",
    ),
    Row(
        "a channel's name holds a slash",
        lambda _: ImageChannel.from_name("web", "to/test"),
        "ImageChannel",
        "channel",
        "to/test",
        "letters, digits",
        "ChannelName",
    ),
    Row(
        "a pinned image names no AMI",
        lambda _: ImageChannel.from_name("web").machine_image(tracking=Tracking.PINNED),
        "ImageChannel(/imagebuilder/web/latest)",
        "tracking",
        "pinned",
        "call pinned(",
    ),
    Row(
        "an image is pinned nowhere",
        lambda _: ImageChannel.from_name("web").pinned({}),
        "ImageChannel(/imagebuilder/web/latest)",
        "ami_ids",
        {},
        "the AMI id of each Region",
    ),
    Row(
        "a channel of another account is shared on",
        lambda stack: SharedChannel(
            stack,
            "Shared",
            channels=[ImageChannel.from_shared("web", account=ACCOUNT)],
            share_with=LaunchPermission(accounts=["333333333333"]),
        ),
        "S/Shared",
        "channels[0]",
        "/imagebuilder/web/latest",
        "in a stack of that account",
        "SharedChannels",
    ),
    Row(
        "a channel is shared with everybody",
        lambda stack: SharedChannel(
            stack, "Shared", channels=[ImageChannel("web")], share_with=LaunchPermission(public=True)
        ),
        "S/Shared",
        "share_with",
        "public",
        "name accounts",
        "SharedWithNamed",
    ),
    Row(
        "a captured instance is named and not identified",
        lambda stack: InstanceCapture(stack, "Capture", name="shop", instance="shop-1"),
        "S/Capture",
        "instance",
        "shop-1",
        "an id such as i-",
        "InstanceId",
    ),
    Row(
        "a volume is left out of a capture by its id",
        lambda stack: InstanceCapture(
            stack, "Capture", name="shop", instance="i-0123456789abcdef0", without=["vol-0123456789abcdef0"]
        ),
        "S/Capture",
        "without[0]",
        "vol-0123456789abcdef0",
        "/dev/sdf",
        "CapturedDevice",
    ),
    Row(
        "a capture waits longer than its events are kept",
        lambda stack: InstanceCapture(
            stack, "Capture", name="shop", instance="i-0123456789abcdef0", patience=cdk.Duration.days(2)
        ),
        "S/Capture",
        "patience",
        "172800 s",
        "24 hours",
        "CapturePatience",
    ),
    Row(
        "a producer waits longer than a state machine lives",
        lambda stack: ImageProducer(stack, "Shop", name="shop", patience=cdk.Duration.days(400)),
        "S/Shop",
        "patience",
        "34560000 s",
        "365 days",
        "Patience",
    ),
)
