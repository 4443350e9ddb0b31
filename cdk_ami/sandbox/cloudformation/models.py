"""The stacks of one account and Region, in the emulator library's shape of a backend."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from threading import Lock, Thread
from typing import Any, Final
from urllib.parse import unquote, urlparse
from uuid import uuid4

from moto.core.base_backend import BackendDict, BaseBackend

from cdk_ami.sandbox import clients
from cdk_ami.sandbox.cloudformation import parameters, plan
from cdk_ami.sandbox.cloudformation.capabilities import required_capabilities
from cdk_ami.sandbox.cloudformation.engine import AbandonedError, Engine
from cdk_ami.sandbox.cloudformation.errors import (
    AlreadyExistsError,
    ChangeSetNotFoundError,
    CloudFormationError,
    InsufficientCapabilitiesError,
    InvalidChangeSetStatusError,
    TokenAlreadyExistsError,
)
from cdk_ami.sandbox.cloudformation.journal import Journal
from cdk_ami.sandbox.cloudformation.resources import custom
from cdk_ami.sandbox.cloudformation.scope import read_parameters
from cdk_ami.sandbox.cloudformation.state import ChangeSet, Clock, Definition, Stack
from cdk_ami.sandbox.cloudformation.template import MAX_BODY_BYTES, Template, parse

ANSWER_WITHIN_SECONDS: Final = 8.0
"""How long an operation may run before the call that began it answers.

The CDK command line looks again only after five seconds, so that an operation which outlasts the call costs up to five
seconds more.  Clients wait a minute for an answer; progress is shown from then on."""

_BEGINS_WITHIN_SECONDS: Final = 0.001
"""How often to look whether an operation has begun."""

RESET_WITHIN_SECONDS: Final = 2.0
"""How long a reset waits for the resources that a running operation has begun."""

NO_CHANGES: Final = (
    "The submitted information didn't contain changes. Submit different information to create a change set."
)
"""What the CDK command line knows an empty change set by."""

STACK_NAME: Final = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html"""

REFUSED_OPTIONS: Final = {
    "ResourceTypes": "restricting resource types",
    "ResourcesToImport": "importing resources",
    "StackPolicyBody": "stack policies",
    "StackPolicyURL": "stack policies",
    "StackPolicyDuringUpdateBody": "stack policies",
    "StackPolicyDuringUpdateURL": "stack policies",
    "TimeoutInMinutes": "time-outs",
}
"""Parameters of the API for which the sandbox has nothing, in plain words."""

UPDATABLE: Final = frozenset(
    {
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "UPDATE_FAILED",
        "CREATE_FAILED",
    }
)
"""Statuses from which a stack may be updated."""


