"""A promotion as it is deployed, and as it runs in the local AWS with the roles that it gets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from syrupy.assertion import SnapshotAssertion

from cdk_ami import Gate, Meanwhile, Promotion, Severity, Wave
from cdk_ami.distribution.promotion_machine import definition
from cdk_ami.distribution.promotion_plan import LOOKS_MAX, PlacePlan, PromotionPlan, WatchPlan, WavePlan
from cdk_ami.fleet.rollout_state import RolloutPhase
from cdk_ami.function_code import modules_of
from cdk_ami.runtime.channel_places import places_of
from cdk_ami.sandbox.testing import LocalAws
from tests.support.promoting import HOME, REGIONS, Promoting
from tests.support.synth import make_app, make_stack, only_resource, resources_of

OTHER = "210987654321"
ROLE = f"arn:aws:iam::{OTHER}:role/promote"
CHANNEL = {"Name": "/imagebuilder/web/stable"}
GATE_CODE = """
def handler(event, context):
    return {"pass": "bad" not in event["reason"], "image": event["image"]}
"""


class Synthesized:
    """The stacks of the tests, synthesized once."""

    def __init__(self) -> None:
        app = make_app()
        plain = make_stack("promotion", app=app)
        Promotion(
            plain,
            "Promotion",
            image="web",
            waves=[Wave([HOME], fleets=["web"], alarms=["errors"]), Wave(["eu-west-1"], fleets=["web"])],
        )
        gated = make_stack("gated", app=app)
        machine = sfn.StateMachine(
            gated, "Machine", definition_body=sfn.DefinitionBody.from_chainable(sfn.Pass(gated, "Look"))
        )
        function = lambda_.Function(
            gated,
            "Function",
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler="index.handler",
            code=lambda_.Code.from_inline(GATE_CODE),
        )
        promotion = Promotion(
            gated,
            "Promotion",
            image="web",
            from_channel="candidate",
            to_channel="gold",
            automatic=False,
            meanwhile=Meanwhile.SUPERSEDE,
            gates=[
                Gate.canary("canary", bake=Duration.minutes(2)),
                Gate.state_machine(machine),
                Gate.function(function),
                Gate.approval(expires=Duration.hours(1)),
            ],
            waves=[Wave(["us-east-1", "eu-west-1"])],
        )
        accounts = make_stack("accounts", app=app)
        self.target_policy = Promotion(
            accounts,
            "Promotion",
            image="web",
            from_channel="candidate",
            to_channel="everywhere",
            automatic=False,
            notifications=promotion.topic,
            waves=[Wave([HOME]), Wave([HOME], accounts={OTHER: ROLE}, alarms=["errors"])],
        ).target_policy(OTHER)
        self.assembly = app.synth()
        self.templates = {one.stack_name: one.template for one in self.assembly.stacks}


@pytest.fixture(scope="module")
def synthesized() -> Synthesized:
    return Synthesized()


def machine_of(template: dict[str, Any]) -> dict[str, Any]:
    resource = next(
        one
        for name, one in resources_of(template, "AWS::StepFunctions::StateMachine").items()
        if name.startswith("Promotion")
    )
    return dict(resource["Properties"])


def statements(template: dict[str, Any], logical_id: str) -> dict[str, Any]:
    role = next(one for name, one in resources_of(template, "AWS::IAM::Role").items() if name.startswith(logical_id))
    return {one["Sid"]: one for one in role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]}


def test_the_function_holds_the_modules_that_it_imports_and_no_others() -> None:
    found = {path.as_posix().rpartition("cdk_ami/")[2] for path in modules_of("cdk_ami.runtime.promotion.handler")}

    assert found == {
        "checks/rule.py",
        "fleet/rollout_state.py",
        "naming.py",
        "runtime/lock.py",
        "runtime/promotion/clients.py",
        "runtime/promotion/decide.py",
        "runtime/promotion/handler.py",
        "runtime/promotion/places.py",
    }


def test_the_roles_are_held_to_the_image(synthesized: Synthesized) -> None:
    plain = synthesized.templates["promotion"]

    function, machine = statements(plain, "PromotionFunctionRole"), statements(plain, "PromotionMachineRole")

    assert set(function) == {"Channels", "Amis", "Health", "Lock", "Holders", "Logs"}
    assert json.dumps(function["Channels"]["Resource"]).count(":parameter/imagebuilder/web/*") == 1
    assert set(machine) == {"Functions", "Topics"}
    gated = statements(synthesized.templates["gated"], "PromotionMachineRole")
    assert set(gated) == {"Functions", "Topics", "Machines", "MachineExecutions", "MachineEvents"}
    assert "Health" not in statements(synthesized.templates["gated"], "PromotionFunctionRole")
    assert [one["Sid"] for one in synthesized.target_policy["Statement"]] == ["Channels", "Amis", "Health"]
    assert f":{OTHER}:parameter/imagebuilder/web/*" in synthesized.target_policy["Statement"][0]["Resource"]


def test_only_a_promotion_that_supersedes_may_stop_executions_of_its_own_machine(synthesized: Synthesized) -> None:
    assert resources_of(synthesized.templates["promotion"], "AWS::IAM::Policy") == {}
    policies = resources_of(synthesized.templates["gated"], "AWS::IAM::Policy")
    found = [json.dumps(one) for one in policies.values() if "states:StopExecution" in json.dumps(one)]
    assert len(found) == 1
    assert ":execution:" in found[0]


def test_a_promotion_starts_by_the_event_of_its_channel_and_by_the_clock(synthesized: Synthesized) -> None:
    rules = {
        name: rule["Properties"]
        for name, rule in resources_of(synthesized.templates["promotion"], "AWS::Events::Rule").items()
    }

    arrived = next(rule for rule in rules.values() if "EventPattern" in rule)
    looked = next(rule for rule in rules.values() if "ScheduleExpression" in rule)

    assert arrived["EventPattern"]["detail"] == {
        "name": ["/imagebuilder/web/latest"],
        "operation": ["Create", "Update"],
        "exception": [{"exists": False}],
    }
    assert looked["ScheduleExpression"] == "rate(60 minutes)"
    assert json.loads(looked["Targets"][0]["Input"])["started"] == "reconcile"
    quiet = only_resource(synthesized.templates["gated"], "AWS::Events::Rule")["Properties"]
    assert json.loads(quiet["Targets"][0]["Input"])["started"] == "recover"


def test_the_stack_of_a_promotion_is_as_it_was(synthesized: Synthesized, snapshot: SnapshotAssertion) -> None:
    template = json.loads(json.dumps(synthesized.templates["promotion"]))
    for function in resources_of(template, "AWS::Lambda::Function").values():
        # It changes with every line of the function.
        del function["Properties"]["Code"]
        function.pop("Metadata", None)
    for one in resources_of(template, "AWS::StepFunctions::StateMachine").values():
        one["Properties"]["DefinitionString"] = json.loads(one["Properties"]["DefinitionString"])

    assert template["Resources"] == snapshot


def test_every_state_that_is_named_exists_and_is_reached(synthesized: Synthesized) -> None:
    for template in synthesized.templates.values():
        text = machine_of(template)["DefinitionString"]
        states = json.loads(text)["States"]
        targets = set(re.findall(r'"(?:Next|Default)": "(\w+)"', text))
        inner = {name for state in states.values() for name in state.get("ItemProcessor", {}).get("States", {})}
        assert targets <= set(states) | inner
        assert set(states) - targets == {"Start"}
        assert not set(states) & inner


def test_a_definition_tells_which_places_it_moves(synthesized: Synthesized) -> None:
    found = places_of(json.loads(machine_of(synthesized.templates["accounts"])["DefinitionString"]))

    assert [(one["region"], one["account"], one["role"]) for one in found] == [(HOME, "", ""), (HOME, OTHER, ROLE)]


@pytest.mark.parametrize("days", [0, 1, 7])
def test_an_execution_never_looks_so_often_that_its_history_is_full(days: int) -> None:
    watch = WatchPlan(fleets=("web",), bake_seconds=days * 86_400, patience_seconds=days * 86_400 or 60)
    plan = PromotionPlan(
        image="web",
        from_channel="latest",
        to_channel="stable",
        waves=tuple(
            WavePlan(places=(PlacePlan(region=region, wave=wave),), watch=watch) for wave, region in enumerate(REGIONS)
        ),
    )

    made = definition(plan)

    pauses = {state["Seconds"] for name, state in made["States"].items() if name.endswith("WatchWait")}
    assert len(pauses) == 1
    assert made["TimeoutSeconds"] / pauses.pop() <= LOOKS_MAX
    assert made["TimeoutSeconds"] <= 366 * 86_400


@pytest.fixture(scope="module")
def local(_cdk_ami_sandbox_server: LocalAws, synthesized: Synthesized) -> Iterator[LocalAws]:
    """The local AWS with both stacks, every role held to its policies."""
    aws = _cdk_ami_sandbox_server
    aws.reset()
    aws.enforce("all-roles")
    aws.client("cloudwatch").put_metric_alarm(**ALARM)
    aws.client("cloudwatch", "eu-west-1").put_metric_alarm(**ALARM)
    aws.client("cloudwatch", HOME, OTHER).put_metric_alarm(**ALARM)
    trust = {
        "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}}
        ]
    }
    iam = aws.client("iam", HOME, OTHER)
    iam.create_role(RoleName="promote", AssumeRolePolicyDocument=json.dumps(trust))
    policy = re.sub(r"\$\{Token\[AWS\.Partition[^]]*\]\}", "aws", json.dumps(synthesized.target_policy))
    iam.put_role_policy(RoleName="promote", PolicyName="promotion", PolicyDocument=policy)
    aws.deploy(synthesized.assembly)
    yield aws
    aws.reset()


ALARM: dict[str, Any] = {
    "AlarmName": "errors",
    "Namespace": "web",
    "MetricName": "errors",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1.0,
    "ComparisonOperator": "GreaterThanThreshold",
}


def test_a_build_that_arrives_reaches_each_wave_after_the_one_before(local: LocalAws) -> None:
    it = Promoting(local)
    old = it.build()
    it.point(old)
    local.wait_idle()

    new = it.build()
    local.wait_idle()
    first = it.held()
    it.say(HOME, RolloutPhase.SUCCEEDED)
    it.advance(120)
    second = it.held()
    it.say("eu-west-1", RolloutPhase.SUCCEEDED)
    it.advance(120)

    assert first == {**old, HOME: new[HOME]}
    assert second == new
    assert it.outcome()["state"] == "PROMOTED"
    held, note = it.history("eu-west-1")[-1]
    assert held == new["eu-west-1"]
    assert f"from latest; was {old['eu-west-1']}; by EventBridge; because a build has arrived in latest" in note


def test_events_that_come_twice_and_out_of_order_bring_the_newest_build_once(local: LocalAws) -> None:
    it = Promoting(local)
    it.point(it.build())
    local.wait_idle()
    moves = {region: len(it.history(region)) for region in REGIONS}
    local.misdeliver(duplicate=1, reorder=True)

    it.build()
    new = it.build()
    local.wait_idle()
    for region in REGIONS:
        it.say(region, RolloutPhase.SUCCEEDED)
        it.advance(120)
    local.misdeliver()
    it.advance(3_600)

    assert it.held() == new
    assert {region: len(it.history(region)) - before for region, before in moves.items()} == dict.fromkeys(REGIONS, 1)
    assert it.outcome()["state"] == "PROMOTED"


def test_a_bad_build_is_moved_back_in_the_first_wave_and_the_topic_learns_why(local: LocalAws) -> None:
    it = Promoting(local)
    old, queue = it.held(), it.listen()
    versions = len(it.history("eu-west-1"))

    it.build()
    local.wait_idle()
    it.say(HOME, RolloutPhase.ROLLED_BACK, reason="3 of 3 instances are unhealthy")
    it.advance(120)

    assert it.held() == old
    assert len(it.history("eu-west-1")) == versions
    assert it.outcome()["state"] == "ROLLED_BACK"
    (message,) = it.heard(queue)
    assert "the fleet web in us-east-1 rolled back: 3 of 3 instances are unhealthy" in message
    assert f"us-east-1: holds {old[HOME]} again" in message


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(
            {"fail": ("ssm", "PutParameter", "TooManyUpdates"), "parameters": CHANNEL}, id="a write is throttled"
        ),
        pytest.param({"lose": ("ssm", "PutParameter"), "parameters": CHANNEL}, id="the answer to a write is lost"),
    ],
)
def test_a_fault_of_a_service_is_tried_again(local: LocalAws, fault: dict[str, Any]) -> None:
    it = Promoting(local)
    it.build()
    local.wait_idle()
    # The event of the build has started one, which is ended here: this one is started under the fault.
    it.abort_all()
    cause = getattr(local.faults, "fail" if "fail" in fault else "lose_answer")
    narrowed = {"parameters": fault["parameters"]} if "parameters" in fault else {}
    armed = cause(*next(iter(fault.values())), first=2, callers="all", **narrowed)
    run = it.start()
    for _ in range(5):
        for region in REGIONS:
            it.say(region, RolloutPhase.SUCCEEDED)
        it.advance(130)
        if it.status(run) != "RUNNING":
            break

    struck = armed.struck
    armed.end()
    assert struck == 2
    assert it.status(run) == "SUCCEEDED", it.seen(run)
    assert it.held() == it.held("latest")


def test_a_build_passes_every_gate_in_order_and_is_approved(local: LocalAws) -> None:
    it = Promoting(local, "gold")
    queue = it.listen()
    new = it.build(channel="candidate")
    for region in REGIONS:
        it.say(region, RolloutPhase.SUCCEEDED, fleet="canary", channel="candidate")

    run = it.start()
    baking = it.states(run)[-1]
    it.advance(250)
    (asked,) = it.heard(queue)
    token = re.search(r"cdk-ami promote approve --region us-east-1 (\S+)", asked)
    assert token is not None
    it.aws.client("stepfunctions").send_task_success(taskToken=token[1], output=json.dumps({"by": "bea"}))
    local.wait_idle()
    it.advance(90)

    assert baking == "Gate1Wait"
    assert it.status(run) == "SUCCEEDED", it.seen(run)
    assert it.held() == new
    assert "by ann, approved by bea; because a test" in it.history(HOME)[-1][1]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("reject", "too risky on a Friday"),
        ("nothing", "nobody approved it within 60 minutes"),
        ("bad function", "a function refused it"),
    ],
)
def test_a_build_that_does_not_pass_a_gate_moves_nothing(local: LocalAws, answer: str, says: str) -> None:
    it = Promoting(local, "gold")
    before, queue = it.held(), it.listen()
    it.build(channel="candidate")
    phase = RolloutPhase.ROLLED_BACK if answer == "unwell canary" else RolloutPhase.SUCCEEDED
    it.say(HOME, phase, fleet="canary", channel="candidate", reason="crash")

    run = it.start(reason="a bad test" if answer == "bad function" else "a test")
    it.advance(250)
    if answer == "reject":
        token = re.search(r"reject --region us-east-1 (\S+)", it.heard(queue)[0])
        assert token is not None
        sfn = it.aws.client("stepfunctions")
        sfn.send_task_failure(taskToken=token[1], error="Rejected", cause=says)
        local.wait_idle()
    elif answer == "nothing":
        it.advance(3700)

    assert it.status(run) == "FAILED", it.states(run)
    assert it.held() == before
    assert says in it.heard(queue)[-1]
    assert it.outcome()["state"] == "REFUSED"


def test_a_newer_build_ends_the_promotion_of_an_older_one_that_has_moved_nothing(local: LocalAws) -> None:
    it = Promoting(local, "gold")
    it.build(channel="candidate")
    it.say(HOME, RolloutPhase.SUCCEEDED, fleet="canary", channel="candidate")
    older = it.start()
    it.build(channel="candidate")
    it.say(HOME, RolloutPhase.SUCCEEDED, fleet="canary", channel="candidate")

    newer = it.start()

    assert (it.status(older), it.status(newer)) == ("ABORTED", "RUNNING")
    assert "a newer build came" in it.seen(older)["cause"]
    it.abort_all()


def test_another_account_is_moved_by_its_own_role_and_back_with_the_others(local: LocalAws) -> None:
    it = Promoting(local, "everywhere")
    stable = "/imagebuilder/web/everywhere"
    ssm = local.client("ssm", HOME, OTHER)
    old = it.build(channel="candidate")[HOME]
    theirs = it.build_in(OTHER)
    it.start()
    it.advance(60)
    first = (it.held()[HOME], ssm.get_parameter(Name=stable)["Parameter"]["Value"])

    local.client("cloudwatch", HOME, OTHER).set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="many")
    it.build(channel="candidate")
    it.build_in(OTHER)
    bad = it.start()
    it.advance(60)

    assert first == (old, theirs)
    assert it.status(bad) == "FAILED"
    assert f"the alarm errors in us-east-1 of {OTHER} is raised" in it.seen(bad)["cause"]
    assert (it.held()[HOME], ssm.get_parameter(Name=stable)["Parameter"]["Value"]) == first


def test_the_gates_of_tests_and_scans_ask_image_builder(synthesized: Synthesized) -> None:
    del synthesized
    stack = make_stack()
    Promotion(
        stack,
        "Promotion",
        image="web",
        waves=[Wave([HOME])],
        gates=[Gate.tests_passed(), Gate.no_findings(Severity.MEDIUM)],
    )
    template = dict(stack.node.root.synth(force=True).get_stack_artifact("S").template)  # type: ignore[attr-defined]

    states = json.loads(machine_of(template)["DefinitionString"])["States"]
    assert states["Gate1"]["Resource"] == "arn:${Partition}:states:::aws-sdk:imagebuilder:getImage"
    judged = [one["And"][0]["Variable"].rpartition(".")[2] for one in states["Gate2Judge"]["Choices"] if "And" in one]
    assert judged == ["Critical", "High", "Medium"]
    assert {"Builds", "Findings"} <= set(statements(template, "PromotionMachineRole"))
