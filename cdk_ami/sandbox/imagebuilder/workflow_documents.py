"""Workflow documents as the service reads them; pure.

https://docs.aws.amazon.com/imagebuilder/latest/userguide/image-workflow-create-document.html,
https://docs.aws.amazon.com/imagebuilder/latest/userguide/wfdoc-step-actions.html, read 2026-11-28
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from cdk_ami.sandbox.imagebuilder import conditions, variables
from cdk_ami.sandbox.imagebuilder.documents import DocumentError, Parameter

STEPS_MAX: Final = 15
OUTPUTS_MAX: Final = 25
PARAMETERS_MAX: Final = 25
VALUE_MAX: Final = 1024
"""https://docs.aws.amazon.com/imagebuilder/latest/userguide/manage-image-workflows.html, read 2026-11-28"""

SYSTEM_VARIABLES: Final = frozenset(
    {
        "cloudWatchLogGroup",
        "cloudWatchLogStream",
        "collectImageMetadata",
        "collectImageScanFindings",
        "dateTime",
        "imageBuildNumber",
        "imageId",
        "imageName",
        "imageType",
        "imageVersionNumber",
        "instanceProfileName",
        "platform",
        "s3Logs",
        "securityGroups",
        "sourceImageARN",
        "subnetId",
        "terminateInstanceOnFailure",
        "workflowPhase",
        "workingDirectory",
    }
)
"""What ``$.imagebuilder`` holds.
https://docs.aws.amazon.com/imagebuilder/latest/userguide/wfdoc-dynamic-vars.html, read 2026-11-28"""

NOT_OFFERED: Final = frozenset({"BootstrapInstanceForContainer", "CreateImageFromIso", "DistributeContainerImage"})
"""Step actions that the service has and the sandbox refuses: containers and imports."""

_KINDS: Final = ("string", "integer", "boolean", "stringList")
_STEP_KEYS: Final = frozenset(
    {"name", "action", "description", "if", "inputs", "onFailure", "rollbackEnabled", "timeoutSeconds"}
)
_STEP_NAME: Final = re.compile(r"[A-Za-z0-9_]{3,128}")
_COMMAND: Final = ("runCommandId", "status", "output")
_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_EVERYWHERE: Final = ("BUILD", "TEST", "DISTRIBUTION")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRule:
    """What a step action takes and gives.

    Attributes:
        needs: Inputs that must be there.
        takes: Inputs that may be there.
        gives: Outputs.
        timeout: Seconds after which the step fails, unless it says otherwise.
        longest: The largest number of seconds that it may say.
        stages: Types of workflows that may hold it.
    """

    needs: tuple[str, ...] = ("instanceId",)
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = _COMMAND
    timeout: int = _HOUR
    longest: int = 12 * _HOUR
    stages: tuple[str, ...] = _EVERYWHERE


