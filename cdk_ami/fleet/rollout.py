"""What happens to a fleet when its channel moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

from cdk_ami.checks import names
from cdk_ami.checks import rollouts as rules
from cdk_ami.checks.rule import is_token
from cdk_ami.checks.schedules import time_zone
from cdk_ami.distribution.channel_image import ChannelImage, DeployedImage, LaunchedImage, PinnedImage
from cdk_ami.fleet.refresh import Refresh
from cdk_ami.fleet.rollout_state import freeze_parameter

if TYPE_CHECKING:
    from aws_cdk import Duration
    from aws_cdk import aws_ec2 as ec2
    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_sns as sns

    from cdk_ami.errors import Faults

FixedImage: TypeAlias = DeployedImage | PinnedImage
"""An image whose AMI id stands in the launch template, so that a refresh can be rolled back."""

ImageT_contra = TypeVar("ImageT_contra", contravariant=True)


_MINUTE: Final = 60


class RolloutMode(StrEnum):
    """When instances get another AMI."""

    IN_DEPLOYMENT = "in-deployment"
    """With the next deployment of the stack."""

    ON_CHANNEL = "on-channel"
    """When the channel moves, by an update of the stack with its own template."""

    AT_NEXT_LAUNCH = "at-next-launch"
    """Each at its launch; nobody is replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceWindow:
    """Hours in which a rollout may begin; one that has begun goes on to its end.

    Attributes:
        days: Days of the week, ``MON`` to ``SUN``.  Default: every day.
        start_hour: Hour in which it opens, 0 to 23.
        hours: How many hours it stays open; it closes at midnight at the latest.
        time_zone: Time zone of the hours, such as ``Europe/Berlin``, daylight saving included.  Default: UTC.
    """

    days: Sequence[str] = rules.DAYS
    start_hour: int
    hours: int
    time_zone: str = "UTC"

    @property
    def schedule(self) -> str:
        """The schedule that looks for a moved channel, every quarter of an hour while the window is open.

        https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html#cron-based
        """
        last = self.start_hour + self.hours - 1
        hours = f"{self.start_hour}" if last == self.start_hour else f"{self.start_hour}-{last}"
        return f"cron(0/15 {hours} ? * {','.join(self.days)} *)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout(Generic[ImageT_contra]):
    """What happens to a fleet when its channel moves: made by one of three methods, each for the images that it fits.

    The stack is the only writer of the fleet, so that stack and group always agree, and the next deployment neither
    goes back to an older AMI nor replaces what is up to date.  While a channel names an AMI that was rolled back, a
    deployment tries it again.

    Example:
        ::

            from aws_cdk import Duration

            image = ImageChannel.from_name("web", "stable").machine_image()
            rollout = Rollout.on_channel(refresh=Refresh(bake_time=Duration.minutes(10)))
            fleet = ImageFleet(stack, "Fleet", image=image, vpc=vpc, rollout=rollout)

    Attributes:
        mode: When instances get another AMI.
        refresh: How they are replaced.
        name: Name of the rollout, a part of the name of the parameter that holds its state.
        notifications: Topic that learns of the start, the success, the roll back and the failure.
        reports: Whether its state is written where a promotion can wait for it.
        windows: When it may begin.
        deployment_role: Role that CloudFormation uses.
        reads: Other parameters of the parameter store that the stack's template reads.
        reconcile: How often it looks whether an event was lost.
    """

    mode: RolloutMode
    refresh: Refresh = field(default_factory=Refresh)
    name: str | None = None
    notifications: sns.ITopic | None = None
    reports: bool = False
    windows: tuple[MaintenanceWindow, ...] = ()
    deployment_role: iam.IRole | None = None
    reads: tuple[str, ...] = ()
    reconcile: Duration | None = None

    @staticmethod
    def in_deployment(
        *,
        refresh: Refresh | None = None,
        name: str | None = None,
        notifications: sns.ITopic | None = None,
        reports: bool = False,
    ) -> Rollout[FixedImage]:
        """Replace instances in the deployment that finds another AMI, which is what a fleet does by default.

        The deployment waits for the instance refresh and for its bake time; when the refresh fails, the stack is rolled
        back, and the fleet to the AMI before.  It knows no maintenance window and no freeze: who deploys decides.

        Args:
            refresh: How instances are replaced.  Default: as `Refresh` says.
            name: Name of the rollout.  Default: made of the path of the fleet.
            notifications: Topic that learns of starts and ends; it makes the fleet report.  Default: none.
            reports: Whether a state machine writes what deployments do to
                ``/imagebuilder/IMAGE/CHANNEL/rollouts/NAME``, so that a promotion can wait for it.  It costs about
                0.40 USD a month.  Default: False, unless there are ``notifications``.
        """
        return Rollout(
            mode=RolloutMode.IN_DEPLOYMENT,
            refresh=refresh or Refresh(),
            name=name,
            notifications=notifications,
            reports=reports or notifications is not None,
        )

    @staticmethod
    def on_channel(
        *,
        refresh: Refresh | None = None,
        name: str | None = None,
        notifications: sns.ITopic | None = None,
        windows: Sequence[MaintenanceWindow] = (),
        deployment_role: iam.IRole | None = None,
        reads: Sequence[str] = (),
        reconcile: Duration | None = None,
    ) -> Rollout[DeployedImage]:
        """Replace instances as soon as the channel moves, without a deployment.

        A state machine updates the stack with the template that it has; CloudFormation reads the channel anew, and does
        what a deployment would.  It reads every other parameter of the parameter store anew as well: fleets of one
        stack roll out together.  An AMI that was rolled back is not tried again until the channel is moved to it again.
        While the parameter ``/imagebuilder/IMAGE/CHANNEL/rollouts/NAME/freeze`` exists, nothing begins; its value is
        the reason.

        The state machine may update this stack and no other.  CloudFormation acts with the role that the stack was
        deployed with, which the CDK sets; whoever can change the state machine can do what that role can.
        It costs about 0.40 USD a month.

        Args:
            refresh: How instances are replaced.  Default: as `Refresh` says.
            name: Name of the rollout.  Default: made of the path of the fleet.
            notifications: Topic that learns of starts and ends, with the AMIs and the reason.  Default: none.
            windows: When rollouts may begin.  Default: at any time.
            deployment_role: Role that CloudFormation uses, for a stack that was deployed without one.  Default: the
                role that the stack has.
            reads: Names of the other parameters that the stack's template reads by a parameter of an SSM type, but for
                channels and public parameters.  Default: none.
            reconcile: How often the state machine looks whether an event was lost, in whole minutes.  Default: every
                hour.
        """
        return Rollout(
            mode=RolloutMode.ON_CHANNEL,
            refresh=refresh or Refresh(),
            name=name,
            notifications=notifications,
            reports=True,
            windows=tuple(windows),
            deployment_role=deployment_role,
            reads=tuple(reads),
            reconcile=reconcile,
        )

    @staticmethod
    def at_next_launch() -> Rollout[LaunchedImage]:
        """Replace nobody: each launch resolves the channel, and instances of one group may run different AMIs.

        Nothing can be rolled back and nothing reports; a promotion cannot wait for such a fleet.
        """
        return Rollout(mode=RolloutMode.AT_NEXT_LAUNCH)

    def suits(self, image: ImageT_contra) -> bool:
        """Tell whether it can roll ``image`` out; the type checker has asked before."""
        match self.mode:
            case RolloutMode.AT_NEXT_LAUNCH:
                return isinstance(image, LaunchedImage)
            case RolloutMode.ON_CHANNEL:
                return isinstance(image, DeployedImage)
            case _:
                return not isinstance(image, LaunchedImage)

    def find_faults(self, faults: Faults, *, image: ec2.IMachineImage, nested: bool) -> None:
        """Record in ``faults`` what is wrong with the rollout, alone and with the image.

        Args:
            faults: The call's faults.
            image: What the fleet runs.
            nested: Whether the fleet's stack is part of another, which alone may update it.
        """
        self.refresh.find_faults(faults)
        for index, window in enumerate(self.windows):
            at = f"rollout.windows[{index}]"
            faults.check(at, rules.maintenance_window(window.days, window.start_hour, window.hours))
            faults.check(f"{at}.time_zone", time_zone(window.time_zone))
        if self.reconcile is not None and not self.reconcile.is_unresolved():
            seconds = int(self.reconcile.to_seconds())
            if seconds < _MINUTE or seconds % _MINUTE:
                faults.add(
                    "rollout.reconcile", "is no number of minutes", got=seconds, fix="give whole minutes, 1 or more"
                )
        if self.name is not None:
            faults.check("rollout.name", rules.rollout_name(self.name))
        for index, name in enumerate(self.reads):
            faults.check(f"rollout.reads[{index}]", names.parameter_name(name))
        self._find_faults_of_image(faults, image=image, nested=nested)

    def _find_faults_of_image(self, faults: Faults, *, image: ec2.IMachineImage, nested: bool) -> None:
        if self.mode is RolloutMode.AT_NEXT_LAUNCH:
            if isinstance(image, ChannelImage) and not self.suits(image):  # type: ignore[arg-type]
                faults.check("rollout", rules.rollout_at_next_launch())
            return
        if isinstance(image, LaunchedImage):
            faults.check("rollout", rules.rollout_of_parameter())
            return
        if self.reports and not isinstance(image, DeployedImage):
            reason = "follows a channel, and the image is not read from one at deploy"
            faults.check("rollout", rules.rollout_on_channel(reason, "give ImageChannel(...).machine_image()"))
        elif self.reports and isinstance(image, DeployedImage):
            if is_token(image.channel.parameter_name):
                reason = "follows a channel by name, and the name is known only to the deployment"
                faults.check("rollout", rules.rollout_on_channel(reason, "write the name of the channel out"))
            else:
                longest = freeze_parameter(image.channel.image, image.channel.channel, "x" * 64)
                faults.check("image", names.parameter_name(longest))
        if nested and self.mode is RolloutMode.ON_CHANNEL:
            reason = "updates the fleet's stack, which is nested in another that alone may update it"
            faults.check("rollout", rules.rollout_on_channel(reason, "put the fleet into a stack of its own"))
