"""What starts a build."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from cdk_ami.build.schedule import BuildSchedule
from cdk_ami.checks.rule import is_token


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildTrigger:
    """What starts a build: a person or a program, the clock, a deployment that changed the image.

    Whatever the trigger, anybody with ``GoldenImage.grant_start_build`` can start the pipeline as well.

    Attributes:
        clock: When the pipeline builds by itself.  None: never.
        in_deployment: Whether a deployment that changes the image builds it and waits for the result.
        also: Values whose change is a change of the image, see ``on_change``.
    """

    clock: BuildSchedule | None = None
    in_deployment: bool = False
    also: tuple[str, ...] = ()

    @classmethod
    def manual(cls) -> BuildTrigger:
        """Return the trigger that leaves every start to a person or a program.  Costs nothing by itself."""
        return cls()

    @classmethod
    def schedule(cls, schedule: BuildSchedule) -> BuildTrigger:
        """Return the trigger that builds by the clock, without any deployment."""
        return cls(clock=schedule)

    @classmethod
    def on_change(cls, *, also: Sequence[str] = (), schedule: BuildSchedule | None = None) -> BuildTrigger:
        """Return the trigger that builds within the deployment that changes the image.

        The deployment waits, 15 to 45 minutes as a rule, and fails when the build fails.  A change is another source,
        component, volume or other part of the recipe, another Region or account that receives the AMI, and whatever
        else changes the pipeline, such as its schedule.  Tags, the build's instance types, its network and its logs
        are none.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-imagebuilder-image.html

        Args:
            also: Values whose change is to be a change of the image, such as a date to force a build or the version of
                a package that a component fetches.
            schedule: When the pipeline builds by itself besides.  Default: never.
        """
        return cls(clock=schedule, in_deployment=True, also=tuple(also))

    def fingerprint(self, destinations: Sequence[tuple[str, Sequence[str]]]) -> str | None:
        """Return a short text that changes when a build is due though the recipe stays, None without such a build.

        The pipeline carries it in its description, because its ``DeploymentId`` changes with nothing but its own
        configuration: an edit inside the distribution keeps the ARN, and a new Region would stay without an AMI.

        Args:
            destinations: Region and accounts of each distribution target.
        """
        if not self.in_deployment:
            return None
        # The number in a token depends on what else was synthesized, so a token counts as one word.
        words = [[_stable(region), [_stable(account) for account in accounts]] for region, accounts in destinations]
        content = json.dumps([sorted(words), [_stable(value) for value in self.also]])
        return hashlib.sha256(content.encode()).hexdigest()[:12]


def _stable(value: str) -> str:
    return "token" if is_token(value) else value
