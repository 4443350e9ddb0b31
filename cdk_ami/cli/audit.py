"""`cdk-ami audit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from cdk_ami.cli.options import json_option, region_option, regions_or_default
from cdk_ami.cli.output import plain_errors, print_json, print_table, report_failures

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cdk_ami.runtime.audit import Effect, Finding

TO_CHANGE: Final = 1
NOT_CHECKED: Final = 3


@click.command()
@region_option
@json_option
def audit(regions: tuple[str, ...], as_json: bool) -> None:  # noqa: FBT001 - a flag of the command line
    """Show what the account settles for all of a Region, and what AccountGuard would change of it.

    Who may see its AMIs and snapshots, which AMIs of others it trusts, whether volumes are encrypted, how new instances
    answer metadata requests: what is set, who manages it, which argument of AccountGuard changes it, and what the
    change would do to what is there.  Nothing is changed.

    Reads only: ec2:GetImageBlockPublicAccessState, ec2:GetSnapshotBlockPublicAccessState, ec2:GetAllowedImagesSettings,
    ec2:GetEbsEncryptionByDefault, ec2:GetEbsDefaultKmsKeyId, ec2:GetInstanceMetadataDefaults, ec2:DescribeImages,
    ec2:DescribeSnapshots, ec2:DescribeVolumes, ec2:DescribeInstances, ec2:DescribeInstanceImageMetadata.

    \b
    Examples:
      cdk-ami audit
      cdk-ami audit --region us-east-1 --region eu-west-1 --json

    \b
    Exit codes: 0 nothing is left to change, 1 something is or a Region failed, 2 wrong usage, 3 nothing that was looked
    at is left to change, and something could not be looked at.
    """
    from cdk_ami.runtime.audit import audit as look  # noqa: PLC0415 - boto3 costs 0.2 s
    from cdk_ami.runtime.regions import ask, clients_of  # noqa: PLC0415 - same

    with plain_errors():
        answers = ask(clients_of(regions_or_default(regions)), look)
    findings = [finding for found in answers.found.values() for finding in found]
    if as_json:
        print_json({"findings": findings, "failed": dict(answers.failed)})
    elif findings:
        _print(findings)
    report_failures(answers.failed)
    statuses = {finding.status for finding in findings}
    if "change" in statuses:
        raise click.exceptions.Exit(TO_CHANGE)
    if "not checked" in statuses:
        raise click.exceptions.Exit(NOT_CHECKED)


def _print(findings: Sequence[Finding]) -> None:
    print_table(
        "Account settings",
        ["Region", "Setting", "", "Set", "Managed by", "AccountGuard", "Source"],
        [
            [
                one.region,
                one.setting,
                one.severity or one.status,
                _values(one.values) if one.status != "not checked" else one.reason,
                one.managed_by,
                one.change,
                one.source,
            ]
            for one in findings
        ],
    )
    effects = [[one.region, one.setting, effect.says, _ids(effect)] for one in findings for effect in one.effects]
    if effects:
        print_table("What a change would do, and what is worth knowing", ["Region", "Setting", "Effect", "On"], effects)


def _values(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in values.items()) or "nothing"


def _ids(effect: Effect) -> str:
    from cdk_ami.runtime.audit import SHOWN  # noqa: PLC0415 - see above

    more = len(effect.ids) - SHOWN
    return ", ".join(effect.ids[:SHOWN]) + (f" and {more} more" if more > 0 else "")
