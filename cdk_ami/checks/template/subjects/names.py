"""Rules over names, tags and descriptions of Image Builder's resources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from cdk_ami.checks import distribution, names
from cdk_ami.checks.rule import Problem
from cdk_ami.checks.template.places import Resource
from cdk_ami.checks.template.registry import Family, below, bind, template_rule
from cdk_ami.checks.template.types import (
    COMPONENT,
    CONTAINER_RECIPE,
    DISTRIBUTION,
    IMAGE,
    IMAGE_BUILDER,
    INFRASTRUCTURE,
    LIFECYCLE,
    PARAMETER_STORE,
    PIPELINE,
    RECIPE,
    WORKFLOW,
)
from cdk_ami.limits import DESCRIPTION_MAX_CHARS, RESOURCE_TAGS_MAX
from cdk_ami.naming import normalized

_NAMED: Final = tuple(kind for kind in (INFRASTRUCTURE, *IMAGE_BUILDER) if kind != IMAGE)
_ONCE: Final = (INFRASTRUCTURE, DISTRIBUTION, PIPELINE, LIFECYCLE)
_RECIPES: Final = (RECIPE, CONTAINER_RECIPE)
_INFRASTRUCTURE: Final = "InstanceProfileName: build"
_DISTRIBUTIONS: Final = "{Name: web, Distributions: [{Region: us-east-1, AmiDistributionConfiguration: {%s}}]}"
_UNTAKEN: Final = "The resource cannot be created: the deployment fails, or the build when it comes to the tag."

bind(
    names.resource_name,
    rule="ResourceName",
    family=Family.FAILS,
    where=dict.fromkeys(_NAMED, ("Name",)),
    reads=lambda place: place.text,
    why="The service refuses the name, and the deployment fails.",
    bad=(
        f"{{Name: w, {_INFRASTRUCTURE}}}",
        f"{{Name: web.server, {_INFRASTRUCTURE}}}",
        f"{{Name: 'web ', {_INFRASTRUCTURE}}}",
        f"{{Name: {'w' * 129}, {_INFRASTRUCTURE}}}",
    ),
    good=(
        f"{{Name: web server_1, {_INFRASTRUCTURE}}}",
        f"{{Name: {'w' * 128}, {_INFRASTRUCTURE}}}",
        f"{{Name: !Sub '${{AWS::StackName}}-web', {_INFRASTRUCTURE}}}",
    ),
    module=__name__,
)

bind(
    names.ami_name,
    rule="AmiName",
    family=Family.FAILS,
    where={DISTRIBUTION: ("Distributions[].AmiDistributionConfiguration.Name",)},
    reads=lambda place: place.text,
    why="The build runs to its end, and then no AMI can be made.",
    bad=(_DISTRIBUTIONS % "Name: 'web/{{ imagebuilder:buildDate }}'", _DISTRIBUTIONS % f"Name: '{'w' * 128}'"),
    good=(_DISTRIBUTIONS % "Name: 'web-{{ imagebuilder:buildDate }}'", _DISTRIBUTIONS % "Description: no name"),
    module=__name__,
)


@template_rule(
    "AmiNameBuildDate",
    family=Family.FAILS,
    on=(DISTRIBUTION,),
    why="The second build ends with an AMI whose name is taken.",
    bad=(_DISTRIBUTIONS % "Name: web", _DISTRIBUTIONS % "Name: !Sub 'web-${AWS::Region}'"),
    good=(
        _DISTRIBUTIONS % "Name: 'web {{imagebuilder:buildDate}}'",
        _DISTRIBUTIONS % "Name: !Sub 'web-${AWS::StackName}-{{ imagebuilder:buildDate }}'",
        _DISTRIBUTIONS % "Name: !Ref AmiName",
        _DISTRIBUTIONS % "Description: no name",
    ),
)
def ami_name_build_date(it: Resource) -> Iterator[Problem]:
    """A name of an output AMI holds the build date, or the second build collides with the first."""
    for place in it.all("Distributions[].AmiDistributionConfiguration.Name"):
        if place.text is not None:
            yield from below(place, names.ami_name_build_date(place.text))


bind(
    distribution.ami_description,
    rule="AmiDescription",
    family=Family.FAILS,
    where={DISTRIBUTION: ("Distributions[].AmiDistributionConfiguration.Description",)},
    reads=lambda place: place.text,
    why="The service refuses the configuration.",
    bad=(_DISTRIBUTIONS % "Description: ''", _DISTRIBUTIONS % f"Description: {'w' * 1025}"),
    good=(_DISTRIBUTIONS % "Description: web", _DISTRIBUTIONS % f"Description: {'w' * 1024}"),
    module=__name__,
)


@template_rule(
    "DescriptionLength",
    family=Family.FAILS,
    on=tuple(kind for kind in _NAMED),
    why="The service refuses the resource.",
    source=f"{names.IB}API_CreateComponent.html#imagebuilder-CreateComponent-request-description",
    bad=(
        f"{{Name: web, {_INFRASTRUCTURE}, Description: ''}}",
        f"{{Name: web, {_INFRASTRUCTURE}, Description: {'w' * (DESCRIPTION_MAX_CHARS + 1)}}}",
    ),
    good=(
        f"{{Name: web, {_INFRASTRUCTURE}}}",
        f"{{Name: web, {_INFRASTRUCTURE}, Description: {'w' * DESCRIPTION_MAX_CHARS}}}",
    ),
)
def description_length(it: Resource) -> Iterator[Problem]:
    """A description has 1 to 1,024 characters."""
    place = it.get("Description")
    if place.text is not None and not 1 <= len(place.text) <= DESCRIPTION_MAX_CHARS:
        yield place.problem(
            f"has {len(place.text)} characters", fix=f"use 1 to {DESCRIPTION_MAX_CHARS:,}, or leave it out"
        )


bind(
    names.tags,
    rule="Tags",
    family=Family.FAILS,
    where={
        INFRASTRUCTURE: ("Tags",),
        COMPONENT: ("Tags",),
        CONTAINER_RECIPE: ("Tags",),
        DISTRIBUTION: ("Tags", "Distributions[].AmiDistributionConfiguration.AmiTags"),
        IMAGE: ("Tags",),
        LIFECYCLE: ("Tags",),
        PIPELINE: ("Tags", "ImageTags"),
        RECIPE: ("Tags", "AmiTags"),
        WORKFLOW: ("Tags",),
    },
    reads=lambda place: place.tags,
    why=_UNTAKEN,
    bad=(
        f"{{Name: web, {_INFRASTRUCTURE}, Tags: {{'aws:team': web}}}}",
        f"{{Name: web, {_INFRASTRUCTURE}, Tags: {{Team: {'w' * 257}}}}}",
        "Web: {Type: AWS::ImageBuilder::ImageRecipe, Properties: {AmiTags: {'Team!': web}}}",
    ),
    good=(
        f"{{Name: web, {_INFRASTRUCTURE}, Tags: {{Team: web, Owner: !Ref Owner}}}}",
        f"{{Name: web, {_INFRASTRUCTURE}}}",
    ),
    module=__name__,
)

bind(
    names.resource_tags,
    rule="ResourceTags",
    family=Family.FAILS,
    where={INFRASTRUCTURE: ("ResourceTags",)},
    reads=lambda place: place.tags,
    why="The service refuses the configuration.",
    bad=(
        f"{{Name: web, {_INFRASTRUCTURE}, ResourceTags: {{CreatedBy: me}}}}",
        f"{{Name: web, {_INFRASTRUCTURE}, ResourceTags: {{{', '.join(f't{i}: x' for i in range(RESOURCE_TAGS_MAX + 1))}}}}}",
    ),
    good=(
        f"{{Name: web, {_INFRASTRUCTURE}, ResourceTags: {{Team: web}}}}",
        f"{{Name: web, {_INFRASTRUCTURE}, ResourceTags: {{{', '.join(f't{i}: x' for i in range(RESOURCE_TAGS_MAX))}}}}}",
    ),
    module=__name__,
)


@template_rule(
    "NameOnce",
    family=Family.FAILS,
    on=_ONCE,
    why="The second cannot be created: the name is taken.",
    source=f"{names.IB}API_CreateImagePipeline.html",
    bad=(
        """
