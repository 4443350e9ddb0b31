"""Rules over how images end: lifecycle policies and the Recycle Bin."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cdk_ami.checks.rule import Problem
from cdk_ami.checks.template.places import Place, Resource
from cdk_ami.checks.template.registry import Family, template_rule
from cdk_ami.checks.template.types import LIFECYCLE

_IB: Final = "https://docs.aws.amazon.com/imagebuilder/latest/APIReference/"
_FILTER: Final = f"{_IB}API_LifecyclePolicyDetailFilter.html"
_ACTION: Final = f"{_IB}API_LifecyclePolicyDetailActionIncludeResources.html"
_DAYS: Final = {"DAYS": 1, "WEEKS": 7, "MONTHS": 30, "YEARS": 365}
_RULES_MAX: Final = 3
_RECIPES_MAX: Final = 50
_VALUES: Final = (1, 1_000)
_RETAINED: Final = (1, 10)
_LAST_LAUNCHED: Final = (1, 365)


def _policy(
    *details: str,
    kind: str = "AMI_IMAGE",
    selection: str = "Recipes: [{Name: web, SemanticVersion: 1.x.x}]",
    more: str = "",
) -> str:
    return (
        f"{{Name: web, ExecutionRole: r, ResourceType: {kind}, PolicyDetails: [{', '.join(details)}], "
        f"ResourceSelection: {{{selection}}}{more}}}"
    )


def _detail(action: str, rule: str, more: str = "") -> str:
    return f"{{Action: {{{action}}}, Filter: {{{rule}}}{more}}}"


_DELETE: Final = "Type: DELETE, IncludeResources: {Amis: true, Snapshots: true}"
_DEPRECATE: Final = "Type: DEPRECATE, IncludeResources: {Amis: true}"
_OLD: Final = "Type: AGE, Value: 90, Unit: DAYS"
_GOOD: Final = _policy(
    _detail(_DEPRECATE, "Type: AGE, Value: 30, Unit: DAYS"), _detail(_DELETE, f"{_OLD}, RetainAtLeast: 3")
)
_UNKNOWN: Final = (
    "{Name: web, ExecutionRole: r, ResourceType: !Ref T, PolicyDetails: !Ref D, ResourceSelection: !Ref S}"
)


def _details(it: Resource) -> list[Place]:
    return it.get("PolicyDetails").items()


@template_rule(
    "LifecycleCount",
    family=Family.FAILS,
    on=(LIFECYCLE,),
    why="The service refuses the policy.",
    source=_FILTER,
    bad=(
        _policy(_detail(_DEPRECATE, "Type: COUNT, Value: 3")),
        _policy(_detail(_DELETE, "Type: COUNT, Value: 3, Unit: DAYS")),
        _policy(_detail(_DELETE, "Type: COUNT, Value: 3, RetainAtLeast: 2")),
    ),
    good=(_GOOD, _UNKNOWN, _policy(_detail(_DELETE, "Type: COUNT, Value: 3"))),
)
def lifecycle_count(it: Resource) -> Iterator[Problem]:
    """A count decides over deletion only, and needs neither a unit nor a number to retain."""
    for detail in _details(it):
        rule, action = detail.get("Filter"), detail.at("Action.Type")
        if rule.get("Type").text != "COUNT":
            continue
        if action.text is not None and action.text != "DELETE":
            yield rule.get("Type").problem(f"cannot decide over {action.text}", fix="use AGE")
        for key in ("Unit", "RetainAtLeast"):
            if rule.get(key).given:
                yield rule.get(key).problem("is given for a count", fix="drop it: Value is the number that is kept")


@template_rule(
    "LifecycleAge",
    family=Family.FAILS,
    on=(LIFECYCLE,),
    why="The service refuses the policy.",
    source=_FILTER,
    bad=(
        _policy(_detail(_DELETE, "Type: AGE, Value: 90")),
        _policy(_detail(_DELETE, "Type: AGE, Value: 0, Unit: DAYS")),
        _policy(_detail(_DELETE, "Type: COUNT, Value: 1001")),
        _policy(_detail(_DELETE, f"{_OLD}, RetainAtLeast: 11")),
        _policy(_detail(_DELETE, f"{_OLD}, RetainAtLeast: 0")),
    ),
    good=(
        _GOOD,
        _UNKNOWN,
        _policy(_detail(_DELETE, "Type: AGE, Value: !Ref V, Unit: !Ref U, RetainAtLeast: 10")),
        _policy(_detail(_DELETE, "Type: AGE, Value: 1000, Unit: DAYS, RetainAtLeast: 1")),
    ),
)
def lifecycle_age(it: Resource) -> Iterator[Problem]:
    """An age is 1 to 1,000 of a unit, and 1 to 10 images are retained whatever their age."""
    for detail in _details(it):
        rule = detail.get("Filter")
        value, unit, retained = rule.get("Value"), rule.get("Unit"), rule.get("RetainAtLeast")
        if rule.get("Type").text == "AGE" and unit.absent:
            yield unit.problem("is missing for an age", fix="say DAYS, WEEKS, MONTHS or YEARS")
        for place, (low, high) in ((value, _VALUES), (retained, _RETAINED)):
            if place.number is not None and not low <= place.number <= high:
                yield place.problem("is out of range", fix=f"give {low} to {high:,}")


@template_rule(
    "LifecycleOnce",
    family=Family.FAILS,
    on=(LIFECYCLE,),
    why="The service refuses the policy.",
    source=f"{_IB}API_CreateLifecyclePolicy.html",
    bad=(
        _policy(_detail(_DELETE, _OLD), _detail(_DELETE, "Type: COUNT, Value: 3")),
        _policy(*[_detail(_DELETE, _OLD)] * 4),
    ),
    good=(_GOOD, _UNKNOWN),
)
def lifecycle_once(it: Resource) -> Iterator[Problem]:
    """A policy has one rule for each action, three at most."""
    details = it.get("PolicyDetails")
    if len(details.items()) > _RULES_MAX:
        yield details.problem(
            f"has {len(details.items())} rules", got=None, fix=f"keep {_RULES_MAX}, one for each action"
        )
        return
    seen: list[str] = []
    for detail in details.items():
        action = detail.at("Action.Type")
        if action.text is not None and action.text in seen:
            yield action.problem("has a rule already", fix="merge the two")
        seen.append(action.text or "")


@template_rule(
    "LifecycleResources",
    family=Family.FAILS,
    on=(LIFECYCLE,),
    why="The service refuses the policy.",
    source=_ACTION,
    bad=(
        _policy(_detail("Type: DEPRECATE, IncludeResources: {Amis: true, Snapshots: true}", _OLD)),
        _policy(_detail("Type: DISABLE, IncludeResources: {Snapshots: true}", _OLD)),
        _policy(_detail("Type: DELETE, IncludeResources: {Snapshots: true}", _OLD)),
        _policy(_detail("Type: DELETE, IncludeResources: {Amis: false, Snapshots: true}", _OLD)),
        _policy(_detail("Type: DELETE, IncludeResources: {Amis: true, Containers: true}", _OLD)),
        _policy(_detail("Type: DELETE, IncludeResources: {Amis: true}", _OLD), kind="CONTAINER_IMAGE"),
        _policy(_detail("Type: DEPRECATE, IncludeResources: {Containers: true}", _OLD), kind="CONTAINER_IMAGE"),
    ),
    good=(
        _GOOD,
        _UNKNOWN,
        _policy(_detail("Type: DELETE, IncludeResources: {Containers: true}", _OLD), kind="CONTAINER_IMAGE"),
        _policy(_detail("Type: DELETE, IncludeResources: {Snapshots: !Ref S}", _OLD)),
        _policy(_detail("Type: DISABLE, IncludeResources: {Amis: true, Snapshots: false}", _OLD)),
    ),
)
def lifecycle_resources(it: Resource) -> Iterator[Problem]:
    """Snapshots go with their AMIs and by deletion only; containers are only ever deleted."""
    kind = it.get("ResourceType").text
    for detail in _details(it):
        action, included = detail.at("Action.Type"), detail.at("Action.IncludeResources")
        amis, snapshots, containers = (included.get(key) for key in ("Amis", "Snapshots", "Containers"))
        if snapshots.flag and action.text in {"DEPRECATE", "DISABLE"}:
            yield snapshots.problem(f"cannot be included in {action.text}", fix="include the AMIs alone")
        elif snapshots.flag and (amis.absent or amis.flag is False):
            yield snapshots.problem("is included without the AMIs", fix="include the AMIs as well")
        if kind == "AMI_IMAGE" and containers.flag:
            yield containers.problem("is included in a policy over AMIs", fix="drop it")
        if kind == "CONTAINER_IMAGE":
            for place in (amis, snapshots):
                if place.flag:
                    yield place.problem("is included in a policy over containers", fix="drop it")
            if action.text not in (None, "DELETE"):
                yield action.problem("does not exist for containers", fix="use DELETE")


@template_rule(
    "LifecycleSelection",
    family=Family.FAILS,
    on=(LIFECYCLE,),
    why="The service refuses the policy, or it selects nothing.",
    source=f"{_IB}API_LifecyclePolicyResourceSelection.html",
    bad=(
        _policy(_detail(_DELETE, _OLD), selection=""),
        _policy(
            _detail(_DELETE, _OLD), selection="Recipes: [{Name: web, SemanticVersion: 1.x.x}], TagMap: {Team: web}"
        ),
        _policy(_detail(_DELETE, _OLD), selection="Recipes: [{Name: web, SemanticVersion: 1.x.0}]"),
        _policy(
            _detail(_DELETE, _OLD), selection=f"Recipes: [{', '.join(['{Name: web, SemanticVersion: 1.x.x}'] * 51)}]"
        ),
    ),
    good=(
        _GOOD,
        _UNKNOWN,
        _policy(_detail(_DELETE, _OLD), selection="TagMap: {Team: web}"),
        _policy(
            _detail(_DELETE, _OLD), selection=f"Recipes: [{', '.join(['{Name: web, SemanticVersion: 1.x.x}'] * 50)}]"
        ),
    ),
)
def lifecycle_selection(it: Resource) -> Iterator[Problem]:
    """A policy selects images by 1 to 50 recipes, or by tags."""
    selection = it.get("ResourceSelection")
    recipes, tags = selection.get("Recipes"), selection.get("TagMap")
    if isinstance(selection.raw, dict) and not selection.raw:
        yield selection.problem("selects nothing", fix="name recipes with 1.x.x, or tags")
    elif recipes.given and tags.given:
        yield tags.problem("is given beside Recipes", fix="keep one of the two")
    elif len(recipes.items()) > _RECIPES_MAX:
        yield recipes.problem(f"names {len(recipes.items())} recipes", got=None, fix=f"keep {_RECIPES_MAX}")
    for place in it.all("ResourceSelection.Recipes[].SemanticVersion"):
        if re.search(r"x\.[0-9]", place.text or ""):
            yield place.problem("is no version", fix="write x from the right, such as 1.x.x")


@template_rule(
    "LifecycleMissesOld",
    family=Family.COSTS,
    on=(LIFECYCLE,),
    why="The images of every other version of the recipe stay, and are paid for, for ever.",
    source="https://docs.aws.amazon.com/imagebuilder/latest/userguide/image-lifecycle-create-policy.html",
    bad=(
        _policy(_detail(_DELETE, _OLD), selection="Recipes: [{Name: web, SemanticVersion: 1.0.0}]"),
        """
