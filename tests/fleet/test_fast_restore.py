"""Fast snapshot restore: on for a new AMI, and for nothing else, whatever happens in between."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cdk_ami import FastRestore, ImageChannel
from cdk_ami.runtime import fast_restore
from cdk_ami.sandbox.server import Sandbox
from cdk_ami.sandbox.testing import LocalAws
from cdk_ami.sandbox.testing.control import Control
from tests.support.control import ask
from tests.support.sandbox import MakeClient, wait_until
from tests.support.synth import make_stack, only_resource, resources_of, template_of

ZONES = ["us-east-1a", "us-east-1b"]
CHANNEL = "/imagebuilder/web/latest"
SETTINGS = {"Channel": CHANNEL, "Hours": 2, "State": f"{CHANNEL}/fast-restores/fast-s-fast", "Zones": ZONES}
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def make_image(aws: Any, name: str) -> tuple[str, str]:
    """Make an AMI of the account's own, and return its id and that of its snapshot."""
    ec2 = aws("ec2")
    source = aws("ssm").get_parameter(Name="/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64")
    image = str(
        ec2.copy_image(Name=name, SourceImageId=source["Parameter"]["Value"], SourceRegion="us-east-1")["ImageId"]
    )
    return image, fast_restore.snapshots(ec2, image)[0]


def move(aws: Any, image: str) -> None:
    aws("ssm").put_parameter(Name=CHANNEL, Value=image, Type="String", Overwrite=True)


def switched_on(aws: Any) -> set[tuple[str, str]]:
    found = aws("ec2").describe_fast_snapshot_restores()["FastSnapshotRestores"]
    return {(one["SnapshotId"], one["AvailabilityZone"]) for one in found if not one["State"].startswith("disabl")}


def written(aws: Any) -> Any:
    return json.loads(aws("ssm").get_parameter(Name=SETTINGS["State"])["Parameter"]["Value"])


class Faulty:
    """A client of which the call number ``at`` fails before it does anything, or after it has."""

    def __init__(self, client: Any, calls: list[str], *, at: int, after: bool) -> None:
        self._client, self._calls, self._at, self._after = client, calls, at, after

    def __getattr__(self, name: str) -> Any:
        known = getattr(self._client, name)
        if name == "exceptions":
            return known

        def call(**asked: Any) -> Any:
            self._calls.append(name)
            broken = len(self._calls) == self._at
            if broken and not self._after:
                raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, name)
            answer = known(**asked)
            if broken:
                raise ClientError({"Error": {"Code": "InternalError", "Message": "and yet it was done"}}, name)
            return answer

        return call


def test_what_is_on_is_that_of_the_new_ami_until_its_hours_are_over(aws: MakeClient) -> None:
    clients = aws("ec2"), aws("ssm")
    (first, old), (second, new) = make_image(aws, "first"), make_image(aws, "second")
    move(aws, first)

    fast_restore.reconcile(*clients, SETTINGS, now=NOON)
    at_first = switched_on(aws)
    move(aws, second)
    fast_restore.reconcile(*clients, SETTINGS, now=NOON + timedelta(hours=1))
    fast_restore.reconcile(*clients, SETTINGS, now=NOON + timedelta(hours=2))
    moved = switched_on(aws)
    fast_restore.reconcile(*clients, SETTINGS | {"Zones": ZONES[:1]}, now=NOON + timedelta(hours=2))
    narrowed = switched_on(aws)
    fast_restore.reconcile(*clients, SETTINGS, now=NOON + timedelta(hours=3))

    assert at_first == {(old, zone) for zone in ZONES}
    assert moved == {(new, zone) for zone in ZONES}
    assert narrowed == {(new, ZONES[0])}
    assert switched_on(aws) == set()
    assert written(aws)["on"] == []


def test_a_fault_at_any_call_leaves_nothing_on_that_nobody_knows_of(aws: MakeClient) -> None:
    """Each call of a change from one AMI to another fails once, before or after it was done; the next look mends it."""
    (first, old), (second, new) = make_image(aws, "first"), make_image(aws, "second")
    move(aws, first)
    calls: list[str] = []
    points = 0

    def look(image: str, *, at: int = 0, after: bool = False) -> None:
        move(aws, image)
        calls.clear()
        faulty = [Faulty(aws(service), calls, at=at, after=after) for service in ("ec2", "ssm")]
        fast_restore.reconcile(faulty[0], faulty[1], SETTINGS | {"Zones": ZONES[:1]}, now=NOON)

    look(first)
    look(second)
    count = len(calls)
    (left, entered) = (second, first)
    for at in range(1, count + 1):
        for after in (False, True):
            with pytest.raises(ClientError):
                look(entered, at=at, after=after)
            points += 1
            assert switched_on(aws) <= {tuple(pair) for pair in written(aws)["on"]}, (at, after)
            look(entered)
            assert switched_on(aws) == {(old if entered == first else new, ZONES[0])}, (at, after)
            left, entered = entered, left

    print(f"{points} fault points")  # noqa: T201 - so that a run tells how many there were
    assert (count, points) == (8, 16)


def test_two_that_write_at_once_begin_again(aws: MakeClient) -> None:
    ssm = aws("ssm")
    state: dict[str, Any] = {"image": None, "since": "", "on": []}
    version = fast_restore.save(ssm, str(SETTINGS["State"]), state, 0)
    fast_restore.save(ssm, str(SETTINGS["State"]), state, version)

    with pytest.raises(RuntimeError, match="written by two at once"):
        fast_restore.save(ssm, str(SETTINGS["State"]), state, version)


def test_a_stack_switches_on_follows_the_channel_and_switches_off_when_it_goes(
    aws: MakeClient, sandbox: Sandbox
) -> None:
    (first, old), (second, new) = make_image(aws, "first"), make_image(aws, "second")
    move(aws, first)
    local = LocalAws()
    local._server, local._control = sandbox, Control(sandbox.endpoint)
    stack = make_stack()
    FastRestore(stack, "Fast", channel=ImageChannel("web"), zones=ZONES, hours=1)
    template = template_of(stack)
    app = stack.node.root

    local.deploy(app)  # type: ignore[arg-type]
    deployed = switched_on(aws)
    (role,) = [one["Arn"] for one in aws("iam").list_roles()["Roles"] if "FastRole" in one["RoleName"]]
    local.enforce(role)
    move(aws, second)
    wait_until(lambda: switched_on(aws) == {(new, zone) for zone in ZONES}, seconds=30)
    ask(sandbox, "clock", advance=7_300)
    wait_until(lambda: switched_on(aws) == set(), seconds=60)
    local.destroy(app)  # type: ignore[arg-type]

    assert deployed == {(old, zone) for zone in ZONES}
    assert aws("ssm").get_parameters(Names=[str(SETTINGS["State"])])["InvalidParameters"] == [SETTINGS["State"]]
    function = only_resource(template, "AWS::Lambda::Function")["Properties"]
    assert json.loads(function["Environment"]["Variables"]["SETTINGS"]) == SETTINGS | {"Hours": 1}
    assert len(function["Code"]["ZipFile"]) <= 4_096
    assert {tuple(one["Properties"]) for one in resources_of(template, "AWS::Events::Rule").values()} == {
        ("EventPattern", "State", "Targets"),
        ("ScheduleExpression", "State", "Targets"),
    }
