"""Rules over what listens to builds, and over workflows and containers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cdk_ami.checks.rule import Problem
from cdk_ami.checks.template.places import Resource, known_part
from cdk_ami.checks.template.registry import Family, template_rule
from cdk_ami.checks.template.subjects.components import read
from cdk_ami.checks.template.types import EVENT_RULE, WORKFLOW

_EVENTS: Final = "https://docs.aws.amazon.com/imagebuilder/latest/userguide/integ-eventbridge.html"
_WORKFLOWS: Final = "https://docs.aws.amazon.com/imagebuilder/latest/userguide/wfdoc-definitions.html"
_CHANGES: Final = "https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-cwe.html"
_BUILT: Final = "EC2 Image Builder Image State Change"


@template_rule(
    "EventsOfAllImages",
    family=Family.DRIFTS,
    on=(EVENT_RULE,),
    why="The builds of every other image of the account start what is meant for one.",
    source=_EVENTS,
    bad=(
        f"{{EventPattern: {{source: [aws.imagebuilder], detail-type: [{_BUILT}], detail: {{state: {{status: [FAILED]}}}}}}}}",
        "{EventPattern: {source: [aws.imagebuilder]}}",
    ),
    good=(
        "{EventPattern: {source: [aws.imagebuilder], resources: [{prefix: 'arn:aws:imagebuilder:us-east-1:1:image/web/'}]}}",
        "{EventPattern: {source: [aws.imagebuilder], detail-type: [EC2 Image Builder CVE Detected]}}",
        "{EventPattern: {source: [aws.ec2]}}",
        "{ScheduleExpression: rate(1 day)}",
    ),
)
def events_of_all_images(it: Resource) -> Iterator[Problem]:
    """A rule over builds names the image whose builds it means."""
    pattern = it.get("EventPattern")
    kinds = pattern.get("detail-type").texts
    about = not kinds or _BUILT in kinds
    if "aws.imagebuilder" in (pattern.get("source").texts or ()) and about and pattern.get("resources").absent:
        fix = "add resources with the prefix of the image's ARN"
        yield pattern.get("resources").problem("is missing, so that the builds of all images match", fix=fix)


@template_rule(
    "ParameterChangeFailed",
    family=Family.DRIFTS,
    on=(EVENT_RULE,),
    why="A change that the Parameter Store refused sends the same event: what follows believes in it.",
    source=_CHANGES,
    bad=(
        "{EventPattern: {source: [aws.ssm], detail-type: [Parameter Store Change], detail: {name: [/imagebuilder/web/latest]}}}",
    ),
    good=(
        "{EventPattern: {source: [aws.ssm], detail-type: [Parameter Store Change], "
        "detail: {name: [/imagebuilder/web/latest], exception: [{exists: false}]}}}",
        "{EventPattern: {source: [aws.ssm], detail-type: [Parameter Store Change], detail: {name: [/web/size]}}}",
    ),
)
def parameter_change_failed(it: Resource) -> Iterator[Problem]:
    """A rule over changes of an image's parameter leaves out those that failed."""
    pattern = it.get("EventPattern")
    detail = pattern.get("detail")
    about_images = any("/imagebuilder/" in place.partial for place in detail.get("name").strings())
    if (
        "Parameter Store Change" in (pattern.get("detail-type").texts or ())
        and about_images
        and detail.get("exception").absent
    ):
        yield detail.get("exception").problem(
            "is missing, so that failed changes match", fix="add exception: [{exists: false}]"
        )


@template_rule(
    "WorkflowDocument",
    family=Family.FAILS,
    on=(WORKFLOW,),
    why="The service refuses the workflow.",
    source=_WORKFLOWS,
    bad=(
        "{Name: web, Version: 1.0.0, Type: TEST, Data: '{schemaVersion: 1.0, steps: [x]}'}",
        "{Name: web, Version: 1.0.0, Type: TEST, Data: 'steps: ['}",
        "{Name: web, Version: 1.0.0, Type: TEST, Data: '{name: web, schemaVersion: 1.0}'}",
        "{Name: web, Version: 1.0.0, Type: TEST, Data: '{name: web, schemaVersion: 1.0, steps: []}'}",
        "{Name: web, Version: 1.0.0, Type: TEST, Data: '{name: web, schemaVersion: 1.0, steps: [{name: A}]}'}",
        "{Name: web, Version: 1.0.0, Type: TEST, Data: '{name: w, schemaVersion: 1.0, steps: [{name: A, action: B}, {name: A, action: B}]}'}",
    ),
    good=(
        "{Name: web, Version: 1.0.0, Type: TEST, Data: !Ref Document}",
        "{Name: web, Version: 1.0.0, Type: TEST, Data: '{name: web, schemaVersion: 1.0, steps: [{name: A, action: LaunchInstance}]}'}",
        "{Name: web, Version: 1.0.0, Type: TEST, Uri: s3://b/w.yaml}",
    ),
)
def workflow_document(it: Resource) -> Iterator[Problem]:
    """A workflow document has a schema version and steps, each with a name of its own and an action."""
    data = it.get("Data")
    if not known_part(data.partial).strip():
        return
    found = read(data.partial)
    for problem in found.unreadable:
        yield problem._replace(at=data.path)
    mapping = found.sealed.mapping if found.sealed else None
    if mapping is None:
        return
    steps = mapping.get("steps")
    for key in ("schemaVersion", "steps"):
        if not mapping.get(key):
            yield data.get(key).problem("is missing", got=None, fix=f"add {key}")
    seen: list[object] = []
    for index, step in enumerate(steps if isinstance(steps, list) else ()):
        entry = step if isinstance(step, dict) else {}
        at = f"{data.path}.steps[{index}]"
        for key in ("name", "action"):
            if not entry.get(key):
                yield Problem(problem="is missing", got=None, fix=f"add {key}", at=f"{at}.{key}")
        if entry.get("name") in seen:
            yield Problem(
                problem="has the name of another step", got=entry.get("name"), fix="rename it", at=f"{at}.name"
            )
        seen += [entry["name"]] if entry.get("name") else []
