"""The state machine of a promotion, from its plan; pure.

Take the lock, undo what a dead holder left, plan, pass the gates, write down what is to be moved, move wave after wave,
and when one fails move all back, the newest first.  At each moment another execution can find out what was moved, and
move it back: the lock's last record says it.
"""

from __future__ import annotations

from typing import Any, Final

from cdk_ami.distribution import lock
from cdk_ami.distribution.promotion_gates import REFUSE, TRIES, State, States, caught, gate_name, gates, watching
from cdk_ami.distribution.promotion_plan import FUNCTION, TOPIC, Meanwhile, PromotionPlan

READ_BACK_SECONDS: Final = 5
"""How often a value that was written is looked at until it stands."""

_BLANK: Final = {"what": "", "build": "", "journal": [], "attempt": 0}


def definition(plan: PromotionPlan) -> dict[str, Any]:
    """Return the definition of the state machine.

    Its input is ``{"started": "event" | "reconcile" | "recover" | "command", "by": ..., "reason": ...}``.
    """
    states: States = {
        "Start": _pass(
            {
                "reason.$": "$.reason",
                "by.$": "$.by",
                "started.$": "$.started",
                "approved": "",
                "plan": _BLANK,
                **{_undone(number): [] for number in range(len(plan.waves))},
            },
            at="$",
            then="Look",
        ),
        "Look": _step(
            plan,
            "look",
            {
                "from": plan.from_channel,
                "to": plan.to_channel,
                "started.$": "$.started",
                "places": _places(plan),
            },
            at="$.look",
            then="IsWork",
        ),
        "IsWork": _choose("$.look.work", then="Lock", otherwise="NothingToDo"),
        **_locked(plan),
        "Plan": _step(
            plan,
            "plan",
            {
                "from": plan.from_channel,
                "to": plan.to_channel,
                "attempt.$": "$.plan.attempt",
                "places": _places(plan),
                "canaries": [place.data() for place in plan.canaries],
                "waves": len(plan.waves),
            },
            at="$.planned",
            then="IsPlanned",
            failed="Unplanned",
        ),
        "IsPlanned": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.planned.state", "StringEquals": "READY", "Next": "Planned"},
                {"Variable": "$.planned.state", "StringEquals": "NOTHING", "Next": "UnlockNothing"},
            ],
            "Default": "WaitForAmis",
        },
        "WaitForAmis": {"Type": "Wait", "Seconds": 60, "Next": "PlanAgain"},
        "PlanAgain": _pass({**_BLANK, "attempt.$": "$.planned.attempt"}, at="$.plan", then="Plan"),
        "Unplanned": _pass({**_BLANK, "what.$": "$.look.what"}, at="$.plan", then=REFUSE),
        "Planned": {
            "Type": "Pass",
            "InputPath": "$.planned",
            "ResultPath": "$.plan",
            "Next": gate_name(0) if plan.gates else "Begin",
        },
        **gates(plan, then="Begin"),
        "Begin": _step(
            plan,
            "begin",
            {"owner.$": "$$.Execution.Id", "journal.$": "$.plan.journal"},
            at="$.begun",
            then="IsBegun",
            failed=REFUSE,
        ),
        "IsBegun": _choose("$.begun.held", then="Wave1", otherwise="Superseded"),
        "Superseded": {"Type": "Fail", "Error": "Superseded", "Cause": "another execution took the lock"},
        **_waves(plan),
        **_ending(plan),
    }
    return {
        "Comment": f"Promotes {plan.image} from {plan.from_channel} to {plan.to_channel}",
        "StartAt": "Start",
        "TimeoutSeconds": plan.seconds,
        "States": states,
    }


def _locked(plan: PromotionPlan) -> States:
    """Take the lock, and first undo what a dead holder was moving."""
    supersede = plan.meanwhile is Meanwhile.SUPERSEDE
    return {
        **lock.take(
            FUNCTION,
            plan.image,
            supersede=supersede,
            look_again_seconds=plan.poll_seconds,
            then="IsInterrupted",
        ),
        "IsInterrupted": _choose("$.lock.recover", then="LetItDie", otherwise="Plan"),
        # A step of the dead execution may still run in the function.
        "LetItDie": {"Type": "Wait", "Seconds": lock.STEP_SECONDS, "Next": "Recover"},
        "Recover": _restoring(
            plan, "Recover", items="$.lock.journal", at="$.recovered", force=False, then="Interrupted"
        ),
        "Interrupted": _outcome(plan, "INTERRUPTED", then="IsRecovered", failure=False),
        "IsRecovered": _choose("$.outcome.whole", then="TellRecovered", otherwise="HalfMoved"),
        "TellRecovered": _tell(plan, "UnlockRecovered"),
        **lock.give_back(FUNCTION, plan.image, name="UnlockRecovered", then="IsRecoveryAll"),
        "IsRecoveryAll": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.started", "StringEquals": "recover", "Next": "NothingToDo"}],
            "Default": "Look",
        },
    }


