"""Bad inputs to what a build starts from."""

from __future__ import annotations

from typing import Any, Final

import aws_cdk as cdk

from cdk_ami import Architecture, Platform, SourceImage
from tests.contract.refusals.row import Row, image

AMI: Final = "ami-0123456789abcdef0"
BEOS: Final[Any] = "BeOS"
MIPS: Final[Any] = "mips"
LATER: Final[Any] = cdk.Fn.import_value("Elsewhere")

ROWS: Final = (
    Row(
        "a vendor publishes no AMI of the release",
        lambda _: SourceImage.debian(version="sid"),
        "SourceImage.debian",
        "version",
        "sid x86_64",
        "use one of",
        "SourceRelease",
    ),
    Row(
        "a processor is none that EC2 has",
        lambda _: SourceImage.amazon_linux_2023(architecture=MIPS),
        "SourceImage.amazon_linux_2023",
        "architecture",
        "mips",
        "x86_64, arm64",
        "Architecture",
    ),
    Row(
        "Windows Server has no AMI for arm64",
        lambda _: SourceImage.windows_server(architecture=Architecture.ARM64),
        "SourceImage.windows_server",
        "architecture",
        Architecture.ARM64,
        "X86_64",
        "WindowsArchitecture",
    ),
    Row(
        "an operating system is none that Image Builder builds",
        lambda _: SourceImage.from_ami_id(AMI, platform=BEOS),
        "SourceImage.from_ami_id",
        "platform",
        "BeOS",
        "Linux, Windows",
        "Platform",
    ),
    Row(
        "an AMI is named, not given by its id",
        lambda _: SourceImage.from_ami_id("al2023-base"),
        "SourceImage.from_ami_id",
        "ami_id",
        "al2023-base",
        "such as ami-",
        "AmiId",
    ),
    Row(
        "a root device lacks its directory",
        lambda _: SourceImage.from_ami_id(AMI, root_device="sda"),
        "SourceImage.from_ami_id",
        "root_device",
        "sda",
        "/dev/xvdf",
        "DeviceName",
    ),
    Row(
        "a parameter has a blank in its name",
        lambda _: SourceImage.from_ssm_parameter("golden base"),
        "SourceImage.from_ssm_parameter",
        "name",
        "golden base",
        "letters, digits",
        "ParameterName",
    ),
    Row(
        "an image that AWS manages is called by its title",
        lambda _: SourceImage.from_image_builder("Amazon Linux 2023"),
        "SourceImage.from_image_builder",
        "name_or_arn",
        "Amazon Linux 2023",
        "lower case",
        "ImageBuilderImage",
    ),
    Row(
        "a look-up trusts nobody, and so everybody",
        lambda _: SourceImage.lookup(name="base-*", owners=[]),
        "SourceImage.lookup",
        "owners",
        [],
        "anybody can publish",
        "LookupOwners",
    ),
    Row(
        "a look-up matches every AMI",
        lambda _: SourceImage.lookup(name="*", owners=["self"]),
        "SourceImage.lookup",
        "name",
        "*",
        "constant part",
        "LookupName",
    ),
    Row(
        "a Marketplace product is called by its title",
        lambda _: SourceImage.marketplace("my product"),
        "SourceImage.marketplace",
        "product_id",
        "my product",
        "prod-",
        "MarketplaceProductId",
    ),
    Row(
        "a processor is not that of the public parameter",
        lambda _: SourceImage.from_ssm_parameter(
            "/aws/service/debian/release/12/latest/arm64", architecture=Architecture.X86_64
        ),
        "SourceImage.from_ssm_parameter",
        "architecture",
        "x86_64",
        "'arm64'",
    ),
    Row(
        "an operating system is not that of the public parameter",
        lambda _: SourceImage.from_ssm_parameter(
            "/aws/service/debian/release/12/latest/arm64", platform=Platform.WINDOWS
        ),
        "SourceImage.from_ssm_parameter",
        "platform",
        "Windows",
        "'Linux'",
    ),
    Row(
        "a processor is one that only the deployment knows",
        lambda _: SourceImage.from_ami_id(AMI, architecture=LATER),
        "SourceImage.from_ami_id",
        "architecture",
        "a token",
        "write architecture out",
    ),
    Row(
        "a look-up while the template is built is by a name that only the deployment knows",
        lambda _: SourceImage.lookup(name=LATER, owners=["self"]),
        "SourceImage.lookup",
        "name",
        "a token",
        "write name out",
    ),
    Row(
        "an AMI is looked up in an account that nobody names",
        lambda stack: image(
            cdk.Stack(stack, "Anywhere", env=cdk.Environment(region="us-east-1")),
            source=SourceImage.lookup(name="base-*", owners=["self"], root_device="/dev/xvda"),
        ),
        "S/Anywhere/Web",
        "source",
        "base-*",
        "account=",
    ),
    Row(
        "the service may not read the source's parameter",
        lambda stack: image(stack, source=SourceImage.from_ssm_parameter("/own/ami", root_device="/dev/xvda")),
        "S/Web",
        "source",
        "/own/ami",
        "execution_role",
        "SourceParameter",
    ),
)
