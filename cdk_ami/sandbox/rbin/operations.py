"""The operations of the service, one function each: the backend and the request in, the answer out."""

from __future__ import annotations

from collections.abc import Callable
from string import ascii_letters, digits
from typing import Any, Final

from moto.moto_api._internal import mock_random
from moto.utilities.utils import get_partition

from cdk_ami.sandbox.rbin.models import RULE_LIMIT, RbinError, RecycleBinBackend, Rule, invalid

Request = dict[str, Any]
Answer = dict[str, Any]

RETENTION_DAYS: Final = range(1, 366)
"""https://docs.aws.amazon.com/ebs/latest/userguide/recycle-bin-create-rule.html."""

UNLOCK_DAYS: Final = range(7, 31)
"""https://docs.aws.amazon.com/ebs/latest/userguide/recycle-bin-lock.html."""

DESCRIPTION_LIMIT: Final = 255
"""https://docs.aws.amazon.com/recyclebin/latest/APIReference/API_CreateRule.html, as the limits below."""

RESOURCE_TAGS_LIMIT: Final = 50

EXCLUDE_TAGS_LIMIT: Final = 5

PAGE: Final = 1000

KINDS: Final = ("EC2_IMAGE", "EBS_SNAPSHOT")
"""What the sandbox keeps in the bin; the service keeps volumes too."""


def create_rule(backend: RecycleBinBackend, request: Request) -> Answer:
    """Answer CreateRule."""
    kind = _kind(request)
    if len(backend.rules) >= RULE_LIMIT:
        raise RbinError(
            "ServiceQuotaExceededException", f"A Region has at most {RULE_LIMIT} rules.", "SERVICE_QUOTA_EXCEEDED"
        )
    identifier = "".join(mock_random.choice(ascii_letters + digits) for _ in range(11))
    region, account = backend.region_name, backend.account_id
    rule = Rule(
        identifier=identifier,
        arn=f"arn:{get_partition(region)}:rbin:{region}:{account}:rule/{identifier}",
        kind=kind,
        days=_days(request["RetentionPeriod"]),
        tags=_tags(request.get("Tags", [])),
    )
    _set(rule, request)
    if lock := request.get("LockConfiguration"):
        rule.lock(_unlock_days(lock))
    backend.rules[identifier] = rule
    tags = [{"Key": key, "Value": value} for key, value in rule.tags.items()]
    return describe(rule) | {"Status": "pending", "Tags": tags}


def get_rule(backend: RecycleBinBackend, request: Request) -> Answer:
    """Answer GetRule."""
    return describe(backend.rule(request["Identifier"]))


def list_rules(backend: RecycleBinBackend, request: Request) -> Answer:
    """Answer ListRules: those of one type, with any of the tags and in the state that were asked for."""
    kind, state = _kind(request), request.get("LockState")
    found = [
        rule
        for rule in backend.rules.values()
        if rule.kind == kind
        and state in {None, rule.lock_state}
        and all(tag in rule.resource_tags for tag in request.get("ResourceTags", []))
        and all(tag in rule.exclude_tags for tag in request.get("ExcludeResourceTags", []))
    ]
    limit, token = int(request.get("MaxResults") or PAGE), request.get("NextToken", "0")
    if not token.isdigit():
        raise RbinError("ValidationException", f"The page token {token} is not valid.", "INVALID_PAGE_TOKEN")
    start = int(token)
    members = ("Identifier", "Description", "RetentionPeriod", "LockState", "RuleArn")
    rules = [
        {name: value for name, value in describe(rule).items() if name in members}
        for rule in found[start : start + limit]
    ]
    return {"Rules": rules, "NextToken": str(start + limit) if start + limit < len(found) else None}


def update_rule(backend: RecycleBinBackend, request: Request) -> Answer:
    """Answer UpdateRule: all but the type, while the rule is not locked."""
    rule = backend.rule(request["Identifier"])
    rule.check_open()
    if request.get("ResourceType") not in {None, rule.kind}:
        raise invalid("The resource type of a retention rule cannot be changed.")
    if "RetentionPeriod" in request:
        rule.days = _days(request["RetentionPeriod"])
    _set(rule, request)
    return _without_lock(rule)


def delete_rule(backend: RecycleBinBackend, request: Request) -> Answer:
    """Answer DeleteRule; what is in the bin stays there for as long as it was to."""
    rule = backend.rule(request["Identifier"])
    rule.check_open()
    del backend.rules[rule.identifier]
    return {}


def lock_rule(backend: RecycleBinBackend, request: Request) -> Answer:
    """Answer LockRule."""
    rule = backend.rule(request["Identifier"])
    rule.lock(_unlock_days(request["LockConfiguration"]))
    return describe(rule)


