"""What a distribution brings into other accounts, as plain data: what those accounts have to allow follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from cdk_ami.checks import names
from cdk_ami.checks.rule import is_list_token, is_token
from cdk_ami.naming import channel_parameter

if TYPE_CHECKING:
    from cdk_ami.distribution.distribution import Distribution
    from cdk_ami.errors import Faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What the builds of one image bring into one Region of an account that receives copies.

    ``Distribution.deliveries`` makes them.  As ``to_data`` and ``read`` they go through a checked-in JSON file, so that
    the receiving account's app needs neither the image's code nor its construct.

    Attributes:
        image: Name of the image.
        region: Region code of the copy.
        parameters: Names of the parameters that hold the AMI's id there: the entry channel, further ones, and those
            that a promotion moves.
        kms_key: Key that encrypts the copy: a key ARN, an alias ARN, or ``alias/NAME`` or an id of the receiving
            account.  Default: the Region's EBS default key.
        source_kms_key: Key of the AMI that is copied, in the build's Region.  Default: none, or the same.
        launch_templates: Ids of launch templates that get a version.
        default_launch_templates: Those of them whose new version becomes the default one.
        fast_launch: Whether Windows fast launch is enabled for the copy.
        license_configurations: ARNs of the License Manager configurations that go with the copy.
    """

    image: str
    region: str
    parameters: tuple[str, ...]
    kms_key: str | None = None
    source_kms_key: str | None = None
    launch_templates: tuple[str, ...] = ()
    default_launch_templates: tuple[str, ...] = ()
    fast_launch: bool = False
    license_configurations: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("parameters", "launch_templates", "default_launch_templates", "license_configurations"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that a copy needs, of the build's Region first, each once."""
        return tuple(dict.fromkeys(key for key in (self.source_kms_key, self.kms_key) if key))

    def to_data(self) -> dict[str, Any]:
        """Return the delivery as JSON holds it; what is left at its default is left out."""
        data: dict[str, Any] = {
            "image": self.image,
            "region": self.region,
            "parameters": list(self.parameters),
            "kms_key": self.kms_key,
            "source_kms_key": self.source_kms_key,
            "launch_templates": list(self.launch_templates),
            "default_launch_templates": list(self.default_launch_templates),
            "fast_launch": self.fast_launch,
            "license_configurations": list(self.license_configurations),
        }
        return {name: value for name, value in data.items() if value}

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """Return the delivery that ``to_data`` wrote.

        Raises:
            TypeError: When a name is unknown or missing.
        """
        return cls(**data)

    def find_faults(self, faults: Faults, *, prop: str) -> None:
        """Record in ``faults`` what AWS would refuse, as faults of the property ``prop``."""
        faults.check(f"{prop}.image", names.resource_name(self.image))
        faults.check(f"{prop}.region", names.region(self.region))
        for index, parameter in enumerate(self.parameters):
            faults.check(f"{prop}.parameters[{index}]", names.parameter_name(parameter))


def deliveries(
    distribution: Distribution,
    *,
    image: str,
    account: str | None,
    source_kms_key: str | None,
    promoted: Sequence[str],
) -> tuple[Delivery, ...]:
    """Return what ``distribution`` brings into ``account``; None stands for any account that receives copies."""
    found = []
    for target in distribution.targets:
        if not _receives(target.accounts, account):
            continue
        updates = [
            update
            for update in target.launch_templates
            if update.account is not None and account in {None, update.account}
        ]
        channels = dict.fromkeys((distribution.entry_channel, *target.channels, *promoted))
        found.append(
            Delivery(
                image=image,
                region=target.region,
                parameters=tuple(channel_parameter(image, channel) for channel in channels),
                kms_key=target.key_id(),
                source_kms_key=source_kms_key,
                launch_templates=tuple(update.launch_template_id for update in updates),
                default_launch_templates=tuple(
                    update.launch_template_id for update in updates if update.set_default_version
                ),
                fast_launch=any(
                    one.account is not None and account in {None, one.account} for one in target.fast_launches
                ),
                license_configurations=tuple(target.license_configurations),
            )
        )
    return tuple(found)


def _receives(accounts: Sequence[str], account: str | None) -> bool:
    # A list that only the deployment knows may hold any account.
    if account is None or is_token(account) or any(map(is_list_token, accounts)):
        return bool(accounts)
    return account in accounts
