"""Gates and waves, as one writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cdk_ami.build.events import Severity
from cdk_ami.checks import names
from cdk_ami.checks import promotion as rules
from cdk_ami.distribution.promotion_gates import COUNTS
from cdk_ami.distribution.promotion_plan import (
    ApprovalGate,
    CanaryGate,
    FindingsGate,
    FunctionGate,
    GatePlan,
    MachineGate,
    PlacePlan,
    TestsGate,
    WatchPlan,
)

if TYPE_CHECKING:
    from aws_cdk import Duration
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_sns as sns
    from aws_cdk import aws_stepfunctions as sfn

    from cdk_ami.errors import Faults

_HOUR = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What a build must pass before a promotion moves anything.

    Example:
        ::

            from aws_cdk import Duration

            gates = [
                Gate.tests_passed(),
                Gate.no_findings(Severity.HIGH),
                Gate.canary("web-canary", bake=Duration.hours(1)),
                Gate.approval(),
            ]

    Its methods make gates; the members are theirs.
    """

    _kind: str
    _severity: str = ""
    _watch: WatchPlan = field(default_factory=WatchPlan)
    _region: str | None = None
    _seconds: int = 0
    _machine: sfn.IStateMachine | None = None
    _function: lambda_.IFunction | None = None
    _topic: sns.ITopic | None = None

    @classmethod
    def tests_passed(cls) -> Gate:
        """Return the gate that the build's own tests passed.  A build without tests does not pass."""
        return cls(_kind="tests")

    @classmethod
    def no_findings(cls, severity: Severity | str = Severity.HIGH, *, patience: Duration | None = None) -> Gate:
        """Return the gate that the scan of the build found nothing as bad as ``severity``, or worse.

        A build that was not scanned does not pass.

        Args:
            severity: The mildest finding that stops a build.  ``ALL`` lets none pass.  Default: high.
            patience: How long the scan may take.  Default: one hour.
        """
        return cls(_kind="findings", _severity=str(severity), _seconds=_seconds(patience, _HOUR))

    @classmethod
    def canary(
        cls,
        fleet: str,
        *,
        region: str | None = None,
        bake: Duration | None = None,
        alarms: Sequence[str] = (),
        groups: Sequence[str] = (),
        patience: Duration | None = None,
    ) -> Gate:
        """Return the gate that a fleet which follows the channel the builds come from took the build and stays well.

        Args:
            fleet: Name of the fleet's rollout.
            region: Region of the fleet.  Default: that of the promotion.
            bake: How long it must stay well after its rollout.  Default: 30 minutes.
            alarms: Names of alarms in that Region that must not be raised.
            groups: Names of Auto Scaling groups there that must have their least number of healthy instances.
            patience: How long its rollout may take.  Default: two hours.
        """
        watch = WatchPlan(
            fleets=(fleet,),
            alarms=tuple(alarms),
            groups=tuple(groups),
            bake_seconds=_seconds(bake, _HOUR // 2),
            patience_seconds=_seconds(patience, 2 * _HOUR),
        )
        return cls(_kind="canary", _watch=watch, _region=region)

    @classmethod
    def state_machine(cls, machine: sfn.IStateMachine, *, timeout: Duration | None = None) -> Gate:
        """Return the gate that a state machine of your own succeeds.

        Its input holds ``image``, ``from``, ``to``, ``build``, ``moves`` and ``reason``.

        Args:
            machine: The state machine, in the promotion's account and Region.
            timeout: How long it may take.  Default: one hour.
        """
        return cls(_kind="machine", _machine=machine, _seconds=_seconds(timeout, _HOUR))

    @classmethod
    def function(cls, function: lambda_.IFunction) -> Gate:
        """Return the gate that a function of your own returns, and not ``{"pass": false, "reason": ...}``.

        It gets what a state machine gets.

        Args:
            function: The function, in the promotion's Region.
        """
        return cls(_kind="function", _function=function)

    @classmethod
    def approval(cls, *, topic: sns.ITopic | None = None, expires: Duration | None = None) -> Gate:
        """Return the gate that somebody approves.

        The message holds the commands that approve and reject, ``cdk-ami promote approve`` and ``reject``.  There is no
        link: it would need a public endpoint that everybody may call who has read the message.

        Args:
            topic: Topic that asks.  Default: that of the promotion.
            expires: When the question expires, which rejects the build.  Default: three days.
        """
        return cls(_kind="approval", _topic=topic, _seconds=_seconds(expires, 72 * _HOUR))

    def find_faults(self, faults: Faults, prop: str) -> None:
        """Record in ``faults`` what is wrong with the gate."""
        match self._kind:
            case "findings":
                faults.check(f"{prop}.severity", rules.scan_severity(self._severity))
                faults.check(f"{prop}.patience", rules.patience_seconds(self._seconds))
            case "canary":
                find_watch_faults(self._watch, faults, prop)
                if self._region is not None:
                    faults.check(f"{prop}.region", names.region(self._region))
            case "machine":
                faults.check(f"{prop}.timeout", rules.patience_seconds(self._seconds))
            case "approval":
                faults.check(f"{prop}.expires", rules.approval_seconds(self._seconds))

    def plan(self, stands: Stands, region: str, canary: int) -> GatePlan:
        """Return the gate as plain data.

        Args:
            stands: Makes what stands for an ARN in the definition.
            region: Region of the promotion.
            canary: How many canaries come before it.
        """
        match self._kind:
            case "tests":
                return TestsGate()
            case "findings":
                return FindingsGate(counted=COUNTS[self._severity], patience_seconds=self._seconds)
            case "canary":
                place = PlacePlan(region=self._region or region)
                return CanaryGate(place=place, number=canary, watch=self._watch)
            case "machine":
                return MachineGate(machine=stands.machine(self._machine), seconds=self._seconds)
            case "function":
                return FunctionGate(function=stands.function(self._function))
            case _:
                return ApprovalGate(topic=stands.topic(self._topic), region=region, seconds=self._seconds)


class Stands:
    """What stands for ARNs in a definition, and the ARNs: substitutions of CloudFormation's.

    Attributes:
        arns: ARN by the name that stands for it.
        machines: State machines of gates.
        functions: ARNs of functions of gates.
        topics: ARNs of topics that ask.
    """

    def __init__(self) -> None:
        self.arns: dict[str, str] = {}
        self.machines: list[sfn.IStateMachine] = []
        self.functions: list[str] = []
        self.topics: list[str] = []

    def machine(self, machine: Any) -> str:
        """Return what stands for a state machine."""
        self.machines.append(machine)
        return self._stand("Machine", machine.state_machine_arn)

    def function(self, function: Any) -> str:
        """Return what stands for a function."""
        self.functions.append(function.function_arn)
        return self._stand("GateFunction", function.function_arn)

    def topic(self, topic: sns.ITopic | None) -> str:
        """Return what stands for a topic; the promotion's own without one."""
        if topic is None:
            return "${Topic}"
        self.topics.append(topic.topic_arn)
        return self._stand("AskedTopic", topic.topic_arn)

    def _stand(self, kind: str, arn: str) -> str:
        name = f"{kind}{len(self.arns) + 1}"
        self.arns[name] = arn
        return f"${{{name}}}"


@dataclass(frozen=True, slots=True)
class Wave:
    """Regions that are moved at the same time, and what must go well there before the next wave.

    Example:
        ::

            from aws_cdk import Duration

            waves = [
                Wave(["us-east-1"], fleets=["web"], alarms=["web-errors"], bake=Duration.minutes(30)),
                Wave(["eu-west-1", "ap-northeast-1"], fleets=["web"]),
            ]

    Attributes:
        regions: Region codes.
        fleets: Names of the rollouts that must bring the build to their fleets in each of these Regions.  A Region
            whose channel did not exist before has no fleet yet and is not waited for.  Default: none is waited for.
        alarms: Names of alarms in each of these Regions that must not be raised.
        groups: Names of Auto Scaling groups in each of them that must have their least number of healthy instances.
        bake: How long all of it must stay well after the fleets are through.  Default: not at all.
        patience: How long the fleets may take.  Default: two hours.
        accounts: Accounts whose channels are moved instead of the promotion's own, and the role to assume in each,
            which needs ``Promotion.target_policy`` and must trust the promotion's function.
            Default: the promotion's own account.
    """

    regions: Sequence[str]
    fleets: Sequence[str] = ()
    alarms: Sequence[str] = ()
    groups: Sequence[str] = ()
    bake: Duration | None = None
    patience: Duration | None = None
    accounts: Mapping[str, str] = field(default_factory=dict)

    def watch(self) -> WatchPlan:
        """Return what must go well."""
        return WatchPlan(
            fleets=tuple(self.fleets),
            alarms=tuple(self.alarms),
            groups=tuple(self.groups),
            bake_seconds=_seconds(self.bake, 0),
            patience_seconds=_seconds(self.patience, 2 * _HOUR),
        )

    def places(self, number: int) -> tuple[PlacePlan, ...]:
        """Return the places of the wave with that number."""
        accounts = self.accounts or {"": ""}
        return tuple(
            PlacePlan(region=region, account=account, role=role, wave=number)
            for account, role in accounts.items()
            for region in self.regions
        )

    def find_faults(self, faults: Faults, prop: str) -> None:
        """Record in ``faults`` what is wrong with the wave."""
        faults.check(f"{prop}.regions", rules.wave_regions(self.regions))
        for index, region in enumerate(self.regions):
            faults.check(f"{prop}.regions[{index}]", names.region(region))
        for account, role in self.accounts.items():
            faults.check(f"{prop}.accounts", names.account_id(account))
            faults.check(f"{prop}.accounts[{account!r}]", rules.role_of_account(role, account))
        find_watch_faults(self.watch(), faults, prop)


def find_watch_faults(watch: WatchPlan, faults: Faults, prop: str) -> None:
    """Record in ``faults`` what is wrong with what must go well."""
    faults.check(f"{prop}.fleets", rules.fleet_names(watch.fleets))
    faults.check(f"{prop}.alarms", rules.alarm_names(watch.alarms))
    faults.check(f"{prop}.bake", rules.bake_seconds(watch.bake_seconds))
    faults.check(f"{prop}.patience", rules.patience_seconds(watch.patience_seconds))


def _seconds(duration: Duration | None, default: int) -> int:
    return default if duration is None else int(duration.to_seconds())
