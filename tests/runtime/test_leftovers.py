from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.runtime.leftovers import Leftover, find_leftovers, keep_lineage, remove_leftovers
from cdk_ami.runtime.regions import RegionClients
from tests.support.amis import make_ami, point

OfRegion = Callable[..., RegionClients]


class Failing:
    """A client whose operation fails, a given number of times, as AWS fails it."""

    def __init__(self, client: Any, operation: str, *, times: int) -> None:
        self._client, self._operation, self._left = client, operation, times

    def __getattr__(self, name: str) -> Any:
        if name == self._operation and self._left:
            self._left -= 1
            raise ClientError({"Error": {"Code": "RequestLimitExceeded", "Message": "slow down"}}, name)
        return getattr(self._client, name)


def test_leftovers_come_in_the_order_of_their_removal(clients: OfRegion) -> None:
    here = clients()
    mine = make_ami(here.ec2)
    point(here.ssm, "/imagebuilder/web/latest", mine.image_id)

    found = find_leftovers(here, "web")

    assert [(left.kind, left.name, left.about) for left in found] == [
        ("channel", "/imagebuilder/web/latest", mine.image_id),
        ("ami", mine.image_id, "1.0.0/1"),
        ("snapshot", mine.snapshot_id, mine.image_id),
    ]


def test_removal_leaves_nothing_and_can_be_repeated(clients: OfRegion) -> None:
    here = clients()
    mine = make_ami(here.ec2)
    point(here.ssm, "/imagebuilder/web/latest", mine.image_id)
    found = find_leftovers(here, "web")

    removed = list(remove_leftovers(here, found))
    again = list(remove_leftovers(here, found))

    assert removed == again == list(found)
    assert find_leftovers(here, "web") == ()
    assert here.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []


def test_what_promotions_wrote_down_goes_when_no_promotion_stands(clients: OfRegion) -> None:
    here = clients()
    path = "/imagebuilder/web/promotion"
    for name in ("lock/00000001", "outcomes/stable", "machines/stable"):
        here.ssm.put_parameter(Name=f"{path}/{name}", Value="arn", Type="String")

    standing = list(remove_leftovers(here, find_leftovers(here, "web")))
    here.ssm.delete_parameter(Name=f"{path}/machines/stable")
    gone = list(remove_leftovers(here, find_leftovers(here, "web")))

    assert standing == []
    assert [left.name for left in gone] == [f"{path}/lock/00000001", f"{path}/outcomes/stable"]


def test_what_an_instance_runs_is_kept_with_its_channel_and_snapshots(clients: OfRegion) -> None:
    here = clients()
    used, unused = make_ami(here.ec2), make_ami(here.ec2, version="1.0.1/1")
    point(here.ssm, "/imagebuilder/web/latest", used.image_id)
    instance = here.ec2.run_instances(ImageId=used.image_id, MinCount=1, MaxCount=1, InstanceType="t3.micro")
    runner = instance["Instances"][0]["InstanceId"]

    removed = list(remove_leftovers(here, find_leftovers(here, "web")))

    assert [left.name for left in removed] == [unused.image_id, unused.snapshot_id]
    assert [(left.name, left.used_by) for left in find_leftovers(here, "web")] == [
        ("/imagebuilder/web/latest", (runner,)),
        (used.image_id, (runner,)),
        (used.snapshot_id, (runner,)),
    ]


@pytest.mark.parametrize(
    ("client", "operation"),
    [("ssm", "delete_parameter"), ("ec2", "deregister_image"), ("ec2", "delete_snapshot")],
)
def test_a_removal_that_breaks_off_goes_on_where_it_stopped(clients: OfRegion, client: str, operation: str) -> None:
    here = clients()
    mine = make_ami(here.ec2)
    point(here.ssm, "/imagebuilder/web/latest", mine.image_id)
    found = find_leftovers(here, "web")
    broken = {name: getattr(here, name) for name in ("ec2", "ssm", "imagebuilder")}
    broken[client] = Failing(broken[client], operation, times=1)
    flaky = RegionClients(region=here.region, **broken)

    with pytest.raises(ClientError, match="slow down"):
        list(remove_leftovers(flaky, found))
    removed = list(remove_leftovers(flaky, found))

    assert removed == list(found)
    assert find_leftovers(here, "web") == ()
    assert here.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []


def test_the_image_resource_of_an_ami_in_use_elsewhere_is_kept() -> None:
    def left(region: str, kind: str, about: str, *used_by: str) -> Leftover:
        return Leftover(region=region, kind=kind, name=f"{kind} {about}", about=about, used_by=used_by)

    marked = keep_lineage(
        {
            "us-east-1": [left("us-east-1", "image", "1.0.0/1"), left("us-east-1", "image", "1.0.1/1")],
            "eu-west-1": [left("eu-west-1", "ami", "1.0.0/1", "i-1"), left("eu-west-1", "ami", "1.0.1/1")],
        }
    )

    assert [(found.about, found.used_by) for found in marked["us-east-1"]] == [("1.0.0/1", ("i-1",)), ("1.0.1/1", ())]