def _waves(plan: PromotionPlan) -> States:
    made: States = {}
    for number, wave in enumerate(plan.waves):
        name = f"Wave{number + 1}"
        last = number + 1 == len(plan.waves)
        made |= {name: _moving(plan, number, name, f"{name}Watch")}
        made |= watching(
            plan,
            wave.watch,
            channel=plan.to_channel,
            name=f"{name}Watch",
            then="Promoted" if last else f"Wave{number + 2}",
            failed=f"Undo{number + 1}",
            moved="$.moved",
        )
        undo = f"Undo{number + 1}"
        made[undo] = _restoring(
            plan,
            undo,
            items=f"$.plan.waves[{number}]",
            at=f"$.{_undone(number)}",
            force=True,
            then=f"Undo{number}" if number else "RolledBack",
        )
    return made


def _moving(plan: PromotionPlan, number: int, name: str, then: str) -> State:
    """Return the map that moves all places of a wave.

    An iteration keeps what went wrong instead of failing: a map that fails would leave steps of its other iterations
    running, and they could write after the channel was moved back.
    """
    note = {
        "from": plan.from_channel,
        "by.$": "$.by",
        "reason.$": "$.reason",
        "approved.$": "$.approved",
        "execution.$": "$$.Execution.Id",
    }
    move = {"move.$": "$.move", "attempt.$": "$.answer.attempt", **note}
    states = {
        f"{name}Move": _step(plan, "move", move, at="$.answer", then=f"{name}Stands", failed=f"{name}Failed"),
        f"{name}Stands": _choose("$.answer.stands", then=f"{name}Done", otherwise=f"{name}LookAgain"),
        f"{name}LookAgain": {"Type": "Wait", "Seconds": READ_BACK_SECONDS, "Next": f"{name}Move"},
        f"{name}Done": _last({"move.$": "$.move", "version.$": "$.answer.version"}),
        f"{name}Failed": _last({"move.$": "$.move", "failure.$": "$.failure"}),
    }
    return _map(
        f"$.plan.waves[{number}]",
        {"by.$": "$.by", "reason.$": "$.reason", "approved.$": "$.approved", "answer": {"attempt": 0}},
        states,
        start=f"{name}Move",
        at="$.moved",
        then=then,
    )


def _restoring(plan: PromotionPlan, name: str, *, items: str, at: str, force: bool, then: str) -> State:
    """Return the map that moves places back; what cannot be moved back is kept with the reason."""
    restore = {
        "move.$": "$.move",
        "attempt.$": "$.answer.attempt",
        "base.$": "$.answer.base",
        "force": force,
        "execution.$": "$$.Execution.Id",
    }
    states = {
        f"{name}Restore": _step(plan, "restore", restore, at="$.answer", then=f"{name}Stands", failed=f"{name}Failed"),
        f"{name}Stands": _choose("$.answer.stands", then=f"{name}Done", otherwise=f"{name}LookAgain"),
        f"{name}LookAgain": {"Type": "Wait", "Seconds": READ_BACK_SECONDS, "Next": f"{name}Restore"},
        f"{name}Done": _last({"move.$": "$.move"}),
        f"{name}Failed": _last({"move.$": "$.move", "failure.$": "$.failure"}),
    }
    made = _map(items, {"answer": {"attempt": 0, "base": -1}}, states, start=f"{name}Restore", at=at, then=then)
    # One by one where waves follow one another in one list, which begins with the newest.
    return made if force else {**made, "MaxConcurrency": 1}


