"""Finds all places of a channel, and the Region whose lock guards them, from what promotions have written down.

A channel that a promotion moves stands where the promotion's state machine says.  Which Region that machine runs in,
and so which lock counts, each version of the channel tells in its note, in whatever Region one looks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from cdk_ami.naming import channel_parameter
from cdk_ami.runtime.channels import ChannelError, amis_by_id, held_by_channel
from cdk_ami.runtime.promotion.clients import Clients
from cdk_ami.runtime.promotion.decide import place_name
from cdk_ami.runtime.promotion.handler import machine_parameter
from cdk_ami.runtime.promotion.places import IMAGE_ARN_TAG

_EXECUTION: Final = re.compile(r"; arn:[\w-]+:states:(?P<region>[\w-]+):(?P<account>\d{12}):execution:\S+$")
_COMMAND: Final = re.compile(r"; lock of (?P<account>\d{12}) in (?P<region>[\w-]+)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a channel.

    Attributes:
        home: Region whose lock guards it.
        places: Where a promotion moves it, as the promotion's definition names the places; empty without a promotion.
    """

    home: str
    places: tuple[Mapping[str, Any], ...]


def lock_note(account: str, home: str) -> str:
    """Return the end of a note from which the lock can be found again."""
    return f"; lock of {account} in {home}"


def home_told(note: str) -> tuple[str, str] | None:
    """Return account and Region of the lock under which a version was written, None when its note does not say."""
    told = _EXECUTION.search(note) or _COMMAND.search(note)
    return None if told is None else (told["account"], told["region"])


def homes_noted(ssm: Any, image: str, channel: str) -> list[tuple[str, str]]:
    """Return accounts and Regions of the locks that the versions of a channel name, the newest first."""
    told = (home_told(one.get("Description", "")) for one in reversed(versions_of(ssm, image, channel)))
    return list(dict.fromkeys(one for one in told if one is not None))


def versions_of(ssm: Any, image: str, channel: str) -> list[dict[str, Any]]:
    """Return the versions of a channel's parameter, the oldest first; none when it does not exist."""
    pages = ssm.get_paginator("get_parameter_history").paginate(Name=channel_parameter(image, channel))
    try:
        return [one for page in pages for one in page["Parameters"]]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ParameterNotFound":
            return []
        raise


def homes_of(clients: Clients, image: str, looked: Sequence[str]) -> list[str]:
    """Return ``looked``, and the Regions in whose locks the channels that stand there were written."""
    noted = [
        home
        for region in looked
        for name in held_by_channel(clients("ssm", region), image)
        for _, home in homes_noted(clients("ssm", region), image, name.rpartition("/")[2])
    ]
    return list(dict.fromkeys([*looked, *noted]))


def learn(
    clients: Clients,
    image: str,
    channel: str,
    *,
    account: str,
    looked: Sequence[str],
    home: str = "",
    settled: str = "",
) -> Known:
    """Return the home of a channel and where a promotion moves it.

    Args:
        clients: Makes clients.
        image: Name of the image.
        channel: Name of the channel.
        account: Account of the caller.
        looked: Regions to begin with.
        home: What the caller says is the home; empty for nothing.
        settled: What the settings say is the Region of the builds; empty for nothing.

    Raises:
        ChannelError: When the home cannot be told, or is another than the caller says.
    """
    noted, built = [], []
    for region in looked:
        ssm = clients("ssm", region)
        homes = homes_noted(ssm, image, channel)
        if homes and homes[0][0] != account:
            raise ChannelError(
                f"{channel} of {image} in {region} is moved by the account {homes[0][0]}, whose lock in {homes[0][1]} "
                "guards it; roll it back there"
            )
        noted += [where for of, where in homes if of == account]
        built += _built_in(clients, region, image, channel)
    candidates = dict.fromkeys([*looked, *noted, *built, *filter(None, [home, settled])])
    written = {region: promotion_parameters(clients("ssm", region), image) for region in candidates}
    promoting = [region for region, names in written.items() if any("/promotion/machines/" in name for name in names)]
    # What a command has left where no promotion is: its lock counts for the next command too.
    locked = [region for region, names in written.items() if names]
    chosen = _home(image, promoting or locked, home, builds=list(dict.fromkeys(built)), settled=settled)
    machine = written.get(chosen, {}).get(machine_parameter(image, channel), "")
    return Known(home=chosen, places=_places(clients("stepfunctions", chosen), machine) if machine else ())


