"""Every other resource type: made, changed in place, removed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.sandbox import MakeClient
from tests.support.stacks import Stacks, resource, trust

ALLOW = {"Effect": "Allow", "Action": "sns:Publish", "Resource": "*", "Principal": {"Service": "events.amazonaws.com"}}
NO_TLS = {
    "Effect": "Deny",
    "Action": "s3:*",
    "Principal": "*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def policy(statement: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [statement]}


def everything(word: str) -> dict[str, Any]:
    """One resource of each small type; ``word`` stands in properties that change in place."""
    tags = [{"Key": "word", "Value": word}]
    return {
        "Key": resource(
            "KMS::Key",
            {"KeyPolicy": policy({**ALLOW, "Action": "kms:*", "Sid": word}), "Description": word, "Tags": tags},
        ),
        "Alias": resource("KMS::Alias", {"AliasName": "alias/a", "TargetKeyId": {"Ref": "Key"}}),
        "Bucket": resource(
            "S3::Bucket",
            {
                "BucketEncryption": {
                    "ServerSideEncryptionConfiguration": [
                        {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": {"Ref": "Key"}}}
                    ]
                },
                "PublicAccessBlockConfiguration": {"BlockPublicAcls": True, "RestrictPublicBuckets": True},
                "VersioningConfiguration": {"Status": "Enabled"},
                "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
                "LifecycleConfiguration": {"Rules": [{"Id": word, "Status": "Enabled", "ExpirationInDays": 30}]},
                "Tags": tags,
            },
        ),
        "BucketPolicy": resource(
            "S3::BucketPolicy",
            {
                "Bucket": {"Ref": "Bucket"},
                "PolicyDocument": policy({**NO_TLS, "Sid": word, "Resource": {"Fn::Sub": "${Bucket.Arn}/*"}}),
            },
        ),
        "Topic": resource("SNS::Topic", {"DisplayName": word, "KmsMasterKeyId": {"Ref": "Key"}, "Tags": tags}),
        "TopicPolicy": resource(
            "SNS::TopicPolicy", {"Topics": [{"Ref": "Topic"}], "PolicyDocument": policy({**ALLOW, "Sid": word})}
        ),
        "Queue": resource("SQS::Queue", {"VisibilityTimeout": len(word), "Tags": tags}),
        "QueuePolicy": resource(
            "SQS::QueuePolicy",
            {
                "Queues": [{"Ref": "Queue"}],
                "PolicyDocument": policy({**ALLOW, "Sid": word, "Action": "sqs:SendMessage"}),
            },
        ),
        "Subscription": resource(
            "SNS::Subscription",
            {
                "TopicArn": {"Ref": "Topic"},
                "Protocol": "sqs",
                "Endpoint": {"Fn::GetAtt": ["Queue", "Arn"]},
                "RawMessageDelivery": word == "two",
            },
        ),
        "Rule": resource(
            "Events::Rule",
            {
                "Description": word,
                "EventPattern": {"source": ["aws.imagebuilder"], "detail": {"state": {"status": [word]}}},
                "Targets": [{"Id": word, "Arn": {"Ref": "Topic"}}],
            },
        ),
        "Logs": resource("Logs::LogGroup", {"RetentionInDays": {"one": 7, "two": 30}[word], "Tags": tags}),
        "Repository": resource(
            "ECR::Repository",
            {"ImageTagMutability": {"one": "MUTABLE", "two": "IMMUTABLE"}[word], "RepositoryName": "images"},
        ),
        "Alarm": resource(
            "CloudWatch::Alarm",
            {
                "AlarmDescription": word,
                "ComparisonOperator": "GreaterThanThreshold",
                "EvaluationPeriods": 1,
                "MetricName": "CPUUtilization",
                "Namespace": "AWS/EC2",
                "Period": 60,
                "Statistic": "Average",
                "Threshold": 80,
                "AlarmActions": [{"Ref": "Topic"}],
                "Dimensions": [{"Name": "AutoScalingGroupName", "Value": "x"}],
            },
        ),
        "Role": resource(
            "IAM::Role",
            {
                "AssumeRolePolicyDocument": trust(),
                "Policies": [
                    {
                        "PolicyName": word,
                        "PolicyDocument": policy({"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}),
                    }
                ],
            },
        ),
        "Policy": resource(
            "IAM::Policy",
            {
                "PolicyName": "extra",
                "Roles": [{"Ref": "Role"}],
                "PolicyDocument": policy({"Effect": "Allow", "Action": f"s3:{word}", "Resource": "*"}),
            },
        ),
        "ManagedPolicy": resource(
            "IAM::ManagedPolicy",
            {
                "Roles": [{"Ref": "Role"}],
                "PolicyDocument": policy({"Effect": "Allow", "Action": f"s3:{word}", "Resource": "*"}),
            },
        ),
        "Handle": resource("CloudFormation::WaitConditionHandle"),
        "CDKMetadata": resource("CDK::Metadata", {"Analytics": f"v2:{word}"}),
    }


@pytest.fixture
def twice(stacks: Stacks) -> Stacks:
    """A stack of everything, made with one word and changed to another."""
    assert stacks.create("all", everything("one")) == "CREATE_COMPLETE", stacks.reasons("all")
    ids = {name: stacks.physical_id("all", name) for name in everything("one")}
    assert stacks.update("all", everything("two")) == "UPDATE_COMPLETE", stacks.reasons("all")
    assert {name: stacks.physical_id("all", name) for name in ids} == ids
    return stacks


def test_everything_changes_in_place_and_goes_away(twice: Stacks, aws: MakeClient) -> None:
    ids = {name: twice.physical_id("all", name) for name in everything("one")}
    s3, iam, sns, sqs = aws("s3"), aws("iam"), aws("sns"), aws("sqs")

    assert aws("kms").describe_key(KeyId=ids["Key"])["KeyMetadata"]["Description"] == "two"
    assert s3.get_bucket_lifecycle_configuration(Bucket=ids["Bucket"])["Rules"][0]["ID"] == "two"
    assert s3.get_bucket_tagging(Bucket=ids["Bucket"])["TagSet"] == [{"Key": "word", "Value": "two"}]
    assert json.loads(s3.get_bucket_policy(Bucket=ids["Bucket"])["Policy"])["Statement"][0]["Sid"] == "two"
    topic = sns.get_topic_attributes(TopicArn=ids["Topic"])["Attributes"]
    assert (topic["DisplayName"], json.loads(topic["Policy"])["Statement"][0]["Sid"]) == ("two", "two")
    subscription = sns.get_subscription_attributes(SubscriptionArn=ids["Subscription"])["Attributes"]
    assert subscription["RawMessageDelivery"] == "true"
    queue = sqs.get_queue_attributes(QueueUrl=ids["Queue"], AttributeNames=["All"])["Attributes"]
    assert json.loads(queue["Policy"])["Statement"][0]["Sid"] == "two"
    assert aws("events").describe_rule(Name=ids["Rule"])["Description"] == "two"
    targets = aws("events").list_targets_by_rule(Rule=ids["Rule"])["Targets"]
    assert [target["Id"] for target in targets] == ["two"]
    assert aws("logs").describe_log_groups(logGroupNamePrefix="all-")["logGroups"][0]["retentionInDays"] == 30
    repository = aws("ecr").describe_repositories(repositoryNames=["images"])["repositories"][0]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    alarm = aws("cloudwatch").describe_alarms(AlarmNames=[ids["Alarm"]])["MetricAlarms"][0]
    assert (alarm["AlarmDescription"], alarm["Threshold"]) == ("two", 80.0)
    assert sorted(iam.list_role_policies(RoleName=ids["Role"])["PolicyNames"]) == ["extra", "two"]
    assert iam.get_policy(PolicyArn=ids["ManagedPolicy"])["Policy"]["DefaultVersionId"] == "v2"

    assert twice.delete("all") == "DELETE_COMPLETE", twice.reasons("all")
    assert s3.list_buckets()["Buckets"] == []
    assert iam.list_roles()["Roles"] == []
    assert sns.list_topics()["Topics"] == []
    assert aws("events").list_rules()["Rules"] == []
    assert aws("ecr").describe_repositories()["repositories"] == []
    assert aws("kms").describe_key(KeyId=ids["Key"])["KeyMetadata"]["KeyState"] == "PendingDeletion"


def test_a_bucket_that_refuses_what_is_not_tls_is_used_as_if_by_tls(stacks: Stacks, aws: MakeClient) -> None:
    parts = everything("one")
    stacks.create("bucket", {name: parts[name] for name in ("Key", "Bucket", "BucketPolicy")})
    bucket = stacks.physical_id("bucket", "Bucket")

    aws("s3").put_object(Bucket=bucket, Key="a", Body=b"x")

    assert aws("s3").get_object(Bucket=bucket, Key="a")["Body"].read() == b"x"


def test_a_bucket_that_denies_by_name_still_does(stacks: Stacks, aws: MakeClient) -> None:
    deny = {key: value for key, value in NO_TLS.items() if key != "Condition"}
    statement = {**deny, "Action": "s3:PutObject", "Resource": {"Fn::Sub": "${Bucket.Arn}/*"}}
    stacks.create(
        "shut",
        {
            "Bucket": resource("S3::Bucket"),
            "Shut": resource("S3::BucketPolicy", {"Bucket": {"Ref": "Bucket"}, "PolicyDocument": policy(statement)}),
        },
    )

    with pytest.raises(ClientError):
        aws("s3").put_object(Bucket=stacks.physical_id("shut", "Bucket"), Key="a", Body=b"x")


def test_names_that_are_taken_fail_the_stack(stacks: Stacks, aws: MakeClient) -> None:
    aws("s3").create_bucket(Bucket="taken-name")

    assert (
        stacks.create("taken", {"Bucket": resource("S3::Bucket", {"BucketName": "taken-name"})}) == "ROLLBACK_COMPLETE"
    )

    assert "already exists" in stacks.reasons("taken")[0]
    assert [bucket["Name"] for bucket in aws("s3").list_buckets()["Buckets"]] == ["taken-name"]


def test_attributes_of_resources_are_what_users_refer_to(stacks: Stacks) -> None:
    sections = {
        "Outputs": {
            "Bucket": {"Value": {"Fn::GetAtt": ["Bucket", "RegionalDomainName"]}},
            "Queue": {"Value": {"Fn::GetAtt": ["Queue", "QueueName"]}},
            "Topic": {"Value": {"Fn::GetAtt": ["Topic", "TopicName"]}},
            "Logs": {"Value": {"Fn::GetAtt": ["Logs", "Arn"]}},
        }
    }
    parts = {
        "Bucket": resource("S3::Bucket", {"BucketName": "named-bucket"}),
        "Queue": resource("SQS::Queue", {"QueueName": "q"}),
        "Topic": resource("SNS::Topic", {"TopicName": "t"}),
        "Logs": resource("Logs::LogGroup", {"LogGroupName": "/a/b"}),
    }

    stacks.create("attributes", parts, sections=sections)

    assert stacks.outputs("attributes") == {
        "Bucket": "named-bucket.s3.us-east-1.amazonaws.com",
        "Queue": "q",
        "Topic": "t",
        "Logs": "arn:aws:logs:us-east-1:123456789012:log-group:/a/b:*",
    }


def test_a_parameter_that_holds_an_ami_stands_or_fails_the_stack(stacks: Stacks, aws: MakeClient) -> None:
    source = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    image = aws("ssm").get_parameter(Name=source)["Parameter"]["Value"]

    def channel(value: str) -> dict[str, Any]:
        return {"P": resource("SSM::Parameter", {"Type": "String", "DataType": "aws:ec2:image", "Value": value})}

    assert stacks.create("channel", channel(image)) == "CREATE_COMPLETE", stacks.reasons("channel")
    assert stacks.update("channel", channel("ami-0123456789abcdef0")) == "UPDATE_ROLLBACK_COMPLETE"

    assert any("does not hold ami-0123456789abcdef0: no such AMI" in reason for reason in stacks.reasons("channel"))
    name = stacks.physical_id("channel", "P")
    assert aws("ssm").get_parameter(Name=name)["Parameter"]["Value"] == image
