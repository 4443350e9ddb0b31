"""Golden images in the local AWS, made without a build: what the command and its steps look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.support.sandbox import wait_until

ACCOUNT = "123456789012"


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeAmi:
    """An AMI as a build would leave it."""

    image_id: str
    snapshot_id: str
    image_arn: str


def make_ami(ec2: Any, *, image: str = "web", version: str = "1.0.0/1", encrypted: bool = True) -> MadeAmi:
    """Register an AMI with a snapshot, an encrypted one unless told otherwise, and the tags of Image Builder."""
    arn = f"arn:aws:imagebuilder:us-east-1:{ACCOUNT}:image/{image}/{version}"
    volume = ec2.create_volume(AvailabilityZone=f"{ec2.meta.region_name}a", Size=8, Encrypted=encrypted)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    image_id = ec2.register_image(
        Name=f"{image} {version.replace('/', '-')}",
        Architecture="x86_64",
        VirtualizationType="hvm",
        RootDeviceName="/dev/xvda",
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}],
    )["ImageId"]
    ec2.create_tags(
        Resources=[image_id],
        Tags=[{"Key": "CreatedBy", "Value": "EC2 Image Builder"}, {"Key": "Ec2ImageBuilderArn", "Value": arn}],
    )
    return MadeAmi(image_id=image_id, snapshot_id=snapshot, image_arn=arn)


def point(ssm: Any, name: str, image_id: str) -> None:
    """Write a channel, and return when the value stands."""
    ssm.put_parameter(Name=name, Value=image_id, Type="String", DataType="aws:ec2:image", Overwrite=True)
    wait_until(lambda: [one["Value"] for one in ssm.get_parameters(Names=[name])["Parameters"]] == [image_id])


def make_pipeline(imagebuilder: Any, iam: Any, *, image: str = "web") -> str:
    """Make a pipeline that builds the image, and return its ARN."""
    iam.create_instance_profile(InstanceProfileName=image)
    infrastructure = imagebuilder.create_infrastructure_configuration(name=image, instanceProfileName=image)
    recipe = imagebuilder.create_image_recipe(
        name=image,
        semanticVersion="1.0.0",
        parentImage=f"arn:aws:imagebuilder:{imagebuilder.meta.region_name}:aws:image/amazon-linux-2023-x86/x.x.x",
        components=[
            {
                "componentArn": (
                    f"arn:aws:imagebuilder:{imagebuilder.meta.region_name}:aws:component/simple-boot-test-linux/x.x.x"
                )
            }
        ],
    )
    arn: str = imagebuilder.create_image_pipeline(
        name=image,
        imageRecipeArn=recipe["imageRecipeArn"],
        infrastructureConfigurationArn=infrastructure["infrastructureConfigurationArn"],
    )["imagePipelineArn"]
    return arn