ACTIONS: Final[Mapping[str, ActionRule]] = {
    "ApplyImageConfigurations": ActionRule(
        needs=("distributedImages",),
        takes=("configurations",),
        gives=("configuredImages",),
        timeout=6 * _HOUR,
        stages=("DISTRIBUTION",),
    ),
    "CollectImageMetadata": ActionRule(gives=("osVersion", "associationId"), timeout=30 * _MINUTE),
    "CollectImageScanFindings": ActionRule(timeout=2 * _HOUR, stages=("TEST",)),
    "CreateImage": ActionRule(gives=("imageId",), timeout=12 * _HOUR, longest=3 * _DAY),
    "DistributeImage": ActionRule(
        needs=(), takes=("distributions",), gives=("distributedImages",), timeout=6 * _HOUR, stages=("DISTRIBUTION",)
    ),
    "ExecuteComponents": ActionRule(timeout=12 * _HOUR, longest=_DAY, stages=("BUILD", "TEST")),
    "ExecuteStateMachine": ActionRule(
        needs=("stateMachineArn",),
        takes=("input",),
        gives=("executionArn", "output"),
        timeout=6 * _HOUR,
        longest=_DAY,
    ),
    "LaunchInstance": ActionRule(
        needs=("waitFor",),
        takes=("imageIdOverride", "instanceTypesOverride", "healthCheck"),
        gives=("instanceId", "instanceType"),
        timeout=75 * _MINUTE,
    ),
    "ModifyImageAttributes": ActionRule(
        needs=("distributedImages",),
        takes=("attributes",),
        gives=("modifiedImages",),
        timeout=2 * _HOUR,
        longest=3 * _HOUR,
        stages=("DISTRIBUTION",),
    ),
    "RegisterImage": ActionRule(
        needs=(),
        takes=(
            "architecture",
            "blockDeviceMapping",
            "bootMode",
            "description",
            "enaSupport",
            "imageLocation",
            "imdsSupport",
            "includeSnapshotTags",
            "kernelId",
            "ramdiskId",
            "rootDeviceName",
            "sriovNetSupport",
            "tpmSupport",
            "uefiData",
            "virtualizationType",
        ),
        gives=("imageId",),
        timeout=9 * _HOUR,
    ),
    "RunCommand": ActionRule(
        needs=("instanceId", "documentName"), takes=("parameters", "documentVersion"), timeout=12 * _HOUR
    ),
    "RunSysPrep": ActionRule(),
    "SanitizeInstance": ActionRule(),
    "TerminateInstance": ActionRule(takes=("waitForTermination",), gives=(), timeout=30 * _MINUTE),
    "WaitForAction": ActionRule(
        needs=(),
        takes=("snsTopicArn", "lambdaFunctionName", "payload"),
        gives=("action", "reason"),
        timeout=3 * _DAY,
        longest=7 * _DAY,
    ),
    "WaitForSSMAgent": ActionRule(gives=("status",), longest=3 * _HOUR),
}
"""Step actions by their exact names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowStep:
    """One step of a workflow.

    Attributes:
        name: Its name, which no other step has.
        action: One of ``ACTIONS``.
        description: Free text, or empty.
        inputs: Inputs as they are written: a key that ends in ``.$`` holds a path.
        condition: When the step runs; None is always.
        goes_on: Whether the steps after it run when it has failed.
        rollback: Whether what it made is put away when the workflow fails; a boolean or a path.
        timeout: Seconds that it may take.
    """

    name: str
    action: str
    description: str = ""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    condition: conditions.Condition | None = None
    goes_on: bool = False
    rollback: Any = True
    timeout: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowDocument:
    """A workflow that the service accepts: its steps, what it is told, and what it tells later workflows."""

    steps: tuple[WorkflowStep, ...]
    parameters: tuple[Parameter, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)

    def values(self, given: Mapping[str, list[str]]) -> dict[str, Any]:
        """Return the value of each parameter in its own type; ``given`` is as the API has it and was checked."""
        found = {}
        for parameter in self.parameters:
            texts = given.get(parameter.name, list(parameter.default or ()))
            found[parameter.name] = _typed(parameter.kind, texts)
        return found


def given_fault(document: WorkflowDocument, given: Mapping[str, list[str]]) -> str | None:
    """Return what is wrong with the parameters that a pipeline gives a workflow, or None."""
    declared = {parameter.name: parameter for parameter in document.parameters}
    for name, values in given.items():
        if name not in declared:
            return f"The workflow declares no parameter '{name}'."
        if any(len(value) > VALUE_MAX for value in values):
            return f"The value of the parameter '{name}' is longer than {VALUE_MAX} characters."
        if fault := _kind_fault(declared[name].kind, values):
            return f"The parameter '{name}' {fault}."
    missing = [name for name, parameter in declared.items() if parameter.default is None and name not in given]
    return f"The parameter '{missing[0]}' has no default and needs a value." if missing else None


def read_workflow(text: str, *, workflow_type: str) -> WorkflowDocument:
    """Return the workflow document in ``text`` of a type such as ``BUILD``.

    Raises:
        DocumentError: When the service would refuse it.
    """
    top = _top(text)
    parameters = tuple(_parameters(top.get("parameters") or []))
    known = frozenset(parameter.name for parameter in parameters)
    items = top.get("steps")
    if not isinstance(items, list) or not items:
        raise DocumentError("the document: steps must be a list of at least one item")
    if len(items) > STEPS_MAX:
        raise DocumentError(f"steps: a workflow has at most {STEPS_MAX} steps")
    steps: list[WorkflowStep] = []
    for index, item in enumerate(items):
        steps.append(_step(item, f"steps[{index}]", before=steps, parameters=known, workflow_type=workflow_type))
    outputs = _outputs(top.get("outputs") or [], steps, known)
    return WorkflowDocument(steps=tuple(steps), parameters=parameters, outputs=outputs)


def _top(text: str) -> dict[str, Any]:
    try:
        top = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise DocumentError(f"the document is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(top, dict):
        raise DocumentError("the document: must be a mapping")
    unknown = sorted(set(top) - {"name", "description", "schemaVersion", "parameters", "steps", "outputs"})
    if unknown:
        raise DocumentError(f"the document: unknown key '{unknown[0]}'")
    if str(top.get("schemaVersion")) not in ("1.0", "1"):
        raise DocumentError(f"schemaVersion: must be 1.0, and is {top.get('schemaVersion')!r}")
    return top


def _parameters(items: Any) -> Iterator[Parameter]:
    if not isinstance(items, list) or len(items) > PARAMETERS_MAX:
        raise DocumentError(f"parameters: must be a list of at most {PARAMETERS_MAX} items")
    seen: set[str] = set()
    for index, item in enumerate(items):
        at = f"parameters[{index}]"
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            raise DocumentError(f"{at}: name must be a text")
        name, kind = item["name"], item.get("type", "string")
        if name in seen:
            raise DocumentError(f"{at}.name: two parameters are called '{name}'")
        seen.add(name)
        if kind not in _KINDS:
            raise DocumentError(f"{at}.type: must be one of {', '.join(_KINDS)}")
        default = _texts(item["default"]) if "default" in item else None
        if default is not None and (fault := _kind_fault(kind, list(default))):
            raise DocumentError(f"{at}.default: {fault}")
        yield Parameter(name=name, kind=kind, default=default, description=str(item.get("description", "")))


def _step(
    item: Any, at: str, *, before: list[WorkflowStep], parameters: frozenset[str], workflow_type: str
) -> WorkflowStep:
    if not isinstance(item, dict):
        raise DocumentError(f"{at}: must be a mapping")
    if unknown := sorted(set(item) - _STEP_KEYS):
        raise DocumentError(f"{at}: unknown key '{unknown[0]}'")
    name, action = item.get("name"), item.get("action")
    if not isinstance(name, str) or not _STEP_NAME.fullmatch(name):
        raise DocumentError(f"{at}.name: must be 3 to 128 letters, digits and underscores, and is {name!r}")
    if any(step.name == name for step in before):
        raise DocumentError(f"{at}.name: two steps are called '{name}'")
    rule = _rule(action, at, workflow_type)
    check = _References(at, before, parameters)
    failure = item.get("onFailure", "Abort")
    if failure not in ("Abort", "Continue"):
        raise DocumentError(f"{at}.onFailure: must be Abort or Continue")
    timeout = item.get("timeoutSeconds", rule.timeout)
    if not isinstance(timeout, int) or isinstance(timeout, bool) or not 1 <= timeout <= rule.longest:
        raise DocumentError(f"{at}.timeoutSeconds: must be 1 to {rule.longest} for {action}, and is {timeout!r}")
    description = item.get("description", "")
    if "description" in item and not (isinstance(description, str) and 1 <= len(description) <= VALUE_MAX):
        raise DocumentError(f"{at}.description: must have 1 to {VALUE_MAX} characters")
    rollback = item.get("rollbackEnabled", True)
    if not isinstance(rollback, bool) and not variables.is_path(rollback):
        raise DocumentError(f"{at}.rollbackEnabled: must be true, false or a path")
    check(rollback, "rollbackEnabled")
    inputs = item.get("inputs") or {}
    _check_inputs(inputs, rule, str(action), f"{at}.inputs")
    check(inputs, "inputs", bare=False)
    condition = conditions.read(item["if"], f"{at}.if") if "if" in item else None
    check(item.get("if"), "if")
    return WorkflowStep(
        name=name,
        action=str(action),
        description=description,
        inputs=inputs,
        condition=condition,
        goes_on=failure == "Continue",
        rollback=rollback,
        timeout=timeout,
    )


def _rule(action: Any, at: str, workflow_type: str) -> ActionRule:
    if not isinstance(action, str):
        raise DocumentError(f"{at}.action: must be a text, and is {action!r}")
    if action in NOT_OFFERED:
        raise DocumentError(f"{at}.action: {action} is not part of the cdk-ami sandbox")
    rule = ACTIONS.get(action)
    if rule is None:
        raise DocumentError(f"{at}.action: unknown action '{action}'")
    if workflow_type not in rule.stages:
        stages = " and ".join(stage.lower() for stage in rule.stages)
        raise DocumentError(f"{at}.action: {action} is for {stages} workflows, not for {workflow_type.lower()}")
    return rule


def _check_inputs(inputs: Any, rule: ActionRule, action: str, at: str) -> None:
    if not isinstance(inputs, dict):
        raise DocumentError(f"{at}: must be a mapping")
    names = {str(key).removesuffix(".$") for key in inputs}
    if unknown := sorted(names - {*rule.needs, *rule.takes}):
        raise DocumentError(f"{at}: {action} takes no input '{unknown[0]}'")
    if missing := [name for name in rule.needs if name not in names]:
        raise DocumentError(f"{at}: {action} needs the input '{missing[0]}'")
    if action == "LaunchInstance":
        for name, allowed in (("waitFor", ("ssmAgent",)), ("healthCheck", ("RUNNING", "STATUS_CHECK_PASSED"))):
            if inputs.get(name, allowed[0]) not in allowed:
                raise DocumentError(f"{at}.{name}: must be {' or '.join(allowed)}")
    listed = inputs.get("configurations") or ()
    for index, part in enumerate(listed if isinstance(listed, list) else ()):
        for name in ("licenseConfigurationArns", "s3ExportConfiguration"):
            if isinstance(part, dict) and part.get(name):
                raise DocumentError(f"{at}.configurations[{index}].{name} is not part of the cdk-ami sandbox")


class _References:
    """Checks that every path in a step leads somewhere."""

    def __init__(self, at: str, before: list[WorkflowStep], parameters: frozenset[str]) -> None:
        self._at, self._parameters = at, parameters
        self._gives = {step.name: ACTIONS[step.action].gives for step in before}

    def __call__(self, value: Any, part: str, *, bare: bool = True) -> None:
        for key, path in variables.paths(value, bare=bare):
            if not variables.is_path(path):
                raise DocumentError(f"{self._at}.{part}: '{key}' must hold a path such as $.stepOutputs.Name.output")
            if fault := self._fault(path):
                raise DocumentError(f"{self._at}.{part}: {path} {fault}")

    def _fault(self, path: str) -> str | None:
        root, *nodes = variables.nodes(path)
        if root == "workflowOutputs":
            return None
        first = str(nodes[0]) if nodes else ""
        if root == "parameters":
            return None if first in self._parameters else f"names no parameter: '{first}' is not declared"
        if root == "imagebuilder":
            return None if first in SYSTEM_VARIABLES else f"names no variable of the service: '{first}'"
        if root == "stepOutputs":
            if first not in self._gives:
                return f"names no step before this one: '{first}'"
            output = str(nodes[1]) if len(nodes) > 1 else ""
            return None if output in self._gives[first] else f"names no output of the step {first}: '{output}'"
        return f"starts with '{root}', which is none of parameters, stepOutputs, workflowOutputs and imagebuilder"


def _outputs(items: Any, steps: list[WorkflowStep], parameters: frozenset[str]) -> dict[str, str]:
    if not isinstance(items, list) or len(items) > OUTPUTS_MAX:
        raise DocumentError(f"outputs: must be a list of at most {OUTPUTS_MAX} items")
    found: dict[str, str] = {}
    for index, item in enumerate(items):
        at = f"outputs[{index}]"
        if not isinstance(item, dict) or not all(isinstance(item.get(key), str) for key in ("name", "value")):
            raise DocumentError(f"{at}: name and value must be texts")
        if item["name"] in found:
            raise DocumentError(f"{at}.name: two outputs are called '{item['name']}'")
        _References(at, steps, parameters)(item["value"], "value")
        found[item["name"]] = item["value"]
    return found


def _texts(value: Any) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(str(item).lower() if isinstance(item, bool) else str(item) for item in items)


def _kind_fault(kind: str, texts: list[str]) -> str | None:
    if kind != "stringList" and len(texts) != 1:
        return "must have exactly one value"
    if kind == "integer" and not re.fullmatch(r"-?[0-9]+", texts[0]):
        return "must be an integer"
    if kind == "boolean" and texts[0] not in ("true", "false"):
        return "must be true or false"
    return None


def _typed(kind: str, texts: list[str]) -> Any:
    if kind == "stringList":
        return list(texts)
    if kind == "integer":
        return int(texts[0])
    return texts[0] == "true" if kind == "boolean" else texts[0]
