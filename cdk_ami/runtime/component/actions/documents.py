"""The action that runs another document in the same place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from cdk_ami.checks.documents import as_text
from cdk_ami.errors import ConfigError
from cdk_ami.runtime.component.actions import s3
from cdk_ami.runtime.component.call import ActionError, Call, Outputs, text_of
from cdk_ami.runtime.component.files import Files
from cdk_ami.runtime.component.outcome import Status


def execute_document(call: Call) -> Outputs:
    """Run a document that is a file of the place, an object of S3, or a component by its ARN."""
    inputs: Mapping[str, Any] = call.inputs
    name = text_of(inputs, "document")
    phases = inputs.get("phases") or ""
    wanted = [part.strip() for part in (phases if isinstance(phases, list) else as_text(phases).split(","))]
    try:
        outcome = call.run_document(
            _read(call, name, inputs), [part for part in wanted if part], _parameters(inputs), name
        )
    except ConfigError as error:
        raise ActionError(str(error)) from error
    failure = outcome.failure
    if failure:
        raise ActionError(f"{name}: phase {failure.phase}, step {failure.name}: {failure.message}")
    return [
        {
            "executedStepCount": str(sum(step.attempts > 0 for step in outcome.steps)),
            "executionId": str(uuid4()),
            "failedStepCount": "0",
            "failureMessage": "",
            "ignoredFailedStepCount": str(outcome.count(Status.IGNORED)),
            "logUrl": "",
            "status": "success",
        }
    ]


def _read(call: Call, name: str, inputs: Mapping[str, Any]) -> str:
    if name.startswith("s3://"):
        content = s3.read(call, name, text_of(inputs, "document-s3-bucket-owner"))
    elif name.startswith("arn:"):
        try:
            found = call.aws.client("imagebuilder").get_component(componentBuildVersionArn=name)
        except (ClientError, BotoCoreError) as error:
            raise ActionError(f"{name}: {error}") from error
        data: str = found["component"]["data"]
        return data
    else:
        content = Files(call).read(name)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ActionError(f"{name} is no UTF-8 text") from error


def _parameters(inputs: Mapping[str, Any]) -> dict[str, str]:
    given = inputs.get("parameters") or []
    if isinstance(given, dict):
        return {name: as_text(value) for name, value in given.items()}
    return {text_of(entry, "name"): text_of(entry, "value") for entry in given}
