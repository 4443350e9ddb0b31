"""What the life of an AMI leaves behind outlives the process that it happened in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.amis import make_ami
from tests.support.happenings import Happenings


def test_bin_marks_protection_and_settings_are_saved_and_taken_up(aws: Any, it: Happenings, tmp_path: Path) -> None:
    ec2, file = aws("ec2"), str(tmp_path / "state")
    period = {"RetentionPeriodValue": 7, "RetentionPeriodUnit": "DAYS"}
    aws("rbin").create_rule(ResourceType="EC2_IMAGE", RetentionPeriod=period)
    binned, kept = make_ami(ec2, version="1.0.0/1"), make_ami(ec2, version="1.0.0/2")
    ec2.deregister_image(ImageId=binned.image_id)
    ec2.attach_image_watermark(ImageId=kept.image_id, WatermarkName="approved")
    ec2.enable_image_deregistration_protection(ImageId=kept.image_id, WithCooldown=True)
    ec2.replace_image_criteria_in_allowed_images_settings(ImageCriteria=[{"ImageProviders": ["amazon"]}])
    (before,) = ec2.describe_images(Owners=["self"])["Images"]
    it.settle()

    it.ask("state", {"save": file})
    ec2.create_tags(Resources=[kept.image_id], Tags=[{"Key": "late", "Value": "yes"}])
    it.ask("state", {"load": file})

    assert ec2.describe_images(Owners=["self"])["Images"] == [before]
    assert ec2.get_allowed_images_settings()["ImageCriteria"] == [{"ImageProviders": ["amazon"]}]
    with pytest.raises(ClientError, match="protected from deregistration"):
        ec2.deregister_image(ImageId=kept.image_id)
    ec2.restore_image_from_recycle_bin(ImageId=binned.image_id)
    assert len(ec2.describe_images(Owners=["self"])["Images"]) == 2
