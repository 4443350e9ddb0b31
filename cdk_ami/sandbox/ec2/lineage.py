"""What an AMI was made of, and the marks that go with it."""

from __future__ import annotations

from typing import Any, Final

from moto.ec2.exceptions import EC2ClientError

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.ec2.call import PAGE, Answer, Call, Operation
from cdk_ami.sandbox.ec2.image import Image, Watermark
from cdk_ami.sandbox.ec2.naming import AMI_NAME
from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.ec2.visibility import find_image


def get_image_ancestry(call: Call) -> Answer:
    """Answer GetImageAncestry: the AMI, what it was made of, and so on to the vendor's."""
    entries: list[dict[str, Any]] = []
    current: Image | None = call.any_image()
    while current is not None and len(entries) < PAGE:
        origin = current.origin
        entries.append(
            {
                "CreationDate": current.created,
                "ImageId": current.id,
                "ImageOwnerAlias": current.owner_alias,
                "SourceImageId": origin.image_id,
                "SourceImageRegion": origin.region,
            }
        )
        current = _parent(current, call.account)
    return {"ImageAncestryEntries": entries}


def _parent(image: Image, account: str) -> Image | None:
    if not image.origin.image_id or not image.origin.region:
        return None
    try:
        return find_image(image.origin.region, account, image.origin.image_id)
    except EC2ClientError:  # gone, or not ours to see: there the ancestry ends
        return None


def attach_image_watermark(call: Call) -> Answer:
    """Answer AttachImageWatermark: a mark of the owner's, put on an AMI that is not public."""
    image, name = call.own_image(), call.need("WatermarkName")
    if not AMI_NAME.fullmatch(name):
        raise refusal("InvalidParameterValue", f"Invalid value '{name}' for watermarkName")
    if image.sharing.public:
        raise refusal("OperationNotPermitted", f"The image {image.id} is public: watermarks can't be added to it")
    key = f"{call.account}:{name}"
    image.watermarks.setdefault(
        key,
        Watermark(
            key=key,
            image_id=image.id,
            region=image.region,
            image_created=image.created,
            attached=CLOCK.now().replace(tzinfo=None),
        ),
    )
    return {"WatermarkKey": key}


def detach_image_watermark(call: Call) -> Answer:
    """Answer DetachImageWatermark, which is content when there was none; what was made of the AMI keeps its own."""
    call.own_image().watermarks.pop(call.need("WatermarkKey"), None)
    return {"Return": True}


OPERATIONS: Final[dict[str, Operation]] = {
    "AttachImageWatermark": attach_image_watermark,
    "DetachImageWatermark": detach_image_watermark,
    "GetImageAncestry": get_image_ancestry,
}
