"""Any AMI, brought where a distribution says: the seam by which builds of others become builds like ours."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import jsii
from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk_ami.checks import builds, names
from cdk_ami.checks import distribution as rules
from cdk_ami.checks import producers as producer_rules
from cdk_ami.distribution.channel import ImageChannel, Tracking
from cdk_ami.distribution.distribution import Distribution, MadeImage
from cdk_ami.distribution.handover import FINGERPRINT_TAG, ROLE_TAG, contents_fingerprint, delivery_tag
from cdk_ami.distribution.producer_permissions import (
    WILDCARD_REASON,
    ExecutionPermissions,
    MachinePermissions,
    Place,
)
from cdk_ami.distribution.producer_states import ProducerMachine
from cdk_ami.errors import Faults
from cdk_ami.home import account_of, partition_of, region_of, stack_of
from cdk_ami.naming import IMAGE_TAG, channel_parameter, log_group, normalized, scoped_name
from cdk_ami.policies import service_trust
from cdk_ami.source.platform import Architecture, Platform
from cdk_ami.wildcards import acknowledge_wildcards

if TYPE_CHECKING:
    from aws_cdk import aws_codebuild as codebuild
    from aws_cdk import aws_events as events
    from aws_cdk import aws_s3 as s3
    from aws_cdk import aws_sns as sns
    from aws_cdk import aws_ssm as ssm
    from aws_cdk.interfaces.aws_kms import IKeyRef

    from cdk_ami.build.image import NamedImage
    from cdk_ami.distribution.channel_image import ChannelImage

LOG_DAYS: Final = 30
"""How long the log of distributions is kept."""

PATIENCE_SECONDS: Final = 24 * 3600
"""How long a distribution may take unless somebody says otherwise."""


@jsii.implements(iam.IGrantable)
class ImageProducer(Construct):
    """Brings AMIs that something else has made where a distribution says, on the channel of an image.

    An AMI that exists, a build of one's own in CodeBuild, an import, a further wave of a large distribution: each is
    one AMI id in this Region, and a state machine hands it to Image Builder, which copies, encrypts, shares and writes
    the channel as it does for its own builds.  The AMI itself stays as it is.  Distributing the same AMI again finds
    the delivery of before: one that failed is retried and nothing is copied twice.

    Copies are billed as snapshots in each Region; a run of the state machine costs less than a cent.

    As an ``iam.IGrantable`` the producer is its state machine.

    https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_DistributeImage.html

    Example:
        ::

            web = GoldenImage.from_name(stack, "Web", "web")
            asia = ImageProducer(
                stack, "Asia", name="web", wave="asia", distribution=Distribution.to_regions("ap-south-1")
            )
            asia.start_from(web)

    Args:
        scope: Where the producer goes.
        construct_id: Id of the construct in ``scope``.
        name: Name of the image, 3 to 128 letters, digits, blanks, hyphens and underscores, such as ``web-server``.
        distribution: Where the AMIs go.  Default: this stack's Region, where the AMI is copied once.
        platform: Operating system of the AMIs, for ``machine_image``.  Default: Linux.
        architecture: Processor of the AMIs, for ``machine_image``.  Default: x86_64.
        root_device: Name of the root device, for ``machine_image``.  Default: see ``ImageChannel.machine_image``.
        wave: Name of this part of the distribution, where a ``GoldenImage`` or another producer already distributes
            the image ``name`` from this Region.  Default: none, the distribution configuration is called as the image.
        tags: Tags of the AMIs in every target.  Default: none beside ``cdk-ami:image``, the image's name.
        source_keys: Keys that encrypt the AMIs to distribute; targets name those of the copies.  Default: none, the
            AMIs are unencrypted or under the Region's EBS default key.
        allow_unencrypted: Whether an unencrypted AMI may go to targets without a key, where its copies are unencrypted
            too unless the Region encrypts by default; the Marketplace takes only such.  Default: the state machine
            refuses it, and copies nothing.
        notifications: Topic that hears how each distribution ended.  Default: none.
        patience: How long a distribution may take before the state machine gives up waiting, which ends no copy.
            Default: 24 hours.

    Attributes:
        image_name: Name of the image in its normalized form.
        configuration: The distribution configuration.
        execution_role: Role by which the service distributes.
        state_machine: The state machine.

    Raises:
        ConfigError: When AWS would refuse something, with all that is wrong.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        distribution: Distribution | None = None,
        platform: Platform = Platform.LINUX,
        architecture: Architecture = Architecture.X86_64,
        root_device: str | None = None,
        wave: str | None = None,
        tags: Mapping[str, str] | None = None,
        source_keys: Sequence[IKeyRef | str] = (),
        allow_unencrypted: bool = False,
        notifications: sns.ITopic | None = None,
        patience: Duration | None = None,
    ) -> None:
        stack = stack_of(scope)
        place = Place(partition=partition_of(stack), region=region_of(stack), account=account_of(stack))
        image = normalized(name)
        ami_tags = dict(tags or {})
        wrong_tags = names.tags(ami_tags)
        keys = [key if isinstance(key, str) else key.key_ref.key_arn for key in source_keys]
        goes_to = distribution or Distribution.to_regions(place.region)
        goes_to = goes_to if wrong_tags else goes_to.tagged({IMAGE_TAG: image, **ami_tags})

        # Without keys nobody says whether the AMIs are encrypted.
        made: MadeImage | None = None
        if keys:
            made = MadeImage(
                region=place.region,
                account=place.account,
                partition=place.partition,
                platform=platform,
                volumes=len(keys),
                keys=tuple(source_keys),
            )

        faults = Faults(scope, construct_id)
        faults.check("name", names.resource_name(name))
        faults.check("name", names.parameter_name(channel_parameter(name)))
        if wave is not None:
            faults.check("wave", names.resource_name(f"{name}-{wave}"))
        faults.check("tags", wrong_tags)
        goes_to.find_faults(faults, image=image, made=made)
        for index, key in enumerate(keys):
            faults.check(f"source_keys[{index}]", rules.kms_key(key))
            faults.check(f"source_keys[{index}]", rules.kms_key_region(key, place.region))
        if notifications is not None:
            faults.check("notifications", builds.standard_topic(fifo=notifications.fifo))
        seconds = PATIENCE_SECONDS if patience is None else int(patience.to_seconds())
        faults.check("patience", producer_rules.patience(seconds))
        faults.raise_if_any()

        super().__init__(scope, construct_id)
        self.image_name = image
        self._channel = ImageChannel.from_name(image, goes_to.entry_channel)
        self._traits = (platform, architecture, root_device)
        self._place = place
        self._starts = 0
        self._keyless = goes_to.keyless

        configuration_name = scoped_name(image, wave) if wave else image
        self.configuration = goes_to.render(self, "Distribution", name=image, made=made)
        self.configuration.name = configuration_name
        group = self._log_group(configuration_name)
        self.execution_role = self._execution_role(goes_to, keys, group)
        fingerprint = contents_fingerprint(stack.resolve(self.configuration.distributions))
        for key, value in (
            (IMAGE_TAG, image),
            (FINGERPRINT_TAG, fingerprint),
            (ROLE_TAG, self.execution_role.attr_arn),
        ):
            self.configuration.tags.set_tag(key, value)
        machine_role = self._role_of_machine(configuration_name, notifications)
        self._role = iam.Role.from_role_name(self, "MachineRole", machine_role.ref)
        machine = ProducerMachine(
            partition=place.partition,
            region=place.region,
            account=place.account,
            image=image,
            configuration_name=configuration_name,
            configuration_arn=self.configuration.attr_arn,
            fingerprint=fingerprint,
            role_arn=self.execution_role.attr_arn,
            log_group=group.ref,
            topic_arn=notifications.topic_arn if notifications else None,
            patience_seconds=seconds,
            keyless=() if allow_unencrypted else goes_to.keyless,
        )
        self.state_machine = sfn.StateMachine(
            self,
            "Machine",
            # Not by the stack's own function, which leaves out what is null: a state without a result path.
            definition_body=sfn.DefinitionBody.from_string(json.dumps(machine.definition())),
            role=self._role,
        )

    @property
    def channel(self) -> ImageChannel:
        """The channel that every distribution moves; what fleets launch from."""
        return self._channel

    @property
    def keyless(self) -> tuple[str, ...]:
        """The Regions whose target names no key, so that a copy is encrypted there only if the AMI is."""
        return self._keyless

    @property
    def grant_principal(self) -> iam.IPrincipal:
        """The state machine's role, for grants to read what names an AMI."""
        return self._role.grant_principal

    def machine_image(self, *, tracking: Tracking = Tracking.AT_DEPLOY) -> ChannelImage:
        """Return the image, by its entry channel, for anything that takes an ``ec2.IMachineImage``.

        Args:
            tracking: When the channel is read.  Default: at deploy.
        """
        platform, architecture, root_device = self._traits
        return self._channel.machine_image(
            tracking=tracking, platform=platform, architecture=architecture, root_device=root_device
        )

    def grant_start(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let ``grantee`` start a distribution and follow it.

        The input of an execution is ``{"source": "ami-..."}``.

        Args:
            grantee: A role, a user, a function.
        """
        return self.state_machine.grant_start_execution(grantee).combine(self.state_machine.grant_read(grantee))

    def start_from(
        self,
        source: codebuild.IProject | NamedImage | events.Rule | s3.IBucket | ssm.IStringParameter,
        *,
        ami_path: str | None = None,
        key_prefix: str | None = None,
    ) -> events.Rule:
        """Distribute what ``source`` makes, each time it has made something.

        - A project of CodeBuild: after each build that succeeded, the AMI in its exported variable ``AMI_ID``.
        - A ``GoldenImage``: after each build, its AMI of this Region; this is how a large distribution goes in waves.
        - A bucket: after each new object, the AMI in it: ``{"ami": "ami-..."}``.  The bucket must send its events to
          EventBridge.
        - A parameter of Systems Manager: after each change, the AMI that it holds.
        - A rule of EventBridge: at each event, the AMI at ``ami_path``, such as ``$.detail.ImageId``.

        Args:
            source: What makes AMIs.
            ami_path: Where an event of a rule holds the AMI id; for rules, and required there.
            key_prefix: How the keys of the objects begin; for buckets.  Default: every object.

        Returns:
            The rule, to which more targets can be added.

        Raises:
            ConfigError: When the source and the arguments do not go together.
        """
        from cdk_ami.distribution.producer_sources import attach  # noqa: PLC0415 - loads modules that few need

        self._starts += 1
        return attach(self, f"Start{self._starts}", source, ami_path=ami_path, key_prefix=key_prefix)

    def on_distributed(self, construct_id: str, *, target: events.IRuleTarget | None = None) -> events.Rule:
        """Add a rule for distributions that brought the AMI to every target.

        Args:
            construct_id: Id of the rule.
            target: What to do.  Default: nothing yet, add targets to the rule.
        """
        return self._rule(construct_id, ["SUCCEEDED"], target)

    def on_failed(self, construct_id: str, *, target: events.IRuleTarget | None = None) -> events.Rule:
        """Add a rule for distributions that did not; the event's detail holds ``error`` and ``cause``.

        Args:
            construct_id: Id of the rule.
            target: What to do.  Default: nothing yet, add targets to the rule.
        """
        return self._rule(construct_id, ["FAILED", "TIMED_OUT", "ABORTED"], target)

    def _rule(self, construct_id: str, states: Sequence[str], target: events.IRuleTarget | None) -> events.Rule:
        from aws_cdk import aws_events as events  # noqa: PLC0415 - imported only where a rule is made

        return events.Rule(
            self,
            construct_id,
            description=f"Distributions of {self.image_name}: {', '.join(states)}",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={"stateMachineArn": [self.state_machine.state_machine_arn], "status": list(states)},
            ),
            targets=[target] if target is not None else None,
        )

    def _log_group(self, name: str) -> logs.CfnLogGroup:
        return logs.CfnLogGroup(
            self, "LogGroup", log_group_name=f"{log_group(name)}/distribution", retention_in_days=LOG_DAYS
        )

    def _execution_role(self, goes_to: Distribution, keys: Sequence[str], group: logs.CfnLogGroup) -> iam.CfnRole:
        document = ExecutionPermissions(
            place=self._place,
            image=self.image_name,
            targets=goes_to.targets,
            entry_channel=goes_to.entry_channel,
            source_keys=keys,
            log_group_arn=group.attr_arn,
        ).document()
        return self._make_role(
            "ExecutionRole", f"Distributes AMIs of {self.image_name}", "imagebuilder.amazonaws.com", document
        )

    def _role_of_machine(self, configuration_name: str, topic: sns.ITopic | None) -> iam.CfnRole:
        key = topic.master_key if topic else None
        document = MachinePermissions(
            place=self._place,
            image=self.image_name,
            configuration_arn=self.configuration.attr_arn,
            role_arn=self.execution_role.attr_arn,
            tag_key=delivery_tag(configuration_name),
            topic_arn=topic.topic_arn if topic else None,
            topic_key_arn=key.key_arn if key else None,
        ).document()
        return self._make_role(
            "Role", f"Starts distributions of {self.image_name} and follows them", "states.amazonaws.com", document
        )

    def _make_role(self, construct_id: str, description: str, service: str, document: Mapping[str, Any]) -> iam.CfnRole:
        role = iam.CfnRole(
            self,
            construct_id,
            description=description,
            assume_role_policy_document=service_trust(self._place.account, service),
            policies=[iam.CfnRole.PolicyProperty(policy_name="Distribute", policy_document=document)],
        )
        acknowledge_wildcards(role, document, reason=WILDCARD_REASON)
        return role
