"""Types that templates about images have beside those of Image Builder and EC2."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.sandbox import MakeClient, wait_until
from tests.support.stacks import Stacks, parameter, resource

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def allowing(action: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}


def test_users_and_groups_get_and_lose_policies(stacks: Stacks, aws: MakeClient) -> None:
    iam = aws("iam")
    own = [{"PolicyName": "own", "PolicyDocument": allowing("s3:GetObject")}]
    group = resource("IAM::Group", {"GroupName": "builders", "ManagedPolicyArns": [READ_ONLY], "Policies": own})
    user = resource("IAM::User", {"UserName": "robot", "Groups": [{"Ref": "Group"}], "Policies": own})
    assert stacks.create("who", {"Group": group, "User": user}) == "CREATE_COMPLETE", stacks.reasons("who")
    groups = [one["GroupName"] for one in iam.list_groups_for_user(UserName="robot")["Groups"]]
    attached = iam.list_attached_group_policies(GroupName="builders")["AttachedPolicies"]

    status = stacks.update(
        "who",
        {
            "Group": resource("IAM::Group", {"GroupName": "builders"}),
            "User": resource("IAM::User", {"UserName": "robot", "ManagedPolicyArns": [READ_ONLY]}),
        },
    )

    assert status == "UPDATE_COMPLETE", stacks.reasons("who")
    assert (groups, [one["PolicyArn"] for one in attached]) == (["builders"], [READ_ONLY])
    assert iam.list_groups_for_user(UserName="robot")["Groups"] == []
    assert iam.list_group_policies(GroupName="builders")["PolicyNames"] == []
    assert iam.list_user_policies(UserName="robot")["PolicyNames"] == []
    assert stacks.delete("who") == "DELETE_COMPLETE", stacks.reasons("who")
    assert (iam.list_users()["Users"], iam.list_groups()["Groups"]) == ([], [])


def test_a_forge_s_identity_provider_and_a_service_s_own_role_are_made_and_removed(
    stacks: Stacks, aws: MakeClient
) -> None:
    url = "https://token.actions.githubusercontent.com"
    resources = {
        "Forge": resource("IAM::OIDCProvider", {"Url": url, "ClientIdList": ["sts.amazonaws.com"]}),
        "Linked": resource("IAM::ServiceLinkedRole", {"AWSServiceName": "imagebuilder.amazonaws.com"}),
    }

    assert stacks.create("who", resources) == "CREATE_COMPLETE", stacks.reasons("who")

    arn = stacks.physical_id("who", "Forge")
    assert arn == "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
    assert stacks.physical_id("who", "Linked").startswith("AWSServiceRoleFor")
    assert stacks.delete("who") == "DELETE_COMPLETE", stacks.reasons("who")
    assert aws("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"] == []


def test_a_secret_is_generated_once_and_read_by_reference(stacks: Stacks, aws: MakeClient) -> None:
    rules = {"SecretStringTemplate": '{"user": "admin"}', "GenerateStringKey": "password", "PasswordLength": 20}
    secret = resource("SecretsManager::Secret", {"Name": "site", "GenerateSecretString": rules})
    value = "{{resolve:secretsmanager:site:SecretString:user}}"
    reading = resource("SSM::Parameter", {"Name": "/user", "Type": "String", "Value": value}, DependsOn=["Secret"])
    assert stacks.create("s", {"Secret": secret, "Reading": reading}) == "CREATE_COMPLETE", stacks.reasons("s")
    first = aws("secretsmanager").get_secret_value(SecretId="site")["SecretString"]

    changed = {**secret["Properties"], "Description": "of the site"}
    status = stacks.update("s", {"Secret": resource("SecretsManager::Secret", changed), "Reading": reading})

    assert status == "UPDATE_COMPLETE", stacks.reasons("s")
    assert aws("ssm").get_parameter(Name="/user")["Parameter"]["Value"] == "admin"
    assert len(json.loads(first)["password"]) == 20
    assert aws("secretsmanager").get_secret_value(SecretId="site")["SecretString"] == first
    assert aws("secretsmanager").describe_secret(SecretId="site")["Description"] == "of the site"
    assert stacks.delete("s") == "DELETE_COMPLETE", stacks.reasons("s")
    assert aws("secretsmanager").list_secrets()["SecretList"] == []


def test_filters_and_policies_of_logs_are_kept(stacks: Stacks, aws: MakeClient) -> None:
    transformation = {"MetricName": "Failed", "MetricNamespace": "Images", "MetricValue": "1", "DefaultValue": 0}
    resources = {
        "Group": resource("Logs::LogGroup", {"LogGroupName": "/images"}),
        "Filter": resource(
            "Logs::MetricFilter",
            {"LogGroupName": {"Ref": "Group"}, "FilterPattern": "FAILED", "MetricTransformations": [transformation]},
        ),
        "Policy": resource(
            "Logs::ResourcePolicy",
            {"PolicyName": "events", "PolicyDocument": json.dumps(allowing("logs:PutLogEvents"))},
        ),
    }

    assert stacks.create("logs", resources) == "CREATE_COMPLETE", stacks.reasons("logs")

    [found] = aws("logs").describe_metric_filters(logGroupName="/images")["metricFilters"]
    assert (found["filterPattern"], found["metricTransformations"][0]["metricName"]) == ("FAILED", "Failed")
    assert [one["policyName"] for one in aws("logs").describe_resource_policies()["resourcePolicies"]] == ["events"]
    assert stacks.delete("logs") == "DELETE_COMPLETE", stacks.reasons("logs")
    assert aws("logs").describe_resource_policies()["resourcePolicies"] == []


def test_a_key_pair_s_private_half_is_stored(stacks: Stacks, aws: MakeClient) -> None:
    pair = resource("EC2::KeyPair", {"KeyName": "builders", "KeyType": "rsa"})
    sections = {"Outputs": {"Id": {"Value": {"Fn::GetAtt": ["Pair", "KeyPairId"]}}}}

    assert stacks.create("key", {"Pair": pair}, sections=sections) == "CREATE_COMPLETE", stacks.reasons("key")

    name = f"/ec2/keypair/{stacks.outputs('key')['Id']}"
    stored = aws("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]
    assert stored["Value"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert stacks.delete("key") == "DELETE_COMPLETE", stacks.reasons("key")
    assert aws("ec2").describe_key_pairs()["KeyPairs"] == []
    assert aws("ssm").describe_parameters()["Parameters"] == []


def test_a_document_is_replaced_or_gets_versions_as_it_says(stacks: Stacks, aws: MakeClient) -> None:
    def document(command: str, **options: Any) -> dict[str, Any]:
        step = {"action": "aws:runShellScript", "name": "run", "inputs": {"runCommand": [command]}}
        content = {"schemaVersion": "2.2", "description": "d", "mainSteps": [step]}
        return {"Run": resource("SSM::Document", {"DocumentType": "Command", "Content": content, **options})}

    assert stacks.create("d", document("echo 1")) == "CREATE_COMPLETE", stacks.reasons("d")
    first = stacks.physical_id("d", "Run")
    stacks.update("d", document("echo 2", UpdateMethod="NewVersion"))
    second = stacks.physical_id("d", "Run")
    status = stacks.update("d", document("echo 3"))

    assert status == "UPDATE_COMPLETE", stacks.reasons("d")
    third = stacks.physical_id("d", "Run")
    assert first == second != third
    assert "echo 3" in aws("ssm").get_document(Name=third)["Content"]
    assert stacks.delete("d") == "DELETE_COMPLETE", stacks.reasons("d")


def test_a_stack_tells_its_topics_what_happens(stacks: Stacks, aws: MakeClient) -> None:
    topic = aws("sns").create_topic(Name="stacks")["TopicArn"]
    queue = aws("sqs").create_queue(QueueName="told")["QueueUrl"]
    principal = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = {"Version": "2012-10-17", "Statement": [{**principal, "Resource": "*"}]}
    aws("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
    arn = aws("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    stacks.create("told", {"One": parameter("/one")}, NotificationARNs=[topic])

    told: list[str] = []

    def all_told() -> bool:
        messages = aws("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        told.extend(json.loads(message["Body"])["Message"] for message in messages)
        return any("ResourceType='AWS::CloudFormation::Stack'" in text and "'CREATE_COMPLETE'" in text for text in told)

    wait_until(all_told)
    assert any("LogicalResourceId='One'" in text and "ResourceStatus='CREATE_COMPLETE'" in text for text in told)


def test_language_extensions_are_understood_but_for_loops(stacks: Stacks) -> None:
    mapping = {"Fn::FindInMap": ["Sizes", "none", "Disk", {"DefaultValue": "20"}]}
    value = {"Fn::ToJsonString": {"disk": mapping, "items": {"Fn::Length": ["a", "b"]}}}
    sections = {"Transform": "AWS::LanguageExtensions", "Mappings": {"Sizes": {"small": {"Disk": "10"}}}}

    status = stacks.create("e", {"One": parameter("/one", value)}, sections=sections)

    assert status == "CREATE_COMPLETE", stacks.reasons("e")
    stored = stacks.client.describe_stack_resource(StackName="e", LogicalResourceId="One")
    assert stored["StackResourceDetail"]["PhysicalResourceId"] == "/one"
    with pytest.raises(ClientError, match="does not support the loop Fn::ForEach::Each in Resources"):
        stacks.create("f", {"Fn::ForEach::Each": ["X", ["a"], {}], "One": parameter("/f")}, sections=sections)


def test_a_table_is_made_changed_and_removed(stacks: Stacks, aws: MakeClient) -> None:
    def table(**more: Any) -> dict[str, Any]:
        keys = {"AttributeName": "image", "KeyType": "HASH"}
        properties = {
            "TableName": "images",
            "AttributeDefinitions": [{"AttributeName": "image", "AttributeType": "S"}],
            "KeySchema": [keys],
            "BillingMode": "PAY_PER_REQUEST",
            **more,
        }
        return {"Table": resource("DynamoDB::Table", properties)}

    sections = {"Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Table", "Arn"]}}}}
    assert stacks.create("t", table(), sections=sections) == "CREATE_COMPLETE", stacks.reasons("t")
    aws("dynamodb").put_item(TableName="images", Item={"image": {"S": "ami-1"}})

    ends = {"AttributeName": "ends", "Enabled": True}
    status = stacks.update("t", table(TimeToLiveSpecification=ends, DeletionProtectionEnabled=True), sections=sections)

    assert status == "UPDATE_COMPLETE", stacks.reasons("t")
    assert stacks.outputs("t")["Arn"] == "arn:aws:dynamodb:us-east-1:123456789012:table/images"
    assert aws("dynamodb").scan(TableName="images")["Count"] == 1
    with pytest.raises(ClientError, match="DeletionProtectionEnabled"):
        aws("dynamodb").delete_table(TableName="images")
    lives = aws("dynamodb").describe_time_to_live(TableName="images")["TimeToLiveDescription"]
    assert lives == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ends"}
    stacks.update("t", table(TimeToLiveSpecification=ends, DeletionProtectionEnabled=False), sections=sections)
    assert stacks.delete("t") == "DELETE_COMPLETE", stacks.reasons("t")
    assert aws("dynamodb").list_tables()["TableNames"] == []
