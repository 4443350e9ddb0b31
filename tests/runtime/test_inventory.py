from __future__ import annotations

from collections.abc import Callable

from cdk_ami.runtime.inventory import take_inventory
from cdk_ami.runtime.regions import RegionClients
from tests.support.amis import make_ami, point

OfRegion = Callable[..., RegionClients]


def test_amis_come_oldest_version_first_with_the_channels_that_hold_them(clients: OfRegion) -> None:
    here = clients()
    newest = make_ami(here.ec2, version="1.0.10/1")
    oldest = make_ami(here.ec2, version="1.0.9/2")
    point(here.ssm, "/imagebuilder/web/latest", newest.image_id)
    point(here.ssm, "/imagebuilder/web/stable", newest.image_id)

    holdings = take_inventory(here, "web")

    assert [(ami.image_id, ami.version, ami.channels) for ami in holdings.amis] == [
        (oldest.image_id, "1.0.9/2", ()),
        (newest.image_id, "1.0.10/1", ("latest", "stable")),
    ]
    assert all(ami.encrypted and ami.state == "available" for ami in holdings.amis)
    assert holdings.channels == {
        "/imagebuilder/web/latest": newest.image_id,
        "/imagebuilder/web/stable": newest.image_id,
    }


def test_amis_of_other_images_and_of_nobody_are_left_out(clients: OfRegion) -> None:
    here = clients()
    make_ami(here.ec2, image="web-shop")
    mine = make_ami(here.ec2, image="web")

    assert [ami.image_id for ami in take_inventory(here, "web").amis] == [mine.image_id]


def test_a_name_and_its_normalized_form_are_one_image(clients: OfRegion) -> None:
    here = clients()
    mine = make_ami(here.ec2, image="web-server")

    assert [ami.image_id for ami in take_inventory(here, "Web Server").amis] == [mine.image_id]


def test_a_copy_names_its_source(clients: OfRegion) -> None:
    here, there = clients("us-east-1"), clients("eu-west-1")
    mine = make_ami(here.ec2)
    copied = there.ec2.copy_image(Name="copy", SourceImageId=mine.image_id, SourceRegion="us-east-1")["ImageId"]
    there.ec2.create_tags(Resources=[copied], Tags=[{"Key": "Ec2ImageBuilderArn", "Value": mine.image_arn}])

    (found,) = take_inventory(there, "web").amis

    assert (found.image_id, found.source) == (copied, f"us-east-1/{mine.image_id}")


def test_instances_are_listed_with_zone_version_and_metadata_options_until_they_are_terminated(
    clients: OfRegion,
) -> None:
    here = clients()
    mine = make_ami(here.ec2)
    first, second = (
        here.ec2.run_instances(
            ImageId=mine.image_id,
            MinCount=1,
            MaxCount=1,
            InstanceType="t3.micro",
            Placement={"AvailabilityZone": zone},
            MetadataOptions={"HttpTokens": tokens},
        )["Instances"][0]["InstanceId"]
        for zone, tokens in (("us-east-1b", "required"), ("us-east-1a", "optional"))
    )

    listed = take_inventory(here, "web").instances
    here.ec2.terminate_instances(InstanceIds=[first])
    afterwards = take_inventory(here, "web").instances

    assert [(found.instance_id, found.zone, found.version, found.imdsv2) for found in listed] == [
        (second, "us-east-1a", "1.0.0/1", False),
        (first, "us-east-1b", "1.0.0/1", True),
    ]
    assert [found.instance_id for found in afterwards] == [second]