def _ending(plan: PromotionPlan) -> States:
    return {
        "NothingToDo": {"Type": "Succeed"},
        **lock.give_back(FUNCTION, plan.image, name="UnlockNothing", then="NothingToDo"),
        # People are told before the lock is given back, so that an execution that dies in between tells too much
        # rather than nothing.
        "Promoted": _outcome(plan, "PROMOTED", then="TellPromoted", failure=False),
        "TellPromoted": _tell(plan, "Unlock"),
        **lock.give_back(FUNCTION, plan.image, name="Unlock", then="Done"),
        "Done": {"Type": "Succeed"},
        "RolledBack": _outcome(plan, "ROLLED_BACK", then="IsWhole", failure=True),
        "IsWhole": _choose("$.outcome.whole", then="TellFailed", otherwise="HalfMoved"),
        REFUSE: _outcome(plan, "REFUSED", then="TellFailed", failure=True),
        "TellFailed": _tell(plan, "UnlockFailed"),
        **lock.give_back(FUNCTION, plan.image, name="UnlockFailed", then="Failed"),
        "Failed": {"Type": "Fail", "ErrorPath": "$.outcome.state", "CausePath": "$.outcome.message"},
        # The lock is kept: whoever comes next finds a dead holder, and moves back what this one could not.
        "HalfMoved": _tell(plan, "Left"),
        "Left": {"Type": "Fail", "Error": "HalfMoved", "CausePath": "$.outcome.message"},
    }


def _outcome(plan: PromotionPlan, state: str, *, then: str, failure: bool) -> State:
    undone = ", ".join(f"$.{_undone(number)}" for number in reversed(range(len(plan.waves))))
    moved: dict[str, dict[str, Any]] = {
        "PROMOTED": {"restored": [], "moved.$": "$.plan.journal"},
        "INTERRUPTED": {"restored.$": "States.Array($.recovered)", "moved": []},
        "ROLLED_BACK": {"restored.$": f"States.Array({undone})", "moved": []},
        "REFUSED": {"restored": [], "moved": []},
    }
    parameters: State = {
        "state": state,
        "from": plan.from_channel,
        "to": plan.to_channel,
        "what.$": "$.plan.what",
        "build.$": "$.plan.build",
        "by.$": "$.by",
        "approved.$": "$.approved",
        "reason.$": "$.reason",
        "execution.$": "$$.Execution.Id",
        **moved[state],
        **_given("failure", "$.failure" if failure else None, {}),
        **_given("heir_of", "$.lock.heir_of" if state == "INTERRUPTED" else None, ""),
    }
    return _step(plan, "outcome", parameters, at="$.outcome", then=then)


def _given(name: str, path: str | None, default: Any) -> State:
    """Return the parameter ``name``, read at ``path`` or else the default."""
    return {name: default} if path is None else {f"{name}.$": path}


def _tell(plan: PromotionPlan, then: str) -> State:
    if not plan.notify:
        return {"Type": "Pass", "Next": then}
    return {
        "Type": "Task",
        "Resource": f"arn:{plan.partition}:states:::sns:publish",
        "Parameters": {
            "TopicArn": TOPIC,
            "Subject.$": "$.outcome.subject",
            "Message.$": "$.outcome.message",
        },
        "ResultPath": None,
        "Retry": lock.RETRY,
        # A topic that is gone must not turn a promotion that is through into one that failed.
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.untold", "Next": then}],
        "Next": then,
    }


def _undone(number: int) -> str:
    """Return where it is kept what became of moving a wave back."""
    return f"undone{number + 1}"


def _places(plan: PromotionPlan) -> list[State]:
    return [place.data() for place in plan.places]


def _step(plan: PromotionPlan, step: str, parameters: State, *, at: str, then: str, failed: str | None = None) -> State:
    """Return the state that lets the function take a step."""
    state: State = {
        "Type": "Task",
        "Resource": FUNCTION,
        "Parameters": {"step": step, "image": plan.image, "now.$": "$$.State.EnteredTime", **parameters},
        "ResultPath": at,
        "TimeoutSeconds": lock.STEP_SECONDS,
        "Retry": TRIES,
        "Next": then,
    }
    return state if failed is None else {**state, "Catch": caught(failed)}


def _map(items: str, selector: State, states: States, *, start: str, at: str, then: str) -> State:
    return {
        "Type": "Map",
        "ItemsPath": items,
        "ItemSelector": {"move.$": "$$.Map.Item.Value", **selector},
        "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": start, "States": states},
        "ResultPath": at,
        "Next": then,
    }


def _choose(path: str, *, then: str, otherwise: str) -> State:
    return {
        "Type": "Choice",
        "Choices": [{"Variable": path, "BooleanEquals": True, "Next": then}],
        "Default": otherwise,
    }


def _pass(value: State, *, at: str, then: str) -> State:
    return {"Type": "Pass", "Parameters": value, "ResultPath": at, "Next": then}


def _last(value: State) -> State:
    return {"Type": "Pass", "Parameters": value, "End": True}
