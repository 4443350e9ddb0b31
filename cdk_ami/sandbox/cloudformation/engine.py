"""Makes a stack what its definition says, and takes it back when that fails.

Resources that do not wait for each other are made side by side.  A failure stops what has not begun, waits for what
has, and undoes the rest: a create is removed again, an update is applied backwards from the last good definition.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stack-failure-options.html
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from threading import Event
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from cdk_ami.sandbox.cloudformation import plan
from cdk_ami.sandbox.cloudformation.errors import CloudFormationError, ResourceError
from cdk_ami.sandbox.cloudformation.graph import dependencies, topological
from cdk_ami.sandbox.cloudformation.journal import Journal
from cdk_ami.sandbox.cloudformation.resources.base import ABSENT, Context, Handler, Made, handler_of, is_custom
from cdk_ami.sandbox.cloudformation.scope import StackScope
from cdk_ami.sandbox.cloudformation.state import Definition, Record, Stack
from cdk_ami.sandbox.cloudformation.template import Resource

WORKERS: Final = 4
"""Resources made at once.  The services share this process, so more only wait for each other."""


class AbandonedError(Exception):
    """The sandbox was reset while an operation ran."""


class Engine:
    """Runs the operations of one account and Region.

    Args:
        journal: Where every step is written down.
        exports: Returns all exports by name, with the stack that makes each.
        users: Returns the names of the stacks that import an export.
    """

    def __init__(
        self,
        journal: Journal,
        exports: Callable[[], Mapping[str, tuple[str, str]]],
        users: Callable[[str], Sequence[str]],
    ) -> None:
        self._journal, self._exports, self._users = journal, exports, users
        self._abandoned = Event()

    def scope(self, stack: Stack, definition: Definition) -> StackScope:
        """Return what names mean in ``stack`` under ``definition``."""
        return StackScope(stack, definition, lambda: {name: value for name, (value, _) in self._exports().items()})

    def create(self, stack: Stack, *, on_failure: str, retain_except_on_create: bool) -> None:
        """Make a stack that has no resources yet."""
        self._journal.stack(stack, "CREATE_IN_PROGRESS", "User Initiated")
        failed = self._try_apply(stack)
        if not failed:
            stack.good = stack.definition
            self._journal.stack(stack, "CREATE_COMPLETE")
        elif on_failure == "DO_NOTHING":
            self._journal.stack(stack, "CREATE_FAILED", failed)
        elif on_failure == "DELETE":
            self.delete(stack, retain=())
        else:
            self.roll_back_create(stack, failed, retain_except_on_create=retain_except_on_create)

    def roll_back_create(self, stack: Stack, reason: str, *, retain_except_on_create: bool = False) -> None:
        """Remove what a failed create has made; the stack itself stays, to be read and deleted."""
        self._journal.stack(stack, "ROLLBACK_IN_PROGRESS", f"{reason} Rollback requested by user.")
        keep = ("Retain",) if not retain_except_on_create else ()
        left = self._remove(stack, list(stack.records.values()), policies=keep, failed_too=True)
        self._journal.stack(stack, "ROLLBACK_FAILED" if left else "ROLLBACK_COMPLETE", left)

    def update(self, stack: Stack, definition: Definition, *, disable_rollback: bool) -> None:
        """Make a stack what ``definition`` says."""
        stack.previous_tags = stack.definition.tags if stack.definition else {}
        stack.definition = definition
        stack.updated = self._journal.clock.now()
        self._journal.stack(stack, "UPDATE_IN_PROGRESS", "User Initiated")
        failed = self._try_apply(stack)
        if not failed:
            stack.good = definition
            self._clean_up(stack, "UPDATE_COMPLETE")
        elif disable_rollback:
            self._journal.stack(stack, "UPDATE_FAILED", failed)
        else:
            self.roll_back_update(stack, failed)

    def roll_back_update(self, stack: Stack, reason: str, *, skip: Collection[str] = ()) -> None:
        """Take a stack back to its last good definition, ``skip`` left as it is; to nothing when it never was good."""
        if stack.good is None:
            self.roll_back_create(stack, reason)
            return
        self._journal.stack(stack, "UPDATE_ROLLBACK_IN_PROGRESS", reason)
        for old in reversed(stack.displaced):
            stack.leftovers.append(stack.records[old.logical_id])
            stack.records[old.logical_id] = old
        stack.displaced = []
        stack.previous_tags = stack.definition.tags if stack.definition else {}
        stack.definition = stack.good
        failed = self._try_apply(stack, skip=skip)
        if failed:
            self._journal.stack(stack, "UPDATE_ROLLBACK_FAILED", failed)
        else:
            self._clean_up(stack, "UPDATE_ROLLBACK_COMPLETE")

    def delete(self, stack: Stack, *, retain: Collection[str], force: bool = False) -> None:
        """Remove a stack and its resources, those named in ``retain`` left behind."""
        self._journal.stack(stack, "DELETE_IN_PROGRESS", "User Initiated")
        doomed = [record for record in stack.records.values() if record.logical_id not in retain]
        for name in retain:
            if name in stack.records:
                self._journal.resource(stack, stack.records.pop(name), "DELETE_SKIPPED")
        left = self._remove(stack, [*doomed, *stack.displaced, *stack.leftovers], policies=_KEPT)
        if left and not force:
            self._journal.stack(stack, "DELETE_FAILED", left)
            return
        stack.outputs, stack.exports, stack.imports = [], {}, ()
        self._journal.stack(stack, "DELETE_COMPLETE")
        stack.deleted = self._journal.clock.now()

    def _try_apply(self, stack: Stack, skip: Collection[str] = ()) -> str:
        """Return why the stack could not become what its definition says; empty when it did."""
        try:
            return self._apply(stack, skip)
        except CloudFormationError as error:
            return error.message
        except AbandonedError:
            raise
        except Exception as error:  # noqa: BLE001 - an unexpected fault fails the stack instead of leaving it half way
            return _reason(error)

    def _apply(self, stack: Stack, skip: Collection[str]) -> str:
        scope = self.scope(stack, _definition(stack))
        resources = {name: scope.definition.template.resources[name] for name in scope.active()}
        waits_for = dependencies(resources)

        def act(name: str) -> None:
            if name not in skip:
                self._apply_one(scope, resources[name], waits_for[name])

        failed = _run(topological(waits_for), waits_for, act)
        self._check_present()
        if failed:
            return f"The following resource(s) failed to {_verb(stack)}: [{', '.join(failed)}]."
        made = plan.outputs(scope)
        exports = {one["ExportName"]: one["OutputValue"] for one in made if "ExportName" in one}
        self._check_exports(stack, exports)
        stack.outputs, stack.exports, stack.imports = made, exports, tuple(scope.imported)
        return ""

    def _check_exports(self, stack: Stack, exports: Mapping[str, str]) -> None:
        for name in exports:
            owner = self._exports().get(name, ("", stack.name))[1]
            if owner != stack.name:
                raise CloudFormationError(f"Export with name {name} is already exported by stack {owner}.")
        for name, value in stack.exports.items():
            users = self._users(name)
            if users and name not in exports:
                raise CloudFormationError(f"Export {name} cannot be deleted as it is in use by {' and '.join(users)}")
            if users and exports[name] != value:
                raise CloudFormationError(f"Export {name} cannot be updated as it is in use by {' and '.join(users)}")

    def _apply_one(self, scope: StackScope, resource: Resource, waits_for: tuple[str, ...]) -> None:
        stack = scope.stack
        self._check_present()
        record = self._standing(stack, resource.logical_id)
        status = "UPDATE" if record else "CREATE"
        try:
            properties, faults = plan.checked(scope, resource)
            policy, more = plan.update_policy(scope, resource)
            _refuse(faults, more)
            differs = plan.difference(record, resource, properties, stack.region) if record else None
            if differs and differs.replacement == "False":
                _refuse(plan.not_in_place(resource, differs))
        except Exception as error:
            failed = record or self._new_record(resource, waits_for)
            stack.records[resource.logical_id] = failed
            self._journal.resource(stack, failed, f"{status}_FAILED", _reason(error))
            raise
        context = self._context(stack, resource, policy)
        if record is None:
            record = stack.records[resource.logical_id] = self._new_record(resource, waits_for)
            self._journal.resource(stack, record, "CREATE_IN_PROGRESS")
            self._make(scope, record, context, properties)
        elif differs is not None and differs.replacement != "False":
            self._replace(scope, record, self._new_record(resource, waits_for), context, properties)
        elif differs is not None or record.attempted or _retagged(context, resource):
            self._change(scope, record, context, properties)
        elif not record.status.endswith("COMPLETE"):
            # A replacement of it has failed; it is what it was.
            self._journal.resource(stack, record, "UPDATE_COMPLETE")
        _describe(stack.records[resource.logical_id], resource, waits_for)

    def _standing(self, stack: Stack, logical_id: str) -> Record | None:
        """Return the record of a resource that there is; what is left of a failed create is removed first."""
        record = stack.records.get(logical_id)
        if record is None or record.status != "CREATE_FAILED":
            return record
        if record.physical_id:
            self._remove_one(stack, record)
        return None

    def _check_present(self) -> None:
        if self._abandoned.is_set():
            raise AbandonedError

    def abandon(self) -> None:
        """Stop before the next resource, because the sandbox was reset: nothing may come anew."""
        self._abandoned.set()

    def _new_record(self, resource: Resource, waits_for: tuple[str, ...]) -> Record:
        record = Record(logical_id=resource.logical_id, type=resource.type, changed=self._journal.clock.now())
        _describe(record, resource, waits_for)
        return record

    def _make(self, scope: StackScope, record: Record, context: Context, properties: dict[str, Any]) -> None:
        stack = scope.stack

        def began(physical_id: str) -> None:
            record.physical_id = physical_id
            self._journal.resource(stack, record, "CREATE_IN_PROGRESS", "Resource creation Initiated")

        def act(final: dict[str, Any]) -> Made:
            return _handler(record.type).create(_began(context, began), final)

        self._attempt(scope, record, properties, act, "CREATE")

    def _change(self, scope: StackScope, record: Record, context: Context, properties: dict[str, Any]) -> None:
        self._journal.resource(scope.stack, record, "UPDATE_IN_PROGRESS")
        candidates = [record.properties, *record.attempted]
        physical_id, before = record.physical_id, replace(record)
        self._attempt(
            scope,
            record,
            properties,
            lambda final: _handler(record.type).update(context, physical_id, _unlike(candidates, final), final),
            "UPDATE",
        )
        if is_custom(record.type) and record.physical_id != physical_id:
            # Its provider has made another one; the one before goes when the update is done.
            scope.stack.displaced.append(before)

    def _replace(
        self,
        scope: StackScope,
        old: Record,
        new: Record,
        context: Context,
        properties: dict[str, Any],
    ) -> None:
        stack = scope.stack
        reason = "Requested update requires the creation of a new physical resource; hence creating one."
        self._journal.resource(stack, old, "UPDATE_IN_PROGRESS", reason)
        try:
            self._attempt(
                scope,
                new,
                properties,
                lambda final: _handler(new.type).create(_began(context, lambda one: _set_id(new, one)), final),
                "UPDATE",
            )
        except ResourceError:
            old.status = "UPDATE_FAILED"
            if new.physical_id:
                stack.leftovers.append(new)
            raise
        stack.displaced.append(old)
        stack.records[new.logical_id] = new

    def _attempt(
        self,
        scope: StackScope,
        record: Record,
        properties: dict[str, Any],
        act: Callable[[dict[str, Any]], Made],
        verb: str,
    ) -> None:
        try:
            final = scope.dynamic(properties)
            record.attempted = [*record.attempted, final]
            made = act(final)
        except Exception as error:
            self._journal.resource(scope.stack, record, f"{verb}_FAILED", _reason(error))
            raise ResourceError(_reason(error)) from error
        record.physical_id, record.attributes = made.physical_id, dict(made.attributes)
        record.compared, record.properties, record.attempted = properties, final, []
        self._journal.resource(scope.stack, record, f"{verb}_COMPLETE")

    def _clean_up(self, stack: Stack, final: str) -> None:
        active = set(self.scope(stack, _definition(stack)).active())
        removed = [record for name, record in stack.records.items() if name not in active]
        rolled_back = final == "UPDATE_ROLLBACK_COMPLETE"
        if removed or stack.displaced or stack.leftovers:
            self._journal.stack(stack, f"{final}_CLEANUP_IN_PROGRESS")
            kept = [one for one in stack.displaced if one.update_replace_policy == "Retain"]
            for record in kept:
                self._journal.resource(stack, record, "DELETE_SKIPPED")
            displaced = [one for one in stack.displaced if one not in kept]
            self._remove(stack, [*displaced, *stack.leftovers], policies=())
            self._remove(stack, removed, policies=("Retain",) if rolled_back else _KEPT, failed_too=rolled_back)
            for record in removed:
                stack.records.pop(record.logical_id, None)
        else:
            self._journal.stack(stack, f"{final}_CLEANUP_IN_PROGRESS")
        stack.displaced, stack.leftovers = [], []
        self._journal.stack(stack, final)

    def _remove(
        self, stack: Stack, records: Sequence[Record], *, policies: Collection[str], failed_too: bool = False
    ) -> str:
        """Remove resources, users before what they use; return why some are left, empty when none is.

        Args:
            stack: Their stack.
            records: The resources.
            policies: Deletion policies that keep a resource.
            failed_too: Whether one that failed to be made is removed although its policy keeps it.
        """
        doomed = {f"{record.logical_id} {index}": record for index, record in enumerate(records)}
        by_name: dict[str, list[str]] = {}
        for key, record in doomed.items():
            by_name.setdefault(record.logical_id, []).append(key)
        after: dict[str, list[str]] = {key: [] for key in doomed}
        for key, record in doomed.items():
            for name in record.waits_for:
                for other in by_name.get(name, ()):
                    after[other].append(key)

        def act(key: str) -> None:
            self._check_present()
            record = doomed[key]
            unmade = failed_too and record.status == "CREATE_FAILED"
            if record.deletion_policy in policies and not unmade:
                self._journal.resource(stack, record, "DELETE_SKIPPED")
            elif record.status != "DELETE_COMPLETE":
                self._remove_one(stack, record)
            if stack.records.get(record.logical_id) is record:
                del stack.records[record.logical_id]

        failed = _run(topological(after), after, act, stop=False)
        self._check_present()
        names = sorted({doomed[key].logical_id for key in failed})
        return f"The following resource(s) failed to delete: [{', '.join(names)}]. " if names else ""

    def _remove_one(self, stack: Stack, record: Record) -> None:
        if not record.physical_id:
            self._journal.resource(stack, record, "DELETE_COMPLETE")
            return
        self._journal.resource(stack, record, "DELETE_IN_PROGRESS")
        context = self._context(stack, record, {})
        try:
            # What has failed to be made has the properties that it was to have.
            properties = record.properties or (record.attempted[-1] if record.attempted else {})
            _handler(record.type).delete(context, record.physical_id, properties)
        except Exception as error:
            if not (isinstance(error, ClientError) and ABSENT.search(str(error.response["Error"]["Code"]))):
                self._journal.resource(stack, record, "DELETE_FAILED", _reason(error))
                raise ResourceError(_reason(error)) from error
        self._journal.resource(stack, record, "DELETE_COMPLETE")

    def _context(self, stack: Stack, one: Resource | Record, policy: Mapping[str, Any]) -> Context:
        return Context(
            account=stack.account,
            region=stack.region,
            stack_name=stack.name,
            logical_id=one.logical_id,
            stack_id=stack.arn,
            type=one.type,
            stack_tags=stack.definition.tags if stack.definition else {},
            previous_stack_tags=stack.previous_tags,
            update_policy=policy,
            rolls_back="ROLLBACK" in stack.status,
        )


def _handler(type_name: str) -> Handler:
    found = handler_of(type_name)
    if found is None:
        raise ResourceError(f"the sandbox does not support {type_name}")  # the plan has refused it already
    return found


_KEPT: Final = ("Retain", "RetainExceptOnCreate")


def _definition(stack: Stack) -> Definition:
    if stack.definition is None:
        raise CloudFormationError(f"Stack [{stack.name}] has no template")
    return stack.definition


def _began(context: Context, began: Callable[[str], None]) -> Context:
    return replace(context, began=began)


def _refuse(*faults: Sequence[str]) -> None:
    if found := [fault for some in faults for fault in some]:
        raise ResourceError("Properties validation failed: " + "; ".join(found))


def _retagged(context: Context, resource: Resource) -> bool:
    differ = dict(context.stack_tags) != dict(context.previous_stack_tags)
    return differ and "Tags" in _handler(resource.type).handles


def _unlike(candidates: Sequence[Mapping[str, Any]], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return old properties that differ from ``new`` wherever one of the candidates, any of which may hold, does."""
    old: dict[str, Any] = {}
    for name in dict.fromkeys(name for one in (*candidates, new) for name in one):
        differing = [one for one in candidates if one.get(name) != new.get(name)]
        chosen = differing[0] if differing else new
        if name in chosen:
            old[name] = chosen[name]
    return old


