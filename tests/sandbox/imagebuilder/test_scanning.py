"""Scans of images, and findings one can plant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError

import pytest

from cdk_ami.sandbox.imagebuilder.findings import Planted, exceeding, severity_counts

if TYPE_CHECKING:
    from tests.sandbox.imagebuilder.conftest import Account


@pytest.mark.parametrize(
    ("finding", "highest", "fixable", "fails"),
    [
        (Planted(severity="CRITICAL"), "HIGH", True, True),
        (Planted(severity="HIGH"), "HIGH", True, False),
        (Planted(severity="HIGH"), "MEDIUM", True, True),
        (Planted(severity="HIGH", fix="NO"), "MEDIUM", True, False),
        (Planted(severity="HIGH", fix="NO"), "MEDIUM", False, True),
        (Planted(severity="LOW", fix="PARTIAL"), "INFORMATIONAL", True, True),
        (Planted(severity="UNTRIAGED"), "INFORMATIONAL", False, False),
    ],
)
def test_a_finding_fails_an_image_when_it_counts_and_is_too_severe(
    finding: Planted, highest: str, *, fixable: bool, fails: bool
) -> None:
    assert bool(exceeding([finding], highest=highest, fixable=fixable)) is fails


def test_counts_name_three_severities_and_all() -> None:
    assert severity_counts(["HIGH", "LOW", "HIGH"]) == {"all": 3, "critical": 0, "high": 2, "medium": 0}


def scanned(account: Account, **scanning: Any) -> str:
    return account.pipeline(
        account.recipe(),
        account.infrastructure(),
        imageScanningConfiguration={"imageScanningEnabled": True, **scanning},
    )


def plant(account: Account, *findings: dict[str, str], **more: Any) -> None:
    account.ask("imagebuilder/findings", findings=list(findings), **more)


def test_the_test_instance_is_scanned_where_inspector_is_activated(account: Account) -> None:
    account.aws("inspector2").enable(accountIds=["123456789012"], resourceTypes=["EC2"])
    taken = account.events("CVE Detected")
    plant(account, {"severity": "HIGH", "vulnerability": "CVE-2026-1"}, {"severity": "LOW", "fix": "NO"}, image="Web")
    plant(account, {"severity": "CRITICAL"}, image="other")
    pipeline = scanned(account)

    image = account.run(pipeline)

    assert image["state"] == {"status": "AVAILABLE"}
    assert image["scanState"] == {"status": "COMPLETED"}
    assert account.steps(image["arn"])["CollectImageScanFindings"] == "COMPLETED"
    [event] = taken()
    assert event["resources"] == [image["arn"], pipeline]
    assert event["detail"]["resource-id"].startswith("i-")
    assert event["detail"]["finding-severity-counts"] == {"all": 2, "critical": 0, "high": 1, "medium": 0}
    findings = account.builder.list_image_scan_findings()["findings"]
    assert [(one["severity"], one["fixAvailable"]) for one in findings] == [("HIGH", "YES"), ("LOW", "NO")]
    assert (findings[0]["imageBuildVersionArn"], findings[0]["imagePipelineArn"]) == (image["arn"], pipeline)
    by_id = account.builder.list_image_scan_findings(filters=[{"name": "vulnerabilityId", "values": ["CVE-2026-1"]}])
    assert [one["packageVulnerabilityDetails"]["vulnerabilityId"] for one in by_id["findings"]] == ["CVE-2026-1"]
    whole = account.builder.list_image_scan_finding_aggregations()
    assert whole["aggregationType"] == "accountId"
    counts = {"all": 2, "critical": 0, "high": 1, "medium": 0}
    assert whole["responses"] == [{"accountAggregation": {"accountId": "123456789012", "severityCounts": counts}}]
    one = account.builder.list_image_scan_finding_aggregations(
        filter={"name": "imagePipelineArn", "values": [pipeline]}
    )
    assert one["responses"] == [{"imagePipelineAggregation": {"imagePipelineArn": pipeline, "severityCounts": counts}}]


def test_without_inspector_the_scan_of_the_test_instance_fails_the_image(account: Account) -> None:
    image = account.run(scanned(account, imageScanningTypes=["TEST_INSTANCE_CVE"]))

    assert image["state"]["status"] == "FAILED"
    assert "Amazon Inspector is not activated for EC2 scanning" in image["state"]["reason"]
    assert image["scanState"]["status"] == "FAILED"


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"scanResultCondition": {"maximumSeverityLabel": "MEDIUM"}}, "FAILED"),
        ({"scanResultCondition": {"maximumSeverityLabel": "HIGH"}}, "AVAILABLE"),
        ({}, "AVAILABLE"),
    ],
)
def test_a_scan_of_the_ami_holds_findings_against_its_condition_before_it_is_distributed(
    account: Account, condition: dict[str, Any], status: str
) -> None:
    plant(account, {"severity": "HIGH", "vulnerability": "CVE-2026-1", "package": "curl"})

    image = account.run(scanned(account, imageScanningTypes=["ON_DEMAND_AMI_CVE"], **condition))

    runs = account.builder.list_workflow_executions(imageBuildVersionArn=image["arn"])["workflowExecutions"]
    assert image["state"]["status"] == status
    assert image["scanState"] == {"status": "COMPLETED"}
    assert ("DISTRIBUTION" in [run["type"] for run in runs]) is (status == "AVAILABLE")
    if status == "FAILED":
        assert "1 findings above MEDIUM, the worst HIGH: CVE-2026-1 in curl" in image["state"]["reason"]
    assert account.builder.list_image_scan_findings()["findings"] == []


def test_findings_are_taken_back_and_wrong_ones_refused(account: Account) -> None:
    plant(account, {"severity": "HIGH"}, image="web")
    taken_back = account.ask("imagebuilder/findings", findings=[], image="web")

    assert taken_back == {"planted": 0}
    for wrong, told in (
        ({"findings": [{"severity": "BAD"}]}, "severity of a finding is one of"),
        ({"findings": [{"score": "9"}]}, "a finding has severity"),
        ({"findings": {}}, "findings is a list of objects"),
        ({"finding": []}, "the request takes image, findings"),
        ({"findings": [], "region": "mars-1"}, "there is no Region"),
    ):
        with pytest.raises(HTTPError) as refused:
            account.ask("imagebuilder/findings", **wrong)
        assert told in json.load(refused.value)["error"]
