"""The state machine of an instance capture: from a server to an AMI that has booted, and on to its distribution; pure.

Whatever fails, the instance is brought back to the state that was chosen for it and no throw-away instance remains.
What is to be refused is refused before anything is touched.  A capture has an id: the input's ``id``, or the name of
the execution.  Started again with the same id it goes on with the AMI of before, or makes the one it did not make.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cdk_ami.asl import State, call, choose, failure, present, put, when
from cdk_ami.build.capture_plan import (
    CAPTURE_TAG,
    FROM_TAG,
    STATE_TAG,
    TEST_TAG,
    Afterwards,
    Consistency,
    InGroup,
    ami_tags,
    mappings_without,
    name_stem,
    tag_list,
)

_FAILED: Final = "Failed"
_RESTORE: Final = "Restore"
_SUBJECT_MAX: Final = 100
_PATIENT: Final = ({"ErrorEquals": ["States.ALL"], "IntervalSeconds": 15, "MaxAttempts": 40, "BackoffRate": 1.0},)
"""How something is tried again that must be done: starting an instance that is still stopping is refused meanwhile."""

NO_INSTANCE: Final = "CdkAmi.NoInstance"
REFUSED: Final = "CdkAmi.CannotCapture"
COMMAND_FAILED: Final = "CdkAmi.CommandFailed"
IMAGE_FAILED: Final = "CdkAmi.ImageFailed"
BOOT_FAILED: Final = "CdkAmi.BootTestFailed"
TIMED_OUT: Final = "CdkAmi.TimedOut"
"""Errors by which executions of this machine fail, beside those of the services it calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootPlan:
    """The throw-away instance that proves that an AMI boots.

    Attributes:
        instance_type: Its type; None for that of the captured instance.
        subnet_id: Its subnet; None for that of the captured instance.
        security_group_ids: Its security groups; none for those of the captured instance.
        profile_arn: Its instance profile; None without one.
        commands: What must succeed on it.
        patience_seconds: How long it may take to pass its status checks, and its commands to run.
    """

    instance_type: str | None
    subnet_id: str | None
    security_group_ids: Sequence[str]
    profile_arn: str | None
    commands: Sequence[str]
    patience_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureMachine:
    """What the state machine of a capture works with, everything decided.

    Attributes:
        partition: Partition, such as ``aws``.
        image: Name of the image.
        instance_id: The instance; None where it is found by its tags.
        instance_tags: The tags that it is found by.
        document: The SSM document that runs commands on its platform.
        commands: What is run on it before.
        consistency: Whether it is stopped.
        afterwards: What becomes of it.
        in_group: What is done with a member of an Auto Scaling group.
        discard_instance_store: Whether instance store volumes may be lost.
        without: Devices that are left out of the AMI.
        tags: Further tags of AMI and snapshots.
        test: The boot test; None without one.
        keyless: Regions whose copies no key encrypts, so that a server with unencrypted volumes is refused.
        producer_arn: State machine that distributes the AMI.
        topic_arn: Topic that hears how captures ended; None for nobody.
        patience_seconds: How long the AMI may be pending, and how long commands may run.
    """

    partition: str
    image: str
    instance_id: str | None
    instance_tags: Mapping[str, str]
    document: str
    commands: Sequence[str]
    consistency: Consistency
    afterwards: Afterwards
    in_group: InGroup
    discard_instance_store: bool
    without: Sequence[str]
    tags: Mapping[str, str]
    test: BootPlan | None
    producer_arn: str
    topic_arn: str | None
    patience_seconds: int
    keyless: Sequence[str] = ()

    @property
    def stops(self) -> bool:
        """Whether the instance is stopped for its AMI."""
        return self.consistency is Consistency.STOPPED

    @property
    def brings_back_late(self) -> bool:
        """Whether the instance stays stopped until its AMI is distributed, because it is terminated then."""
        return self.stops and self.afterwards is Afterwards.TERMINATE

    def definition(self) -> dict[str, Any]:
        """Return the definition."""
        return {
            "Comment": f"Captures AMIs of {self.image} from a server",
            "StartAt": "Begin",
            "States": {
                **self._begin(),
                **self._refusals(),
                **self._memory(),
                **self._standby(),
                **self._commands(),
                **self._capture(),
                **self._restore(),
                **self._image(),
                **self._boot(),
                **self._end(),
            },
        }

    def _call(self, action: str, parameters: dict[str, Any], **rest: Any) -> State:
        return call(action, parameters, partition=self.partition, **{"failed": _FAILED, **rest})

    def _loop(
        self,
        name: str,
        looked: State,
        *,
        good: Mapping[str, str],
        bad: Mapping[str, str],
        late: State,
        seconds: int,
        most: int,
    ) -> dict[str, State]:
        """Return the states that look, every so many seconds, until what is at ``$.look.state`` leads on.

        Args:
            name: Name of the first state, and of the others the beginning.
            looked: The state that looks.
            good: States that follow, by what is seen.
            bad: The same, tried after those.
            late: What to do when it takes too long.
            seconds: How long to wait between two looks.
            most: When it takes too long.
        """
        path = "$.look.state"
        rules = [when(path, "StringEquals", seen, then=then) for seen, then in {**good, **bad}.items()]
        too_late: State = {"Variable": "$.waited", "NumericGreaterThanEquals": most, "Next": f"{name}Late"}
        return {
            name: {"Type": "Pass", "Result": 0, "ResultPath": "$.waited", "Next": f"{name}Look"},
            f"{name}Look": looked | {"ResultPath": "$.look", "Next": f"{name}Seen"},
            f"{name}Seen": choose(*rules, too_late, otherwise=f"{name}Wait"),
            f"{name}Wait": {"Type": "Wait", "Seconds": seconds, "Next": f"{name}Count"},
            f"{name}Count": {
                "Type": "Pass",
                "Parameters": {"value.$": f"States.MathAdd($.waited, {seconds})"},
                "ResultPath": "$.counted",
                "Next": f"{name}Counted",
            },
            f"{name}Counted": {
                "Type": "Pass",
                "InputPath": "$.counted.value",
                "ResultPath": "$.waited",
                "Next": f"{name}Look",
            },
            f"{name}Late": late,
        }

    def _begin(self) -> dict[str, State]:
        if self.instance_id is not None:
            asked: dict[str, Any] = {"InstanceIds": [self.instance_id]}
        else:
            filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in self.instance_tags.items()]
            filters.append({"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]})
            asked = {"Filters": filters}
        first = "$.found.instances[0]"
        return {
            "Begin": put({"input.$": "$"}, at="$", then="HasId"),
            "HasId": choose(present("$.input.id", then="TakeId"), otherwise="MakeId"),
            "TakeId": put({"id.$": "$.input.id"}, at="$.capture", then="Name"),
            "MakeId": put({"id.$": "$$.Execution.Name"}, at="$.capture", then="Name"),
            "Name": put(
                {
                    "id.$": "$.capture.id",
                    "name.$": f"States.Format('{name_stem(self.image)}{{}}', States.Hash($.capture.id, 'MD5'))",
                },
                at="$.capture",
                then="FindInstance",
            ),
            "FindInstance": self._call(
                "aws-sdk:ec2:describeInstances",
                asked,
                take={"instances.$": "$.Reservations[*].Instances[*]"},
                at="$.found",
                then="CountInstances",
            ),
            "CountInstances": choose(
                present("$.found.instances[1]", then="SeveralInstances"),
                present(first, then="TakeInstance"),
                otherwise="NoInstance",
            ),
            "SeveralInstances": failure(
                NO_INSTANCE,
                "more than one instance has these tags; give tags that only one has",
                then=_FAILED,
            ),
            "NoInstance": failure(NO_INSTANCE, "no instance that runs or is stopped is meant", then=_FAILED),
            "TakeInstance": put(
                {
                    "id.$": f"{first}.InstanceId",
                    "state.$": f"{first}.State.Name",
                    "type.$": f"{first}.InstanceType",
                    "subnet.$": f"{first}.SubnetId",
                    "groups.$": f"{first}.SecurityGroups[*].GroupId",
                },
                at="$.instance",
                then="Possible",
            ),
        }

    def _refusals(self) -> dict[str, State]:
        first = "$.found.instances[0]"
        no_storage = self.stops and not self.discard_instance_store
        states: dict[str, State] = {
            "Possible": choose(
                when(f"{first}.InstanceLifecycle", "StringEquals", "spot", then="IsSpot"),
                present(f"{first}.ProductCodes[0]", then="HasProductCodes"),
                when(f"{first}.RootDeviceType", "StringEquals", "instance-store", then="IsInstanceStore"),
                when("$.instance.state", "StringEquals", "running", then="StorageOf" if no_storage else "GroupOf"),
                when("$.instance.state", "StringEquals", "stopped", then="GroupOf"),
                # An earlier run may have been ended in the middle of it.
                when("$.instance.state", "StringEquals", "stopping", then="GroupOf"),
                otherwise="IsOdd",
            ),
            "IsSpot": self._refuse("is a Spot instance, which may be taken away while it is captured"),
            "HasProductCodes": self._refuse(
                "has product codes of the Marketplace, and an AMI with such codes cannot be copied as one likes; start "
                "from the product with GoldenImage and SourceImage.marketplace"
            ),
            "IsInstanceStore": self._refuse("starts from an instance store volume, of which EC2 makes no AMI"),
            "IsOdd": failure(
                REFUSED,
                "States.Format('{} is {}, and an instance is captured when it runs or is stopped', $.instance.id, "
                "$.instance.state)",
                then=_FAILED,
            ),
            "GroupOf": self._call(
                "aws-sdk:autoscaling:describeAutoScalingInstances",
                {"InstanceIds.$": "States.Array($.instance.id)"},
                take={
                    "names.$": "$.AutoScalingInstances[*].AutoScalingGroupName",
                    "states.$": "$.AutoScalingInstances[*].LifecycleState",
                },
                at="$.group",
                then="InGroup" if self._minds_group else self._after_group,
            ),
        }
        if self.keyless:
            states |= self._unencrypted()
        if no_storage:
            states["StorageOf"] = self._call(
                "aws-sdk:ec2:describeInstanceTypes",
                {"InstanceTypes.$": "States.Array($.instance.type)"},
                take={"has.$": "$.InstanceTypes[*].InstanceStorageSupported"},
                at="$.storage",
                then="HasStorage",
            )
            states["HasStorage"] = choose(
                when("$.storage.has[0]", "BooleanEquals", True, then="WouldLoseStorage"),  # noqa: FBT003 - a test
                otherwise="GroupOf",
            )
            states["WouldLoseStorage"] = self._refuse(
                "has instance store volumes, whose data a stop loses and an AMI does not hold; allow that with "
                "discard_instance_store=True"
            )
        if self._minds_group:
            states["InGroup"] = choose(present("$.group.names[0]", then="IsMember"), otherwise=self._after_group)
            states["IsMember"] = self._refuse(
                "belongs to an Auto Scaling group, which would replace it once it is stopped; give in_group=STANDBY, "
                "or take an instance of its own"
            )
        return states

    def _unencrypted(self) -> dict[str, State]:
        # EC2 tells an AMI's encryption once it is made, which is too late for a server that was stopped for it.
        kept = " && ".join(f"@.Device!='{device}'" for device in self.without)
        return {
            "VolumesOf": self._call(
                "aws-sdk:ec2:describeVolumes",
                {
                    "Filters": [
                        {"Name": "attachment.instance-id", "Values.$": "States.Array($.instance.id)"},
                        {"Name": "encrypted", "Values": ["false"]},
                    ]
                },
                take={"devices.$": f"$.Volumes[*].Attachments[{f'?({kept})' if kept else '*'}].Device"},
                at="$.plain",
                then="IsEncrypted",
            ),
            "IsEncrypted": choose(present("$.plain.devices[0]", then="NotEncrypted"), otherwise="Remembered"),
            "NotEncrypted": self._refuse(
                "has volumes that are not encrypted, and no key is named for the copies of its AMI in "
                f"{', '.join(self.keyless)}; give the distribution kms_keys, or set allow_unencrypted=True"
            ),
        }

    @property
    def _after_group(self) -> str:
        return "VolumesOf" if self.keyless else "Remembered"

    @property
    def _minds_group(self) -> bool:
        touches = self.stops or self.afterwards is Afterwards.TERMINATE
        return touches and self.in_group is InGroup.REFUSE

    def _refuse(self, why: str) -> State:
        return failure(REFUSED, f"States.Format('{{}} {why}', $.instance.id)", then=_FAILED)

    def _memory(self) -> dict[str, State]:
        mark = "Mark" if self.stops else self._after_standby
        states: dict[str, State] = {
            "Remembered": self._call(
                "aws-sdk:ec2:describeTags",
                {
                    "Filters": [
                        {"Name": "resource-id", "Values.$": "States.Array($.instance.id)"},
                        {"Name": "key", "Values": [STATE_TAG]},
                    ]
                },
                take={"values.$": "$.Tags[*].Value"},
                at="$.memory",
                then="WasMarked",
            ),
            "WasMarked": choose(present("$.memory.values[0]", then="AsMarked"), otherwise="AsSeen"),
            "AsMarked": put({"state.$": "$.memory.values[0]"}, at="$.was", then="FindImage"),
            "AsSeen": put({"state.$": "$.instance.state"}, at="$.was", then="FindImage"),
            "FindImage": self._find_image(then="ImageKnown"),
            "ImageKnown": choose(
                present("$.made.amis[0]", then=_RESTORE), otherwise="NeedsToRun" if self.commands else mark
            ),
        }
        if self.stops:
            states["Mark"] = self._call(
                "aws-sdk:ec2:createTags",
                {
                    "Resources.$": "States.Array($.instance.id)",
                    "Tags": [{"Key": STATE_TAG, "Value.$": "$.was.state"}],
                },
                then="Standby" if self._goes_to_standby else self._after_standby,
                failed=_RESTORE,
            )
        if self.commands:
            states["NeedsToRun"] = choose(
                when("$.instance.state", "StringEquals", "running", then=mark), otherwise="CannotRunCommands"
            )
            # What an ended run has stopped already went through its commands; the mark says that it ran.
            states["CannotRunCommands"] = choose(present("$.memory.values[0]", then=mark), otherwise="IsStopped")
            states["IsStopped"] = self._refuse(
                "is stopped, and commands run on running instances only; start it, or drop the commands"
            )
        return states

    def _find_image(self, *, then: str, failed: str = _FAILED) -> State:
        return self._call(
            "aws-sdk:ec2:describeImages",
            {"Owners": ["self"], "Filters": [{"Name": "name", "Values.$": "States.Array($.capture.name)"}]},
            take={"amis.$": "$.Images[*].ImageId"},
            at="$.made",
            then=then,
            failed=failed,
        )

    @property
    def _goes_to_standby(self) -> bool:
        return self.stops and self.in_group is InGroup.STANDBY

    @property
    def _after_standby(self) -> str:
        return "RunsNow" if self.commands else self._before_image

    @property
    def _before_image(self) -> str:
        return "Stop" if self.stops else "CreateImage"

    def _standby(self) -> dict[str, State]:
        if not self._goes_to_standby:
            return {}
        looked = self._call(
            "aws-sdk:autoscaling:describeAutoScalingInstances",
            {"InstanceIds.$": "States.Array($.instance.id)"},
            take={"state.$": "$.AutoScalingInstances[0].LifecycleState"},
            then="",
            failed=_RESTORE,
        )
        return {
            "Standby": choose(present("$.group.names[0]", then="StandbyYet"), otherwise=self._after_standby),
            "StandbyYet": choose(
                when("$.group.states[0]", "StringEquals", "Standby", then=self._after_standby),
                otherwise="EnterStandby",
            ),
            "EnterStandby": self._call(
                "aws-sdk:autoscaling:enterStandby",
                {
                    "AutoScalingGroupName.$": "$.group.names[0]",
                    "InstanceIds.$": "States.Array($.instance.id)",
                    "ShouldDecrementDesiredCapacity": True,
                },
                then="InStandby",
                # A lost answer looks like a refusal of the second try, so what counts is what is seen.
                failed="InStandby",
            ),
            **self._loop(
                "InStandby",
                looked,
                good={"Standby": self._after_standby},
                bad={},
                late=self._too_late("the group does not let {} into standby", "$.instance.id", then=_RESTORE),
                seconds=10,
                most=300,
            ),
        }

    def _too_late(self, what: str, path: str, *, then: str) -> State:
        return failure(TIMED_OUT, f"States.Format('{what}', {path})", then=then)

    def _commands(self) -> dict[str, State]:
        if not self.commands:
            return {}
        return {
            "RunsNow": choose(
                when("$.instance.state", "StringEquals", "running", then="Send"), otherwise=self._before_image
            ),
            **self._run(
                "", "$.instance.id", self.commands, then=self._before_image, failed=_RESTORE, error=COMMAND_FAILED
            ),
        }

    def _run(
        self, prefix: str, instance: str, commands: Sequence[str], *, then: str, failed: str, error: str
    ) -> dict[str, State]:
        """Return the states that run commands on an instance and wait for their end."""
        send, ran = f"{prefix}Send", f"{prefix}Ran"
        looked = self._call(
            "aws-sdk:ssm:getCommandInvocation",
            {"CommandId.$": "$.command.id", "InstanceId.$": instance},
            take={"state.$": "$.Status", "detail.$": "$.StandardErrorContent"},
            then="",
            failed=failed,
        )
        ended = ("Cancelled", "TimedOut", "Failed", "Undeliverable", "Terminated", "Cancelling")
        return {
            send: self._call(
                "aws-sdk:ssm:sendCommand",
                {
                    "DocumentName": self.document,
                    "InstanceIds.$": f"States.Array({instance})",
                    "Comment": f"Capture of {self.image}"[:_SUBJECT_MAX],
                    "Parameters": {"commands": [*self._strict, *commands]},
                },
                take={"id.$": "$.Command.CommandId"},
                at="$.command",
                then=ran,
                failed=failed,
            ),
            **self._loop(
                ran,
                looked,
                good={"Success": then},
                bad=dict.fromkeys(ended, f"{ran}Badly"),
                late=self._too_late("commands on {} did not end in time", instance, then=failed),
                seconds=5,
                most=self.patience_seconds,
            ),
            f"{ran}Badly": failure(
                error,
                f"States.Format('commands on {{}} ended as {{}}: {{}}', {instance}, $.look.state, $.look.detail)",
                then=failed,
            ),
        }

    @property
    def _strict(self) -> list[str]:
        return ["set -eu"] if self.document == "AWS-RunShellScript" else ["$ErrorActionPreference = 'Stop'"]

    def _capture(self) -> dict[str, State]:
        tags = [
            *tag_list(ami_tags(self.image, self.tags)),
            {"Key": CAPTURE_TAG, "Value.$": "$.capture.id"},
            {"Key": FROM_TAG, "Value.$": "$.instance.id"},
        ]
        request: dict[str, Any] = {
            "InstanceId.$": "$.instance.id",
            "Name.$": "$.capture.name",
            "Description.$": f"States.Format('{self.image}, captured from {{}}', $.instance.id)",
            # A stopped instance has nothing to reboot.
            "NoReboot": True,
            "TagSpecifications": [
                {"ResourceType": "image", "Tags": tags},
                {"ResourceType": "snapshot", "Tags": tags},
            ],
        }
        if self.without:
            request["BlockDeviceMappings"] = mappings_without(self.without)
        states: dict[str, State] = {
            "CreateImage": self._call(
                "aws-sdk:ec2:createImage",
                request,
                # There is no client token: whether it was done is seen by the name, which no other AMI has.
                then="FindMade",
                failed="FindMade",
            ),
            "FindMade": self._find_image(then="WasMade", failed=_RESTORE),
            "WasMade": choose(present("$.made.amis[0]", then="Forget"), otherwise="NotMade"),
            "Forget": {
                "Type": "Pass",
                # Without the failure of a call that was carried out all the same.
                "Parameters": {
                    key: f"$.{key.removesuffix('.$')}"
                    for key in ("input.$", "capture.$", "instance.$", "group.$", "was.$", "made.$")
                },
                "Next": _RESTORE,
            },
            "NotMade": choose(present("$.failure", then=_RESTORE), otherwise="NoImageSeen"),
            "NoImageSeen": failure(
                IMAGE_FAILED,
                "States.Format('the AMI {} cannot be seen; start again with the same id', $.capture.name)",
                then=_RESTORE,
            ),
        }
        if self.stops:
            looked = self._look_at_instance(failed=_RESTORE)
            states["Stop"] = self._call(
                "aws-sdk:ec2:stopInstances",
                {"InstanceIds.$": "States.Array($.instance.id)"},
                then="Stopped",
                failed=_RESTORE,
            )
            states |= self._loop(
                "Stopped",
                looked,
                good={"stopped": "CreateImage"},
                bad={"terminated": "InstanceGone", "shutting-down": "InstanceGone"},
                late=self._too_late("{} did not stop in 30 minutes", "$.instance.id", then=_RESTORE),
                seconds=10,
                most=1800,
            )
            states["InstanceGone"] = failure(
                NO_INSTANCE, "States.Format('{} was terminated meanwhile', $.instance.id)", then=_FAILED
            )
        return states

    def _look_at_instance(self, *, failed: str) -> State:
        return self._call(
            "aws-sdk:ec2:describeInstances",
            {"InstanceIds.$": "States.Array($.instance.id)"},
            take={"state.$": "$.Reservations[0].Instances[0].State.Name"},
            then="",
            failed=failed,
        )

    def _restore(self) -> dict[str, State]:
        after = choose(present("$.failure", then="CleanUp" if self.test else _FAILED), otherwise="ImageReady")
        if not self.stops:
            return {_RESTORE: after}
        restored = "Unmark"
        states: dict[str, State] = {
            "Unmark": self._call(
                "aws-sdk:ec2:deleteTags",
                {"Resources.$": "States.Array($.instance.id)", "Tags": [{"Key": STATE_TAG}]},
                then="Restored",
                failed="Restored",
            ),
            "Restored": after,
        }
        begin = {
            Afterwards.AS_BEFORE: choose(
                when("$.was.state", "StringEquals", "running", then="StartAgain"), otherwise=restored
            ),
            Afterwards.START: {"Type": "Pass", "Next": "StartAgain"},
            Afterwards.LEAVE_STOPPED: {"Type": "Pass", "Next": "StopAgain"},
            # It is needed no more once the AMI is distributed; until then it stays as it is, unless something failed.
            Afterwards.TERMINATE: choose(present("$.failure", then="BringBack"), otherwise="ImageReady"),
        }[self.afterwards]
        states[_RESTORE] = begin
        if self.afterwards is Afterwards.TERMINATE:
            states["BringBack"] = choose(
                when("$.was.state", "StringEquals", "running", then="StartAgain"), otherwise=restored
            )
        if self.afterwards is Afterwards.LEAVE_STOPPED:
            states["StopAgain"] = self._call(
                "aws-sdk:ec2:stopInstances",
                {"InstanceIds.$": "States.Array($.instance.id)"},
                then=restored,
                failed="NotRestored",
                tries=_PATIENT,
            )
        else:
            states["StartAgain"] = self._call(
                "aws-sdk:ec2:startInstances",
                {"InstanceIds.$": "States.Array($.instance.id)"},
                then="Running",
                failed="NotRestored",
                tries=_PATIENT,
            )
            states |= self._loop(
                "Running",
                self._look_at_instance(failed="NotRestored"),
                good={"running": "LeaveStandby" if self._goes_to_standby else restored},
                bad={},
                late=self._too_late("{} does not run again after 30 minutes", "$.instance.id", then=_FAILED),
                seconds=10,
                most=1800,
            )
            if self._goes_to_standby:
                states["LeaveStandby"] = choose(present("$.group.names[0]", then="ExitStandby"), otherwise=restored)
                states["ExitStandby"] = self._call(
                    "aws-sdk:autoscaling:exitStandby",
                    {
                        "AutoScalingGroupName.$": "$.group.names[0]",
                        "InstanceIds.$": "States.Array($.instance.id)",
                    },
                    then=restored,
                    failed="OutOfStandby",
                )
                looked = self._call(
                    "aws-sdk:autoscaling:describeAutoScalingInstances",
                    {"InstanceIds.$": "States.Array($.instance.id)"},
                    take={"state.$": "$.AutoScalingInstances[0].LifecycleState"},
                    then="",
                    failed="NotRestored",
                )
                states |= self._loop(
                    "OutOfStandby",
                    looked,
                    good={"InService": restored, "Pending": restored},
                    bad={"Standby": "NotRestored"},
                    late=self._too_late("{} does not come back from standby", "$.instance.id", then=_FAILED),
                    seconds=10,
                    most=300,
                )
        states["NotRestored"] = failure(
            "CdkAmi.NotRestored",
            "States.Format('{} could not be brought back, which was {} before: {}', $.instance.id, $.was.state, "
            "States.JsonToString($.failure))",
            then="CleanUp" if self.test else _FAILED,
        )
        return states

    def _after_image(self) -> str:
        return "Boot" if self.test else "Distribute"

    @property
    def _late_failure(self) -> str:
        """What follows a failure after the instance was brought back."""
        if self.brings_back_late:
            return "BringBack"
        return "CleanUp" if self.test else _FAILED

    def _image(self) -> dict[str, State]:
        looked = self._call(
            "aws-sdk:ec2:describeImages",
            {"ImageIds.$": "States.Array($.made.amis[0])"},
            take={"state.$": "$.Images[0].State", "image.$": "$.Images[0]"},
            then="",
            failed=self._late_failure,
        )
        return {
            **self._loop(
                "ImageReady",
                looked,
                good={"available": self._after_image()},
                bad=dict.fromkeys(("failed", "error", "invalid"), "DropImage"),
                late=self._too_late(
                    "{} is still pending; start again with the same id", "$.made.amis[0]", then=self._late_failure
                ),
                seconds=60,
                most=self.patience_seconds,
            ),
            # An AMI that failed would keep its name from the next try.
            "DropImage": self._call(
                "aws-sdk:ec2:deregisterImage",
                {"ImageId.$": "$.made.amis[0]"},
                then="ImageFailed",
                failed="ImageFailed",
            ),
            "ImageFailed": failure(
                IMAGE_FAILED,
                "States.Format('{} failed: {}', $.made.amis[0], States.JsonToString($.look.image))",
                then=self._late_failure,
            ),
        }

    def _boot(self) -> dict[str, State]:
        if self.test is None:
            return {}
        test = self.test
        tags = [{"Key": TEST_TAG, "Value.$": "$.capture.id"}, {"Key": "Name", "Value": f"{self.image} boot test"}]
        request: dict[str, Any] = {
            "ImageId.$": "$.made.amis[0]",
            "MinCount": 1,
            "MaxCount": 1,
            "ClientToken.$": "States.Hash(States.Format('{}|{}', $.made.amis[0], $$.Execution.Id), 'SHA-256')",
            "InstanceInitiatedShutdownBehavior": "terminate",
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
            "TagSpecifications": [{"ResourceType": "instance", "Tags": tags}],
            **({"InstanceType": test.instance_type} if test.instance_type else {"InstanceType.$": "$.instance.type"}),
            **({"SubnetId": test.subnet_id} if test.subnet_id else {"SubnetId.$": "$.instance.subnet"}),
            **(
                {"SecurityGroupIds": list(test.security_group_ids)}
                if test.security_group_ids
                else {"SecurityGroupIds.$": "$.instance.groups"}
            ),
            **({"IamInstanceProfile": {"Arn": test.profile_arn}} if test.profile_arn else {}),
        }
        looked = self._call(
            "aws-sdk:ec2:describeInstanceStatus",
            {"InstanceIds.$": "States.Array($.test.id)", "IncludeAllInstances": True},
            take={
                "state.$": "States.Format('{} {} {}', $.InstanceStatuses[0].InstanceState.Name, "
                "$.InstanceStatuses[0].InstanceStatus.Status, $.InstanceStatuses[0].SystemStatus.Status)"
            },
            then="",
            failed="CleanUp",
        )
        states = {
            "Boot": self._call(
                "aws-sdk:ec2:runInstances",
                request,
                take={"id.$": "$.Instances[0].InstanceId"},
                at="$.test",
                then="Booted",
                failed="CleanUp",
            ),
            **self._loop(
                "Booted",
                looked,
                good={"running ok ok": "TestSend" if test.commands else "CleanUp"},
                bad=dict.fromkeys(
                    (
                        "terminated not-applicable not-applicable",
                        "shutting-down not-applicable not-applicable",
                        "stopped not-applicable not-applicable",
                    ),
                    "DoesNotBoot",
                ),
                late={"Type": "Pass", "Next": "DoesNotBoot"},
                seconds=15,
                most=test.patience_seconds,
            ),
            "DoesNotBoot": failure(
                BOOT_FAILED,
                "States.Format('an instance of {} did not pass its status checks: it is {}', $.made.amis[0], "
                "$.look.state)",
                then="CleanUp",
            ),
            **(
                self._run("Test", "$.test.id", test.commands, then="CleanUp", failed="CleanUp", error=BOOT_FAILED)
                if test.commands
                else {}
            ),
            # By the tag and not by the id: an instance whose launch was not heard of is found as well.
            "CleanUp": self._call(
                "aws-sdk:ec2:describeInstances",
                {
                    "Filters": [
                        {"Name": f"tag:{TEST_TAG}", "Values.$": "States.Array($.capture.id)"},
                        {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
                    ]
                },
                take={"ids.$": "$.Reservations[*].Instances[*].InstanceId"},
                at="$.left",
                then="LeftOver",
                tries=_PATIENT,
            ),
            "LeftOver": choose(present("$.left.ids[0]", then="Terminate"), otherwise="CleanedUp"),
            "Terminate": self._call(
                "aws-sdk:ec2:terminateInstances",
                {"InstanceIds.$": "$.left.ids"},
                then="CleanedUp",
                tries=_PATIENT,
            ),
            "CleanedUp": choose(
                present("$.failure", then="BringBackOnce" if self.brings_back_late else _FAILED),
                otherwise="Distribute",
            ),
        }
        if self.brings_back_late:
            states["BringBackOnce"] = choose(present("$.broughtBack", then=_FAILED), otherwise="NoteBringBack")
            states["NoteBringBack"] = put({"once": True}, at="$.broughtBack", then="BringBack")
        return states

    def _end(self) -> dict[str, State]:
        terminates = self.afterwards is Afterwards.TERMINATE
        failed = {
            "name": self.image,
            "status": "FAILED",
            "input.$": "$.input",
            "id.$": "$.capture.id",
            "failure.$": "$.failure",
        }
        told = "Tell" if self.topic_arn else "Done"
        states: dict[str, State] = {
            "Distribute": self._call(
                "states:startExecution.sync:2",
                {"StateMachineArn": self.producer_arn, "Input": {"source.$": "$.made.amis[0]"}},
                take={"output.$": "$.Output"},
                at="$.distributed",
                then="TerminateInstance" if terminates else "Result",
                failed="DistributeFailed" if self.brings_back_late else _FAILED,
                tries=(),
            ),
            "Result": put(
                {
                    "name": self.image,
                    "status": "AVAILABLE",
                    "id.$": "$.capture.id",
                    "instance.$": "$.instance.id",
                    "ami.$": "$.made.amis[0]",
                    "image.$": "$.distributed.output.image",
                    "amis.$": "$.distributed.output.amis",
                },
                at="$",
                then=told,
            ),
            "Done": {"Type": "Succeed"},
            _FAILED: put(failed, at="$.told", then="TellFailure" if self.topic_arn else "Fail"),
            "Fail": {"Type": "Fail", "ErrorPath": "$.told.failure.Error", "CausePath": "$.told.failure.Cause"},
        }
        if terminates:
            states["TerminateInstance"] = self._call(
                "aws-sdk:ec2:terminateInstances",
                {"InstanceIds.$": "States.Array($.instance.id)"},
                then="Result",
            )
        if self.brings_back_late:
            states["DistributeFailed"] = put({"once": True}, at="$.broughtBack", then="BringBack")
        if self.topic_arn:
            states["Tell"] = self._tell("captured", "$", then="Done")
            states["TellFailure"] = self._tell("not captured", "$.told", then="Fail")
        return states

    def _tell(self, what: str, path: str, *, then: str) -> State:
        message = {"TopicArn": self.topic_arn, "Subject": f"{self.image} {what}"[:_SUBJECT_MAX], "Message.$": path}
        return self._call("sns:publish", message, then=then, failed=then)
