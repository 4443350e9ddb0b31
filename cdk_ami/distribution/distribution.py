"""Where finished AMIs go: one distribution configuration for all Regions and accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from cdk_ami.checks import distribution as rules
from cdk_ami.checks import names
from cdk_ami.checks.rule import is_list_token, is_token
from cdk_ami.distribution.known import Place, Sharer, announce
from cdk_ami.distribution.target import Target
from cdk_ami.errors import Faults
from cdk_ami.naming import ENTRY_CHANNEL, normalized

if TYPE_CHECKING:
    from aws_cdk import aws_imagebuilder as imagebuilder
    from constructs import Construct

    from cdk_ami.distribution.delivery import Delivery

AMI_DATA_TYPE: Final = "aws:ec2:image"
"""Data type that makes Parameter Store check that a value is an AMI.
https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-ec2-aliases.html"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Where finished AMIs go.

    In each target the service writes the entry channel: the parameter ``/imagebuilder/IMAGE/latest`` of data type
    ``aws:ec2:image``, in the build's account and in each account that gets a copy.

    Snapshots of copies are billed in each Region and account; transfer between Regions is billed once per build.

    https://docs.aws.amazon.com/imagebuilder/latest/userguide/distribution-settings.html

    Example:
        ::

            key = "arn:aws:kms:eu-west-1:123456789012:alias/golden"
            shared = Target(region="eu-west-1", accounts=["210987654321"], kms_key=key)
            distribution = Distribution(targets=[Target(region="us-east-1"), shared])

    Attributes:
        targets: The Regions, at least one, each once.  Name the build's Region too, or no channel is written there.
        entry_channel: Name of the channel that every build moves.  Default: ``latest``.
        tags: Tags of the AMI in every target.  Default: none.
    """

    targets: Sequence[Target]
    entry_channel: str = ENTRY_CHANNEL
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", tuple(self.targets))
        object.__setattr__(self, "tags", dict(self.tags))

    @classmethod
    def to_regions(
        cls, *regions: str, entry_channel: str = ENTRY_CHANNEL, tags: Mapping[str, str] | None = None
    ) -> Distribution:
        """Return the distribution to ``regions``, every option of their targets left at its default.

        Args:
            regions: Region codes, such as ``us-east-1``, at least one.
            entry_channel: Name of the channel that every build moves.  Default: ``latest``.
            tags: Tags of the AMI in every Region.  Default: none.
        """
        targets = [Target(region=region) for region in regions]
        return cls(targets=targets, entry_channel=entry_channel, tags=tags or {})

    @property
    def regions(self) -> tuple[str, ...]:
        """The Regions that receive the AMI, in the order given."""
        return tuple(target.region for target in self.targets)

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts that receive copies in any Region, each once, in the order given; never the build's own."""
        return tuple(dict.fromkeys(account for target in self.targets for account in target.accounts))

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

    def find_faults(self, faults: Faults, *, image: str, prop: str = "distribution") -> None:
        """Record in ``faults`` what AWS would refuse.

        Args:
            faults: The call's faults.
            image: Name of the image, which stands in parameter names and default AMI names.
            prop: Name of the property that holds this distribution; empty where its own properties are meant.
        """
        path = f"{prop}." if prop else ""
        faults.check(f"{path}targets", rules.targets_present(self.regions))
        faults.check(f"{path}targets", names.regions_once(self.regions))
        faults.check(f"{path}targets", names.one_partition(self.regions))
        faults.check(f"{path}entry_channel", rules.channel_name(self.entry_channel))
        for index, target in enumerate(self.targets):
            target.find_faults(
                faults,
                prop=f"{path}targets[{index}]",
                image=image,
                entry_channel=self.entry_channel,
                tags=self.tags,
            )

    def render(
        self, scope: Construct, construct_id: str, *, name: str, description: str | None = None
    ) -> imagebuilder.CfnDistributionConfiguration:
        """Add the distribution configuration of one image to ``scope``.

        Args:
            scope: Where the resource goes.
            construct_id: Id of the resource in ``scope``.
            name: Name of the image.  The configuration is called the same, the channels are called after it.
            description: Description of the configuration.  Default: one that names the image.

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

        resource = imagebuilder.CfnDistributionConfiguration(
            scope,
            construct_id,
            name=name,
            description=description or f"Where the AMIs of {name} go",
            distributions=[self._distribution(target, image=name) for target in self.targets],
        )
        stack = stack_of(scope)
        owner = account_of(stack)
        announce(app_of(stack), self._places(name, owner=owner), self._sharers(name, owner=owner))
        for warning_id, message in self.warnings():
            Annotations.of(resource).add_warning_v2(warning_id, message)
        return resource

    def _places(self, image: str, *, owner: str) -> list[Place]:
        return [Place(account or owner, region, name) for region, account, name in self.parameters(image)]

    def _sharers(self, image: str, *, owner: str) -> list[Sharer]:
        return [
            Sharer(account, target.region, normalized(image), owner)
            for target in self.targets
            if target.launch_permission is not None
            for account in target.launch_permission.accounts
            if not is_token(owner)
        ]

    def warnings(self) -> tuple[tuple[str, str], ...]:
        """Return what is legal but risky, as pairs of a stable id and a message."""
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
        if keyless:
            message = (
                f"other accounts are to use the AMIs in {', '.join(keyless)}, and snapshots under the default EBS key "
                "cannot be shared; name a customer managed kms_key in each of these targets, "
                "unless the recipe's volumes are unencrypted or have a shared key of that Region"
            )
            found.append(("cdk-ami::SharedWithoutKey", message))
        return tuple(found)

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
            ssm_parameter_configurations=[
                shape.SsmParameterConfigurationProperty(
                    parameter_name=parameter, data_type=AMI_DATA_TYPE, ami_account_id=account
                )
                for account, parameter in target.parameters(image, self.entry_channel)
            ],
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