def unlock_rule(backend: RecycleBinBackend, request: Request) -> Answer:
    """Answer UnlockRule: the rule can be changed once its delay is over."""
    rule = backend.rule(request["Identifier"])
    rule.unlock()
    return describe(rule)


def tag_resource(backend: RecycleBinBackend, request: Request) -> Answer:
    """Answer TagResource."""
    backend.rule_by_arn(request["ResourceArn"]).tags.update(_tags(request["Tags"]))
    return {}


def untag_resource(backend: RecycleBinBackend, request: Request) -> Answer:
    """Answer UntagResource."""
    rule = backend.rule_by_arn(request["ResourceArn"])
    for key in request["TagKeys"]:
        rule.tags.pop(key, None)
    return {}


def list_tags_for_resource(backend: RecycleBinBackend, request: Request) -> Answer:
    """Answer ListTagsForResource."""
    tags = backend.rule_by_arn(request["ResourceArn"]).tags
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


def describe(rule: Rule) -> Answer:
    """Return a rule in the service's words."""
    record: Answer = {
        "Identifier": rule.identifier,
        "Description": rule.description,
        "ResourceType": rule.kind,
        "RetentionPeriod": {"RetentionPeriodValue": rule.days, "RetentionPeriodUnit": "DAYS"},
        "ResourceTags": rule.resource_tags,
        "ExcludeResourceTags": rule.exclude_tags,
        "Status": "available",
        "LockState": rule.lock_state,
        "RuleArn": rule.arn,
    }
    if rule.lock_state != "unlocked" and rule.unlock_days is not None:
        delay = {"UnlockDelayValue": rule.unlock_days, "UnlockDelayUnit": "DAYS"}
        record["LockConfiguration"] = {"UnlockDelay": delay}
        record["LockEndTime"] = rule.unlocked_at
    return {name: value for name, value in record.items() if value is not None}


def _without_lock(rule: Rule) -> Answer:
    return {name: value for name, value in describe(rule).items() if name != "LockConfiguration"}


def _set(rule: Rule, request: Request) -> None:
    description = request.get("Description", rule.description)
    if description is not None and len(description) > DESCRIPTION_LIMIT:
        raise invalid(f"A description has at most {DESCRIPTION_LIMIT} characters.")
    wanted, passed = (
        request.get("ResourceTags", rule.resource_tags),
        request.get("ExcludeResourceTags", rule.exclude_tags),
    )
    if wanted and passed:
        raise invalid("Exclusion tags are for Region-level retention rules only.")
    for tags, limit in ((wanted, RESOURCE_TAGS_LIMIT), (passed, EXCLUDE_TAGS_LIMIT)):
        if len(tags) > limit:
            raise invalid(f"At most {limit} tags are allowed, got {len(tags)}.")
    rule.description, rule.resource_tags, rule.exclude_tags = description, wanted, passed


def _kind(request: Request) -> str:
    kind = request.get("ResourceType")
    if kind == "EBS_VOLUME":
        raise invalid("The sandbox keeps AMIs and snapshots in the Recycle Bin, no volumes: EBS_VOLUME")
    if kind not in KINDS:
        raise invalid(f"The resource type is one of {', '.join(KINDS)}, got {kind}.")
    return str(kind)


def _days(period: dict[str, Any]) -> int:
    days = int(period["RetentionPeriodValue"])
    if days not in RETENTION_DAYS or period["RetentionPeriodUnit"] != "DAYS":
        raise invalid(f"The retention period is {RETENTION_DAYS[0]} to {RETENTION_DAYS[-1]} DAYS, got {period}.")
    return days


def _unlock_days(lock: dict[str, Any]) -> int:
    delay = lock["UnlockDelay"]
    days = int(delay["UnlockDelayValue"])
    if days not in UNLOCK_DAYS or delay["UnlockDelayUnit"] != "DAYS":
        raise invalid(f"The unlock delay is {UNLOCK_DAYS[0]} to {UNLOCK_DAYS[-1]} DAYS, got {delay}.")
    return days


def _tags(tags: list[dict[str, str]]) -> dict[str, str]:
    for tag in tags:
        if tag["Key"].lower().startswith("aws:"):
            raise invalid(f"Tag keys starting with 'aws:' are reserved, got {tag['Key']}.")
    return {tag["Key"]: tag["Value"] for tag in tags}


OPERATIONS: Final[dict[str, Callable[[RecycleBinBackend, Request], Answer]]] = {
    "CreateRule": create_rule,
    "DeleteRule": delete_rule,
    "GetRule": get_rule,
    "ListRules": list_rules,
    "ListTagsForResource": list_tags_for_resource,
    "LockRule": lock_rule,
    "TagResource": tag_resource,
    "UnlockRule": unlock_rule,
    "UntagResource": untag_resource,
    "UpdateRule": update_rule,
}
