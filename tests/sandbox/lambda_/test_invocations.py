"""Functions invoked over HTTP, their handlers in child processes."""

from __future__ import annotations

import base64
import json
import os
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.server import Sandbox
from tests.support.functions import Functions, archive
from tests.support.sandbox import MakeClient, reset, wait_until

ECHO = "def handler(event, context): return event"


def timed(aws: MakeClient, group: str = "/aws/lambda/fn") -> list[tuple[int, str]]:
    try:
        found = aws("logs").filter_log_events(logGroupName=group)["events"]
    except aws("logs").exceptions.ResourceNotFoundException:
        return []
    return [(event["timestamp"], event["message"]) for event in found]


def lines(aws: MakeClient, group: str = "/aws/lambda/fn") -> list[str]:
    return [line for _, line in timed(aws, group)]


def test_a_handler_answers_its_event(functions: Functions) -> None:
    functions.make(ECHO)

    answer = functions.client.invoke(FunctionName="fn", Payload=json.dumps({"one": [1, "ä"]}))

    assert json.loads(answer["Payload"].read()) == {"one": [1, "ä"]}
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert "FunctionError" not in answer


def test_a_handler_calls_the_sandbox_as_its_role(functions: Functions) -> None:
    functions.make("""
        import boto3

        def handler(event, context):
            return boto3.client("sts").get_caller_identity()["Arn"]
    """)

    arn = functions.call()

    assert arn == "arn:aws:sts::123456789012:assumed-role/functions/fn"


def test_a_handler_sees_its_variables_and_its_context(functions: Functions) -> None:
    functions.make(
        """
        import os

        def handler(event, context):
            return {
                "own": os.environ["COLOUR"],
                "region": os.environ["AWS_REGION"],
                "name": context.function_name,
                "arn": context.invoked_function_arn,
                "memory": context.memory_limit_in_mb,
                "group": context.log_group_name,
                "left": 4000 < context.get_remaining_time_in_millis() <= 5000,
                "alien": "PYTEST_CURRENT_TEST" in os.environ,
            }
        """,
        Environment={"Variables": {"COLOUR": "red"}},
        Timeout=5,
        MemorySize=256,
    )

    assert functions.call() == {
        "own": "red",
        "region": "us-east-1",
        "name": "fn",
        "arn": "arn:aws:lambda:us-east-1:123456789012:function:fn",
        "memory": "256",
        "group": "/aws/lambda/fn",
        "left": True,
        "alien": False,
    }


def test_an_environment_is_used_again_until_the_function_changes(functions: Functions) -> None:
    counting = """
        calls = 0

        def handler(event, context):
            global calls
            calls += 1
            return {"calls": calls, "step": STEP}
    """
    functions.make(counting.replace("STEP", "1"))
    first, second = functions.call(), functions.call()

    functions.client.update_function_code(
        FunctionName="fn", ZipFile=archive({"index.py": counting.replace("STEP", "2")})
    )

    assert (first, second) == ({"calls": 1, "step": 1}, {"calls": 2, "step": 1})
    assert functions.call() == {"calls": 1, "step": 2}


def test_an_exception_is_an_answer_in_the_runtime_s_form(functions: Functions, aws: MakeClient) -> None:
    functions.make("""
        def handler(event, context):
            print("before")
            raise KeyError("missing")
    """)

    answer = functions.client.invoke(FunctionName="fn", LogType="Tail")

    fault = json.loads(answer["Payload"].read())
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert (fault["errorType"], fault["errorMessage"]) == ("KeyError", "'missing'")
    assert 'raise KeyError("missing")' in fault["stackTrace"][0]
    tail = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert tail[:2] == ["before", "[ERROR] KeyError: 'missing'"]
    logged = lines(aws)
    assert logged[0].startswith(f"START RequestId: {fault['requestId']} Version: $LATEST")
    assert logged[1] == "before"
    assert logged[-1].startswith(f"REPORT RequestId: {fault['requestId']}\tDuration: ")


@pytest.mark.parametrize(
    ("code", "handler", "kind", "message"),
    [
        ("import nowhere", "index.handler", "Runtime.ImportModuleError", "Unable to import module 'index'"),
        ("def handler(:", "index.handler", "Runtime.UserCodeSyntaxError", "Syntax error in module 'index'"),
        (ECHO, "index.other", "Runtime.HandlerNotFound", "Handler 'other' missing on module 'index'"),
        (ECHO, "index", "Runtime.MalformedHandlerName", "Bad handler 'index'"),
        ("1 / 0", "index.handler", "ZeroDivisionError", "division by zero"),
        (
            "def handler(event, context): return {1, 2}",
            "index.handler",
            "Runtime.MarshalError",
            "Object of type set is not JSON serializable",
        ),
        (
            "import os\ndef handler(event, context): os._exit(3)",
            "index.handler",
            "Runtime.ExitError",
            "Runtime exited with error: exit status 3",
        ),
    ],
)
def test_what_keeps_a_handler_from_answering_is_named(
    functions: Functions, code: str, handler: str, kind: str, message: str
) -> None:
    functions.make(code, Handler=handler)

    fault, error = functions.ask()

    assert error == "Unhandled"
    assert fault["errorType"] == kind
    assert message in fault["errorMessage"]