def choose(
    known: Known, image: str, channel: str, *, regions: Sequence[str], only: Sequence[str], default: Sequence[str]
) -> tuple[Mapping[str, Any], ...]:
    """Return the places to move.

    Args:
        known: What is known of the channel.
        image: Name of the image.
        channel: Name of the channel.
        regions: Regions that the caller named; empty for all.
        only: Regions that the caller wants moved alone, in this account; empty for all.
        default: Regions of the settings; they count where no promotion moves the channel.

    Raises:
        ChannelError: When that is a part of what a promotion moves together, or nobody knows where the channel stands.
    """
    names = ", ".join(place_name(place) for place in known.places)
    if only:
        own = {place["region"] for place in known.places if not place["role"]}
        strange = [region for region in only if known.places and region not in own]
        if strange:
            raise ChannelError(f"no promotion moves {channel} of {image} in {', '.join(strange)}, only in {names}")
        return tuple(_place(region) for region in only)
    if not known.places:
        if not (regions or default):
            raise ChannelError(
                f"nothing says in which Regions {channel} of {image} stands: no promotion moves it, and there is no "
                "cdk-ami.toml of it here; give each --region"
            )
        return tuple(_place(region) for region in regions or default)
    left_out = [place_name(place) for place in known.places if regions and place["region"] not in regions]
    if left_out:
        raise ChannelError(
            f"a promotion moves {channel} of {image} in {names} together, and {', '.join(left_out)} would stay behind; "
            "leave out --region, or give --only instead to let the Regions differ"
        )
    more = [region for region in regions if region not in {place["region"] for place in known.places}]
    return (*known.places, *(_place(region) for region in more))


def places_of(definition: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """Return the places that the definition of a promotion's state machine names; empty when it is no such machine."""
    places: Iterable[Mapping[str, Any]] = definition["States"].get("Look", {}).get("Parameters", {}).get("places", ())
    return tuple(places)


def _home(image: str, evidence: Sequence[str], home: str, *, builds: Sequence[str], settled: str) -> str:
    told = ", ".join(evidence)
    if evidence and home and home not in evidence:
        raise ChannelError(f"the lock of {image} stands in {told} and not in {home}; leave out --home")
    if len(evidence) > 1 and not home:
        raise ChannelError(f"{image} has locks in {told}; name the Region of its builds with --home")
    found = home or (evidence[0] if evidence else "") or (builds[0] if len(builds) == 1 else "") or settled
    if not found:
        raise ChannelError(f"nothing says in which Region {image} is built, where its lock stands; give --home")
    return found


def _built_in(clients: Clients, region: str, image: str, channel: str) -> list[str]:
    """Return the Region of the build that a channel holds, as the AMI's tag tells."""
    versions = versions_of(clients("ssm", region), image, channel)
    if not versions:
        return []
    held = versions[-1]["Value"]
    found = amis_by_id(clients("ec2", region), [held]).get(held, {})
    tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", ())}
    return [tags[IMAGE_ARN_TAG].split(":")[3]] if IMAGE_ARN_TAG in tags else []


def promotion_parameters(ssm: Any, image: str) -> dict[str, str]:
    """Return all that promotions and rollbacks of an image have written down in one Region."""
    path = channel_parameter(image, "promotion")
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=path, Recursive=True)
    return {one["Name"]: one["Value"] for page in pages for one in page["Parameters"]}


def _places(states: Any, machine: str) -> tuple[Mapping[str, Any], ...]:
    places = places_of(json.loads(states.describe_state_machine(stateMachineArn=machine)["definition"]))
    if not places:
        raise ChannelError(
            f"the state machine {machine} does not say which places it moves; deploy its promotion again"
        )
    return places


def _place(region: str) -> dict[str, Any]:
    return {"region": region, "account": "", "role": "", "wave": 0}
