from __future__ import annotations

import json
from typing import Any

from cdk_ami.sandbox.events.emit import emit
from tests.support.sandbox import ACCOUNT


def test_what_a_service_tells_reaches_the_targets_of_a_rule(aws: Any) -> None:
    sqs, events = aws("sqs"), aws("events")
    queue = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="groups", EventPattern=json.dumps({"source": ["aws.autoscaling"]}))
    events.put_targets(Rule="groups", Targets=[{"Id": "queue", "Arn": arn}])

    emit("us-east-1", ACCOUNT, "aws.autoscaling", "EC2 Instance Launch Successful", {"Cause": "because"}, ["arn:x"])

    (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    event = json.loads(message["Body"])
    assert (event["source"], event["detail-type"]) == ("aws.autoscaling", "EC2 Instance Launch Successful")
    assert (event["detail"], event["resources"]) == ({"Cause": "because"}, ["arn:x"])
