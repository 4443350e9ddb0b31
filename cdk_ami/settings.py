"""`cdk-ami.toml`: what `app.py` deploys and what the command looks at, checked before anything else happens."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cdk_ami.checks import distribution as distributions
from cdk_ami.checks import fleet as fleets
from cdk_ami.checks import names
from cdk_ami.checks.shape import Shape
from cdk_ami.errors import ConfigError, Faults

SETTINGS_FILE = "cdk-ami.toml"
"""Name of the settings file, looked for in the working directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareSettings:
    """Who may launch the AMI without owning a copy.

    Attributes:
        accounts: Accounts.
        organizations: ARNs of organizations.
        organizational_units: ARNs of organizational units.
    """

    accounts: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()
    organizational_units: tuple[str, ...] = ()

    @property
    def names_others(self) -> bool:
        """Whether anybody may."""
        return bool(self.accounts or self.organizations or self.organizational_units)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSettings:
    """The golden image.

    Attributes:
        name: Name of the image, the first part of its channels.
        region: Region that builds it.
        source: What the build starts from, such as ``amazon-linux-2023``.
        architecture: ``x86_64`` or ``arm64``.
        components: Absolute paths of component documents, ``aws:NAME`` or ``ready:NAME``, in order.
        root_volume_gib: Size of the root volume; None keeps the source's.
        instance_types: Types a build may run on; empty leaves the choice to the library.
        build: ``on-change``, ``schedule`` or ``manual``.
        schedule: When to build with ``schedule``.
        copy_to: Regions that receive a copy, the building one left out.
        keys: ``default`` for each Region's default EBS key, ``own`` for a key of the image's own in each.
        copy_to_accounts: Accounts that receive a copy in each Region.
        share: Who may launch the AMI besides.
    """

    name: str
    region: str
    source: str
    architecture: str
    components: tuple[str, ...]
    root_volume_gib: int | None
    instance_types: tuple[str, ...]
    build: str
    schedule: str
    copy_to: tuple[str, ...]
    keys: str
    copy_to_accounts: tuple[str, ...]
    share: ShareSettings

    @property
    def regions(self) -> tuple[str, ...]:
        """Every Region that holds the AMI, the building one first."""
        return (self.region, *self.copy_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSettings:
    """One group of instances.

    Attributes:
        name: Tells fleets of one Region apart.
        region: Region of the group.
        zones: Availability Zones to balance over.
        instance_type: Type of the instances; None takes a small one of the image's architecture.
        size: How many instances run.
        image: Golden image they run.
        architecture: Its architecture; None for that of the image of this file.
        channel: Channel of the image that they follow.
        rollout: What happens when it moves: ``in-deployment``, ``on-channel`` or ``at-next-launch``.
        cidr: Addresses of the network that is made for the fleet.
        vpc_id: VPC to use instead, None for a new one.
        subnets: With ``vpc_id``, the subnet of each zone.
    """

    name: str
    region: str
    zones: tuple[str, ...]
    instance_type: str | None
    size: int
    image: str
    architecture: str | None
    channel: str
    rollout: str
    cidr: str
    vpc_id: str | None
    subnets: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveSettings:
    """What the accounts that receive copies let the account that builds do, besides what the image brings.

    Attributes:
        promoted_channels: Channels that a promotion moves in them.
        trusted_roles: ARNs of roles of the account that builds, besides Image Builder's own, that may act in them.
        retire: Whether the copies may be deprecated, disabled and deleted from there.
    """

    promoted_channels: tuple[str, ...] = ()
    trusted_roles: tuple[str, ...] = ()
    retire: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of `cdk-ami.toml`.

    Attributes:
        side: ``build`` deploys the image and its fleets, ``receive`` what an account needs that receives copies.
        account: Account to deploy into; None for that of the credentials.
        image: The golden image.
        fleets: The groups that run it.
        receive: What the accounts that receive copies allow besides.
    """

    account: str | None
    image: ImageSettings
    fleets: tuple[FleetSettings, ...]
    side: str = "build"
    receive: ReceiveSettings = ReceiveSettings()


def load(path: Path, *, side: str | None = None) -> Settings:
    """Read and check the settings file ``path``.

    Args:
        path: The file.
        side: Takes the place of the ``side`` of the file.  Default: what the file says.

    Raises:
        ConfigError: When the file is missing, is no TOML, or holds faults; it names all of them.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(
            str(path), "file", "is missing", got=None, fix="write it, or run in the folder that holds it"
        ) from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            str(path), "file", "cannot be read as TOML", got=str(error), fix="mend the place it names"
        ) from None
    return parse(data | ({"side": side} if side else {}), where=path.name, folder=path.parent.resolve())


def parse(data: Mapping[str, Any], *, where: str, folder: Path) -> Settings:
    """Return the settings in ``data``, in which paths start from ``folder``.

    Raises:
        ConfigError: Naming every fault.
    """
    faults = Faults(where)
    for _, found in _shape().problems(dict(data)):
        faults.add(found.at or "settings", found.problem, got=found.got, fix=found.fix)
    faults.raise_if_any()
    settings = _settings(data, folder)
    _check(settings, faults)
    faults.raise_if_any()
    return settings