One: {Type: AWS::ImageBuilder::InfrastructureConfiguration, Properties: {Name: web server, InstanceProfileName: b}}
Two: {Type: AWS::ImageBuilder::InfrastructureConfiguration, Properties: {Name: Web_Server, InstanceProfileName: b}}
""",
    ),
    good=(
        """
One: {Type: AWS::ImageBuilder::InfrastructureConfiguration, Properties: {Name: web, InstanceProfileName: b}}
Two: {Type: AWS::ImageBuilder::InfrastructureConfiguration, Properties: {Name: mail, InstanceProfileName: b}}
Six: {Type: AWS::ImageBuilder::LifecyclePolicy, Properties: {Name: web}}
""",
        """
One: {Type: AWS::ImageBuilder::InfrastructureConfiguration, Properties: {Name: !Ref A, InstanceProfileName: b}}
Two: {Type: AWS::ImageBuilder::InfrastructureConfiguration, Properties: {Name: !Ref B, InstanceProfileName: b}}
""",
    ),
)
def name_once(it: Resource) -> Iterator[Problem]:
    """Names of a kind are taken once: names that differ in case, blanks and underscores only are one name."""
    other = it.twin(_name)
    if other is not None:
        yield it.get("Name").problem(f"is the name of {other.logical_id} as well", fix="choose another name")


def _name(it: Resource) -> str | None:
    name = it.get("Name").text
    return normalized(name) if name else None


@template_rule(
    "RecipeOnce",
    family=Family.FAILS,
    on=_RECIPES,
    why="The second cannot be created: the name and the version are taken.",
    source=f"{names.IB}API_CreateImageRecipe.html",
    bad=(
        """
