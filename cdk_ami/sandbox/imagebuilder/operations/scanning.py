"""Findings of scans, and how many there are."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from cdk_ami.sandbox.imagebuilder.errors import invalid_value
from cdk_ami.sandbox.imagebuilder.findings import severity_counts
from cdk_ami.sandbox.imagebuilder.models import ImageBuilderBackend
from cdk_ami.sandbox.imagebuilder.operations.common import Operation, filtered, member, paged


def list_image_scan_findings(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """List what scans of test instances have found."""
    return paged(request, "findings", filtered(request, backend.findings, _FILTERS))


def _vulnerability(finding: dict[str, Any]) -> str:
    return str(finding["packageVulnerabilityDetails"]["vulnerabilityId"])


_FILTERS: Final = {
    **{name: member(name) for name in ("imageBuildVersionArn", "imagePipelineArn", "severity")},
    "vulnerabilityId": _vulnerability,
}

_AGGREGATIONS: Final = {
    "imageBuildVersionArn": "imageAggregation",
    "imagePipelineArn": "imagePipelineAggregation",
    "vulnerabilityId": "vulnerabilityIdAggregation",
}


def list_image_scan_finding_aggregations(backend: ImageBuilderBackend, request: dict[str, Any]) -> dict[str, Any]:
    """Count what scans have found: for the account, or for what the filter names."""
    asked = request.get("filter") or {}
    if not asked:
        counts = severity_counts(finding["severity"] for finding in backend.findings)
        entry = {"accountAggregation": {"accountId": backend.account_id, "severityCounts": counts}}
        return {**paged(request, "responses", [entry]), "aggregationType": "accountId"}
    name = asked.get("name")
    if name not in _AGGREGATIONS:
        raise invalid_value("filter.name", f"The filters are {', '.join(sorted(_AGGREGATIONS))}.")
    groups: dict[str, list[str]] = defaultdict(list)
    for finding in backend.findings:
        groups[str(_FILTERS[name](finding))].append(finding["severity"])
    wanted = asked.get("values") or list(groups)
    entries = [
        {_AGGREGATIONS[name]: {name: value, "severityCounts": severity_counts(severities)}}
        for value, severities in groups.items()
        if value in wanted
    ]
    return {**paged(request, "responses", entries), "aggregationType": name}


OPERATIONS: Final[dict[str, Operation]] = {
    "ListImageScanFindings": list_image_scan_findings,
    "ListImageScanFindingAggregations": list_image_scan_finding_aggregations,
}
