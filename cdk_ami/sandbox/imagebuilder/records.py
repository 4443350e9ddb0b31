"""The one form in which every resource of the service is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.imagebuilder import arns

if TYPE_CHECKING:
    from cdk_ami.sandbox.imagebuilder.documents import Document
    from cdk_ami.sandbox.imagebuilder.workflow_documents import WorkflowDocument


@dataclass(slots=True, kw_only=True)
class Record:
    """One resource.

    Attributes:
        arn: Its ARN, concrete.
        body: Its members as the service's model names them; answers take from it what their shapes hold.
        tags: Its tags.
        document: The parsed document of a component.
        workflow: The parsed document of a workflow.
    """

    arn: str
    body: dict[str, Any]
    tags: dict[str, str] = field(default_factory=dict)
    document: Document | None = None
    workflow: WorkflowDocument | None = None

    @property
    def parsed(self) -> arns.Arn:
        """The parts of the ARN."""
        found = arns.parse(self.arn)
        assert found is not None, self.arn  # noqa: S101 - records are made with ARNs of our own
        return found

    def shown(self) -> dict[str, Any]:
        """Return what the API shows of it."""
        return {"arn": self.arn, **self.body, "tags": dict(self.tags)}


def timestamp() -> str:
    """Return the present as the service writes it, such as ``2026-11-22T21:18:00.123Z``."""
    return CLOCK.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")


def present(values: dict[str, Any]) -> dict[str, Any]:
    """Return the members that have a value."""
    return {key: value for key, value in values.items() if value is not None}
