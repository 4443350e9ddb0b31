"""What a role may do, told by SimulatePrincipalPolicy."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.sandbox import ACCOUNT, MakeClient
from tests.support.stacks import trust

ROLE = f"arn:aws:iam::{ACCOUNT}:role/Judged"
BUCKET = "arn:aws:s3:::files/{}"


def statement(effect: str, action: str, resource: str, **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def iam(aws: MakeClient) -> Any:
    client = aws("iam")
    limit = client.create_policy(PolicyName="Limit", PolicyDocument=document(statement("Allow", "s3:*", "*")))
    client.create_role(
        RoleName="Judged",
        AssumeRolePolicyDocument=json.dumps(trust()),
        PermissionsBoundary=limit["Policy"]["Arn"],
    )
    told = {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
    own = document(
        statement("Allow", "s3:GetObject", BUCKET.format("*")),
        statement("Deny", "s3:GetObject", BUCKET.format("secret")),
        statement("Allow", "s3:PutObject", "*", Condition=told),
        statement("Allow", "ec2:CopyImage", "*"),
    )
    client.put_role_policy(RoleName="Judged", PolicyName="Own", PolicyDocument=own)
    return client


def decided(iam: Any, action: str, resource: str, **keys: str) -> str:
    entries = [
        {"ContextKeyName": name.replace("_", ":"), "ContextKeyValues": [value], "ContextKeyType": "string"}
        for name, value in keys.items()
    ]
    [found] = iam.simulate_principal_policy(
        PolicySourceArn=ROLE, ActionNames=[action], ResourceArns=[resource], ContextEntries=entries
    )["EvaluationResults"]
    return str(found["EvalDecision"])


def test_a_role_is_judged_by_its_policies_its_boundary_and_the_context(iam: Any) -> None:
    assert decided(iam, "s3:GetObject", BUCKET.format("page")) == "allowed"
    assert decided(iam, "s3:GetObject", BUCKET.format("secret")) == "explicitDeny"
    assert decided(iam, "s3:DeleteObject", BUCKET.format("page")) == "implicitDeny"
    assert decided(iam, "ec2:CopyImage", "*") == "implicitDeny"  # the boundary allows S3 only
    assert decided(iam, "s3:PutObject", "*", aws_RequestedRegion="eu-west-1") == "allowed"
    assert decided(iam, "s3:PutObject", "*") == "implicitDeny"


@pytest.mark.parametrize(
    ("arn", "given", "told"),
    [
        (f"arn:aws:iam::{ACCOUNT}:role/None", {}, "NoSuchEntity"),
        (f"arn:aws:iam::{ACCOUNT}:user/ann", {}, "simulates for roles"),
        (ROLE, {"PolicyInputList": ["{}"]}, "does not simulate with PolicyInputList"),
    ],
)
def test_what_cannot_be_simulated_is_refused(iam: Any, arn: str, given: dict[str, Any], told: str) -> None:
    with pytest.raises(ClientError, match=told):
        iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=["s3:GetObject"], **given)
