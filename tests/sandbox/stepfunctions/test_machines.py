"""State machines and executions as records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cdk_ami.sandbox.server import Sandbox
from tests.sandbox.stepfunctions.conftest import ROLE
from tests.support.happenings import ACCOUNT

if TYPE_CHECKING:
    from tests.sandbox.stepfunctions.conftest import Machines

PASS = {"Type": "Pass"}
WAIT = {"Type": "Wait", "Seconds": 60}


def one(**state: Any) -> dict[str, Any]:
    return {"StartAt": "A", "States": {"A": state}}


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ({"StartAt": "B", "States": {"A": {"Type": "Succeed"}}}, "Missing 'Next' target: B at /StartAt"),
        (one(Type="Pass", Next="B"), "Missing 'Next' target: B at /States/A/Next"),
        (one(Type="Pass"), "either Next or End at /States/A"),
        (one(Type="Sleep", End=True), "Type is one of Pass"),
        (one(Type="Pass", End=True, Resource="x"), "Field 'Resource' is not supported by a Pass state"),
        (
            {"StartAt": "A", "States": {"A": {"Type": "Succeed"}, "B": {"Type": "Succeed"}}},
            'State "B" is not reachable',
        ),
        (one(Type="Pass", End=True, ResultPath="$.a[*]"), "can name several values"),
        (one(Type="Pass", End=True, Parameters={"a.$": "b"}), "is no intrinsic function"),
        (one(Type="Pass", End=True, Parameters={"a.$": "States.Nothing()"}), "is no intrinsic function"),
        (one(Type="Choice", Choices=[{"Variable": "$.a", "Next": "A"}]), "exactly one comparison"),
        (one(Type="Wait", Seconds=1, Timestamp="2026-01-01T00:00:00Z", End=True), "exactly one of Seconds"),
        (
            one(Type="Task", Resource="arn:aws:states:::glue:startJobRun.sync", End=True),
            "does not have the integration",
        ),
        (one(Type="Task", Resource="arn:aws:states:::aws-sdk:ec2:describeImage", End=True), "has no operation"),
        (one(Type="Task", Resource="arn:aws:states:::aws-sdk:ec3:x", End=True), "there is no service ec3"),
        (
            one(Type="Task", Resource="arn:aws:states:::sqs:sendMessage.waitForTaskToken", Parameters={}, End=True),
            "hands $$.Task.Token on",
        ),
        (
            one(
                Type="Task",
                Resource="arn:aws:states:::aws-sdk:ec2:describeImages",
                Retry=[{"ErrorEquals": ["States.ALL", "X"]}],
                End=True,
            ),
            "States.ALL stands alone",
        ),
        ({**one(Type="Succeed"), "QueryLanguage": "JSONata"}, "the sandbox runs JSONPath only, not JSONata"),
        (one(Type="Pass", QueryLanguage="JSONata", End=True), "the sandbox runs JSONPath only, not JSONata"),
    ],
)
def test_a_definition_that_could_not_run_is_refused(
    machines: Machines, definition: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError) as caught:
        machines.define(definition)

    assert caught.value.response["Error"]["Code"] == "InvalidDefinition"
    assert message in caught.value.response["Error"]["Message"]
    checked = machines.sfn.validate_state_machine_definition(definition=json.dumps(definition))
    assert checked["result"] == "FAIL"
    assert any(message.partition(" at /")[0] in found["message"] for found in checked["diagnostics"])


def test_a_machine_needs_a_role_that_trusts_the_service(machines: Machines) -> None:
    statement = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    machines.aws("iam").create_role(RoleName="other", AssumeRolePolicyDocument=json.dumps({"Statement": [statement]}))
    for role in ("other", "absent"):
        with pytest.raises(ClientError, match="nor the regional one is authorized"):
            machines.sfn.create_state_machine(
                name="m", definition=json.dumps(one(Type="Succeed")), roleArn=f"arn:aws:iam::{ACCOUNT}:role/{role}"
            )


def test_a_machine_is_made_once_changed_and_deleted(machines: Machines) -> None:
    arn = machines.make(PASS, name="m")
    assert machines.make(PASS, name="m") == arn
    with pytest.raises(ClientError, match="StateMachineAlreadyExists"):
        machines.make(WAIT, name="m")
    with pytest.raises(ClientError, match="InvalidName"):
        machines.make(PASS, name="a b")
    logging = {"level": "ALL", "includeExecutionData": True, "destinations": []}

    updated = machines.sfn.update_state_machine(
        stateMachineArn=arn, definition=json.dumps(one(**WAIT, End=True)), loggingConfiguration=logging
    )

    found = machines.sfn.describe_state_machine(stateMachineArn=arn)
    assert (found["revisionId"], found["roleArn"]) == (updated["revisionId"], ROLE)
    assert json.loads(found["definition"])["States"]["A"]["Type"] == "Wait"
    assert found["loggingConfiguration"] == logging
    machines.sfn.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    machines.sfn.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert machines.sfn.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": "2"}]
    running = machines.start(arn)
    machines.sfn.delete_state_machine(stateMachineArn=arn)
    assert machines.seen(running)["status"] == "ABORTED"
    assert machines.sfn.list_state_machines()["stateMachines"] == []
    with pytest.raises(ClientError, match="StateMachineDoesNotExist"):
        machines.start(arn)


def test_a_name_starts_one_execution(machines: Machines) -> None:
    arn = machines.make(WAIT)
    first = machines.start(arn, {"n": 1}, name="once")

    assert machines.start(arn, {"n": 1}, name="once") == first
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        machines.start(arn, {"n": 2}, name="once")
    machines.it.advance(61)
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        machines.start(arn, {"n": 1}, name="once")
    assert first == arn.replace(":stateMachine:", ":execution:") + ":once"


def test_an_execution_without_a_name_gets_one_and_all_are_listed_newest_first(machines: Machines) -> None:
    arn = machines.make(WAIT)
    runs = [machines.start(arn) for _ in range(3)]
    machines.sfn.stop_execution(executionArn=runs[0])

    listed = machines.sfn.list_executions(stateMachineArn=arn, maxResults=2)
    rest = machines.sfn.list_executions(stateMachineArn=arn, maxResults=2, nextToken=listed["nextToken"])

    found = [execution["executionArn"] for execution in (*listed["executions"], *rest["executions"])]
    assert found == runs[::-1]
    stopped = machines.sfn.list_executions(stateMachineArn=arn, statusFilter="ABORTED")["executions"]
    assert [execution["executionArn"] for execution in stopped] == runs[:1]


def test_an_execution_goes_on_with_the_definition_it_began_with(machines: Machines) -> None:
    arn = machines.make(WAIT, {**PASS, "Result": "old"})
    run = machines.start(arn)
    machines.sfn.update_state_machine(stateMachineArn=arn, definition=json.dumps(one(Type="Pass", End=True)))

    machines.it.advance(61)

    assert json.loads(machines.seen(run)["output"]) == "old"
    told = machines.sfn.describe_state_machine_for_execution(executionArn=run)
    assert json.loads(told["definition"])["StartAt"] == "A"
    assert "B" in json.loads(told["definition"])["States"]


def test_a_machine_with_a_time_limit_ends_at_it(machines: Machines) -> None:
    run = machines.start(machines.make(WAIT, TimeoutSeconds=30))

    machines.it.advance(31)

    assert machines.seen(run)["status"] == "TIMED_OUT"
    assert machines.types(run)[-1] == "ExecutionTimedOut"


def test_each_status_of_an_execution_is_an_event(machines: Machines) -> None:
    run = machines.start(machines.make({"Type": "Fail", "Error": "Bad", "Cause": "so"}), {"n": 1})

    events = machines.it.log("Step Functions Execution Status Change")

    assert [event["detail"]["status"] for event in events] == ["RUNNING", "FAILED"]
    assert (events[1]["source"], events[1]["resources"]) == ("aws.states", [run])
    assert (events[1]["detail"]["error"], events[1]["detail"]["input"]) == ("Bad", '{"n": 1}')


def test_an_express_machine_answers_at_once_and_keeps_no_history(machines: Machines, sandbox: Sandbox) -> None:
    arn = machines.make({**PASS, "Result": {"r": 1}}, kind="EXPRESS")
    client = boto3.client(
        "stepfunctions",
        region_name="us-east-1",
        endpoint_url=sandbox.endpoint,
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(inject_host_prefix=False),
    )

    found = client.start_sync_execution(stateMachineArn=arn, input="{}")

    assert (found["status"], found["output"]) == ("SUCCEEDED", '{"r": 1}')
    with pytest.raises(ClientError, match="ExecutionDoesNotExist"):
        machines.seen(found["executionArn"])
    with pytest.raises(ClientError, match="StateMachineTypeNotSupported"):
        client.start_sync_execution(stateMachineArn=machines.make(PASS), input="{}")


def test_what_the_sandbox_lacks_is_refused_by_name(machines: Machines) -> None:
    with pytest.raises(ClientError, match="does not offer the operation CreateActivity of stepfunctions"):
        machines.sfn.create_activity(name="a")


def test_what_has_ended_can_be_saved_and_what_waits_for_an_answer_cannot(machines: Machines, tmp_path: Path) -> None:
    ended = machines.start(machines.make({**PASS, "Result": 1}, name="ends"))
    file = str(tmp_path / "state")
    machines.it.ask("state", {"save": file})
    machines.it.ask("state", {"load": file})

    assert machines.seen(ended)["output"] == "1"
    assert machines.types(ended)[-1] == "ExecutionSucceeded"
    queue = machines.aws("sqs").create_queue(QueueName="asked")["QueueUrl"]
    ask = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": queue, "MessageBody.$": "$$.Task.Token"},
    }
    machines.start(machines.make(ask, name="waits"))
    with pytest.raises(OSError, match="400"):
        machines.it.ask("state", {"save": file})
