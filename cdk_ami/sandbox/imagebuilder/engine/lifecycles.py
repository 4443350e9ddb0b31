"""Runs of lifecycle policies and of single changes of state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from threading import Event, Thread
from typing import Any, Final
from uuid import uuid4

from cdk_ami.naming import normalized
from cdk_ami.sandbox.clock import CLOCK
from cdk_ami.sandbox.imagebuilder import retention
from cdk_ami.sandbox.imagebuilder.engine.plan import Place
from cdk_ami.sandbox.imagebuilder.engine.retire import STATES, Action, retire
from cdk_ami.sandbox.imagebuilder.engine.session import Session, role_arn
from cdk_ami.sandbox.imagebuilder.models import ImageBuilderBackend, Lifecycle
from cdk_ami.sandbox.imagebuilder.records import Record

DAY_SECONDS: Final = 24 * 60 * 60
"""Policies run once a day.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/lifecycle-policy-execution.html, read 2026-11-28"""


def plan_policy(backend: ImageBuilderBackend, policy: Record) -> None:
    """Let an enabled policy run in a day, and every day; end the plans of a disabled one."""
    forget_policy(backend, policy.arn)
    if policy.body["status"] != "ENABLED":
        return

    def run() -> None:
        with backend.lock:
            found = backend.own.get(policy.arn)
        if found is not None and found.body["status"] == "ENABLED":
            run_policy(backend, found)
            plan_policy(backend, found)

    backend.planned[policy.arn] = CLOCK.after(DAY_SECONDS, run)


def forget_policy(backend: ImageBuilderBackend, arn: str) -> None:
    """End the plans of a policy, and a run of it that is on its way."""
    if (planned := backend.planned.pop(arn, None)) is not None:
        planned.cancel()
    for run in backend.lifecycles.values():
        if run.resource == arn and run.shown["state"]["status"] == "IN_PROGRESS":
            cancel(run)


def run_policy(backend: ImageBuilderBackend, policy: Record) -> Lifecycle:
    """Run a policy to its end, and return its execution."""
    with backend.lock:
        run = _new(backend, policy.arn, {"lifecyclePolicyArn": policy.arn}, role=policy.body["executionRole"])
        images = [_candidate(record) for record in backend.kind("image")]
        policy.body["dateLastRun"] = CLOCK.now()
        chosen = list(
            retention.choose(
                retention.selected(images, policy.body["resourceSelection"]), policy.body["policyDetails"], CLOCK.now()
            )
        )
    _perform(backend, run, [(image.arn, _action(rule)) for image, rule in chosen], retain_excluded=False)
    return run


def _candidate(record: Record) -> retention.Candidate:
    recipe = record.body.get("imageRecipe") or {}
    return retention.Candidate(
        arn=record.arn,
        created=datetime.fromisoformat(record.body["dateCreated"]),
        status=record.body["state"]["status"],
        recipe=normalized(recipe["name"]) if recipe else "",
        version=recipe.get("version") or record.parsed.version,
        tags=record.tags,
    )


def _action(rule: Mapping[str, Any]) -> Action:
    name, found = rule["action"]["type"], rule["filter"]
    included = rule["action"].get("includeResources") or {}
    words = f"{found['value']} {found['unit']}" if found["type"] == "AGE" else f"{found['value']} images"
    return Action(
        name=name,
        reason=f"The rule {name} by {found['type']}: {words}.",
        amis=bool(included.get("amis")),
        snapshots=bool(included.get("snapshots")),
        exclusions=(rule.get("exclusionRules") or {}).get("amis") or {},
    )


def start_update(backend: ImageBuilderBackend, image: Record, action: Action, *, role: str | None) -> Lifecycle:
    """Change the state of one image and of its AMIs in a thread of its own, and return the execution at once."""
    run = _new(backend, image.arn, {}, role=role)
    Thread(target=_update, args=(backend, run, image, action), name=f"lifecycle {image.arn}", daemon=True).start()
    return run


def _update(backend: ImageBuilderBackend, run: Lifecycle, image: Record, action: Action) -> None:
    if action.due is None:
        _perform(backend, run, [(image.arn, action)], retain_excluded=True)
        return
    # The AMIs get their date now, the image its state when the date has come.
    try:
        entries = retire(_session(backend, run), image.arn, image.body["outputResources"]["amis"], action)
    except Exception as error:  # noqa: BLE001 - nobody reads a thread's errors
        _break(backend, run, error)
        return
    with backend.lock:
        run.children[image.arn] = entries
        image.body["deprecationTime"] = action.due
        run.shown["state"] = {"status": "PENDING"}

    def deprecate() -> None:
        with backend.lock:
            if not run.cancelled.is_set() and image.arn in backend.own:
                _finish_image(backend, run, image, action, entries, retain_excluded=True)
        _end(backend, run)

    CLOCK.at(action.due, deprecate)


def change_at_once(image: Record, name: str) -> None:
    """Change the state of an image resource alone."""
    image.body["state"] = {"status": STATES[name]}
    image.body.pop("deprecationTime", None)
    if name == "DEPRECATE":
        image.body["deprecationTime"] = CLOCK.now()


def cancel(run: Lifecycle) -> None:
    """Stop a run before its next image; what is done stays done."""
    run.cancelled.set()
    run.shown["state"] = {"status": "CANCELLING" if run.shown["state"]["status"] == "IN_PROGRESS" else "CANCELLED"}


def _new(backend: ImageBuilderBackend, resource: str, more: Mapping[str, Any], *, role: str | None) -> Lifecycle:
    run = Lifecycle(
        resource=resource,
        role=role,
        shown={
            "lifecycleExecutionId": f"lce-{uuid4()}",
            "state": {"status": "IN_PROGRESS"},
            "resourcesImpactedSummary": {"hasImpactedResources": False},
            "startTime": CLOCK.now(),
            **more,
        },
        cancelled=Event(),
    )
    backend.lifecycles[run.shown["lifecycleExecutionId"]] = run
    return run


def _session(backend: ImageBuilderBackend, run: Lifecycle) -> Session:
    home = Place(region=backend.region_name, account=backend.account_id)
    # A run that is cancelled ends between images, never within one.
    return Session(home=home, stopped=Event(), role=role_arn(run.role, backend.account_id))


def _perform(
    backend: ImageBuilderBackend, run: Lifecycle, work: Iterable[tuple[str, Action]], *, retain_excluded: bool
) -> None:
    session = _session(backend, run)
    for arn, action in work:
        with backend.lock:
            image = backend.own.get(arn)
            amis = [] if image is None else list(image.body["outputResources"]["amis"])
        if run.cancelled.is_set():
            break
        if image is None:
            continue
        try:
            entries = retire(session, arn, amis, action)
        except Exception as error:  # noqa: BLE001 - nobody reads a thread's errors
            _break(backend, run, error)
            return
        with backend.lock:
            run.children[arn] = entries
            _finish_image(backend, run, image, action, entries, retain_excluded=retain_excluded)
    _end(backend, run)


def _break(backend: ImageBuilderBackend, run: Lifecycle, error: Exception) -> None:
    """End a run in which the sandbox itself has failed: none stays in the middle."""
    reason = f"The sandbox itself failed: {type(error).__name__}: {error}"
    with backend.lock:
        run.shown.update(state={"status": "FAILED", "reason": reason[:_REASON_MAX]}, endTime=CLOCK.now())


_REASON_MAX: Final = 1024


def _finish_image(
    backend: ImageBuilderBackend,
    run: Lifecycle,
    image: Record,
    action: Action,
    entries: list[dict[str, Any]],
    *,
    retain_excluded: bool,
) -> None:
    """Note what became of an image, and change its state where its AMIs let it."""
    outcomes = {entry["state"]["status"] for entry in entries}
    snapshots = {found["state"]["status"] for entry in entries for found in entry.get("snapshots") or ()}
    state: dict[str, Any] = {"status": "SUCCESS"}
    if "FAILED" in outcomes | snapshots:
        state = {"status": "FAILED", "reason": "An AMI or a snapshot of the image could not be changed."}
    elif action.name == "DELETE" and retain_excluded and "SKIPPED" in outcomes:
        state = {"status": "SKIPPED", "reason": "An AMI of the image is excluded."}
    elif action.name == "DELETE":
        backend.own.pop(image.arn, None)
        backend.halted.pop(image.arn, None)
    else:
        change_at_once(image, action.name)
    image.body["lifecycleExecutionId"] = run.shown["lifecycleExecutionId"]
    run.shown["resourcesImpactedSummary"] = {"hasImpactedResources": True}
    run.resources.append(
        {
            "accountId": backend.account_id,
            "resourceId": image.arn,
            "region": backend.region_name,
            "state": state,
            "action": {"name": action.name, "reason": action.reason},
            "startTime": run.shown["startTime"],
            "endTime": CLOCK.now(),
        }
    )


def _end(backend: ImageBuilderBackend, run: Lifecycle) -> None:
    with backend.lock:
        failed = any(resource["state"]["status"] == "FAILED" for resource in run.resources)
        if run.cancelled.is_set():
            run.shown["state"] = {"status": "CANCELLED"}
        elif failed:
            run.shown["state"] = {"status": "FAILED", "reason": "One or more resources could not be changed."}
        else:
            run.shown["state"] = {"status": "SUCCESS"}
        run.shown["endTime"] = CLOCK.now()
