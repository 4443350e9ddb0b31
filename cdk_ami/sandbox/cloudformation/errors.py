"""What the engine answers instead of a result."""

from __future__ import annotations


class CloudFormationError(Exception):
    """An error that a caller of the API sees.

    Attributes:
        code: Error code on the wire, or the name of an exception shape of the service's model.
        message: The text, in AWS's words where a tool reads it.
    """

    code = "ValidationError"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class AlreadyExistsError(CloudFormationError):
    """A stack or change set of that name is there already."""

    code = "AlreadyExistsException"


class ChangeSetNotFoundError(CloudFormationError):
    """No change set of that name or id."""

    code = "ChangeSetNotFoundException"


class InvalidChangeSetStatusError(CloudFormationError):
    """The change set cannot be executed or deleted in its state."""

    code = "InvalidChangeSetStatusException"


class InsufficientCapabilitiesError(CloudFormationError):
    """The template makes IAM resources and the caller did not acknowledge it."""

    code = "InsufficientCapabilitiesException"


class TokenAlreadyExistsError(CloudFormationError):
    """The request was made before."""

    code = "TokenAlreadyExistsException"


class ResourceError(Exception):
    """One resource could not be made, changed or removed; its stack rolls back."""
