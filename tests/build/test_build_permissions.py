"""What a build may do: these statements, to the letter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from cdk_nag import AwsSolutionsChecks

from cdk_ami.build.environment import BuildEnvironment
from cdk_ami.build.permissions import readable
from cdk_ami.build.schedule import BuildSchedule
from cdk_ami.build.trigger import BuildTrigger
from cdk_ami.recipe.component import Component
from cdk_ami.wildcards import plain_arn
from tests.support.images import make_image, template_with
from tests.support.synth import make_app, make_stack, resources_of, template_of

AGENT = [
    "ec2messages:AcknowledgeMessage",
    "ec2messages:DeleteMessage",
    "ec2messages:FailMessage",
    "ec2messages:GetEndpoint",
    "ec2messages:GetMessages",
    "ec2messages:SendReply",
    "ssm:UpdateInstanceInformation",
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
]


def build_role(template: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = resources_of(template, "AWS::IAM::Role")["WebRole8DB59236"]["Properties"]
    return properties


def statements(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    (policy,) = build_role(template)["Policies"]
    return {statement["Sid"]: statement for statement in policy["PolicyDocument"]["Statement"]}


def managed(name: str) -> str:
    return f"arn:aws:imagebuilder:us-east-1:aws:component/{name}/*"


def test_a_build_may_do_what_every_build_does_and_nothing_else() -> None:
    found = statements(template_with(enhanced_metadata=False))

    assert list(found.values()) == [
        {"Sid": "Agent", "Effect": "Allow", "Action": AGENT, "Resource": "*"},
        {
            "Sid": "Objects",
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": [
                "arn:aws:s3:::ec2imagebuilder-managed-resources-us-east-1-prod/*",
                "arn:aws:s3:::ec2imagebuilder-toe-us-east-1-prod/*",
            ],
        },
        {
            "Sid": "Logs",
            "Effect": "Allow",
            "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": {"Fn::GetAtt": ["WebLogGroup6ECE5103", "Arn"]},
        },
        {
            "Sid": "Components",
            "Effect": "Allow",
            "Action": "imagebuilder:GetComponent",
            "Resource": managed("simple-boot-test-linux"),
        },
    ]


def test_reporting_packages_takes_four_more_actions() -> None:
    found = statements(template_with())

    assert set(found["Agent"]["Action"]) - set(AGENT) == {
        "ssm:ListInstanceAssociations",
        "ssm:PutInventory",
        "ssm:UpdateInstanceAssociationStatus",
    }
    assert found["Inventory"] == {
        "Sid": "Inventory",
        "Effect": "Allow",
        "Action": "ssm:GetDocument",
        "Resource": "arn:aws:ssm:us-east-1::document/AWS-GatherSoftwareInventory",
    }


def test_the_role_is_for_instances_and_has_no_managed_policy() -> None:
    role = build_role(template_with())

    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "ec2.amazonaws.com"}
    assert "ManagedPolicyArns" not in role


def test_a_build_reads_the_components_of_its_recipe_only() -> None:
    install = Component.from_commands("install", ["true"])

    found = statements(template_with(components=[install, Component.aws_managed("update-linux")], tests=[]))

    own, update = found["Components"]["Resource"]
    assert own == {"Fn::GetAtt": ["ComponentInstall", "Arn"]}
    assert update == managed("update-linux")


def test_a_build_reads_the_documents_of_its_components_object_by_object(tmp_path: Path) -> None:
    document = tmp_path / "long.yml"
    step = {"name": "Say", "action": "ExecuteBash", "inputs": {"commands": ["true # " + "x" * 20_000]}}
    document.write_text(json.dumps({"schemaVersion": 1.0, "phases": [{"name": "build", "steps": [step]}]}))

    found = statements(template_with(components=[Component.from_file(document)], tests=[]))

    (own,) = [arn for arn in found["Objects"]["Resource"] if "ec2imagebuilder" not in str(arn)]
    assert "cdk-hnb659fds-assets" in str(own)
    assert "*" not in str(own)


def test_a_log_bucket_lets_a_build_write_below_its_prefix_and_use_the_key() -> None:
    stack = make_stack()
    bucket = s3.Bucket(stack, "Logs", encryption_key=kms.Key(stack, "Key"))

    found = statements(template_with(stack, environment=BuildEnvironment(log_bucket=bucket, log_prefix="a/b")))

    assert found["LogObjects"]["Action"] == "s3:PutObject"
    assert found["LogObjects"]["Resource"] == {"Fn::Join": ["", [{"Fn::GetAtt": ["Logs6819BB44", "Arn"]}, "/a/b/*"]]}
    assert found["LogKey"]["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
    assert found["LogKey"]["Resource"] == {"Fn::GetAtt": ["Key961B73FD", "Arn"]}


def test_grants_to_the_image_are_grants_to_its_build() -> None:
    stack = make_stack()
    bucket = s3.Bucket(stack, "Packages")

    bucket.grant_read(make_image(stack))

    (policy,) = resources_of(template_of(stack), "AWS::IAM::Policy").values()
    assert policy["Properties"]["Roles"] == [{"Ref": "WebRole8DB59236"}]


@pytest.mark.parametrize(
    ("arn", "expected"),
    [
        ("arn:aws:imagebuilder:us-east-1:aws:component/update-linux/x.x.x", "component/update-linux/*"),
        ("arn:aws:imagebuilder:us-east-1:aws:component/update-linux/1.x.x", "component/update-linux/*"),
        ("arn:aws:imagebuilder:us-east-1:aws:component/update-linux/1.0.2", "component/update-linux/1.0.2/*"),
        ("arn:aws:imagebuilder:us-east-1:1:component/own/1.0.0/3", "component/own/1.0.0/3"),
        ("${Token[ComponentArn.12]}", "${Token[ComponentArn.12]}"),
    ],
)
def test_a_policy_names_a_component_so_that_the_build_version_can_be_read(arn: str, expected: str) -> None:
    assert readable(arn).endswith(expected)


@pytest.mark.parametrize(("owner", "expected"), [("aws-marketplace", "*"), ("aws", None)])
def test_a_subscribed_component_of_the_marketplace_may_be_fetched(owner: str, expected: str | None) -> None:
    subscribed = Component.from_arn(f"arn:aws:imagebuilder:us-east-1:{owner}:component/scanner-prod-1/1.x.x")

    found = statements(template_with(components=[subscribed]))

    assert found.get("Marketplace", {}).get("Resource") == expected


def test_an_arn_is_written_as_the_checker_writes_it() -> None:
    joined = {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":s3:::x/", {"Fn::GetAtt": ["B", "Arn"]}, "/*"]]}

    assert plain_arn(joined) == "arn:<AWS::Partition>:s3:::x/<B.Arn>/*"


@pytest.mark.parametrize("region", ["us-east-1", None])
def test_the_checker_finds_nothing_that_is_not_explained(region: str | None) -> None:
    app = make_app()
    stack = make_stack(app=app, region=region)
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-0123456789abcdef0",
        availability_zones=["us-east-1a"],
        private_subnet_ids=["subnet-0123456789abcdef0"],
        private_subnet_route_table_ids=["rtb-0123456789abcdef0"],
    )
    bucket = s3.Bucket.from_bucket_name(stack, "Logs", "build-logs")
    install = Component.from_commands("install", ["true"])
    image = make_image(
        stack,
        components=[install, Component.aws_managed("update-linux")],
        environment=BuildEnvironment(vpc=vpc, log_bucket=bucket),
        trigger=BuildTrigger.on_change(schedule=BuildSchedule.daily()),
    )
    image.on_build_failed("Failed")
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))

    assembly = app.synth()

    report = json.loads(Path(assembly.directory, "validation-report.json").read_text())
    findings = [found["ruleName"] for plugin in report["pluginReports"] for found in plugin.get("violations", [])]
    assert findings == []
