from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cdk_ami.runtime.channels import ChannelError, held_by_channel, read_channel, seed_channel
from cdk_ami.runtime.regions import RegionClients
from tests.support.amis import make_ami, point

OfRegion = Callable[..., RegionClients]


class SlowParameters:
    """A client whose writes show only after some reads, as the service's do."""

    def __init__(self, ssm: Any, *, hidden_reads: int) -> None:
        self._ssm, self._hidden, self.exceptions = ssm, hidden_reads, ssm.exceptions
        self._written = False

    def put_parameter(self, *, Name: str, Value: str, Type: str, DataType: str, Description: str) -> Any:  # noqa: N803
        self._written = True
        return self._ssm.put_parameter(Name=Name, Value=Value, Type=Type, DataType=DataType, Description=Description)

    def get_parameter(self, *, Name: str) -> Any:  # noqa: N803
        if self._written and self._hidden:
            self._hidden -= 1
            return self._ssm.get_parameter(Name=f"{Name}-not-yet")
        return self._ssm.get_parameter(Name=Name)


def test_a_channel_that_does_not_exist_reads_as_nothing(clients: OfRegion) -> None:
    assert read_channel(clients().ssm, "web", "latest") is None


def test_seeding_creates_the_channel_once_and_repeats_without_harm(clients: OfRegion) -> None:
    here = clients()
    mine = make_ami(here.ec2)

    created = [seed_channel(here.ssm, "web", "stable", mine.image_id) for _ in range(2)]

    assert created == [True, False]
    assert held_by_channel(here.ssm, "web") == {"/imagebuilder/web/stable": mine.image_id}
    parameter = here.ssm.get_parameter(Name="/imagebuilder/web/stable")["Parameter"]
    assert (parameter["DataType"], parameter["Version"]) == ("aws:ec2:image", 1)


def test_a_channel_that_holds_another_ami_is_never_moved(clients: OfRegion) -> None:
    here = clients()
    held, wanted = make_ami(here.ec2), make_ami(here.ec2, version="1.0.1/1")
    point(here.ssm, "/imagebuilder/web/stable", held.image_id)

    with pytest.raises(ChannelError, match=rf"/imagebuilder/web/stable exists and holds {held.image_id}"):
        seed_channel(here.ssm, "web", "stable", wanted.image_id)

    assert read_channel(here.ssm, "web", "stable") == held.image_id


def test_the_value_is_read_back_until_it_stands(clients: OfRegion) -> None:
    here = clients()
    mine = make_ami(here.ec2)
    waits: list[float] = []

    created = seed_channel(SlowParameters(here.ssm, hidden_reads=3), "web", "stable", mine.image_id, sleep=waits.append)

    assert created
    assert waits == [1.0, 1.0, 1.0]


def test_a_value_that_never_stands_is_an_error_that_says_why(clients: OfRegion) -> None:
    here = clients()
    mine = make_ami(here.ec2)

    with pytest.raises(ChannelError, match="does not exist in this Region, or is not shared"):
        seed_channel(SlowParameters(here.ssm, hidden_reads=99), "web", "stable", mine.image_id, sleep=lambda _: None)
