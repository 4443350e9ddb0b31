"""How each service says that it is asked too often, and with what status it sends an error."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, NamedTuple

from cdk_ami.sandbox.door import wire


class Refusal(NamedTuple):
    """An error as a client sees it."""

    code: str
    message: str
    status: int


THROTTLED: Final = {
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
    "ec2": Refusal("RequestLimitExceeded", "Request limit exceeded.", 503),
    # https://docs.aws.amazon.com/imagebuilder/latest/APIReference/CommonErrors.html and the errors of each operation
    "imagebuilder": Refusal("CallRateLimitExceededException", "Rate exceeded", 429),
    # https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
    "lambda": Refusal("TooManyRequestsException", "Rate Exceeded.", 429),
    # https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    "s3": Refusal("SlowDown", "Please reduce your request rate.", 503),
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
    "sqs": Refusal("RequestThrottled", "Request is throttled.", 403),
}
"""Services that have their own word for it."""

QUERY_THROTTLED: Final = Refusal("Throttling", "Rate exceeded", 400)
"""Services of the query protocol: https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html"""

JSON_THROTTLED: Final = Refusal("ThrottlingException", "Rate exceeded", 400)
"""All others: https://docs.aws.amazon.com/systems-manager/latest/APIReference/CommonErrors.html"""

UNAVAILABLE: Final = {
    "ec2": Refusal("Unavailable", "The server is overloaded and can't handle the request.", 503),
    "s3": Refusal("ServiceUnavailable", "Service is unable to handle request.", 503),
}
"""How a service that is down says so."""

ANY_UNAVAILABLE: Final = Refusal(
    "ServiceUnavailable", "The request has failed due to a temporary failure of the server.", 503
)
"""All others: https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html"""


def throttled(service: str) -> Refusal:
    """Return how a service refuses what comes too often."""
    other = QUERY_THROTTLED if wire.protocol_of(service) in {"query", "ec2"} else JSON_THROTTLED
    return THROTTLED.get(service, other)


def unavailable(service: str) -> Refusal:
    """Return how a service that is down answers."""
    return UNAVAILABLE.get(service, ANY_UNAVAILABLE)


def status_of(service: str, code: str) -> int:
    """Return the HTTP status of an error by the service's model, 400 where it does not say."""
    model = wire.model_of(service)
    for shape in () if model is None else model.error_shapes:
        if code in {shape.name, shape.error_code}:
            return int(shape.metadata.get("error", {}).get("httpStatusCode", HTTPStatus.BAD_REQUEST))
    return HTTPStatus.BAD_REQUEST
