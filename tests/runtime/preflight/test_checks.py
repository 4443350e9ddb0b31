"""Each check passes and fails on a local AWS, over HTTP, and says so when it cannot look."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cdk_ami.runtime.preflight import keys, parameters, regions, target_roles
from cdk_ami.runtime.preflight.accounts import Accounts
from cdk_ami.runtime.preflight.model import Finding, Status
from cdk_ami.runtime.preflight.needs import Needs, plan
from cdk_ami.runtime.preflight.run import CHECKS, run
from cdk_ami.runtime.preflight.templates import read
from cdk_ami.sandbox.server import Sandbox
from tests.support.control import ask
from tests.support.preflight import LOOK, THERE, right, wrong
from tests.support.sandbox import ACCOUNT, MakeClient, make_client, reset

READING = ("Assume", "Describe", "Get", "List", "Simulate")


@pytest.fixture(scope="module")
def needs(sandbox_server: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Needs:
    """What an app needs, and accounts in which nothing is missing; what resets the sandbox comes after these tests."""
    reset(sandbox_server)
    made: dict[tuple[str, str, str], Any] = {}

    def aws(service: str, region: str = "us-east-1", *, account: str = ACCOUNT) -> Any:
        key = (service, region, account)
        if key not in made:
            made[key] = make_client(sandbox_server.endpoint, *key)
        return made[key]

    return planned(right(sandbox_server, aws, tmp_path_factory.mktemp("right")))


@pytest.fixture(scope="module")
def accounts(needs: Needs) -> Accounts:  # noqa: ARG001 - the role to take is made with them
    return Accounts({THERE: LOOK})


def planned(folder: Path) -> Needs:
    return plan(read([folder]), account=ACCOUNT, region="us-east-1")


def told(findings: list[Finding], status: Status) -> list[str]:
    return [f"{one.check} {one.region}: {one.subject} {one.message}" for one in findings if one.status is status]


def test_where_nothing_is_missing_every_check_passes_and_changes_nothing(
    needs: Needs, accounts: Accounts, sandbox_server: Sandbox
) -> None:
    ask(sandbox_server, "calls", method="DELETE")

    findings = run(needs, accounts)

    assert told(findings, Status.FAIL) + told(findings, Status.NOT_CHECKED) + told(findings, Status.WARN) == []
    assert {finding.check for finding in findings} == {check.name for check in CHECKS}
    calls = [call for call in ask(sandbox_server, "calls", method="GET")["calls"] if not call["engine"]]
    changing = {call["operation"] for call in calls if not call["operation"].startswith(READING)}
    assert changing == {"RunInstances"}
    assert [call["error"] for call in calls if call["operation"] == "RunInstances"] == ["DryRunOperation"]
    made = {f"{call['service']}:{call['operation']}" for call in calls}
    explained = {call.operation for check in CHECKS for call in check.calls}
    assert made - explained == {"sts:AssumeRole"}


MISSING = "ec2messages, imagebuilder, logs, s3, ssm, ssmmessages"
USES = "kms:CreateGrant, kms:Decrypt, kms:DescribeKey, kms:GenerateDataKeyWithoutPlaintext, kms:ReEncryptFrom"
LACKS = (
    "ec2:DescribeImages, ec2:CreateTags, ec2:ModifyImageAttribute, ssm:PutParameter, "
    "ec2:CreateLaunchTemplateVersion, ec2:ModifyLaunchTemplate"
)
SHARED = "arn:aws:ssm:us-east-1:210987654321:parameter/imagebuilder/web/latest"
BY_HAND = "exists with the data type text, not aws:ec2:image, so that nothing checks its value"
UNREADABLE = "cannot be read: it does not exist, or is not shared; the deployment will stop"
WAITS = "does not exist; no instance will start, and a group tries again without end"
RUNS = "arn:aws:iam::123456789012:role/Runs"
WRONG = {
    "regions ap-east-1: ap-east-1 is not-opted-in",
    f"network us-east-1: web: SUBNET has no route out and without endpoints for {MISSING}: the build would time out",
    "network us-east-1: web: SUBNET security groups GROUP let no HTTPS out",
    "marketplace us-east-1: AMI AMI is a product of the Marketplace that the account has not subscribed to",
    "keys us-east-1: alias/off is in the state Disabled",
    f"keys eu-west-1: alias/golden does not let the account 210987654321 use it: {USES}",
    "keys ap-east-1: alias/none the alias names no key in ap-east-1",
    f"target-roles : EC2ImageBuilderDistributionCrossAccountRole lacks {LACKS}",
    f"parameters us-east-1: /imagebuilder/web/latest {BY_HAND}",
    f"parameters us-east-1: /imagebuilder/other/latest may not be written by the execution role {RUNS}",
    "parameters eu-west-1: /web/latest lies outside of /imagebuilder/, where the service-linked role may write",
    "launch-templates us-east-1: TEMPLATE does not exist there",
    "launch-templates eu-west-1: TEMPLATE lacks the tag CreatedBy=EC2 Image Builder, so no build may write it",
    "channels us-east-1: /imagebuilder/web/stable does not exist; the deployment will stop",
    "channels us-east-1: /imagebuilder/shop/stable holds AMI, which is gone, or not shared with this account",
    f"channels us-east-1: {SHARED} {UNREADABLE}",
    f"channels us-east-1: /imagebuilder/web/none {WAITS}",
    "quotas us-east-1: AMIs AMIs: 0, and 2 of a build, of 0 allowed",
    "quotas us-east-1: vCPUs vCPUs: 0, and 2 of a build, of 1 allowed",
}
"""What the checks find, with ids left out."""


def plain(text: str) -> str:
    for kind, form in (("SUBNET", "subnet"), ("GROUP", "sg"), ("AMI", "ami"), ("TEMPLATE", "lt")):
        text = re.sub(rf"\b{form}-[0-9a-f]{{8,17}}", kind, text)
    return text


def test_what_is_not_allowed_is_not_checked_and_names_the_action(
    needs: Needs, accounts: Accounts, sandbox_server: Sandbox
) -> None:
    operations = sorted({call.operation for check in CHECKS for call in check.calls})
    spared = []
    for operation in operations:
        service, name = operation.split(":")
        fault = ask(
            sandbox_server, "faults", service=service, operation=name, error={"code": "AccessDenied", "status": 403}
        )
        findings = run(needs, accounts, [check for check in CHECKS if operation in {c.operation for c in check.calls}])
        ask(sandbox_server, "faults", method="DELETE", id=fault["id"])
        missing = [one for one in findings if one.status is Status.NOT_CHECKED]
        assert told(findings, Status.FAIL) == []
        if not missing:
            spared.append(operation)
            continue
        action = operation.replace("service-quotas", "servicequotas")
        assert {(one.message, one.fix) for one in missing} == {
            (f"{name} is not allowed", f"allow {action} to whoever runs this")
        }

    # Each is made where something is missing: a network of the image's own, a quota that the account has by itself.
    assert spared == ["ec2:DescribeVpcs", "service-quotas:ListAWSDefaultServiceQuotas"]
    assert len(operations) == 20


def test_throttling_to_the_end_is_not_checked(
    needs: Needs, sandbox_server: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    fault = ask(sandbox_server, "faults", service="ec2", throttle={})

    findings = run(needs, Accounts({}), [regions.CHECK])
    ask(sandbox_server, "faults", method="DELETE", id=fault["id"])

    reasons = Counter(one.message for one in findings if one.status is Status.NOT_CHECKED)
    assert reasons["DescribeRegions was throttled to the end"] == 2
    assert told(findings, Status.FAIL) == []


def test_another_account_is_not_checked_until_somebody_gives_a_way_in(needs: Needs) -> None:
    findings = run(needs, Accounts({}), [regions.CHECK, target_roles.CHECK, parameters.CHECK])

    unseen = [one for one in findings if one.status is Status.NOT_CHECKED]
    assert {one.check for one in unseen} == {"regions", "target-roles", "parameters"}
    assert {(one.account, one.message, one.fix) for one in unseen} == {
        (THERE, f"nobody looked into the account {THERE}", f"give --look-with {THERE}=PROFILE, or a role's ARN")
    }
    assert told(findings, Status.FAIL) == []


def test_a_role_of_another_image_lacks_what_its_conditions_keep_from_this_one(needs: Needs, accounts: Accounts) -> None:
    (role,) = needs.target_roles
    pay = role._replace(copies=tuple((region, (("cdk-ami:image", "pay"),)) for region, _ in role.copies))

    (found,) = run(replace(needs, target_roles=[pay]), accounts, [target_roles.CHECK])

    assert (found.status, found.message) == (Status.FAIL, "lacks ec2:ModifyImageAttribute")


def test_what_is_needed_twice_is_told_once(needs: Needs, accounts: Accounts) -> None:
    once = run(needs, accounts, [keys.CHECK])

    assert run(replace(needs, keys=[*needs.keys, *needs.keys]), accounts, [keys.CHECK]) == once
    assert once


def test_each_fault_is_found_with_what_to_do(sandbox: Sandbox, aws: MakeClient, tmp_path: Path) -> None:
    needs = planned(wrong(sandbox, aws, tmp_path))

    findings = run(needs, Accounts({THERE: LOOK}))

    assert {plain(one) for one in told(findings, Status.FAIL)} == WRONG
    assert {check.name for check in CHECKS} - {one.check for one in findings if one.status is Status.FAIL} == {
        "encryption"
    }
    assert {plain(one) for one in told(findings, Status.WARN)} == {
        "encryption us-east-1: EBS encryption by default is off; the recipe leaves a volume to the account",
        "quotas eu-west-1: snapshot copies snapshots that a build copies here at once: 1, of 0 allowed",
    }
    assert [one.subject for one in findings if not one.fix and one.status is not Status.OK] == []
    assert told(findings, Status.NOT_CHECKED) == []
