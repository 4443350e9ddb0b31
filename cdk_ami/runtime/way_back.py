"""Which AMI a channel goes back to in each place; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cdk_ami.runtime.channels import ChannelError
from cdk_ami.runtime.promotion.decide import place_name


class Version(NamedTuple):
    """One version of a channel.

    Attributes:
        ami: AMI that it holds.
        build: Version and build of the image, such as ``1.0.0/1``; empty where the AMI does not tell.
        state: State of the AMI; empty when it does not exist.
        note: What its writer noted.
    """

    ami: str
    build: str = ""
    state: str = "available"
    note: str = ""

    @property
    def moves_back(self) -> bool:
        """Whether it undid the move before it."""
        return self.note.startswith(("back to ", "rolled back "))


class Past(NamedTuple):
    """What a channel has held in one place, the oldest first."""

    place: Mapping[str, Any]
    versions: Sequence[Version]

    @property
    def held(self) -> Version:
        """What it holds."""
        return self.versions[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What a rollback does in one place.

    Attributes:
        region: Region.
        account: Account, empty for the caller's own.
        role: Role to assume there, empty for none.
        held: The AMI that the channel holds.
        back_to: The AMI that it shall hold.
        from_build: Version and build of the AMI it holds; empty where the AMI does not tell.
        build: Version and build of the AMI it shall hold; the same.
        note: What was noted when the channel was moved to the AMI it holds; empty for nothing.
    """

    region: str
    account: str
    role: str
    held: str
    back_to: str
    from_build: str
    build: str
    note: str

    @property
    def forward(self) -> bool:
        """Whether it goes to a build that is newer than the present one."""
        return newer(self.build, self.from_build)


def newer(build: str, other: str) -> bool:
    """Tell whether a build is newer than another; what has no number is not."""
    return bool(build and other) and _number(build) > _number(other)


def stood(versions: Sequence[Version]) -> list[Version]:
    """Return what the channel has held without anybody moving it back, the oldest first.

    A return to an AMI that it held before ends all that came in between, whoever returned to it.
    """
    kept: list[Version] = []
    for one in versions:
        before = next((at for at, earlier in enumerate(kept) if earlier.ami == one.ami), None)
        if before is not None:
            del kept[before:]
        elif one.moves_back and kept:
            del kept[-1]
        kept.append(one)
    return kept


def steps_back(pasts: Sequence[Past], name: str, *, to: str, refused: Collection[str]) -> list[Step]:
    """Return what to move: all places to one build, those that hold it already left out.

    Args:
        pasts: What the channel has held in each place.
        name: Name of the channel's parameter, for messages.
        to: AMI or version to go to, empty for what the channel held before the last move that stood.
        refused: AMIs that a promotion has refused or moved back.

    Raises:
        ChannelError: When there is no such build, or the places do not agree on one.
    """
    if to:
        targets = _named(pasts, name, to)
    else:
        _agree({place_name(one.place): one.held.build for one in pasts}, f"{name} holds different builds")
        bad = {one.build for past in pasts for one in past.versions if one.ami in refused and one.build}
        targets = [_before(past, name, refused, bad) for past in pasts]
        pairs = zip(pasts, targets, strict=True)
        _agree({place_name(past.place): target.build for past, target in pairs}, f"{name} held different builds before")
    made = []
    for past, target in zip(pasts, targets, strict=True):
        if target.ami == past.held.ami:
            continue
        where = place_name(past.place)
        if target.state != "available":
            state = f"is {target.state}" if target.state else "does not exist"
            raise ChannelError(f"{where}: {target.ami}, which {name} held before, {state}")
        step = Step(
            region=past.place["region"],
            account=past.place["account"],
            role=past.place["role"],
            held=past.held.ami,
            back_to=target.ami,
            from_build=past.held.build,
            build=target.build,
            note=past.held.note,
        )
        if step.forward and not to:
            raise ChannelError(
                f"{where}: {name} held {step.build} before, which is newer than {step.from_build}; "
                f"give --to {step.build} to go there, or --to with an older version"
            )
        made.append(step)
    return made


def left_behind(steps: Sequence[Step], pasts: Sequence[Past]) -> list[str]:
    """Return the AMIs, in every place, of the builds that the steps move away from."""
    builds = {one.from_build for one in steps if one.from_build}
    also = [one.ami for past in pasts for one in past.versions if one.build in builds]
    return list(dict.fromkeys([*(one.held for one in steps), *also]))


def _before(past: Past, name: str, refused: Collection[str], bad: Collection[str]) -> Version:
    held = past.held
    candidates = [
        one
        for one in stood(past.versions)[:-1]
        if one.ami not in refused and one.build not in bad and not (one.build and one.build == held.build)
    ]
    if not candidates:
        raise ChannelError(
            f"{place_name(past.place)}: {name} has held nothing before {held.ami} that stood; "
            "give --to with the version to go to"
        )
    return candidates[-1]


def _named(pasts: Sequence[Past], name: str, to: str) -> list[Version]:
    build = to
    if to.startswith("ami-"):
        build = next((one.build for past in pasts for one in past.versions if one.ami == to), "")
    found = []
    for past in pasts:
        newest_first = reversed(past.versions)
        one = next((one for one in newest_first if one.ami == to or (build and one.build == build)), None)
        if one is None:
            raise ChannelError(
                f"{place_name(past.place)}: {name} has never held {build or to}; "
                "cdk-ami channels history shows what it held"
            )
        found.append(one)
    return found


def _agree(builds: Mapping[str, str], problem: str) -> None:
    """Refuse builds that differ; an AMI without a tag does not tell.

    Raises:
        ChannelError: When they do.
    """
    if len({build for build in builds.values() if build}) > 1:
        told = ", ".join(f"{build or 'unknown'} in {where}" for where, build in builds.items())
        raise ChannelError(f"{problem}: {told}; give --to with the version that all shall hold")


def _number(build: str) -> tuple[int, ...]:
    return tuple(int(part) for part in build.replace("/", ".").split("."))
