"""botocore's models are read once, also for the emulator."""

from __future__ import annotations

from moto.core.utils import get_service_model

from cdk_ami.sandbox import emulator
from cdk_ami.sandbox.service_models import service_model, session

emulator.install()


def test_the_emulator_shares_what_it_does_not_change() -> None:
    ours, theirs = (model._service_description["shapes"] for model in (service_model("ec2"), get_service_model("ec2")))

    assert theirs["DescribeImagesResult"] is ours["DescribeImagesResult"]


def test_what_the_emulator_adds_reaches_the_emulator_alone() -> None:
    assert "AuthFailure" in get_service_model("ec2").shape_names
    assert "AuthFailure" not in service_model("ec2").shape_names
    s3 = get_service_model("s3").operation_model("CopyObject")
    assert s3._operation_model["output"] == {"shape": "CopyObjectOutput", "resultWrapper": "CopyObjectResult"}
    assert "resultWrapper" not in service_model("s3").operation_model("CopyObject")._operation_model["output"]


def test_all_engines_ask_one_session() -> None:
    first, second = (session().get_component("data_loader").load_service_model("rbin", "service-2") for _ in range(2))

    assert first is second
