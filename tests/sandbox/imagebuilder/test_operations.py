"""Every operation of botocore's model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cdk_ami.sandbox.imagebuilder.operations import OPERATIONS
from cdk_ami.sandbox.service_models import service_model

if TYPE_CHECKING:
    from cdk_ami.sandbox.server import Sandbox

EVERY = list(service_model("imagebuilder").operation_names)
REFUSED = {
    "CreateContainerRecipe",
    "DeleteContainerRecipe",
    "GetContainerRecipe",
    "GetContainerRecipePolicy",
    "GetMarketplaceResource",
    "ImportDiskImage",
    "ImportVmImage",
    "PutComponentPolicy",
    "PutContainerRecipePolicy",
    "PutImagePolicy",
    "PutImageRecipePolicy",
}


@pytest.fixture(scope="module")
def unchecked(sandbox_server: Sandbox) -> Any:
    """A client that sends what it is given."""
    return boto3.client(
        "imagebuilder",
        region_name="us-east-1",
        endpoint_url=sandbox_server.endpoint,
        config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
    )


def _empty(name: str) -> dict[str, Any]:
    """Return the request with nothing in it but what stands in its path or query."""
    shape = service_model("imagebuilder").operation_model(name).input_shape
    members = {} if shape is None else shape.members
    return {member: "none" for member, found in members.items() if found.serialization.get("location")}


def test_the_model_is_split_into_what_the_sandbox_has_and_what_it_refuses() -> None:
    assert set(OPERATIONS) | REFUSED == set(EVERY)
    assert set(OPERATIONS) & REFUSED == set()


@pytest.mark.parametrize("name", EVERY)
def test_no_operation_answers_an_empty_request_with_a_fault(unchecked: Any, name: str) -> None:
    method = botocore.xform_name(name)

    try:
        answer = getattr(unchecked, method)(**_empty(name))
    except ClientError as error:
        answer = error.response

    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    assert status == 200 if name.startswith("List") and "Error" not in answer else status in (400, 404)
    if name in REFUSED:
        assert f"The operation {name} is not part of the cdk-ami sandbox" in answer["Error"]["Message"]
