"""Which definitions are valid; pure.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html and
https://docs.aws.amazon.com/step-functions/latest/apireference/API_ValidateStateMachineDefinition.html, read 2026-11-28
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from cdk_ami.sandbox import jsonpath
from cdk_ami.sandbox.stepfunctions import intrinsics, resources
from cdk_ami.sandbox.stepfunctions.choices import OPERATORS, timestamp

MAX_NAME: Final = 80
"""Characters of a state's name."""

_COMMON: Final = frozenset({"Type", "Comment", "QueryLanguage"})
_FLOW: Final = frozenset({"Next", "End"})
_PATHS: Final = frozenset({"InputPath", "OutputPath"})
_RESULT: Final = frozenset({"Parameters", "ResultPath"})
_ERRORS: Final = frozenset({"Retry", "Catch"})
_SELECT: Final = frozenset({"ResultSelector"})

FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "Pass": _COMMON | _FLOW | _PATHS | _RESULT | {"Result"},
    "Succeed": _COMMON | _PATHS,
    "Fail": _COMMON | {"Error", "ErrorPath", "Cause", "CausePath"},
    "Choice": _COMMON | _PATHS | {"Choices", "Default"},
    "Wait": _COMMON | _FLOW | _PATHS | {"Seconds", "SecondsPath", "Timestamp", "TimestampPath"},
    "Task": _COMMON
    | _FLOW
    | _PATHS
    | _RESULT
    | _SELECT
    | _ERRORS
    | {
        "Resource",
        "TimeoutSeconds",
        "TimeoutSecondsPath",
        "HeartbeatSeconds",
        "HeartbeatSecondsPath",
        "Credentials",
    },
    "Parallel": _COMMON | _FLOW | _PATHS | _RESULT | _SELECT | _ERRORS | {"Branches"},
    "Map": _COMMON
    | _FLOW
    | _PATHS
    | _RESULT
    | _SELECT
    | _ERRORS
    | {
        "ItemProcessor",
        "Iterator",
        "ItemsPath",
        "ItemSelector",
        "MaxConcurrency",
        "MaxConcurrencyPath",
        "ToleratedFailureCount",
        "ToleratedFailureCountPath",
        "ToleratedFailurePercentage",
        "ToleratedFailurePercentagePath",
        "Label",
    },
}
"""What each type of state may have."""

_TOP: Final = frozenset({"Comment", "StartAt", "States", "TimeoutSeconds", "Version", "QueryLanguage"})
_ENDS: Final = frozenset({"Succeed", "Fail"})
_TOLERANCE: Final = tuple(field for field in FIELDS["Map"] if field.startswith("Tolerated"))
_RETRIER: Final = frozenset(
    {"ErrorEquals", "IntervalSeconds", "MaxAttempts", "BackoffRate", "MaxDelaySeconds", "JitterStrategy", "Comment"}
)
_CATCHER: Final = frozenset({"ErrorEquals", "Next", "ResultPath", "Comment"})


class Fault(NamedTuple):
    """Something that is wrong: the service's code for it, what, and where."""

    code: str
    message: str
    where: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message} at {self.where}"


