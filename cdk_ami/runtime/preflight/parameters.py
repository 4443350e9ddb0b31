"""Whether builds can write the parameters of their channels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from cdk_ami.checks.regions import PARTITION_OF
from cdk_ami.runtime.preflight.model import Check, Finding, Status, call
from cdk_ami.runtime.preflight.simulation import denied

if TYPE_CHECKING:
    from cdk_ami.runtime.preflight.accounts import Accounts
    from cdk_ami.runtime.preflight.needs import ParameterNeed

SERVICE_PATH: Final = "/imagebuilder/"
"""Where the service-linked role may write parameters.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/image-builder-service-linked-role.html, read 2026-11-28"""


def _look(need: ParameterNeed, accounts: Accounts) -> Iterator[Finding]:
    ssm = accounts.client("ssm", need.account, need.region)
    chosen = [{"Key": "Name", "Option": "Equals", "Values": [need.name]}]
    pages = ssm.get_paginator("describe_parameters").paginate(ParameterFilters=chosen)
    found = [one for page in pages for one in page["Parameters"]]
    problem = _problem_of_kind(need, found[0]) if found else None
    if problem is None and need.account == need.builder:
        problem = _problem_of_role(need, accounts)
    if problem is not None:
        yield _finding(need, Status.FAIL, *problem)
        return
    message = "is written anew" if found else "will be created"
    if need.role_made:
        yield _finding(
            need,
            Status.WARN,
            f"{message} by an execution role that this deployment makes, whose policies nobody could ask",
            f"see that it may call ssm:PutParameter on {need.name}",
        )
        return
    yield _finding(need, Status.OK, message)


def _problem_of_kind(need: ParameterNeed, found: dict[str, Any]) -> tuple[str, str] | None:
    kind, data_type = found["Type"], found.get("DataType", "text")
    if kind != "String":
        return f"exists and is a {kind}, not a String", "delete it, or call the image or the channel otherwise"
    if data_type != need.data_type:
        return (
            f"exists with the data type {data_type}, not {need.data_type}, so that nothing checks its value",
            "delete it where nobody else reads it, or call the image or the channel otherwise",
        )
    return None


def _problem_of_role(need: ParameterNeed, accounts: Accounts) -> tuple[str, str] | None:
    if need.role is None:
        if need.role_made or need.name.startswith(SERVICE_PATH):
            return None
        return (
            f"lies outside of {SERVICE_PATH}, where the service-linked role may write",
            f"call it {SERVICE_PATH}..., or give the image an execution_role that may write it",
        )
    partition = PARTITION_OF.get(need.region, "aws")
    arn = f"arn:{partition}:ssm:{need.region}:{need.account}:parameter{need.name}"
    if denied(accounts.client("iam", need.builder, ""), need.role, ["ssm:PutParameter"], [arn]):
        return f"may not be written by the execution role {need.role}", f"allow it ssm:PutParameter on {arn}"
    return None


def _finding(need: ParameterNeed, status: Status, message: str, fix: str = "") -> Finding:
    return Finding(
        check="parameters",
        account=need.account,
        region=need.region,
        subject=need.name,
        status=status,
        message=message,
        fix=fix,
    )


CHECK: Final = Check(
    name="parameters",
    about="Each parameter that a build writes is free or holds AMI ids, and the role of the build may write it.",
    source="https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_SsmParameterConfiguration.html",
    calls=(
        call("ssm:DescribeParameters"),
        call("iam:SimulatePrincipalPolicy", "where the image has an execution role"),
    ),
    needs=lambda needs: needs.parameters,
    look=_look,
)
