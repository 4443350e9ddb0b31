"""An AMI captured from a server that somebody set up, with the same life afterwards as any built one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aws_cdk import Annotations
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk_ami.build.capture_permissions import WILDCARD_REASON, CapturePermissions
from cdk_ami.build.capture_plan import (
    SANITIZE_LINUX,
    SANITIZE_WINDOWS,
    Afterwards,
    Consistency,
    InGroup,
)
from cdk_ami.build.capture_states import BootPlan, CaptureMachine
from cdk_ami.checks import builds, captures, names
from cdk_ami.distribution.producer import ImageProducer
from cdk_ami.errors import Faults
from cdk_ami.home import account_of, partition_of, region_of, stack_of
from cdk_ami.policies import service_trust
from cdk_ami.source.platform import Architecture, Platform
from cdk_ami.wildcards import acknowledge_wildcards

if TYPE_CHECKING:
    from aws_cdk import Duration, Stack
    from aws_cdk import aws_ec2 as ec2
    from aws_cdk import aws_events as events
    from aws_cdk import aws_sns as sns
    from aws_cdk.interfaces.aws_kms import IKeyRef

    from cdk_ami.distribution.channel import ImageChannel, Tracking
    from cdk_ami.distribution.channel_image import ChannelImage
    from cdk_ami.distribution.distribution import Distribution

PATIENCE_SECONDS: Final = 12 * 3600
"""How long a captured AMI may be pending unless somebody says otherwise: a large volume's first snapshot takes long."""