One: {Type: AWS::ImageBuilder::ImageRecipe, Properties: {Name: web, Version: 1.0.0, ParentImage: !Ref P}}
Two: {Type: AWS::ImageBuilder::ImageRecipe, Properties: {Name: Web, Version: 1.0.0, ParentImage: !Ref P}}
""",
    ),
    good=(
        """
One: {Type: AWS::ImageBuilder::ImageRecipe, Properties: {Name: web, Version: 1.0.0, ParentImage: !Ref P}}
Two: {Type: AWS::ImageBuilder::ImageRecipe, Properties: {Name: web, Version: 1.0.1, ParentImage: !Ref P}}
""",
        """
One: {Type: AWS::ImageBuilder::ImageRecipe, Properties: {Name: web, Version: 1.0.x, ParentImage: !Ref P}}
Two: {Type: AWS::ImageBuilder::ImageRecipe, Properties: {Name: web, Version: 1.0.x, ParentImage: !Ref P}}
""",
    ),
)
def recipe_once(it: Resource) -> Iterator[Problem]:
    """Two recipes of a template differ in name or version."""
    other = it.twin(_name_and_version)
    if other is not None:
        told = f"is with its version that of {other.logical_id} as well"
        yield it.get("Name").problem(told, fix="choose another name")


def _name_and_version(it: Resource) -> tuple[str, str] | None:
    name, version = _name(it), it.get("Version").text
    return (name, version) if name and version and "x" not in version else None


@template_rule(
    "RecipeVersion",
    family=Family.FAILS,
    on=_RECIPES,
    why="The service refuses the version.",
    source="https://docs.aws.amazon.com/imagebuilder/latest/userguide/ibhow-semantic-versioning.html",
    bad=(
        "{Name: web, Version: 1.x.0, ParentImage: !Ref P}",
        "{Name: web, Version: x.2.x, ParentImage: !Ref P}",
        "{Name: web, Version: '1.0', ParentImage: !Ref P}",
        "{Name: web, Version: v1.0.0, ParentImage: !Ref P}",
        "{Name: web, Version: 1.0.0/1, ParentImage: !Ref P}",
        "{Name: web, Version: 1073741824.0.0, ParentImage: !Ref P}",
    ),
    good=(
        "{Name: web, Version: 1.0.x, ParentImage: !Ref P}",
        "{Name: web, Version: 1.x.x, ParentImage: !Ref P}",
        "{Name: web, Version: x.x.x, ParentImage: !Ref P}",
        "{Name: web, Version: 1073741823.0.0, ParentImage: !Ref P}",
        "{Name: web, Version: !Ref Version, ParentImage: !Ref P}",
    ),
)
def recipe_version(it: Resource) -> Iterator[Problem]:
    """A recipe's version has three nodes, and everything right of the first x is x."""
    version = it.get("Version")
    if version.text is not None and not _is_version(version.text):
        yield version.problem(
            "is no version of a recipe", fix="write it as 1.0.x, and the service counts the last number"
        )


def _is_version(text: str) -> bool:
    if not re.fullmatch(r"x\.x\.x|[0-9]+\.x\.x|[0-9]+\.[0-9]+\.x|[0-9]+\.[0-9]+\.[0-9]+", text):
        return False
    return all(node == "x" or int(node) < 2**30 for node in text.split("."))


bind(
    names.parameter_name,
    rule="ParameterName",
    family=Family.FAILS,
    where={
        PARAMETER_STORE: ("Name",),
        DISTRIBUTION: ("Distributions[].SsmParameterConfigurations[].ParameterName",),
    },
    reads=lambda place: place.text,
    why="The parameter cannot be written: the deployment fails, or the build at its very end.",
    bad=(
        "{Name: web/latest, Type: String, Value: x}",
        "{Name: '/web latest', Type: String, Value: x}",
        "{Name: /web/, Type: String, Value: x}",
        """
Web:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties:
    Name: web
    Distributions: [{Region: us-east-1, SsmParameterConfigurations: [{ParameterName: web/latest}]}]
""",
    ),
    good=("{Name: /imagebuilder/web/latest, Type: String, Value: x}", "{Name: web, Type: String, Value: x}"),
    module=__name__,
)

bind(
    names.own_parameter_name,
    rule="OwnParameterName",
    family=Family.FAILS,
    where={
        PARAMETER_STORE: ("Name",),
        DISTRIBUTION: ("Distributions[].SsmParameterConfigurations[].ParameterName",),
    },
    reads=lambda place: place.text,
    why="The Parameter Store keeps these names for AWS.",
    bad=(
        "{Name: /aws/web, Type: String, Value: x}",
        "{Name: ssm-web, Type: String, Value: x}",
        """
Web:
  Type: AWS::ImageBuilder::DistributionConfiguration
  Properties: {Name: web, Distributions: [{Region: us-east-1, SsmParameterConfigurations: [{ParameterName: /aws/web}]}]}
""",
    ),
    good=("{Name: /imagebuilder/web/latest, Type: String, Value: x}",),
    module=__name__,
)