def _set_id(record: Record, physical_id: str) -> None:
    record.physical_id = physical_id


def _describe(record: Record, resource: Resource, waits_for: tuple[str, ...]) -> None:
    record.metadata = resource.metadata
    record.update_policy = resource.update_policy
    record.deletion_policy = resource.deletion_policy or "Delete"
    record.update_replace_policy = resource.update_replace_policy or "Delete"
    record.waits_for = waits_for


def _verb(stack: Stack) -> str:
    return "create" if stack.status.startswith("CREATE") else "update"


def _reason(error: Exception) -> str:
    if isinstance(error, ResourceError | CloudFormationError):
        return str(error)
    if isinstance(error, ClientError):
        code = error.response["Error"]["Code"]
        return f'Resource handler returned message: "{error}" (HandlerErrorCode: {code})'
    if isinstance(error, BotoCoreError):
        return f'Resource handler returned message: "{error}" (HandlerErrorCode: InvalidRequest)'
    return f"Internal Failure: {type(error).__name__}: {error}"


def _run(
    order: Sequence[str],
    waits_for: Mapping[str, Sequence[str]],
    act: Callable[[str], None],
    *,
    stop: bool = True,
) -> list[str]:
    """Act on each name after what it waits for, some side by side; return the names that failed.

    After a failure nothing new begins when ``stop``; else only what waits for the failed one is left out.
    """
    done: set[str] = set()
    failed: list[str] = []
    left = list(order)
    running: dict[Future[None], str] = {}
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        while True:
            if not (stop and failed):
                for name in [one for one in left if all(other in done for other in waits_for[one])]:
                    if len(running) >= WORKERS:
                        break
                    left.remove(name)
                    running[pool.submit(act, name)] = name
            if not running:
                return failed
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                name = running.pop(future)
                if future.exception() is None:
                    done.add(name)
                else:
                    failed.append(name)