TEST_SECONDS: Final = 900
"""How long a boot test may take unless somebody says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootTest:
    """A throw-away instance that must boot from a captured AMI before it is distributed; it is always terminated.

    It is a copy of the server: what the server does at boot, it does too.  Give it a subnet and security groups from
    which it can do no harm.

    Attributes:
        instance_type: Its type, such as ``t3.small``.  Default: that of the captured instance.
        subnet: Its subnet.  Default: that of the captured instance.
        security_groups: Its security groups.  Default: those of the captured instance.
        role: Its role, which needs what ``AmazonSSMManagedInstanceCore`` holds where there are commands.
            Default: none.
        commands: Shell or PowerShell commands that must succeed on it, run by Systems Manager.
            Default: none, its status checks suffice.
        patience: How long its status checks, and its commands, may take.  Default: 15 minutes each.
    """

    instance_type: str | None = None
    subnet: ec2.ISubnet | None = None
    security_groups: Sequence[ec2.ISecurityGroup] = ()
    role: iam.IRole | None = None
    commands: Sequence[str] = ()
    patience: Duration | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "security_groups", tuple(self.security_groups))
        object.__setattr__(self, "commands", tuple(self.commands))


_BOOTS: Final = BootTest()


class InstanceCapture(Construct):
    """Captures AMIs from a server: stops it, makes the AMI, starts it again, boots the AMI once, distributes it.

    A state machine does it, on a schedule, on demand, or both.  Whatever fails, the server is brought back to the state
    chosen for it, and nothing temporary remains.  A server that cannot be captured is refused with the reason before
    it is touched.  The input of an execution may hold an ``id``: an execution with the id of one before goes on with
    the AMI of that one instead of making another.

    The server is down from the stop until EC2 has taken the snapshots' moment, a minute or two; their upload goes on
    while it runs again.  A capture costs the snapshots, and minutes of the boot test's instance.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/creating-an-ami-ebs.html

    Example:
        ::

            capture = InstanceCapture(
                stack,
                "Capture",
                name="shop",
                instance="i-0123456789abcdef0",
                distribution=Distribution.to_regions("us-east-1", "eu-west-1"),
            )
            image = capture.machine_image()

    Args:
        scope: Where the capture goes.
        construct_id: Id of the construct in ``scope``.
        name: Name of the image, 3 to 128 letters, digits, blanks, hyphens and underscores, such as ``web-server``.
        instance: The server, a construct or its id.  Default: the one that has ``instance_tags``.
        instance_tags: Tags that exactly one server has when a capture runs.  Default: none, ``instance`` is given.
        distribution: Where the AMIs go.  Default: this stack's Region.
        platform: Operating system of the server.  Default: Linux.
        architecture: Its processor, for ``machine_image``.  Default: x86_64.
        root_device: Name of its root device, for ``machine_image``.  Default: see ``ImageChannel.machine_image``.
        commands: Commands that run on the server before, by Systems Manager; one that fails ends the capture.
            Default: none.
        sanitize: Whether the server then forgets who it is: host keys, histories, authorized keys, cloud-init's state
            and machine id; Sysprep on Windows.  Default: only when it is terminated afterwards, because otherwise the
            server itself boots as a new one.
        consistency: Whether the server is stopped.  Default: it is.
        afterwards: What becomes of it.  Default: it is as before.
        in_group: What is done when it belongs to an Auto Scaling group.  Default: the capture is refused.
        discard_instance_store: Whether a server with instance store volumes is stopped all the same, which loses their
            data.  Default: the capture is refused.
        without: Device names of volumes that are left out of the AMI, such as ``/dev/sdf``.  Default: none.
        source_keys: Keys of the server's volumes.  Default: none, they are unencrypted or under the EBS default key.
        allow_unencrypted: Whether a server with unencrypted volumes is captured for targets without a key, where the
            copies are unencrypted too unless the Region encrypts by default.  Default: the capture is refused.
        tags: Tags of AMIs and snapshots.  Default: none beside ``cdk-ami:image``, the image's name.
        test: The boot test.  Default: one with the server's type, in its subnet; None goes without.
        schedule: When captures run by themselves.  Default: on demand only.
        notifications: Topic that hears how each capture ended.  Default: none.
        patience: How long an AMI may be pending before a capture gives up.  Default: 12 hours.

    Attributes:
        producer: What distributes the AMIs.
        state_machine: The state machine.

    Raises:
        ConfigError: When the arguments do not go together or AWS would refuse something, with all that is wrong.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        instance: ec2.IInstance | str | None = None,
        instance_tags: Mapping[str, str] | None = None,
        distribution: Distribution | None = None,
        platform: Platform = Platform.LINUX,
        architecture: Architecture = Architecture.X86_64,
        root_device: str | None = None,
        commands: Sequence[str] = (),
        sanitize: bool | None = None,
        consistency: Consistency = Consistency.STOPPED,
        afterwards: Afterwards = Afterwards.AS_BEFORE,
        in_group: InGroup = InGroup.REFUSE,
        discard_instance_store: bool = False,
        without: Sequence[str] = (),
        source_keys: Sequence[IKeyRef | str] = (),
        allow_unencrypted: bool = False,
        tags: Mapping[str, str] | None = None,
        test: BootTest | None = _BOOTS,
        schedule: events.Schedule | None = None,
        notifications: sns.ITopic | None = None,
        patience: Duration | None = None,
    ) -> None:
        stack = stack_of(scope)
        instance_id = instance if isinstance(instance, str) or instance is None else instance.instance_id
        chosen_by = dict(instance_tags or {})
        forgets = sanitize if sanitize is not None else afterwards is Afterwards.TERMINATE
        cleaning = (SANITIZE_WINDOWS if platform is Platform.WINDOWS else SANITIZE_LINUX) if forgets else ()
        seconds = PATIENCE_SECONDS if patience is None else int(patience.to_seconds())

        faults = Faults(scope, construct_id)
        faults.check("name", names.resource_name(name))
        if (instance is None) == (not chosen_by):
            fix = "give instance, or instance_tags that one server has, and not both"
            faults.add("instance", "is not the one server that is meant", got=instance_id, fix=fix)
        if instance_id is not None:
            faults.check("instance", captures.instance_id(instance_id))
        faults.check("instance_tags", names.tags(chosen_by))
        faults.check("tags", names.tags(dict(tags or {})))
        for index, device in enumerate(without):
            faults.check(f"without[{index}]", captures.device(device))
        _find_faults_of_choices(faults, consistency, afterwards, in_group, sanitize=bool(sanitize))
        if test is not None and test.commands and test.role is None:
            fix = "give the role of an instance that Systems Manager manages"
            faults.add("test.role", "is missing, and commands run on the test instance", got=None, fix=fix)
        if notifications is not None:
            faults.check("notifications", builds.standard_topic(fifo=notifications.fifo))
        faults.check("patience", captures.patience(seconds))
        faults.raise_if_any()

        super().__init__(scope, construct_id)
        self.producer = ImageProducer(
            self,
            "Producer",
            name=name,
            distribution=distribution,
            platform=platform,
            architecture=architecture,
            root_device=root_device,
            tags=tags,
            source_keys=source_keys,
            allow_unencrypted=allow_unencrypted,
        )
        machine = CaptureMachine(
            partition=partition_of(stack),
            image=self.producer.image_name,
            instance_id=instance_id,
            instance_tags=chosen_by,
            document="AWS-RunPowerShellScript" if platform is Platform.WINDOWS else "AWS-RunShellScript",
            commands=(*commands, *cleaning),
            consistency=consistency,
            afterwards=afterwards,
            in_group=in_group,
            discard_instance_store=discard_instance_store,
            without=tuple(without),
            tags=dict(tags or {}),
            test=self._test_plan(test),
            producer_arn=self.producer.state_machine.state_machine_arn,
            topic_arn=notifications.topic_arn if notifications else None,
            patience_seconds=seconds,
            keyless=() if allow_unencrypted else self.producer.keyless,
        )
        role = self._make_role(stack, machine, test, source_keys, notifications)
        self.state_machine = sfn.StateMachine(
            self,
            "Machine",
            # Not by the stack's own function, which leaves out what is null: a state without a result path.
            definition_body=sfn.DefinitionBody.from_string(json.dumps(machine.definition())),
            role=iam.Role.from_role_name(self, "MachineRole", role.ref),
        )
        if schedule is not None:
            self._schedule(schedule)
        for warning_id, message in _warnings(consistency, afterwards, forgets=forgets):
            Annotations.of(self).add_warning_v2(warning_id, message)

    @property
    def channel(self) -> ImageChannel:
        """The channel that every capture moves; what fleets launch from."""
        return self.producer.channel

    def machine_image(self, *, tracking: Tracking | None = None) -> ChannelImage:
        """Return the image, by its entry channel, for anything that takes an ``ec2.IMachineImage``.

        Args:
            tracking: When the channel is read.  Default: at deploy.
        """
        return self.producer.machine_image(**({} if tracking is None else {"tracking": tracking}))

    def grant_start(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let ``grantee`` start a capture and follow it.

        Args:
            grantee: A role, a user, a function.
        """
        return self.state_machine.grant_start_execution(grantee).combine(self.state_machine.grant_read(grantee))

    def _schedule(self, schedule: events.Schedule) -> None:
        from aws_cdk import aws_events as events  # noqa: PLC0415 - imported only where a rule is made
        from aws_cdk import aws_events_targets as targets  # noqa: PLC0415 - same

        # An event that comes twice has one time, and so one capture.
        due = events.RuleTargetInput.from_object({"id": events.EventField.time})
        events.Rule(
            self,
            "Schedule",
            description=f"Captures {self.producer.image_name}",
            schedule=schedule,
            targets=[targets.SfnStateMachine(self.state_machine, input=due)],
        )

    def _test_plan(self, test: BootTest | None) -> BootPlan | None:
        if test is None:
            return None
        profile = iam.CfnInstanceProfile(self, "TestProfile", roles=[test.role.role_name]) if test.role else None
        return BootPlan(
            instance_type=test.instance_type,
            subnet_id=test.subnet.subnet_id if test.subnet else None,
            security_group_ids=[group.security_group_id for group in test.security_groups],
            profile_arn=profile.attr_arn if profile else None,
            commands=tuple(test.commands),
            patience_seconds=TEST_SECONDS if test.patience is None else int(test.patience.to_seconds()),
        )

    def _make_role(
        self,
        stack: Stack,
        machine: CaptureMachine,
        test: BootTest | None,
        source_keys: Sequence[IKeyRef | str],
        topic: sns.ITopic | None,
    ) -> iam.CfnRole:
        key = topic.master_key if topic else None
        account = account_of(stack)
        document = CapturePermissions(
            partition=machine.partition,
            region=region_of(stack),
            account=account,
            image=machine.image,
            instance_id=machine.instance_id,
            instance_tags=machine.instance_tags,
            stops=machine.stops,
            terminates=machine.afterwards is Afterwards.TERMINATE,
            standby=machine.stops and machine.in_group is InGroup.STANDBY,
            document=machine.document,
            runs_commands=bool(machine.commands),
            minds_encryption=bool(machine.keyless),
            tests=test is not None,
            runs_tests=test is not None and bool(test.commands),
            test_role_arn=test.role.role_arn if test is not None and test.role else None,
            keys=[one if isinstance(one, str) else one.key_ref.key_arn for one in source_keys],
            producer_arn=machine.producer_arn,
            producer_name=self.producer.state_machine.state_machine_name,
            topic_arn=machine.topic_arn,
            topic_key_arn=key.key_arn if key else None,
        ).document_of_policy()
        role = iam.CfnRole(
            self,
            "Role",
            description=f"Captures {machine.image} from a server",
            assume_role_policy_document=service_trust(account, "states.amazonaws.com"),
            policies=[iam.CfnRole.PolicyProperty(policy_name="Capture", policy_document=document)],
        )
        acknowledge_wildcards(role, document, reason=WILDCARD_REASON)
        return role


def _find_faults_of_choices(
    faults: Faults, consistency: Consistency, afterwards: Afterwards, in_group: InGroup, *, sanitize: bool
) -> None:
    runs_on = consistency is Consistency.CRASH_CONSISTENT
    if runs_on and afterwards in {Afterwards.START, Afterwards.LEAVE_STOPPED}:
        fix = "leave it at AS_BEFORE, or stop the server: consistency=Consistency.STOPPED"
        faults.add("afterwards", "is for a server that was stopped", got=str(afterwards), fix=fix)
    if runs_on and sanitize:
        fix = "drop it, or stop the server: consistency=Consistency.STOPPED"
        faults.add("sanitize", "takes its identity from a server that runs on", got=True, fix=fix)
    if in_group is InGroup.STANDBY and afterwards in {Afterwards.LEAVE_STOPPED, Afterwards.TERMINATE}:
        fix = "start it again afterwards, or take it out of its group first"
        faults.add("in_group", "brings the server back into its group, where it must run", got=str(in_group), fix=fix)


def _warnings(consistency: Consistency, afterwards: Afterwards, *, forgets: bool) -> list[tuple[str, str]]:
    found = []
    if consistency is Consistency.CRASH_CONSISTENT:
        message = (
            "the AMI is what a disk is after a power failure: data in memory is missing, and volumes may be of "
            "different moments; stop the server, or be sure that everything on it recovers from a crash"
        )
        found.append(("cdk-ami::CrashConsistentImage", message))
    if forgets and afterwards is not Afterwards.TERMINATE:
        message = (
            "the server itself forgets its host keys, its authorized keys, its machine id and that it was set up, and "
            "boots as a new one; drop sanitize, or terminate it afterwards"
        )
        found.append(("cdk-ami::SanitizedServerGoesOn", message))
    return found
