"""An account with what builds need, and the usual resources made in one call each."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

import pytest

MakeClient = Callable[..., Any]

SOURCE = "ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
DATED = "web {{ imagebuilder:buildDate }}"
DOCUMENT = """
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - {name: Install, action: ExecuteBash, inputs: {commands: [dnf install -y httpd]}}
  - name: validate
    steps:
      - {name: Check, action: ExecuteBash, inputs: {commands: [systemctl is-enabled httpd]}}
  - name: test
    steps:
      - {name: Serve, action: ExecuteBash, inputs: {commands: [curl -f localhost]}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account's clients, and short ways to make what most tests need."""

    aws: MakeClient
    builder: Any

    def component(self, name: str = "apache", data: str = DOCUMENT, version: str = "1.0.0") -> str:
        made = self.builder.create_component(name=name, semanticVersion=version, platform="Linux", data=data)
        return str(made["componentBuildVersionArn"])

    def recipe(self, name: str = "web", parent: str = SOURCE, version: str = "1.0.x", **more: Any) -> str:
        made = self.builder.create_image_recipe(name=name, semanticVersion=version, parentImage=parent, **more)
        return str(made["imageRecipeArn"])

    def infrastructure(self, name: str = "builds", **more: Any) -> str:
        made = self.builder.create_infrastructure_configuration(name=name, instanceProfileName="builder", **more)
        return str(made["infrastructureConfigurationArn"])

    def distribution(self, *targets: dict[str, Any], name: str = "copies") -> str:
        made = self.builder.create_distribution_configuration(name=name, distributions=list(targets))
        return str(made["distributionConfigurationArn"])

    def pipeline(self, recipe: str, infrastructure: str, name: str = "web", **more: Any) -> str:
        made = self.builder.create_image_pipeline(
            name=name, imageRecipeArn=recipe, infrastructureConfigurationArn=infrastructure, **more
        )
        return str(made["imagePipelineArn"])

    def run(self, pipeline: str, **more: Any) -> dict[str, Any]:
        """Start a pipeline and return the image when its build has ended."""
        started = self.builder.start_image_pipeline_execution(imagePipelineArn=pipeline, **more)
        return self.ended(started["imageBuildVersionArn"])

    def ended(self, image: str, *, seconds: float = 120.0) -> dict[str, Any]:
        """Return the image when its build has ended."""
        deadline = time.monotonic() + seconds
        while True:
            found: dict[str, Any] = self.builder.get_image(imageBuildVersionArn=image)["image"]
            if found["state"]["status"] in ("AVAILABLE", "FAILED", "CANCELLED"):
                return found
            assert time.monotonic() < deadline, f"the build is still {found['state']}"
            time.sleep(0.02)

    def steps(self, image: str) -> dict[str, str]:
        """Return how each step of an image's workflows ended, by its name."""
        runs = self.builder.list_workflow_executions(imageBuildVersionArn=image)["workflowExecutions"]
        return {
            step["name"]: step["status"]
            for run in runs[::-1]
            for step in self.builder.list_workflow_step_executions(workflowExecutionId=run["workflowExecutionId"])[
                "steps"
            ]
        }

    def ask(self, path: str, **asked: Any) -> dict[str, Any]:
        """Ask something of the sandbox itself."""
        request = Request(  # noqa: S310 - loopback
            f"{self.builder.meta.endpoint_url}/_sandbox/{path}", data=json.dumps(asked).encode(), method="POST"
        )
        with urlopen(request) as answer:  # noqa: S310 - loopback
            found: dict[str, Any] = json.load(answer)
            return found

    def events(self, detail_type: str) -> Callable[[], list[dict[str, Any]]]:
        """Catch the events of one detail type from now on, and return what takes those that have come."""
        queue = self.aws("sqs").create_queue(QueueName="caught")["QueueUrl"]
        arn = "arn:aws:sqs:us-east-1:123456789012:caught"
        allow = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [{**allow, "Resource": arn}]})
        self.aws("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
        pattern = {"source": ["aws.imagebuilder"], "detail-type": [f"EC2 Image Builder {detail_type}"]}
        self.aws("events").put_rule(Name="caught", EventPattern=json.dumps(pattern))
        self.aws("events").put_targets(Rule="caught", Targets=[{"Id": "caught", "Arn": arn}])

        def take() -> list[dict[str, Any]]:
            answer = self.aws("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=20)
            return [json.loads(message["Body"]) for message in answer.get("Messages", ())]

        return take

    def image(self, image_id: str, region: str = "us-east-1", account: str = "123456789012") -> dict[str, Any]:
        """Return EC2's description of an AMI."""
        found: dict[str, Any] = self.aws("ec2", region, account=account).describe_images(ImageIds=[image_id])["Images"][
            0
        ]
        return found

    def instances(self, region: str = "us-east-1") -> list[dict[str, Any]]:
        """Return the instances of the account that are not terminated."""
        answer = self.aws("ec2", region).describe_instances()
        found = [instance for group in answer["Reservations"] for instance in group["Instances"]]
        return [instance for instance in found if instance["State"]["Name"] != "terminated"]


@pytest.fixture
def account(aws: MakeClient) -> Account:
    """An account with an instance profile called ``builder``."""
    iam = aws("iam")
    iam.create_role(RoleName="builder", AssumeRolePolicyDocument=json.dumps(trust_of("ec2.amazonaws.com")))
    iam.create_instance_profile(InstanceProfileName="builder")
    iam.add_role_to_instance_profile(InstanceProfileName="builder", RoleName="builder")
    return Account(aws=aws, builder=aws("imagebuilder"))


def trust_of(service: str) -> dict[str, Any]:
    """Return a trust policy for a service."""
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}
    return {"Version": "2012-10-17", "Statement": [statement]}
