"""Where finished AMIs go: one distribution configuration for all Regions and accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cdk_ami.checks import distribution as rules
from cdk_ami.checks import names
from cdk_ami.checks.rule import is_list_token, is_token
from cdk_ami.distribution.known import Place, Sharer, announce
from cdk_ami.distribution.quotas import loads
from cdk_ami.distribution.target import FastLaunch, Target, key_id
from cdk_ami.errors import Faults
from cdk_ami.naming import ENTRY_CHANNEL, normalized

if TYPE_CHECKING:
    from aws_cdk import aws_imagebuilder as imagebuilder
    from aws_cdk.interfaces.aws_kms import IKeyRef
    from constructs import Construct

    from cdk_ami.distribution.delivery import Delivery
    from cdk_ami.source.platform import Platform

MANY_COPIES: Final = 10
"""Accounts of one target from which on sharing is recommended: this library's own measure, not a limit of AWS."""

AMI_DATA_TYPE: Final = "aws:ec2:image"
"""Data type that makes Parameter Store check that a value is an AMI.
https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-ec2-aliases.html"""


class MadeImage(NamedTuple):
    """What a build leaves for its distribution.

    Attributes:
        region: Region of the build.
        account: Account of the build.
        partition: Partition of the Region.
        platform: Operating system.
        volumes: How many volumes the AMI has.
        keys: Key of each encrypted volume; None for the default key.
    """

    region: str
    account: str
    partition: str
    platform: Platform
    volumes: int
    keys: tuple[IKeyRef | str | None, ...]

    @property
    def is_encrypted(self) -> bool:
        """Whether any volume is encrypted."""
        return bool(self.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Where finished AMIs go.

    In each target the service writes the entry channel: the parameter ``/imagebuilder/IMAGE/latest`` of data type
    ``aws:ec2:image``, in the build's account and in each account that gets a copy.

    Snapshots of copies are billed in each Region and account; transfer between Regions is billed once per build.

    https://docs.aws.amazon.com/imagebuilder/latest/userguide/distribution-settings.html

    Example:
        ::

            regions = ("us-east-1", "eu-west-1")
            keys = {region: f"arn:aws:kms:{region}:123456789012:alias/golden" for region in regions}
            shared = Target(region="eu-west-1", accounts=["210987654321"])
            distribution = Distribution(targets=[Target(region="us-east-1"), shared], kms_keys=keys)

    Attributes:
        targets: The Regions, at least one, each once.  Name the build's Region too, or no channel is written there.
        entry_channel: Name of the channel that every build moves.  Default: ``latest``.
        tags: Tags of the AMI in every target.  Default: none.
        kms_keys: Key of each Region by the Region's code, for targets that name none; every target's Region, or
            nothing.  A key is what ``Target.kms_key`` takes.  Default: none.
    """

    targets: Sequence[Target]
    entry_channel: str = ENTRY_CHANNEL
    tags: Mapping[str, str] = field(default_factory=dict)
    kms_keys: Mapping[str, IKeyRef | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        keys = dict(self.kms_keys)
        targets = (
            replace(target, kms_key=keys[target.region]) if target.kms_key is None and target.region in keys else target
            for target in self.targets
        )
        object.__setattr__(self, "targets", tuple(targets))
        object.__setattr__(self, "tags", dict(self.tags))
        object.__setattr__(self, "kms_keys", keys)

    @classmethod
    def to_regions(
        cls,
        *regions: str,
        entry_channel: str = ENTRY_CHANNEL,
        tags: Mapping[str, str] | None = None,
        kms_keys: Mapping[str, IKeyRef | str] | None = None,
    ) -> Distribution:
        """Return the distribution to ``regions``, every option of their targets left at its default.

        Args:
            regions: Region codes, such as ``us-east-1``, at least one.
            entry_channel: Name of the channel that every build moves.  Default: ``latest``.
            tags: Tags of the AMI in every Region.  Default: none.
            kms_keys: Key of each Region, by the Region's code.  Default: none.
        """
        targets = [Target(region=region) for region in regions]
        return cls(targets=targets, entry_channel=entry_channel, tags=tags or {}, kms_keys=kms_keys or {})

    @property
    def regions(self) -> tuple[str, ...]:
        """The Regions that receive the AMI, in the order given."""
        return tuple(target.region for target in self.targets)

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts that receive copies in any Region, each once, in the order given; never the build's own."""
        return tuple(dict.fromkeys(account for target in self.targets for account in target.accounts))

    @property
    def keyless(self) -> tuple[str, ...]:
        """The Regions of the targets that name no key: copies are encrypted there only if the AMI itself is."""
        return tuple(target.region for target in self.targets if target.kms_key is None)

    def key_of(self, region: str) -> IKeyRef | str | None:
        """Return the key of the target ``region``, None without one."""
        return next((target.kms_key for target in self.targets if target.region == region), None)

    def tagged(self, tags: Mapping[str, str]) -> Distribution:
        """Return this distribution with ``tags`` on the AMI in every target; its own tags override them."""
        return replace(self, tags={**tags, **self.tags})

    def covers(self, region: str, *, account: str | None = None) -> bool:
        """Tell whether a build leaves an AMI, and with it the entry channel, in ``region``.

        Args:
            region: Region code.
            account: Account that is to own it.  Default: the build's own.
        """
        return any(
            target.region == region and (account is None or account in target.accounts) for target in self.targets
        )

    def parameters(self, image: str) -> tuple[tuple[str, str | None, str], ...]:
        """Return each parameter that a build of ``image`` writes: Region, account (None: the build's own), name."""
        return tuple(
            (target.region, account, name)
            for target in self.targets
            for account, name in target.parameters(image, self.entry_channel)
        )

    def deliveries(
        self,
        image: str,
        *,
        account: str | None = None,
        source_region: str | None = None,
        source_kms_key: str | None = None,
        promoted: Sequence[str] = (),
    ) -> tuple[Delivery, ...]:
        """Return what the builds of ``image`` bring into another account, a delivery for each Region.

        It is plain data: a ``TargetAccountRole`` in the receiving account's own app is made from it.

        Args:
            image: Name of the image.
            account: The receiving account.  Default: any that receives copies, for one template in all of them.
            source_region: Region of the build, whose target names the key of the AMI that is copied.
            source_kms_key: That key, where the target does not name it.  Default: the key of the target of
                ``source_region``, else none.
            promoted: Channels that promotions move in the receiving account, besides those that builds write.
        """
        from cdk_ami.distribution.delivery import deliveries  # noqa: PLC0415 - few distributions leave their account

        home = next((target for target in self.targets if target.region == source_region), None)
        key = source_kms_key or (home.key_id() if home else None)
        return deliveries(self, image=normalized(image), account=account, source_kms_key=key, promoted=promoted)

    def find_faults(
        self, faults: Faults, *, image: str, prop: str = "distribution", made: MadeImage | None = None
    ) -> None:
        """Record in ``faults`` what AWS would refuse.

        Args:
            faults: The call's faults.
            image: Name of the image, which stands in parameter names and default AMI names.
            prop: Name of the property that holds this distribution; empty where its own properties are meant.
            made: What a build leaves, whose encryption and platform are checked too.  Default: not known.
        """
        path = f"{prop}." if prop else ""
        faults.check(f"{path}targets", rules.targets_present(self.regions))
        faults.check(f"{path}targets", names.regions_once(self.regions))
        faults.check(f"{path}targets", names.one_partition(self.regions))
        faults.check(f"{path}entry_channel", rules.channel_name(self.entry_channel))
        faults.check(f"{path}kms_keys", rules.key_for_each_region(list(self.kms_keys), list(self.keyless)))
        faults.check(f"{path}kms_keys", rules.key_goes_somewhere(list(self.kms_keys), self.regions))
        for index, target in enumerate(self.targets):
            target.find_faults(
                faults,
                prop=f"{path}targets[{index}]",
                image=image,
                entry_channel=self.entry_channel,
                tags=self.tags,
            )
        if made is not None:
            self._find_faults_of_image(faults, made, path=path)

    def _find_faults_of_image(self, faults: Faults, made: MadeImage, *, path: str) -> None:
        # An AMI's volumes are under the keys of its recipe in the Region of the build, and under the key of the target
        # elsewhere; whoever copies into another account reads the first.
        at = {target.region: f"{path}targets[{index}]" for index, target in enumerate(self.targets)}
        for target in self.targets:
            target.find_faults_of_platform(faults, prop=at[target.region], platform=made.platform)
            if target.is_public:
                faults.check("volumes", rules.public_volumes(encrypted=made.is_encrypted))
        if not any(target.is_shared for target in self.targets):
            return
        from cdk_ami.distribution.keys import key_uses, policy_text  # noqa: PLC0415 - most stay in their account

        uses = key_uses(self, build_region=made.region, owner=made.account, partition=made.partition)
        needed = {use.region: policy_text(use.statements_for_others()) for use in uses}
        for target in self.targets:
            if target.is_shared and target.region != made.region:
                problems = rules.shared_key(
                    target.key_id(), encrypted=made.is_encrypted, region=target.region, needed=needed[target.region]
                )
                faults.check(f"{at[target.region]}.kms_key", problems)
        # A Region that only the deployment knows may be that of the build.
        known = made.region in at or not any(map(is_token, at))
        if known and (uses[0].is_shared or any(target.accounts for target in self.targets)):
            here = f"{at[made.region]}.kms_key" if made.region in at else "volumes"
            self._find_faults_of_source(faults, made, prop=here, needed=needed[made.region])

    def _find_faults_of_source(self, faults: Faults, made: MadeImage, *, prop: str, needed: str) -> None:
        target = next((target for target in self.targets if target.region == made.region), None)
        own = target.key_id() if target else None
        for key in dict.fromkeys(key_id(key) for key in made.keys):
            faults.check(prop, rules.shared_key(key, encrypted=True, region=made.region, needed=needed))
            # A shared target tells of its key by itself.
            if key is not None and not (key == own and target is not None and target.is_shared):
                faults.check(prop if key == own else "volumes", rules.managed_key_shared(key))

    def render(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        description: str | None = None,
        made: MadeImage | None = None,
    ) -> imagebuilder.CfnDistributionConfiguration:
        """Add the distribution configuration of one image to ``scope``.

        Args:
            scope: Where the resource goes.
            construct_id: Id of the resource in ``scope``.
            name: Name of the image.  The configuration is called the same, the channels are called after it.
            description: Description of the configuration.  Default: one that names the image.
            made: What a build leaves, which tells whether its volumes are encrypted.  Default: not known.

        Raises:
            ConfigError: When AWS would refuse the distribution.
        """
        from aws_cdk import Annotations  # noqa: PLC0415 - the plan of a distribution is read without the CDK
        from aws_cdk import aws_imagebuilder as imagebuilder  # noqa: PLC0415 - same

        from cdk_ami.home import account_of, app_of, stack_of  # noqa: PLC0415 - same

        faults = Faults(scope, construct_id)
        faults.check("name", names.resource_name(name))
        self.find_faults(faults, image=name, prop="")
        faults.raise_if_any()
        stack = stack_of(scope)

        resource = imagebuilder.CfnDistributionConfiguration(
            scope,
            construct_id,
            name=name,
            description=description or f"Where the AMIs of {name} go",
            distributions=[self._distribution(target, image=name) for target in self.targets],
        )
        owner = account_of(stack)
        announce(app_of(stack), self._places(name, owner=owner), self._sharers(name, owner=owner))
        for warning_id, message in self.warnings(made):
            Annotations.of(resource).add_warning_v2(warning_id, message)
        if message := self.many_copies():
            Annotations.of(resource).add_info_v2("cdk-ami::ManyCopies", message)
        source_keys = [key for key in made.keys if key is not None] if made else []
        if source_keys or any(target.kms_key is not None for target in self.targets):
            from cdk_ami.distribution.key_access import open_keys  # noqa: PLC0415 - most distributions name no key

            open_keys(resource, self, stack=stack, source_keys=source_keys)
        return resource

    def _places(self, image: str, *, owner: str) -> list[Place]:
        return [Place(account or owner, region, name) for region, account, name in self.parameters(image)]

    def _sharers(self, image: str, *, owner: str) -> list[Sharer]:
        return [
            Sharer(account, target.region, normalized(image), owner)
            for target in self.targets
            if target.launch_permission is not None
            for account in target.launch_permission.accounts
            if not is_token(owner) and account not in {owner, *target.accounts}
        ]

    def warnings(self, made: MadeImage | None = None) -> tuple[tuple[str, str], ...]:
        """Return what is legal but risky, as pairs of a stable id and a message.

        Args:
            made: What a build leaves; None where it is not known.
        """
        public = [target.region for target in self.targets if target.is_public]
        keyless = [target.region for target in self.targets if target.is_shared and target.kms_key is None]
        found: list[tuple[str, str]] = []
        if public:
            message = (
                f"every AWS account may launch the AMIs in {', '.join(public)}; "
                "drop public=True unless that is the aim, and bake no secret"
            )
            found.append(("cdk-ami::PublicImage", message))
        unknown = [target.region for target in self.targets if any(map(is_list_token, target.accounts))]
        if unknown:
            message = (
                f"the accounts in {', '.join(unknown)} are a list that only the deployment knows, so builds write no "
                "channel into them; list the accounts one by one, each of them may be a token"
            )
            found.append(("cdk-ami::CopiesWithoutChannel", message))
        if made is not None:
            found += [
                ("cdk-ami::CopiesAboveQuota", load.message())
                for load in loads(self, build_region=made.region, volumes=max(1, made.volumes))
                if load.is_above_quota
            ]
        if keyless and made is None:
            message = (
                f"other accounts are to use the AMIs in {', '.join(keyless)}, and snapshots under the default EBS key "
                "cannot be shared; name a customer managed kms_key in each of these targets, "
                "unless the recipe's volumes are unencrypted or have a shared key of that Region"
            )
            found.append(("cdk-ami::SharedWithoutKey", message))
        return tuple(found)

    def many_copies(self) -> str:
        """Return what sharing would spare, where targets copy into many accounts; nothing where none does."""
        many = {target.region: len(target.accounts) for target in self.targets if len(target.accounts) > MANY_COPIES}
        if not many:
            return ""
        counts = ", ".join(f"{count} accounts in {region}" for region, count in many.items())
        return (
            f"every build is copied into {counts}, and each of them pays for snapshots of its own; where they need not "
            "outlive the build's account, share with their organizational unit in launch_permission instead"
        )

    def _distribution(
        self, target: Target, *, image: str
    ) -> imagebuilder.CfnDistributionConfiguration.DistributionProperty:
        from aws_cdk import aws_imagebuilder as imagebuilder  # noqa: PLC0415 - see render

        shape = imagebuilder.CfnDistributionConfiguration
        return shape.DistributionProperty(
            region=target.region,
            ami_distribution_configuration=ami_distribution_configuration(target, image=image, tags=self.tags),
            launch_template_configurations=[
                shape.LaunchTemplateConfigurationProperty(
                    launch_template_id=update.launch_template_id,
                    set_default_version=update.set_default_version,
                    account_id=update.account,
                )
                for update in target.launch_templates
            ]
            or None,
            fast_launch_configurations=[_fast_launch(one) for one in target.fast_launches] or None,
            license_configuration_arns=list(target.license_configurations) or None,
            ssm_parameter_configurations=[
                shape.SsmParameterConfigurationProperty(
                    parameter_name=parameter, data_type=AMI_DATA_TYPE, ami_account_id=account
                )
                for account, parameter in target.parameters(image, self.entry_channel)
            ],
        )


def _fast_launch(one: FastLaunch) -> imagebuilder.CfnDistributionConfiguration.FastLaunchConfigurationProperty:
    from aws_cdk import aws_imagebuilder as imagebuilder  # noqa: PLC0415 - see render

    shape = imagebuilder.CfnDistributionConfiguration
    return shape.FastLaunchConfigurationProperty(
        enabled=True,
        account_id=one.account,
        max_parallel_launches=one.parallel_launches,
        snapshot_configuration=shape.FastLaunchSnapshotConfigurationProperty(target_resource_count=one.snapshots)
        if one.snapshots is not None
        else None,
        launch_template=shape.FastLaunchLaunchTemplateSpecificationProperty(
            launch_template_id=one.launch_template_id, launch_template_version=one.launch_template_version
        )
        if one.launch_template_id is not None
        else None,
    )


def ami_distribution_configuration(target: Target, *, image: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """Return what happens to the AMI in one target, as CloudFormation writes it.

    A plain dictionary, because the field is untyped in the CDK: its typed struct renders camelCase keys, which the
    service refuses.  https://github.com/aws/aws-cdk/issues/34758

    Args:
        target: The target.
        image: Name of the image.
        tags: Tags of every target, which those of the target override.
    """
    permission = target.launch_permission
    rendered: dict[str, Any] = {
        "Name": target.ami_name_for(image),
        "Description": target.description or f"{image}, a golden image",
        "AmiTags": {**tags, **target.tags},
        "KmsKeyId": target.key_id(),
        "TargetAccountIds": list(target.accounts),
        "LaunchPermissionConfiguration": permission.to_configuration() if permission else None,
    }
    return {key: value for key, value in rendered.items() if value}
