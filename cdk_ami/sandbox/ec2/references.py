"""What names an AMI: in the caller's account all of it, in other accounts how often.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-ami-references.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from moto.core.exceptions import ServiceException
from moto.ssm.models import ssm_backends

from cdk_ami.sandbox.ec2.call import Answer, Call, Operation
from cdk_ami.sandbox.ec2.parameters import RESOLVE, resolve_image_id
from cdk_ami.sandbox.ec2.refusal import refusal
from cdk_ami.sandbox.ec2.visibility import own_image

IMAGE_LIMIT: Final = 10
"""AMIs in one DescribeImageReferences.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImageReferences.html
"""

VERSION_DEPTH: Final = 10
"""Versions of a launch template that are looked at, the newest first, unless asked for.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ResourceTypeOption.html
"""

DEPTHS: Final = range(1, 10001)
"""Same page."""

STATES: Final = frozenset({"pending", "running", "shutting-down", "terminated", "stopping", "stopped"})

INSTANCE: Final = "ec2:Instance"
TEMPLATE: Final = "ec2:LaunchTemplate"
PARAMETER: Final = "ssm:Parameter"
RECIPE: Final = "imagebuilder:ImageRecipe"
CONTAINER: Final = "imagebuilder:ContainerRecipe"
KINDS: Final = (INSTANCE, TEMPLATE, PARAMETER, RECIPE, CONTAINER)

Found = tuple[str, str]
"""The id of an AMI and the ARN of what names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """How far to look.

    Attributes:
        depth: How many versions of a launch template, the newest first.
        states: In which states instances count.
    """

    depth: int = VERSION_DEPTH
    states: frozenset[str] = STATES


def find(backend: Any, kind: str, image_ids: Sequence[str], scope: Scope) -> Iterator[Found]:
    """Yield what names ``image_ids`` in the account and Region of ``backend``, an EC2 backend."""
    yield from _FINDERS[kind](backend, frozenset(image_ids), scope)


def _instances(backend: Any, wanted: frozenset[str], scope: Scope) -> Iterator[Found]:
    for instance in backend.all_instances():
        if instance.image_id in wanted and instance.state in scope.states:
            yield instance.image_id, _arn(backend, "ec2", f"instance/{instance.id}")


def _templates(backend: Any, wanted: frozenset[str], scope: Scope) -> Iterator[Found]:
    for template in list(backend.launch_templates.values()):
        named = {_resolved(backend, version.data.get("ImageId", "")) for version in template.versions[-scope.depth :]}
        for image_id in sorted(named & wanted):
            yield image_id, _arn(backend, "ec2", f"launch-template/{template.id}")


def _resolved(backend: Any, image_id: str) -> str:
    if not image_id.startswith(RESOLVE):
        return image_id
    try:
        return resolve_image_id(backend, image_id)
    except ServiceException:  # the parameter is gone, or no image id: then no image is named
        return ""


def _parameters(backend: Any, wanted: frozenset[str], scope: Scope) -> Iterator[Found]:
    del scope
    parameters = ssm_backends[backend.account_id][backend.region_name]._parameters  # noqa: SLF001 - moto keeps them so
    for name, versions in sorted(dict.items(parameters)):
        if versions and versions[-1].data_type == "aws:ec2:image" and versions[-1].value in wanted:
            yield versions[-1].value, _arn(backend, "ssm", f"parameter/{name.lstrip('/')}")


def _recipes(backend: Any, wanted: frozenset[str], scope: Scope) -> Iterator[Found]:
    del scope
    from cdk_ami.sandbox.imagebuilder.models import imagebuilder_backends  # noqa: PLC0415 - it looks into EC2 itself

    for record in imagebuilder_backends[backend.account_id][backend.region_name].kind("image-recipe"):
        parent = str(record.body.get("parentImage", ""))
        image_id = _resolved(backend, f"resolve:{parent}") if parent.startswith("ssm:") else parent
        if image_id in wanted:
            yield image_id, record.arn


def _containers(backend: Any, wanted: frozenset[str], scope: Scope) -> Iterator[Found]:
    """Yield nothing: the sandbox has no container recipes."""
    del backend, wanted, scope
    return iter(())


def _arn(backend: Any, service: str, resource: str) -> str:
    return f"arn:{backend.partition}:{service}:{backend.region_name}:{backend.account_id}:{resource}"


_FINDERS: Final[Mapping[str, Callable[[Any, frozenset[str], Scope], Iterator[Found]]]] = {
    INSTANCE: _instances,
    TEMPLATE: _templates,
    PARAMETER: _parameters,
    RECIPE: _recipes,
    CONTAINER: _containers,
}


def scope_of(wanted: Mapping[str, Any], *, depth: int, states: bool = True) -> Scope:
    """Return how far to look for a type of resource, as a request says it.

    Args:
        wanted: ``ResourceType`` and ``ResourceTypeOptions``.
        depth: How many versions of a launch template unless the request says it.
        states: Whether instances may be chosen by state.

    Raises:
        EC2ClientError: InvalidParameterValue.
    """
    kind, scope = wanted["ResourceType"], Scope(depth=depth)
    for option in wanted.get("ResourceTypeOptions", []):
        name, values = option.get("OptionName"), list(option.get("OptionValues", []))
        if kind == TEMPLATE and name == "version-depth" and len(values) == 1 and _is_depth(values[0]):
            scope = replace(scope, depth=int(values[0]))
        elif kind == INSTANCE and states and name == "state-name" and values and STATES.issuperset(values):
            scope = replace(scope, states=frozenset(values))
        else:
            raise refusal("InvalidParameterValue", f"The option {name} of {kind} cannot be {values}")
    return scope


def _is_depth(value: str) -> bool:
    return value.isdigit() and int(value) in DEPTHS


def describe_image_references(call: Call) -> Answer:
    """Answer DescribeImageReferences: what in the caller's account and Region names the AMIs."""
    image_ids = call.get("ImageIds", [])
    if not 1 <= len(image_ids) <= IMAGE_LIMIT:
        raise refusal("InvalidParameterValue", f"Between 1 and {IMAGE_LIMIT} image ids are allowed")
    scopes: dict[str, Scope] = {}
    if call.get("IncludeAllResourceTypes"):
        scopes = dict.fromkeys(KINDS, Scope())
    for wanted in call.get("ResourceTypes", []):
        if wanted.get("ResourceType") not in KINDS:
            raise refusal("InvalidParameterValue", f"Invalid value '{wanted.get('ResourceType')}' for resourceType")
        scopes[wanted["ResourceType"]] = scope_of(wanted, depth=VERSION_DEPTH)
    if not scopes:
        raise refusal("MissingParameter", "Name resourceTypes, or set includeAllResourceTypes")
    for image_id in image_ids:
        own_image(call.region, call.account, image_id)
    found = [
        {"ImageId": image_id, "ResourceType": kind, "Arn": arn}
        for kind in KINDS
        if kind in scopes
        for image_id, arn in find(call.backend, kind, image_ids, scopes[kind])
    ]
    return call.page("ImageReferences", found)


OPERATIONS: Final[dict[str, Operation]] = {"DescribeImageReferences": describe_image_references}
