"""Builds by workflows of one's own."""

from __future__ import annotations

import json
from io import BytesIO
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pytest
from botocore.exceptions import ClientError

from tests.support.happenings import EVERYBODY
from tests.support.sandbox import wait_until

if TYPE_CHECKING:
    from tests.sandbox.imagebuilder.conftest import Account

HEAD = "schemaVersion: 1.0\n"
BUILD = """
parameters:
  - {name: sanitize, type: boolean, default: false}
steps:
  - name: Launch
    action: LaunchInstance
    inputs: {waitFor: ssmAgent, instanceTypesOverride: [t3.large]}
  - name: Components
    action: ExecuteComponents
    inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}
  - name: Sanitize
    action: SanitizeInstance
    if: {booleanEquals: true, value: $.parameters.sanitize}
    inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}
  - name: Make
    action: CreateImage
    description: Makes the AMI
    inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}
outputs:
  - {name: made, value: $.stepOutputs.Make.imageId}
"""
TEST = """
steps:
  - name: Launch
    action: LaunchInstance
    inputs: {waitFor: ssmAgent, healthCheck: RUNNING, imageIdOverride.$: $.workflowOutputs.made}
  - name: TestComponents
    action: ExecuteComponents
    inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}
"""
WAITING = """
steps:
  - name: Approve
    action: WaitForAction
    timeoutSeconds: 3600
    inputs:
      snsTopicArn: arn:aws:sns:us-east-1:123456789012:approvals
      payload: '{"image": "{{ $.imagebuilder.imageName }}"}'
  - name: DistributeImage
    action: DistributeImage
"""


def workflow(account: Account, kind: str, text: str, name: str = "mine") -> str:
    made = account.builder.create_workflow(name=name, semanticVersion="1.0.0", type=kind, data=HEAD + text)
    return str(made["workflowBuildVersionArn"])


def pipeline(account: Account, *workflows: dict[str, Any] | str, **more: Any) -> str:
    listed = [one if isinstance(one, dict) else {"workflowArn": one} for one in workflows]
    return account.pipeline(
        account.recipe(components=[{"componentArn": account.component()}]),
        account.infrastructure(),
        executionRole="builder",
        workflows=listed,
        **more,
    )


def test_workflows_of_ones_own_walk_their_steps_and_hand_values_on(account: Account) -> None:
    build, test = workflow(account, "BUILD", BUILD), workflow(account, "TEST", TEST)

    image = account.run(pipeline(account, build, test))

    assert image["state"] == {"status": "AVAILABLE"}
    assert account.steps(image["arn"]) == {
        "Launch": "COMPLETED",
        "Components": "COMPLETED",
        "Sanitize": "SKIPPED",
        "Make": "COMPLETED",
        "TestComponents": "COMPLETED",
        "DistributeImage": "COMPLETED",
        "ModifyImageAttributes": "COMPLETED",
        "ApplyImageConfigurations": "COMPLETED",
    }
    runs = account.builder.list_workflow_executions(imageBuildVersionArn=image["arn"])["workflowExecutions"]
    assert [run["workflowBuildVersionArn"] for run in runs[1:]] == [test, build]
    steps = account.builder.list_workflow_step_executions(workflowExecutionId=runs[2]["workflowExecutionId"])["steps"]
    launch = json.loads(steps[0]["outputs"])
    assert launch["instanceType"] == "t3.large"
    assert json.loads(steps[3]["inputs"]) == {"instanceId": launch["instanceId"]}
    made = json.loads(steps[3]["outputs"])["imageId"]
    assert image["outputResources"]["amis"][0]["image"] == made
    step = account.builder.get_workflow_step_execution(stepExecutionId=steps[3]["stepExecutionId"])
    assert (step["description"], step["onFailure"], step["maxAttempts"]) == ("Makes the AMI", "Abort", 1)
    assert account.instances() == []