def test_a_handler_that_takes_too_long_is_killed(functions: Functions) -> None:
    functions.make(
        """
        import os, time

        def handler(event, context):
            if event.get("slow"):
                print("waiting")
                time.sleep(60)
            return os.getpid()
        """,
        Timeout=1,
    )
    before = functions.call()

    fault, error = functions.ask({"slow": True})

    assert (error, fault["errorType"]) == ("Unhandled", "Sandbox.Timedout")
    assert "Task timed out after 1.00 seconds" in fault["errorMessage"]
    assert functions.call() != before


def test_logging_looks_as_the_runtime_prints_it(functions: Functions, aws: MakeClient) -> None:
    functions.make(
        """
        import logging

        def handler(event, context):
            logging.warning("first\\n  second")
            logging.info("silent")
        """,
        LoggingConfig={"LogGroup": "/own/group"},
    )

    functions.call()

    told = lines(aws, "/own/group")
    assert told[1].startswith("[WARNING]\t20")
    assert told[1].endswith("\tfirst")
    assert told[2] == "  second"
    assert not any("silent" in line for line in told)
    configuration = functions.client.get_function_configuration(FunctionName="fn")
    assert configuration["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/own/group"}


def test_layers_are_on_the_path_behind_the_function(functions: Functions) -> None:
    layer = functions.client.publish_layer_version(
        LayerName="shared",
        Content={"ZipFile": archive({"python/shared.py": "WHO = 'layer'", "python/both.py": "WHO = 'layer'"})},
    )["LayerVersionArn"]
    files = {
        "index.py": "import both, shared\ndef handler(event, context): return [both.WHO, shared.WHO]",
        "both.py": "WHO = 'function'",
    }

    functions.make("", Code={"ZipFile": archive(files)}, Layers=[layer])

    assert functions.call() == ["function", "layer"]


def test_code_comes_from_a_bucket(functions: Functions, aws: MakeClient) -> None:
    aws("s3").create_bucket(Bucket="assets")
    aws("s3").put_object(Bucket="assets", Key="code.zip", Body=archive({"deep/er.py": ECHO}))

    functions.make("", Code={"S3Bucket": "assets", "S3Key": "code.zip"}, Handler="deep/er.handler")
    with pytest.raises(ClientError, match="NoSuchKey") as caught:
        functions.client.update_function_code(FunctionName="fn", S3Bucket="assets", S3Key="absent.zip")

    assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert functions.call({"a": 1}) == {"a": 1}


def telling(step: int) -> str:
    """Return a handler that tells which code it is, and by what name it was called."""
    named = "context.function_version, context.invoked_function_arn.partition('function:')[2]"
    return f"def handler(event, context): return [{step}, {named}]"


def test_versions_and_aliases_run_the_code_they_stand_for(functions: Functions) -> None:
    arn = functions.make(telling(1))
    functions.client.publish_version(FunctionName="fn")
    functions.client.create_alias(FunctionName="fn", Name="live", FunctionVersion="1")

    functions.client.update_function_code(FunctionName="fn", ZipFile=archive({"index.py": telling(2)}))

    assert functions.call() == [2, "$LATEST", "fn"]
    assert functions.call(Qualifier="1") == [1, "1", "fn:1"]
    assert functions.call(name="fn:live") == [1, "1", "fn:live"]
    assert functions.call(name=f"{arn}:live") == [1, "1", "fn:live"]


def test_what_is_not_python_is_refused_by_name(functions: Functions) -> None:
    functions.make(ECHO, Runtime="nodejs22.x")

    for kind in ("RequestResponse", "Event"):
        with pytest.raises(ClientError, match=r"runs Python handlers only, and fn is nodejs22\.x"):
            functions.client.invoke(FunctionName="fn", InvocationType=kind)


def test_a_dry_run_runs_nothing(functions: Functions) -> None:
    functions.make("raise SystemExit")

    assert functions.client.invoke(FunctionName="fn", InvocationType="DryRun")["StatusCode"] == 204


def test_a_function_without_concurrency_is_throttled(functions: Functions) -> None:
    functions.make(ECHO)
    functions.client.put_function_concurrency(FunctionName="fn", ReservedConcurrentExecutions=0)

    with pytest.raises(ClientError) as caught:
        functions.call()

    assert caught.value.response["Error"]["Code"] == "TooManyRequestsException"


@pytest.mark.parametrize(("option", "value"), [("Timeout", 901), ("MemorySize", 10241)])
def test_a_function_keeps_within_lambda_s_limits(functions: Functions, option: str, value: Any) -> None:
    with pytest.raises(ClientError, match=f"Value '{value}' at '{option[:1].lower()}{option[1:]}' failed to satisfy"):
        functions.make(ECHO, **{option: value})


