"""The errors of the service, by the names and HTTP states of its model."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class ImageBuilderError(ServiceException):  # type: ignore[misc]
    """An answer other than success; ``code`` is the name of an error shape, which brings the HTTP state."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)


def invalid_value(parameter: str, why: str) -> ImageBuilderError:
    """Return the error for one wrong value, worded as the service words it."""
    return ImageBuilderError(
        "InvalidParameterValueException", f"The value supplied for parameter '{parameter}' is not valid. {why}"
    )


def invalid_combination(why: str) -> ImageBuilderError:
    """Return the error for values that do not go together."""
    return ImageBuilderError("InvalidParameterCombinationException", why)


def not_found(arn: str) -> ImageBuilderError:
    """Return the error for a resource that does not exist."""
    return ImageBuilderError("ResourceNotFoundException", f"The resource with ARN '{arn}' cannot be found.")


def already_exists(kind: str, arn: str) -> ImageBuilderError:
    """Return the error for a resource that exists, where ``kind`` is a word such as ``ImageRecipe``."""
    return ImageBuilderError(
        "ResourceAlreadyExistsException", f"The following resource '{kind}' already exists: '{arn}'."
    )


def has_dependents(arn: str, dependents: list[str]) -> ImageBuilderError:
    """Return the error for the deletion of something that others refer to."""
    return ImageBuilderError(
        "ResourceDependencyException",
        f"Resource dependency error: The resource ARN '{arn}' has other resources depended on it: "
        f"{', '.join(dependents)}.",
    )


def dry_run_passed() -> ImageBuilderError:
    """Return the answer that means success of a dry run."""
    return ImageBuilderError(
        "DryRunOperationException",
        "The dry run operation of the resource was successful, and no resources or mutations were actually performed "
        "due to the dry run flag in the request.",
    )


def not_in_sandbox(what: str) -> ImageBuilderError:
    """Return the refusal of what the real service can do and this one cannot, of a kind that clients do not retry."""
    return ImageBuilderError("InvalidRequestException", f"{what} is not part of the cdk-ami sandbox.")
