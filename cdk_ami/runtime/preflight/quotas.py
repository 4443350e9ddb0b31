"""Whether the quotas of a Region leave room for what a build does there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from cdk_ami.runtime.preflight.model import Check, Finding, NotSeenError, Status, call

if TYPE_CHECKING:
    from cdk_ami.runtime.preflight.accounts import Accounts
    from cdk_ami.runtime.preflight.needs import QuotaNeed

SNAPSHOT_COPIES: Final = ("ebs", "Concurrent snapshot copies per destination Region")
AMIS: Final = ("ec2", "AMIs")
STANDARD_VCPUS: Final = ("ec2", "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances")
"""Quotas by service and name: the codes of some are written down nowhere.
https://docs.aws.amazon.com/general/latest/gr/ebs-service.html and
https://docs.aws.amazon.com/general/latest/gr/ec2-service.html, read 2026-11-28"""

_STANDARD: Final = frozenset("acdhimrtz")
_RUNNING: Final = ("pending", "running")


def _look(need: QuotaNeed, accounts: Accounts) -> Iterator[Finding]:
    ec2 = accounts.client("ec2", need.account, need.region)
    client = accounts.client("service-quotas", need.account, need.region)
    if need.snapshots:
        limit = _limit(client, *SNAPSHOT_COPIES)
        fits = need.snapshots <= limit
        yield _finding(
            need,
            "snapshot copies",
            Status.OK if fits else Status.WARN,
            f"snapshots that a build copies here at once: {need.snapshots}, of {limit:.0f} allowed",
            "" if fits else "split the distribution in waves, or have AWS Support raise it: copies beyond it fail",
        )
    if need.amis:
        limit = _limit(client, *AMIS)
        pages = ec2.get_paginator("describe_images").paginate(Owners=["self"], IncludeDisabled=True)
        used = sum(len(page["Images"]) for page in pages)
        fits = used + need.amis <= limit
        yield _finding(
            need,
            "AMIs",
            Status.OK if fits else Status.FAIL,
            f"AMIs: {used}, and {need.amis} of a build, of {limit:.0f} allowed",
            "" if fits else "retire old AMIs, or ask for a higher quota",
        )
    standard = [one for one in need.instance_types if one[0] in _STANDARD and not one.startswith("mac")]
    if standard:
        yield _vcpus(need, ec2, client, standard)


def _vcpus(need: QuotaNeed, ec2: Any, client: Any, types: list[str]) -> Finding:
    limit = _limit(client, *STANDARD_VCPUS)
    states = [{"Name": "instance-state-name", "Values": list(_RUNNING)}]
    pages = ec2.get_paginator("describe_instances").paginate(Filters=states)
    running = [
        one["InstanceType"]
        for page in pages
        for reservation in page["Reservations"]
        for one in reservation["Instances"]
        if one["InstanceType"][0] in _STANDARD and one.get("InstanceLifecycle") != "spot"
    ]
    sizes = _sizes(ec2, sorted({*types, *running}))
    used, more = sum(sizes.get(one, 0) for one in running), max(sizes.get(one, 0) for one in types)
    fits = used + more <= limit
    return _finding(
        need,
        "vCPUs",
        Status.OK if fits else Status.FAIL,
        f"vCPUs: {used}, and {more} of a build, of {limit:.0f} allowed",
        "" if fits else "stop what is not needed, build on a smaller type, or ask for a higher quota",
    )


def _sizes(ec2: Any, types: list[str]) -> dict[str, int]:
    pages = ec2.get_paginator("describe_instance_types").paginate(Filters=[{"Name": "instance-type", "Values": types}])
    return {one["InstanceType"]: one["VCpuInfo"]["DefaultVCpus"] for page in pages for one in page["InstanceTypes"]}


def _limit(client: Any, service: str, name: str) -> float:
    """Return what applies to the account, else what applies to every one.

    https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_ListServiceQuotas.html
    """
    for operation in ("list_service_quotas", "list_aws_default_service_quotas"):
        for page in client.get_paginator(operation).paginate(ServiceCode=service):
            for found in page["Quotas"]:
                if found["QuotaName"] == name:
                    return float(found["Value"])
    raise NotSeenError(f"Service Quotas knows no quota {name!r} of {service}", fix="look it up in the console")


def _finding(need: QuotaNeed, subject: str, status: Status, message: str, fix: str) -> Finding:
    return Finding(
        check="quotas",
        account=need.account,
        region=need.region,
        subject=subject,
        status=status,
        message=message,
        fix=fix,
    )


CHECK: Final = Check(
    name="quotas",
    about="Snapshot copies, AMIs and vCPUs of a build fit into the quotas of each Region.",
    source="https://docs.aws.amazon.com/general/latest/gr/ebs-service.html",
    calls=(
        call("service-quotas:ListServiceQuotas", action="servicequotas:ListServiceQuotas"),
        call("service-quotas:ListAWSDefaultServiceQuotas", action="servicequotas:ListAWSDefaultServiceQuotas"),
        call("ec2:DescribeImages"),
        call("ec2:DescribeInstances", "in the Region of the build"),
        call("ec2:DescribeInstanceTypes", "same"),
    ),
    needs=lambda needs: needs.quotas,
    look=_look,
)