def test_event_source_mappings_are_refused(functions: Functions) -> None:
    functions.make(ECHO)

    with pytest.raises(ClientError, match="does not offer event source mappings"):
        functions.client.create_event_source_mapping(
            FunctionName="fn", EventSourceArn="arn:aws:sqs:us-east-1:123456789012:q"
        )


FAILING = """
    import boto3

    def handler(event, context):
        boto3.client("sqs").send_message(QueueUrl=event["queue"], MessageBody=context.aws_request_id)
        raise RuntimeError("no")
"""


def received(aws: MakeClient, queue: str) -> list[str]:
    messages = aws("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    return [message["Body"] for message in messages]


def message(aws: MakeClient, queue: str) -> str:
    """Return the first message, as soon as there is one."""
    found: list[str] = []

    def arrived() -> bool:
        found.extend(received(aws, queue))
        return bool(found)

    wait_until(arrived)
    return found[0]


def queue_arn(aws: MakeClient, url: str) -> str:
    found = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(found["Attributes"]["QueueArn"])


def test_a_failed_event_is_tried_twice_again_and_then_reported(functions: Functions, aws: MakeClient) -> None:
    calls = aws("sqs").create_queue(QueueName="calls")["QueueUrl"]
    failures = aws("sqs").create_queue(QueueName="failures")["QueueUrl"]
    dead = aws("sqs").create_queue(QueueName="dead")["QueueUrl"]
    functions.make(FAILING, DeadLetterConfig={"TargetArn": queue_arn(aws, dead)})
    functions.client.put_function_event_invoke_config(
        FunctionName="fn", DestinationConfig={"OnFailure": {"Destination": queue_arn(aws, failures)}}
    )
    CLOCK.run_at(600)

    answer = functions.client.invoke(FunctionName="fn", InvocationType="Event", Payload=json.dumps({"queue": calls}))
    report = json.loads(message(aws, failures))
    seen = received(aws, calls)

    assert answer["StatusCode"] == 202
    assert len(seen) == 3
    assert len(set(seen)) == 1, "every attempt has the same request id"
    starts = [time for time, line in timed(aws) if line.startswith("START")]
    assert starts[1] - starts[0] >= 60_000
    assert starts[2] - starts[1] >= 120_000
    assert report["requestContext"]["condition"] == "RetriesExhausted"
    assert report["requestContext"]["approximateInvokeCount"] == 3
    assert report["requestPayload"] == {"queue": calls}
    assert report["responsePayload"]["errorMessage"] == "no"
    assert [json.loads(letter) for letter in received(aws, dead)] == [{"queue": calls}]


def test_an_event_that_went_well_is_reported_too(functions: Functions, aws: MakeClient) -> None:
    good = aws("sqs").create_queue(QueueName="good")["QueueUrl"]
    functions.make(ECHO)
    functions.client.put_function_event_invoke_config(
        FunctionName="fn",
        MaximumRetryAttempts=0,
        DestinationConfig={"OnSuccess": {"Destination": queue_arn(aws, good)}},
    )

    functions.client.invoke(FunctionName="fn", InvocationType="Event", Payload=b'{"a": 1}')

    report = json.loads(message(aws, good))
    assert (report["requestContext"]["condition"], report["responsePayload"]) == ("Success", {"a": 1})
    assert functions.client.get_function_event_invoke_config(FunctionName="fn")["MaximumRetryAttempts"] == 0


def test_an_event_that_would_become_too_old_is_not_tried_again(functions: Functions, aws: MakeClient) -> None:
    failures = aws("sqs").create_queue(QueueName="failures")["QueueUrl"]
    functions.make("def handler(event, context): raise ValueError(event)")
    functions.client.put_function_event_invoke_config(
        FunctionName="fn",
        MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": queue_arn(aws, failures)}},
    )

    functions.client.invoke(FunctionName="fn", InvocationType="Event")

    report = json.loads(message(aws, failures))
    context = report["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("EventAgeExceeded", 1)


def test_a_topic_s_messages_reach_a_function(functions: Functions, aws: MakeClient) -> None:
    arn = functions.make("def handler(event, context): print(event['Records'][0]['Sns']['Message'])")
    topic = aws("sns").create_topic(Name="news")["TopicArn"]
    aws("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    functions.client.add_permission(
        FunctionName="fn",
        StatementId="news",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
        SourceArn=topic,
    )

    aws("sns").publish(TopicArn=topic, Message="hello")

    wait_until(lambda: "hello" in lines(aws))


def test_a_reset_ends_what_runs(functions: Functions, sandbox: Sandbox) -> None:
    functions.make("""
        import os

        def handler(event, context):
            return os.getpid()
    """)
    process = functions.call()

    reset(sandbox)

    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
