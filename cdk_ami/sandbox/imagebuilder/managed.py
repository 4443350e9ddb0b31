"""What Amazon manages in every Region: components, images and workflows, as far as the sandbox knows them.

https://docs.aws.amazon.com/imagebuilder/latest/userguide/use-managed-components.html, read 2026-11-22.  Documents and
versions are the sandbox's own: only names, platforms, types and the order of things are AWS's.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from cdk_ami.sandbox.imagebuilder import arns, documents, managed_workflows
from cdk_ami.sandbox.imagebuilder.records import Record
from cdk_ami.source.catalog import MANAGED_IMAGES, PublicImage

_CREATED: Final = "2026-11-02T00:00:00.000Z"
_IMAGE_VERSION: Final = "2026.11.2"

_BOTH_BUILD: Final = (
    "update",
    "amazon-cloudwatch-agent",
    "aws-cli-version-2",
    "amazon-corretto-17",
    "hello-world",
    "powershell-lts",
    "python-3",
    "reboot",
    "stig-build",
)
_BOTH_TEST: Final = ("simple-boot-test", "reboot-test", "ebs-volume-usage-test", "inspector-test")
_WINDOWS_TEST: Final = ("windows-activation-test",)
_LINUX_BUILD: Final = (
    "stig-build-linux-low",
    "stig-build-linux-medium",
    "stig-build-linux-high",
    "chrony-time-configuration-test",
    "docker-ce-linux",
    "php-8-2-linux",
    "aws-codedeploy-agent-linux",
)
_WINDOWS_BUILD: Final = (
    "stig-build-windows-low",
    "stig-build-windows-medium",
    "stig-build-windows-high",
    "powershell-windows",
    "dotnet-runtime-lts-windows",
    "aws-codedeploy-agent-windows",
)


PARAMETERS: Final = {name: image.parameter for name, image in MANAGED_IMAGES.items()}
"""Public parameter with the AMI behind each managed image, by the image's name."""


def workflow_arn(region: str, kind_and_name: str) -> str:
    """Return the ARN of the build version of a managed workflow such as ``workflow/build/build-image``."""
    return f"arn:aws:imagebuilder:{region}:{arns.MANAGED}:{kind_and_name}/1.0.2/1"


@cache
def records(region: str) -> dict[str, Record]:
    """Return everything that Amazon manages in a Region, by ARN.  Callers only read it."""
    found = [*_components(region), *_images(region), *_workflows(region)]
    return {record.arn: record for record in found}


def _components(region: str) -> list[Record]:
    names = [
        *((f"{name}-{os}", platform, "build") for name in _BOTH_BUILD for os, platform in _SYSTEMS),
        *((f"{name}-{os}", platform, "test") for name in _BOTH_TEST for os, platform in _SYSTEMS),
        *((name, "Linux", "build") for name in _LINUX_BUILD),
        *((name, "Windows", "build") for name in _WINDOWS_BUILD),
        *((name, "Windows", "test") for name in _WINDOWS_TEST),
    ]
    return [_component(region, name, platform, phase) for name, platform, phase in names]


_SYSTEMS: Final = (("linux", "Linux"), ("windows", "Windows"))


def _component(region: str, name: str, platform: str, phase: str) -> Record:
    action = "ExecutePowerShell" if platform == "Windows" else "ExecuteBash"
    data = (
        f"name: {name}\nschemaVersion: 1.0\nphases:\n  - name: {phase}\n    steps:\n"
        f"      - name: Apply\n        action: {action}\n        inputs:\n          commands: ['exit 0']\n"
    )
    document = documents.read_component(data, platform=platform)
    arn = arns.arn(region=region, account=arns.MANAGED, kind="component", name=name, version="1.0.2", build=1)
    body: dict[str, Any] = {
        "name": name,
        "version": "1.0.2",
        "type": document.component_type,
        "platform": platform,
        "owner": "Amazon",
        "data": data,
        "encrypted": True,
        "dateCreated": _CREATED,
        "state": {"status": "ACTIVE"},
        "status": "ACTIVE",
    }
    return Record(arn=arn, body=body, document=document)


def _images(region: str) -> list[Record]:
    return [_image(region, name, image) for name, image in MANAGED_IMAGES.items()]


def _image(region: str, name: str, image: PublicImage) -> Record:
    arn = arns.arn(region=region, account=arns.MANAGED, kind="image", name=name, version=_IMAGE_VERSION, build=1)
    body: dict[str, Any] = {
        "name": name,
        "version": f"{_IMAGE_VERSION}/1",
        "type": "AMI",
        "platform": image.platform.value,
        "osVersion": image.os_version,
        "owner": "Amazon",
        "state": {"status": "AVAILABLE"},
        "buildType": "USER_INITIATED",
        "imageSource": "AMAZON_MANAGED",
        "dateCreated": _CREATED,
    }
    return Record(arn=arn, body=body)


def _workflows(region: str) -> list[Record]:
    found = []
    for kind_and_name, data in managed_workflows.TEXTS.items():
        kind, _, name = kind_and_name.rpartition("/")
        body: dict[str, Any] = {
            "name": name,
            "version": "1.0.2",
            "type": kind.removeprefix("workflow/").upper(),
            "owner": "Amazon",
            "data": data,
            "dateCreated": _CREATED,
        }
        arn = workflow_arn(region, kind_and_name)
        found.append(Record(arn=arn, body=body, workflow=managed_workflows.document(kind_and_name)))
    return found
