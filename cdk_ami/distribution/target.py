"""One Region that receives the finished AMI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cdk_ami.checks import distribution as rules
from cdk_ami.checks import names
from cdk_ami.checks.rule import is_list_token, is_token
from cdk_ami.distribution.launch_permission import LaunchPermission
from cdk_ami.errors import Faults
from cdk_ami.limits import BUILD_DATE
from cdk_ami.naming import channel_parameter

if TYPE_CHECKING:
    from aws_cdk.interfaces.aws_ec2 import ILaunchTemplateRef
    from aws_cdk.interfaces.aws_kms import IKeyRef

    from cdk_ami.source.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchTemplateUpdate:
    """A launch template that gets a new version with each new AMI, written by the service.

    The service writes versions behind the back of the stack that owns the launch template, and the two disagree from
    then on.  Name only launch templates that no stack changes; fleets of this library read a channel instead.

    https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_LaunchTemplateConfiguration.html

    Attributes:
        launch_template_id: Id, such as ``lt-0123456789abcdef0``.  The service takes no names.
        set_default_version: Whether the new version becomes the default one.  Required, because the service's own
            default is true and moves everyone who launches ``$Default``.
        account: Account that owns the launch template, one of the target's accounts.  It must carry the tag
            ``CreatedBy=EC2 Image Builder`` there, or the distribution role may not touch it.
            Default: the build's account.
    """

    launch_template_id: str
    set_default_version: bool
    account: str | None = None

    @classmethod
    def of(cls, launch_template: ILaunchTemplateRef, *, set_default_version: bool) -> LaunchTemplateUpdate:
        """Return the update of a launch template of the build's account that an app made or imported.

        Args:
            launch_template: The launch template, in the target's Region.
            set_default_version: Whether the new version becomes the default one.
        """
        template_id = launch_template.launch_template_ref.launch_template_id
        return cls(launch_template_id=template_id, set_default_version=set_default_version)


@dataclass(frozen=True, slots=True, kw_only=True)
class FastLaunch:
    """Windows instances that skip most of their first boot, from snapshots of instances that went through it already.

    EC2 launches instances of the AMI to make the snapshots, and launches one more for each snapshot that was used.
    They and the snapshots are billed, about 0.05 USD for each GiB and month of the latter.

    https://docs.aws.amazon.com/AWSEC2/latest/WindowsGuide/win-ami-config-fast-launch.html

    Attributes:
        snapshots: How many prepared snapshots are kept, 1 to 10,000.  Default: EC2's choice, 5.
        parallel_launches: How many instances at a time prepare them, at least 6.  Default: EC2's choice, 6.
        launch_template_id: Launch template of the instances that prepare them, of the same account and Region.
            Default: none, which takes the account's default VPC.
        launch_template_version: Its version, a number as text.
        account: Account that owns the AMI, one of the target's accounts.  Default: the build's account.
    """

    snapshots: int | None = None
    parallel_launches: int | None = None
    launch_template_id: str | None = None
    launch_template_version: str | None = None
    account: str | None = None

    def find_faults(self, faults: Faults, *, prop: str, accounts: Sequence[str]) -> None:
        """Record in ``faults`` what AWS would refuse in a target of ``accounts``, as faults of ``prop``."""
        if self.snapshots is not None:
            faults.check(f"{prop}.snapshots", rules.fast_launch_snapshots(self.snapshots))
        if self.parallel_launches is not None:
            faults.check(f"{prop}.parallel_launches", rules.fast_launch_parallel(self.parallel_launches))
        if self.launch_template_id is not None:
            faults.check(f"{prop}.launch_template_id", rules.launch_template_id(self.launch_template_id))
        has_id = self.launch_template_id is not None
        version = self.launch_template_version
        faults.check(f"{prop}.launch_template_version", rules.fast_launch_template(has_id=has_id, version=version))
        if self.account is not None and not is_token(accounts):
            faults.check(f"{prop}.account", rules.among_target_accounts(self.account, accounts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One Region, and within it the accounts, that receive the finished AMI.

    https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_Distribution.html

    Attributes:
        region: Region code, such as ``eu-west-1``.  A token is let through, but nothing about it can be checked.
        ami_name: Name of the AMI, 3 to 127 characters, holding ``{{ imagebuilder:buildDate }}``.
            Default: the image's name and the build date.
        description: Description of the AMI, at most 1,024 characters.  Default: one that names the image: without any,
            copies get none.
        tags: Tags of the AMI, at most 50 with those of the distribution, which they override.  Default: none.
        kms_key: Customer managed key of this Region that encrypts the AMI's snapshots: a key, or its ARN, alias ARN,
            ``alias/NAME`` or id.  Each copy has storage of its own, and a key costs about 1 USD a month.  Default: the
            Region's EBS default key, which no other account can use.
        accounts: Accounts that get a copy of their own, twelve digits each, at most 1,536.  Each pays for its snapshots
            and needs the role ``EC2ImageBuilderDistributionCrossAccountRole``.  A whole list that only the deployment
            knows gets copies without channels, with a warning.  Default: none, the AMI stays in the build's account.
        launch_permission: Who may launch the AMI without a copy.  Default: nobody but the owner.
        launch_templates: Launch templates that get a new version, at most 100.  Default: none.
        channels: Names of further channels that every build moves, besides the distribution's entry channel.
            Default: none.
        fast_launches: Fast launch of a Windows AMI, once for each account that is to have it.  Default: none.
        license_configurations: ARNs of the License Manager configurations of this Region that go with the AMI, at
            most 50.  Default: none.
    """

    region: str
    ami_name: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    kms_key: IKeyRef | str | None = None
    accounts: Sequence[str] = ()
    launch_permission: LaunchPermission | None = None
    launch_templates: Sequence[LaunchTemplateUpdate] = ()
    channels: Sequence[str] = ()
    fast_launches: Sequence[FastLaunch] = ()
    license_configurations: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in ("accounts", "launch_templates", "channels", "fast_launches", "license_configurations"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "tags", dict(self.tags))

    @property
    def is_public(self) -> bool:
        """Whether every AWS account may launch the AMI."""
        return self.launch_permission is not None and self.launch_permission.public

    @property
    def is_shared(self) -> bool:
        """Whether named accounts other than the build's use the AMI or a copy of it."""
        return bool(self.accounts) or (self.launch_permission is not None and self.launch_permission.names_others)

    def ami_name_for(self, image: str) -> str:
        """Return the pattern of the AMI's name for the image ``image``."""
        return f"{image}-{BUILD_DATE}" if self.ami_name is None else self.ami_name

    def parameters(self, image: str, entry_channel: str) -> tuple[tuple[str | None, str], ...]:
        """Return each parameter that a build writes here, as account (None for the build's own) and name."""
        written = [channel_parameter(image, channel) for channel in (entry_channel, *self.channels)]
        # Each parameter names one account, so a list that only the deployment knows gets none.
        named = [account for account in self.accounts if not is_list_token(account)]
        return tuple((account, name) for account in (None, *named) for name in written)

    def find_faults(
        self, faults: Faults, *, prop: str, image: str, entry_channel: str, tags: Mapping[str, str]
    ) -> None:
        """Record in ``faults`` what AWS would refuse, as faults of the property ``prop``."""
        faults.check(f"{prop}.region", names.region(self.region))
        ami_name = self.ami_name_for(image)
        faults.check(f"{prop}.ami_name", names.ami_name(ami_name))
        if self.ami_name is not None:
            faults.check(f"{prop}.ami_name", names.ami_name_build_date(ami_name))
        if self.description is not None:
            faults.check(f"{prop}.description", rules.ami_description(self.description))
        faults.check(f"{prop}.tags", names.tags({**tags, **self.tags}))
        for index, account in enumerate(self.accounts):
            faults.check(f"{prop}.accounts[{index}]", names.account_id(account))
        faults.check(f"{prop}.accounts", rules.account_list(self.accounts))
        if self.launch_permission is not None:
            self.launch_permission.find_faults(faults, prop=f"{prop}.launch_permission")
        for index, channel in enumerate(self.channels):
            faults.check(f"{prop}.channels[{index}]", rules.channel_name(channel))
        faults.check(f"{prop}.channels", rules.channels_once(self.channels, entry_channel))
        if any(is_list_token(channel) for channel in self.channels):
            fix = "write the channels out one by one; each of them may be a token"
            faults.add(f"{prop}.channels", "is a list that only the deployment knows", got="a token", fix=fix)
        self._find_faults_of_key(faults, prop=f"{prop}.kms_key")
        self._find_faults_of_templates(faults, prop=f"{prop}.launch_templates")
        self._find_faults_of_fast_launches(faults, prop=f"{prop}.fast_launches")
        for index, arn in enumerate(self.license_configurations):
            at = f"{prop}.license_configurations[{index}]"
            faults.check(at, rules.license_configuration(arn, self.region))
        faults.check(f"{prop}.license_configurations", rules.license_configurations(self.license_configurations))

    def find_faults_of_platform(self, faults: Faults, *, prop: str, platform: Platform) -> None:
        """Record in ``faults`` what this target asks of an image that its platform has not."""
        if self.fast_launches:
            faults.check(f"{prop}.fast_launches", rules.fast_launch_platform(platform))

    def _find_faults_of_key(self, faults: Faults, *, prop: str) -> None:
        key = self.key_id()
        if key is None:
            return
        faults.check(prop, rules.kms_key(key))
        faults.check(prop, rules.kms_key_region(key, self.region))
        if self.is_shared:
            faults.check(prop, rules.managed_key_shared(key))
        if self.is_public:
            faults.check(prop, rules.public_encrypted(key))

    def _find_faults_of_templates(self, faults: Faults, *, prop: str) -> None:
        faults.check(prop, rules.launch_templates([update.launch_template_id for update in self.launch_templates]))
        for index, update in enumerate(self.launch_templates):
            faults.check(f"{prop}[{index}].launch_template_id", rules.launch_template_id(update.launch_template_id))
            if update.account is not None and not is_token(self.accounts):
                faults.check(f"{prop}[{index}].account", rules.among_target_accounts(update.account, self.accounts))

    def _find_faults_of_fast_launches(self, faults: Faults, *, prop: str) -> None:
        for index, one in enumerate(self.fast_launches):
            one.find_faults(faults, prop=f"{prop}[{index}]", accounts=self.accounts)
        faults.check(prop, rules.fast_launches([one.account or "the build's account" for one in self.fast_launches]))

    def key_id(self) -> str | None:
        """Return what names the key in the template, None without a key."""
        return key_id(self.kms_key)


def key_id(key: IKeyRef | str | None) -> str | None:
    """Return what names a key in a template, None without a key."""
    return key if key is None or isinstance(key, str) else key.key_ref.key_arn
