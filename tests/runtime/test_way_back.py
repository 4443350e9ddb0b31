from __future__ import annotations

import pytest

from cdk_ami.runtime.channel_places import home_told, lock_note
from cdk_ami.runtime.channels import ChannelError
from cdk_ami.runtime.promotion.decide import NOTE_MAX, note
from cdk_ami.runtime.way_back import Past, Version, left_behind, steps_back, stood

BACK = "back to "


def versions(text: str) -> list[Version]:
    """Return versions of builds 1.0.N/1: a number moves there, ``<`` before it says that it was moved back there."""
    return [
        Version(ami=f"ami-{word.lstrip('<')}", build=f"1.0.{word.lstrip('<')}/1", note=BACK if word[0] == "<" else "")
        for word in text.split()
    ]


def past(text: str, region: str = "us-east-1") -> Past:
    return Past(place={"region": region, "account": "", "role": "", "wave": 0}, versions=versions(text))


@pytest.mark.parametrize(
    ("held", "left"),
    [
        ("1 2", "1 2"),
        ("1 2 <1", "1"),
        ("1 2 1", "1"),
        ("1 2 3 <2", "1 2"),
        ("1 2 <1 2 3", "1 2 3"),
        ("1 2 3 <1 4", "1 4"),
        # The versions before have been forgotten: what was moved back from is no past, though the target is unknown.
        ("3 <2", "2"),
    ],
)
def test_moves_that_were_undone_did_not_stand(held: str, left: str) -> None:
    assert [one.ami for one in stood(versions(held))] == [one.ami for one in versions(left)]


@pytest.mark.parametrize(
    ("first", "second", "to", "refused", "moves"),
    [
        pytest.param("1 2", "1 2", "", (), {"us-east-1": "1", "eu-west-1": "1"}, id="back"),
        pytest.param("1 2 3 <2", "1 2", "", (), {"us-east-1": "1", "eu-west-1": "1"}, id="one was undone"),
        pytest.param("1 2 3", "1 2 3", "", ("ami-2",), {"us-east-1": "1", "eu-west-1": "1"}, id="one was refused"),
        pytest.param("1 2 <1", "1 2", "1.0.1/1", (), {"eu-west-1": "1"}, id="one is there already"),
        pytest.param("1 2 <1", "1 2 <1", "1.0.2/1", (), {"us-east-1": "2", "eu-west-1": "2"}, id="forward by command"),
        pytest.param("1 2 3", "1 2 3", "ami-1", (), {"us-east-1": "1", "eu-west-1": "1"}, id="to an AMI's build"),
    ],
)
def test_all_places_go_to_one_build(first: str, second: str, to: str, refused: tuple[str], moves: object) -> None:
    steps = steps_back([past(first), past(second, "eu-west-1")], "stable", to=to, refused=refused)

    assert {one.region: one.back_to.removeprefix("ami-") for one in steps} == moves


@pytest.mark.parametrize(
    ("first", "second", "to", "refused", "says"),
    [
        ("1 2 <1", "1 2 <1", "", (), "us-east-1: stable has held nothing before ami-1 that stood"),
        ("1 2 <1", "1 2", "", (), "holds different builds: 1.0.1/1 in us-east-1, 1.0.2/1 in eu-west-1; give --to"),
        ("1 3", "2 3", "", (), "held different builds before: 1.0.1/1 in us-east-1, 1.0.2/1 in eu-west-1; give --to"),
        ("3 2", "3 2", "", (), "us-east-1: stable held 1.0.3/1 before, which is newer than 1.0.2/1; give --to 1.0.3/1"),
        ("10 9", "10 9", "", (), "held 1.0.10/1 before, which is newer than 1.0.9/1"),
        ("1 2", "1 2", "", ("ami-1",), "has held nothing before ami-2 that stood"),
        ("1 2", "2 3", "1.0.1/1", (), "eu-west-1: stable has never held 1.0.1/1"),
    ],
)
def test_what_would_not_be_a_way_back_of_all_is_refused(
    first: str, second: str, to: str, refused: tuple[str], says: str
) -> None:
    with pytest.raises(ChannelError) as caught:
        steps_back([past(first), past(second, "eu-west-1")], "stable", to=to, refused=refused)

    assert says in str(caught.value)


def test_the_build_that_is_left_is_refused_in_every_place() -> None:
    here, there = past("1 2"), past("1 2 <1", "eu-west-1")
    there = there._replace(versions=[one._replace(ami=f"{one.ami}-eu") for one in there.versions])

    steps = steps_back([here, there], "stable", to="1.0.1/1", refused=())

    assert left_behind(steps, [here, there]) == ["ami-2", "ami-2-eu"]


def test_every_note_leads_to_the_lock_however_long_its_reason_is() -> None:
    execution = "arn:aws:states:us-east-1:123456789012:execution:m:1"
    told = note(
        from_channel="latest", what="ami-1", by="ann", reason="x" * NOTE_MAX, before="ami-0", execution=execution
    )

    assert len(told) == NOTE_MAX
    assert (
        home_told(told) == home_told(f"gone{lock_note('123456789012', 'us-east-1')}") == ("123456789012", "us-east-1")
    )
    assert home_told("by hand") is None
