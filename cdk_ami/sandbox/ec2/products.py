"""AMIs that are products of the Marketplace: launched by accounts that have subscribed to them only.

``POST /_sandbox/ec2/products`` with ``{"image": AMI, "code": PRODUCT_CODE, "subscribers": [ACCOUNT]}``, and a
``region`` where it is not the usual one, makes an AMI such a product.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html, read 2026-11-28
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.ec2.models import ec2_backends

from cdk_ami.sandbox.ec2.image import Image, all_images
from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.serial import LOCK


def check_subscribed(image: Image, account: str) -> None:
    """Refuse an account that has not subscribed to the product that ``image`` is.

    Raises:
        EC2ClientError: OptInRequired.
    """
    if image.product_code and account not in {*image.subscribers, image.owner_id}:
        raise refusal(
            "OptInRequired",
            "In order to use this AWS Marketplace product you need to accept terms and subscribe. To do so please "
            f"visit https://aws.amazon.com/marketplace/pp?sku={image.product_code}",
        )


def make_product(method: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Make an AMI a product, or change who has subscribed to it.

    Raises:
        ValueError: When there is no such AMI.
    """
    unknown = sorted(set(asked) - {"image", "code", "subscribers", "region"})
    subscribers = asked.get("subscribers", [])
    if method != "POST" or unknown or not asked.get("code") or not isinstance(subscribers, list):
        raise ValueError(f"a product is made by POST of image, code and subscribers, got {dict(asked)!r}")
    with LOCK:
        for image in all_images(str(asked.get("region") or "us-east-1"), ec2_backends):
            if image.id == asked.get("image"):
                image.product_code, image.subscribers = str(asked["code"]), tuple(map(str, subscribers))
                return {"image": image.id, "code": image.product_code, "subscribers": list(image.subscribers)}
    raise ValueError(f"there is no image {asked.get('image')!r} that an account owns in the Region")
