"""Python stand-ins for the providers that the CDK itself deploys, most of them written for Node.

One is known by what it is asked: the type of the custom resource, or for the two whose type is the user's choice, what
only they have.  Each does with the same arguments what the original does, and answers the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.request import ProxyHandler, Request, build_opener

from botocore.exceptions import BotoCoreError, ClientError

from cdk_ami.sandbox.lambda_.function import Answer, Function
from cdk_ami.sandbox.lambda_.providers import aws, deployment, framework, kept, regions

Provider = Callable[[Function, Mapping[str, Any]], Mapping[str, Any]]
"""Takes the function and its event; returns ``PhysicalResourceId`` and ``Data`` of the answer."""

BY_TYPE: Final[Mapping[str, Provider]] = {
    "Custom::AWS": aws.call,
    "Custom::CDKBucketDeployment": deployment.deploy,
    "Custom::CrossRegionExportReader": regions.read,
    "Custom::CrossRegionExportWriter": regions.write,
    "Custom::ECRAutoDeleteImages": kept.empty_repository,
    "Custom::LogRetention": kept.set_retention,
    "Custom::S3AutoDeleteObjects": kept.empty_bucket,
    "Custom::VpcRestrictDefaultSG": kept.close_default_group,
}
"""The providers by the type of their resource."""

ANSWERED: Final = (*sorted(BY_TYPE), "custom_resources.Provider")
"""What the sandbox answers, in the words of who uses it."""

MARKER: Final = "AWSCDK::CustomResourceProviderFramework::CREATE_FAILED"
"""Physical id of what the CDK's providers failed to create, so that its deletion does nothing."""


class ProviderError(Exception):
    """A provider could not do what it was asked."""


def find(function: Function, event: Any) -> Provider | None:
    """Return what answers ``event`` in the place of ``function``, None when the function is not one of the CDK's."""
    if not isinstance(event, Mapping) or "ResponseURL" not in event:
        return None
    kind = event.get("ResourceType")
    if kind == "Custom::CDKBucketDeployment" and "SourceBucketNames" in event["ResourceProperties"]:
        return deployment.deploy  # a Python function, of which the sandbox lacks the command that it runs
    if not (function.runtime or "").startswith("nodejs"):
        return None
    if framework.is_meant(function):
        return framework.forward
    if aws.is_meant(event):
        return aws.call
    return BY_TYPE.get(str(kind))


def run(provider: Provider, function: Function, event: Mapping[str, Any]) -> Answer:
    """Let a provider answer CloudFormation, and return what the invocation ends in."""
    kind, physical_id = event["RequestType"], event.get("PhysicalResourceId")
    lines: tuple[str, ...] = ()
    if kind == "Delete" and physical_id == MARKER:
        body = {"Status": "SUCCESS", "PhysicalResourceId": MARKER}
    else:
        try:
            made = provider(function, event)
        except (ProviderError, ClientError, BotoCoreError, LookupError, ValueError) as error:
            lines = (f"{type(error).__name__}: {error}",)
            body = {"Status": "FAILED", "Reason": str(error), "PhysicalResourceId": physical_id or MARKER}
        else:
            default = physical_id or event["RequestId"]
            body = {"Status": "SUCCESS", "PhysicalResourceId": default, **made}
    names = ("StackId", "RequestId", "LogicalResourceId")
    answer = json.dumps({"Reason": "OK", **{name: event[name] for name in names}, **body})
    request = Request(event["ResponseURL"], data=answer.encode(), method="PUT")  # noqa: S310 - CloudFormation's own
    with build_opener(ProxyHandler({})).open(request):
        return Answer(payload="null", lines=lines)