class CloudFormationBackend(BaseBackend):  # type: ignore[misc]  # the emulator library is typed in part
    """The stacks of one account and Region."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._stacks: dict[str, Stack] = {}
        self._lock = Lock()
        self.clock = Clock()
        self.journal = Journal(self.clock)
        self.engine = Engine(self.journal, self.exports, self.users)

    def sandbox_stop(self) -> None:
        """Stop operations before their next resource, for everything is about to be forgotten."""
        self.engine.abandon()
        custom.abandon()
        for stack in list(self._stacks.values()):
            stack.idle.wait(RESET_WITHIN_SECONDS)

    def sandbox_running(self) -> list[str]:
        """Name the stacks that an operation is changing."""
        return [f"the stack {stack.name}" for stack in list(self._stacks.values()) if not stack.idle.is_set()]

    # Look-ups -----------------------------------------------------------------------------------------------------

    def stacks(self) -> list[Stack]:
        """Return every stack, deleted ones included, newest first."""
        return sorted(self._stacks.values(), key=lambda stack: stack.created, reverse=True)

    def find(self, name: str) -> Stack:
        """Return a stack by name, or by id when it may be deleted.

        Raises:
            CloudFormationError: When there is none.
        """
        found = self._stacks.get(name) or self._by_name(name)
        if found is None:
            raise CloudFormationError(f"Stack with id {name} does not exist")
        return found

    def exports(self) -> Mapping[str, tuple[str, str]]:
        """Return all exports by name: the value and the stack."""
        return {
            name: (value, stack.name)
            for stack in list(self._stacks.values())
            if not stack.is_deleted
            for name, value in stack.exports.items()
        }

    def users(self, export: str) -> Sequence[str]:
        """Return the names of the stacks that import ``export``."""
        return [stack.name for stack in list(self._stacks.values()) if not stack.is_deleted and export in stack.imports]

    def change_set(self, name: str, stack_name: str | None) -> tuple[Stack, ChangeSet]:
        """Return a change set by its id, or by its name and that of its stack.

        Raises:
            ChangeSetNotFoundError: When there is none.
        """
        candidates = [self.find(stack_name)] if stack_name else list(self._stacks.values())
        for stack in candidates:
            for one in stack.change_sets.values():
                if name == one.arn or (stack_name and name == one.name):
                    return stack, one
        raise ChangeSetNotFoundError(f"ChangeSet [{name}] does not exist")

    def _by_name(self, name: str) -> Stack | None:
        alive = [stack for stack in self._stacks.values() if stack.name == name and not stack.is_deleted]
        return alive[0] if alive else None

    # Templates ----------------------------------------------------------------------------------------------------

    def template(self, request: Mapping[str, Any], stack: Stack | None = None) -> Template:
        """Return the template that a request carries, points at, or leaves as it was."""
        if request.get("UsePreviousTemplate"):
            if stack is None or stack.definition is None:
                raise CloudFormationError("UsePreviousTemplate cannot be specified for a stack that does not exist")
            return stack.definition.template
        body, url = request.get("TemplateBody"), request.get("TemplateURL")
        if (body and url) or not (body or url):
            raise CloudFormationError("Either Template URL or Template Body must be specified.")
        if body:
            if len(body.encode()) > MAX_BODY_BYTES:
                raise CloudFormationError(
                    f"1 validation error detected: Value at 'templateBody' failed to satisfy constraint: "
                    f"Member must have length less than or equal to {MAX_BODY_BYTES}"
                )
            return parse(body)
        return parse(self._fetch(str(url)))

    def _fetch(self, url: str) -> str:
        parsed = urlparse(url)
        host = parsed.hostname or ""
        path = unquote(parsed.path).lstrip("/")
        virtual = re.fullmatch(r"(.+?)\.(?:s3[.-].*|s3|localhost.*|127\.0\.0\.1)", host)
        bucket, key = (virtual[1], path) if virtual else tuple(path.partition("/")[::2])
        client = clients.client("s3", self.region_name, self.account_id)
        try:
            return str(client.get_object(Bucket=bucket, Key=key)["Body"].read().decode())
        except client.exceptions.ClientError as error:
            raise CloudFormationError(f"S3 error: {error.response['Error']['Message']} ({url})") from error

    def definition(self, request: Mapping[str, Any], stack: Stack) -> Definition:
        """Return what a request asks a stack to be.

        Raises:
            CloudFormationError: When the request or the template asks for what cannot be.
        """
        for option, words in REFUSED_OPTIONS.items():
            if request.get(option):
                raise CloudFormationError(f"{option}: the sandbox does not support {words}")
        if request.get("DeploymentMode") not in {None, "STANDARD"}:
            raise CloudFormationError("DeploymentMode: the sandbox does not support drift-aware change sets")
        if (request.get("DeploymentConfig") or {}).get("Mode") not in {None, "STANDARD"}:
            raise CloudFormationError("DeploymentConfig: the sandbox does not support the express mode")
        if (request.get("RollbackConfiguration") or {}).get("RollbackTriggers"):
            raise CloudFormationError("RollbackConfiguration: the sandbox does not support rollback triggers")
        template = self.template(request, stack)
        before = stack.definition
        capabilities = tuple(request.get("Capabilities") or ())
        self._check_capabilities(template, capabilities)
        bound = parameters.bind(
            template.section("Parameters"),
            request.get("Parameters") or (),
            before.parameters if before else {},
            read_parameters(self.region_name, self.account_id),
        )
        tags = request.get("Tags")
        arns = request.get("NotificationARNs")
        return Definition(
            template=template,
            parameters=bound,
            tags=before.tags if tags is None and before else {tag["Key"]: tag["Value"] for tag in tags or ()},
            capabilities=capabilities,
            notification_arns=before.notification_arns if arns is None and before else tuple(arns or ()),
            role_arn=request.get("RoleARN") or (before.role_arn if before else None),
        )

    def _check_capabilities(self, template: Template, given: tuple[str, ...]) -> None:
        needed = required_capabilities(template)
        if needed and needed not in given and not (needed == "CAPABILITY_IAM" and "CAPABILITY_NAMED_IAM" in given):
            raise InsufficientCapabilitiesError(f"Requires capabilities : [{needed}]")

    # Change sets --------------------------------------------------------------------------------------------------

    def create_change_set(self, request: Mapping[str, Any]) -> ChangeSet:
        """Plan an operation and remember the plan.

        Raises:
            CloudFormationError: When the plan is impossible; nothing is left behind then.
        """
        kind = request.get("ChangeSetType") or "UPDATE"
        if kind not in {"CREATE", "UPDATE"}:
            raise CloudFormationError(f"ChangeSetType: the sandbox does not support {kind}")
        with self._lock:
            stack = self._by_name(request["StackName"]) or self._stacks.get(request["StackName"])
            made = stack is None
            if kind == "UPDATE" and (stack is None or stack.status == "REVIEW_IN_PROGRESS"):
                raise CloudFormationError(f"Stack [{request['StackName']}] does not exist")
            if kind == "CREATE" and stack is not None and stack.status != "REVIEW_IN_PROGRESS":
                raise AlreadyExistsError(
                    f"Stack [{stack.name}] already exists and cannot be created again with the "
                    "changeSet [{}].".format(request["ChangeSetName"])
                )
            stack = stack or self._new_stack(request["StackName"])
            if kind == "UPDATE":
                _check_updatable(stack)
            if request["ChangeSetName"] in stack.change_sets:
                raise AlreadyExistsError(f"ChangeSet {request['ChangeSetName']} already exists")
            change_set = self._plan(request, stack, kind)
            if made:
                self._stacks[stack.arn] = stack
                self.journal.stack(stack, "REVIEW_IN_PROGRESS", "User Initiated", request.get("ClientToken"))
            stack.change_sets[change_set.name] = change_set
            return change_set

    def _plan(self, request: Mapping[str, Any], stack: Stack, kind: str) -> ChangeSet:
        definition = self.definition(request, stack)
        made = plan.make(self.engine.scope(stack, definition))
        name = request["ChangeSetName"]
        change_set = ChangeSet(
            name=name,
            arn=f"arn:aws:cloudformation:{self.region_name}:{self.account_id}:changeSet/{name}/{uuid4()}",
            kind=kind,
            definition=definition,
            created=self.clock.now(),
            changes=made.changes,
            description=request.get("Description"),
            on_failure=request.get("OnStackFailure"),
            include_nested=bool(request.get("IncludeNestedStacks")),
            token=request.get("ClientToken"),
            deployment_config=request.get("DeploymentConfig"),
        )
        if kind == "UPDATE" and not _anything(stack, definition, made):
            change_set.status, change_set.execution_status = "FAILED", "UNAVAILABLE"
            change_set.reason = NO_CHANGES
        return change_set

    def delete_change_set(self, name: str, stack_name: str | None) -> None:
        """Forget a change set; an absent one is no error, as with AWS."""
        with self._lock:
            if stack_name:
                # The stack itself must exist.
                self.find(stack_name)
            try:
                stack, change_set = self.change_set(name, stack_name)
            except ChangeSetNotFoundError:
                return
            del stack.change_sets[change_set.name]

    def execute_change_set(self, request: Mapping[str, Any]) -> None:
        """Begin what a change set has planned, and answer when it is done or after three seconds."""
        with self._lock:
            stack, change_set = self.change_set(request["ChangeSetName"], request.get("StackName"))
            if change_set.execution_status != "AVAILABLE":
                raise InvalidChangeSetStatusError(
                    f"ChangeSet [{change_set.arn}] cannot be executed in its current status of [{change_set.status}]"
                )
            stack.last_change_set = change_set.arn
            stack.change_sets = {}
            stack.deployment_config = change_set.deployment_config
            disable = bool(request.get("DisableRollback"))
            on_failure = change_set.on_failure or ("DO_NOTHING" if disable else "ROLLBACK")
            retain_except = bool(request.get("RetainExceptOnCreate"))
            operation = self._operation(
                stack,
                change_set.definition,
                create=change_set.kind == "CREATE",
                on_failure=on_failure,
                retain_except_on_create=retain_except,
            )
        self._begin(stack, operation)

    # Stacks -------------------------------------------------------------------------------------------------------

    def create_stack(self, request: Mapping[str, Any]) -> Stack:
        """Make a stack at once, without a change set."""
        with self._lock:
            if self._by_name(request["StackName"]):
                raise AlreadyExistsError(f"Stack [{request['StackName']}] already exists")
            if request.get("DisableRollback") and request.get("OnFailure"):
                raise CloudFormationError("You can specify either DisableRollback or OnFailure, but not both.")
            stack = self._new_stack(request["StackName"])
            stack.protected = bool(request.get("EnableTerminationProtection"))
            definition = self.definition(request, stack)
            plan.make(self.engine.scope(stack, definition))
            self._stacks[stack.arn] = stack
            on_failure = request.get("OnFailure") or ("DO_NOTHING" if request.get("DisableRollback") else "ROLLBACK")
            operation = self._operation(
                stack,
                definition,
                create=True,
                on_failure=on_failure,
                retain_except_on_create=bool(request.get("RetainExceptOnCreate")),
            )
        self._begin(stack, operation)
        return stack

    def update_stack(self, request: Mapping[str, Any]) -> Stack:
        """Change a stack at once, without a change set."""
        with self._lock:
            stack = self.find(request["StackName"])
            _check_token(stack, request)
            _check_updatable(stack)
            definition = self.definition(request, stack)
            made = plan.make(self.engine.scope(stack, definition))
            if not _anything(stack, definition, made):
                raise CloudFormationError("No updates are to be performed.")
            stack.change_sets = {}
            on_failure = "DO_NOTHING" if request.get("DisableRollback") else "ROLLBACK"
            operation = self._operation(
                stack, definition, create=False, on_failure=on_failure, retain_except_on_create=False
            )
            stack.token = request.get("ClientRequestToken")
            if stack.token:
                stack.tokens.add(stack.token)
        self._begin(stack, operation, patient=False)
        return stack

    def delete_stack(self, request: Mapping[str, Any]) -> None:
        """Remove a stack; an absent one is no error, as with AWS."""
        with self._lock:
            stack = self._stacks.get(request["StackName"]) or self._by_name(request["StackName"])
            if stack is None or stack.is_deleted:
                return
            _check_idle(stack)
            if stack.protected:
                raise CloudFormationError(
                    f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled"
                )
            for export in stack.exports:
                if users := self.users(export):
                    raise CloudFormationError(
                        f"Export {export} cannot be deleted as it is in use by {' and '.join(users)}"
                    )
            retain = tuple(request.get("RetainResources") or ())
            if retain and stack.status != "DELETE_FAILED":
                raise CloudFormationError("Invalid operation on stack: RetainResources needs the status DELETE_FAILED")
            force = request.get("DeletionMode") == "FORCE_DELETE_STACK"
            stack.change_sets = {}
            self._start(stack)
        self._begin(stack, lambda: self.engine.delete(stack, retain=retain, force=force))

    def roll_back_stack(self, name: str) -> Stack:
        """Take back a failed operation whose roll back was switched off."""
        with self._lock:
            stack = self.find(name)
            if stack.status not in {"CREATE_FAILED", "UPDATE_FAILED"}:
                raise CloudFormationError(f"Stack:{stack.arn} is in {stack.status} state and can not be rolled back.")
            create = stack.status == "CREATE_FAILED"
            reason = "User Initiated."
            self._start(stack)
        self._begin(
            stack,
            (lambda: self.engine.roll_back_create(stack, reason))
            if create
            else (lambda: self.engine.roll_back_update(stack, reason)),
        )
        return stack

    def continue_update_rollback(self, name: str, skip: Sequence[str]) -> None:
        """Try a failed roll back again, without the resources in ``skip``."""
        with self._lock:
            stack = self.find(name)
            if stack.status != "UPDATE_ROLLBACK_FAILED":
                raise CloudFormationError(
                    f"Stack:{stack.arn} is in {stack.status} state and can not be rolled back from."
                )
            self._start(stack)
        self._begin(stack, lambda: self.engine.roll_back_update(stack, "User Initiated", skip=skip), patient=False)

    def _new_stack(self, name: str) -> Stack:
        if not STACK_NAME.fullmatch(name):
            raise CloudFormationError(
                f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: "
                f"Member must satisfy regular expression pattern: {STACK_NAME.pattern}"
            )
        stack = Stack(
            name=name,
            arn=f"arn:aws:cloudformation:{self.region_name}:{self.account_id}:stack/{name}/{uuid4()}",
            account=self.account_id,
            region=self.region_name,
            definition=None,
            created=self.clock.now(),
        )
        stack.idle.set()
        return stack

    def _operation(
        self, stack: Stack, definition: Definition, *, create: bool, on_failure: str, retain_except_on_create: bool
    ) -> Callable[[], None]:
        _check_idle(stack)
        self._start(stack)
        stack.disable_rollback = on_failure == "DO_NOTHING"
        if create:
            stack.definition = definition
            return lambda: self.engine.create(
                stack, on_failure=on_failure, retain_except_on_create=retain_except_on_create
            )
        return lambda: self.engine.update(stack, definition, disable_rollback=stack.disable_rollback)

    def _start(self, stack: Stack) -> None:
        stack.operation_id, stack.token = str(uuid4()), None
        stack.idle.clear()

    def _begin(self, stack: Stack, operation: Callable[[], None], *, patient: bool = True) -> None:
        """Carry an operation out in a thread of its own.

        Args:
            stack: The stack.
            operation: What to do.
            patient: Whether to answer when it is done, if that is soon; else as soon as it has begun.
        """

        def run() -> None:
            try:
                operation()
            except AbandonedError:
                return  # the stack is forgotten already
            except Exception as error:  # noqa: BLE001 - nobody reads a thread's errors, and no status may stand for ever
                failed = stack.status.removesuffix("_CLEANUP_IN_PROGRESS").removesuffix("_COMPLETE")
                failed = failed.removesuffix("_IN_PROGRESS").removesuffix("_FAILED")
                reason = f"Internal Failure: {type(error).__name__}: {error}"
                self.journal.stack(stack, f"{failed}_FAILED", reason)
            finally:
                stack.idle.set()

        Thread(target=run, name=f"stack {stack.name}", daemon=True).start()
        if patient:
            stack.idle.wait(ANSWER_WITHIN_SECONDS)
        while not (stack.idle.is_set() or stack.status.endswith("_IN_PROGRESS")):
            stack.idle.wait(_BEGINS_WITHIN_SECONDS)


def _anything(stack: Stack, definition: Definition, made: plan.Plan) -> bool:
    before = stack.definition
    return bool(
        made.changes
        or made.outputs_changed
        or before is None
        or dict(before.tags) != dict(definition.tags)
        or before.notification_arns != definition.notification_arns
        or stack.status == "UPDATE_FAILED"
    )


def _check_token(stack: Stack, request: Mapping[str, Any]) -> None:
    if request.get("ClientRequestToken") in stack.tokens:
        raise TokenAlreadyExistsError(f"Token {request['ClientRequestToken']} already exists")


def _check_idle(stack: Stack) -> None:
    if not stack.idle.is_set():
        raise CloudFormationError(f"Stack:{stack.arn} is in {stack.status} state and can not be updated.")


def _check_updatable(stack: Stack) -> None:
    _check_idle(stack)
    if stack.status not in UPDATABLE:
        raise CloudFormationError(f"Stack:{stack.arn} is in {stack.status} state and can not be updated.")


cloudformation_backends = BackendDict(CloudFormationBackend, "cloudformation")
