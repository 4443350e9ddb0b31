"""When a pipeline runs by itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from cdk_ami.checks import schedules

if TYPE_CHECKING:
    from cdk_ami.errors import Faults


class StartCondition(StrEnum):
    """What must hold, beside the time, for a scheduled build to start.

    https://docs.aws.amazon.com/imagebuilder/latest/APIReference/API_Schedule.html
    """

    DEPENDENCY_UPDATES = "EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE"
    """The source image or a component given as ``x.x.x`` has a new version since the last build."""
    ALWAYS = "EXPRESSION_MATCH_ONLY"
    """Nothing else: each match builds, and each build costs an instance for 15 to 45 minutes and new snapshots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSchedule:
    """When a pipeline builds by itself.

    Attributes:
        expression: ``cron(MINUTE HOUR DAY MONTH WEEKDAY YEAR)``, one of the two days a question mark, or
            ``rate(NUMBER minutes|hours|days)``.
            https://docs.aws.amazon.com/imagebuilder/latest/userguide/cron-expressions.html
        time_zone: IANA name, such as ``Europe/Berlin``.  Default: ``Etc/UTC``, as the service has it.
        start_condition: Default: build only when the source image or a component moved, which costs nothing otherwise.
        disable_after_failures: Failed scheduled builds in a row, 1 to 10, that disable the pipeline and send the event
            of ``on_pipeline_disabled``.  Default: 5, the number after which the service disables it anyway, without an
            event.
    """

    expression: str
    time_zone: str = "Etc/UTC"
    start_condition: StartCondition = StartCondition.DEPENDENCY_UPDATES
    disable_after_failures: int = 5

    @classmethod
    def daily(cls, *, hour: int = 4, time_zone: str = "Etc/UTC") -> BuildSchedule:
        """Return the schedule that looks for updates every day at ``hour``, 0 to 23."""
        return cls(expression=f"cron(0 {hour} * * ? *)", time_zone=time_zone)

    @classmethod
    def weekly(cls, *, weekday: str = "sun", hour: int = 4, time_zone: str = "Etc/UTC") -> BuildSchedule:
        """Return the schedule that looks for updates every week on ``weekday``, such as ``sun``, at ``hour``."""
        return cls(expression=f"cron(0 {hour} ? * {weekday} *)", time_zone=time_zone)

    def find_faults(self, faults: Faults, *, prop: str) -> None:
        """Record in ``faults`` what the service would refuse."""
        faults.check(f"{prop}.expression", schedules.schedule_expression(self.expression))
        faults.check(f"{prop}.time_zone", schedules.time_zone(self.time_zone))
        faults.check(f"{prop}.disable_after_failures", schedules.failures_before_disable(self.disable_after_failures))