Web: {Type: AWS::ImageBuilder::ImageRecipe, Properties: {Name: web, Version: 1.0.x, ParentImage: !Ref P}}
End:
  Type: AWS::ImageBuilder::LifecyclePolicy
  Properties:
    Name: web
    ResourceSelection: {Recipes: [{Name: web, SemanticVersion: !GetAtt Web.Version}]}
""",
    ),
    good=(
        _GOOD,
        _UNKNOWN,
        _policy(_detail(_DELETE, _OLD), selection="Recipes: [{Name: web, SemanticVersion: x.x.x}]"),
        _policy(_detail(_DELETE, _OLD), selection="Recipes: [{Name: web, SemanticVersion: !Ref Version}]"),
    ),
)
def lifecycle_misses_old(it: Resource) -> Iterator[Problem]:
    """A policy selects every version of a recipe."""
    for place in it.all("ResourceSelection.Recipes[].SemanticVersion"):
        found = place.reference
        computed = found is not None and (found.attribute or "") in {"Version", "LatestVersion.Version"}
        if computed or re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+", place.text or ""):
            got = place.text
            yield place.problem(
                "selects one version alone", got=got, fix="write 1.x.x, and old versions are selected too"
            )


@template_rule(
    "SnapshotsKept",
    family=Family.COSTS,
    on=(LIFECYCLE,),
    why="The AMI goes, and its snapshots, which are what costs, stay without anything that names them.",
    source=_ACTION,
    bad=(
        _policy(_detail("Type: DELETE, IncludeResources: {Amis: true}", _OLD)),
        _policy(_detail("Type: DELETE, IncludeResources: {Amis: true, Snapshots: false}", _OLD)),
    ),
    good=(_GOOD, _UNKNOWN, _policy(_detail("Type: DELETE, IncludeResources: {Amis: true, Snapshots: !Ref S}", _OLD))),
)
def snapshots_kept(it: Resource) -> Iterator[Problem]:
    """A policy that deletes AMIs deletes their snapshots as well."""
    for detail in _details(it):
        included = detail.at("Action.IncludeResources")
        snapshots = included.get("Snapshots")
        deletes = detail.at("Action.Type").text == "DELETE" and bool(included.get("Amis").flag)
        if deletes and (snapshots.absent or snapshots.flag is False):
            yield snapshots.problem("is not included", fix="set Snapshots: true")


@template_rule(
    "LifecycleDisabled",
    family=Family.COSTS,
    on=(LIFECYCLE,),
    why="Nothing is ever deprecated or deleted.",
    source=f"{_IB}API_CreateLifecyclePolicy.html",
    bad=(_policy(_detail(_DELETE, _OLD), more=", Status: DISABLED"),),
    good=(_GOOD, _UNKNOWN, _policy(_detail(_DELETE, _OLD), more=", Status: ENABLED")),
)
def lifecycle_disabled(it: Resource) -> Iterator[Problem]:
    """A policy is enabled."""
    status = it.get("Status")
    if status.text == "DISABLED":
        yield status.problem("stops the policy", fix="enable it, or drop the resource")


@template_rule(
    "LifecycleOrder",
    family=Family.COSTS,
    on=(LIFECYCLE,),
    why="An AMI is gone before anybody is warned that it will go.",
    source="https://docs.aws.amazon.com/imagebuilder/latest/userguide/image-lifecycle.html",
    bad=(
        _policy(_detail(_DEPRECATE, "Type: AGE, Value: 6, Unit: MONTHS"), _detail(_DELETE, _OLD)),
        _policy(_detail("Type: DISABLE", "Type: AGE, Value: 90, Unit: DAYS"), _detail(_DELETE, _OLD)),
    ),
    good=(_GOOD, _UNKNOWN, _policy(_detail(_DELETE, _OLD))),
)
def lifecycle_order(it: Resource) -> Iterator[Problem]:
    """An AMI is deprecated before it is disabled, and disabled before it is deleted."""
    ages: list[tuple[int, Place]] = []
    for action in ("DEPRECATE", "DISABLE", "DELETE"):
        for detail in _details(it):
            rule = detail.get("Filter")
            value, unit = rule.get("Value"), rule.get("Unit").text or ""
            if detail.at("Action.Type").text == action and value.number is not None and unit in _DAYS:
                days = value.number * _DAYS[unit]
                if ages and days <= ages[-1][0]:
                    yield value.problem(
                        f"comes no later than the step before {action}", fix="leave time between the two"
                    )
                ages.append((days, value))


@template_rule(
    "LastLaunched",
    family=Family.FAILS,
    on=(LIFECYCLE,),
    why="The service refuses the policy.",
    source=f"{_IB}API_LifecyclePolicyDetailExclusionRulesAmisLastLaunched.html",
    bad=(
        _policy(_detail(_DELETE, _OLD, ", ExclusionRules: {Amis: {LastLaunched: {Value: 366, Unit: DAYS}}}")),
        _policy(_detail(_DELETE, _OLD, ", ExclusionRules: {Amis: {LastLaunched: {Value: 0, Unit: DAYS}}}")),
    ),
    good=(
        _GOOD,
        _policy(_detail(_DELETE, _OLD, ", ExclusionRules: {Amis: {LastLaunched: {Value: 365, Unit: DAYS}}}")),
        _policy(_detail(_DELETE, _OLD, ", ExclusionRules: {Amis: {LastLaunched: {Value: 1, Unit: DAYS}}}")),
    ),
)
def last_launched(it: Resource) -> Iterator[Problem]:
    """A launch is remembered for 1 to 365 days."""
    low, high = _LAST_LAUNCHED
    for place in it.all("PolicyDetails[].ExclusionRules.Amis.LastLaunched.Value"):
        if place.number is not None and not low <= place.number <= high:
            yield place.problem("is out of range", fix=f"give {low} to {high}")
