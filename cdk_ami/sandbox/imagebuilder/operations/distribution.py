"""DistributeImage: brings an AMI that exists already where a distribution configuration says.

https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_DistributeImage.html, read 2026-11-28
"""

from __future__ import annotations

from threading import Event
from typing import Any, Final

from cdk_ami.sandbox.imagebuilder import arns, lookups
from cdk_ami.sandbox.imagebuilder.engine import amis, build
from cdk_ami.sandbox.imagebuilder.engine.plan import Place
from cdk_ami.sandbox.imagebuilder.engine.session import Session, StepError
from cdk_ami.sandbox.imagebuilder.errors import ImageBuilderError
from cdk_ami.sandbox.imagebuilder.models import ImageBuilderBackend
from cdk_ami.sandbox.imagebuilder.operations.common import Operation, refuse
from cdk_ami.sandbox.imagebuilder.operations.images import distribution_only, new_image
from cdk_ami.sandbox.imagebuilder.validation import execution_faults

_VERSION: Final = "1.0.0"
"""Version of the image that stands for an AMI which no recipe made: the sandbox's own choice, as is its name."""


def distribute_image(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Make an image of an AMI that exists, and start its distribution."""
    configuration = backend.get(request["distributionConfigurationArn"])
    refuse(execution_faults(request))
    lookups.check_role(backend, request["executionRole"])
    source = request["sourceImage"]
    ami = _find(backend, source)
    name, version = _name(backend, source, ami["ImageId"])
    body = {
        "platform": "Windows" if ami.get("Platform") == "windows" else "Linux",
        "distributionConfiguration": configuration.shown(),
        "buildType": "USER_INITIATED",
        "executionRole": request["executionRole"],
        "loggingConfiguration": request.get("loggingConfiguration"),
    }
    image = new_image(backend, name, version, body, tags=dict(request.get("tags") or {}))
    build.start(backend, image, components=(), stages=distribution_only(backend), source=ami["ImageId"])
    return {"imageBuildVersionArn": image.arn}


def _find(backend: ImageBuilderBackend, source: str) -> dict[str, Any]:
    if source.startswith("arn:") and backend.resolve(source) is None:
        raise ImageBuilderError("ResourceNotFoundException", f"The image '{source}' cannot be found.")
    session = Session(home=Place(region=backend.region_name, account=backend.account_id), stopped=Event())
    try:
        return amis.find_source(session, backend, source)
    except StepError as error:
        raise ImageBuilderError(
            "InvalidRequestException", f"The source image '{source}' is no AMI that can be distributed: {error}."
        ) from error


def _name(backend: ImageBuilderBackend, source: str, image_id: str) -> tuple[str, str]:
    """Return name and version of the new image: those of the source where it is an image of this account."""
    found = backend.resolve(source)
    if found is None or found.parsed.account == arns.MANAGED:
        return image_id, _VERSION
    return str(found.body["name"]), found.parsed.version


OPERATIONS: Final[dict[str, Operation]] = {"DistributeImage": distribute_image}