def test_a_build_workflow_that_makes_no_ami_fails_and_rolls_back(account: Account) -> None:
    text = "steps:\n  - {name: Launch, action: LaunchInstance, inputs: {waitFor: ssmAgent}}\n"
    broken = text + "  - {name: Stop, action: RunSysPrep, inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}}\n"

    nothing = account.run(pipeline(account, workflow(account, "BUILD", text)))
    account.builder.create_workflow(name="mine", semanticVersion="2.0.0", type="BUILD", data=HEAD + broken)
    other = f"{nothing['workflows'][0]['workflowArn'].rpartition('/1.0.0')[0]}/x.x.x"
    failed = account.run(
        account.pipeline(
            nothing["imageRecipe"]["arn"],
            nothing["infrastructureConfiguration"]["arn"],
            name="other",
            executionRole="builder",
            workflows=[{"workflowArn": other}],
        )
    )

    assert "made no AMI" in nothing["state"]["reason"]
    assert failed["state"]["reason"].startswith("The step Stop failed: Sysprep runs on Windows only")
    assert failed["state"]["failureContext"]["failedStep"] == "Stop"
    [run] = account.builder.list_workflow_executions(imageBuildVersionArn=failed["arn"])["workflowExecutions"]
    steps = account.builder.list_workflow_step_executions(workflowExecutionId=run["workflowExecutionId"])["steps"]
    assert [(step["status"], step.get("rollbackStatus")) for step in steps] == [
        ("COMPLETED", "COMPLETED"),
        ("FAILED", None),
    ]
    assert account.instances() == []


def test_tests_of_a_group_run_at_once_and_may_fail_where_they_are_told_to(account: Account) -> None:
    gate = "steps:\n  - {name: Gate, action: WaitForAction, timeoutSeconds: 600}\n"
    arns = [workflow(account, "TEST", gate, name) for name in ("one", "two", "later")]
    build = "arn:aws:imagebuilder:us-east-1:aws:workflow/build/express-build-image/x.x.x"
    grouped = [{"workflowArn": arn, "parallelGroup": "gates", "onFailure": "CONTINUE"} for arn in arns[:2]]
    started = account.builder.start_image_pipeline_execution(
        imagePipelineArn=pipeline(account, build, *grouped, {"workflowArn": arns[2]})
    )["imageBuildVersionArn"]

    wait_until(lambda: len(waiting(account)) == 2, seconds=30)
    both = waiting(account)
    for step, action in zip(both, ("STOP", "RESUME"), strict=True):
        send(account, step, action)
    wait_until(lambda: [step["workflowBuildVersionArn"] for step in waiting(account)] == [arns[2]], seconds=30)
    send(account, waiting(account)[0], "STOP", reason="not today")

    image = account.ended(started)
    assert {step["workflowBuildVersionArn"] for step in both} == set(arns[:2])
    assert image["state"]["status"] == "FAILED"
    assert "The step Gate failed: stopped by SendWorkflowStepAction: not today" in image["state"]["reason"]
    runs = account.builder.list_workflow_executions(imageBuildVersionArn=started)["workflowExecutions"]
    groups = {run["workflowBuildVersionArn"]: (run["status"], run.get("parallelGroup")) for run in runs}
    stopped = both[0]["workflowBuildVersionArn"]
    assert groups[stopped] == ("FAILED", "gates")
    assert groups[arns[2]] == ("FAILED", None)


def waiting(account: Account) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = account.builder.list_waiting_workflow_steps()["steps"]
    return steps


def send(account: Account, step: dict[str, Any], action: str, **more: Any) -> None:
    account.builder.send_workflow_step_action(
        stepExecutionId=step["stepExecutionId"],
        imageBuildVersionArn=step["imageBuildVersionArn"],
        action=action,
        **more,
    )


