"""What can be done with an image by its name alone: read its channel, hear of its builds, start one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from constructs import Construct

from cdk_ami.build.events import (
    SOURCE,
    BuildState,
    ImageArns,
    Pattern,
    Severity,
    cve_pattern,
    disabled_pattern,
    state_pattern,
    step_pattern,
)
from cdk_ami.checks import names
from cdk_ami.distribution.channel import ImageChannel
from cdk_ami.home import belongs_to, stack_of
from cdk_ami.naming import ENTRY_CHANNEL, channel_parameter

if TYPE_CHECKING:
    from aws_cdk import aws_events as events
    from aws_cdk import aws_iam as iam

    from cdk_ami.errors import Faults


def find_faults_of_name(faults: Faults, name: str) -> None:
    """Record in ``faults`` what keeps ``name`` from being an image's name."""
    faults.check("name", names.resource_name(name))
    faults.check("name", names.parameter_name(channel_parameter(name)))


class NamedImage(Construct):
    """A golden image that this app, or another one, builds.

    Everything follows from the name: the pipeline, the builds and the channel are called after it.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, arns: ImageArns, entry_channel: str = ENTRY_CHANNEL
    ) -> None:
        super().__init__(scope, construct_id)
        belongs_to(self, stack_of(scope))
        self._arns = arns
        self._entry_channel = entry_channel

    @property
    def image_name(self) -> str:
        """Name of the image in its normalized form, which recipe, pipeline and channel share."""
        return self._arns.name

    @property
    def channel(self) -> ImageChannel:
        """The channel that every build moves; what fleets launch from."""
        return ImageChannel.from_name(self._arns.name, self._entry_channel)

    @property
    def pipeline_arn(self) -> str:
        """ARN of the pipeline."""
        return self._arns.pipeline

    def grant_start_build(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let ``grantee`` start a build, tag its image resource, and follow it.

        Whoever starts a build gives the image resource the tags of ``IMAGE_TAG``: the pipeline's own reach scheduled
        builds only.  https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_StartImagePipelineExecution.html

        Args:
            grantee: A role, a user, a function.
        """
        from aws_cdk import aws_iam as iam  # noqa: PLC0415 - imported only where a grant is made

        start = iam.Grant.add_to_principal(
            grantee=grantee, actions=["imagebuilder:StartImagePipelineExecution"], resource_arns=[self.pipeline_arn]
        )
        follow = iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["imagebuilder:GetImage", "imagebuilder:TagResource"],
            resource_arns=[f"{self._arns.builds}*"],
        )
        return start.combine(follow)

    def on_build_state_change(
        self, construct_id: str, *, states: Sequence[BuildState] = (), target: events.IRuleTarget | None = None
    ) -> events.Rule:
        """Add a rule for builds of this image that enter one of ``states``.

        The event holds the ARN of the build and neither AMI ids nor the pipeline: call ``GetImage`` with the ARN.

        Args:
            construct_id: Id of the rule.
            states: The states; all of them when empty.
            target: What to do.  Default: nothing yet, add targets to the rule.
        """
        return self._rule(construct_id, state_pattern(self._arns, states), target)

    def on_build_succeeded(self, construct_id: str, *, target: events.IRuleTarget | None = None) -> events.Rule:
        """Add a rule for builds of this image that are tested, distributed and available.

        Args:
            construct_id: Id of the rule.
            target: What to do.  Default: nothing yet, add targets to the rule.
        """
        return self.on_build_state_change(construct_id, states=[BuildState.AVAILABLE], target=target)

    def on_build_failed(self, construct_id: str, *, target: events.IRuleTarget | None = None) -> events.Rule:
        """Add a rule for builds of this image that failed, tests and distribution included.

        Args:
            construct_id: Id of the rule.
            target: What to do.  Default: nothing yet, add targets to the rule.
        """
        return self.on_build_state_change(construct_id, states=[BuildState.FAILED], target=target)

    def on_cve_detected(
        self, construct_id: str, *, severity: Severity = Severity.ALL, target: events.IRuleTarget | None = None
    ) -> events.Rule:
        """Add a rule for scans of this image that found something; the image must be scanned for it.

        Args:
            construct_id: Id of the rule.
            severity: Which findings count.  Default: all.
            target: What to do.  Default: nothing yet, add targets to the rule.
        """
        return self._rule(construct_id, cve_pattern(self._arns, severity), target)

    def on_pipeline_disabled(self, construct_id: str, *, target: events.IRuleTarget | None = None) -> events.Rule:
        """Add a rule for the service disabling this image's pipeline after too many failed scheduled builds.

        Args:
            construct_id: Id of the rule.
            target: What to do.  Default: nothing yet, add targets to the rule.
        """
        return self._rule(construct_id, disabled_pattern(self._arns), target)

    def on_workflow_step_waiting(self, construct_id: str, *, target: events.IRuleTarget | None = None) -> events.Rule:
        """Add a rule for builds of this image that wait for somebody's decision.

        Args:
            construct_id: Id of the rule.
            target: What to do.  Default: nothing yet, add targets to the rule.
        """
        return self._rule(construct_id, step_pattern(self._arns), target)

    def _rule(self, construct_id: str, pattern: Pattern, target: events.IRuleTarget | None) -> events.Rule:
        from aws_cdk import aws_events as events  # noqa: PLC0415 - imported only where a rule is made

        return events.Rule(
            self,
            construct_id,
            description=f"{pattern.detail_type.value}: {self.image_name}",
            event_pattern=events.EventPattern(
                source=[SOURCE],
                detail_type=[pattern.detail_type.value],
                resources=events.Match.prefix(pattern.resource)
                if pattern.resource.endswith("/")
                else [pattern.resource],
                detail=pattern.detail,
            ),
            targets=[target] if target is not None else None,
        )
