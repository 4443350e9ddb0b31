"""What tasks call, by whom, and what becomes of errors, jobs and tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox import clients
from tests.sandbox.stepfunctions.conftest import ROLE, trust
from tests.support.functions import Functions
from tests.support.happenings import ACCOUNT
from tests.support.sandbox import wait_until

if TYPE_CHECKING:
    from tests.sandbox.stepfunctions.conftest import Machines

PASS = {"Type": "Pass"}


def task(action: str, **more: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": f"arn:aws:states:::{action}", **more}


def test_an_sdk_call_names_members_with_capitals_both_ways(machines: Machines) -> None:
    made = machines.output(
        task(
            "aws-sdk:imagebuilder:createComponent",
            Parameters={
                "Name": "hello",
                "SemanticVersion": "1.0.0",
                "Platform": "Linux",
                "ClientToken.$": "States.UUID()",
                "Data": json.dumps(
                    {
                        "schemaVersion": "1.0",
                        "phases": [
                            {
                                "name": "build",
                                "steps": [{"name": "x", "action": "ExecuteBash", "inputs": {"commands": ["true"]}}],
                            }
                        ],
                    }
                ),
            },
        ),
        task(
            "aws-sdk:imagebuilder:getComponent",
            Parameters={"ComponentBuildVersionArn.$": "$.ComponentBuildVersionArn"},
            ResultSelector={"name.$": "$.Component.Name", "platform.$": "$.Component.Platform"},
        ),
    )

    assert made == {"name": "hello", "platform": "Linux"}


def test_an_sdk_call_stays_in_the_machines_region_and_account_and_times_are_texts(machines: Machines) -> None:
    machines.aws("ssm").put_parameter(Name="here", Value="1", Type="String")
    machines.aws("ssm", "eu-west-1").put_parameter(Name="there", Value="1", Type="String")

    found = machines.output(
        task("aws-sdk:ssm:describeParameters", Parameters={}, ResultSelector={"p.$": "$.Parameters"})
    )

    assert [parameter["Name"] for parameter in found["p"]] == ["here"]
    assert found["p"][0]["LastModifiedDate"].endswith("Z")


@pytest.mark.parametrize(
    ("action", "parameters", "error", "cause"),
    [
        ("ec2:describeImages", {"ImageIds": ["ami-0123456789abcdef0"]}, "Ec2.Ec2Exception", "does not exist"),
        ("ssm:getParameter", {"Name": "nothing"}, "Ssm.ParameterNotFoundException", "Status Code: 400"),
        (
            "imagebuilder:getImage",
            {"ImageBuildVersionArn": f"arn:aws:imagebuilder:us-east-1:{ACCOUNT}:image/a/1.0.0/1"},
            "Imagebuilder.ResourceNotFoundException",
            "Service: Imagebuilder",
        ),
        ("cloudformation:describeStacks", {"StackName": "no"}, "CloudFormation.CloudFormationException", "no"),
        ("marketplacecatalog:listEntities", {"Catalog": "c", "EntityType": "t"}, "MarketplaceCatalog.", "not offer"),
        ("ssm:getParameter", {"name": "nothing"}, "States.Runtime", "'name' of GetParameter is not supported"),
    ],
)
def test_errors_have_the_names_of_the_java_sdk(
    machines: Machines, action: str, parameters: dict[str, Any], error: str, cause: str
) -> None:
    found = machines.failure(task(f"aws-sdk:{action}", Parameters=parameters))

    assert found[0].startswith(error)
    assert cause in found[1]


def test_a_task_is_tried_again_by_the_clock_and_then_caught(machines: Machines) -> None:
    retry = {
        "ErrorEquals": ["Ssm.ParameterNotFoundException"],
        "IntervalSeconds": 10,
        "MaxAttempts": 2,
        "BackoffRate": 3,
    }
    catch = {"ErrorEquals": ["States.ALL"], "Next": "C", "ResultPath": "$.error"}
    get = task(
        "aws-sdk:ssm:getParameter", Parameters={"Name": "late"}, Retry=[retry], Catch=[catch], ResultPath="$.got"
    )
    arn = machines.start(machines.make(get, {**PASS, "End": True}, {**PASS, "Result": "gave up"}), {})
    assert machines.types(arn).count("TaskFailed") == 1

    machines.it.advance(11)
    assert machines.types(arn).count("TaskFailed") == 2
    machines.it.advance(20)
    assert machines.types(arn).count("TaskFailed") == 2
    machines.aws("ssm").put_parameter(Name="late", Value="here", Type="String")
    machines.it.advance(11)

    assert json.loads(machines.seen(arn)["output"])["got"]["Parameter"]["Value"] == "here"
    never = machines.start(machines.make({**get, "Parameters": {"Name": "never"}}, PASS, PASS), {"in": 1})
    machines.it.advance(50)
    output = json.loads(machines.seen(never)["output"])
    assert output["error"]["Error"] == "Ssm.ParameterNotFoundException"


def test_a_runtime_error_is_caught_by_nobody(machines: Machines) -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "B"}]

    error, _ = machines.failure(
        task("aws-sdk:ssm:getParameter", Parameters={"Nothing": "x"}, Catch=catch), {**PASS, "Result": 1}
    )

    assert error == "States.Runtime"


def test_messages_go_to_topics_queues_and_buses(machines: Machines) -> None:
    machines.it.queue("direct")
    queue = machines.aws("sqs").get_queue_url(QueueName="direct")["QueueUrl"]
    topic = machines.aws("sns").create_topic(Name="topic")["TopicArn"]
    machines.aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=machines.it.queue("by-topic"))
    machines.it.rule({"source": ["machine"]}, Arn=machines.it.queue("by-bus"))
    entry = {"Source": "machine", "DetailType": "done", "Detail": {"n.$": "$.n"}}
    steps = [
        task("sqs:sendMessage", Parameters={"QueueUrl": queue, "MessageBody": {"n.$": "$.n"}}, ResultPath=None),
        task("sns:publish", Parameters={"TopicArn": topic, "Message.$": "$"}, ResultPath=None),
        task("events:putEvents", Parameters={"Entries": [entry]}, ResultSelector={"failed.$": "$.FailedEntryCount"}),
    ]

    arn = machines.start(machines.make(*steps), {"n": 1})

    assert json.loads(machines.seen(arn)["output"]) == {"failed": 0}
    assert machines.it.heard("direct") == [{"n": 1}]
    assert [json.loads(message["Message"]) for message in machines.it.heard("by-topic")] == [{"n": 1}]
    [event] = machines.it.heard("by-bus")
    assert (event["detail"], event["resources"][0]) == ({"n": 1}, arn)


def waiting(machines: Machines, **more: Any) -> tuple[str, str]:
    """Start a machine whose task waits for its token; return the execution and the token."""
    machines.it.queue("asked")
    queue = machines.aws("sqs").get_queue_url(QueueName="asked")["QueueUrl"]
    body = {"token.$": "$$.Task.Token"}
    parameters = {"QueueUrl": queue, "MessageBody": body}
    machine = machines.make(task("sqs:sendMessage.waitForTaskToken", Parameters=parameters, **more))
    arn = machines.start(machine)
    [asked] = machines.it.heard("asked")
    return arn, asked["token"]


def test_a_task_waits_for_the_answer_to_its_token(machines: Machines) -> None:
    arn, token = waiting(machines)
    assert machines.seen(arn)["status"] == "RUNNING"
    with pytest.raises(ClientError, match="InvalidOutput"):
        machines.sfn.send_task_success(taskToken=token, output="{")

    machines.sfn.send_task_success(taskToken=token, output='{"approved": true}')
    machines.it.settle()

    assert json.loads(machines.seen(arn)["output"]) == {"approved": True}
    kinds = ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]
    assert [kind for kind in machines.types(arn) if kind.startswith("Task") and "State" not in kind] == kinds
    with pytest.raises(ClientError, match="TaskTimedOut"):
        machines.sfn.send_task_success(taskToken=token, output="{}")
    with pytest.raises(ClientError, match="InvalidToken"):
        machines.sfn.send_task_failure(taskToken="other")


def test_a_refusal_fails_the_task_with_its_own_error(machines: Machines) -> None:
    arn, token = waiting(machines)

    machines.sfn.send_task_failure(taskToken=token, error="Refused", cause="not today")
    machines.it.settle()

    found = machines.seen(arn)
    assert (found["status"], found["error"], found["cause"]) == ("FAILED", "Refused", "not today")


def test_a_task_without_heartbeat_or_past_its_time_ends(machines: Machines) -> None:
    arn, token = waiting(machines, HeartbeatSeconds=60, TimeoutSeconds=130)
    machines.it.advance(50)
    machines.sfn.send_task_heartbeat(taskToken=token)
    machines.it.advance(50)
    assert machines.seen(arn)["status"] == "RUNNING"
    machines.sfn.send_task_heartbeat(taskToken=token)

    machines.it.advance(40)

    assert machines.seen(arn)["error"] == "States.Timeout"
    silent, _ = waiting(machines, HeartbeatSeconds=60)
    machines.it.advance(61)
    assert machines.seen(silent)["error"] == "States.HeartbeatTimeout"
    assert "TaskTimedOut" in machines.types(silent)


@pytest.mark.parametrize(("pattern", "output"), [("sync:2", {"r": 1}), ("sync", '{"r": 1}')])
def test_a_machine_waits_for_another(machines: Machines, pattern: str, output: Any) -> None:
    child = machines.make({"Type": "Wait", "Seconds": 60}, {**PASS, "Result": {"r": 1}}, name="child")
    parent = machines.make(task(f"states:startExecution.{pattern}", Parameters={"StateMachineArn": child}))
    arn = machines.start(parent)
    assert machines.seen(arn)["status"] == "RUNNING"

    machines.it.advance(61)

    assert json.loads(machines.seen(arn)["output"])["Output"] == output


def test_a_machine_that_is_stopped_stops_the_one_it_waits_for(machines: Machines) -> None:
    child = machines.make({"Type": "Wait", "Seconds": 60}, name="child")
    arn = machines.start(machines.make(task("states:startExecution.sync:2", Parameters={"StateMachineArn": child})))

    machines.sfn.stop_execution(executionArn=arn, error="Enough", cause="of it")

    assert (machines.seen(arn)["status"], machines.seen(arn)["error"]) == ("ABORTED", "Enough")
    [stopped] = machines.sfn.list_executions(stateMachineArn=child)["executions"]
    assert stopped["status"] == "ABORTED"


def test_a_failed_machine_fails_the_one_that_waits(machines: Machines) -> None:
    child = machines.make({"Type": "Fail", "Error": "Bad"}, name="child")

    error, cause = machines.failure(task("states:startExecution.sync:2", Parameters={"StateMachineArn": child}))

    assert error == "States.TaskFailed"
    assert (json.loads(cause)["Status"], json.loads(cause)["Error"]) == ("FAILED", "Bad")


def test_a_task_may_act_in_another_account_by_a_role_there(machines: Machines) -> None:
    machines.aws("ssm", account="210987654321").put_parameter(Name="far", Value="away", Type="String")
    there = {"RoleArn": "arn:aws:iam::210987654321:role/let-in"}

    found = machines.output(task("aws-sdk:ssm:getParameter", Parameters={"Name": "far"}, Credentials=there))

    assert found["Parameter"]["Value"] == "away"


def test_a_rule_starts_a_machine_with_the_event(machines: Machines) -> None:
    machines.aws("iam").create_role(RoleName="rule", AssumeRolePolicyDocument=trust("events.amazonaws.com"))
    machine = machines.make(PASS)

    def tell(role: str) -> None:
        machines.it.rule({"source": ["shop"]}, Arn=machine, RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}")
        machines.it.put({"n": role})

    tell("machine")
    assert machines.sfn.list_executions(stateMachineArn=machine)["executions"] == []
    assert "does not trust events.amazonaws.com" in machines.it.ask("events/delivery")["failed"][0]["message"]

    tell("rule")

    [one] = machines.sfn.list_executions(stateMachineArn=machine)["executions"]
    assert json.loads(machines.seen(one["executionArn"])["input"])["detail"] == {"n": "rule"}


def test_every_call_of_an_execution_names_its_role(machines: Machines, monkeypatch: pytest.MonkeyPatch) -> None:
    from moto.core.responses import BaseResponse  # noqa: PLC0415 - after the server is up

    roles: list[Any] = []
    dispatch = BaseResponse._dispatch

    def listen(self: Any, request: Any, full_url: Any = None, headers: Any = None) -> Any:
        roles.append((self.boto3_service_name, request.headers.get("x-sandbox-role")))
        return dispatch(self, request, full_url, headers)

    machine = machines.make(task("aws-sdk:ec2:describeRegions", Parameters={}))
    monkeypatch.setattr(BaseResponse, "_dispatch", listen)
    machines.start(machine)
    wait_until(lambda: ("ec2", ROLE) in roles)

    assert ("stepfunctions", None) in roles


def test_a_function_answers_a_task_or_fails_it_with_its_own_error(machines: Machines) -> None:
    code = """
        def handler(event, context):
            if event["n"] < 0:
                raise ValueError("below zero")
            return {"double": event["n"] * 2}
    """
    function = Functions(machines.aws("lambda"), machines.aws("iam")).make(code)
    payload = {"FunctionName": function, "Payload.$": "$"}
    invoke = task("lambda:invoke", Parameters=payload, OutputPath="$.Payload")
    direct = {"Type": "Task", "Resource": function}

    assert machines.output(invoke, direct | {"InputPath": "$", "Parameters": {"n.$": "$.double"}}, value={"n": 2}) == {
        "double": 8
    }
    error, cause = machines.failure(invoke, value={"n": -1})

    assert error == "ValueError"
    assert json.loads(cause)["errorMessage"] == "below zero"


def test_a_build_is_waited_for(machines: Machines) -> None:
    machines.aws("s3").create_bucket(Bucket="code")
    machines.aws("codebuild").create_project(
        name="packer",
        source={"type": "S3", "location": "code/source.zip"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/standard:7.0",
            "computeType": "BUILD_GENERAL1_SMALL",
        },
        serviceRole=f"arn:aws:iam::{ACCOUNT}:role/service-role/build",
        timeoutInMinutes=60,
        queuedTimeoutInMinutes=60,
    )
    arn = machines.start(machines.make(task("codebuild:startBuild.sync", Parameters={"ProjectName": "packer"})))
    machines.it.advance(6)

    found = machines.seen(arn)

    assert found["status"] == "SUCCEEDED", found
    assert json.loads(found["output"])["Build"]["BuildStatus"] == "SUCCEEDED"


def test_a_task_reads_and_writes_a_table(machines: Machines) -> None:
    # A table that is made answers a 0 which the service's own model does not allow.
    clients.client("dynamodb", "us-east-1").create_table(
        TableName="locks",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    take = task(
        "dynamodb:putItem",
        Parameters={
            "TableName": "locks",
            "Item": {"id": {"S.$": "$.image"}},
            "ConditionExpression": "attribute_not_exists(id)",
        },
        ResultPath=None,
    )
    read = task("dynamodb:getItem", Parameters={"TableName": "locks", "Key": {"id": {"S.$": "$.image"}}})

    assert machines.output(take, read, value={"image": "web"})["Item"] == {"id": {"S": "web"}}
    assert machines.failure(take, value={"image": "web"})[0] == "DynamoDb.ConditionalCheckFailedException"


def test_a_machine_may_do_what_its_role_may(machines: Machines) -> None:
    machines.aws("ssm").put_parameter(Name="here", Value="1", Type="String")
    get = task("aws-sdk:ssm:getParameter", Parameters={"Name": "here"})
    machines.it.ask("iam", {"enforce": [ROLE]})

    error, cause = machines.failure(get)
    statement = {"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    machines.aws("iam").put_role_policy(RoleName="machine", PolicyName="read", PolicyDocument=policy)

    assert error == "Ssm.AccessDeniedException"
    assert "not authorized to perform: ssm:GetParameter" in cause
    assert machines.output(get)["Parameter"]["Value"] == "1"