def test_an_approval_before_the_distribution_tells_a_topic_and_an_event_and_takes_one_answer(account: Account) -> None:
    taken = account.events("Workflow Step Waiting")
    topic = account.aws("sns").create_topic(Name="approvals")["TopicArn"]
    inbox = account.aws("sqs").create_queue(QueueName="inbox", Attributes={"Policy": EVERYBODY})["QueueUrl"]
    account.aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:inbox")
    distribution = workflow(account, "DISTRIBUTION", WAITING)
    build = workflow(account, "BUILD", BUILD)
    started = account.builder.start_image_pipeline_execution(imagePipelineArn=pipeline(account, build, distribution))[
        "imageBuildVersionArn"
    ]

    [event] = taken()
    [step] = waiting(account)
    [told] = account.aws("sqs").receive_message(QueueUrl=inbox, WaitTimeSeconds=20)["Messages"]
    state = account.builder.get_image(imageBuildVersionArn=started)["image"]["state"]["status"]
    with pytest.raises(ClientError) as other:
        send(account, {**step, "imageBuildVersionArn": started.replace("/1.0.0/", "/9.9.9/")}, "RESUME")
    send(account, step, "RESUME", reason="looks good")
    image = account.ended(started)
    with pytest.raises(ClientError) as again:
        send(account, step, "RESUME")

    assert state == "DISTRIBUTING"
    assert event["resources"] == [started, distribution]
    assert event["detail"] == {
        "workflow-execution-id": step["workflowExecutionId"],
        "workflow-step-execution-id": step["stepExecutionId"],
        "workflow-step-name": "Approve",
    }
    message = json.loads(json.loads(told["Body"])["Message"])
    assert (message["imageBuildVersionArn"], message["stepExecutionId"]) == (started, step["stepExecutionId"])
    assert json.loads(message["customPayload"]) == {"image": "web"}
    assert other.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert again.value.response["Error"]["Code"] == "InvalidRequestException"
    assert image["state"] == {"status": "AVAILABLE"}
    found = account.builder.get_workflow_step_execution(stepExecutionId=step["stepExecutionId"])
    assert json.loads(found["outputs"]) == {"action": "RESUME", "reason": "looks good"}
    assert waiting(account) == []


def test_a_step_that_waits_too_long_by_the_clock_fails(account: Account) -> None:
    gate = "steps:\n  - {name: Gate, action: WaitForAction, timeoutSeconds: 86400}\n"
    started = account.builder.start_image_pipeline_execution(
        imagePipelineArn=pipeline(account, workflow(account, "BUILD", gate))
    )["imageBuildVersionArn"]
    wait_until(lambda: len(waiting(account)) == 1, seconds=30)

    account.ask("clock", advance=86_401)

    image = account.ended(started)
    assert "The step Gate failed: waiting for an action timed out after 86400 s" in image["state"]["reason"]
    with pytest.raises(ClientError) as unknown:
        account.builder.send_workflow_step_action(
            stepExecutionId=f"step-{'0' * 8}-0000-0000-0000-{'0' * 12}", imageBuildVersionArn=started, action="STOP"
        )
    assert unknown.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_a_distribution_workflow_takes_its_own_places_over_those_of_the_configuration(account: Account) -> None:
    text = """
steps:
  - name: First
    action: DistributeImage
    inputs:
      distributions:
        - region: eu-west-1
          description: first wave
          amiTags: {wave: "1"}
  - name: Share
    action: ModifyImageAttributes
    inputs:
      distributedImages.$: $.stepOutputs.First.distributedImages
      attributes: [{region: eu-west-1, launchPermission: {userIds: ["111111111111"]}}]
  - name: Publish
    action: ApplyImageConfigurations
    inputs:
      distributedImages.$: $.stepOutputs.First.distributedImages
      configurations:
        - region: eu-west-1
          ssmParameterConfigurations: [{parameterName: /imagebuilder/web/first, dataType: "aws:ec2:image"}]
"""
    attached = account.distribution(
        {"region": "eu-central-1", "amiDistributionConfiguration": {"name": "web {{ imagebuilder:buildDate }}"}}
    )
    build, distribution = workflow(account, "BUILD", BUILD), workflow(account, "DISTRIBUTION", text)

    image = account.run(pipeline(account, build, distribution, distributionConfigurationArn=attached))

    assert image["state"] == {"status": "AVAILABLE"}
    home, copy = image["outputResources"]["amis"]
    assert (home["region"], copy["region"], copy["description"]) == ("us-east-1", "eu-west-1", "first wave")
    described = account.image(copy["image"], "eu-west-1")
    assert {"Key": "wave", "Value": "1"} in described["Tags"]
    shared = account.aws("ec2", "eu-west-1").describe_image_attribute(
        ImageId=copy["image"], Attribute="launchPermission"
    )
    assert shared["LaunchPermissions"] == [{"UserId": "111111111111"}]
    written = account.aws("ssm", "eu-west-1").get_parameter(Name="/imagebuilder/web/first")["Parameter"]
    assert written["Value"] == copy["image"]


