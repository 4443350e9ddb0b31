"""Reports of which other accounts use an AMI, and how often.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/your-ec2-ami-usage.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from moto.ec2.models import ec2_backends
from moto.moto_api._internal import mock_random

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.ec2 import references
from cdk_ami.sandbox.ec2.call import Answer, Call, Operation
from cdk_ami.sandbox.ec2.image import MILLISECONDS
from cdk_ami.sandbox.ec2.naming import tags_by_type
from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.pace import PACE

KEPT: Final = timedelta(days=30)
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ImageUsageReport.html."""

VERSION_DEPTH: Final = 20
"""https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ImageUsageResourceTypeOptionRequest.html."""

KINDS: Final = (references.INSTANCE, references.TEMPLATE, references.RECIPE, references.CONTAINER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report and what it found."""

    id: str
    image_id: str
    kinds: list[dict[str, Any]]
    accounts: list[str]
    created: datetime
    ready: datetime
    entries: list[dict[str, Any]]

    @property
    def state(self) -> str:
        """State in EC2's words, by the clock."""
        return "available" if self.ready <= CLOCK.now() else "pending"


def create_image_usage_report(call: Call) -> Answer:
    """Answer CreateImageUsageReport."""
    image, kinds = call.own_image(), [dict(kind) for kind in call.need("ResourceTypes")]
    tags = tags_by_type(call.get("TagSpecifications", []), allowed=("image-usage-report",))
    scopes = {}
    for kind in kinds:
        if kind.get("ResourceType") not in KINDS:
            raise refusal("InvalidParameterValue", f"Invalid value '{kind.get('ResourceType')}' for resourceType")
        scopes[kind["ResourceType"]] = references.scope_of(kind, depth=VERSION_DEPTH, states=False)
    wanted, now = call.get("AccountIds", []), CLOCK.now()
    report_id = f"amiur-{mock_random.get_random_hex(17)}"
    entries = []
    for account in sorted(dict.keys(ec2_backends)):
        if account == call.account or (wanted and account not in wanted):
            continue
        if not dict.__contains__(ec2_backends[account], call.region):
            continue
        for kind, scope in scopes.items():
            count = sum(1 for _ in references.find(ec2_backends[account][call.region], kind, [image.id], scope))
            if count:
                entries.append(
                    {
                        "AccountId": account,
                        "ImageId": image.id,
                        "ReportCreationTime": now,
                        "ReportId": report_id,
                        "ResourceType": kind,
                        "UsageCount": count,
                    }
                )
    _reports(call.backend)[report_id] = Report(
        id=report_id,
        image_id=image.id,
        kinds=kinds,
        accounts=list(wanted),
        created=now,
        ready=now + timedelta(seconds=PACE.image),
        entries=entries,
    )
    call.backend.tags[report_id] = dict(tags.get("image-usage-report", {}))
    return {"ReportId": report_id}


def _reports(backend: Any) -> dict[str, Report]:
    """Return the reports that have not expired."""
    # The backend's own dictionary, so that a reset forgets them too.
    held: dict[str, Report] = backend.__dict__.setdefault("sandbox_usage_reports", {})
    for expired in [each.id for each in held.values() if each.created + KEPT <= CLOCK.now()]:
        del held[expired]
    return held


def _selected(call: Call) -> list[Report]:
    held, wanted = _reports(call.backend), call.get("ReportIds", [])
    for report_id in wanted:
        _find(call, report_id)
    images = call.get("ImageIds", [])
    return [
        report
        for report in held.values()
        if (not wanted or report.id in wanted) and (not images or report.image_id in images)
    ]


def _find(call: Call, report_id: str) -> Report:
    found = _reports(call.backend).get(report_id)
    if found is None:
        raise refusal("InvalidImageUsageReportId.NotFound", f"The image usage report '{report_id}' does not exist")
    return found


def describe_image_usage_reports(call: Call) -> Answer:
    """Answer DescribeImageUsageReports."""

    def tags(report: Report) -> dict[str, str]:
        return dict(call.backend.tags.get(report.id, {}))

    known: Mapping[str, Callable[[Report], Any]] = {
        "creation-time": lambda report: report.created.strftime(MILLISECONDS),
        "state": lambda report: report.state,
        "tag-key": lambda report: list(tags(report)),
        "tag:": tags,
    }
    found = call.select(_selected(call), known)
    records = [
        {
            "AccountIds": report.accounts,
            "CreationTime": report.created,
            "ExpirationTime": report.created + KEPT,
            "ImageId": report.image_id,
            "ReportId": report.id,
            "ResourceTypes": report.kinds,
            "State": report.state,
            "Tags": [{"Key": key, "Value": value} for key, value in tags(report).items()],
        }
        for report in found
    ]
    return call.page("ImageUsageReports", records)


def describe_image_usage_report_entries(call: Call) -> Answer:
    """Answer DescribeImageUsageReportEntries, of the reports that are ready."""
    known: Mapping[str, Callable[[dict[str, Any]], Any]] = {
        "account-id": lambda entry: entry["AccountId"],
        "creation-time": lambda entry: entry["ReportCreationTime"].strftime(MILLISECONDS),
        "resource-type": lambda entry: entry["ResourceType"],
    }
    entries = [entry for report in _selected(call) if report.state == "available" for entry in report.entries]
    return call.page("ImageUsageReportEntries", call.select(entries, known))


def delete_image_usage_report(call: Call) -> Answer:
    """Answer DeleteImageUsageReport."""
    report = _find(call, call.need("ReportId"))
    del _reports(call.backend)[report.id]
    call.backend.tags.pop(report.id, None)
    return {"Return": True}


OPERATIONS: Final[dict[str, Operation]] = {
    "CreateImageUsageReport": create_image_usage_report,
    "DeleteImageUsageReport": delete_image_usage_report,
    "DescribeImageUsageReportEntries": describe_image_usage_report_entries,
    "DescribeImageUsageReports": describe_image_usage_reports,
}
