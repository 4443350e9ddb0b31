"""Calls made with roles whose policies are enforced."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.server import Sandbox
from tests.support.amis import make_ami
from tests.support.control import ask, refusal
from tests.support.sandbox import MakeClient

ACCOUNT = "123456789012"
OTHER = "210987654321"
ARN = f"arn:aws:iam::{ACCOUNT}:role/worker"
AsRole = Callable[..., Any]


def policy(*actions: str, resource: Any = "*", **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def trust(**principal: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


@pytest.fixture
def worker(aws: MakeClient, sandbox: Sandbox) -> AsRole:
    """Make the role `worker` with the policies given and return a maker of clients that act with it, enforced."""

    def make(
        *documents: str, trusted: str = trust(AWS=ACCOUNT), assume: dict[str, Any] | None = None, **role: Any
    ) -> Any:
        iam = aws("iam")
        iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trusted, **role)
        for number, document in enumerate(documents):
            iam.put_role_policy(RoleName="worker", PolicyName=f"policy{number}", PolicyDocument=document)
        keys = aws("sts").assume_role(RoleArn=ARN, RoleSessionName="test", **(assume or {}))["Credentials"]
        ask(sandbox, "iam", enforce=[ARN])

        def client(service: str, region: str = "us-east-1") -> Any:
            return boto3.client(
                service,
                region_name=region,
                endpoint_url=sandbox.endpoint,
                aws_access_key_id=keys["AccessKeyId"],
                aws_secret_access_key=keys["SecretAccessKey"],
                aws_session_token=keys["SessionToken"],
                config=Config(retries={"total_max_attempts": 1}),
            )

        return client

    return make


def denial(call: Any, **request: Any) -> tuple[str, str]:
    """Return code and message of a refusal, two empty texts when there is none."""
    try:
        call(**request)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    return "", ""


@pytest.mark.parametrize(
    ("service", "operation", "request_part", "code"),
    [
        ("ec2", "describe_vpcs", {}, "UnauthorizedOperation"),
        ("ssm", "describe_parameters", {}, "AccessDeniedException"),
        ("imagebuilder", "list_images", {}, "AccessDeniedException"),
        ("autoscaling", "describe_auto_scaling_groups", {}, "AccessDenied"),
        ("s3", "list_buckets", {}, "AccessDenied"),
    ],
)
def test_what_no_policy_allows_is_denied_in_the_services_words(
    worker: AsRole, service: str, operation: str, request_part: dict[str, Any], code: str
) -> None:
    found, message = denial(getattr(worker(policy("sns:*"))(service), operation), **request_part)

    assert found == code
    assert f"User: arn:aws:sts::{ACCOUNT}:assumed-role/worker/test is not authorized to perform: {service}:" in message
    assert "because no identity-based policy allows the" in message


def test_what_is_allowed_goes_through_and_others_are_not_judged(worker: AsRole, aws: MakeClient) -> None:
    client = worker(policy("ec2:DescribeVpcs"))

    assert client("ec2").describe_vpcs()["Vpcs"]
    assert client("sts").get_caller_identity()["Account"] == ACCOUNT
    assert aws("sns").list_topics()["Topics"] == []


def test_a_change_of_policies_counts_at_once(worker: AsRole, aws: MakeClient) -> None:
    sns = worker(policy("ec2:*"))("sns")
    assert denial(sns.list_topics)[0] == "AuthorizationError"

    aws("iam").attach_role_policy(RoleName="worker", PolicyArn="arn:aws:iam::aws:policy/AmazonSNSReadOnlyAccess")

    assert sns.list_topics()["Topics"] == []


def test_parameters_are_judged_by_their_arns(worker: AsRole, aws: MakeClient) -> None:
    aws("ssm").put_parameter(Name="/one/a", Value="v", Type="String")
    aws("ssm").put_parameter(Name="/two", Value="v", Type="String")
    ssm = worker(policy("ssm:GetParameter*", resource=f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/one/*"))("ssm")

    assert ssm.get_parameter(Name="/one/a")["Parameter"]["Value"] == "v"
    assert denial(ssm.get_parameter, Name="/two")[1].count("parameter/two") == 1
    assert denial(ssm.get_parameters, Names=["/one/a", "/two"])[0] == "AccessDeniedException"
    assert denial(ssm.put_parameter, Name="/one/a", Value="w", Overwrite=True)[0] == "AccessDeniedException"


def test_a_copy_needs_the_source_and_the_target_and_its_tags_a_permission_of_their_own(
    worker: AsRole, aws: MakeClient
) -> None:
    made = make_ami(aws("ec2"))
    images = "arn:aws:ec2:{}::image/*"
    ec2 = worker(policy("ec2:CopyImage", resource=[images.format("us-east-1"), images.format("eu-west-1")]))
    request = {"SourceImageId": made.image_id, "SourceRegion": "us-east-1", "Name": "copy"}
    tagged = [{"ResourceType": "image", "Tags": [{"Key": "a", "Value": "b"}]}]

    assert ec2("ec2", "eu-west-1").copy_image(**request)["ImageId"]
    assert f"on resource: {images.format('ap-south-1')}" in denial(ec2("ec2", "ap-south-1").copy_image, **request)[1]
    _, message = denial(ec2("ec2", "eu-west-1").copy_image, **request | {"Name": "other"}, TagSpecifications=tagged)
    assert "ec2:CreateTags on resource: arn:aws:ec2:eu-west-1::image/*" in message


def test_a_launch_is_judged_by_all_it_touches(worker: AsRole, aws: MakeClient) -> None:
    iam = aws("iam")
    iam.create_role(RoleName="inside", AssumeRolePolicyDocument=trust(Service="ec2.amazonaws.com"))
    iam.create_instance_profile(InstanceProfileName="inside")
    iam.add_role_to_instance_profile(InstanceProfileName="inside", RoleName="inside")
    image = make_ami(aws("ec2")).image_id
    aws("ec2").create_launch_template(
        LaunchTemplateName="web",
        LaunchTemplateData={"ImageId": image, "InstanceType": "t3.micro", "IamInstanceProfile": {"Name": "inside"}},
    )
    launch = {"LaunchTemplate": {"LaunchTemplateName": "web"}, "MinCount": 1, "MaxCount": 1}
    ec2 = worker(
        policy("ec2:RunInstances"),
        policy("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}),
    )("ec2")

    assert "iam:PassRole on resource: arn:aws:iam::123456789012:role/inside" in denial(ec2.run_instances, **launch)[1]

    passing = policy("iam:PassRole", Condition={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}})
    iam.put_role_policy(RoleName="worker", PolicyName="passing", PolicyDocument=passing)
    assert ec2.run_instances(**launch)["Instances"]

    deny = policy("ec2:RunInstances", resource=f"arn:aws:ec2:*::image/{image}").replace("Allow", "Deny")
    iam.put_role_policy(RoleName="worker", PolicyName="deny", PolicyDocument=deny)
    assert denial(ec2.run_instances, **launch)[1].endswith("with an explicit deny")


def test_tags_of_the_resource_and_of_the_request_decide(worker: AsRole, aws: MakeClient) -> None:
    mine, other = (make_ami(aws("ec2"), version=version).image_id for version in ("1.0.0/1", "1.0.0/2"))
    aws("ec2").create_tags(Resources=[mine], Tags=[{"Key": "team", "Value": "web"}])
    ec2 = worker(
        policy("ec2:DeregisterImage", Condition={"StringEquals": {"aws:ResourceTag/team": "web"}}),
        policy("ec2:CreateTags", Condition={"StringLike": {"aws:RequestTag/cost": "?*"}}),
    )("ec2")

    assert denial(ec2.deregister_image, ImageId=other)[0] == "UnauthorizedOperation"
    assert denial(ec2.deregister_image, ImageId=mine) == ("", "")
    assert denial(ec2.create_tags, Resources=[other], Tags=[{"Key": "a", "Value": "b"}])[0] == "UnauthorizedOperation"
    assert denial(ec2.create_tags, Resources=[other], Tags=[{"Key": "cost", "Value": "b"}]) == ("", "")


def test_a_boundary_and_a_session_policy_are_limits(worker: AsRole, aws: MakeClient) -> None:
    boundary = aws("iam").create_policy(PolicyName="boundary", PolicyDocument=policy("ec2:*", "ssm:*"))["Policy"]["Arn"]
    client = worker(
        policy("ec2:*", "ssm:*", "sns:*"), PermissionsBoundary=boundary, assume={"Policy": policy("ec2:*", "sns:*")}
    )

    assert client("ec2").describe_vpcs()["Vpcs"]
    assert "no permissions boundary allows" in denial(client("sns").list_topics)[1]
    assert "no session policy allows" in denial(client("ssm").describe_parameters)[1]


def test_a_key_is_used_as_its_own_policy_says(worker: AsRole, aws: MakeClient) -> None:
    def key(**principal: str) -> str:
        statement = {"Effect": "Allow", "Principal": principal, "Action": "kms:*", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        return str(aws("kms").create_key(Policy=document)["KeyMetadata"]["KeyId"])

    delegating = key(AWS=f"arn:aws:iam::{ACCOUNT}:root")
    naming = key(AWS=ARN)
    foreign = key(AWS=f"arn:aws:iam::{OTHER}:root")
    kms = worker(policy("kms:DescribeKey"))("kms")

    assert [denial(kms.describe_key, KeyId=one)[0] for one in (delegating, naming)] == ["", ""]
    assert "no resource-based policy allows" in denial(kms.describe_key, KeyId=foreign)[1]
    assert denial(kms.disable_key, KeyId=naming) == ("", "")
    assert "no identity-based policy allows" in denial(kms.disable_key, KeyId=delegating)[1]


def test_a_bucket_may_let_in_whom_their_own_policies_do_not(worker: AsRole, aws: MakeClient) -> None:
    s3 = aws("s3")
    for bucket in ("open-bucket", "shut-bucket"):
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="a b", Body=b"v")
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": ARN},
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::open-bucket/*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket="open-bucket", Policy=document)
    mine = worker(policy("sns:*"))("s3")

    assert mine.get_object(Bucket="open-bucket", Key="a b")["Body"].read() == b"v"
    assert denial(mine.get_object, Bucket="shut-bucket", Key="a b")[0] == "AccessDenied"
    assert denial(mine.put_object, Bucket="open-bucket", Key="a b", Body=b"")[0] == "AccessDenied"


def test_a_role_is_assumed_by_those_whom_it_trusts(aws: MakeClient, sandbox: Sandbox) -> None:
    iam, there = aws("iam"), f"arn:aws:iam::{ACCOUNT}:role/there"
    iam.create_role(
        RoleName="there",
        AssumeRolePolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": {
                    "Effect": "Allow",
                    "Principal": {"AWS": OTHER},
                    "Action": "sts:AssumeRole",
                    "Condition": {"StringEquals": {"sts:ExternalId": "secret"}},
                },
            }
        ),
    )
    ask(sandbox, "iam", enforce="all-roles")
    session = {"RoleArn": there, "RoleSessionName": "test"}

    assert denial(aws("sts").assume_role, **session)[0] == "AccessDenied"
    assert denial(aws("sts", account=OTHER).assume_role, **session)[0] == "AccessDenied"
    assert denial(aws("sts", account=OTHER).assume_role, **session, ExternalId="secret") == ("", "")


def test_a_service_that_acts_with_a_role_is_judged_by_it(aws: MakeClient, sandbox: Sandbox) -> None:
    iam = aws("iam")
    iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust(Service="imagebuilder.amazonaws.com"))
    iam.put_role_policy(RoleName="worker", PolicyName="p", PolicyDocument=policy("sns:*"))
    ask(sandbox, "iam", enforce=[ARN])

    def code(service: str, operation: str, by: str) -> str:
        with clients.acting_by(ARN, for_service=by):
            return denial(getattr(clients.client(service, "us-east-1"), operation))[0]

    assert code("sns", "list_topics", "imagebuilder.amazonaws.com") == ""
    assert code("ec2", "describe_vpcs", "imagebuilder.amazonaws.com") == "UnauthorizedOperation"
    assert code("sns", "list_topics", "lambda.amazonaws.com") == "AccessDenied"
    assert denial(clients.client("ec2", "us-east-1").describe_vpcs) == ("", "")


def test_what_cannot_be_judged_is_refused_by_name(worker: AsRole) -> None:
    ec2 = worker(policy("ec2:*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}))("ec2")

    code, message = denial(ec2.describe_vpcs)

    assert code == "SandboxCannotDecide"
    assert "it lacks the condition key aws:PrincipalOrgID" in message


def test_enforcement_ends_on_request_and_at_a_reset(worker: AsRole, sandbox: Sandbox) -> None:
    ec2 = worker(policy("sns:*"))("ec2")
    assert ask(sandbox, "iam", method="GET") == {"enforce": [ARN]}

    ask(sandbox, "iam", method="DELETE")

    assert ec2.describe_vpcs()["Vpcs"]
    assert "enforce is all-roles or a list of ARNs of roles" in refusal(sandbox, "iam", enforce="worker")


@pytest.mark.parametrize(
    ("alias", "wanted", "why"),
    [
        ("alias/golden", "available", ""),
        ("alias/other", "failed", f"no policy of {ARN} allows kms:GenerateDataKeyWithoutPlaintext on it"),
    ],
)
def test_ec2_uses_a_key_for_a_role_only_as_the_role_itself_may(
    worker: AsRole, aws: MakeClient, alias: str, wanted: str, why: str
) -> None:
    made = make_ami(aws("ec2"), encrypted=False)
    key = aws("kms").create_key()["KeyMetadata"]["Arn"]
    aws("kms").create_alias(AliasName="alias/golden", TargetKeyId=key)
    through = {
        "StringLike": {"kms:ViaService": "ec2.*"},
        "ForAnyValue:StringEquals": {"kms:ResourceAliases": alias},
    }
    keys = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/*"
    ec2 = worker(policy("ec2:*"), policy("kms:*", resource=keys, Condition=through))("ec2")

    copy = ec2.copy_image(
        SourceImageId=made.image_id, SourceRegion="us-east-1", Name="copy", Encrypted=True, KmsKeyId=key
    )

    (image,) = aws("ec2").describe_images(ImageIds=[copy["ImageId"]])["Images"]
    assert image["State"] == wanted
    assert why in image.get("StateReason", {}).get("Message", "")


def test_what_is_to_be_made_has_no_tags_whatever_others_have(worker: AsRole, aws: MakeClient) -> None:
    made = make_ami(aws("ec2"))
    unless_foreign = {"StringEqualsIfExists": {"aws:ResourceTag/CreatedBy": "me"}}
    ec2 = worker(policy("ec2:CopyImage"), policy("ec2:CreateTags", Condition=unless_foreign))("ec2", "us-east-1")
    tagged = [{"ResourceType": "image", "Tags": [{"Key": "CreatedBy", "Value": "me"}]}]

    copy = ec2.copy_image(SourceImageId=made.image_id, SourceRegion="us-east-1", Name="copy", TagSpecifications=tagged)[
        "ImageId"
    ]

    assert denial(ec2.create_tags, Resources=[copy], Tags=[{"Key": "more", "Value": "of it"}]) == ("", "")
    assert denial(ec2.create_tags, Resources=[made.image_id], Tags=[{"Key": "a", "Value": "b"}])[0] == (
        "UnauthorizedOperation"
    )
