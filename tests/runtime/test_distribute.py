"""The steps of a distribution by hand, with something going wrong at each."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from cdk_ami.runtime import distribute as runtime
from cdk_ami.runtime.regions import RegionClients
from cdk_ami.sandbox.server import Sandbox
from tests.distribution.test_producer import ACCOUNT, REGIONS, own_ami
from tests.support.control import ask
from tests.support.stacks import trust

Aws = Callable[..., Any]


class Hand:
    """Somebody who distributes AMIs."""

    def __init__(self, sandbox: Sandbox, aws: Aws, clients: Callable[..., RegionClients]) -> None:
        self.aws, self.sandbox, self.here = aws, sandbox, clients("us-east-1")
        self._elsewhere = [clients(region) for region in REGIONS]
        document = json.dumps(trust("imagebuilder.amazonaws.com"))
        aws("iam").create_role(RoleName="distribute", AssumeRolePolicyDocument=document)

    def distribute(self, source: str, role: str | None = "distribute", **order: Any) -> runtime.Progress:
        """Do all that the command does, and wait for the end of it."""
        name = runtime.plain_configuration_name("shop", REGIONS)
        given: dict[str, Any] = {"image": "shop", "regions": REGIONS} | order
        image, _ = runtime.begin(
            self.here,
            runtime.Order(
                ami=runtime.resolve_source(self.here, source, ACCOUNT),
                configuration=runtime.configuration_arn(self.here.imagebuilder, ACCOUNT, name),
                role=role,
                **given,
            ),
        )
        return runtime.follow(
            lambda: runtime.look(self.here.imagebuilder, self._elsewhere, image),
            lambda _: None,
            sleep=lambda _: ask(self.sandbox, "idle", method="GET"),
        )

    def copies(self, ami: str) -> list[int]:
        """Return how many copies of an AMI each Region has."""
        found = [self.aws("ec2", region).describe_images(Owners=["self"])["Images"] for region in REGIONS]
        return [len([image for image in images if image.get("SourceImageId") == ami]) for images in found]


@pytest.fixture
def hand(sandbox: Sandbox, aws: Aws, clients: Callable[..., RegionClients]) -> Hand:
    return Hand(sandbox, aws, clients)


def test_a_fault_at_any_call_by_hand_leaves_one_copy_in_each_region(hand: Hand) -> None:
    ec2 = hand.aws("ec2")
    clean = own_ami(ec2, "clean")
    ask(hand.sandbox, "calls", method="DELETE")
    assert hand.distribute(clean).good
    noted = ask(hand.sandbox, "calls", method="GET", engine=False)["calls"]
    calls = list(dict.fromkeys((call["service"], call["operation"]) for call in noted))
    refused: dict[str, Any] = {"error": {"code": "AccessDeniedException", "status": 400}}
    points = [(call, refused) for call in calls]
    # What was done and not heard of is the dangerous half; a look that was not heard of is one that was refused.
    points += [(call, {"lose_answer": True}) for call in calls if not call[1].startswith(("Get", "Describe"))]

    for number, ((service, operation), way) in enumerate(points):
        ami = own_ami(ec2, f"baked-{number}")
        ask(hand.sandbox, "faults", service=service, operation=operation, **way)
        with pytest.raises((BotoCoreError, ClientError)):
            hand.distribute(ami)
        ask(hand.sandbox, "faults", method="DELETE")
        assert hand.distribute(ami).good, (service, operation, way)
        assert hand.copies(ami) == [1, 1], (service, operation, way)

    print(f"{len(points)} faults injected at {len(calls)} calls of a distribution by hand")  # noqa: T201 - for the log
    assert calls == [
        ("ec2", "DescribeImages"),
        ("imagebuilder", "CreateDistributionConfiguration"),
        ("imagebuilder", "GetDistributionConfiguration"),
        ("ec2", "DescribeTags"),
        ("imagebuilder", "DistributeImage"),
        ("ec2", "CreateTags"),
        ("imagebuilder", "GetImage"),
    ]
    assert len(points) == 10


def test_the_progress_of_copies_is_told_while_they_are_made(hand: Hand) -> None:
    ami = own_ami(hand.aws("ec2"), "baked")
    ask(hand.sandbox, "faults", copies="pending", region="eu-west-1")
    order = runtime.Order(
        ami=ami,
        configuration=runtime.configuration_arn(
            hand.here.imagebuilder, ACCOUNT, runtime.plain_configuration_name("shop", REGIONS)
        ),
        image="shop",
        regions=REGIONS,
        role="distribute",
    )
    image, _ = runtime.begin(hand.here, order)
    elsewhere = [RegionClients(region=r, ec2=hand.aws("ec2", r), ssm=None, imagebuilder=None) for r in REGIONS]
    seen: list[runtime.Progress] = []

    def copied(_: float) -> None:
        if any((one.region, one.state) == ("eu-west-1", "pending") for one in seen[-1].amis):
            ask(hand.sandbox, "faults", method="DELETE")

    ended = runtime.follow(lambda: runtime.look(hand.here.imagebuilder, elsewhere, image), seen.append, sleep=copied)

    assert (ended.good, ended.settled) == (True, True)
    assert {one.region for one in ended.amis} == set(REGIONS)
    pending = [one for progress in seen for one in progress.amis if one.state == "pending"]
    assert {one.region for one in pending} == {"eu-west-1"}


def test_a_source_may_be_a_parameter_or_an_image_and_a_build_may_be_named_shortly(hand: Hand) -> None:
    ami = own_ami(hand.aws("ec2"), "baked")
    hand.aws("ssm").put_parameter(Name="/imagebuilder/baked", Value=ami, Type="String")
    first = hand.distribute("ssm:/imagebuilder/baked")
    second = hand.distribute(first.image)
    builder = hand.here.imagebuilder

    assert (first.good, second.good, hand.copies(ami)) == (True, True, [1, 1])
    assert second.image.rpartition("/")[0] != first.image.rpartition("/")[0]
    assert runtime.newest_build(builder, f"{ami}/1.0.0/1") == first.image
    assert runtime.newest_build(builder, first.image) == first.image
    assert runtime.newest_build(builder, "Shop") == second.image
    assert runtime.regions_of(builder, first.image) == REGIONS
    with pytest.raises(runtime.DistributeError, match="names no build"):
        runtime.newest_build(builder, "arn:aws:imagebuilder:us-east-1:123456789012:image-recipe/shop/1.0.0")
    with pytest.raises(runtime.DistributeError, match="AVAILABLE"):
        runtime.retry(builder, first.image)


def test_a_configuration_without_a_role_of_its_own_needs_one(hand: Hand) -> None:
    ami = own_ami(hand.aws("ec2"), "baked")
    contents = runtime.plain_distributions("shop", REGIONS)
    name = runtime.plain_configuration_name("shop", REGIONS)
    hand.here.imagebuilder.create_distribution_configuration(name=name, distributions=contents)

    with pytest.raises(runtime.DistributeError, match="names no execution role; give --role"):
        hand.distribute(ami, role=None, regions=())

    assert hand.copies(ami) == [0, 0]
