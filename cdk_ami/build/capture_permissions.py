"""What the state machine of an instance capture may do: one pure list of statements, each wildcard with its reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from cdk_ami.build.capture_plan import STATE_TAG, TEST_TAG
from cdk_ami.naming import IMAGE_TAG
from cdk_ami.policies import allow, policy

WILDCARD_REASON: Final = (
    "Descriptions take no resource, and AMIs, snapshots and throw-away instances have ids that nobody knows "
    "beforehand: they are told by their tags."
)
"""Why the role holds wildcards; stated beside it to whoever checks the template."""

_KEY_ACTIONS: Final = ("kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncrypt*")


class CapturePermissions(NamedTuple):
    """What one capture does.

    Attributes:
        partition: Partition, such as ``aws``.
        region: Region of the instance.
        account: Its account.
        image: Name of the image.
        instance_id: The instance; None where it is found by its tags.
        instance_tags: The tags that it is found by.
        stops: Whether it is stopped.
        terminates: Whether it is terminated in the end.
        standby: Whether it goes into standby.
        document: The SSM document of its commands.
        runs_commands: Whether commands run on it.
        tests: Whether a throw-away instance is launched.
        runs_tests: Whether commands run on that.
        test_role_arn: Role of that instance; None without one.
        keys: ARNs of the keys of the instance's volumes.
        producer_arn: State machine that distributes.
        producer_name: Its name.
        topic_arn: Topic that hears how captures ended; None for nobody.
        topic_key_arn: Key of that topic; None where it is not encrypted.
        minds_encryption: Whether unencrypted volumes are looked for.
    """

    partition: str
    region: str
    account: str
    image: str
    instance_id: str | None
    instance_tags: Mapping[str, str]
    stops: bool
    terminates: bool
    standby: bool
    document: str
    runs_commands: bool
    tests: bool
    runs_tests: bool
    test_role_arn: str | None
    keys: Sequence[str]
    producer_arn: str
    producer_name: str
    topic_arn: str | None = None
    topic_key_arn: str | None = None
    minds_encryption: bool = False

    def document_of_policy(self) -> dict[str, Any]:
        """Return the policy document."""
        return policy(list(self._statements()))

    def _statements(self) -> Iterator[dict[str, Any]]:
        instance, which = self._arn("ec2", f"instance/{self.instance_id or '*'}"), self._which()
        images, snapshots = (f"arn:{self.partition}:ec2:{self.region}::{kind}/*" for kind in ("image", "snapshot"))
        yield allow("Look", self._looks(), ["*"])
        if self.stops:
            yield allow("Instance", ["ec2:StartInstances", "ec2:StopInstances"], [instance], condition=which)
            marks = {"ForAllValues:StringEquals": {"aws:TagKeys": [STATE_TAG]}}
            yield allow("Mark", ["ec2:CreateTags", "ec2:DeleteTags"], [instance], condition=marks)
        if self.terminates:
            yield allow("TerminateInstance", ["ec2:TerminateInstances"], [instance], condition=which)
        yield allow("CaptureInstance", ["ec2:CreateImage"], [instance], condition=which)
        yield allow("Capture", ["ec2:CreateImage"], [images, snapshots])
        made = {"StringEquals": {"ec2:CreateAction": "CreateImage"}}
        yield allow("TagImage", ["ec2:CreateTags"], [images, snapshots], condition=made)
        ours = {"StringEquals": {f"aws:ResourceTag/{IMAGE_TAG}": self.image}}
        yield allow("DropImage", ["ec2:DeregisterImage"], [images], condition=ours)
        yield from self._commands(instance, which)
        if self.standby:
            groups = self._arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/*")
            yield allow("Standby", ["autoscaling:EnterStandby", "autoscaling:ExitStandby"], [groups])
        if self.tests:
            yield from self._tests(images)
        yield from self._keys()
        yield from self._producer()
        if self.topic_arn:
            yield allow("Tell", ["sns:Publish"], [self.topic_arn])
        if self.topic_key_arn:
            yield allow("TellSecretly", ["kms:Decrypt", "kms:GenerateDataKey"], [self.topic_key_arn])

    def _arn(self, service: str, name: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{name}"

    def _which(self) -> dict[str, Any] | None:
        if self.instance_id is not None:
            return None
        return {"StringEquals": {f"aws:ResourceTag/{key}": value for key, value in self.instance_tags.items()}}

    def _looks(self) -> list[str]:
        found = [
            "autoscaling:DescribeAutoScalingInstances",
            "ec2:DescribeImages",
            "ec2:DescribeInstanceTypes",
            "ec2:DescribeInstances",
            "ec2:DescribeTags",
        ]
        if self.minds_encryption:
            found.append("ec2:DescribeVolumes")
        if self.tests:
            found.append("ec2:DescribeInstanceStatus")
        if self.runs_commands or self.runs_tests:
            found.append("ssm:GetCommandInvocation")
        return sorted(found)

    def _commands(self, instance: str, which: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
        if not (self.runs_commands or self.runs_tests):
            return
        # Documents of AWS are named without an account, and in some of its pages with that of the caller.
        document = f"arn:{self.partition}:ssm:{self.region}:*:document/{self.document}"
        yield allow("Document", ["ssm:SendCommand"], [document])
        if self.runs_commands:
            yield allow("Command", ["ssm:SendCommand"], [instance], condition=which)
        if self.runs_tests:
            yield allow(
                "TestCommand",
                ["ssm:SendCommand"],
                [self._arn("ec2", "instance/*")],
                condition={"StringLike": {f"aws:ResourceTag/{TEST_TAG}": "*"}},
            )

    def _tests(self, images: str) -> Iterator[dict[str, Any]]:
        # EC2 judges the launch by each thing that it touches, and tags at the launch by the launch.
        used = [
            self._arn("ec2", f"{kind}/*")
            for kind in ("network-interface", "security-group", "subnet", "volume", "key-pair")
        ]
        instances = self._arn("ec2", "instance/*")
        yield allow("Boot", ["ec2:RunInstances"], [images, *used])
        yield allow(
            "BootInstance",
            ["ec2:RunInstances"],
            [instances],
            condition={"StringLike": {f"aws:RequestTag/{TEST_TAG}": "*"}},
        )
        made = {"StringEquals": {"ec2:CreateAction": "RunInstances"}}
        yield allow("TagTest", ["ec2:CreateTags"], [instances], condition=made)
        theirs = {"StringLike": {f"aws:ResourceTag/{TEST_TAG}": "*"}}
        yield allow("TerminateTest", ["ec2:TerminateInstances"], [instances], condition=theirs)
        if self.test_role_arn:
            passed = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
            yield allow("PassRole", ["iam:PassRole"], [self.test_role_arn], condition=passed)

    def _keys(self) -> Iterator[dict[str, Any]]:
        if not self.keys:
            return
        # Whoever starts or launches an instance lets EC2 use the keys of its volumes.
        # https://docs.aws.amazon.com/ebs/latest/userguide/ebs-encryption-requirements.html
        through = {"kms:ViaService": f"ec2.{self.region}.amazonaws.com"}
        yield allow("Keys", _KEY_ACTIONS, self.keys, condition={"StringEquals": through})
        grants = {"StringEquals": through, "Bool": {"kms:GrantIsForAWSResource": "true"}}
        yield allow("KeyGrants", ["kms:CreateGrant"], self.keys, condition=grants)

    def _producer(self) -> Iterator[dict[str, Any]]:
        yield allow("Distribute", ["states:StartExecution"], [self.producer_arn])
        runs = self._arn("states", f"execution:{self.producer_name}:*")
        yield allow("FollowDistribution", ["states:DescribeExecution", "states:StopExecution"], [runs])
        # How a state machine hears that a nested one has ended.
        # https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html
        rule = self._arn("events", "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule")
        yield allow("HearOfDistribution", ["events:DescribeRule", "events:PutRule", "events:PutTargets"], [rule])
