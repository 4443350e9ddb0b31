"""Pipelines that run to their end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.sandbox.imagebuilder.conftest import Account

DATED = "web {{ imagebuilder:buildDate }}"


def _targets(key: str) -> list[dict[str, Any]]:
    def target(region: str, **ami: Any) -> dict[str, Any]:
        name = {"name": "web {{ imagebuilder:buildDate }}", "description": f"web of {region}", **ami}
        parameters = [{"parameterName": "/imagebuilder/web/latest", "dataType": "aws:ec2:image"}]
        return {"region": region, "amiDistributionConfiguration": name, "ssmParameterConfigurations": parameters}

    return [target("us-east-1", amiTags={"team": "web"}), target("eu-west-1", amiTags={"team": "web"}, kmsKeyId=key)]


def test_a_pipeline_leaves_an_ami_in_each_region_with_lineage_key_tags_and_parameter(account: Account) -> None:
    key = account.aws("kms", "eu-west-1").create_key()["KeyMetadata"]["Arn"]
    devices = [{"deviceName": "/dev/xvda", "ebs": {"encrypted": True, "volumeSize": 12, "volumeType": "gp3"}}]
    recipe = account.recipe(
        components=[{"componentArn": account.component()}], blockDeviceMappings=devices, amiTags={"from": "recipe"}
    )
    pipeline = account.pipeline(
        recipe, account.infrastructure(), distributionConfigurationArn=account.distribution(*_targets(key))
    )

    image = account.run(pipeline, tags={"why": "test"})

    assert image["state"] == {"status": "AVAILABLE"}
    assert image["arn"] == "arn:aws:imagebuilder:us-east-1:123456789012:image/web/1.0.0/1"
    assert image["tags"] == {"why": "test"}
    home, copy = image["outputResources"]["amis"]
    assert [(ami["region"], ami["accountId"], ami["description"]) for ami in (home, copy)] == [
        ("us-east-1", "123456789012", "web of us-east-1"),
        ("eu-west-1", "123456789012", "web of eu-west-1"),
    ]
    first, second = account.image(home["image"]), account.image(copy["image"], "eu-west-1")
    assert first["Name"] == second["Name"] == home["name"]
    assert (second["SourceImageId"], second["SourceImageRegion"]) == (home["image"], "us-east-1")
    source = account.aws("ssm").get_parameter(Name="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64")
    assert first["SourceImageId"] == source["Parameter"]["Value"]
    for described in (first, second):
        tags = {tag["Key"]: tag["Value"] for tag in described["Tags"]}
        assert tags == {
            "CreatedBy": "EC2 Image Builder",
            "Ec2ImageBuilderArn": image["arn"],
            "team": "web",
            "from": "recipe",
        }
        assert described["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
        assert described["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 12
    snapshot_id = second["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    snapshot = account.aws("ec2", "eu-west-1").describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]
    assert (snapshot["Encrypted"], snapshot["KmsKeyId"]) == (True, key)
    assert {"Key": "CreatedBy", "Value": "EC2 Image Builder"} in snapshot["Tags"]
    for region, ami in (("us-east-1", home), ("eu-west-1", copy)):
        parameter = account.aws("ssm", region).get_parameter(Name="/imagebuilder/web/latest")["Parameter"]
        assert (parameter["Value"], parameter["DataType"]) == (ami["image"], "aws:ec2:image")
    assert account.instances() == []
