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
    from aws_cdk.interfaces.aws_kms import IKeyRef


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
        account: Account that owns the launch template, one of the target's accounts.  Default: the build's account.
    """

    launch_template_id: str
    set_default_version: bool
    account: str | None = None


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

    def __post_init__(self) -> None:
        for name in ("accounts", "launch_templates", "channels"):
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

    def key_id(self) -> str | None:
        """Return what names the key in the template, None without a key."""
        if self.kms_key is None or isinstance(self.kms_key, str):
            return self.kms_key
        return self.kms_key.key_ref.key_arn
