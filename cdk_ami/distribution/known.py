"""What an app knows of its channels: which its builds write, which accounts share without one, and who reads which.

Kept here because metadata in the construct tree would cost a call for each entry.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple
from weakref import WeakKeyDictionary

from cdk_ami.checks.rule import is_token
from cdk_ami.errors import Faults

if TYPE_CHECKING:
    from constructs import IConstruct


class Place(NamedTuple):
    """One parameter: in which account and Region, and its name."""

    account: str
    region: str
    name: str


class Sharer(NamedTuple):
    """An account that may launch the AMIs of an image in a Region, by the leave of their owner."""

    account: str
    region: str
    image: str
    owner: str


class Reading(NamedTuple):
    """A channel that a construct of the app reads in its own account."""

    scope: IConstruct
    place: Place


@dataclass(slots=True)
class _Known:
    written: set[Place] = field(default_factory=set)
    sharers: list[Sharer] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)


_BY_APP: Final[WeakKeyDictionary[IConstruct, _Known]] = WeakKeyDictionary()


def announce(app: IConstruct, written: Iterable[Place], sharers: Iterable[Sharer]) -> None:
    """Note what a distribution of ``app`` writes, and with whom it shares.

    Raises:
        ConfigError: When a construct made before reads a channel that there can now be none of.
    """
    known = _BY_APP.setdefault(app, _Known())
    known.written |= set(written)
    known.sharers += sharers
    for reading in known.readings:
        faults = Faults(reading.scope)
        _check(known, reading.place, faults, "image")
        faults.raise_if_any()


def read(app: IConstruct, scope: IConstruct, place: Place) -> None:
    """Note that ``scope``, a construct of ``app``, reads a channel of its own account.

    Raises:
        ConfigError: When there can be none.
    """
    known = _BY_APP.setdefault(app, _Known())
    known.readings.append(Reading(scope, place))
    faults = Faults(scope)
    _check(known, place, faults, "image")
    faults.raise_if_any()


def find_faults(app: IConstruct, place: Place, faults: Faults, *, prop: str) -> None:
    """Record in ``faults`` why there can be no such channel in its account."""
    known = _BY_APP.get(app)
    if known is not None:
        _check(known, place, faults, prop)


def is_written(app: IConstruct, place: Place) -> bool:
    """Tell whether a distribution of ``app``, made before, writes the parameter.

    An account or a Region that is not known yet matches every one.
    """
    known = _BY_APP.get(app)
    return known is not None and any(_same(place, written) for written in known.written)


def _check(known: _Known, place: Place, faults: Faults, prop: str) -> None:
    if not known.sharers or is_token(place) or any(_same(place, written) for written in known.written):
        return
    image, _, channel = place.name.removeprefix("/imagebuilder/").rpartition("/")
    for sharer in known.sharers:
        if sharer[:3] == (place.account, place.region, image):
            faults.add(
                prop,
                f"reads a channel of {place.account}, which only shares the AMIs of {sharer.owner} and so gets none",
                got=place.name,
                fix=f"read the owner's: ImageChannel.from_shared({image!r}, account={sharer.owner!r}, "
                f"channel={channel!r})",
            )
            return


def _same(one: Place, other: Place) -> bool:
    return one.name == other.name and all(
        left == right or is_token(left) or is_token(right) for left, right in zip(one[:2], other[:2], strict=True)
    )