def _settings(data: Mapping[str, Any], folder: Path) -> Settings:
    image = _with_defaults(data["image"], "image")
    copied = dict.fromkeys([*image["copy_to_accounts"], *_accounts_of(image.pop("accounts"), folder)])
    receive = _with_defaults(data.get("receive", {}), "receive")
    return Settings(
        account=data.get("account"),
        side=data.get("side", "build"),
        receive=ReceiveSettings(
            promoted_channels=tuple(receive["promoted_channels"]),
            trusted_roles=tuple(receive["trusted_roles"]),
            retire=receive["retire"],
        ),
        image=ImageSettings(
            **{
                **image,
                "components": tuple(_located(name, folder) for name in image["components"]),
                "instance_types": tuple(image["instance_types"] or ()),
                "copy_to": tuple(image["copy_to"]),
                "copy_to_accounts": tuple(copied),
                "share": ShareSettings(**{key: tuple(values) for key, values in image["share"].items()}),
            }
        ),
        fleets=tuple(_fleet(_with_defaults(fleet, "fleet"), image["name"]) for fleet in data.get("fleet", ())),
    )


def _fleet(fleet: dict[str, Any], image: str) -> FleetSettings:
    named = fleet["image"] or image
    return FleetSettings(
        **{
            **fleet,
            "image": named,
            "name": fleet["name"] or named,
            "zones": tuple(fleet["zones"]),
            "size": len(fleet["zones"]) if fleet["size"] is None else fleet["size"],
            "subnets": fleet["subnets"] or {},
        }
    )


def _with_defaults(table: Mapping[str, Any], name: str) -> dict[str, Any]:
    shape = _shape().schema["properties"][name]
    properties = shape.get("items", shape)["properties"]
    return {key: table.get(key, about.get("default")) for key, about in properties.items()}


def _accounts_of(asked: Mapping[str, Any] | None, folder: Path) -> tuple[str, ...]:
    """Return the accounts that ``image.accounts`` selects from a file.

    Raises:
        ConfigError: When the file holds faults, or selects nobody.
    """
    if asked is None:
        return ()
    from cdk_ami.distribution.accounts import Accounts  # noqa: PLC0415 - few settings name such a file

    conditions = {key: value for key, value in asked.items() if key != "file"}
    return Accounts.from_file(folder / asked["file"]).select(**conditions)


def _located(component: str, folder: Path) -> str:
    return component if component.startswith(("aws:", "ready:")) else str(folder / component)


def _check(settings: Settings, faults: Faults) -> None:
    """Find what the schema cannot: faults between keys."""
    image = settings.image
    faults.check("image.region", names.region(image.region))
    for index, region in enumerate(image.copy_to):
        faults.check(f"image.copy_to[{index}]", names.region(region))
    for region in sorted({region for region in image.regions if image.regions.count(region) > 1}):
        faults.add("image.copy_to", "names a Region twice", got=region, fix="name the building Region in region alone")
    _check_others(image, faults)
    if settings.side == "receive":
        _check_receiving(settings, faults)
    seen: set[tuple[str, str]] = set()
    for index, fleet in enumerate(settings.fleets):
        at = f"fleet[{index}]"
        if (fleet.name, fleet.region) in seen:
            faults.add(f"{at}.name", "is taken by another fleet of its Region", got=fleet.name, fix="give it a name")
        seen.add((fleet.name, fleet.region))
        if fleet.image == image.name and fleet.region not in image.regions:
            faults.add(
                f"{at}.region",
                "receives no copy of the image",
                got=fleet.region,
                fix=f"add {fleet.region!r} to image.copy_to",
            )
        faults.check(f"{at}.region", names.region(fleet.region))
        faults.check(f"{at}.zones", fleets.zones(fleet.zones))
        for position, zone in enumerate(fleet.zones):
            faults.check(f"{at}.zones[{position}]", fleets.zone_name(zone))
            faults.check(f"{at}.zones[{position}]", fleets.zone_region(zone, fleet.region))
        if bool(fleet.vpc_id) != bool(fleet.subnets):
            faults.add(f"{at}.subnets", "and vpc_id need each other", got=fleet.subnets, fix="give both, or neither")
        elif fleet.vpc_id and set(fleet.subnets) != set(fleet.zones):
            faults.add(f"{at}.subnets", "are not one for each zone", got=fleet.subnets, fix=f"name {fleet.zones}")


def _check_others(image: ImageSettings, faults: Faults) -> None:
    """Find faults of whoever else uses the image."""
    faults.check("image.copy_to_accounts", distributions.account_list(image.copy_to_accounts))
    faults.check("image.share.accounts", distributions.account_list(image.share.accounts))
    faults.check("image.share.organizations", distributions.organizations(image.share.organizations))
    faults.check(
        "image.share.organizational_units", distributions.organizational_units(image.share.organizational_units)
    )
    if image.keys != "own" and (image.copy_to_accounts or image.share.names_others):
        faults.add(
            "image.keys",
            "leaves the AMI to the default EBS keys, which no other account can use",
            got=image.keys,
            fix='write keys = "own"',
        )


def _check_receiving(settings: Settings, faults: Faults) -> None:
    """Find what keeps the receiving side from being deployed."""
    if settings.account is None:
        fix = "write the account that builds, so that others can trust it"
        faults.add("account", "is needed by accounts that receive copies", got=None, fix=fix)
    if not settings.image.copy_to_accounts:
        fix = "name accounts in image.copy_to_accounts or image.accounts"
        faults.add("side", "is receive, and no account receives a copy", got=settings.side, fix=fix)
    for index, channel in enumerate(settings.receive.promoted_channels):
        faults.check(f"receive.promoted_channels[{index}]", distributions.channel_name(channel))


@cache
def _shape() -> Shape:
    return Shape.read(Path(__file__).with_name("settings.schema.json"))
