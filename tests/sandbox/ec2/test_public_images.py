from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.catalog import public_amis, public_parameters
from cdk_ami.source.catalog import PUBLIC_IMAGES


@pytest.mark.parametrize("image", PUBLIC_IMAGES, ids=lambda image: image.parameter)
def test_every_source_of_the_catalogue_is_there_as_its_vendor_publishes_it(aws: Any, image: Any) -> None:
    region = "eu-west-1"

    image_id = aws("ssm", region).get_parameter(Name=image.parameter)["Parameter"]["Value"]
    (record,) = aws("ec2", region).describe_images(ImageIds=[image_id])["Images"]

    assert record["OwnerId"] == image.owner
    assert record["Public"] is True
    assert record["State"] == "available"
    assert record["Architecture"] == image.architecture
    assert record["RootDeviceName"] == image.root_device
    assert record.get("Platform") == ("windows" if image.platform == "Windows" else None)
    (mapping,) = record["BlockDeviceMappings"]
    assert mapping["DeviceName"] == image.root_device
    assert mapping["Ebs"]["Encrypted"] is False


def test_public_images_have_other_ids_in_other_regions_and_the_same_in_every_run() -> None:
    here = [ami.image_id for ami in public_amis("us-east-1")]
    there = [ami.image_id for ami in public_amis("eu-west-1")]

    assert not set(here) & set(there)
    assert len(set(here)) == len(PUBLIC_IMAGES)
    assert here == [ami.image_id for ami in public_amis.__wrapped__("us-east-1")]


@pytest.mark.parametrize(
    "name",
    [
        "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.1-x86_64",
        "/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-6.1-arm64",
        "/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2",
        "/aws/service/ami-amazon-linux-latest/amzn2-ami-kernel-5.10-hvm-x86_64-gp2",
        "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
        "/aws/service/debian/release/12/latest/amd64",
        "/aws/service/ami-windows-latest/Windows_Server-2022-English-Full-Base",
    ],
)
def test_the_usual_public_parameters_exist(name: str) -> None:
    assert public_parameters("us-east-1")[name].startswith("ami-")


def test_public_parameters_are_found_by_path_and_names_together(aws: Any) -> None:
    ssm = aws("ssm")

    answer = ssm.get_parameters_by_path(Path="/aws/service/debian/release", Recursive=True)
    names = [parameter["Name"] for parameter in answer["Parameters"]]

    assert "/aws/service/debian/release/12/latest/arm64" in names


def test_a_public_parameter_that_does_not_exist_is_not_found(aws: Any) -> None:
    with pytest.raises(ClientError, match="ParameterNotFound"):
        aws("ssm").get_parameter(Name="/aws/service/ami-amazon-linux-latest/al2099-ami-x86_64")


def test_images_are_found_by_owner_and_name(aws: Any) -> None:
    found = aws("ec2").describe_images(
        Owners=["amazon"], Filters=[{"Name": "name", "Values": ["al2023-ami-2023.*-x86_64"]}]
    )["Images"]

    assert [image["ImageOwnerAlias"] for image in found] == ["amazon"]


def test_nobody_can_change_a_public_image(aws: Any, public_ami: Callable[..., str]) -> None:
    with pytest.raises(ClientError, match="AuthFailure"):
        aws("ec2").deregister_image(ImageId=public_ami())
