"""DescribeImages: what an account may see, and what it asks for of that."""

from __future__ import annotations

from typing import Any, Final

from cdk_ami.sandbox.ec2 import allowed
from cdk_ami.sandbox.ec2.call import Answer, Call, Operation
from cdk_ami.sandbox.ec2.image import FILTERS, Image
from cdk_ami.sandbox.ec2.visibility import find_image, memberships, visible_images


def describe_images(call: Call) -> Answer:
    """Answer DescribeImages.

    Images asked for by id are shown whatever their age; others only while they are neither deprecated nor disabled,
    unless asked for.  The owner sees deprecated ones always.
    """
    image_ids = call.get("ImageIds", [])
    if image_ids:
        images = [find_image(call.region, call.account, image_id) for image_id in image_ids]
    else:
        deprecated, disabled = call.get("IncludeDeprecated"), call.get("IncludeDisabled")
        images = [
            image
            for image in visible_images(call.region, call.account)
            if (deprecated or not image.deprecated or image.owner_id == call.account)
            and (disabled or not image.disabled)
        ]
    if owners := call.get("Owners"):
        wanted = {call.account if owner == "self" else owner for owner in owners}
        images = [image for image in images if image.owner_id in wanted or image.owner_alias in wanted]
    if users := call.get("ExecutableUsers"):
        images = [image for image in images if any(_executable(image, user, call.account) for user in users)]
    settings = allowed.settings(call.backend)
    known = {**FILTERS, "image-allowed": lambda image: settings.allows(image, call.account)}
    images = call.select(images, known)
    page = call.page("Images", images)
    page["Images"] = [_record(image, call, settings) for image in page["Images"]]
    return page


def _record(image: Image, call: Call, settings: allowed.Settings) -> dict[str, Any]:
    record = image.describe(call.account)
    if settings.state != "disabled":
        record["ImageAllowed"] = settings.allows(image, call.account)
    return record


def _executable(image: Image, user: str, account: str) -> bool:
    """Tell whether an AMI is shared: with everybody for ``all``, by its permissions with ``self`` or an account."""
    sharing = image.sharing
    if user == "all":
        return sharing.public
    if user in {"self", account}:
        groups = {*sharing.organizations, *sharing.units}
        return account in sharing.accounts or not groups.isdisjoint(memberships(account) if groups else ())
    return user in sharing.accounts


OPERATIONS: Final[dict[str, Operation]] = {"DescribeImages": describe_images}
