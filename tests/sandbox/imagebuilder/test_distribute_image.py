"""DistributeImage: an AMI that exists already goes where a configuration says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from tests.sandbox.imagebuilder.conftest import Account

PUBLIC = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
NAMED = "web {{ imagebuilder:buildDate }}"


def own_ami(account: Account) -> str:
    """Make an AMI as Packer or a capture would, and return its id."""
    ec2 = account.aws("ec2")
    source = account.aws("ssm").get_parameter(Name=PUBLIC)["Parameter"]["Value"]
    instance = ec2.run_instances(ImageId=source, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    return str(ec2.create_image(InstanceId=instance, Name="packed")["ImageId"])


def targets(account: Account) -> str:
    def target(region: str, **ami: Any) -> dict[str, Any]:
        return {
            "region": region,
            "amiDistributionConfiguration": {"name": NAMED, "description": region, **ami},
            "ssmParameterConfigurations": [{"parameterName": "/imagebuilder/web/latest", "dataType": "aws:ec2:image"}],
        }

    shared = {"launchPermission": {"userIds": ["111111111111"]}}
    return account.distribution(target("us-east-1"), target("eu-west-1", **shared))


def test_an_ami_of_ones_own_is_copied_shared_and_published_and_stays_as_it_is(account: Account) -> None:
    ami = own_ami(account)

    started = account.builder.distribute_image(
        sourceImage=ami, distributionConfigurationArn=targets(account), executionRole="builder", tags={"why": "test"}
    )
    image = account.ended(started["imageBuildVersionArn"])

    assert image["state"] == {"status": "AVAILABLE"}
    assert image["arn"].endswith(f":image/{ami}/1.0.0/1")
    assert (image["tags"], image["executionRole"], image["buildType"]) == ({"why": "test"}, "builder", "USER_INITIATED")
    assert "imageRecipe" not in image
    runs = account.builder.list_workflow_executions(imageBuildVersionArn=image["arn"])["workflowExecutions"]
    assert [run["type"] for run in runs] == ["DISTRIBUTION"]
    for region, copy in zip(("us-east-1", "eu-west-1"), image["outputResources"]["amis"], strict=True):
        assert (copy["region"], copy["description"]) == (region, region)
        described = account.image(copy["image"], region)
        assert described["SourceImageId"] == ami
        assert {"Key": "Ec2ImageBuilderArn", "Value": image["arn"]} in described["Tags"]
        written = account.aws("ssm", region).get_parameter(Name="/imagebuilder/web/latest")["Parameter"]
        assert written["Value"] == copy["image"]
    abroad = account.aws("ec2", "eu-west-1").describe_image_attribute(
        ImageId=image["outputResources"]["amis"][1]["image"], Attribute="launchPermission"
    )
    assert abroad["LaunchPermissions"] == [{"UserId": "111111111111"}]
    assert account.image(ami)["Name"] == "packed"
    assert "Tags" not in account.image(ami)


def test_a_parameter_and_an_image_name_their_ami(account: Account) -> None:
    configuration = targets(account)
    by_parameter = account.builder.distribute_image(
        sourceImage=f"ssm:{PUBLIC}", distributionConfigurationArn=configuration, executionRole="builder"
    )
    first = account.ended(by_parameter["imageBuildVersionArn"])
    version = first["arn"].rpartition("/")[0]

    by_image = account.builder.distribute_image(
        sourceImage=version, distributionConfigurationArn=configuration, executionRole="builder"
    )
    second = account.ended(by_image["imageBuildVersionArn"])

    assert (first["state"]["status"], second["state"]["status"]) == ("AVAILABLE", "AVAILABLE")
    assert second["arn"] == f"{version}/2"
    assert (
        account.image(second["outputResources"]["amis"][0]["image"])["SourceImageId"]
        == (first["outputResources"]["amis"][0]["image"])
    )


@pytest.mark.parametrize(
    ("part", "code", "why"),
    [
        ({"sourceImage": "ami-0123456789abcdef0"}, "InvalidRequestException", "does not exist here"),
        ({"sourceImage": "ssm:/none"}, "InvalidRequestException", "/none"),
        (
            {"sourceImage": "arn:aws:imagebuilder:us-east-1:123456789012:image/none/1.0.0"},
            "ResourceNotFoundException",
            "image/none",
        ),
        ({"executionRole": "nobody"}, "InvalidParameterValueException", "'executionRole'"),
        (
            {
                "distributionConfigurationArn": (
                    "arn:aws:imagebuilder:us-east-1:123456789012:distribution-configuration/none"
                )
            },
            "ResourceNotFoundException",
            "distribution-configuration/none",
        ),
    ],
)
def test_what_cannot_be_distributed_is_refused_before_an_image_is_made(
    account: Account, part: dict[str, Any], code: str, why: str
) -> None:
    request = {
        "sourceImage": f"ssm:{PUBLIC}",
        "distributionConfigurationArn": targets(account),
        "executionRole": "builder",
        **part,
    }

    with pytest.raises(ClientError) as caught:
        account.builder.distribute_image(**request)

    assert caught.value.response["Error"]["Code"] == code
    assert why in str(caught.value)
    assert account.builder.list_images()["imageVersionList"] == []


def test_a_token_distributes_once_and_takes_no_other_parameters(account: Account) -> None:
    request = {
        "sourceImage": f"ssm:{PUBLIC}",
        "distributionConfigurationArn": targets(account),
        "executionRole": "builder",
        "clientToken": "once",
    }

    first = account.builder.distribute_image(**request)["imageBuildVersionArn"]
    again = account.builder.distribute_image(**request)["imageBuildVersionArn"]
    with pytest.raises(ClientError) as caught:
        account.builder.distribute_image(**{**request, "tags": {"a": "b"}})

    account.ended(first)
    assert first == again
    assert caught.value.response["Error"]["Code"] == "IdempotentParameterMismatchException"


def test_a_script_is_imported_as_a_component_of_one_step(account: Account) -> None:
    made = account.builder.import_component(
        name="motd", semanticVersion="1.0.0", type="TEST", format="SHELL", platform="Linux", data="cat /etc/motd"
    )

    found = account.builder.get_component(componentBuildVersionArn=made["componentBuildVersionArn"])["component"]

    assert (found["type"], found["platform"]) == ("TEST", "Linux")
    assert "cat /etc/motd" in found["data"]
    assert "ExecuteBash" in found["data"]
