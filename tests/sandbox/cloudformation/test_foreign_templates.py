"""Templates as people write them by hand, deployed by the AWS command line; their images are built."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cdk_ami.sandbox.server import Sandbox
from tests.support.sandbox import MakeClient, wait_until
from tests.support.stacks import Stacks

TEMPLATES = Path(__file__).with_name("templates")
AWS = Path(sys.executable).with_name("aws")

Command = Callable[..., Any]


@pytest.fixture
def command(sandbox: Sandbox) -> Command:
    """Run one command of the AWS command line and return what it prints."""
    assert sandbox.endpoint  # the environment of the session points at it

    def run(*words: str) -> Any:
        done = subprocess.run(
            [str(AWS), *words, "--output", "json"], check=False, capture_output=True, text=True, cwd=TEMPLATES
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout) if done.stdout.lstrip().startswith(("{", "[")) else done.stdout

    return run


def deploy(command: Command, name: str, *more: str) -> None:
    command(
        *("cloudformation", "deploy", "--stack-name", name, "--template-file", f"{name}.yaml"),
        *("--capabilities", "CAPABILITY_IAM", *more),
    )


def status_of(aws: MakeClient, arn: str) -> str:
    return str(aws("imagebuilder").get_image(imageBuildVersionArn=arn)["image"]["state"]["status"])


def test_a_linux_template_deploys_builds_refreshes_its_fleet_and_goes(
    command: Command, aws: MakeClient, stacks: Stacks
) -> None:
    deploy(command, "linux", "--parameter-overrides", "Email=team@example.com", "--tags", "team=web")
    outputs = stacks.outputs("linux")
    assert outputs["Image"].endswith(":image/webserver/x.x.x")

    started = command("imagebuilder", "start-image-pipeline-execution", "--image-pipeline-arn", outputs["Pipeline"])[
        "imageBuildVersionArn"
    ]
    imagebuilder = aws("imagebuilder")
    waiting: list[dict[str, Any]] = []

    def asked() -> bool:
        waiting[:] = imagebuilder.list_waiting_workflow_steps()["steps"]
        return bool(waiting) or status_of(aws, started) == "FAILED"

    wait_until(asked, seconds=60)
    assert waiting, imagebuilder.get_image(imageBuildVersionArn=started)["image"]["state"]
    imagebuilder.send_workflow_step_action(
        stepExecutionId=waiting[0]["stepExecutionId"], imageBuildVersionArn=started, action="RESUME"
    )
    wait_until(lambda: status_of(aws, started) in {"AVAILABLE", "FAILED"}, seconds=60)

    image = imagebuilder.get_image(imageBuildVersionArn=started)["image"]
    assert image["state"]["status"] == "AVAILABLE", image["state"]
    ami = image["outputResources"]["amis"][0]["image"]
    assert aws("ssm").get_parameter(Name="/golden/latest")["Parameter"]["Value"] == ami
    refreshes = aws("autoscaling").describe_instance_refreshes
    wait_until(lambda: bool(refreshes(AutoScalingGroupName=outputs["Group"])["InstanceRefreshes"]), seconds=60)
    wait_until(
        lambda: refreshes(AutoScalingGroupName=outputs["Group"])["InstanceRefreshes"][0]["Status"] == "Successful",
        seconds=60,
    )
    running = aws("ec2").describe_instances(
        Filters=[
            {"Name": "instance-state-name", "Values": ["running"]},
            {"Name": "tag:aws:autoscaling:groupName", "Values": [outputs["Group"]]},
        ]
    )["Reservations"]
    assert {one["ImageId"] for reservation in running for one in reservation["Instances"]} == {ami}
    empty(aws, outputs["Bucket"])
    command("cloudformation", "delete-stack", "--stack-name", "linux")
    assert stacks.settled(stack_id(stacks, "linux")) == "DELETE_COMPLETE", stacks.reasons(stack_id(stacks, "linux"))


def test_a_windows_template_builds_while_it_deploys(command: Command, aws: MakeClient, stacks: Stacks) -> None:
    deploy(command, "windows")

    outputs = stacks.outputs("windows")
    images = aws("ec2").describe_images(ImageIds=[outputs["Ami"], outputs["Child"]])["Images"]
    assert {image["Platform"] for image in images} == {"windows"}
    assert aws("ssm").get_parameter(Name="/images/windows")["Parameter"]["Value"] == outputs["Ami"]
    assert aws("ssm").get_parameter(Name="/imagebuilder/windows")["Parameter"]["Value"] == outputs["Ami"]
    arn = outputs["Image"]
    assert status_of(aws, arn) == "AVAILABLE"
    empty(aws, stacks.physical_id("windows", "LogBucket"))
    assert stacks.delete(stack_id(stacks, "windows")) == "DELETE_COMPLETE", stacks.reasons("windows")


def test_the_command_line_s_words_for_stacks_work(command: Command, aws: MakeClient, tmp_path: Path) -> None:
    def cloudformation(*words: str) -> Any:
        return command("cloudformation", *words)

    path = tmp_path / "small.yaml"
    path.write_text(
        "Parameters: {Value: {Type: String, Default: one, Description: what}}\n"
        "Resources:\n"
        "  Topic: {Type: 'AWS::SNS::Topic'}\n"
        "  Role:\n"
        "    Type: AWS::IAM::Role\n"
        "    Properties:\n"
        "      AssumeRolePolicyDocument: {Version: 2012-10-17, Statement: []}\n"
        "  One: {Type: 'AWS::SSM::Parameter', Properties: {Name: /one, Type: String, Value: !Ref Value}}\n"
        "Outputs: {Topic: {Value: !Ref Topic, Export: {Name: topic}}}\n"
    )
    body = f"file://{path}"
    role = "arn:aws:iam::123456789012:role/deployer"

    summary = cloudformation("get-template-summary", "--template-body", body)
    valid = cloudformation("validate-template", "--template-body", body)
    made = cloudformation(
        *("create-stack", "--stack-name", "small", "--template-body", body, "--capabilities", "CAPABILITY_IAM"),
        *("--tags", "Key=team,Value=web", "--role-arn", role, "--enable-termination-protection", "--disable-rollback"),
    )
    cloudformation("wait", "stack-create-complete", "--stack-name", "small")
    cloudformation(
        *("update-stack", "--stack-name", "small", "--use-previous-template", "--capabilities", "CAPABILITY_IAM"),
        *("--parameters", "ParameterKey=Value,ParameterValue=two"),
    )
    cloudformation("wait", "stack-update-complete", "--stack-name", "small")
    stack = cloudformation("describe-stacks", "--stack-name", made["StackId"])["Stacks"][0]
    resources = cloudformation("describe-stack-resources", "--stack-name", "small")["StackResources"]
    exports = cloudformation("list-exports")["Exports"]
    cloudformation("update-termination-protection", "--stack-name", "small", "--no-enable-termination-protection")
    cloudformation("delete-stack", "--stack-name", "small")
    cloudformation("wait", "stack-delete-complete", "--stack-name", made["StackId"])

    assert valid["Capabilities"] == summary["Capabilities"] == ["CAPABILITY_IAM"]
    assert summary["ResourceTypes"] == ["AWS::IAM::Role", "AWS::SNS::Topic", "AWS::SSM::Parameter"]
    assert (stack["RoleARN"], stack["EnableTerminationProtection"]) == (role, True)
    assert stack["Parameters"] == [{"ParameterKey": "Value", "ParameterValue": "two"}]
    assert {one["LogicalResourceId"]: one["ResourceStatus"] for one in resources}["One"] == "UPDATE_COMPLETE"
    assert [one["Name"] for one in exports] == ["topic"]
    assert aws("ssm").get_parameters(Names=["/one"])["InvalidParameters"] == ["/one"]


def stack_id(stacks: Stacks, name: str) -> str:
    """Return the id of a stack, which finds it when it is gone as well."""
    if name not in stacks.ids:
        found = stacks.client.list_stacks()["StackSummaries"]
        stacks.ids[name] = next(one["StackId"] for one in found if one["StackName"] == name)
    return stacks.ids[name]


def empty(aws: MakeClient, bucket: str) -> None:
    for page in aws("s3").get_paginator("list_object_versions").paginate(Bucket=bucket):
        for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            aws("s3").delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