def faults(text: str) -> list[Fault]:
    """Return everything that is wrong with a definition."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        return [Fault("INVALID_JSON_DESCRIPTION", str(error), "/")]
    if not isinstance(found, dict):
        return [Fault("INVALID_JSON_DESCRIPTION", "an object is expected", "/")]
    return list(_machine(found, "", seen=set(), top=True))


def _schema(message: str, where: str) -> Fault:
    return Fault("SCHEMA_VALIDATION_FAILED", message, where or "/")


def _machine(found: Mapping[str, Any], where: str, *, seen: set[str], top: bool = False) -> Iterator[Fault]:
    allowed = _TOP if top else frozenset({"Comment", "StartAt", "States", "ProcessorConfig", "QueryLanguage"})
    for name in sorted(set(found) - allowed):
        yield _schema(f"Field '{name}' is not supported", f"{where}/{name}")
    if found.get("QueryLanguage", "JSONPath") != "JSONPath":
        yield _schema("the sandbox runs JSONPath only, not JSONata", f"{where}/QueryLanguage")
        return
    states = found.get("States")
    if not isinstance(states, dict) or not states:
        yield _schema("States has at least one state", f"{where}/States")
        return
    start = found.get("StartAt")
    if not isinstance(start, str):
        yield _schema("StartAt is required", f"{where}/StartAt")
    elif start not in states:
        yield Fault("MISSING_TRANSITION_TARGET", f"Missing 'Next' target: {start}", f"{where}/StartAt")
    for name in states:
        if name in seen:
            yield Fault("DUPLICATE_STATE_NAME", f"The state name {name!r} is used twice", f"{where}/States/{name}")
        seen.add(name)
        if len(name) > MAX_NAME:
            yield _schema(f"The name of a state has at most {MAX_NAME} characters", f"{where}/States/{name}")
    for name, state in states.items():
        yield from _state(state, f"{where}/States/{name}", frozenset(states), seen)
    yield from _unreached(start, states, where)


def _unreached(start: Any, states: Mapping[str, Any], where: str) -> Iterator[Fault]:
    reached, left = set(), [start]
    while left:
        name = left.pop()
        if name in states and name not in reached and isinstance(states[name], dict):
            reached.add(name)
            left += [target for target, _ in _targets(states[name])]
    for name in states:
        if name not in reached:
            yield Fault("MISSING_TRANSITION_TARGET", f'State "{name}" is not reachable.', f"{where}/States/{name}")
    ends = (state.get("End") or state.get("Type") in _ENDS for state in states.values() if isinstance(state, dict))
    if not any(ends):
        yield Fault("MISSING_END_STATE", "No terminal state", f"{where}/States")


def _targets(state: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    if "Next" in state:
        yield state["Next"], "Next"
    if "Default" in state:
        yield state["Default"], "Default"
    for kind in ("Choices", "Catch"):
        for index, one in enumerate(state.get(kind) or ()):
            if isinstance(one, dict) and "Next" in one:
                yield one["Next"], f"{kind}[{index}]/Next"


def _state(state: Any, where: str, names: frozenset[str], seen: set[str]) -> Iterator[Fault]:
    if not isinstance(state, dict) or state.get("Type") not in FIELDS:
        yield _schema(f"Type is one of {', '.join(FIELDS)}", f"{where}/Type")
        return
    kind = state["Type"]
    if state.get("QueryLanguage", "JSONPath") != "JSONPath":
        yield _schema("the sandbox runs JSONPath only, not JSONata", f"{where}/QueryLanguage")
        return
    for name in sorted(set(state) - FIELDS[kind]):
        yield _schema(f"Field '{name}' is not supported by a {kind} state", f"{where}/{name}")
    if "Next" in FIELDS[kind] and ("Next" in state) == (state.get("End") is True):
        yield _schema("a state has either Next or End", f"{where}")
    for target, place in _targets(state):
        if target not in names:
            yield Fault("MISSING_TRANSITION_TARGET", f"Missing 'Next' target: {target}", f"{where}/{place}")
    yield from _data(state, where)
    yield from _errors(state, where)
    if kind in _KINDS:
        yield from _KINDS[kind](state, where, seen)


def _data(state: Mapping[str, Any], where: str) -> Iterator[Fault]:
    for field, value in state.items():
        if field.endswith("Path") and not (value is None and field in {"InputPath", "OutputPath", "ResultPath"}):
            yield from _path(value, f"{where}/{field}", reference=field not in {"InputPath", "OutputPath", "ItemsPath"})
    if isinstance(state.get("ResultPath"), str) and state["ResultPath"].startswith("$$"):
        yield _schema("ResultPath cannot name the context object", f"{where}/ResultPath")
    for field in ("Parameters", "ResultSelector", "ItemSelector"):
        if field in state:
            yield from _template(state[field], f"{where}/{field}")


def _path(value: Any, where: str, *, reference: bool) -> Iterator[Fault]:
    if (
        isinstance(value, str)
        and value.startswith("States.")
        and where.rpartition("/")[2] in {"ErrorPath", "CausePath"}
    ):
        yield from _expression(value, where)
        return
    if not isinstance(value, str):
        yield _schema("a path is a text", where)
        return
    plain = value[1:] if value.startswith("$$") else value
    try:
        single = jsonpath.is_reference(plain)
    except jsonpath.PathError as error:
        yield _schema(str(error), where)
        return
    if reference and not single:
        yield _schema(f"{value} is no reference path: it can name several values", where)


def _template(value: Any, where: str) -> Iterator[Fault]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name.endswith(".$"):
                yield from _expression(item, f"{where}/{name}")
            else:
                yield from _template(item, f"{where}/{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _template(item, f"{where}[{index}]")


def _expression(value: Any, where: str) -> Iterator[Fault]:
    if isinstance(value, str) and value.startswith("$"):
        yield from _path(value, where, reference=False)
        return
    if not isinstance(value, str):
        yield _schema("The value of a field that ends in '.$' is a path or intrinsic function", where)
        return
    try:
        paths = list(intrinsics.parse(value).paths())
    except intrinsics.IntrinsicError as error:
        yield _schema(str(error), where)
        return
    for path in paths:
        yield from _path(path, where, reference=False)


def _errors(state: Mapping[str, Any], where: str) -> Iterator[Fault]:
    for field, allowed in (("Retry", _RETRIER), ("Catch", _CATCHER)):
        handlers = state.get(field, [])
        if not isinstance(handlers, list):
            yield _schema(f"{field} is an array", f"{where}/{field}")
            continue
        for index, one in enumerate(handlers):
            place = f"{where}/{field}[{index}]"
            for name in sorted(set(one) - allowed):
                yield _schema(f"Field '{name}' is not supported", f"{place}/{name}")
            names = one.get("ErrorEquals")
            if not isinstance(names, list) or not names:
                yield _schema("ErrorEquals has at least one name", f"{place}/ErrorEquals")
            elif "States.ALL" in names and (len(names) > 1 or index + 1 < len(handlers)):
                yield _schema("States.ALL stands alone, in the last of its kind", f"{place}/ErrorEquals")
            if field == "Catch" and "Next" not in one:
                yield _schema("Next is required", f"{place}/Next")
            yield from _numbers(
                one, place, {"IntervalSeconds": 1, "MaxAttempts": 0, "BackoffRate": 1, "MaxDelaySeconds": 1}
            )


def _numbers(found: Mapping[str, Any], where: str, least: Mapping[str, int]) -> Iterator[Fault]:
    for field, low in least.items():
        value = found.get(field, low)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < low:
            yield _schema(f"{field} is a number of {low} or more, got {value!r}", f"{where}/{field}")


def _one_of(state: Mapping[str, Any], where: str, *fields: str) -> Iterator[Fault]:
    if len([field for field in fields if field in state]) != 1:
        yield _schema(f"exactly one of {', '.join(fields)} is required", where)


def _choice(state: Mapping[str, Any], where: str, _seen: set[str]) -> Iterator[Fault]:
    if not isinstance(state.get("Choices"), list) or not state["Choices"]:
        yield _schema("Choices has at least one rule", f"{where}/Choices")
        return
    for index, rule in enumerate(state["Choices"]):
        if "Next" not in rule:
            yield _schema("Next is required", f"{where}/Choices[{index}]")
        yield from _rule(rule, f"{where}/Choices[{index}]")


def _rule(rule: Any, where: str) -> Iterator[Fault]:
    if not isinstance(rule, dict):
        yield _schema("a rule is an object", where)
        return
    known = OPERATORS | {"And", "Or", "Not", "Variable", "Next", "Comment"}
    for name in sorted(set(rule) - known):
        yield _schema(f"Field '{name}' is not supported", f"{where}/{name}")
    tests = [name for name in rule if name in OPERATORS | {"And", "Or", "Not"}]
    if len(tests) != 1:
        yield _schema("a rule has exactly one comparison", where)
        return
    [test] = tests
    if test in {"And", "Or"}:
        for index, one in enumerate(rule[test]):
            yield from _rule(one, f"{where}/{test}[{index}]")
    elif test == "Not":
        yield from _rule(rule[test], f"{where}/Not")
    else:
        yield from _path(rule.get("Variable"), f"{where}/Variable", reference=False)
        if test.endswith("Path"):
            yield from _path(rule[test], f"{where}/{test}", reference=True)


def _wait(state: Mapping[str, Any], where: str, _seen: set[str]) -> Iterator[Fault]:
    yield from _one_of(state, where, "Seconds", "SecondsPath", "Timestamp", "TimestampPath")
    yield from _numbers(state, where, {"Seconds": 0})
    if "Timestamp" in state and timestamp(state["Timestamp"]) is None:
        yield _schema("Timestamp is a time of RFC 3339", f"{where}/Timestamp")


def _task(state: Mapping[str, Any], where: str, _seen: set[str]) -> Iterator[Fault]:
    if not isinstance(state.get("Resource"), str):
        yield _schema("Resource is required", f"{where}/Resource")
        return
    try:
        resource = resources.parse(state["Resource"])
    except resources.ResourceError as error:
        yield Fault("INVALID_RESOURCE", str(error), f"{where}/Resource")
        return
    yield from _numbers(state, where, {"TimeoutSeconds": 1, "HeartbeatSeconds": 1})
    if resource.pattern == resources.CALLBACK and "$$.Task.Token" not in json.dumps(state.get("Parameters", {})):
        yield _schema("a task that waits for its token hands $$.Task.Token on in Parameters", f"{where}/Parameters")


def _parallel(state: Mapping[str, Any], where: str, seen: set[str]) -> Iterator[Fault]:
    branches = state.get("Branches")
    if not isinstance(branches, list) or not branches:
        yield _schema("Branches has at least one branch", f"{where}/Branches")
        return
    for index, branch in enumerate(branches):
        yield from _machine(branch, f"{where}/Branches[{index}]", seen=seen)


def _map(state: Mapping[str, Any], where: str, seen: set[str]) -> Iterator[Fault]:
    yield from _one_of(state, where, "ItemProcessor", "Iterator")
    for field in ("ItemReader", "ItemBatcher", "ResultWriter"):
        if field in state:
            yield _schema(f"the sandbox has no {field}", f"{where}/{field}")
    processor = state.get("ItemProcessor") or state.get("Iterator")
    if isinstance(processor, dict):
        inline = (processor.get("ProcessorConfig") or {}).get("Mode", "INLINE") == "INLINE"
        for field in _TOLERANCE:
            if inline and field in state:
                yield _schema(f"{field} is for distributed maps", f"{where}/{field}")
        yield from _machine(processor, f"{where}/ItemProcessor", seen=seen)


_KINDS: Final[Mapping[str, Callable[[Mapping[str, Any], str, set[str]], Iterator[Fault]]]] = {
    "Choice": _choice,
    "Wait": _wait,
    "Task": _task,
    "Parallel": _parallel,
    "Map": _map,
}
