"""Source images: what a recipe gets from each, what each knows, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from cdk_ami.errors import ConfigError
from cdk_ami.source.image import SourceImage
from cdk_ami.source.platform import Architecture, Platform
from tests.support.synth import make_stack

ARM64, X86_64 = Architecture.ARM64, Architecture.X86_64
AMI = "ami-0123456789abcdef0"
PRODUCT = "prod-abcdefghijklm"
TOKEN = "${Token[TOKEN.42]}"
LATEST = "/aws/service/ami-amazon-linux-latest"
CANONICAL = "/aws/service/canonical/ubuntu"


@dataclass(frozen=True)
class Channel:
    parameter_name: str


@pytest.mark.parametrize(
    ("image", "parent_image"),
    [
        (SourceImage.amazon_linux_2023(), f"ssm:{LATEST}/al2023-ami-kernel-default-x86_64"),
        (
            SourceImage.amazon_linux_2023(architecture=ARM64, minimal=True),
            f"ssm:{LATEST}/al2023-ami-minimal-kernel-default-arm64",
        ),
        (SourceImage.amazon_linux_2(), f"ssm:{LATEST}/amzn2-ami-kernel-5.10-hvm-x86_64-gp2"),
        (SourceImage.ubuntu(), f"ssm:{CANONICAL}/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"),
        (
            SourceImage.ubuntu(version="22.04", architecture=ARM64),
            f"ssm:{CANONICAL}/server/22.04/stable/current/arm64/hvm/ebs-gp2/ami-id",
        ),
        (
            SourceImage.ubuntu(version="26.04", minimal=True),
            f"ssm:{CANONICAL}/server-minimal/26.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
        ),
        (SourceImage.debian(version="13", architecture=ARM64), "ssm:/aws/service/debian/release/13/latest/arm64"),
        (
            SourceImage.windows_server(version="2025", core=True),
            "ssm:/aws/service/ami-windows-latest/Windows_Server-2025-English-Core-Base",
        ),
        (SourceImage.from_ssm_parameter("/golden/base"), "ssm:/golden/base"),
        (SourceImage.from_ami_id(AMI), AMI),
        (SourceImage.from_channel(Channel("/imagebuilder/base/latest")), "ssm:/imagebuilder/base/latest"),
        (SourceImage.marketplace(PRODUCT), PRODUCT),
        (SourceImage.marketplace(PRODUCT, version="1.2"), f"ssm:/aws/service/marketplace/{PRODUCT}/1.2"),
        (
            SourceImage.from_image_builder("arn:aws:imagebuilder:us-east-1:123456789012:image/base/1.x.x"),
            "arn:aws:imagebuilder:us-east-1:123456789012:image/base/1.x.x",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_recipe_gets_the_parent_image_in_the_form_it_knows(image: SourceImage, parent_image: str) -> None:
    bound = image.bind(make_stack())

    assert bound.parent_image == parent_image
    assert bound.parameter_name == (parent_image.removeprefix("ssm:") if parent_image.startswith("ssm:") else None)


@pytest.mark.parametrize(
    ("image", "platform", "architecture", "owner", "root_device", "os_version"),
    [
        (
            SourceImage.amazon_linux_2023(architecture=ARM64),
            Platform.LINUX,
            ARM64,
            "137112412989",
            "/dev/xvda",
            "Amazon Linux 2023",
        ),
        (SourceImage.ubuntu(), Platform.LINUX, X86_64, "099720109477", "/dev/sda1", "Ubuntu 24"),
        (SourceImage.debian(), Platform.LINUX, X86_64, "136693071363", "/dev/xvda", "Debian 12"),
        (
            SourceImage.windows_server(),
            Platform.WINDOWS,
            X86_64,
            "801119661308",
            "/dev/sda1",
            "Microsoft Windows Server 2022",
        ),
        (
            SourceImage.from_ssm_parameter("/aws/service/debian/release/12/latest/arm64"),
            Platform.LINUX,
            ARM64,
            "136693071363",
            "/dev/xvda",
            "Debian 12",
        ),
        (
            SourceImage.from_image_builder("windows-server-2022-english-full-base-x86"),
            Platform.WINDOWS,
            X86_64,
            "801119661308",
            "/dev/sda1",
            "Microsoft Windows Server 2022",
        ),
        (
            SourceImage.from_ami_id(AMI, platform=Platform.WINDOWS, owner="123456789012"),
            Platform.WINDOWS,
            X86_64,
            "123456789012",
            "/dev/sda1",
            "",
        ),
        (
            SourceImage.marketplace(PRODUCT, architecture=ARM64, root_device="/dev/sda1"),
            Platform.LINUX,
            ARM64,
            "aws-marketplace",
            "/dev/sda1",
            "",
        ),
    ],
    ids=lambda value: value.title if isinstance(value, SourceImage) else "",
)
def test_a_source_image_knows_what_it_is(  # noqa: PLR0917 - one row of the table
    image: SourceImage,
    platform: Platform,
    architecture: Architecture,
    owner: str,
    root_device: str,
    os_version: str,
) -> None:
    known = (image.platform, image.architecture, image.owner, image.root_device, image.os_version)

    assert known == (platform, architecture, owner, root_device, os_version)


REFUSED: list[tuple[str, Callable[[], SourceImage], str, str, Any, str]] = [
    (
        "SourceRelease",
        lambda: SourceImage.ubuntu(version="23.10"),
        "SourceImage.ubuntu",
        "version",
        "23.10 x86_64",
        "24.04",
    ),
    (
        "SourceRelease",
        lambda: SourceImage.debian(version="sid", architecture=ARM64),
        "SourceImage.debian",
        "version",
        "sid arm64",
        "12 arm64",
    ),
    (
        "Architecture",
        lambda: SourceImage.amazon_linux_2023(architecture="mips"),  # type: ignore[arg-type]
        "SourceImage.amazon_linux_2023",
        "architecture",
        "mips",
        "x86_64, arm64",
    ),
    (
        "WindowsArchitecture",
        lambda: SourceImage.windows_server(architecture=ARM64),
        "SourceImage.windows_server",
        "architecture",
        ARM64,
        "X86_64",
    ),
    (
        "WindowsArchitecture",
        lambda: SourceImage.from_ami_id(AMI, platform=Platform.WINDOWS, architecture=ARM64),
        "SourceImage.from_ami_id",
        "architecture",
        ARM64,
        "X86_64",
    ),
    (
        "Platform",
        lambda: SourceImage.from_ami_id(AMI, platform="BeOS"),  # type: ignore[arg-type]
        "SourceImage.from_ami_id",
        "platform",
        "BeOS",
        "Linux, Windows",
    ),
    (
        "AmiId",
        lambda: SourceImage.from_ami_id("ami-XYZ"),
        "SourceImage.from_ami_id",
        "ami_id",
        "ami-XYZ",
        "such as ami-",
    ),
    (
        "DeviceName",
        lambda: SourceImage.from_ami_id(AMI, root_device="sda"),
        "SourceImage.from_ami_id",
        "root_device",
        "sda",
        "/dev/xvdf",
    ),
    (
        "ParameterName",
        lambda: SourceImage.from_ssm_parameter("golden base"),
        "SourceImage.from_ssm_parameter",
        "name",
        "golden base",
        "letters, digits",
    ),
    (
        "",
        lambda: SourceImage.from_ssm_parameter("/aws/service/debian/release/12/latest/arm64", architecture=X86_64),
        "SourceImage.from_ssm_parameter",
        "architecture",
        "x86_64",
        "'arm64'",
    ),
    (
        "ParameterName",
        lambda: SourceImage.from_channel(Channel("no slash/latest")),
        "SourceImage.from_channel",
        "channel",
        "no slash/latest",
        "letters, digits",
    ),
    (
        "ImageBuilderImage",
        lambda: SourceImage.from_image_builder("Amazon Linux 2023"),
        "SourceImage.from_image_builder",
        "name_or_arn",
        "Amazon Linux 2023",
        "lower case",
    ),
    (
        "ImageBuilderImage",
        lambda: SourceImage.from_image_builder("arn:aws:imagebuilder:us-east-1:aws:component/update-linux/x.x.x"),
        "SourceImage.from_image_builder",
        "name_or_arn",
        "arn:aws:imagebuilder:us-east-1:aws:component/update-linux/x.x.x",
        "image/NAME",
    ),
    (
        "ComponentVersion",
        lambda: SourceImage.from_image_builder("amazon-linux-2023-x86", version="newest"),
        "SourceImage.from_image_builder",
        "version",
        "newest",
        "1.x.x",
    ),
    (
        "LookupOwners",
        lambda: SourceImage.lookup(name="base-*", owners=[]),
        "SourceImage.lookup",
        "owners",
        [],
        "anybody can publish",
    ),
    (
        "LookupOwners",
        lambda: SourceImage.lookup(name="base-*", owners=["self", "bob"]),
        "SourceImage.lookup",
        "owners[1]",
        "bob",
        "twelve digits",
    ),
    (
        "LookupName",
        lambda: SourceImage.lookup(name="*", owners=["self"]),
        "SourceImage.lookup",
        "name",
        "*",
        "constant part",
    ),
    (
        "MarketplaceProductId",
        lambda: SourceImage.marketplace("my product"),
        "SourceImage.marketplace",
        "product_id",
        "my product",
        "prod-",
    ),
]


@pytest.mark.parametrize(("rule", "make", "where", "prop", "got", "fix"), REFUSED)
def test_a_bad_source_is_refused_naming_call_property_value_and_fix(  # noqa: PLR0917 - one row of the table
    rule: str, make: Callable[[], SourceImage], where: str, prop: str, got: Any, fix: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        make()

    assert (caught.value.where, caught.value.prop, caught.value.got) == (where, prop, got)
    assert fix in caught.value.fix
    assert caught.value.faults[0].rule == (f"cdk-ami::{rule}" if rule else "")


def test_all_faults_of_a_source_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        SourceImage.from_ami_id("ami-x", root_device="sda", architecture="mips")  # type: ignore[arg-type]

    assert [fault.prop for fault in caught.value.faults] == ["ami_id", "architecture", "root_device"]


@pytest.mark.parametrize(
    "image",
    [
        SourceImage.from_ami_id(TOKEN),
        SourceImage.from_ssm_parameter(TOKEN),
        SourceImage.from_image_builder(TOKEN),
        SourceImage.from_channel(Channel(TOKEN)),
        SourceImage.marketplace(TOKEN),
    ],
)
def test_tokens_go_through(image: SourceImage) -> None:
    assert TOKEN in image.bind(make_stack()).parent_image


def test_a_managed_image_is_named_in_the_region_and_partition_of_the_stack() -> None:
    stack = make_stack(region="eu-west-1")

    bound = SourceImage.from_image_builder("amazon-linux-2023-x86").bind(stack)

    assert stack.resolve(bound.parent_image) == {
        "Fn::Join": [
            "",
            [
                "arn:",
                {"Ref": "AWS::Partition"},
                ":imagebuilder:",
                {"Ref": "AWS::Region"},
                ":aws:image/amazon-linux-2023-x86/x.x.x",
            ],
        ]
    }


def test_a_look_up_asks_for_available_amis_of_trusted_owners_only() -> None:
    stack = make_stack()

    bound = SourceImage.lookup(name="base-*", owners=["self"], architecture=ARM64).bind(stack)

    asked = _missing(stack)
    assert bound.parent_image == "ami-1234"
    assert asked["provider"] == "ami"
    assert {key: asked["props"][key] for key in ("account", "region", "owners", "filters")} == {
        "account": "123456789012",
        "region": "us-east-1",
        "owners": ["self"],
        "filters": {
            "name": ["base-*"],
            "architecture": ["arm64"],
            "state": ["available"],
            "image-type": ["machine"],
        },
    }


def test_a_look_up_without_a_known_account_and_region_is_refused() -> None:
    stack = make_stack(region=None, account=None)

    with pytest.raises(ConfigError) as caught:
        SourceImage.lookup(name="base-*", owners=["self"]).bind(stack)

    assert (caught.value.where, caught.value.prop, caught.value.got) == ("S", "source", "base-*")
    assert [fault.fix.partition("(")[2].partition("=")[0] for fault in caught.value.faults] == ["account", "region"]


@pytest.mark.parametrize(
    ("image", "warning", "says"),
    [
        (SourceImage.amazon_linux_2(), "SourceNearEndOfSupport", "Amazon Linux 2 ended on 2026-06-30"),
        (SourceImage.ubuntu(version="22.04"), "SourceNearEndOfSupport", "ends on 2027-04-30"),
        (SourceImage.from_ami_id(AMI), "AssumedRootDevice", "/dev/xvda"),
    ],
)
def test_what_is_legal_but_risky_warns_with_a_stable_id(image: SourceImage, warning: str, says: str) -> None:
    stack = make_stack()

    image.bind(stack)

    (told,) = _warnings(stack)
    assert says in told
    assert f"[ack: cdk-ami::{warning}]" in told


@pytest.mark.parametrize(
    "image", [SourceImage.amazon_linux_2023(), SourceImage.from_ami_id(AMI, root_device="/dev/sda1")]
)
def test_a_source_without_a_risk_warns_of_nothing(image: SourceImage) -> None:
    stack = make_stack()

    image.bind(stack)

    assert _warnings(stack) == []


def test_equal_sources_are_equal_values() -> None:
    assert SourceImage.ubuntu() == SourceImage.ubuntu()
    assert SourceImage.ubuntu() != SourceImage.debian()


def _missing(stack: cdk.Stack) -> dict[str, Any]:
    stage = cdk.Stage.of(stack)
    assert stage is not None
    manifest = json.loads((Path(stage.synth(force=True).directory) / "manifest.json").read_text())
    (asked,) = manifest["missing"]
    return dict(asked)


def _warnings(stack: cdk.Stack) -> list[str]:
    return [str(entry.data) for entry in stack.node.metadata if entry.type == "aws:cdk:warning"]
