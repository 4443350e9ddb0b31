"""Scans of an image for vulnerabilities: they find what was planted, and nothing else.

https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_ImageScanningConfiguration.html, read 2026-11-28
"""

from __future__ import annotations

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.imagebuilder import findings
from cdk_ami.sandbox.imagebuilder.engine import notices
from cdk_ami.sandbox.imagebuilder.engine.job import Job
from cdk_ami.sandbox.imagebuilder.engine.session import StepError


def scan_instance(job: Job, instance_id: str) -> None:
    """Scan the test instance and keep what is found, which fails no image.

    Raises:
        StepError: When Amazon Inspector does not scan instances in this account and Region.
    """
    home = job.session.home
    _enter(job, "SCANNING")
    accounts = job.session.call("inspector2", "batch_get_account_status", accountIds=[home.account])["accounts"]
    if not any(account["resourceState"]["ec2"]["status"] == "ENABLED" for account in accounts):
        why = "Amazon Inspector is not activated for EC2 scanning"
        _enter(job, "FAILED", f"{why} in {home}.")
        raise StepError(home, why)
    _enter(job, "COLLECTING")
    found = _found(job)
    now = CLOCK.now()
    with job.backend.lock:
        job.backend.findings += [
            findings.shown(
                finding,
                account=home.account,
                image_arn=job.image.arn,
                pipeline_arn=job.image.body.get("sourcePipelineArn"),
                now=now,
            )
            for finding in found
        ]
    _complete(job, instance_id, found)


def scan_ami(job: Job) -> None:
    """Scan the AMI itself, and hold what is found against the condition, if there is one.

    Raises:
        StepError: When a finding exceeds the condition.
    """
    assert job.scan is not None  # noqa: S101 - the caller asked
    _enter(job, "SCANNING")
    found = _found(job)
    _complete(job, job.image_id, found)
    if not job.scan.highest:
        return
    over = findings.exceeding(found, highest=job.scan.highest, fixable=job.scan.fixable)
    if over:
        worst = max(over, key=lambda finding: findings.SEVERITIES.index(finding.severity))
        raise StepError(
            job.session.home,
            f"the scan of {job.image_id} has {len(over)} findings above {job.scan.highest}, the worst "
            f"{worst.severity}: {worst.vulnerability} in {worst.package}",
        )


def _found(job: Job) -> list[findings.Planted]:
    with job.backend.lock:
        return [finding for finding in job.backend.planted if finding.image in ("", job.image.parsed.name)]


def _complete(job: Job, resource: str, found: list[findings.Planted]) -> None:
    _enter(job, "COMPLETED")
    counts = findings.severity_counts(finding.severity for finding in found)
    job.tell(f"The scan of {resource} has {counts['all']} findings")
    notices.publish_findings(job.session, job.image, resource=resource, counts=counts)


def _enter(job: Job, status: str, reason: str = "") -> None:
    with job.backend.lock:
        job.image.body["scanState"] = {"status": status, **({"reason": reason} if reason else {})}
