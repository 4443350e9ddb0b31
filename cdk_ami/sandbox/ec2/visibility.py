"""Who may see and launch which AMI."""

from __future__ import annotations

from typing import Any

from moto.ec2.models import ec2_backends

from cdk_ami.sandbox.ec2 import allowed
from cdk_ami.sandbox.ec2.image import Image, all_images, vendor_images
from cdk_ami.sandbox.ec2.refusal import refusal


def can_see(image: Image, account: str) -> bool:
    """Tell whether ``account`` may see and launch ``image``: its own, a public one, or one shared with it."""
    sharing = image.sharing
    if image.owner_id == account:
        return True
    if image.disabled:
        return False
    if sharing.public or account in sharing.accounts:
        return True
    groups = {*sharing.organizations, *sharing.units}
    return bool(groups) and not groups.isdisjoint(memberships(account))


def visible_images(region: str, account: str) -> list[Image]:
    """Return the images of ``region`` that ``account`` may see, the vendors' first."""
    settings = allowed.settings(ec2_backends[account][region])
    return [
        image
        for image in all_images(region, ec2_backends)
        if can_see(image, account) and not settings.hides(image, account)
    ]


def find_image(region: str, account: str, image_id: str) -> Image:
    """Return the image with this id.

    Raises:
        EC2ClientError: InvalidAMIID.Malformed or InvalidAMIID.NotFound, as EC2 has it for what does not exist, what
            the account may not see, and what it does not allow itself alike.
    """
    if not image_id.startswith("ami-"):
        raise refusal("InvalidAMIID.Malformed", f'Invalid id: "{image_id}" (expecting "ami-...")')
    image = known_image(region, account, image_id)
    if image is None or allowed.settings(ec2_backends[account][region]).hides(image, account):
        raise refusal("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
    return image


def known_image(region: str, account: str, image_id: str) -> Image | None:
    """Return the image with this id if the account may see it, whether it allows itself to use it or not."""
    return vendor_images(region).get(image_id) or _own_or_shared(region, account, image_id)


def own_image(region: str, account: str, image_id: str) -> Image:
    """Return the image with this id, for a change that only its owner may make.

    Raises:
        EC2ClientError: AuthFailure when it belongs to another account.
    """
    image = find_image(region, account, image_id)
    if image.owner_id != account:
        raise refusal("AuthFailure", f"Not authorized for image:{image_id}")
    return image


def _own_or_shared(region: str, account: str, image_id: str) -> Image | None:
    for image in all_images(region, ec2_backends):
        if image.id == image_id and can_see(image, account):
            return image
    return None


def memberships(account: str) -> frozenset[str]:
    """Return the ARNs of the organization and of the organizational units that ``account`` is in."""
    from moto.organizations.models import organizations_backends  # noqa: PLC0415 - only for images shared so

    master, partition = organizations_backends.master_accounts.get(account, (account, "aws"))
    backend: Any = organizations_backends[master][partition]
    if backend.org is None:
        return frozenset()
    arns = {backend.org.arn}
    parents = {unit.id: unit for unit in backend.ou}
    member = next((candidate for candidate in backend.accounts if candidate.id == account), None)
    parent = parents.get(member.parent_id) if member else None
    while parent is not None:
        arns.add(parent.arn)
        parent = parents.get(getattr(parent, "parent_id", None))
    return frozenset(arns)