def test_without_a_build_workflow_the_parent_image_itself_is_distributed(account: Account) -> None:
    target = {"region": "us-east-1", "amiDistributionConfiguration": {"name": "web {{ imagebuilder:buildDate }}"}}
    managed = "arn:aws:imagebuilder:us-east-1:aws:workflow/distribution/distribute-image/x.x.x"

    image = account.run(pipeline(account, managed, distributionConfigurationArn=account.distribution(target)))

    assert image["state"] == {"status": "AVAILABLE"}
    [ami] = image["outputResources"]["amis"]
    source = account.aws("ssm").get_parameter(
        Name="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    )["Parameter"]["Value"]
    assert account.image(ami["image"])["SourceImageId"] == source


def test_a_build_acts_by_its_execution_role_where_policies_are_enforced(account: Account) -> None:
    role = "arn:aws:iam::123456789012:role/runs-builds"
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "imagebuilder.amazonaws.com"}}
    iam = account.aws("iam")
    iam.create_role(
        RoleName="runs-builds",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
    )
    managed = [{"workflowArn": f"arn:aws:imagebuilder:us-east-1:aws:workflow/build/{name}/x.x.x"} for name in EXPRESS]
    runs = account.pipeline(account.recipe(), account.infrastructure(), executionRole=role, workflows=managed)

    account.ask("iam", enforce=[role])
    denied = account.run(runs)
    statement = {"Effect": "Allow", "Action": ["ec2:*", "iam:PassRole", "ssm:*", "logs:*"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName="runs-builds", PolicyName="Runs", PolicyDocument=policy)
    allowed = account.run(runs)

    assert denied["state"]["status"] == "FAILED"
    assert "runs-builds" in denied["state"]["reason"]
    assert "is not authorized to perform" in denied["state"]["reason"]
    assert allowed["state"] == {"status": "AVAILABLE"}


EXPRESS = ("express-build-image",)


def test_without_an_execution_role_only_the_services_own_parameters_are_written(account: Account) -> None:
    def run(name: str, **more: Any) -> dict[str, Any]:
        target = {"region": "us-east-1", "ssmParameterConfigurations": [{"parameterName": f"/{name}/web"}]}
        return account.run(
            account.pipeline(
                account.recipe(),
                infrastructure,
                name=f"{name}-{len(more)}",
                imageTestsConfiguration={"imageTestsEnabled": False},
                distributionConfigurationArn=account.distribution(target, name=f"{name}-{len(more)}"),
                **more,
            )
        )

    infrastructure = account.infrastructure()
    own, others, by_role = run("imagebuilder"), run("golden"), run("golden", executionRole="builder")

    assert (own["state"]["status"], by_role["state"]["status"]) == ("AVAILABLE", "AVAILABLE")
    assert others["state"]["status"] == "FAILED"
    assert "the service-linked role writes parameters under /imagebuilder/ only" in others["state"]["reason"]


EVERY = """
steps:
  - name: Launch
    action: LaunchInstance
    inputs: {waitFor: ssmAgent}
  - name: Reach
    action: WaitForSSMAgent
    inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}
  - name: Metadata
    action: CollectImageMetadata
    inputs: {instanceId.$: $.stepOutputs.Launch.instanceId}
  - name: Command
    action: RunCommand
    inputs:
      documentName: AWS-RunShellScript
      parameters: {commands: [uptime]}
      instanceId.$: $.stepOutputs.Launch.instanceId
  - name: Machine
    action: ExecuteStateMachine
    inputs:
      stateMachineArn: arn:aws:states:us-east-1:123456789012:stateMachine:checks
      input: '{"instance": "{{ $.stepOutputs.Launch.instanceId }}"}'
  - name: Register
    action: RegisterImage
    inputs:
      architecture: x86_64
      rootDeviceName: /dev/xvda
      virtualizationType: hvm
      includeSnapshotTags: true
      blockDeviceMapping: [{DeviceName: /dev/xvda, Ebs: {SnapshotId: SNAPSHOT}}]
"""


def test_every_other_step_does_its_work(account: Account) -> None:
    ec2 = account.aws("ec2")
    zone = ec2.describe_availability_zones()["AvailabilityZones"][0]["ZoneName"]
    volume = ec2.create_volume(AvailabilityZone=zone, Size=8)["VolumeId"]
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "from", "Value": "snapshot"}]}]
    snapshot = ec2.create_snapshot(VolumeId=volume, TagSpecifications=tags)["SnapshotId"]
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "states.amazonaws.com"}}
    role = account.aws("iam").create_role(
        RoleName="machine", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    passes = {"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}}
    account.aws("stepfunctions").create_state_machine(name="checks", definition=json.dumps(passes), roleArn=role)

    image = account.run(pipeline(account, workflow(account, "BUILD", EVERY.replace("SNAPSHOT", snapshot))))

    assert image["state"] == {"status": "AVAILABLE"}
    runs = account.builder.list_workflow_executions(imageBuildVersionArn=image["arn"])["workflowExecutions"]
    steps = account.builder.list_workflow_step_executions(workflowExecutionId=runs[-1]["workflowExecutionId"])["steps"]
    outputs = {step["name"]: json.loads(step["outputs"]) for step in steps}
    assert outputs["Reach"] == {"status": "Online"}
    assert outputs["Metadata"]["osVersion"] == "Linux"
    assert outputs["Command"]["runCommandId"]
    assert json.loads(outputs["Machine"]["output"]) == {"instance": outputs["Launch"]["instanceId"]}
    registered = account.image(outputs["Register"]["imageId"])
    assert registered["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"] == snapshot
    assert {"Key": "from", "Value": "snapshot"} in registered["Tags"]
    assert image["outputResources"]["amis"][0]["image"] == registered["ImageId"]
    assert account.instances() == []


def test_an_image_that_failed_in_its_tests_is_retried_there_with_what_the_build_told(account: Account) -> None:
    gate = TEST + "  - {name: Gate, action: WaitForAction, timeoutSeconds: 600}\n"
    build, test = workflow(account, "BUILD", BUILD), workflow(account, "TEST", gate)
    started = account.builder.start_image_pipeline_execution(imagePipelineArn=pipeline(account, build, test))[
        "imageBuildVersionArn"
    ]
    wait_until(lambda: len(waiting(account)) == 1, seconds=30)
    send(account, waiting(account)[0], "STOP")
    failed = account.ended(started)

    account.builder.retry_image(imageBuildVersionArn=started)
    wait_until(lambda: len(waiting(account)) == 1, seconds=30)
    again = account.builder.get_image(imageBuildVersionArn=started)["image"]["state"]["status"]
    send(account, waiting(account)[0], "RESUME")
    image = account.ended(started)

    assert (failed["state"]["status"], again, image["state"]) == ("FAILED", "TESTING", {"status": "AVAILABLE"})
    runs = account.builder.list_workflow_executions(imageBuildVersionArn=started)["workflowExecutions"]
    assert [(run["type"], run["status"], run.get("retried", False)) for run in runs] == [
        ("DISTRIBUTION", "COMPLETED", False),
        ("TEST", "COMPLETED", False),
        ("TEST", "FAILED", True),
        ("BUILD", "COMPLETED", False),
    ]


ANSWERER = """
import boto3

def handler(event, context):
    boto3.client("imagebuilder").send_workflow_step_action(
        stepExecutionId=event["stepExecutionId"],
        imageBuildVersionArn=event["imageBuildVersionArn"],
        action="RESUME",
        reason=event["customPayload"],
    )
"""


def test_a_function_answers_a_step_that_waits(account: Account) -> None:
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
    role = account.aws("iam").create_role(
        RoleName="answers", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    packed = BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.writestr("index.py", ANSWERER)
    account.aws("lambda").create_function(
        FunctionName="answerer",
        Runtime="python3.12",
        Role=role,
        Handler="index.handler",
        Code={"ZipFile": packed.getvalue()},
    )
    gate = """
  - name: Gate
    action: WaitForAction
    timeoutSeconds: 600
    inputs: {lambdaFunctionName: answerer, payload: '"{{ $.stepOutputs.Make.imageId }}"'}
"""

    text = BUILD.replace("outputs:", gate + "outputs:")
    image = account.run(pipeline(account, workflow(account, "BUILD", text)))

    assert image["state"] == {"status": "AVAILABLE"}
    runs = account.builder.list_workflow_executions(imageBuildVersionArn=image["arn"])["workflowExecutions"]
    steps = account.builder.list_workflow_step_executions(workflowExecutionId=runs[-1]["workflowExecutionId"])["steps"]
    made = image["outputResources"]["amis"][0]["image"]
    assert json.loads(steps[-1]["outputs"]) == {"action": "RESUME", "reason": f'"{made}"'}
