"""Rules over what a build starts from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from cdk_ami.checks.names import IB
from cdk_ami.checks.rule import Problem, rule
from cdk_ami.limits import ACCOUNT_ID
from cdk_ami.source.catalog import choices, find
from cdk_ami.source.platform import Architecture, Platform

_EC2: Final = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/"
# https://docs.aws.amazon.com/marketplace/latest/userguide/ami-single-ami-products.html: products listed before the
# catalogue's API carry a UUID.
_PRODUCT_ID: Final = r"prod-[a-z0-9]{13}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_OWNER_ALIASES: Final = ("amazon", "aws-backup-vault", "aws-marketplace", "self")
# {API}API_CreateImageRecipe.html and the ARN pattern of API_GetImage.html
_IMAGE_ARN: Final = (
    r"arn:aws[^:]*:imagebuilder:[^:]+:(?:[0-9]{12}|aws(?:-[a-z-]+)?|third-party):image/[a-z0-9-_]+"
    r"/(?:x|[0-9]+)\.(?:x|[0-9]+)\.(?:x|[0-9]+)(?:/[0-9]+)?"
)
_IMAGE_NAME: Final = r"[a-z0-9][a-z0-9-]{0,126}[a-z0-9]"
_PARAMETER_ARN: Final = r"arn:aws[^:]*:ssm:[^:]+:[0-9]{0,12}:parameter/.+"


@rule(
    "SourceRelease",
    source="https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html",
)
def source_release(family: str, version: str, variant: str, architecture: str) -> Iterator[Problem]:
    """A vendor publishes an AMI for the release, the variant and the processor."""
    if find(family, version, variant=variant, architecture=Architecture(architecture)) is None:
        yield Problem(
            problem=f"is not published by the vendor as {family}",
            got=" ".join(part for part in (version, variant, architecture) if part),
            fix=f"use one of {', '.join(choices(family))}, or name another image with from_ssm_parameter",
        )


@rule("Architecture", source=f"{_EC2}API_Image.html")
def architecture_known(architecture: str) -> Iterator[Problem]:
    """A processor is x86_64 or arm64."""
    if architecture not in tuple(Architecture):
        yield Problem(
            problem="is no architecture of an AMI",
            got=architecture,
            fix=f"use one of {', '.join(Architecture)}",
        )


@rule("Platform", source=f"{IB}API_CreateComponent.html")
def platform_known(platform: str) -> Iterator[Problem]:
    """An operating system is Linux or Windows."""
    if platform not in tuple(Platform):
        yield Problem(problem="is no platform of Image Builder", got=platform, fix=f"use one of {', '.join(Platform)}")


@rule("WindowsArchitecture", source="https://docs.aws.amazon.com/ec2/latest/windows-ami-reference/windows-amis.html")
def windows_architecture(platform: str, architecture: str) -> Iterator[Problem]:
    """Windows Server has no AMI for arm64."""
    if platform == Platform.WINDOWS and architecture == Architecture.ARM64:
        yield Problem(problem="does not exist for Windows Server", got=architecture, fix="use Architecture.X86_64")


@rule("MarketplaceProductId", source=f"{IB}API_CreateImageRecipe.html")
def product_id(value: str) -> Iterator[Problem]:
    """A Marketplace product id is prod- and 13 letters and digits, or a UUID for older products."""
    if not isinstance(value, str) or not re.fullmatch(_PRODUCT_ID, value):
        yield Problem(
            problem="is no product id of the Marketplace",
            got=value,
            fix="write prod- and 13 letters and digits, as in the address of the product's page after subscribing",
        )


@rule("LookupOwners", source=f"{_EC2}API_DescribeImages.html")
def lookup_owners(owners: Sequence[str]) -> Iterator[Problem]:
    """A look-up by name says whose AMIs it trusts: anybody can publish an AMI under any name."""
    if isinstance(owners, str) or not owners:
        yield Problem(
            problem="does not say whose AMIs are trusted",
            got=owners,
            fix="list account ids, or amazon, aws-marketplace or self: anybody can publish under any name",
        )
        return
    for index, owner in enumerate(owners):
        if not isinstance(owner, str) or not (re.fullmatch(ACCOUNT_ID, owner) or owner in _OWNER_ALIASES):
            yield Problem(
                problem="is no owner of AMIs",
                got=owner,
                fix=f"use twelve digits or one of {', '.join(_OWNER_ALIASES)}",
                at=f"[{index}]",
            )


@rule("LookupName", source=f"{_EC2}API_DescribeImages.html")
def lookup_name(name: str) -> Iterator[Problem]:
    """A look-up names what it looks for."""
    if not isinstance(name, str) or not name.strip("*? "):
        yield Problem(
            problem="matches every AMI of the owners", got=name, fix="give the constant part of the AMI's name"
        )


@rule("ImageBuilderImage", source=f"{IB}API_GetImage.html")
def image_builder_image(name_or_arn: str) -> Iterator[Problem]:
    """An image of Image Builder is named by its ARN, or by the normalized name of one that AWS manages."""
    if name_or_arn.startswith("arn:"):
        if not re.fullmatch(_IMAGE_ARN, name_or_arn):
            yield Problem(
                problem="is no ARN of an image of Image Builder",
                got=name_or_arn,
                fix="write arn:aws:imagebuilder:REGION:ACCOUNT:image/NAME/x.x.x",
            )
    elif not re.fullmatch(_IMAGE_NAME, name_or_arn):
        yield Problem(
            problem="is no name of an image that AWS manages",
            got=name_or_arn,
            fix="write it in lower case with hyphens, such as amazon-linux-2023-x86, or give the ARN of your own image",
        )


def is_parameter_arn(name: str) -> bool:
    """Tell whether ``name`` is the ARN of a parameter, which another account may have shared."""
    return re.fullmatch(_PARAMETER_ARN, name) is not None
